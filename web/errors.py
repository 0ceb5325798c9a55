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
from core.words import N_
from web.addresses import address_of
from web.render import duration, is_fragment, json_error, page, wants_json
from web.request_id import request_id
from web.words import gettext

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as people read it, in English, and its code for programs."""

    status: int
    code: str
    title: str
    message: str


FOREIGN = Problem(
    403,
    "foreign_origin",
    N_("This can only be done from our pages."),
    N_("Open the start page and try it from there."),
)
NOT_FOR_TOKENS = Problem(
    403,
    "token_not_here",
    N_("API tokens aren’t for this."),
    N_("No program can do this for somebody: it is done in a browser."),
)
BROKEN = Problem(
    500,
    "failed",
    N_("That didn’t work."),
    N_(
        "The mistake is ours and has been noted as number %(number)s. Try again; if it stays, tell"
        " that number to who runs this server."
    ),
)
RESTARTING = Problem(
    503,
    "restarting",
    N_("We are restarting."),
    N_("That takes some seconds: try again in a moment."),
)
NOT_FOUND = (
    N_("There is nothing here."),
    (N_("The link may be mistyped or too old, or it belongs to somebody else.")),
)
NO_ANSWER = (
    N_("That didn’t work."),
    N_("Another server that it needs doesn’t answer as it should. Try again in a moment."),
)
FOR_STATUS = {  # what Starlette and the routes refuse without a word of their own
    400: Problem(
        400, "bad_request", N_("We couldn’t read that."), N_("Go back and try once more.")
    ),
    404: Problem(404, "not_found", *NOT_FOUND),
    405: Problem(
        405, "wrong_method", N_("That can’t be done here."), N_("Go back and try once more.")
    ),
    409: Problem(
        409,
        "changed_meanwhile",
        N_("Somebody else has changed it meanwhile."),
        N_("Look at it again, then change what should still be changed."),
    ),
    413: Problem(413, "too_large", N_("That was too much."), N_("What you sent is too large.")),
    415: Problem(415, "not_a_form", N_("We couldn’t read that."), N_("Go back and try once more.")),
    422: Problem(
        422, "invalid", N_("That isn’t possible."), N_("Something in it can’t be as it is.")
    ),
    502: Problem(502, "no_answer", *NO_ANSWER),
    504: Problem(504, "no_answer", *NO_ANSWER),
}
WORDS = {  # title and message for the code of a ProblemError
    "not_found": NOT_FOUND,
    "ended": (N_("This session has ended."), N_("Nobody can join it any more.")),
    "full": (N_("This session is full."), N_("It has as many people as it can have.")),
    "too_many_knocks": (
        N_("Many people knock here at the moment."),
        N_("A host sees the first of them. Try again once some of them were let in."),
    ),
    "removed": (
        N_("You were removed from this session."),
        N_("A host took you out. This link no longer works for you."),
    ),
    "denied": (N_("You weren’t let in."), N_("A host has answered your knock with no.")),
    "locked": (N_("This session is locked."), N_("Nobody new can come in at the moment.")),
    "members_only": (
        N_("This session is for members only."),
        N_("Sign in as a member of its space, or ask the host to let guests in."),
    ),
    "changed_meanwhile": (
        N_("Somebody else has changed this meanwhile."),
        N_("Look at what it is now, and change it once more to have it your way."),
    ),
    "too_many_pauses": (
        N_("This session was paused as often as it can be."),
        N_("Who shouldn’t be transcribed now can turn their microphone off."),
    ),
    "not_stored_yet": (
        N_("That was said a moment ago."),
        N_("It can be corrected once it is written down: try again in some seconds."),
    ),
    "not_speech": (
        N_("Nobody knows what was said there."),
        N_("What could not be transcribed can’t be corrected either."),
    ),
    "not_neighbours": (
        N_("These lines can’t be joined."),
        N_("One must follow the other, and both must be of the same speaker and shown."),
    ),
    "too_many_parts": (
        N_("This line was split as often as it can be."),
        N_("Restore the original, then divide it anew."),
    ),
    "too_many_corrections": (
        N_("This transcript was corrected as often as it can be."),
        N_("It can be saved as a file and corrected there."),
    ),
    "too_many_speakers": (
        N_("This session has as many speakers as it can have."),
        N_("Choose one of those who are there."),
    ),
    "line_too_long": (
        N_("The line is too long."),
        N_("A line has 5,000 characters at most."),
    ),
    "no_words": (
        N_("There is nothing to read."),
        N_("Type some words, or a name. What shouldn’t be read can be hidden."),
    ),
    "is_host": (N_("They can’t be removed."), N_("The session is theirs, or their space’s.")),
    "search_too_slow": (
        N_("That takes too long to look for."),
        N_("Look for another word beside it, in one space, or in fewer days."),
    ),
    "invitations_full": (
        N_("The space has many open invitations."),
        N_("Revoke one that is no longer needed, then try again."),
    ),
    "invitation_closed": (
        N_("This invitation can’t be used any more."),
        N_("Ask who sent it to you for another one."),
    ),
    "links_full": (
        N_("This session has many open links."),
        N_("Revoke one that is no longer needed, then try again."),
    ),
    "link_closed": (
        N_("This link can’t be used any more."),
        N_("Ask who sent it to you for another one."),
    ),
    "goes_on": (
        N_("This session goes on."),
        N_("Its transcript can be shared once it has ended."),
    ),
    "uploads_full": (
        N_("There are many unfinished uploads."),
        N_("Finish or stop one of them, then try again."),
    ),
    "upload_files_full": (
        N_("This upload has as many files as it can have."),
        N_("Remove one that isn’t needed, then add another."),
    ),
    "upload_too_large": (
        N_("The recording is too large."),
        N_("All its files together have more megabytes than who runs this server allows."),
    ),
    "upload_begun": (
        N_("This recording is no longer collected."),
        N_("It was started meanwhile: open its page to see how far it is."),
    ),
    "upload_offset": (
        N_("This piece doesn’t go on where the file ends."),
        N_("Ask how much of it is here, and go on from there."),
    ),
    "upload_busy": (
        N_("This file is being sent already."),
        N_("Another page sends it. Wait until it is done, or close that page."),
    ),
    "upload_disk_full": (
        N_("There is no room for this recording."),
        N_("The disk of this server is nearly full. Who runs it can help."),
    ),
    "upload_crowded": (
        N_("One moment, please."),
        N_("Many recordings are coming at this moment. Try again in a few seconds."),
    ),
    "upload_elsewhere": (
        N_("This recording is on another server."),
        N_("This installation has several, and only the one that has its files can go on with it."),
    ),
    "space_full": (
        N_("This space is full."),
        N_("It has as many members as it can have."),
    ),
    "last_owner": (
        N_("A space has an owner."),
        N_("Make somebody else an owner first, then try again."),
    ),
    "last_administrator": (
        N_("You are the only administrator."),
        N_(
            "Nobody could administer this server any more. Whoever runs it can name somebody in"
            " ADMIN_EMAILS; then try again."
        ),
    ),
    "last_member": (
        N_("You are the only member."),
        N_("Nobody would see this space any more. Delete it instead."),
    ),
    "last_space": (
        N_("It is your only space."),
        N_("Make another one first, then delete this one."),
    ),
    "spaces_full": (
        N_("You have as many spaces as you can have."),
        N_("Leave or delete one that you no longer need, then try again."),
    ),
    "unknown_visitor": (
        N_("Who are you?"),
        N_("Open the session’s link to sign in or give a name."),
    ),
    "disabled": (
        N_("Your account is disabled."),
        N_("Who runs this server has closed it. Ask them if you think that this is a mistake."),
    ),
    "signed_out": (
        N_("You were signed out."),
        N_("Only who is signed in can do that. Sign in again, then try once more."),
    ),
    "invalid_token": (
        N_("This API token doesn’t count."),
        N_("It is mistyped, was revoked, or whose it is may not sign in any more."),
    ),
    "insufficient_scope": (
        N_("This API token only reads."),
        N_("What was asked for changes something: that takes a token that may also write."),
    ),
    "tokens_full": (
        N_("You have as many API tokens as you can have."),
        N_("Revoke one that is no longer used, then try again."),
    ),
    "token_named": (
        N_("You have an API token of that name."),
        N_("Give this one another name, so that you can tell them apart."),
    ),
    "too_many_requests": (N_("That was a lot at once."), N_("Try again in %(wait)s.")),
    "crowded": (
        N_("One moment, please."),
        N_("Many people are opening long transcripts right now. Try again in a few seconds."),
    ),
    "sound_crowded": (
        N_("One moment, please."),
        N_("Many people are hearing recordings right now. Try again in a few seconds."),
    ),
    "sound_away": (
        N_("The sound can’t be had right now."),
        N_("The place where it is kept doesn’t answer. Nothing was lost; try again in a moment."),
    ),
    "database_away": (
        N_("We can’t reach our memory."),
        N_("The database doesn’t answer. Nothing was lost; try again in a moment."),
    ),
    "database_refuses": (
        N_("We can’t write anything down."),
        N_("The database takes nothing at the moment. Nothing was lost; try again in a moment."),
    ),
}


def show(request: Request, problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """Answer with a problem: as a page, as what htmx puts into one, or as JSON."""
    headers = headers or {}
    values = {}
    if problem is BROKEN:
        values["number"] = request_id()  # in the log, the trace has the same
    if (wait := headers.get("Retry-After", "")).isdecimal():
        seconds = int(wait)  # rounded up to minutes: who waits as long as told is let in
        values["wait"] = duration(seconds if seconds < 60 else -(-seconds // 60) * 60)
    message = gettext(problem.message, **values)
    if wants_json(request):
        return json_error(problem.status, problem.code, message, headers)
    response = page(
        "_partials/problem.html" if is_fragment(request) else "error.html",
        None,
        status=problem.status,
        title=gettext(problem.title),
        message=message,
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
    if problem.challenge is not None:
        headers["WWW-Authenticate"] = problem.challenge
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
