"""How a WebSocket ends, whatever its peer does.

uvicorn's class ends a connection with `transport.close()`, which sends what is unsent first: where
the peer doesn't read, that is never, and nothing in the process times out. Here each of these ways
ends in an abort after a few seconds: the keep-alive, our close, the peer's, the app's return.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.protocol import State

from web.socket.bounds import GOODBYE_S, STOP_GOODBYE_S


class EndingWebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's sans-I/O WebSocket class with an end to every close."""

    __slots__ = ("_end",)

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: Any = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._end: asyncio.TimerHandle | None = None  # when the connection is aborted, if it is

    def close(self, code: int) -> None:
        """Close with this code behind what is unsent; ignored once closing.

        Nobody is waited for: the app is told at once, as if the peer had answered.
        """
        if self.close_sent or self.transport.is_closing() or self.conn.state is not State.OPEN:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})
        self.conn.send_close(code)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        # That there is one tells uvicorn's class to wait for the peer's answer.
        self.close_timer = self.loop.call_later(GOODBYE_S, self.abort)

    def abort(self) -> None:
        """End the connection at once; what was not sent yet is dropped."""
        self.transport.abort()

    def end_soon(self, seconds: float) -> None:
        """Abort after so many seconds unless it has ended by then; the shortest time counts."""
        if self.disconnected or (
            self._end is not None and self._end.when() <= self.loop.time() + seconds
        ):
            return
        if self._end is not None:
            self._end.cancel()
        self._end = self.loop.call_later(seconds, self.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Need no more ending."""
        super().connection_lost(exc)
        if self._end is not None:
            self._end.cancel()

    def keepalive_timeout(self) -> None:
        """Give up a peer that answered no ping."""
        super().keepalive_timeout()
        self.end_soon(GOODBYE_S)

    def shutdown(self) -> None:
        """Say that the server stops."""
        super().shutdown()
        self.end_soon(STOP_GOODBYE_S)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Note that the app has returned: nothing more will come of this connection."""
        super().on_task_complete(task)
        self.end_soon(GOODBYE_S)

    async def send(self, message: ASGISendEvent) -> None:
        """Take a message of the app."""
        await super().send(message)
        if self.close_sent:
            self.end_soon(GOODBYE_S)
