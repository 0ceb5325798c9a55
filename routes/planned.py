"""Sessions that are planned: a time, an agenda, a note of when they recur, and a calendar file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core import access, audit
from core.access import Action, Look, NotFoundError
from core.ics import Event, calendar_file
from core.model import Person, Planning, Session, is_admission
from core.planning import AGENDA_LENGTH, Mistake, agenda_of, recurs_of, time_of
from core.spoken import Spoken, together
from core.store import planning as plannings
from core.store import space_events
from core.store import spoken as spokens
from core.words import N_
from routes import spoken
from web.forms import form_of
from web.guard import limit
from web.origin import is_local, own_origin
from web.render import (
    SESSIONS_CHANGED,
    is_fragment,
    json_error,
    page,
    redirect,
    wants_html,
    wants_json,
)
from web.request import look, own_spaces, person_of, services
from web.tokens import WRITE, token
from web.words import gettext

SAID: dict[Mistake, str] = {
    Mistake.NO_TIME: N_("Choose a date and a time."),
    Mistake.PAST: N_("That time has passed."),
    Mistake.TOO_FAR: N_("That is more than two years from now."),
    Mistake.TOO_LONG: N_("That is too long: an agenda has at most %(most)s characters."),
}


@dataclass(frozen=True, slots=True)
class Typed:
    """What the fields of a planning show, what it comes to, and what is wrong with which field.

    `at` is a time as its field has it: in UTC where `stored` says so, which a script makes the
    reader's own zone; else as it was typed, which is so many minutes (`offset`) from UTC.
    """

    at: str
    agenda: str
    recurs: str
    offset: str = ""
    stored: bool = False
    planning: Planning = field(default_factory=Planning)
    problems: Mapping[str, str] = field(default_factory=dict)


def shown(planning: Planning) -> Typed:
    """Return the fields as they are before anybody has typed."""
    at = f"{planning.at.astimezone(UTC):%Y-%m-%dT%H:%M}" if planning.at else ""
    return Typed(at, planning.agenda, planning.recurs, stored=True, planning=planning)


def read(form: Mapping[str, str], before: Planning, *, timed: bool = False) -> Typed:
    """Return what somebody typed ahead of a session; what the form lacks stays as it was before.

    `timed`: whether there must be a time.
    """
    at = (
        time_of(form["planned"], form.get("offset", ""), datetime.now(UTC), before.at)
        if "planned" in form
        else before.at
    )
    agenda = agenda_of(form["agenda"]) if "agenda" in form else before.agenda
    recurs = recurs_of(form["recurs"]) if "recurs" in form else before.recurs
    problems = {}
    if isinstance(at, Mistake) or (timed and at is None):
        at = at if isinstance(at, Mistake) else Mistake.NO_TIME
        problems["planned"] = gettext(SAID[at])
    if isinstance(agenda, Mistake):
        problems["agenda"] = gettext(SAID[agenda], most=AGENDA_LENGTH)
    return Typed(
        at=form.get("planned", "")[:40],
        agenda=form.get("agenda", before.agenda),
        recurs=recurs,
        offset=form.get("offset", "")[:5],
        planning=Planning(
            None if isinstance(at, Mistake) else at,
            "" if isinstance(agenda, Mistake) else agenda,
            recurs,
        ),
        problems=problems,
    )


async def new(request: Request) -> Response:
    """GET /sessions/new: people who are signed in plan a session, also without JavaScript."""
    person = await person_of(request)
    if person is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    return await show_new(request, person, {}, shown(Planning()), spoken.shown(Spoken()))


async def show_new(
    request: Request,
    person: Person,
    form: Mapping[str, str],
    typed: Typed,
    said: spoken.Typed,
) -> Response:
    """Show the form of a new session, with what is wrong with it."""
    admission = form.get("admission")
    parts, space = services(request), own_spaces(request).current
    of_space = Spoken() if space is None else await spokens.of_space(parts.db, space.id)
    above = together(of_space, parts.rooms.installation)
    return page(
        "planned/new.html",
        person,
        status=422 if typed.problems or said.problems else 200,
        title=form.get("title", "")[:200],
        admission=admission if is_admission(admission) else "KNOCK",
        typed=typed,
        **spoken.fields(request, said, above, of_space=False),
    )


async def refused(
    request: Request,
    person: Person,
    form: Mapping[str, str],
    typed: Typed,
    said: spoken.Typed,
) -> Response:
    """Say what is wrong with a new session: beside its form, as a page with it, or in JSON."""
    problems = {**typed.problems, **said.problems}
    if is_fragment(request):
        words = " ".join(problems.values())
        return page("_partials/problem.html", None, status=422, title=words, message="")
    if not wants_html(request):
        return _invalid(request, problems)
    return await show_new(request, person, form, typed, said)


def _invalid(request: Request, problems: Mapping[str, str]) -> Response:
    """Tell a program what is wrong. Raises HTTPException: 422 for who reads no JSON."""
    if not wants_json(request):
        raise HTTPException(422)
    return json_error(422, "invalid", " ".join(problems.values()), {})


async def planning_page(request: Request) -> Response:
    """GET /s/{slug}/plan: hosts see what is said ahead of a session, and may change it."""
    at = await look(request, strangers=False)
    session = access.hosted_still(at, Action.SETTINGS)
    if at.sight.room is not None:
        return RedirectResponse(f"/r/{at.sight.room}/settings", 303)
    return _show(request, at, session, shown(session.planning))


@token(WRITE)
async def change(request: Request) -> Response:
    """POST /s/{slug}/plan: hosts change its time, agenda or note, whichever are given.

    `was` is the state that they have seen, as the form has it: 409 where somebody else has changed
    it since, with what it is now and what they typed. A meeting of a standing room has what is said
    of that: 422.
    """
    at = await look(request, strangers=False)
    session = access.hosted_still(at, Action.SETTINGS)
    if at.sight.room is not None:
        raise HTTPException(422)
    limit(services(request).limits.update, request, at.who)
    form = await form_of(request)
    typed = read(form, session.planning)
    if typed.problems:
        if not wants_html(request):
            return _invalid(request, typed.problems)
        return _show(request, at, session, typed)
    changed = None
    if form.get("was", state_of(session)) == state_of(session):
        changed = await plannings.change(
            services(request).db,
            session.id,
            typed.planning,
            was=session.replanned_at,
            now=datetime.now(UTC),
        )
    if changed is None:
        return await _overtaken(request, typed)
    audit.note("host_act", act="plan", by=at.who, session=session.id)
    if at.person is not None and session.planned_at is None and changed.planned_at is not None:
        db = services(request).db
        await space_events.note(db, session.space_id, at.person, "session_planned", session.title)
    if is_fragment(request):
        answer = _show(request, at, changed, shown(changed.planning), saved=True)
        answer.headers["HX-Trigger"] = SESSIONS_CHANGED
        return answer
    if wants_html(request):
        return RedirectResponse(f"/s/{session.slug}/plan?saved", 303)
    return Response(status_code=204)


async def calendar(request: Request) -> Response:
    """GET /s/{slug}/session.ics: who may see when it is planned adds that to their calendar."""
    at = await look(request)
    limit(services(request).limits.reading, request, at.who)
    session = access.planned(at)
    if session.planned_at is None:
        raise NotFoundError
    settings = services(request).settings
    origin = own_origin(request, settings)
    # A room's link stays the same, whatever becomes of this meeting.
    link = f"{origin}/r/{at.sight.room}" if at.sight.room else f"{origin}/s/{session.slug}"
    changed_at = session.replanned_at or session.created_at
    event = Event(
        uid=f"{session.id}@sessions",
        sequence=max(0, int((changed_at - session.created_at).total_seconds())),
        changed_at=changed_at,
        at=session.planned_at,
        title=session.title,
        description="\n\n".join(filter(None, (session.recurs, session.agenda, link))),
        link=link,
    )
    return Response(
        calendar_file(event, datetime.now(UTC)),
        media_type="text/calendar; charset=utf-8",
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": 'attachment; filename="session.ics"',
        },
    )


def ahead_of(at: Look) -> Planning:
    """Return what a session's door shows of it ahead: a time only until somebody was there then."""
    planning = access.planning_of(at)
    came = at.presence.last_left if at.presence.here == 0 else datetime.now(UTC)
    over = planning.at is not None and came is not None and came >= planning.at
    missed = still_planned(at.session) is None
    return replace(planning, at=None) if over or missed else planning


