"""What every WebSocket passes before it is accepted, and how one is refused."""

from __future__ import annotations

from starlette.websockets import WebSocket

from core.problems import ProblemError
from web.bearer import bearer_of
from web.errors import note_refusal
from web.guard import origin_allowed
from web.render import json_error
from web.request import services


class ForeignError(ProblemError):
    """A page of another site wants to connect."""

    status, code = 403, "foreign_origin"


class TooManyConnectionsError(ProblemError):
    """Whoever connects has too many connections, or makes them too often."""

    status, code = 429, "too_many_connections"


class TokenNotHereError(ProblemError):
    """An API token is shown: none opens a room."""

    status, code = 403, "token_not_here"


def check_origin(websocket: WebSocket) -> None:
    """Raise ForeignError for a page of another site. Clients that are no browser say nothing.

    Raises TokenNotHereError for a program that acts for somebody.
    """
    if bearer_of(websocket) is not None:
        raise TokenNotHereError
    origin, settings = websocket.headers.get("origin"), services(websocket).settings
    if origin is not None and not origin_allowed(settings, websocket.headers, origin):
        raise ForeignError


async def refuse(websocket: WebSocket, problem: ProblemError) -> None:
    """Answer the handshake with a refusal, as JSON."""
    note_refusal(websocket, problem)
    wait = problem.retry_after
    headers = {} if wait is None else {"Retry-After": str(wait)}
    answer = json_error(problem.status, problem.code, "This connection is refused.", headers)
    await websocket.send_denial_response(answer)
