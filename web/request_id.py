"""Each request and each socket has an id: in its answer, in every line that is logged meanwhile.

A proxy that is trusted may give it, as `X-Request-Id`, so that its log and ours tell of one
thing by one name. Anybody else's is not taken: who chooses ids could have one line look like part
of another request.
"""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.http.connections import PROXIED

HEADER = "x-request-id"
# Of a proxy's: no spaces, quotes or line ends, nothing that looks like an e-mail address or a path.
GIVEN = re.compile(r"[A-Za-z0-9._:=+-]{8,64}", re.ASCII)
# The key to a session looks like this, and a proxy may pass on what a browser says.
SLUG = re.compile(r"\b[a-z2-9]{4}(?:-[a-z2-9]{4}){3}\b", re.IGNORECASE)
_OPENING = {"http.response.start", "websocket.accept", "websocket.http.response.start"}


class _Current:
    """The request that a task works for; others that it has started may outlive it."""

    __slots__ = ("id", "over")

    def __init__(self, given: str) -> None:
        self.id = given
        self.over = False


_current: ContextVar[_Current | None] = ContextVar("request", default=None)


def request_id() -> str | None:
    """Return the id of what is answered at the moment, None outside of any request."""
    current = _current.get()
    return None if current is None or current.over else current.id


class RequestId:
    """ASGI middleware, outside of all that logs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        current = _Current(_given(scope) or secrets.token_hex(8))
        _current.set(current)  # never reset: each request is a task of its own
        header = HEADER.encode(), current.id.encode()

        async def tell(message: Message) -> None:
            if message["type"] in _OPENING:
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        # Not over after an exception: the server has yet to write its trace.
        await self._app(scope, receive, tell)
        current.over = True


def _given(scope: Scope) -> str | None:
    if not scope.get("state", {}).get(PROXIED):
        return None
    given = Headers(scope=scope).get(HEADER, "")
    return given if GIVEN.fullmatch(given) and not SLUG.search(given) else None
