"""My sign-ins: in which browsers somebody is signed in, and how they end that from any of them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core import audit
from core.access import NotFoundError, SignedOutError
from core.model import Person
from core.store import logins
from core.store.logins import OpenLogin
from web.addresses import address_of
from web.agents import browser_of
from web.guard import limit
from web.render import page, redirect, wants_html
from web.request import login_digest, person_of, services, sign_out
from web.words import gettext

HERE = "/profile/sign-ins"


async def sign_ins(request: Request) -> Response:
    """GET /profile/sign-ins: people who are signed in see where they are."""
    person = await person_of(request)
    if person is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    found = await logins.of_person(services(request).db, person.id)
    mine = login_digest(request)
    rows = [_row(request, one, here=one.digest == mine) for one in found]
    rows.sort(key=lambda one: not one["here"])  # the browser that asks comes first
    return page("people/sign_ins.html", person, rows=rows, ended="ended" in request.query_params)


async def end(request: Request) -> Response:
    """POST /profile/sign-ins/{login}/end: sign one browser of one's own out, this one perhaps."""
    person = await _person(request)
    found = await logins.of_person(services(request).db, person.id)
    gone = [one for one in found if one.id == request.path_params["login"]]
    if not gone:
        raise NotFoundError
    return await _end(request, person, gone)


async def end_others(request: Request) -> Response:
    """POST /profile/sign-ins/end-others: sign out in every browser but this one."""
    person = await _person(request)
    found, mine = await logins.of_person(services(request).db, person.id), login_digest(request)
    return await _end(request, person, [one for one in found if one.digest != mine])


async def end_all(request: Request) -> Response:
    """POST /profile/sign-ins/end-all: sign out everywhere, in this browser as well."""
    person = await _person(request)
    return await _end(request, person, await logins.of_person(services(request).db, person.id))


async def _person(request: Request) -> Person:
    person = await person_of(request)
    if person is None:
        raise SignedOutError
    limit(services(request).limits.update, request, person.id)
    return person


async def _end(request: Request, person: Person, gone: Collection[OpenLogin]) -> Response:
    """End these logins with all that is open by them: pages, sockets, the call."""
    await services(request).conduct.revoke([one.digest for one in gone])
    address = address_of(request)
    audit.note("signed_out_elsewhere", user=person.id, ended=len(gone), address=address)
    here = login_digest(request) in {one.digest for one in gone}
    if here:
        await sign_out(request)
    headers = {"Clear-Site-Data": '"cache"'} if here else {}  # as where one signs out
    if not wants_html(request):
        return Response(status_code=204, headers=headers)
    return RedirectResponse("/" if here else f"{HERE}?ended", 303, headers=headers)


def _row(request: Request, login: OpenLogin, *, here: bool) -> dict[str, Any]:
    """Lay a login out. That it is used is noted once an hour, by putting off when it ends."""
    idle, now = timedelta(days=services(request).settings.login_idle_days), datetime.now(UTC)
    # The setting may have been another one when it was noted.
    used_at = min(now, max(login.signed_in_at, login.idle_at - idle))
    return {
        "id": login.id,
        "name": _name(login.agent),
        "here": here,
        "signed_in_at": login.signed_in_at,
        "used_at": used_at,
    }


def _name(agent: str) -> str:
    browser, system = browser_of(agent)
    if browser is None and system is None:
        return gettext("Another browser")
    if browser is None:
        return gettext("Another browser on %(system)s", system=system)
    if system is None:
        return browser
    return gettext("%(browser)s on %(system)s", browser=browser, system=system)
