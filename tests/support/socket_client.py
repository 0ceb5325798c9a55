"""A client of `/ws` that sends what it is told, with any token."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, field
from typing import Any

import jwt
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from tests.support.app_server import AppServer
from tests.support.visitors import FRAME, Visitor
from tests.support.waiting import WAIT_TIMEOUT_S

PLAIN = ["sh", "-c", f'exec {sys.executable} -m uvicorn app:app --port "$PORT"']
QUIET_FRAME = bytes(8 + 2 * FRAME)
Claims = dict[str, Any]


def guest(host: Visitor, slug: str, name: str) -> Visitor:
    return Visitor(host.url).be_guest(slug, name)


def claims_of(host: Visitor, slug: str) -> Claims:
    token = host.join(slug)["transcription"]["token"]
    claims: Claims = jwt.decode(token, options={"verify_signature": False})
    return claims


@dataclass
class SocketClient:
    """Opens /ws with any token, however it is carried."""

    place: AppServer
    opened: list[ClientConnection] = field(default_factory=list)

    async def open(
        self, token: str | None, *, origin: str | None = None, query: str = ""
    ) -> ClientConnection:
        offered = ["sessions.v1", *([token] if token else [])]
        socket = await connect(
            self.place.url.replace("http", "ws") + "/ws" + query,
            subprotocols=None if query else [Subprotocol(one) for one in offered],
            origin=Origin(origin) if origin else None,
            compression=None,
        )
        self.opened.append(socket)
        return socket

    async def attempt(
        self, token: str | None, *, origin: str | None = None, query: str = ""
    ) -> tuple[int, str]:
        """Return the status of the answer (101: accepted) and the error's code."""
        try:
            await self.open(token, origin=origin, query=query)
        except InvalidStatus as refusal:
            body = json.loads(refusal.response.body or b"{}")
            return refusal.response.status_code, body["error"]["code"]
        return 101, ""

    async def open_as(self, host: Visitor, slug: str) -> ClientConnection:
        """Return a socket that was accepted and has said nothing yet."""
        return await self.open(host.join(slug)["transcription"]["token"])


async def said_before_close(socket: ClientConnection) -> tuple[list[dict[str, Any]], int | None]:
    """Return what the server says until it closes, and the close code."""
    said = []
    try:
        async with asyncio.timeout(WAIT_TIMEOUT_S):
            while True:
                said.append(json.loads(await socket.recv()))
    except ConnectionClosed:
        return said, socket.close_code
