"""One error page, one error shape: what people and programs see when something fails."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from core.access import (
    EndedError,
    FullError,
    NeedsNameError,
    NotFoundError,
    ProtectedError,
    RefusedError,
    SignedOutError,
)
from core.database import DatabaseAwayError
from core.rate_limit import TooManyRequestsError
from web.render import json_error, page, wants_json

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as people read it, and its code for programs."""

    status: int
    code: str
    title: str
    message: str


NOT_FOUND = Problem(
    404,
    "not_found",
    "There is nothing here.",
    "The link may be mistyped or too old, or it belongs to somebody else.",
)
ENDED = Problem(403, "ended", "This session has ended.", "Nobody can join it any more.")
FULL = Problem(403, "full", "This session is full.", "It has as many people as it can have.")
REFUSED = {
    "removed": Problem(
        403,
        "removed",
        "You were removed from this session.",
        "A host took you out. This link no longer works for you.",
    ),
    "denied": Problem(
        403, "denied", "You weren’t let in.", "A host has answered your knock with no."
    ),
    "locked": Problem(
        403, "locked", "This session is locked.", "Nobody new can come in at the moment."
    ),
    "members_only": Problem(
        403,
        "members_only",
        "This session is for members only.",
        "Sign in as a member of its space, or ask the host to let guests in.",
    ),
}
PROTECTED = Problem(
    403, "is_host", "They can’t be removed.", "The session is theirs, or their space’s."
)
NEEDS_NAME = Problem(
    401, "unknown_visitor", "Who are you?", "Open the session's link to sign in or give a name."
)
SIGNED_OUT = Problem(
    401,
    "signed_out",
    "You were signed out.",
    "Only who is signed in can do that. Sign in again, then try once more.",
)
BUSY = Problem(
    429, "too_many_requests", "That was a lot at once.", "Wait a moment, then try again."
)
AWAY = Problem(
    503,
    "database_away",
    "We can’t reach our memory.",
    "The database doesn’t answer. Nothing was lost; try again in a moment.",
)
FOREIGN = Problem(
    403,
    "foreign_origin",
    "This can only be done from our pages.",
    "Open the start page and try it from there.",
)
TOO_LARGE = Problem(413, "too_large", "That was too much.", "What you sent is too large.")
BROKEN = Problem(
    500,
    "failed",
    "That didn’t work.",
    "The mistake is ours and has been noted. Try again; if it stays, tell who runs this server.",
)
FOR_STATUS = {
    400: Problem(400, "bad_request", "We couldn’t read that.", "Go back and try once more."),
    404: NOT_FOUND,
    405: Problem(405, "wrong_method", "That can’t be done here.", "Go back and try once more."),
    413: TOO_LARGE,
    422: Problem(422, "invalid", "That isn’t possible.", "Something in it can’t be as it is."),
}


def show(request: Request, problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """Answer with a problem, as a page or as JSON."""
    headers = headers or {}
    if wants_json(request):
        return json_error(problem.status, problem.code, problem.message, headers)
    response = page(
        "error.html",
        None,
        status=problem.status,
        title=problem.title,
        message=problem.message,
        action=None,
    )
    response.headers.update(headers)
    return response


async def _not_found(request: Request, _: Exception) -> Response:
    return show(request, NOT_FOUND)


async def _ended(request: Request, _: Exception) -> Response:
    return show(request, ENDED)


async def _full(request: Request, _: Exception) -> Response:
    return show(request, FULL)


async def _refused(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, RefusedError)  # noqa: S101 - for the type checker
    return show(request, REFUSED[problem.code])


async def _protected(request: Request, _: Exception) -> Response:
    return show(request, PROTECTED)


async def _needs_name(request: Request, _: Exception) -> Response:
    return show(request, NEEDS_NAME)


async def _signed_out(request: Request, _: Exception) -> Response:
    return show(request, SIGNED_OUT)


async def _away(request: Request, _: Exception) -> Response:
    return show(request, AWAY, {"Retry-After": "5"})


async def _busy(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, TooManyRequestsError)  # noqa: S101 - for the type checker
    return show(request, BUSY, {"Retry-After": str(problem.retry_after)})


async def _http(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)  # noqa: S101 - for the type checker
    known = FOR_STATUS.get(problem.status_code, BROKEN)
    return show(request, known, dict(problem.headers or {}))


async def _broken(request: Request, _: Exception) -> Response:
    return show(request, BROKEN)


HANDLERS: dict[int | type[Exception], ExceptionHandler] = {
    NotFoundError: _not_found,
    EndedError: _ended,
    FullError: _full,
    RefusedError: _refused,
    ProtectedError: _protected,
    NeedsNameError: _needs_name,
    SignedOutError: _signed_out,
    DatabaseAwayError: _away,
    TooManyRequestsError: _busy,
    HTTPException: _http,
    Exception: _broken,
}
