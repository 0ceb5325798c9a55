"""The probe: tells a page what its connection to `/ws` carries. The protocol is docs/protocol.md.

It is asked for at the same address, so that whatever stands between takes it for the real thing.
It knows no session, and nobody hears what is sent: it comes back, and costs as much as that.
"""

from __future__ import annotations

import asyncio

from starlette.websockets import WebSocket

from core import tokens
from core.probe import CLOSE_END, END, LARGEST, MOST_MESSAGES, MOST_S, SUBPROTOCOL
from core.problems import ProblemError
from core.rate_limit import TooManyRequestsError
from core.room.wire import CLOSE_POLICY
from web.addresses import address_of
from web.guard import limit
from web.request import services
from web.socket.admission import TooManyConnectionsError, check_origin, refuse
from web.socket.offer import EXTENSION, DirectSocket

CLOSE_UNSUPPORTED, CLOSE_TOO_BIG = 1003, 1009


def is_asked(websocket: WebSocket) -> bool:
    """Whether a page wants to probe, and not to be in a room."""
    return SUBPROTOCOL in websocket.scope["subprotocols"]


async def probe(websocket: WebSocket) -> None:
    """GET /ws with the probe's subprotocol: who got a token for it within the last minute."""
    quota, address = services(websocket).limits.probes, address_of(websocket)
    try:
        _check(websocket)
        if not quota.acquire(address):
            raise TooManyConnectionsError
    except ProblemError as problem:
        await refuse(websocket, problem)
        return
    try:
        await websocket.accept(SUBPROTOCOL)
        await _echo(websocket)
    finally:
        quota.release(address)


def _check(websocket: WebSocket) -> None:
    """Raise ProblemError for who may not probe, or does so too often."""
    parts = services(websocket)
    check_origin(websocket)
    try:
        limit(parts.limits.probe, websocket)
    except TooManyRequestsError:
        raise TooManyConnectionsError from None
    offered = [one for one in websocket.scope["subprotocols"] if one != SUBPROTOCOL]
    who = tokens.read_probe(parts.settings.token_key, offered[0] if offered else "")
    try:
        limit(parts.limits.probe, websocket, who)
    except TooManyRequestsError:
        raise TooManyConnectionsError from None


async def _echo(websocket: WebSocket) -> None:
    direct: DirectSocket = websocket.scope["extensions"][EXTENSION]
    try:
        async with asyncio.timeout(MOST_S):
            for _ in range(MOST_MESSAGES):
                event = await websocket.receive()
                if event["type"] == "websocket.disconnect":
                    return
                code = _wrong(event.get("bytes"), event.get("text"))
                if code is not None:
                    await websocket.close(code)
                    return
                await websocket.send_bytes(event["bytes"])
    except TimeoutError:
        direct.close(CLOSE_POLICY)  # ASGI's close waits for whoever doesn't read
    else:
        direct.flood("probe")
    # The log knows the code of a close that went by ASGI, or that was heard there.
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


def _wrong(data: bytes | None, text: str | None) -> int | None:
    """Return the code to close with, None for what is to be sent back."""
    if not data:
        return CLOSE_END if text == END else CLOSE_UNSUPPORTED
    return None if len(data) <= LARGEST else CLOSE_TOO_BIG
