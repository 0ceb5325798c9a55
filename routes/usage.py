"""What a space's sessions took and cost, by month: a page, a file, and the bound of a month."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from core import access, audit
from core.access import SignedOutError, SpaceAction, SpaceLook
from core.database import DatabaseAwayError
from core.minutes import MOST_MINUTES, Bounds, cap_of, month_after, month_before, today
from core.store import ledger, space_events, spaces, usage
from core.store.ledger import Key, SessionSpending, Spending
from core.words import N_
from web import months
from web.chart import Chart, chart
from web.forms import form_of
from web.guard import limit
from web.render import decimal, is_fragment, page, redirect, wants_html
from web.request import person_of, services
from web.words import gettext

SHOWN = 50  # sessions of a page
READ_AT_ONCE = 2_000  # sessions of the file
COLUMNS = ("begun_utc", "title", "people", "minutes", "cost", "engine")
# By which spreadsheets take a cell for a formula: it would run at whoever opens the file.
FORMULA = ("=", "+", "-", "@", "\t", "\r")

NOT_A_NUMBER = N_("Type a number of minutes, or nothing.")
TOO_MANY = N_("That is more than who runs this server allows: %(most)s minutes a month.")


async def usage_page(request: Request) -> Response:
    """GET /spaces/{space}/usage?month=2026-11&behind=…: members of the space."""
    if await person_of(request) is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    at = await _look(request, SpaceAction.USAGE)
    return await _show(request, at, _month(request), saved="saved" in request.query_params)


async def usage_file(request: Request) -> Response:
    """GET /spaces/{space}/usage.csv?month=2026-11: members of the space, every session.

    Its columns have the same names in every language, for programs, and its numbers a point. A byte
    order mark has spreadsheets read the titles as the UTF-8 that they are.
    """
    at, month = await _look(request, SpaceAction.USAGE), _month(request)
    first = await _sessions(request, at, month, None, READ_AT_ONCE)  # what fails does so before 200
    name = f"usage-{months.written(month)}.csv"
    with suppress(DatabaseAwayError):  # one that takes no writes gives the file all the same
        await space_events.note_export(
            services(request).db, at.space.id, at.person, "", detail=name
        )
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return StreamingResponse(
        _lines(request, at, month, first), headers=headers, media_type="text/csv; charset=utf-8"
    )


async def choose(request: Request) -> Response:
    """POST /spaces/{space}/minutes: owners choose a bound below what the space may use."""
    at = await _look(request, SpaceAction.CHOOSE)
    minutes, error = minutes_of((await form_of(request)).get("minutes", ""))
    most = cap_of(bounds_of(request), at.space).grant
    if minutes is not None and most is not None and minutes > most:
        error = gettext(TOO_MANY, most=decimal(most, 0))
    if error:
        if not wants_html(request):
            raise HTTPException(422)
        return await _show(request, at, today().replace(day=1), error=error)
    await spaces.choose(services(request).db, at.space.id, minutes)
    told = "" if minutes is None else f"{minutes:g}"
    await space_events.note(
        services(request).db, at.space.id, at.person, "minutes_chosen", detail=told
    )
    await changed(request, at.space.id, minutes, "chosen", at.person.id)
    if is_fragment(request):
        now = await _look(request, SpaceAction.USAGE)
        return await _show(request, now, today().replace(day=1), saved=True)
    if wants_html(request):
        return RedirectResponse(f"/spaces/{at.space.id}/usage?saved", 303)
    return Response(status_code=204)


async def changed(request: Request, space: str, minutes: float | None, how: str, by: str) -> None:
    """Have a bound that was just stored count at once, and the audit log tell of it."""
    told = "none" if minutes is None else f"{minutes:g}"
    audit.note("minutes_set", space=space, how=how, minutes=told, by=by)
    await services(request).minutes.set_anew(space)


def minutes_of(text: str) -> tuple[float | None, str]:
    """Return the minutes that somebody typed, None for none, or what is wrong with them."""
    written = text.strip().replace(",", ".")[:20]
    if not written:
        return None, ""
    try:
        found = float(written)
    except ValueError:
        found = float("nan")
    if not 0 <= found <= MOST_MINUTES:
        return None, gettext(NOT_A_NUMBER)
    return found, ""


async def _look(request: Request, action: SpaceAction) -> SpaceLook:
    parts, person = services(request), await person_of(request)
    if person is None:
        raise SignedOutError
    limit(parts.limits.reading, request, person.id)
    return await access.look_at_space(
        parts.db, parts.settings, person, request.path_params["space"], action
    )


def _month(request: Request) -> date:
    """Return the first day of the month that is asked for, of this one by default."""
    asked = request.query_params.get("month")
    if asked is None:
        return today().replace(day=1)
    found = months.read(asked)
    if found is None:
        raise HTTPException(400)
    return found


def _behind(request: Request) -> Key | None:
    """Return behind which session the page begins."""
    asked = request.query_params.get("behind")
    if asked is None:
        return None
    at, _, session = asked.partition("~")
    try:
        return Key(datetime.fromtimestamp(int(at) / 1e6, UTC), str(UUID(session)))
    except (ValueError, OverflowError, OSError):
        raise HTTPException(400) from None


def key_of(at: datetime, row: str) -> str:
    """Return how an address names the row of a list behind which a page begins."""
    micros = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return f"{micros}~{row}"


async def _sessions(
    request: Request, at: SpaceLook, month: date, behind: Key | None, most: int
) -> list[SessionSpending]:
    db, after = services(request).db, month_after(month)
    return await ledger.sessions(db, at.space.id, month, after, behind=behind, most=most)


def bounds_of(request: Request) -> Bounds:
    """Return what is set for all spaces."""
    settings = services(request).settings
    return Bounds(settings.space_minutes_per_day, settings.space_minutes_per_month)


async def _show(
    request: Request, at: SpaceLook, month: date, *, saved: bool = False, error: str = ""
) -> Response:
    """Show a month, or to htmx the form of the bound alone."""
    parts, this = services(request), today().replace(day=1)
    days = await ledger.days(parts.db, at.space.id, month, month_after(month))
    cap = cap_of(bounds_of(request), at.space)
    seconds = sum(one.seconds for one in days)
    # Not all that stands in the month counts here: what was moved in was paid for elsewhere.
    spent = (await usage.spent(parts.db, [at.space.id], today())).get(at.space.id)
    used = spent.month / 60 if spent else 0.0
    context = {
        "space": at.space,
        "cap": cap,
        "left": None if cap.minutes is None else max(0.0, cap.minutes - used),
        "share": None if not cap.minutes else min(1.0, used / cap.minutes),
        "seconds": seconds,
        "this_month": month == this,
        "may_choose": at.may(SpaceAction.CHOOSE),
        "saved": saved,
        "error": error,
    }
    status = 422 if error else 200
    if is_fragment(request):
        return page("spaces/_minutes.html", at.person, status=status, **context)
    rows = await _sessions(request, at, month, _behind(request), SHOWN + 1)
    more = len(rows) > SHOWN
    first = await ledger.first_day(parts.db, at.space.id)
    return page(
        "spaces/usage.html",
        at.person,
        status=status,
        **context,
        month=months.written(month),
        month_name=months.name_of(month),
        before=_walk(month_before(month)) if first and first < month else None,
        after=_walk(month_after(month)) if month < this else None,
        chart=_chart(days, month),
        days=days,
        cost=sum(one.cost for one in days),
        price=parts.settings.cost_per_minute,
        open_seconds=parts.minutes.open_seconds(at.space.id) if month == this else 0.0,
        sessions=rows[:SHOWN],
        is_first="behind" not in request.query_params,
        behind=key_of(rows[SHOWN - 1].at, rows[SHOWN - 1].id) if more else None,
    )


def _walk(month: date) -> tuple[str, str]:
    return months.written(month), months.name_of(month)


def _chart(days: list[Spending], month: date) -> Chart:
    of = {one.day: one.seconds / 60 for one in days}
    length = (month_after(month) - month).days
    every = [month + timedelta(days=at) for at in range(length)]
    values = [
        (minutes, f"{day}: " + gettext("%(minutes)s min", minutes=decimal(minutes, 1)))
        for day in every
        for minutes in [of.get(day, 0.0)]
    ]
    most = max(of.values(), default=0.0)
    return chart(
        values,
        gettext("Minutes a day in %(month)s", month=months.name_of(month)),
        gettext(
            "One bar for each day of UTC; the highest is %(most)s minutes. The table below has all"
            " of them.",
            most=decimal(most, 1),
        ),
        gettext("%(minutes)s min", minutes=decimal(most, 1)),
        [str(every[0]), str(every[-1])],
    )


async def _lines(
    request: Request, at: SpaceLook, month: date, rows: list[SessionSpending]
) -> AsyncIterator[bytes]:
    """Yield the file as it is read, so that it needs no memory for all of it."""
    yield "\ufeff".encode() + _csv([COLUMNS])
    while rows:
        yield _csv([_cells(one) for one in rows])
        if len(rows) < READ_AT_ONCE:
            return
        rows = await _sessions(request, at, month, Key(rows[-1].at, rows[-1].id), READ_AT_ONCE)


def _cells(one: SessionSpending) -> tuple[Any, ...]:
    return (
        one.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        harmless(one.title or ""),
        one.people,
        f"{one.seconds / 60:.2f}",
        f"{one.cost:.4f}",
        one.engines,
    )


def harmless(cell: str) -> str:
    """Return a text as a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def _csv(rows: list[tuple[Any, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)  # RFC 4180: commas, quotes where needed, CRLF
    return text.getvalue().encode()
