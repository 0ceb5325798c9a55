"""The start page: what this is for strangers, one's sessions for people who are signed in."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from core import audit
from core.access import Action, Standing, may, standing_in_list
from core.model import ListedSession, Person, Planning, is_admission
from core.store import sessions, space_events, spaces
from core.text import initials, one_line
from routes import planned, standing
from routes.login import sign_in_context
from web.forms import form_of
from web.guard import limit
from web.render import page, redirect
from web.request import own_spaces, person_of, services
from web.words import gettext

TITLE_LENGTH = 120
SHOWN_PEOPLE = 6


async def home(request: Request) -> Response:
    """GET /: anybody."""
    person = await person_of(request)
    if person is None:
        return page("home/landing.html", None, **sign_in_context(request, "/"))
    typed, rows = planned.shown(Planning()), await _rows(request, person)
    rooms = await standing.rooms_of(request, person)
    return page("home/home.html", person, sessions=rows, rooms=rooms, typed=typed)


async def session_list(request: Request) -> Response:
    """GET /sessions: the list alone, for people who are signed in."""
    person = await person_of(request)
    if person is None:
        return redirect(request, "/sign-in", 401)
    rooms = await standing.rooms_of(request, person)
    return page("home/_sessions.html", person, sessions=await _rows(request, person), rooms=rooms)


async def create_session(request: Request) -> Response:
    """POST /sessions: people who are signed in start or plan a session in the space they work in.

    `plan` says that it must have a time. Of one that has, the link is shown: nobody is there yet.
    """
    person = await person_of(request)
    if person is None:
        return redirect(request, "/sign-in", 401)
    limit(services(request).limits.create, request, person.id)
    form = await form_of(request)
    typed = planned.read(form, Planning(), timed="plan" in form)
    if typed.problems:
        return planned.refused(request, person, form, typed)
    db = services(request).db
    title = one_line(form.get("title", ""), TITLE_LENGTH) or gettext(
        "%(name)s’s session", name=person.name
    )
    chosen = form.get("admission")
    admission = chosen if is_admission(chosen) else "KNOCK"
    current = own_spaces(request).current
    if current is None:  # they have left their last one, or were removed
        called = gettext("%(name)s’s space", name=person.name)
        space = await spaces.first_space(db, person.id, called)
    else:
        space = current.id
    session = await sessions.create(db, space, person.id, title, admission, planning=typed.planning)
    if session.planned_at is not None:
        await space_events.note(db, space, person, "session_planned", title)
    audit.note("session_started", session=session.id, by=person.id)
    where = f"/s/{session.slug}/plan?made" if session.planned_at else f"/s/{session.slug}"
    return redirect(request, where, 204)


async def _rows(request: Request, person: Person) -> list[dict[str, Any]]:
    listed = await sessions.listed_for(services(request).db, person.id)
    knocks = services(request).rooms.knocks
    return [
        _row(one, standing_in_list(one, person), len(knocks.of(one.session.id))) for one in listed
    ]


def _row(listed: ListedSession, standing: Standing, waiting: int) -> dict[str, Any]:
    """Lay a session out for the list; `waiting` people knock, which hosts may know."""
    session = listed.session
    people = [one | {"initials": initials(one["name"])} for one in listed.people]
    return {
        "slug": session.slug,
        "title": session.title,
        "status": session.status,
        "created_at": session.created_at,
        "started_at": session.started_at,
        "ended_at": session.ended_at,
        "planned_at": session.planned_at if may(standing, Action.PLANNING) else None,
        "duration_seconds": session.duration_seconds,
        "people": people[:SHOWN_PEOPLE],
        "people_count": len(people),
        "here": listed.presence.here,
        "empty_since": listed.presence.last_left or session.started_at or session.created_at,
        "hosted": not session.over and may(standing, Action.SETTINGS),
        "readable": may(standing, Action.READ),
        "waiting": waiting if may(standing, Action.SEE_WAITING) else 0,
    }
