"""How messages reach a page: its socket's buffer is a bounded queue, so that nobody holds the room.

Frames are encoded once for the whole room and written at once. Who doesn't read loses partials
first, and then the connection.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from core.oneshot import OneShotEvent
from core.room.wire import CLOSE_TOO_SLOW, Batch, Message
from web.socket.frames import encode_text_frame
from web.socket.offer import DirectSocket
from web.socket.replay import MAX_QUEUED_BYTES, PARTIALS_STOP, Replay

REPLAY_TIMEOUT_S = 2.0  # seconds for the rest of the past, when a page is closed amid it


class DirectListener:
    """A core.room.seat.Listener that a route runs and closes."""

    __slots__ = ("_closing", "_code", "_replay", "_socket", "closed")

    def __init__(self, socket: DirectSocket) -> None:
        self.closed = OneShotEvent()
        self._socket = socket
        self._code: int | None = None
        self._closing = OneShotEvent()
        self._replay: Replay | None = None  # while it goes on

    @property
    def unsent(self) -> int:
        """Listener."""
        return self._socket.write_buffer_size()

    def replay(self, messages: list[Message]) -> None:
        """Listener."""
        if self._code is not None:
            return
        if self._replay is not None and not self._replay.over:
            self._replay.send(Batch(messages))
            return
        self._replay = Replay(self._socket, messages, give_up=self._give_up)
        self._replay.feed()
        if self._replay.over:
            self._replay = None

    def send(self, batch: Batch) -> None:
        """Listener."""
        if self._code is not None:
            return
        if self._replay is not None:
            if not self._replay.over:
                self._replay.send(batch)
                return
            self._replay = None
        if self._socket.write_paused:
            batch = Batch([message for message in batch.messages if self._keeps_up(message)])
        self._socket.send_frames(batch.framed(encode_text_frame))

    def _keeps_up(self, message: Message) -> bool:
        """Look at who is behind: what is superseded is dropped, else it may be too much."""
        unsent = self._socket.write_buffer_size()
        if unsent > PARTIALS_STOP and message.droppable:
            return False
        if unsent > MAX_QUEUED_BYTES:
            self._give_up()
            return False
        return True

    def _give_up(self) -> None:
        self.close(CLOSE_TOO_SLOW)

    def close(self, code: int) -> None:
        """Listener."""
        if self._code is None:
            self._code = code
            self._closing.set()

    def stop(self) -> None:
        """Send nothing more: the page is gone."""
        self._closing.set()

    async def run(self) -> None:
        """Wait to be closed or stopped. Who doesn't read isn't waited for."""
        try:
            await self._closing.wait()
            if self._replay is not None and self._code not in (None, CLOSE_TOO_SLOW):
                with suppress(TimeoutError):
                    async with asyncio.timeout(REPLAY_TIMEOUT_S):
                        await self._replay.wait()
        finally:
            if self._replay is not None:
                self._replay.stop()
            if self._code is not None:
                self._socket.close(self._code)
            self.closed.set()
