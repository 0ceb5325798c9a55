"""Programs that act for people: the decorator by which a route takes API tokens.

    @token(READ)
    async def own(request: Request) -> Response:

What it wraps is asked as if whom the token belongs to were signed in: the same questions of
core/access, the same limits. Without a token it is as it was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response

from core.api_token import allows, may_be_token
from core.database import DatabaseAwayError
from core.model import TokenScope
from core.problems import ProblemError
from core.store import api_tokens
from core.store.api_tokens import ApiToken
from web.bearer import bearer_of, note_scope
from web.guard import limit
from web.request import USED_EVERY, allowed, forget, know, services

READ: TokenScope = "READ"
WRITE: TokenScope = "WRITE"

Route = Callable[[Request], Awaitable[Response]]


class InvalidTokenError(ProblemError):
    """The token isn't one, is unknown, was revoked, or its person may not be here any more."""

    status, code = 401, "invalid_token"
    challenge = 'Bearer error="invalid_token"'


class ScopeError(ProblemError):
    """The token is good, and not for this."""

    status, code = 403, "insufficient_scope"

    def __init__(self, needed: TokenScope) -> None:
        super().__init__()
        self.challenge = f'Bearer error="insufficient_scope", scope="{needed.lower()}"'


def token(needed: TokenScope) -> Callable[[Route], Route]:
    """Have a route take tokens of this scope."""

    def decorate(route: Route) -> Route:
        @wraps(route)
        async def answer(request: Request) -> Response:
            if (bearer := bearer_of(request)) is not None:
                await _admit(request, bearer.token, needed)
            return await route(request)

        note_scope(answer, needed)
        return answer

    return decorate


async def _admit(request: Request, shown: str, needed: TokenScope) -> None:
    """Have a request be of whom this token belongs to.

    Raises InvalidTokenError, ScopeError or TooManyRequestsError. What is refused counts for its
    address, but only once it is known to be wrong: others at that address go on meanwhile.
    """
    parts = services(request)
    found = await api_tokens.find(parts.db, shown) if may_be_token(shown) else None
    if found is None or not allowed(request, found[1]):
        limit(parts.limits.wrong_tokens, request)
        raise InvalidTokenError
    own, login = found
    limit(parts.limits.by_token, request, login.person.id)
    if not allows(own.scope, needed):
        raise ScopeError(needed)
    await _note_use(request, own)
    know(request, login)


async def ask_again(request: Request) -> None:
    """Find out anew who asks, for an answer that takes long: they may be nobody by now.

    Raises InvalidTokenError where a token no longer is one.
    """
    bearer = bearer_of(request)
    if bearer is None:
        forget(request)
        return
    found = await api_tokens.find(services(request).db, bearer.token)
    if found is None or not allowed(request, found[1]):
        raise InvalidTokenError
    know(request, found[1])


async def _note_use(request: Request, own: ApiToken) -> None:
    """Note that a token is used, at most once every USED_EVERY."""
    if own.used_at is None or datetime.now(UTC) - own.used_at > USED_EVERY:
        with suppress(DatabaseAwayError):  # one that takes no writes answers all the same
            await api_tokens.used(services(request).db, own.id)
