"""The transcript of a session as files, for who may read it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from unicodedata import normalize
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from core.access import Look
from core.database import DatabaseAwayError
from core.lines import Line
from core.model import Session
from core.store import space_events
from core.transcript.exports import FORMATS, Encoder, Wanted, file_name, zone_of
from core.transcript.reading import TranscriptReader
from routes import lines, reading
from web.compression import Packer
from web.guard import limit
from web.pieces import AsItIsMade
from web.request import look, services
from web.tokens import READ, token
from web.wording import Wording
from web.words import gettext


@token(READ)
async def as_text(request: Request) -> Response:
    """GET /s/{slug}/transcript.txt: who may read the transcript, also while it goes on.

    As in all formats, `?times=0` leaves out the times and `?chat=0` the chat. `?tz=Europe/Berlin`
    names the reader's time zone, which only a browser knows; `?lang=de` has it in that language, as
    far as it was translated, and with `&both=1` what was said beside it.
    """
    return await _save(request, "txt")


@token(READ)
async def as_markdown(request: Request) -> Response:
    """GET /s/{slug}/transcript.md: likewise."""
    return await _save(request, "md")


@token(READ)
async def as_srt(request: Request) -> Response:
    """GET /s/{slug}/transcript.srt: likewise, without the chat, for which SRT has no place."""
    return await _save(request, "srt")


@token(READ)
async def as_vtt(request: Request) -> Response:
    """GET /s/{slug}/transcript.vtt: likewise, with the chat as comments."""
    return await _save(request, "vtt")


@token(READ)
async def as_json(request: Request) -> Response:
    """GET /s/{slug}/transcript.json: likewise; what programs get at /s/{slug}/transcript."""
    return await _save(request, "json")


@token(READ)
async def as_docx(request: Request) -> Response:
    """GET /s/{slug}/transcript.docx: likewise."""
    return await _save(request, "docx")


async def as_facts(request: Request, at: Look) -> Response:
    """Return all of a transcript as a JSON object, for a program."""
    return await _answer(request, at, "json", {"Cache-Control": "no-store"})


async def _save(request: Request, ending: str) -> Response:
    """Answer with a file whose name ends so."""
    at = await look(request)
    session = reading.readable(request, at)
    return await _answer(request, at, ending, _attached(request, session, ending))


async def _answer(request: Request, at: Look, ending: str, headers: dict[str, str]) -> Response:
    session, parts = reading.readable(request, at), services(request)
    limit(parts.limits.reading, request, at.who)
    media_type, encoder, is_packed = FORMATS[ending]
    packer = None if is_packed else Packer(request.headers)
    if request.method == "HEAD":
        headers |= {} if packer is None else {"Vary": "Accept-Encoding"}
        return StreamingResponse(nothing(), headers=headers, media_type=media_type)
    leave = parts.reader.line.enter(at.who or "")
    try:
        wanted = await _wanted(request, session)
        pages = _pages(parts.reader, session, lines.language_of(request))
        pieces = _pieces(parts.reader, pages, encoder(wanted), packer)
        first = await anext(pieces)  # what fails does so before 200
        await _note_export(request, at, session, ending)
    except BaseException:
        leave()
        raise
    headers |= {} if packer is None else packer.headers
    return AsItIsMade(first, pieces, leave, headers, media_type)


async def nothing() -> AsyncGenerator[bytes]:
    """Yield no byte: the body of an answer to HEAD."""
    for nothing in list[bytes]():
        yield nothing


async def _pages(
    reader: TranscriptReader, session: Session, language: str | None
) -> AsyncGenerator[list[Line]]:
    """Yield all lines of a transcript, some at a time, in a language or as they were said."""
    async for page in reader.all(session):
        yield await reader.translated(session, page, language)


async def _pieces(
    reader: TranscriptReader,
    pages: AsyncIterator[list[Line]],
    encoder: Encoder,
    packer: Packer | None,
) -> AsyncGenerator[bytes]:
    """Yield a file as it is read; nothing of it waits in memory, and no connection, for a reader.

    Each step of some milliseconds is done when nobody else does one, in a thread: what is said
    meanwhile must not wait.
    """
    said: list[Line] | None
    begun = False
    while True:
        async with reader.line.again() if begun else reader.line.turn():
            said = await anext(pages, None)
            piece = await asyncio.to_thread(_laid_out, encoder, said, packer, begun)
        begun = True
        if piece or said is None:  # an empty file has a piece, too
            yield piece
        if said is None:
            return


def _laid_out(
    encoder: Encoder, lines: list[Line] | None, packer: Packer | None, begun: bool
) -> bytes:
    """Return the next piece of a file: of its lines, or for None its end."""
    plain = b"" if begun else encoder.begin()
    plain += encoder.end() if lines is None else encoder.lines(lines)
    return plain if packer is None else packer.packed(plain, last=lines is None)


async def _wanted(request: Request, session: Session) -> Wanted:
    """Return what is asked for. Of a value given twice, as a form's, the last one counts."""
    asked, parts = request.query_params, services(request)
    return Wanted(
        session,
        Wording(),
        times=asked.get("times") != "0",
        chat=asked.get("chat") != "0",
        # Asked before all is read: what came until then is in it.
        complete=not await parts.reader.grows(session),
        zone=zone_of(asked.get("tz", "")),
        both=asked.get("both") == "1",
    )


async def _note_export(request: Request, at: Look, session: Session, ending: str) -> None:
    """Have the owners of a space read which of its members saved a transcript, and as what."""
    if at.person is not None and at.membership is not None:
        with suppress(DatabaseAwayError):  # one that takes no writes gives the file all the same
            await space_events.note_export(
                services(request).db,
                session.space_id,
                at.person,
                session.title,
                detail=f"transcript.{ending}",
            )


def _attached(request: Request, session: Session, ending: str) -> dict[str, str]:
    day = (session.started_at or session.created_at).astimezone(
        zone_of(request.query_params.get("tz", ""))
    )
    return attached(file_name(session.title, day, ending, gettext("Transcript")))


def attached(name: str) -> dict[str, str]:
    """Return the headers of a file of this name, which is saved and kept by nobody on the way."""
    # RFC 6266: the name as it is for who reads UTF-8, and what is left of it in ASCII for others.
    plain = " ".join(normalize("NFKD", name).encode("ascii", "ignore").decode().split())
    return {
        "Cache-Control": "no-store",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}",
    }
