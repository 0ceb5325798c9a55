"""Keeps what was said: finals go to PostgreSQL as they come, and wait while it is away.

Finals, chat lines and accounts of usage each have an outbox. What waits for longer than a moment
is in a file too, and is stored from there at the next start, however this process ends. Storing
twice does no harm: rows are keyed by session, stream and utterance. Who is told that something is
stored can rely on it; what the database refuses for good is told to be lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from core.database import Database
from core.model import MAX_UTTERANCES, ChatLine, StreamAccount, Utterance
from core.speech.resilient import StreamRecord
from core.store import chat, transcripts, usage
from core.transcript.held import Held
from core.transcript.numbers import Numbering, renumber_lines
from core.transcript.outbox import Entry, Outbox
from core.transcript.spool import Spool, V

log = logging.getLogger(__name__)

# That a stopping process waits for the database: for what it said last and, at the very end, for
# what came of that. What isn't stored then is on disk, and the next process stores it.
FLUSH_TIMEOUT_S = 1.0
CLOSE_TIMEOUT_S = 0.5
MAX_RENUMBERINGS = 3  # of one batch at once; after that it is tried again later


class TranscriptWriter:
    """What rooms keep words with: PostgreSQL, and a file while that is away."""

    def __init__(self, db: Database, spool: Path) -> None:
        self._db = db
        # Set by `serve`, once rooms are there: the spool of the last process is taken up before.
        self._find_room: Callable[[str], Numbering | None] = lambda _: None
        # A box each, as each has its own way to be refused, and finals must not wait behind usage.
        self._finals: Outbox[Utterance] = Outbox(
            "an utterance", Spool(spool, _reader(Utterance)), self._store_finals
        )
        self._lines: Outbox[ChatLine] = Outbox(
            "a chat line", Spool(_beside(spool, "chat"), _reader(ChatLine)), self._store_lines
        )
        self._accounts: Outbox[StreamAccount] = Outbox(
            "a stream's account",
            Spool(_beside(spool, "usage"), _reader(StreamAccount)),
            self._store_accounts,
        )
        self._boxes = (self._finals, self._lines, self._accounts)
        # What `hold` was given: a file only, as it isn't to be stored by itself.
        self._held = Held(Spool(_beside(spool, "held"), _reader(Utterance)))

    @property
    def waiting(self) -> int:
        """How many finals are not stored yet."""
        return len(self._finals)

    @property
    def waited_s(self) -> float:
        """How long the oldest of what isn't stored yet has waited, in seconds."""
        return max(box.waited_s for box in self._boxes)

    def stores(self, session_id: str) -> bool:
        """Whether words of this session wait to be stored."""
        return any(one.value.session_id == session_id for one in self._finals.entries)

    def start(self) -> None:
        """Take up what the last process could not store, and begin to write."""
        for box in self._boxes:
            box.start()

    async def close(self, seconds: float = CLOSE_TIMEOUT_S) -> None:
        """Store what waits, at most so long, and spool the rest."""
        await self.flush(seconds)
        if len(self._finals):
            log.warning("%d utterances aren't stored yet: the database is away", len(self._finals))
        # At once: each takes its time where database and disk hang.
        await asyncio.gather(*(one.close() for one in (*self._boxes, self._held)))

    async def flush(self, seconds: float = FLUSH_TIMEOUT_S) -> None:
        """Store what waits, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(box.flush() for box in self._boxes))

    def serve(self, find_room: Callable[[str], Numbering | None]) -> None:
        """Writer of core.room.ports."""
        self._find_room = find_room

    async def said(self, session_id: str) -> list[Utterance]:
        """Writer: stored finals and those that still wait, by seq."""
        # Asked first: what is stored while the statement runs may be in neither otherwise.
        waiting = self.unstored(session_id)
        stored = await self._stored(session_id)
        known = {one.place: one for one in stored}
        for said in [*waiting, *self.unstored(session_id)]:
            known.setdefault(said.place, said)
        return sorted(known.values(), key=lambda one: one.seq)

    def unstored(self, session_id: str) -> list[Utterance]:
        """Return the finals of a session that wait to be stored."""
        waiting = [one.value for one in self._finals.entries]
        return [said for said in waiting if said.session_id == session_id]

    async def _stored(self, session_id: str) -> list[Utterance]:
        return await transcripts.of_session(self._db, session_id, limit=MAX_UTTERANCES)

    def keep(self, said: Entry[Utterance]) -> None:
        """Writer of core.room.ports."""
        self._finals.put(said)

    async def chat(self, session_id: str) -> list[ChatLine]:
        """Writer: stored lines and those that still wait, by id."""
        waiting = self._lines.entries
        stored = await chat.of_session(self._db, session_id)
        # What is stored wins: a line that waits under the same number gets another one then.
        known = {line.id: line for line in stored}
        for line in (one.value for one in [*waiting, *self._lines.entries]):
            if line.session_id == session_id:
                known.setdefault(line.id, line)
        return sorted(known.values(), key=lambda line: line.id)

    def keep_line(self, line: Entry[ChatLine]) -> None:
        """Writer of core.room.ports."""
        self._lines.put(line)

    def hold(self, utterances: list[Utterance]) -> None:
        """Writer of core.room.ports."""
        self._held.set(utterances)

    def held(self) -> list[Utterance]:
        """Writer of core.room.ports."""
        return self._held.read()

    def account(self, session_id: str, identity: str, record: StreamRecord) -> None:
        """Writer: take a stream's account."""
        self._accounts.put(Entry(_account(session_id, identity, record)))

    async def _store_finals(self, batch: list[Entry[Utterance]]) -> Iterable[Entry[Utterance]]:
        # The clash may be with any row of the batch, and another writer may go on meanwhile.
        for _ in range(MAX_RENUMBERINGS):
            try:
                fenced = await transcripts.add(self._db, [_row(one.value) for one in batch])
            except transcripts.SeqTakenError:
                for session_id in {one.value.session_id for one in batch}:
                    await self._renumber(session_id)
            else:
                return self._without(fenced, batch)
        raise transcripts.SeqTakenError

    def _without(
        self, fenced: set[tuple[str, str, str]], batch: list[Entry[Utterance]]
    ) -> list[Entry[Utterance]]:
        """Drop what came after another node had claimed the room: its pages say that anew there.

        They aren't told that it is stored, so that they send it again.
        """
        if not fenced:
            return batch
        late = [one for one in batch if (one.value.session_id, *one.value.place) in fenced]
        log.warning("%d finals came too late: another node has their room", len(late))
        self._finals.take(late)
        return [one for one in batch if one not in late]

    async def _renumber(self, session_id: str) -> None:
        """Give finals that wait another place where the database has given theirs away.

        A session's numbers are given in one room at a time, so this is rare: somebody has written
        into the table, or words waited in a file while another process went on.
        """
        stored = await self._stored(session_id)
        waiting = [one for one in self._finals.entries if one.value.session_id == session_id]
        log.warning("finals of a session are numbered anew: their numbers were taken")
        room = self._find_room(session_id)
        if room is not None:
            room.renumber(stored, waiting)
            return
        # Without a room there is nobody to show it to: any number that is free will do.
        places, taken = {one.place for one in stored}, {one.seq for one in stored}
        last = max([*taken, *(one.value.seq for one in waiting)])
        for one in waiting:
            if one.value.seq in taken and one.value.place not in places:
                last += 1
                one.value = msgspec.structs.replace(one.value, seq=last)

    async def _store_lines(self, batch: list[Entry[ChatLine]]) -> Iterable[Entry[ChatLine]]:
        """Store the first line only, so that a refusal is about it: chat comes slowly."""
        entry = batch[0]
        # False: its number is another line's. To store the same line twice is no refusal, as the
        # answer to the first time may have been lost.
        while not await chat.add(self._db, entry.value):
            session_id = entry.value.session_id
            stored = await chat.of_session(self._db, session_id)
            waiting = [one for one in self._lines.entries if one.value.session_id == session_id]
            log.warning("chat lines of a session are numbered anew: their numbers were taken")
            room = self._find_room(session_id)
            if room is None:
                renumber_lines(stored, waiting)
            else:
                room.renumber_lines(stored, waiting)
        return [entry]

    async def _store_accounts(
        self, batch: list[Entry[StreamAccount]]
    ) -> Iterable[Entry[StreamAccount]]:
        await usage.add(self._db, batch[0].value)
        return batch[:1]


def _reader(kind: type[V]) -> Callable[[bytes], V]:
    return msgspec.json.Decoder(kind).decode


def _beside(spool: Path, what: str) -> Path:
    return spool.with_name(f"{what}-{spool.name}")


def _account(session_id: str, identity: str, record: StreamRecord) -> StreamAccount:
    return StreamAccount(
        session_id=session_id,
        identity=identity,
        stream=record.stream,
        engine=record.engine,
        opened_at=record.opened_at,
        closed_at=record.closed_at,
        **asdict(record.usage),
    )


def _row(one: Utterance) -> dict[str, Any]:
    return {column: getattr(one, column) for column in transcripts.COLUMNS}
