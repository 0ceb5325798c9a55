"""What hosts do in a session: let people in, mute and remove them, share the role, settings.

Everything takes effect in the database and in `/ws` at once. What LiveKit was asked to do as
well and didn't is reported with status 200, `{"call": {"code", "message"}}`; else it is 204.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core import access
from core.access import Action, EndedError, NotFoundError
from core.livekit import CallError, CallProblem
from core.room.knocks import MAX_DENIED
from core.store import participants, sessions
from core.store.sessions import Admission, Session, is_admission
from core.text import tidy
from routes.home import TITLE_LENGTH
from web.guard import limit
from web.request import look, services

CALL_PROBLEMS: dict[CallProblem, str] = {
    "unreachable": "The video server doesn’t answer; the call itself may take a while to follow.",
    "refused": "The video server refuses our key; the call itself is unchanged.",
    "failed": "The video server could not do it; the call itself may take a while to follow.",
}


async def admit(request: Request) -> Response:
    """POST /s/{slug}/people/{identity}/admit: hosts let in who knocks, also who was denied."""
    session = await _hosted(request, Action.ADMIT)
    db, identity = services(request).db, request.path_params["identity"]
    found = await participants.change_state(
        db, session.id, identity, "ADMITTED", only_from=("WAITING", "DENIED", "ADMITTED")
    )
    return await _answered(request, session, found is not None)


async def admit_all(request: Request) -> Response:
    """POST /s/{slug}/admit-all: hosts let in everybody who knocks at this moment."""
    session = await _hosted(request, Action.ADMIT)
    db, rooms = services(request).db, services(request).rooms
    waiting = rooms.who_waits(session.id)
    await participants.admit_all(db, session.id, waiting)
    rooms.answered(session.id, waiting, await participants.denied(db, session.id, MAX_DENIED))
    return Response(status_code=204)


async def deny(request: Request) -> Response:
    """POST /s/{slug}/people/{identity}/deny: hosts send away who knocks."""
    session = await _hosted(request, Action.DENY)
    db, identity = services(request).db, request.path_params["identity"]
    found = await participants.change_state(
        db, session.id, identity, "DENIED", only_from=("WAITING", "DENIED")
    )
    return await _answered(request, session, found is not None)


async def _answered(request: Request, session: Session, found: bool) -> Response:
    if not found:
        raise NotFoundError
    denied = await participants.denied(services(request).db, session.id, MAX_DENIED)
    services(request).rooms.answered(session.id, [request.path_params["identity"]], denied)
    return Response(status_code=204)


async def mute(request: Request) -> Response:
    """POST /s/{slug}/people/{identity}/mute: hosts mute somebody in the call and the captions."""
    session, identity = await _hosted_person(request, Action.MUTE)
    parts = services(request)
    room = parts.rooms.decide(session.id)
    if room is not None:
        room.mute(identity)
    return await _with_call(parts.calls.mute(session.slug, identity))


async def mute_all(request: Request) -> Response:
    """POST /s/{slug}/mute-all: hosts mute everybody but the hosts, in the call and the captions."""
    session = await _hosted(request, Action.MUTE)
    parts = services(request)
    hosts = await participants.hosts(parts.db, session.id)
    room = parts.rooms.decide(session.id)
    if room is not None:
        for person in room.people():
            if person.identity not in hosts:
                room.mute(person.identity)
    return await _with_call(parts.calls.mute_all(session.slug, hosts))


async def lower_hand(request: Request) -> Response:
    """POST /s/{slug}/people/{identity}/lower-hand: hosts take somebody's hand down."""
    session, identity = await _hosted_person(request, Action.LOWER_HAND)
    parts = services(request)
    room = parts.rooms.decide(session.id)
    if room is not None:
        room.hand(identity, up=False)
    return Response(status_code=204)


async def remove(request: Request) -> Response:
    """POST /s/{slug}/people/{identity}/remove: hosts remove somebody for good.

    Whoever has the link can be somebody new, so that new guests must knock from then on.
    """
    session = await _hosted(request, Action.REMOVE)
    parts, identity = services(request), request.path_params["identity"]
    await access.removable(parts.db, session, identity)
    await participants.remove(parts.db, session.id, identity, datetime.now(UTC))
    parts.rooms.stop_knocking(session.id, identity)
    room = parts.rooms.decide(session.id)
    if room is not None:
        room.remove(identity)
    if session.admission == "ANYONE":
        await _change(request, session, admission="KNOCK")
    return await _with_call(parts.calls.remove(session.slug, identity))


async def make_host(request: Request) -> Response:
    """POST /s/{slug}/people/{identity}/host: hosts make somebody else a host too."""
    session = await _hosted(request, Action.MAKE_HOST)
    parts, identity = services(request), request.path_params["identity"]
    if await participants.make_host(parts.db, session.id, identity) is None:
        raise NotFoundError
    room = parts.rooms.decide(session.id)
    if room is not None:
        room.change_role(identity, "HOST")
    return await _with_call(parts.calls.tell_role(session.slug, identity, "HOST"))


async def settings(request: Request) -> Response:
    """POST /s/{slug}/settings: hosts change title, admission or lock, whichever are given."""
    session = await _hosted(request, Action.SETTINGS)
    form = await request.form()
    title, admission, locked = form.get("title"), form.get("admission"), form.get("locked")
    if admission is not None and not is_admission(admission):
        raise HTTPException(422)
    if locked not in (None, "on", "off"):
        raise HTTPException(422)
    tidied = tidy(str(title), TITLE_LENGTH) if title is not None else None
    if tidied == "":
        raise HTTPException(422)
    await _change(
        request,
        session,
        title=tidied,
        admission=admission,
        locked=None if locked is None else locked == "on",
    )
    return Response(status_code=204)


async def _hosted(request: Request, action: Action) -> Session:
    at = await look(request, strangers=False)
    session = access.hosted(at, action)
    if session.over:
        raise EndedError
    limit(services(request).limits.default, request, at.who)
    return session


async def _hosted_person(request: Request, action: Action) -> tuple[Session, str]:
    """Return the session, and the identity of whom the act is about: somebody who was let in."""
    session, identity = await _hosted(request, action), request.path_params["identity"]
    found = await participants.find(services(request).db, session.id, identity)
    if found is None or found.state != "ADMITTED":
        raise NotFoundError
    return session, identity


async def _change(
    request: Request,
    session: Session,
    *,
    title: str | None = None,
    admission: Admission | None = None,
    locked: bool | None = None,
) -> None:
    parts = services(request)
    changed = await sessions.change(
        parts.db, session.id, title=title, admission=admission, locked=locked
    )
    if changed is None:
        raise EndedError
    room = parts.rooms.decide(session.id)
    if room is not None:
        room.change(title=changed.title, admission=changed.admission, locked=changed.locked)


async def _with_call(asked: Awaitable[None]) -> Response:
    """Answer 204, or say what LiveKit didn't do."""
    try:
        await asked
    except CallError as problem:
        what = {"code": problem.problem, "message": CALL_PROBLEMS[problem.problem]}
        return JSONResponse({"call": what}, headers={"Cache-Control": "no-store"})
    return Response(status_code=204)
