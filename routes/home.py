"""The start page: what this is for strangers, a space's sessions for people who are signed in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from core import access, audit
from core.access import Action, NotFoundError, SpaceAction, Standing, may, standing_in_list
from core.model import ListedSession, ListKey, Person, Planning, Shown, is_admission, is_shown
from core.spoken import Spoken
from core.store import listed, sessions, space_events, spaces
from core.text import initials, one_line
from routes import facts, planned, spoken, standing
from routes.login import sign_in_context
from web.bearer import bearer_of
from web.forms import form_of
from web.guard import limit
from web.origin import own_origin
from web.render import as_json, is_fragment, page, redirect
from web.request import own_spaces, person_of, services
from web.tokens import READ, WRITE, token
from web.words import gettext, language

TITLE_LENGTH = 120
MAX_SEARCH = 80  # characters


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of which space's list is asked for, as its address says. `space`: its id."""

    space: str | None
    shown: Shown = "all"
    search: str = ""
    behind: ListKey | None = None
    until: ListKey | None = None

    def query(self, **others: str) -> str:
        """Return the query of an address for the same part, or one that differs in these."""
        own = {"show": self.shown if self.shown != "all" else "", "q": self.search}
        return urlencode({key: value for key, value in (own | others).items() if value})


async def home(request: Request) -> Response:
    """GET /?show=…&q=…&behind=…: anybody; people who are signed in see their space's sessions."""
    person = await person_of(request)
    if person is None:
        deleted = "deleted" in request.query_params
        return page("home/landing.html", None, deleted=deleted, **sign_in_context(request, "/"))
    limit(services(request).limits.listing, request, person.id)
    asked = _asked(request, _current(request))
    typed = planned.shown(Planning())
    uploads = services(request).uploads
    uploading = uploads is not None and uploads.offered
    shown = await _list(request, person, asked)
    return page("home/home.html", person, typed=typed, uploading=uploading, **shown)


@token(READ)
async def session_list(request: Request) -> Response:
    """GET /sessions?space=…, and the rest as for /: the list alone, for members of the space.

    With `part=rows`, what comes behind a key as rows, to stand below those that are there. With
    `seen`, which the last answer had, it is 204 while nothing has changed: pages ask often.
    Programs get the sessions as JSON, and the key behind which there are more.
    """
    person = await person_of(request)
    if person is None:
        return redirect(request, "/sign-in", 401)
    limit(services(request).limits.listing, request, person.id)
    space = request.query_params.get("space")
    if space is None:
        space = _current(request)
    else:
        try:
            space = (await _look(request, person, space, SpaceAction.SEE)).space.id
        except NotFoundError:
            if not is_fragment(request):
                raise
            return redirect(request, "/", 404)  # who was removed has the page of another space
    if bearer_of(request) is not None:
        return await _sessions(request, person, _asked(request, space))
    shown = await _list(request, person, _asked(request, space))
    if request.query_params.get("part") == "rows":
        return page("home/_rows.html", person, **shown)
    if request.query_params.get("seen") == shown["seen"]:
        return Response(status_code=204)
    return page("home/_sessions.html", person, **shown)


@token(WRITE)
async def create_session(request: Request) -> Response:
    """POST /sessions: members start or plan a session in the space of the form, else in their own.

    `plan` says that it must have a time. Of one that has, the link is shown: nobody is there yet.
    """
    person = await person_of(request)
    if person is None:
        return redirect(request, "/sign-in", 401)
    limit(services(request).limits.create, request, person.id)
    form = await form_of(request)
    typed = planned.read(form, Planning(), timed="plan" in form)
    said = spoken.read(form, Spoken(), services(request).rooms.engine)
    if typed.problems or said.problems:
        return await planned.refused(request, person, form, typed, said)
    db = services(request).db
    title = one_line(form.get("title", ""), TITLE_LENGTH) or gettext(
        "%(name)s’s session", name=person.name
    )
    chosen = form.get("admission")
    admission = chosen if is_admission(chosen) else "KNOCK"
    # As its page had it: another tab may have gone to another space since.
    space = form.get("space") or _current(request)
    if space:
        space = (await _look(request, person, space, SpaceAction.START)).space.id
    else:  # they have left their last one, or were removed
        called = gettext("%(name)s’s space", name=person.name)
        space = await spaces.first_space(db, person.id, called)
    session = await sessions.create(
        db, space, person.id, title, admission, planning=typed.planning, spoken=said.spoken
    )
    if session.planned_at is not None:
        await space_events.note(db, space, person, "session_planned", title)
    audit.note("session_started", session=session.id, by=person.id)
    if bearer_of(request) is not None:
        link = f"{own_origin(request, services(request).settings)}/s/{session.slug}"
        return as_json({"slug": session.slug, "url": link}, 201, Location=link)
    where = f"/s/{session.slug}/plan?made" if session.planned_at else f"/s/{session.slug}"
    return redirect(request, where, 204)


