"""A session's address: the gate for guests, the room while it goes on, then its transcript."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import groupby, pairwise
from typing import Any, Literal
from unicodedata import normalize
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from core import tokens
from core.access import (
    Action,
    Admission,
    EndedError,
    NeedsNameError,
    RefusedError,
    Standing,
    Visitor,
    admit,
    admit_guest,
    at_the_door,
    hosted_session,
    may_read,
    must_wait,
    refusal,
    session_with_link,
    standing,
    transcript_reader,
    who_left,
)
from core.livekit import video_pass
from core.model import ChatLine, Participant
from core.room.knocks import MAX_DENIED
from core.settings import Settings, is_loopback
from core.store import participants, sessions, usage
from core.store.sessions import Session
from core.store.transcripts import Utterance
from core.text import initials, tidy
from core.transcript import exports
from routes.login import dev_sign_in_offered
from web.compression import compressed
from web.guard import limit, websocket_origin
from web.render import page
from web.request import person_of, remember_guest, services, visitor_of

NAME_LENGTH = 40
UNTITLED = "Untitled session"
KEPT = tuple(one.name for one in fields(Utterance) if one.name != "role")


async def session_page(request: Request) -> Response:
    """GET /s/{slug}: whoever has the link; after the end, who was there or is of its space."""
    slug = request.path_params["slug"]
    session = await session_with_link(services(request).db, slug)
    return await (_transcript(request, slug) if session.over else _room(request, slug))


async def transcript_so_far(request: Request) -> Response:
    """GET /s/{slug}/transcript: who may read, while the session goes on; then it is at the link."""
    slug = request.path_params["slug"]
    session = await session_with_link(services(request).db, slug)
    return RedirectResponse(f"/s/{slug}", 303) if session.over else await _transcript(request, slug)


async def left(request: Request) -> Response:
    """GET /s/{slug}/left: where who left a session lands, until it has ended.

    Anybody else, and everybody after the end, gets what the link gives.
    """
    slug, db = request.path_params["slug"], services(request).db
    session = await session_with_link(db, slug)
    me = await who_left(db, session, await visitor_of(request, slug))
    if me is None or session.over:
        if "HX-Request" in request.headers:  # it would follow a redirect unseen
            return Response(headers={"HX-Redirect": f"/s/{slug}", "Cache-Control": "no-store"})
        return RedirectResponse(f"/s/{slug}", 303)
    template = "session/_left.html" if "HX-Request" in request.headers else "session/left.html"
    # Who has just left may still be counted: the call tells so a moment later.
    others = await sessions.presence(db, session.id, but=me.identity)
    return page(template, await person_of(request), session=session, me=me, others=others)


async def _room(request: Request, slug: str) -> Response:
    db, visitor = services(request).db, await visitor_of(request, slug)
    try:
        admission = await at_the_door(db, slug, visitor)
    except NeedsNameError:
        return await _gate(request, slug, None)
    settings, engine = services(request).settings, services(request).rooms.engine
    session, me = admission.session, admission.participant
    health, who = engine.health(), standing(me.state, me.role)
    origin = _own_origin(request, settings)
    return page(
        "room/room.html",
        await person_of(request),
        session=session,
        me=me,
        is_host=admission.is_host,
        presence=await sessions.presence(db, session.id),
        readable=session.status == "LIVE" and await may_read(db, session, visitor),
        refused=refusal(session, who, me.state),
        knocks=must_wait(session, who, me.state),
        link=f"{origin}/s/{slug}",
        link_is_local=_is_local(origin),
        speech={"name": engine.name, "health": health.health.value, "reason": health.reason},
    )


def _own_origin(request: Request, settings: Settings) -> str:
    """Return the origin to put into links: in development without TLS, the one the browser used."""
    if settings.production or settings.https:
        return settings.public_url
    return f"{request.url.scheme}://{request.url.netloc}"


def _is_local(origin: str) -> bool:
    """Whether only this computer finds what is at this origin."""
    try:
        return is_loopback(urlsplit(origin).hostname or "")
    except ValueError:  # a Host header can be anything
        return False


async def _gate(request: Request, slug: str, error: str | None) -> Response:
    """Ask for a name. Of the session, it tells only what a knock would."""
    db = services(request).db
    session = await session_with_link(db, slug)
    return page(
        "session/gate.html",
        None,
        status=422 if error else 200,
        slug=slug,
        error=error,
        sign_in=_can_sign_in(request),
        empty=(await sessions.presence(db, session.id)).here == 0,
        refused=refusal(session, Standing.WAITING, "WAITING"),
    )


def _can_sign_in(request: Request) -> bool:
    return services(request).settings.google_sign_in or dev_sign_in_offered(request)


async def become_guest(request: Request) -> Response:
    """POST /s/{slug}/guest: whoever has the link and isn't signed in gives a name."""
    slug = request.path_params["slug"]
    limit(services(request).limits.guest, request)
    if await person_of(request):
        return RedirectResponse(f"/s/{slug}", 303)
    form = await request.form()
    name = tidy(str(form.get("name", "")), NAME_LENGTH)
    if not name:
        session = await session_with_link(services(request).db, slug)
        if session.over:
            raise EndedError
        return await _gate(request, slug, "Type a name, so that others know who speaks.")
    visitor = await visitor_of(request, slug)
    guest = await admit_guest(services(request).db, slug, visitor, name)
    remember_guest(request, slug, guest.identity)
    return RedirectResponse(f"/s/{slug}", 303)


