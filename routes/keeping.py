"""How long a space keeps what was said in its sessions, and sessions whose words stay longer."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from core import access, audit
from core.access import NotFoundError, SpaceAction, SpaceLook
from core.store import retention
from core.store.retention import MOST_DAYS, DaysChangedError
from core.words import N_
from routes.spaces import look as look_at_space
from web.forms import form_of
from web.guard import limit
from web.render import done, page, redirect, wants_html
from web.request import look, person_of, services
from web.words import gettext

NO_NUMBER = N_("Type a whole number of days from 1 to %(most)s, or nothing.")
CHANGED = N_("Somebody else has chosen something else meanwhile: it is shown here now.")


async def see(request: Request) -> Response:
    """GET /spaces/{space}/keeping: owners see how long words are kept, and choose."""
    if await person_of(request) is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    at = await look_at_space(request, SpaceAction.KEEP)
    days = await retention.days_of(services(request).db, at.space.id)
    return _show(at, days, days=_written(days))


async def choose(request: Request) -> Response:
    """POST /spaces/{space}/keeping: owners choose for how many days, or for ever without `days`.

    What is older goes within minutes. So where anything is, it must be said in `sure` of how many
    sessions; they are asked for that (422). `was` is the number that they have seen (409).
    """
    at = await look_at_space(request, SpaceAction.KEEP, services(request).limits.update)
    db, form = services(request).db, await form_of(request)
    typed, now = form.get("days", "").strip(), await retention.days_of(db, at.space.id)
    days = _number(typed)
    if typed and days is None:
        wrong = gettext(NO_NUMBER, most=MOST_DAYS)
        return _refused(request, at, 422, now, days=typed, wrong=wrong)
    many = await retention.would_go(db, at.space.id, days, datetime.now(UTC)) if days else 0
    if many and form.get("sure", "") != str(many):
        return _refused(request, at, 422, now, days=typed, going=many)
    try:
        await retention.choose(db, at.space.id, at.person, days, _number(form.get("was", "")))
    except DaysChangedError as problem:
        wrong = gettext(CHANGED)
        return _refused(request, at, 409, problem.now, days=_written(problem.now), wrong=wrong)
    audit.note("space_act", act="text_days", space=at.space.id, by=at.person.id)
    return done(request, f"/spaces/{at.space.id}/keeping?saved")


async def protect(request: Request) -> Response:
    """POST /s/{slug}/protect: who may delete a session has its words stay, or go when they are old.

    `protected` is `on` for the first.
    """
    at = await look(request, strangers=False)
    session = access.deletable(at)
    if at.person is None:
        raise NotFoundError
    limit(services(request).limits.update, request, at.person.id)
    if not session.over:
        raise HTTPException(409)
    on = (await form_of(request)).get("protected") == "on"
    await retention.protect(services(request).db, session.id, at.person, protected=on)
    audit.note("space_act", act="protect", session=session.id, by=at.person.id)
    return done(request, f"/s/{session.slug}#keeping")


def _show(
    at: SpaceLook,
    now: int | None,
    *,
    days: str,
    wrong: str = "",
    going: int = 0,
    status: int = 200,
) -> Response:
    """Show the form: `now` is what counts, `days` what was typed, `going` how many would go."""
    return page(
        "spaces/keeping.html",
        at.person,
        status=status,
        space=at.space,
        now=now,
        days=days,
        most=MOST_DAYS,
        wrong=wrong,
        going=going,
    )


def _refused(
    request: Request, at: SpaceLook, status: int, now: int | None, **shown: object
) -> Response:
    if not wants_html(request):
        raise HTTPException(status)
    return _show(at, now, status=status, **shown)  # type: ignore[arg-type]


def _number(text: str) -> int | None:
    fits = text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_DAYS))
    return int(text) if fits and 1 <= int(text) <= MOST_DAYS else None


def _written(days: int | None) -> str:
    return "" if days is None else str(days)
