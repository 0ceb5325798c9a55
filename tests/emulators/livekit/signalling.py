"""The signalling connection of one browser: its WebSocket, and what waits to be sent over it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from aiohttp import WSMsgType, web
from google.protobuf.message import DecodeError
from livekit.protocol import rtc


class Signalling:
    """Sends and receives the signals of one participant, over one connection after the other.

    Attributes:
        signalling_lost_at: when the connection was lost; None while there is one.
    """

    def __init__(self) -> None:
        self.signalling_lost_at: float | None = None
        self._ws: web.WebSocketResponse | None = None
        self._request: web.Request | None = None
        self._outbox: asyncio.Queue[rtc.SignalResponse] = asyncio.Queue()

    async def handle(self, request: rtc.SignalRequest) -> None:
        """Do what the browser asks for."""
        raise NotImplementedError

    def send(self, **message: Any) -> None:
        """Queue one SignalResponse, e.g. `send(leave=…)`; nothing for who has no browser."""
        if self._ws is None:
            return
        self._outbox.put_nowait(rtc.SignalResponse(**message))

    def drop_signalling(self) -> None:
        """Cut the WebSocket's TCP connection without a word."""
        if self._request and self._request.transport:
            self._request.transport.abort()

    def _attach(self, request: web.Request, ws: web.WebSocketResponse) -> None:
        self.drop_signalling()
        self._request, self._ws = request, ws
        self._outbox = asyncio.Queue()
        self.signalling_lost_at = None

    async def _serve(self, ws: web.WebSocketResponse) -> None:
        writer = asyncio.create_task(self._write(ws, self._outbox))
        try:
            async for message in ws:
                if message.type is not WSMsgType.BINARY:
                    continue
                with contextlib.suppress(DecodeError, ValueError):
                    await self.handle(rtc.SignalRequest.FromString(message.data))
        finally:
            writer.cancel()
            if self._ws is ws:
                self.signalling_lost_at = time.monotonic()

    async def _write(
        self, ws: web.WebSocketResponse, outbox: asyncio.Queue[rtc.SignalResponse]
    ) -> None:
        while True:
            message = await outbox.get()
            with contextlib.suppress(ConnectionError):
                await ws.send_bytes(message.SerializeToString())
            outbox.task_done()

    async def _flush(self) -> None:
        if self.signalling_lost_at is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._outbox.join()