async def join(request: Request) -> Response:
    """POST /s/{slug}/join: who is let in gets fresh tokens for /ws and the call, as JSON.

    Who must wait for a host gets 202, and asks again every few seconds to be seen waiting.
    """
    slug = request.path_params["slug"]
    visitor = await visitor_of(request, slug)
    limit(
        services(request).limits.token,
        request,
        visitor.person.id if visitor.person else visitor.guest_identity,
    )
    try:
        admission = await admit(services(request).db, slug, visitor)
    except RefusedError as refused:
        if refused.code == "denied":
            await _asked_again(request, slug, visitor)
        raise
    session, me = admission.session, admission.participant
    kept = {"Cache-Control": "no-store"}
    if admission.waiting:
        services(request).rooms.knock(session.id, me)
        hosts = services(request).rooms.hosts(session.id)
        waiting = {"waiting": True, "hosts": hosts, "session": {"title": session.title}}
        return JSONResponse(waiting, 202, headers=kept)
    services(request).rooms.stop_knocking(session.id, me.identity)
    if admission.is_host:
        await _show_denied(request, session.id)
    await services(request).lifecycle.open_call(session)
    others = await sessions.presence(services(request).db, session.id, but=me.identity)
    return JSONResponse(_passes(request, admission, others.came > 0), headers=kept)


async def _asked_again(request: Request, slug: str, visitor: Visitor) -> None:
    """Put who was denied and asks again on top of what hosts see: they may think better of it."""
    door = await at_the_door(services(request).db, slug, visitor)
    db, identity = services(request).db, door.participant.identity
    await participants.change_state(db, door.session.id, identity, "DENIED", only_from=("DENIED",))
    await _show_denied(request, door.session.id)


async def _show_denied(request: Request, session_id: str) -> None:
    denied = await participants.denied(services(request).db, session_id, MAX_DENIED)
    services(request).rooms.answered(session_id, (), denied)


def _passes(request: Request, admission: Admission, others_came: bool) -> dict[str, Any]:
    settings = services(request).settings
    session, me = admission.session, admission.participant
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
            "others_came": others_came,
        },
        "transcription": {
            "url": f"{socket}/ws",
            "token": tokens.mint(settings.transcription_secret, session, me),
        },
        "video": {"url": video.url, "token": video.token},
    }


async def end(request: Request) -> Response:
    """POST /s/{slug}/end: its host ends a session for everybody."""
    slug = request.path_params["slug"]
    visitor = await visitor_of(request, slug)
    session = await hosted_session(services(request).db, slug, visitor, Action.END)
    by = visitor.person.id if visitor.person else None  # a guest may have been made a host
    await services(request).lifecycle.end(session, by=by, reason="ADMIN_ENDED")
    return RedirectResponse(f"/s/{slug}", 303)


async def _transcript(request: Request, slug: str) -> Response:
    db = services(request).db
    person = await person_of(request)
    try:
        session = await transcript_reader(db, slug, await visitor_of(request, slug))
    except EndedError:
        return page(
            "session/ended.html", person, status=403, slug=slug, sign_in=_can_sign_in(request)
        )
    # Asked first: what came until then is read below.
    coming = session.over and words_are_coming(request, session)
    said = await _said(request, session)
    written = await services(request).writer.chat(session.id)
    people = [_face(one) for one in await participants.who_joined(db, session.id)]
    spent = await _usage(request, session)
    present = await sessions.presence(db, session.id)

    def lay_out() -> Response:
        html = page(
            "transcript/transcript.html",
            person,
            session=session,
            people=people,
            turns=turns(said, written, session.started_at or session.created_at),
            usage=spent,
            coming=coming,
            here=(0 if session.over else present.here),
        )
        return compressed(html, request.headers)

    return await asyncio.to_thread(lay_out)  # a day's talk takes a while: speech must not wait


def words_are_coming(request: Request, session: Session) -> bool:
    """Tell whether words of an ended session are still being transcribed or stored."""
    parts = services(request)
    return parts.rooms.still_writing(session.id) or parts.writer.stores(session.id)


async def _said(request: Request, session: Session) -> list[Utterance]:
    """Return what was said, with what still waits for the database."""
    roles = {
        one.identity: one.role
        for one in await participants.who_joined(services(request).db, session.id)
    }
    return [
        Utterance(
            **{name: getattr(one, name) for name in KEPT}, role=roles.get(one.identity, "GUEST")
        )
        for one in await services(request).writer.said(session.id)
    ]


