"""Standing rooms of a space: a link that never changes, whose every meeting has its transcript."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core import access, audit
from core.access import NotFoundError, RoomLook, SpaceAction
from core.model import Admission, Person, Planning, is_admission
from core.store import standing_rooms
from core.store.standing_rooms import MAX_ROOMS, StandingRoom
from core.text import one_line
from core.words import N_
from routes.planned import Typed, read, shown, still_planned
from routes.spaces import look
from web.forms import form_of
from web.guard import limit
from web.origin import is_local, own_origin
from web.render import page, redirect, wants_html
from web.request import person_of, services
from web.words import gettext

TITLE_LENGTH = 120
NAMELESS = N_("Give the room a name.")
FULL = N_("A space has at most %(most)s standing rooms.")


async def enter(request: Request) -> Response:
    """GET /r/{slug}: whoever has the link, to the meeting that goes on there or is to begin."""
    meeting = await access.enter_room(services(request).db, request.path_params["slug"])
    return RedirectResponse(f"/s/{meeting}", 303, headers={"Cache-Control": "no-store"})


async def new(request: Request) -> Response:
    """GET /spaces/{space}/rooms/new: members of the space get the form of a new room."""
    if await person_of(request) is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    at = await look(request, SpaceAction.START)
    return _show_new(at.person, at.space.id, "", "KNOCK", shown(Planning()))


async def create(request: Request) -> Response:
    """POST /spaces/{space}/rooms: members of the space make a room, with its first meeting."""
    at = await look(request, SpaceAction.START, services(request).limits.create)
    title, admission, typed = _typed(await form_of(request), Planning(), "", "KNOCK")
    if not typed.problems:
        room = await standing_rooms.create(
            services(request).db,
            at.space.id,
            at.person,
            title,
            admission,
            planning=typed.planning,
        )
        if room is not None:
            audit.note("space_act", act="make_room", space=at.space.id, by=at.person.id)
            return redirect(request, f"/r/{room.slug}/settings?made", 204)
        typed = replace(typed, problems={"title": gettext(FULL, most=MAX_ROOMS)})
    if not wants_html(request):
        raise HTTPException(422)
    return _show_new(at.person, at.space.id, title, admission, typed)


async def settings_page(request: Request) -> Response:
    """GET /r/{slug}/settings: who made the room, and owners of its space."""
    if await person_of(request) is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    at = await _changeable(request)
    return _show(request, at)


async def settings(request: Request) -> Response:
    """POST /r/{slug}/settings: who made the room, and owners of its space, change it.

    It is for the next meeting, and for the open one where that hasn't begun. `was` is the state
    that they have seen: 409 where somebody else has changed it since.
    """
    at = await _changeable(request)
    limit(services(request).limits.update, request, at.person.id)
    form, room = await form_of(request), at.open.room
    title, admission, typed = _typed(form, _planning(at), room.title, room.admission)
    typed_room = replace(room, title=title, admission=admission)
    if typed.problems:
        if not wants_html(request):
            raise HTTPException(422)
        return _show(request, at, typed_room, typed)
    changed = form.get("was", _state(room)) == _state(room) and await standing_rooms.change(
        services(request).db, room, title, admission, planning=typed.planning
    )
    if not changed:
        if not wants_html(request):
            raise HTTPException(409)
        return _show(request, await _changeable(request), typed_room, typed, status=409)
    audit.note("space_act", act="change_room", space=room.space_id, by=at.person.id)
    if wants_html(request):
        return RedirectResponse(f"/r/{room.slug}/settings?saved", 303)
    return Response(status_code=204)


async def delete(request: Request) -> Response:
    """POST /r/{slug}/delete: who made the room, and owners of its space; its past stays."""
    at = await _look(request)
    if not at.may_delete:
        raise NotFoundError
    limit(services(request).limits.delete, request, at.person.id)
    room = at.open.room
    await standing_rooms.delete(services(request).db, room, at.person)
    audit.note("space_act", act="delete_room", space=room.space_id, by=at.person.id)
    return redirect(request, "/", 204)


async def rooms_of(request: Request, person: Person, space: str) -> list[dict[str, Any]]:
    """Lay the rooms out of a space that somebody is a member of, for the list of its sessions."""
    parts = services(request)
    found = await standing_rooms.of_space(parts.db, space, person.id)
    looks = access.look_at_rooms(parts.settings, person, found)
    origin = own_origin(request, parts.settings)
    return [
        {
            "slug": one.open.room.slug,
            "title": one.open.room.title,
            "recurs": one.open.room.recurs,
            "link": f"{origin}/r/{one.open.room.slug}",
            "meeting": one.open.meeting.slug,
            "live": one.open.here > 0,
            "here": one.open.here,
            "planned_at": _to_begin(one),
            "may_change": one.may_change,
        }
        for one in looks
    ]


def _typed(
    form: Mapping[str, str], before: Planning, title: str, admission: Admission
) -> tuple[str, Admission, Typed]:
    """Return what somebody typed of a room; what the form lacks stays as it was before."""
    typed = read(form, before)
    line = one_line(form["title"], TITLE_LENGTH) if "title" in form else title
    chosen = form.get("admission", admission)
    if not is_admission(chosen):
        raise HTTPException(422)
    if not line:
        typed = replace(typed, problems={**typed.problems, "title": gettext(NAMELESS)})
    return line, chosen, typed


def _planning(at: RoomLook) -> Planning:
    """Return what is said ahead of a room's meetings, with the time of the one that is to begin."""
    return Planning(_to_begin(at), at.open.room.agenda, at.open.room.recurs)


def _to_begin(at: RoomLook) -> datetime | None:
    meeting = at.open.meeting
    return still_planned(meeting) if meeting.status == "CREATED" else None


def _state(room: StandingRoom) -> str:
    return room.changed_at.isoformat()


async def _look(request: Request) -> RoomLook:
    parts, person = services(request), await person_of(request)
    if person is not None:
        limit(parts.limits.reading, request, person.id)
    return await access.look_at_room(parts.db, parts.settings, person, request.path_params["slug"])


async def _changeable(request: Request) -> RoomLook:
    at = await _look(request)
    if not at.may_change:
        raise NotFoundError
    return at


def _show_new(
    person: Person, space: str, title: str, admission: Admission, typed: Typed
) -> Response:
    status = 422 if typed.problems else 200
    return page(
        "standing/new.html",
        person,
        status=status,
        space=space,
        title=title,
        admission=admission,
        typed=typed,
    )


def _show(
    request: Request,
    at: RoomLook,
    room: StandingRoom | None = None,
    typed: Typed | None = None,
    *,
    status: int = 200,
) -> Response:
    """Show a room's settings: as they are, or as somebody typed them."""
    origin = own_origin(request, services(request).settings)
    now, planning = at.open.room, _planning(at)
    typed = typed or shown(planning)
    return page(
        "standing/settings.html",
        at.person,
        status=422 if typed.problems else status,
        room=now,
        title=(room or now).title,
        admission=(room or now).admission,
        typed=typed,
        was=_state(now),
        theirs=planning if status == 409 else None,
        meeting=at.open.meeting.slug,
        to_begin=at.open.meeting.status == "CREATED",
        planned_at=planning.at,
        may_delete=at.may_delete,
        saved="saved" in request.query_params and request.method == "GET",
        made="made" in request.query_params,
        link=f"{origin}/r/{now.slug}",
        link_is_local=is_local(origin),
    )
