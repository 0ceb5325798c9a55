"""A session's address: the gate for guests, the room while it goes on, the way out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from core import access, audit, tokens
from core.access import (
    Action,
    EndedError,
    Entry,
    Look,
    NeedsNameError,
    NotFoundError,
    RefusedError,
    Standing,
    may,
    must_wait,
    refusal,
)
from core.livekit import video_pass
from core.model import Participant
from core.room.knocks import MAX_DENIED
from core.store import participants
from core.text import one_line
from routes import facts, reading, transcript
from routes.login import can_sign_in
from routes.planned import ahead_of
from web.addresses import address_of
from web.bearer import bearer_of
from web.errors import note_refusal
from web.forms import form_of
from web.guard import limit, websocket_origin
from web.origin import is_local, own_origin
from web.render import SESSIONS_CHANGED, as_json, is_fragment, page, redirect, wants_json
from web.request import forget_guest, look, remember_guest, services
from web.tokens import READ, WRITE, token
from web.words import gettext

NAME_LENGTH = 40
ANSWERS = {"yes": True, "no": False}  # to whether one wants to be transcribed
CLOSED = {"locked", "members_only"}  # what of a door may change: the gate says so


@token(READ)
async def session_page(request: Request) -> Response:
    """GET /s/{slug}: whoever has the link; after the end, who was there or is of its space.

    A program reads what there is to know of it, where it may be read; nobody comes in by that.
    """
    at = await look(request)
    if bearer_of(request) is not None:
        return await _facts(request, at)
    return await (transcript.page_of(request, at) if at.session.over else _room(request, at))


async def _facts(request: Request, at: Look) -> Response:
    reading.readable(request, at)
    parts = services(request)
    people = await participants.who_joined(parts.db, at.session.id)
    return as_json(facts.of_session(at, people, own_origin(request, parts.settings)))


async def left(request: Request) -> Response:
    """GET /s/{slug}/left: where who left a session lands, until it has ended.

    Anybody else, and everybody after the end, gets what the link gives.
    """
    at = await look(request)
    session, me = at.session, access.who_left(at)
    if me is None or session.over:
        return redirect(request, f"/s/{session.slug}")
    template = "session/_left.html" if is_fragment(request) else "session/left.html"
    # Who has just left may still be counted: the call tells so a moment later.
    return page(template, at.person, session=session, me=me, others=at.others)


async def _room(request: Request, at: Look) -> Response:
    try:
        entry = await access.approach(services(request).db, at)
    except NeedsNameError:
        return _gate(request, at, None)
    except RefusedError as closed:
        if closed.code not in CLOSED:
            raise
        return _gate(request, at, None)
    settings, engine = services(request).settings, services(request).rooms.engine
    session, me, health = entry.session, entry.participant, engine.health()
    origin = own_origin(request, settings)
    return page(
        "room/room.html",
        at.person,
        session=session,
        me=me,
        is_host=entry.standing is Standing.HOST,
        presence=at.presence,
        readable=session.status == "LIVE" and at.may_read,
        refused=refusal(session, entry.standing, me.state),
        knocks=must_wait(session, entry.standing),
        planning=ahead_of(at),
        # A standing room's stays the same, whatever becomes of this meeting.
        link=f"{origin}/r/{at.sight.room}" if at.sight.room else f"{origin}/s/{session.slug}",
        link_is_local=is_local(origin),
        speech={
            "name": engine.name,
            "health": health.health.value,
            "reason": health.reason,
            "languages": sorted(engine.languages),
        },
    )


def _gate(request: Request, at: Look, error: str | None, status: int = 200) -> Response:
    """Ask for a name, or say that it is closed. It tells only what a knock would."""
    return page(
        "session/gate.html",
        at.person,
        status=422 if error else status,
        session=at.session,
        slug=at.session.slug,
        error=error,
        sign_in=at.person is None and can_sign_in(request),
        empty=at.presence.here == 0,
        planning=ahead_of(at),
        refused=refusal(at.session, Standing.WAITING, "WAITING"),
    )


async def become_guest(request: Request) -> Response:
    """POST /s/{slug}/guest: whoever has the link and isn't signed in gives a name."""
    slug = request.path_params["slug"]
    limit(services(request).limits.guest, request)
    limit(services(request).limits.guest_hourly, request)
    at = await look(request)
    if at.person:
        return RedirectResponse(f"/s/{slug}", 303)
    form = await form_of(request)
    name = one_line(form.get("name", ""), NAME_LENGTH)
    if not name:
        if at.session.over:
            raise EndedError
        return _gate(request, at, gettext("Type a name, so that others know who speaks."))
    try:
        key = await access.add_guest(services(request).db, at, name)
    except RefusedError as closed:
        if closed.code not in CLOSED or wants_json(request):
            raise
        note_refusal(request, closed)
        return _gate(request, at, None, closed.status)
    await remember_guest(request, slug, key)
    return RedirectResponse(f"/s/{slug}", 303)


