"""The transcript of a session, as a page and as files: for who was there, and its space."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from itertools import groupby, pairwise
from typing import Any, Literal
from unicodedata import normalize
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core import access
from core.access import (
    EndedError,
    Look,
    NotFoundError,
)
from core.database import DatabaseAwayError
from core.minutes import Bounds, cap_of, today
from core.model import ChatLine, Participant, Pause, Session, Utterance
from core.store import analyses, participants, pauses, space_events, usage
from core.text import initials
from core.transcript import exports
from routes import facts
from routes.login import can_sign_in
from web.bearer import bearer_of
from web.compression import compressed
from web.guard import limit
from web.pieces import InPieces
from web.render import as_json, not_transcribed, page, pause_note, paused
from web.request import look, services
from web.tokens import READ, token
from web.words import gettext


@token(READ)
async def so_far(request: Request) -> Response:
    """GET /s/{slug}/transcript: who may read, while the session goes on; then it is at the link.

    For programs it is JSON, and stays here.
    """
    at = await look(request)
    if bearer_of(request) is not None:
        return await _as_json(request, at)
    if at.session.over:
        return RedirectResponse(f"/s/{at.session.slug}", 303)
    return await page_of(request, at)


def readable(request: Request, at: Look) -> Session:
    """Return a session to who may read it. For programs of others there is none, over or not.

    Raises NotFoundError or EndedError.
    """
    if bearer_of(request) is not None and not at.may_read:
        raise NotFoundError
    return access.readable(at)


async def page_of(request: Request, at: Look) -> Response:
    """Show what was said to who may read it, so far or in the end."""
    try:
        session = access.readable(at)
    except EndedError:
        slug, sign_in = at.session.slug, can_sign_in(request)
        return page("session/ended.html", at.person, status=403, slug=slug, sign_in=sign_in)
    return await _in_line(request, at, partial(_page, request, at, session))


async def _in_line(request: Request, at: Look, work: Callable[[], Awaitable[Response]]) -> Response:
    """Read and lay out a transcript when nobody else does: a day's takes most of a second.

    The place in line is given back once the answer was taken, so that nobody has many in memory.
    """
    limit(services(request).limits.reading, request, at.who)
    line = services(request).reader.line
    leave = line.enter(at.who or "")
    try:
        async with line.turn():
            response = await work()
    except BaseException:
        leave()
        raise
    return InPieces(response, leave)


async def _page(request: Request, at: Look, session: Session) -> Response:
    db = services(request).db
    # Asked first: what came until then is read below.
    reader = services(request).reader
    coming = session.over and reader.is_growing(session.id)
    people = await participants.who_joined(db, session.id)
    said = await reader.said(session.id)
    written = await reader.chat(session.id)
    paused_for = await pauses.of_session(db, session.id)
    analysis = await analyses.of_session(db, session.id)
    spent = await _usage(request, at)
    minutes = await _minutes(request, at) if spent else {}

    def lay_out() -> Response:
        html = page(
            "transcript/transcript.html",
            at.person,
            session=session,
            room=at.sight.room,
            people=[_face(one) for one in people],
            turns=turns(said, written, session.started_at or session.created_at, paused_for),
            analysis=analysis,
            usage=spent,
            minutes=minutes,
            answered=_answered(people) if at.may_see_answers else [],
            coming=coming,
            here=(0 if session.over else at.presence.here),
        )
        return compressed(html, request.headers)

    return await asyncio.to_thread(lay_out)  # a day's talk takes a while: speech must not wait


@token(READ)
async def as_text(request: Request) -> Response:
    """GET /s/{slug}/transcript.txt: who may read the transcript, also while it goes on.

    `?tz=Europe/Berlin` names the reader's time zone, which only a browser knows.
    """

    def text(session: Session, lines: list[exports.Line]) -> str:
        return exports.as_text(session.title, session.started_at, lines, _zone(request))

    return await _export(request, text, "text/plain", "txt")


@token(READ)
async def as_vtt(request: Request) -> Response:
    """GET /s/{slug}/transcript.vtt: who may read the transcript, also while it goes on.

    `?tz=` is for the date in the file's name.
    """
    return await _export(request, lambda _, lines: exports.as_vtt(lines), "text/vtt", "vtt")


async def _export(
    request: Request,
    text: Callable[[Session, list[exports.Line]], str],
    kind: str,
    ending: str,
) -> Response:
    """Answer with a file of this media type, whose `text` is laid out beside the loop."""
    at = await look(request)
    session = readable(request, at)

    async def work() -> Response:
        lines = await _lines(request, session)

        def lay_out() -> Response:
            return _download(request, text(session, lines), kind, session, ending)

        return await asyncio.to_thread(lay_out)

    answer = await _in_line(request, at, work)
    await _note_export(request, at, session, ending)
    return answer


async def _note_export(request: Request, at: Look, session: Session, ending: str) -> None:
    """Have the owners of a space read which of its members saved a transcript, and as what."""
    if at.person is not None and at.membership is not None and request.method == "GET":
        with suppress(DatabaseAwayError):  # one that takes no writes gives the file all the same
            await space_events.note_export(
                services(request).db,
                session.space_id,
                at.person,
                session.title,
                detail=f"transcript.{ending}",
            )


async def _as_json(request: Request, at: Look) -> Response:
    session = readable(request, at)

    async def work() -> Response:
        reader = services(request).reader
        # Asked first: what came until then is read below.
        coming = not session.over or reader.is_growing(session.id)
        said, written = await reader.said(session.id), await reader.chat(session.id)
        paused_for = await pauses.of_session(services(request).db, session.id)

        def lay_out() -> Response:
            told = facts.of_transcript(session, said, written, paused_for, coming=coming)
            return compressed(as_json(told), request.headers)

        return await asyncio.to_thread(lay_out)

    answer = await _in_line(request, at, work)
    await _note_export(request, at, session, "json")
    return answer


def _zone(request: Request) -> tzinfo:
    return exports.zone_of(request.query_params.get("tz", ""))


async def _lines(request: Request, session: Session) -> list[exports.Line]:
    reader, db = services(request).reader, services(request).db
    said = await reader.said(session.id)
    lines = [
        exports.Line(one.name, one.text, one.start, one.end)
        if one.lost is None
        else exports.Line(one.name, not_transcribed(one.lost), one.start, one.end, is_gap=True)
        for one in said
    ]
    zero = session.started_at or session.created_at
    for chat in await reader.chat(session.id):
        start = max(0.0, (chat.sent_at - zero).total_seconds())
        lines.append(
            exports.Line(gettext("%(name)s (chat)", name=chat.name), chat.text, start, None)
        )
    for start, end, by in _in_seconds(await pauses.of_session(db, session.id), zero):
        name, text = by or gettext("A host"), pause_note(end)
        lines.append(exports.Line(name, text, start, None, is_gap=True))
    return sorted(lines, key=lambda line: line.start)


def _download(request: Request, text: str, kind: str, session: Session, ending: str) -> Response:
    day = (session.started_at or session.created_at).astimezone(_zone(request))
    name = exports.file_name(session.title, day, ending, gettext("Transcript"))
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
            "cost": one.cost,
        }
        for one in await usage.of_session(services(request).db, at.session.id, price)
    ]


async def _minutes(request: Request, at: Look) -> dict[str, tuple[float, float]]:
    """Return the minutes that the space has used today and this month, and those it may.

    What has no bound is left out.
    """
    settings, space = services(request).settings, at.session.space_id
    found = (await usage.spent(services(request).db, [space], today())).get(space)
    if found is None:
        return {}
    per_day = settings.space_minutes_per_day
    month = cap_of(Bounds(per_day, settings.space_minutes_per_month), found).minutes
    both = {"day": (found.day / 60, per_day), "month": (found.month / 60, month)}
    return {name: (used, most) for name, (used, most) in both.items() if most is not None}


def _answered(people: list[Participant]) -> list[Participant]:
    """Return who said whether they want to be transcribed, or was shown what becomes of it."""
    return [one for one in people if one.answer is not None or one.noticed_at is not None]


def _face(one: Participant) -> dict[str, Any]:
    return {"name": one.name, "hue": one.hue, "initials": initials(one.name)}


@dataclass(frozen=True, slots=True)
class _Item:
    """Something said or written, at its second of the session."""

    kind: Literal["speech", "chat", "pause"]
    id: int | str
    by: Utterance | ChatLine | None  # nobody says that nothing was transcribed for a while
    start: float
    text: str
    is_gap: bool = False


def turns(
    said: list[Utterance],
    written: list[ChatLine],
    started_at: datetime,
    pauses: Sequence[Pause] = (),
) -> list[dict[str, Any]]:
    """Group what was said (in the order it was begun) and written into turns of one person.

    Pauses stand between them, each for itself.
    """
    items = [_spoken(one) for one in said]
    for number, (start, end, by) in enumerate(_in_seconds(pauses, started_at)):
        items.append(_Item("pause", f"pause-{number}", None, start, paused(by, start, end)))
    for line in written:
        start = max(0.0, (line.sent_at - started_at).total_seconds())
        items.append(_Item("chat", f"chat-{line.id}", line, start, line.text))
    items.sort(key=lambda item: item.start)  # equal ones stay in the order of their ids
    groups = groupby(items, key=lambda item: (item.kind, item.by.identity if item.by else item.id))
    return [_turn(list(group)) for _, group in groups]


def _in_seconds(
    pauses: Sequence[Pause], started_at: datetime
) -> Iterator[tuple[float, float | None, str | None]]:
    """Give each pause's start and end in seconds of the session, and who paused.

    What was over before the session began is no pause of it.
    """
    for one in pauses:
        if (span := one.seconds(started_at)) is not None:
            yield *span, one.by


def _spoken(one: Utterance) -> _Item:
    if one.lost is None:
        return _Item("speech", one.seq, one, one.start, one.text)
    text = not_transcribed(one.lost)
    return _Item("speech", one.seq, one, one.start, text, is_gap=True)


def _turn(items: list[_Item]) -> dict[str, Any]:
    first = items[0]
    by = first.by
    who = (
        {
            "name": by.name,
            "hue": by.hue,
            "initials": initials(by.name),
            "is_guest": by.role == "GUEST",
        }
        if by
        else {}
    )
    return {
        "kind": first.kind,
        **who,
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
