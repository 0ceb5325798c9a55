"""Everything of a space as one ZIP, written as it is read: it needs no memory but for its names.

    space.json      its settings, members by name, standing rooms
    log.json        who did what in it; usage.json: what its sessions used, by day
    sessions/2026-11-24 Weekly call abcd-efgh-jkmn-pqrs/
        session.json, transcript.json, transcript.txt, corrections.json, analysis.json
        translations.json, and transcript.de.txt for each language that there is
        audio/00003.200 Ada 5f0c1e2d.ogg: sound, as far as it is kept
    index.json      what is in it, at the end: sessions that were deleted meanwhile are named there

One that breaks off has no table of contents, so that nothing takes it for whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from core.database import Database
from core.model import Session
from core.store import archive as stored
from core.store import sessions, translations
from core.takeout import lines_of
from core.transcript.exports import Encoder, Program, Text, Wanted, Wording, folder_name
from core.transcript.reading import TranscriptReader
from core.zipping import Zip

FORMAT = 1
PIECE = 64 * 1024  # bytes that are sent on at once
INLINE = 16 * 1024  # bytes that are compressed in the loop: less than a millisecond


@dataclass(frozen=True, slots=True)
class Extra:
    """A further file of a session's folder, such as somebody's voice.

    `packed`: whether to compress it. `huge`: it may have more than 2 GiB.
    """

    name: str
    pieces: AsyncIterator[bytes]
    packed: bool = False
    huge: bool = True


class Extras(Protocol):
    """What has more files of sessions than are written here."""

    def __call__(self, session: Session) -> AsyncIterator[Extra]:
        """Yield them in turn: each is read to its end before the next is asked for."""


@dataclass(frozen=True, slots=True)
class Source:
    """What an archive is read from. `server`: the address of this one. `untitled`: in a name.

    `still`: raises a problem once whoever saves it may no longer.
    """

    db: Database
    reader: TranscriptReader
    space_id: str
    server: str
    wording: Wording
    untitled: str
    still: Callable[[], Awaitable[object]]
    extras: Sequence[Extras] = ()


async def written(source: Source, now: datetime) -> AsyncGenerator[bytes]:
    """Yield the archive piece by piece; `now` is when it was asked for."""
    with Zip() as under_way:
        async for piece in _Archive(source, now, under_way).all():
            yield piece


class _Archive:
    def __init__(self, source: Source, now: datetime, under_way: Zip) -> None:
        self._source = source
        self._db = source.db
        self._now = now
        self._zip = under_way
        self._out = bytearray()  # what is to be sent on
        self._index = list[dict[str, Any]]()

    async def all(self) -> AsyncIterator[bytes]:
        """Yield all of it."""
        source = self._source
        about = {"format": FORMAT, "server": source.server, "exported_at": self._now}
        space = await stored.space(self._db, source.space_id)
        async for piece in self._file("space.json", _one(about | (space or {}))):
            yield piece
        log = _listed(stored.part(self._db, source.space_id, "log"))
        usage = _listed(stored.part(self._db, source.space_id, "usage"))
        for name, pieces in (("log.json", log), ("usage.json", usage)):
            async for piece in self._file(name, pieces):
                yield piece
        async for one in stored.sessions(self._db, source.space_id):
            await source.still()
            async for piece in self._session(one):
                yield piece
        await source.still()
        async for piece in self._file("index.json", _one(about | {"sessions": self._index})):
            yield piece
        yield bytes(self._out) + self._zip.end()

    async def _session(self, one: stored.Named) -> AsyncIterator[bytes]:
        told = {"slug": one.slug, "title": one.title}
        session = await sessions.find_by_id(self._db, one.id)
        facts = await stored.session(self._db, one.id)
        if session is None or facts is None:
            self._index.append(told | {"folder": None, "deleted_meanwhile": True})
            return
        day = (session.started_at or session.created_at).astimezone(UTC)
        named = folder_name(session.title, day, self._source.untitled)
        folder = f"sessions/{named} {session.slug}/"
        async for name, pieces in self._files(session, facts):
            async for piece in self._file(folder + name, pieces, day):
                yield piece
        for extras in self._source.extras:
            async for extra in extras(session):
                about = {"packed": extra.packed, "huge": extra.huge}
                async for piece in self._file(folder + extra.name, extra.pieces, day, **about):
                    yield piece
        # What was read of it until then is on its way already.
        gone = {} if await stored.exists(self._db, one.id) else {"deleted_meanwhile": True}
        self._index.append(told | {"folder": folder} | gone)

    async def _files(
        self, session: Session, facts: dict[str, Any]
    ) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
        complete = not await self._source.reader.grows(session)
        wanted = Wanted(session, self._source.wording, complete=complete)
        yield "session.json", _one({"format": FORMAT} | facts)
        # Of what was hidden its owners see the words: who reads the text doesn't.
        hidden = Program(wanted, hidden=True)
        yield "transcript.json", self._transcript(session, hidden, hidden=True)
        yield "transcript.txt", self._transcript(session, Text(wanted), hidden=False)
        pages = stored.corrections(self._db, session.id)
        if (first := await anext(pages, None)) is not None:
            yield "corrections.json", _listed(_with(first, pages))
        pages = stored.translations(self._db, session.id)
        if (first := await anext(pages, None)) is not None:
            yield "translations.json", _listed(_with(first, pages))
        for language in await translations.languages(self._db, session.id):
            pieces = self._transcript(session, Text(wanted), hidden=False, language=language)
            yield f"transcript.{language}.txt", pieces
        if (analysis := await stored.analysis(self._db, session.id)) is not None:
            yield "analysis.json", _one(analysis)

    async def _transcript(
        self, session: Session, encoder: Encoder, *, hidden: bool, language: str | None = None
    ) -> AsyncIterator[bytes]:
        yield encoder.begin()
        reader = self._source.reader
        pages = reader.all(session, hidden=hidden)
        while True:
            # As who reads one by itself: nobody waits for all of an archive.
            async with reader.line.again():
                if (lines := await anext(pages, None)) is None:
                    break
                lines = await reader.translated(session, lines, language)
                piece = await asyncio.to_thread(encoder.lines, lines)
            yield piece
        yield encoder.end()

    async def _file(
        self,
        name: str,
        pieces: AsyncIterator[bytes],
        at: datetime | None = None,
        *,
        packed: bool = True,
        huge: bool = False,
    ) -> AsyncIterator[bytes]:
        """Put a file into the archive, and yield what there is to be sent on by then."""
        self._out += self._zip.begin(name, at or self._now, packed=packed, huge=huge)
        async for piece in pieces:
            if len(piece) <= INLINE or not packed:
                self._out += self._zip.write(piece)
            else:
                self._out += await asyncio.to_thread(self._zip.write, piece)
            if len(self._out) >= PIECE:
                yield bytes(self._out)
                self._out.clear()


async def _one(told: object) -> AsyncIterator[bytes]:
    yield msgspec.json.encode(told) + b"\n"


async def _listed(pages: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[bytes]:
    """Yield a list, each member on a line of its own."""
    yield b"["
    first = True
    async for page in pages:
        yield lines_of(page, first=first)
        first = False
    yield b"]\n"


async def _with(
    first: list[dict[str, Any]], pages: AsyncIterator[list[dict[str, Any]]]
) -> AsyncIterator[list[dict[str, Any]]]:
    yield first
    async for page in pages:
        yield page
