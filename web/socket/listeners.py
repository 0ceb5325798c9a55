"""How messages reach a page: one bounded queue per socket, so that nobody holds the room.

`QueueListener` works on any ASGI server. `DirectListener` writes frames that were encoded
once for the whole room, where the server offers it (see web.socket.direct).
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from core.oneshot import OneShotEvent
from core.room.wire import CLOSE_TOO_SLOW, Batch, Message
from web.socket.direct import DirectSocket, encode_text_frame

MAX_QUEUED = 1000  # messages
MAX_QUEUED_BYTES = 1024 * 1024
PARTIALS_STOP = 256 * 1024  # bytes unsent, after which superseded texts aren't worth queueing
CLOSE_TIMEOUT_S = 2.0  # seconds for the goodbye to a socket that may not be read any more


class SocketListener(Protocol):
    """A core.room.seat.Listener that a route runs and closes."""

    closed: OneShotEvent

    def replay(self, messages: list[Message]) -> None:
        """Queue what was said before, whatever its size."""

    def send(self, batch: Batch) -> None:
        """Queue messages, or drop them, or give the listener up."""

    def close(self, code: int) -> None:
        """Close with this code after what is queued."""

    def stop(self) -> None:
        """Send nothing more: the page is gone."""

    async def run(self) -> None:
        """Send until closed or stopped."""


class QueueListener:
    """Queues messages for a task that sends them through ASGI."""

    def __init__(self, websocket: WebSocket) -> None:
        self.closed = OneShotEvent()
        self._websocket = websocket
        self._past: deque[Message] = deque()
        self._queue: deque[Message] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._code: int | None = None
        self._given_up = OneShotEvent()  # the page is too slow, or gone

    def replay(self, messages: list[Message]) -> None:
        """Listener: the messages are the room's own, so that a long past costs no memory."""
        self._past.extend(messages)
        self._news.set()

    def send(self, batch: Batch) -> None:
        """Listener."""
        for message in batch.messages:
            self._send(message)

    def _send(self, message: Message) -> None:
        if self._code is not None:
            return
        if message.droppable and self._size > PARTIALS_STOP:
            return
        if not self._has_room(message):
            self._drop_partials()
        if not self._has_room(message):
            self._code = CLOSE_TOO_SLOW
            self._given_up.set()
            return
        self._queue.append(message)
        self._size += len(message.payload)
        self._news.set()

    def close(self, code: int) -> None:
        """Listener."""
        if self._code is None:
            self._code = code
            self._news.set()

    def stop(self) -> None:
        """SocketListener."""
        self._given_up.set()

    async def run(self) -> None:
        """Send what is queued until closed or stopped, or until the page proves too slow."""
        sending = asyncio.create_task(self._send_all())
        giving_up = asyncio.create_task(self._given_up.wait())
        try:
            await asyncio.wait([sending, giving_up], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            giving_up.cancel()
            await _say_goodbye(self._websocket, self._code)
            self.closed.set()

    async def _send_all(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            while (message := self._next()) or self._code is None:
                if message is None:
                    self._news.clear()
                    await self._news.wait()
                else:
                    await self._websocket.send_text(message.payload.decode())

    def _next(self) -> Message | None:
        if self._past:
            return self._past.popleft()
        if not self._queue:
            return None
        message = self._queue.popleft()
        self._size -= len(message.payload)
        return message

    def _has_room(self, message: Message) -> bool:
        full = len(self._queue) >= MAX_QUEUED
        return not full and self._size + len(message.payload) <= MAX_QUEUED_BYTES

    def _drop_partials(self) -> None:
        kept = [message for message in self._queue if not message.droppable]
        self._queue = deque(kept)
        self._size = sum(len(message.payload) for message in kept)


class DirectListener:
    """Writes to the transport at once; its buffer is the queue."""

    __slots__ = ("_closing", "_code", "_live", "_socket", "_websocket", "closed")

    def __init__(self, websocket: WebSocket, socket: DirectSocket) -> None:
        self.closed = OneShotEvent()
        self._websocket = websocket
        self._socket = socket
        self._code: int | None = None
        self._closing = OneShotEvent()
        self._live = 0  # bytes written since the replay

    def replay(self, messages: list[Message]) -> None:
        """Listener."""
        self._socket.send_frames(Batch(messages).framed(encode_text_frame))

    def send(self, batch: Batch) -> None:
        """Listener."""
        if self._code is not None:
            return
        if self._socket.write_paused:
            batch = Batch([message for message in batch.messages if self._keeps_up(message)])
        frames = batch.framed(encode_text_frame)
        self._live += len(frames)
        self._socket.send_frames(frames)

    def _keeps_up(self, message: Message) -> bool:
        """Look at who is behind: what is superseded is dropped, else it may be too much."""
        unsent = self._socket.write_buffer_size()
        if unsent > PARTIALS_STOP and message.droppable:
            return False
        if min(unsent, self._live) > MAX_QUEUED_BYTES:  # a long past isn't the page's fault
            self.close(CLOSE_TOO_SLOW)
            return False
        return True

    def close(self, code: int) -> None:
        """Listener."""
        if self._code is None:
            self._code = code
            self._closing.set()

    def stop(self) -> None:
        """SocketListener."""
        self._closing.set()

    async def run(self) -> None:
        """Wait to be closed or stopped."""
        try:
            await self._closing.wait()
        finally:
            if not await _say_goodbye(self._websocket, self._code):
                # A transport that is closed keeps what a page never reads, for as long as it lives.
                self._socket.abort()
            self.closed.set()


async def _say_goodbye(websocket: WebSocket, code: int | None) -> bool:
    """Close politely, for a moment. Returns False when the page took no goodbye in that time."""
    if code is None:
        return True
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await websocket.close(code)
    except TimeoutError:
        return False
    except (WebSocketDisconnect, RuntimeError):
        pass
    return True
