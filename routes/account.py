"""Somebody's own account: all that is kept about them as a file, and its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from core import audit
from core.access import LastAdministratorError
from core.deletion import ChangedError
from core.model import Person
from core.store import account
from core.store.members import LastOwnerError
from core.takeout import written
from core.text import one_line
from core.words import N_
from routes.arriving import EMAIL_LENGTH
from web.addresses import address_of
from web.forms import form_of
from web.guard import limit
from web.render import page, redirect, wants_html
from web.request import person_of, services, sign_out, signed_in
from web.words import gettext

HERE = "/profile/account"
NOT_THE_ADDRESS = N_("Type your e-mail address as it stands above.")
NOT_THE_NAME = N_("Type your name as it stands above.")
CHANGED = N_("Something has changed since you looked: read once more what goes.")


async def see(request: Request) -> Response:
    """GET /profile/account: people who are signed in save what is kept of them, or go."""
    person = await person_of(request)
    if person is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    return page("people/account.html", person)


async def export(request: Request) -> Response:
    """GET /profile/account/export: all that is kept about who is signed in, as one JSON."""
    person = await signed_in(request)
    parts = services(request)
    limit(parts.limits.export, request, person.id)
    now = datetime.now(UTC)
    pieces = written(parts.db, person.id, parts.settings.public_url, now)
    first = await anext(pieces)  # what fails does so before 200
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="sessions-account-{now:%Y-%m-%d}.json"',
    }
    return StreamingResponse(_all(first, pieces), headers=headers, media_type="application/json")


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def ask(request: Request) -> Response:
    """GET /profile/account/delete: what goes with the account, and what stays."""
    person = await person_of(request)
    if person is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    limit(services(request).limits.reading, request, person.id)
    return await _show(request, person)


async def delete(request: Request) -> Response:
    """POST /profile/account/delete: somebody ends their account, whose address they typed.

    The form has it as `confirm`, and as `seen` what the page told: 409 where something else would
    go now, where a space has no other owner, and for who alone can administer the server.
    """
    person, parts = await signed_in(request), services(request)
    limit(parts.limits.delete, request, person.id)
    form = await form_of(request)
    typed = one_line(form.get("confirm", ""), EMAIL_LENGTH)
    if typed.lower() != wanted(person).lower():
        wrong = NOT_THE_ADDRESS if person.email else NOT_THE_NAME
        return await _refused(request, person, HTTPException(422), gettext(wrong))
    try:
        spaces = await parts.deletion.account(parts.settings, person, form.get("seen"))
    except (LastOwnerError, LastAdministratorError) as problem:
        return await _refused(request, person, problem, "")
    except ChangedError:
        return await _refused(request, person, HTTPException(409), gettext(CHANGED))
    audit.note("account_deleted", user=person.id, spaces=spaces, address=address_of(request))
    await sign_out(request)
    headers = {"Clear-Site-Data": '"cache"'}  # as where one signs out
    if not wants_html(request):
        return Response(status_code=204, headers=headers)
    return RedirectResponse("/?deleted", 303, headers=headers)


def wanted(person: Person) -> str:
    """Return what somebody types to delete their account: their address, or else their name."""
    return person.email or person.name


async def _refused(
    request: Request,
    person: Person,
    problem: HTTPException | LastOwnerError | LastAdministratorError,
    wrong: str,
) -> Response:
    if not wants_html(request):
        raise problem
    status = problem.status_code if isinstance(problem, HTTPException) else problem.status
    return await _show(request, person, status=status, wrong=wrong)


async def _show(
    request: Request, person: Person, *, status: int = 200, wrong: str = ""
) -> Response:
    """Show what goes; `wrong`: why it hasn't gone, where the rest doesn't say it."""
    parts = services(request)
    try:
        contents, then = await parts.deletion.look_at_account(parts.settings, person)
    except LastAdministratorError:
        contents, then = await account.look(parts.db, person.id), None
    return page(
        "people/account_deletion.html",
        person,
        status=status,
        contents=contents,
        then=then,
        wanted=wanted(person),
        wrong=wrong,
    )
