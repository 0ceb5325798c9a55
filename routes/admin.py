"""For administrators: numbers and errors of the server, its people and its spaces.

Never a title, a link or a word of a session. Everybody else gets 404, whatever they ask for here.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core import access, audit
from core.access import NotFoundError, SpaceAction
from core.minutes import Cap, cap_of, month_after, month_before, today
from core.model import Person
from core.scrape import version
from core.store import installation, ledger, spaces
from core.store import people as users
from core.store.installation import KnownSpace
from core.text import one_line
from core.words import N_
from routes.usage import bounds_of, changed, key_of, minutes_of
from web import months
from web.chart import Chart, chart
from web.forms import form_of
from web.guard import limit
from web.recent import recent
from web.render import decimal, is_fragment, page, wants_html
from web.request import person_of, services
from web.words import gettext

SHOWN = 50  # people or spaces of a page
MONTHS = 12
KINDS = 20
MAX_SEARCH = 80  # characters

OWN_ACCOUNT = N_("You can’t disable yourself: ask another administrator.")


async def overview(request: Request) -> Response:
    """GET /admin: what runs, how much is used, and what went wrong lately."""
    person = await _administrator(request, SpaceAction.ADMINISTER)
    parts, first = services(request), today().replace(day=1)
    for _ in range(MONTHS - 1):
        first = month_before(first)
    spent = await ledger.months(parts.db, first)
    people, space_count, sessions = await installation.numbers(parts.db)
    seats = [room.fanout.seats for room in parts.rooms.all]
    return page(
        "admin/overview.html",
        person,
        version=version(),
        up_seconds=time.monotonic() - parts.began,
        rooms=sum(1 for some in seats if some),
        here=sum(len({seat.participant.identity for seat in some}) for some in seats),
        people=people,
        space_count=space_count,
        sessions=sessions,
        months=[(months.name_of(one.day), one) for one in reversed(spent)],
        chart=_chart({one.day: one.seconds / 60 for one in spent}, first),
        troubles=recent.troubles(),
        kinds=recent.counts()[:KINDS],
    )


async def people(request: Request) -> Response:
    """GET /admin/people?q=…&behind=…: who has an account, the newest first."""
    person = await _administrator(request, SpaceAction.ADMINISTER)
    parts, search = services(request), _search(request)
    found = await installation.people(
        parts.db, search, _idle(request), behind=_behind_person(request), most=SHOWN + 1
    )
    last = found[SHOWN - 1] if len(found) > SHOWN else None
    return page(
        "admin/people.html",
        person,
        search=search,
        people=found[:SHOWN],
        behind=key_of(last.created_at, last.person.id) if last else None,
        is_first="behind" not in request.query_params,
        said={},
    )


async def disable(request: Request) -> Response:
    """POST /admin/people/{person}/disable: sign somebody out for good; their sockets close."""
    return await _set_disabled(request, disabled=True)


async def enable(request: Request) -> Response:
    """POST /admin/people/{person}/enable: let somebody sign in again."""
    return await _set_disabled(request, disabled=False)


async def _set_disabled(request: Request, *, disabled: bool) -> Response:
    person = await _administrator(request, SpaceAction.DISABLE)
    parts, who = services(request), _id(request, "person")
    if str(who) == person.id:
        return await _answer_person(request, person, who, 422, gettext(OWN_ACCOUNT))
    if not await users.disable(parts.db, who, disabled=disabled):
        raise NotFoundError
    act = "disable" if disabled else "enable"
    audit.note("administrator_act", act=act, by=person.id, of=str(who))
    said = gettext("Disabled: signed out everywhere.") if disabled else gettext("Enabled.")
    return await _answer_person(request, person, who, 200, said)


async def _answer_person(
    request: Request, person: Person, who: UUID, status: int, said: str
) -> Response:
    """Show a person's row to htmx, and to a form the list with it."""
    if not wants_html(request):
        if status == 422:
            raise HTTPException(422)
        return Response(status_code=204)
    if not is_fragment(request) and status == 200:
        return RedirectResponse(f"/admin/people?q={who}", 303)
    found = await installation.people(services(request).db, str(who), _idle(request))
    if not found:
        raise NotFoundError
    name = "admin/_person.html" if is_fragment(request) else "admin/people.html"
    return page(
        name,
        person,
        status=status,
        search="",
        people=found,
        one=found[0],
        behind=None,
        is_first=False,
        said={str(who): said},
    )


