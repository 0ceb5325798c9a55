"""Reading a transcript: who may, and when it is their turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from core import access
from core.access import Look, NotFoundError
from core.model import Session
from web.addresses import address_of
from web.bearer import bearer_of
from web.guard import limit
from web.pieces import InPieces
from web.request import services


def readable(request: Request, at: Look) -> Session:
    """Return a session to who may read it. For programs of others there is none, over or not.

    Raises NotFoundError or EndedError.
    """
    if bearer_of(request) is not None and not at.may_read:
        raise NotFoundError
    return access.readable(at)


async def in_line(
    request: Request, who: str | None, work: Callable[[], Awaitable[Response]]
) -> Response:
    """Read and lay out a transcript when nobody else does: a day's takes most of a second.

    The place in line is given back once the answer was taken, so that nobody has many in memory.
    Nobody known (`who` is None) waits as their address.
    """
    limit(services(request).limits.reading, request, who)
    line = services(request).reader.line
    leave = line.enter(who or address_of(request))
    try:
        async with line.turn():
            response = await work()
    except BaseException:
        leave()
        raise
    return InPieces(response, leave)