def still_planned(session: Session) -> datetime | None:
    """Return for when a session is planned. What waits in a standing room outlives that by a day.

    Any other one that nobody came to is gone by then.
    """
    at = session.planned_at
    missed = at is not None and at < datetime.now(UTC) - timedelta(days=1)
    return None if missed and session.standing_room is not None else at


def state_of(session: Session) -> str:
    """Return which state of what is said ahead of a session a form shows."""
    return session.replanned_at.isoformat() if session.replanned_at else ""


async def _overtaken(request: Request, typed: Typed) -> Response:
    """Show what somebody else has made of it, and what was typed, which may still be saved."""
    if not wants_html(request):
        raise HTTPException(409)
    at = await look(request, strangers=False)
    session = access.hosted_still(at, Action.SETTINGS)
    return _show(request, at, session, typed, status=409)


def _show(
    request: Request,
    at: Look,
    session: Session,
    typed: Typed,
    *,
    status: int = 200,
    saved: bool = False,
) -> Response:
    origin = own_origin(request, services(request).settings)
    context: dict[str, Any] = {
        "session": session,
        "typed": typed,
        "was": state_of(session),
        "theirs": session.planning if status == 409 else None,
        "saved": saved or "saved" in request.query_params,
        "made": "made" in request.query_params,
        "link": f"{origin}/s/{session.slug}",
        "link_is_local": is_local(origin),
    }
    template = "planned/_planning.html" if is_fragment(request) else "planned/planning.html"
    return page(template, at.person, status=422 if typed.problems else status, **context)