async def space_list(request: Request) -> Response:
    """GET /admin/spaces?q=…&behind=…: the spaces, who used most this month first."""
    person = await _administrator(request, SpaceAction.ADMINISTER)
    parts, search = services(request), _search(request)
    found = await installation.spaces(
        parts.db, search, today().replace(day=1), behind=_behind_space(request), most=SHOWN + 1
    )
    last = found[SHOWN - 1] if len(found) > SHOWN else None
    return page(
        "admin/spaces.html",
        person,
        search=search,
        rows=[(one, _cap(request, one)) for one in found[:SHOWN]],
        behind=f"{last.seconds}~{last.id}" if last else None,
        is_first="behind" not in request.query_params,
        said={},
        wrong={},
    )


async def grant(request: Request) -> Response:
    """POST /admin/spaces/{space}/minutes: grant a space so many minutes a month."""
    person = await _administrator(request, SpaceAction.GRANT)
    parts, space = services(request), _id(request, "space")
    minutes, wrong = minutes_of((await form_of(request)).get("minutes", ""))
    first = today().replace(day=1)
    if not await installation.spaces(parts.db, "", first, only=space):
        raise NotFoundError
    if not wrong:
        await spaces.grant(parts.db, str(space), minutes)
        await changed(request, str(space), minutes, "granted", person.id)
    if not wants_html(request):
        if wrong:
            raise HTTPException(422)
        return Response(status_code=204)
    if not wrong and not is_fragment(request):
        return RedirectResponse("/admin/spaces", 303)
    found = await installation.spaces(parts.db, "", first, only=space)
    rows = [(one, _cap(request, one)) for one in found]
    return page(
        "admin/_space.html" if is_fragment(request) else "admin/spaces.html",
        person,
        status=422 if wrong else 200,
        search="",
        rows=rows,
        row=rows[0],
        behind=None,
        is_first=False,
        said={} if wrong else {str(space): gettext("Saved.")},
        wrong={str(space): wrong} if wrong else {},
    )


async def _administrator(request: Request, action: SpaceAction) -> Person:
    parts = services(request)
    person = access.administrator(parts.settings, await person_of(request), action)
    acts = request.method == "POST"
    limit(parts.limits.default if acts else parts.limits.reading, request, person.id)
    return person


def _cap(request: Request, space: KnownSpace) -> Cap:
    return cap_of(bounds_of(request), space)


def _idle(request: Request) -> timedelta:
    return timedelta(days=services(request).settings.login_idle_days)


def _id(request: Request, name: str) -> UUID:
    try:
        return UUID(request.path_params[name])
    except ValueError:
        raise NotFoundError from None


def _search(request: Request) -> str:
    return one_line(request.query_params.get("q", ""), MAX_SEARCH)


def _behind_person(request: Request) -> tuple[datetime, UUID] | None:
    """Return behind whom a page begins."""
    found = _split(request)
    try:
        return (datetime.fromtimestamp(found[0] / 1e6, UTC), found[1]) if found else None
    except (ValueError, OverflowError, OSError):
        raise HTTPException(400) from None


def _behind_space(request: Request) -> tuple[int, UUID] | None:
    found = _split(request)
    if found and not 0 <= found[0] < 2**63:
        raise HTTPException(400)
    return found


def _split(request: Request) -> tuple[int, UUID] | None:
    asked = request.query_params.get("behind")
    if asked is None:
        return None
    number, _, row = asked[:80].partition("~")
    try:
        return int(number), UUID(row)
    except ValueError:
        raise HTTPException(400) from None


def _chart(minutes: dict[date, float], first: date) -> Chart:
    every, month = [], first
    for _ in range(MONTHS):
        every.append(month)
        month = month_after(month)
    most = max(minutes.values(), default=0.0)
    values = [
        (
            minutes.get(one, 0.0),
            f"{months.name_of(one)}: "
            + gettext("%(minutes)s min", minutes=decimal(minutes.get(one, 0.0), 0)),
        )
        for one in every
    ]
    return chart(
        values,
        gettext("Minutes a month of the whole server"),
        gettext(
            "One bar for each of the last 12 months of UTC; the highest is %(most)s minutes. The"
            " table below has all of them.",
            most=decimal(most, 0),
        ),
        gettext("%(minutes)s min", minutes=decimal(most, 0)),
        [months.name_of(every[0]), months.name_of(every[-1])],
    )