async def forget(request: Request) -> Response:
    """POST /s/{slug}/forget: a guest leaves for good, and nobody is that guest any more."""
    slug = request.path_params["slug"]
    limit(services(request).limits.guest, request)
    at = await look(request)
    if at.person is None and at.who is not None:
        audit.note("left_for_good", who=at.who)
    await forget_guest(request, slug)
    return RedirectResponse("/", 303)


async def join(request: Request) -> Response:
    """POST /s/{slug}/join: who is let in gets fresh tokens for /ws and the call, as JSON.

    Who must wait for a host gets 202, and asks again every few seconds to be seen waiting.
    """
    at = await look(request, denied=MAX_DENIED)
    rooms, db = services(request).rooms, services(request).db
    limit(services(request).limits.token, request, at.who)
    if not at.session.over and may(at.standing, Action.SEE_WAITING):  # at once: it is of now
        rooms.answered(at.session.id, (), at.sight.denied)
    try:
        entry = await access.admit(db, at)
    except RefusedError as refused:
        if refused.code == "denied" and at.known is not None:
            # They may think better of it.
            await services(request).conduct.ask_again(at.session, at.known.participant.identity)
        raise
    session, me = entry.session, await _told(request, entry)
    kept = {"Cache-Control": "no-store"}
    if entry.waiting:
        rooms.knock(session.id, me, address_of(request))
        waiting = {"waiting": True, "hosts": rooms.hosts(session.id)}
        return JSONResponse(waiting | {"session": {"title": session.title}}, 202, headers=kept)
    rooms.stop_knocking(session.id, me.identity)
    await services(request).conduct.open_call(session)
    return JSONResponse(_passes(request, replace(entry, participant=me), at), headers=kept)


async def _told(request: Request, entry: Entry) -> Participant:
    """Note what who comes in has said at the door, and that it has shown them its notice."""
    form, me, parts = await form_of(request), entry.participant, services(request)
    if form.get("noticed") == "yes" and me.noticed_at is None:
        await participants.noticed(parts.db, me.identity, datetime.now(UTC))
    given = ANSWERS.get(form.get("consent", ""))
    if given is None or given is me.consent:
        return me
    answer = await parts.conduct.answer(entry.session, me.identity, consent=given)
    return replace(me, answer=answer)


async def consent(request: Request) -> Response:
    """POST /s/{slug}/consent: who is in a session has their own words transcribed, or not."""
    at = await look(request, strangers=False)
    session = access.hosted(at, Action.CONSENT)
    limit(services(request).limits.update, request, at.who)
    if session.over:
        raise EndedError
    if at.known is None:  # a member of its space who hasn't come yet: the door asks them
        raise NotFoundError
    form, me = await form_of(request), at.known.participant
    if form.get("identity", me.identity) != me.identity:  # a page of who this browser was before
        raise NotFoundError
    given = ANSWERS.get(form.get("consent", ""))
    if given is None:
        raise HTTPException(422)
    await services(request).conduct.answer(session, me.identity, consent=given)
    return Response(status_code=204)


def _passes(request: Request, entry: Entry, at: Look) -> dict[str, Any]:
    settings = services(request).settings
    session, me = entry.session, entry.participant
    video = video_pass(settings, session, me)
    socket = websocket_origin(settings, request.headers, request.url.scheme)
    return {
        "you": {"identity": me.identity, "name": me.name, "role": me.role, "hue": me.hue},
        "session": {
            "slug": session.slug,
            "title": session.title,
            "status": session.status,
            "started_at": session.started_at.isoformat() if session.started_at else None,
            "admission": session.admission,
            "locked": session.locked,
            "others_came": at.others.came > 0,
        },
        "consent": {"asked": session.consent, "given": me.consent},
        "transcription": {
            "url": f"{socket}/ws",
            "token": tokens.mint(settings.token_key, session, me, at.key),
        },
        "video": video and {"url": video.url, "token": video.token},
    }


@token(WRITE)
async def end(request: Request) -> Response:
    """POST /s/{slug}/end: its host ends a session for everybody."""
    at = await look(request, strangers=False)
    session = access.hosted(at, Action.END)
    by = at.person.id if at.person else None  # a guest may have been made a host
    audit.note("host_act", act="end", by=at.who, session=session.id)
    await services(request).conduct.end(session, by=by, reason="ADMIN_ENDED")
    if is_fragment(request):
        told = page("home/_ended.html", at.person, session=session)
        told.headers["HX-Trigger"] = SESSIONS_CHANGED
        return told
    if bearer_of(request) is not None:
        return Response(status_code=204)
    return RedirectResponse(f"/s/{session.slug}", 303)