def _current(request: Request) -> str | None:
    """Return the id of the space that the person works in."""
    current = own_spaces(request).current
    return current.id if current else None


async def _look(
    request: Request, person: Person, space: str, action: SpaceAction
) -> access.SpaceLook:
    parts = services(request)
    return await access.look_at_space(parts.db, parts.settings, person, space, action)


def _asked(request: Request, space: str | None) -> Asked:
    """Read what is asked for. Raises HTTPException: 400 for keys that can't be."""
    query = request.query_params
    shown = query.get("show", "all")
    return Asked(
        space,
        shown if is_shown(shown) else "all",
        one_line(query.get("q", ""), MAX_SEARCH),
        _key(query.get("behind")),
        _key(query.get("until")),
    )


def _key(asked: str | None) -> ListKey | None:
    """Return the key that stands in an address: see `key_of`."""
    if not asked:
        return None
    try:
        rank, turn, row = asked[:80].split("~")
        key = ListKey(int(rank), int(turn), str(UUID(row)))
    except ValueError:
        raise HTTPException(400) from None
    if not listed.is_key(key):
        raise HTTPException(400)
    return key


def key_of(key: ListKey) -> str:
    """Return how an address names the row of a list behind which a page begins."""
    return f"{key.rank}~{key.turn}~{key.id}"


async def _sessions(request: Request, person: Person, asked: Asked) -> Response:
    """Answer a program with a page of the list."""
    parts = services(request)
    found, more = await _found(request, person, asked)
    origin = own_origin(request, parts.settings)
    sessions = [facts.of_listed(one, standing_in_list(one, person), origin) for one in found]
    behind = key_of(found[-1].key) if more else None
    return as_json({"space": asked.space, "sessions": sessions, "next": behind})


async def _found(
    request: Request, person: Person, asked: Asked
) -> tuple[list[ListedSession], bool]:
    return await listed.page(
        services(request).db,
        person.id,
        asked.space,
        asked.shown,
        asked.search,
        behind=asked.behind,
        until=asked.until,
    )


async def _list(request: Request, person: Person, asked: Asked) -> dict[str, Any]:
    """Return what the templates of the list show."""
    parts = services(request)
    found, more = await _found(request, person, asked)
    waiting = {one.session.id: len(parts.rooms.knocks.of(one.session.id)) for one in found}
    rows = [
        _row(one, standing_in_list(one, person), waiting[one.session.id])
        | {"deletable": access.may_delete(one.session, person.id, one.membership)}
        for one in found
    ]
    first = asked.shown == "all" and not asked.search and asked.behind is None
    rooms = await standing.rooms_of(request, person, asked.space) if first and asked.space else []
    shown = repr((rows, rooms, more, language())).encode()
    return {
        "asked": asked,
        "rooms": rooms,
        "seen": hashlib.sha256(shown).hexdigest()[:16],
        "sessions": rows,
        "origin": own_origin(request, parts.settings),
        "first_key": key_of(asked.behind) if asked.behind else "",
        "last": key_of(found[-1].key) if found else "",
        "more": more,
    }


def _row(listed: ListedSession, standing: Standing, waiting: int) -> dict[str, Any]:
    """Lay a session out for the list; `waiting` people knock, which hosts may know."""
    session = listed.session
    return {
        "slug": session.slug,
        "title": session.title,
        "status": session.status,
        "created_at": session.created_at,
        "started_at": session.started_at,
        "ended_at": session.ended_at,
        "planned_at": session.planned_at if may(standing, Action.PLANNING) else None,
        "duration_seconds": session.duration_seconds,
        "people": [one | {"initials": initials(one["name"])} for one in listed.people],
        "people_count": listed.presence.came,
        "here": listed.presence.here,
        "empty_since": listed.presence.last_left or session.started_at or session.created_at,
        "hosted": not session.over and may(standing, Action.SETTINGS),
        "readable": may(standing, Action.READ),
        "waiting": waiting if may(standing, Action.SEE_WAITING) else 0,
    }
