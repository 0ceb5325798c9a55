"""One error page, one error shape: what people and programs see when something fails."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from core import audit
from core.problems import ProblemError
from web.addresses import address_of
from web.render import json_error, page, wants_json

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as people read it, and its code for programs."""

    status: int
    code: str
    title: str
    message: str


FOREIGN = Problem(
    403,
    "foreign_origin",
    "This can only be done from our pages.",
    "Open the start page and try it from there.",
)
BROKEN = Problem(
    500,
    "failed",
    "That didn’t work.",
    "The mistake is ours and has been noted. Try again; if it stays, tell who runs this server.",
)
RESTARTING = Problem(
    503, "restarting", "We are restarting.", "That takes some seconds: try again in a moment."
)
NOT_FOUND = (
    "There is nothing here.",
    ("The link may be mistyped or too old, or it belongs to somebody else."),
)
FOR_STATUS = {  # what Starlette and the routes refuse without a word of their own
    400: Problem(400, "bad_request", "We couldn’t read that.", "Go back and try once more."),
    404: Problem(404, "not_found", *NOT_FOUND),
    405: Problem(405, "wrong_method", "That can’t be done here.", "Go back and try once more."),
    413: Problem(413, "too_large", "That was too much.", "What you sent is too large."),
    415: Problem(415, "not_a_form", "We couldn’t read that.", "Go back and try once more."),
    422: Problem(422, "invalid", "That isn’t possible.", "Something in it can’t be as it is."),
}
WORDS = {  # title and message for the code of a ProblemError
    "not_found": NOT_FOUND,
    "ended": ("This session has ended.", "Nobody can join it any more."),
    "full": ("This session is full.", "It has as many people as it can have."),
    "too_many_knocks": (
        "Many people knock here at the moment.",
        "A host sees the first of them. Try again once some of them were let in.",
    ),
    "removed": (
        "You were removed from this session.",
        "A host took you out. This link no longer works for you.",
    ),
    "denied": ("You weren’t let in.", "A host has answered your knock with no."),
    "locked": ("This session is locked.", "Nobody new can come in at the moment."),
    "members_only": (
        "This session is for members only.",
        "Sign in as a member of its space, or ask the host to let guests in.",
    ),
    "is_host": ("They can’t be removed.", "The session is theirs, or their space’s."),
    "unknown_visitor": (
        "Who are you?",
        "Open the session's link to sign in or give a name.",
    ),
    "disabled": (
        "Your account is disabled.",
        "Who runs this server has closed it. Ask them if you think that this is a mistake.",
    ),
    "signed_out": (
        "You were signed out.",
        "Only who is signed in can do that. Sign in again, then try once more.",
    ),
    "too_many_requests": ("That was a lot at once.", "Wait a moment, then try again."),
    "crowded": (
        "One moment, please.",
        "Many people are opening long transcripts right now. Try again in a few seconds.",
    ),
    "database_away": (
        "We can’t reach our memory.",
        "The database doesn’t answer. Nothing was lost; try again in a moment.",
    ),
    "database_refuses": (
        "We can’t write anything down.",
        "The database takes nothing at the moment. Nothing was lost; try again in a moment.",
    ),
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


def note_refusal(connection: HTTPConnection, problem: ProblemError) -> None:
    """Have the audit log tell what was refused to which address. Outages tell of themselves."""
    if problem.status < 500:
        event: audit.Event = "limited" if problem.status == 429 else "refused"
        audit.note(event, why=problem.code, address=address_of(connection))


async def _problem(request: Request, problem: Exception) -> Response:
    """Answer with what a ProblemError carries."""
    assert isinstance(problem, ProblemError)  # noqa: S101 - for the type checker
    note_refusal(request, problem)
    wait = problem.retry_after
    headers = {} if wait is None else {"Retry-After": str(wait)}
    return show(request, Problem(problem.status, problem.code, *WORDS[problem.code]), headers)


async def _http(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)  # noqa: S101 - for the type checker
    known = FOR_STATUS.get(problem.status_code, BROKEN)
    return show(request, known, dict(problem.headers or {}))


async def _broken(request: Request, _: Exception) -> Response:
    return show(request, BROKEN)


HANDLERS: dict[int | type[Exception], ExceptionHandler] = {
    ProblemError: _problem,
    HTTPException: _http,
    Exception: _broken,
}
