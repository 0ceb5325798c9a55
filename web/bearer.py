"""Which requests carry an API token, and which routes take one.

`Authorization: Bearer sessions_…` and nothing else. A program acts by it for a person, within a
scope. What carries one is no browser's: its cookie isn't looked at, it needs no Origin, since no
other site's page can send such a header, and it is answered in JSON. A route takes tokens only
where web/tokens.py says so beside it; any other refuses all that carries one, whatever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from core.api_token import PREFIX
from core.model import TokenScope

KEY = "sessions.bearer"  # of a connection's scope
# What proves itself there by Authorization is no person's: LiveKit, a scrape, `check`.
OTHERS = {"/hooks/livekit", "/metrics", "/health/proof"}

Endpoint = Callable[..., Any]
_taken: dict[Endpoint, TokenScope] = {}


@dataclass(frozen=True, slots=True)
class Bearer:
    """What a request shows. `misplaced`: it is for a route that takes no tokens."""

    token: str = field(repr=False)
    misplaced: bool


def note_scope(endpoint: Endpoint, scope: TokenScope) -> None:
    """Have an endpoint take tokens of this scope, and of those that include it."""
    _taken[endpoint] = scope


def scope_taken(endpoint: Endpoint) -> TokenScope | None:
    """Return which scope an endpoint asks of a token; None where it takes none."""
    return _taken.get(endpoint)


def bearer_of(connection: HTTPConnection) -> Bearer | None:
    """Return the token that a request carries, whether it is good or not; None without one."""
    found: Bearer | None = connection.scope.get(KEY)
    return found


class BearerTokens:
    """ASGI middleware, before all that looks at who asks: notes which requests carry a token."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._routes = list(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "lifespan" and scope["path"] not in OTHERS:
            shown = _shown(Headers(scope=scope))
            if shown is not None:
                scope[KEY] = Bearer(shown, self._is_misplaced(scope))
        await self._app(scope, receive, send)

    def _is_misplaced(self, scope: Scope) -> bool:
        """Whether there is such a route and it takes no tokens; without one it is 404 or 405."""
        for route in self._routes:
            match, found = route.matches(scope)
            if match is Match.FULL:
                return scope_taken(found["endpoint"]) is None
        return False


def _shown(headers: Headers) -> str | None:
    """Return the token in these headers; "" where there are several words about who asks."""
    given = headers.getlist("authorization")
    parts = [one.partition(" ") for one in given]
    tokens = [
        rest.strip()
        for scheme, _, rest in parts
        if scheme.lower() == "bearer" and rest.strip().startswith(PREFIX)
    ]
    if not tokens:
        return None
    return tokens[0] if len(given) == 1 else ""
