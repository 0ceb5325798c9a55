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

from core import access, tokens
from core.access import (
    Action,
    EndedError,
    Entry,
    Look,
    NeedsNameError,
    RefusedError,
    Standing,
    may,
    must_wait,
    refusal,
)
from core.livekit import video_pass
from core.model import ChatLine, Participant
from core.room.knocks import MAX_DENIED
from core.settings import Settings, is_loopback
from core.store import participants, usage
from core.store.sessions import Session
from core.store.transcripts import Utterance
from core.text import initials, tidy
from core.transcript import exports
from routes.login import dev_sign_in_offered
from web.compression import compressed
from web.guard import limit, websocket_origin
from web.render import page
from web.request import look, remember_guest, services

NAME_LENGTH = 40
UNTITLED = "Untitled session"
KEPT = tuple(one.name for one in fields(Utterance) if one.name != "role")


async def session_page(request: Request) -> Response:
    """GET /s/{slug}: whoever has the link; after the end, who was there or is of its space."""
    at = await look(request)
    return await (_transcript(request, at) if at.session.over else _room(request, at))


async def transcript_so_far(request: Request) -> Response:
    """GET /s/{slug}/transcript: who may read, while the session goes on; then it is at the link."""
    at = await look(request)
    if at.session.over:
        return RedirectResponse(f"/s/{at.session.slug}", 303)
    return await _transcript(request, at)


async def left(request: Request) -> Response:
    """GET /s/{slug}/left: where who left a session lands, until it has ended.

    Anybody else, and everybody after the end, gets what the link gives.
    """
    at = await look(request)
    session, me = at.session, access.who_left(at)
    if me is None or session.over:
        if "HX-Request" in request.headers:  # it would follow a redirect unseen
            headers = {"HX-Redirect": f"/s/{session.slug}", "Cache-Control": "no-store"}
            return Response(headers=headers)
        return RedirectResponse(f"/s/{session.slug}", 303)
    template = "session/_left.html" if "HX-Request" in request.headers else "session/left.html"
    # Who has just left may still be counted: the call tells so a moment later.
    return page(template, at.person, session=session, me=me, others=at.others)


async def _room(request: Request, at: Look) -> Response:
    try:
        entry = await access.approach(services(request).db, at)
    except NeedsNameError:
        return _gate(request, at, None)
    settings, engine = services(request).settings, services(request).rooms.engine
    session, me, health = entry.session, entry.participant, engine.health()
    origin = _own_origin(request, settings)
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
        link=f"{origin}/s/{session.slug}",
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


def _gate(request: Request, at: Look, error: str | None) -> Response:
    """Ask for a name. Of the session, it tells only what a knock would."""
    return page(
        "session/gate.html",
        None,
        status=422 if error else 200,
        slug=at.session.slug,
        error=error,
        sign_in=_can_sign_in(request),
        empty=at.presence.here == 0,
        refused=refusal(at.session, Standing.WAITING, "WAITING"),
    )


def _can_sign_in(request: Request) -> bool:
    return services(request).settings.google_sign_in or dev_sign_in_offered(request)


async def become_guest(request: Request) -> Response:
    """POST /s/{slug}/guest: whoever has the link and isn't signed in gives a name."""
    slug = request.path_params["slug"]
    limit(services(request).limits.guest, request)
    at = await look(request)
    if at.person:
        return RedirectResponse(f"/s/{slug}", 303)
    form = await request.form()
    name = tidy(str(form.get("name", "")), NAME_LENGTH)
    if not name:
        if at.session.over:
            raise EndedError
        return _gate(request, at, "Type a name, so that others know who speaks.")
    guest = await access.add_guest(services(request).db, at, name)
    remember_guest(request, slug, guest.identity)
    return RedirectResponse(f"/s/{slug}", 303)


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
            await _asked_again(request, at.session.id, at.known.participant.identity)
        raise
    session, me = entry.session, entry.participant
    kept = {"Cache-Control": "no-store"}
    if entry.waiting:
        rooms.knock(session.id, me)
        waiting = {"waiting": True, "hosts": rooms.hosts(session.id)}
        return JSONResponse(waiting | {"session": {"title": session.title}}, 202, headers=kept)
    rooms.stop_knocking(session.id, me.identity)
    await services(request).lifecycle.open_call(session)
    return JSONResponse(_passes(request, entry, at.others.came > 0), headers=kept)


async def _asked_again(request: Request, session_id: str, identity: str) -> None:
    """Put who was denied and asks again on top of what hosts see: they may think better of it."""
    db = services(request).db
    await participants.change_state(db, session_id, identity, "DENIED", only_from=("DENIED",))
    denied = await participants.denied(db, session_id, MAX_DENIED)
    services(request).rooms.answered(session_id, (), denied)


def _passes(request: Request, entry: Entry, others_came: bool) -> dict[str, Any]:
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
    at = await look(request, strangers=False)
    session = access.hosted(at, Action.END)
    by = at.person.id if at.person else None  # a guest may have been made a host
    await services(request).lifecycle.end(session, by=by, reason="ADMIN_ENDED")
    return RedirectResponse(f"/s/{session.slug}", 303)


async def _transcript(request: Request, at: Look) -> Response:
    try:
        session = access.readable(at)
    except EndedError:
        slug, sign_in = at.session.slug, _can_sign_in(request)
        return page("session/ended.html", at.person, status=403, slug=slug, sign_in=sign_in)
    db = services(request).db
    # Asked first: what came until then is read below.
    coming = session.over and words_are_coming(request, session)
    people = await participants.who_joined(db, session.id)
    said = await _said(request, session, people)
    written = await services(request).writer.chat(session.id)
    spent = await _usage(request, at)

    def lay_out() -> Response:
        html = page(
            "transcript/transcript.html",
            at.person,
            session=session,
            people=[_face(one) for one in people],
            turns=turns(said, written, session.started_at or session.created_at),
            usage=spent,
            coming=coming,
            here=(0 if session.over else at.presence.here),
        )
        return compressed(html, request.headers)

    return await asyncio.to_thread(lay_out)  # a day's talk takes a while: speech must not wait


def words_are_coming(request: Request, session: Session) -> bool:
    """Tell whether words of an ended session are still being transcribed or stored."""
    parts = services(request)
    return parts.rooms.still_writing(session.id) or parts.writer.stores(session.id)


async def _said(request: Request, session: Session, people: list[Participant]) -> list[Utterance]:
    """Return what was said, with what still waits for the database."""
    roles = {one.identity: one.role for one in people}
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
    session = access.readable(await look(request))
    people = await participants.who_joined(services(request).db, session.id)
    said = await _said(request, session, people)
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


async def _usage(request: Request, at: Look) -> list[dict[str, Any]]:
    """Return what transcribing cost, for members of the space that pays for it."""
    if at.membership is None:
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
        for one in await usage.of_session(services(request).db, at.session.id)
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