async def transcript_text(request: Request) -> Response:
    """GET /s/{slug}/transcript.txt: who may read the transcript, also while it goes on.

    `?tz=Europe/Berlin` names the reader's time zone, which only a browser knows.
    """
    session, lines = await _lines(request)

    def lay_out() -> Response:
        zone = exports.zone_of(request.query_params.get("tz", ""))
        text = exports.as_text(session.title, session.started_at, lines, zone)
        return _download(request, text, "text/plain", session, "txt")

    return await asyncio.to_thread(lay_out)


async def transcript_vtt(request: Request) -> Response:
    """GET /s/{slug}/transcript.vtt: who may read the transcript, also while it goes on.

    `?tz=` is for the date in the file's name.
    """
    session, lines = await _lines(request)

    def lay_out() -> Response:
        return _download(request, exports.as_vtt(lines), "text/vtt", session, "vtt")

    return await asyncio.to_thread(lay_out)


async def _lines(request: Request) -> tuple[Session, list[exports.Line]]:
    slug, db = request.path_params["slug"], services(request).db
    session = await transcript_reader(db, slug, await visitor_of(request, slug))
    said = await _said(request, session)
    lines = [exports.Line(one.name, one.text, one.start, one.end, one.lost) for one in said]
    zero = session.started_at or session.created_at
    for chat in await services(request).writer.chat(session.id):
        start = max(0.0, (chat.sent_at - zero).total_seconds())
        lines.append(exports.Line(chat.name, chat.text, start, None))
    return session, sorted(lines, key=lambda line: line.start)


def _download(request: Request, text: str, kind: str, session: Session, ending: str) -> Response:
    zone = exports.zone_of(request.query_params.get("tz", ""))
    day = (session.started_at or session.created_at).astimezone(zone)
    name = exports.file_name(session.title or UNTITLED, day, ending)
    # RFC 6266: the name as it is for who reads UTF-8, and what is left of it in ASCII for others.
    plain = " ".join(normalize("NFKD", name).encode("ascii", "ignore").decode().split())
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}",
    }
    response = Response(text, media_type=f"{kind}; charset=utf-8", headers=headers)
    return compressed(response, request.headers)


async def _usage(request: Request, session: Session) -> list[dict[str, Any]]:
    """Return what transcribing cost, for members of the space that pays for it."""
    db, person = services(request).db, await person_of(request)
    if person is None or await sessions.membership(db, session, person.id) is None:
        return []
    price = services(request).settings.cost_per_minute
    return [
        {
            "name": one.name,
            "seconds": one.seconds_sent,
            "streams": one.streams,
            "finals": one.finals,
            "errors": one.errors,
            "cost": one.cost(price),
        }
        for one in await usage.of_session(db, session.id)
    ]


def _face(one: Participant) -> dict[str, Any]:
    return {"name": one.name, "hue": one.hue, "initials": initials(one.name)}


@dataclass(frozen=True, slots=True)
class _Item:
    """Something said or written, at its second of the session."""

    kind: Literal["speech", "chat"]
    id: int | str
    by: Utterance | ChatLine
    start: float
    text: str
    is_gap: bool = False


def turns(
    said: list[Utterance], written: list[ChatLine], started_at: datetime
) -> list[dict[str, Any]]:
    """Group what was said (in the order it was begun) and written into turns of one person."""
    items = [_spoken(one) for one in said]
    for line in written:
        start = max(0.0, (line.sent_at - started_at).total_seconds())
        items.append(_Item("chat", f"chat-{line.id}", line, start, line.text))
    items.sort(key=lambda item: item.start)  # equal ones stay in the order of their ids
    groups = groupby(items, key=lambda item: (item.kind, item.by.identity))
    return [_turn(list(group)) for _, group in groups]


def _spoken(one: Utterance) -> _Item:
    if one.lost is None:
        return _Item("speech", one.seq, one, one.start, one.text)
    text = exports.not_transcribed(one.lost)
    return _Item("speech", one.seq, one, one.start, text, is_gap=True)


def _turn(items: list[_Item]) -> dict[str, Any]:
    first = items[0]
    return {
        "kind": first.kind,
        "name": first.by.name,
        "hue": first.by.hue,
        "initials": initials(first.by.name),
        "is_guest": first.by.role == "GUEST",
        "start": first.start,
        "utterances": [
            {
                "id": one.id,
                "start": one.start,
                "text": one.text,
                "timed": timed,
                "is_gap": one.is_gap,
            }
            for one, timed in zip(items, _timed(items), strict=True)
        ],
    }


def _timed(items: list[_Item]) -> list[bool]:
    """Return whether each one shows its time: the first of a turn, and the first of a minute.

    The others show it when somebody points at them. The room has the same rule, in transcript.js.
    """
    minutes = [int(one.start // 60) for one in items]
    return [True, *(one != before for before, one in pairwise(minutes))]
