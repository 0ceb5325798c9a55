"""The transcript of a session as files, for who may read it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import tzinfo
from unicodedata import normalize
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from core.access import Look
from core.database import DatabaseAwayError
from core.model import Session
from core.store import pauses, space_events
from core.transcript import exports
from routes import facts, reading
from web.compression import compressed
from web.render import as_json, not_transcribed, pause_note
from web.request import look, services
from web.tokens import READ, token
from web.words import gettext


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
    session = reading.readable(request, at)

    async def work() -> Response:
        lines = await _lines(request, session)

        def lay_out() -> Response:
            return _download(request, text(session, lines), kind, session, ending)

        return await asyncio.to_thread(lay_out)

    answer = await reading.in_line(request, at, work)
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


async def as_facts(request: Request, at: Look) -> Response:
    """Return all of a transcript as a JSON object, for a program."""
    session = reading.readable(request, at)

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

    answer = await reading.in_line(request, at, work)
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
    for start, end, by in reading.in_seconds(await pauses.of_session(db, session.id), zero):
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
