"""Keeps what was said: finals go to PostgreSQL as they come, and wait while it is away.

Finals, chat lines, accounts of usage and translations each have an outbox. What waits for longer
than a moment is in a file too, and is stored from there at the next start, however this process
ends. Storing twice does no harm: rows are keyed by session, stream and utterance. Who is told that
something is stored can rely on it; what the database refuses for good is told to be lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Generator, Iterable
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from core.corrections import UNCORRECTED, Corrections
from core.database import Database
from core.model import ChatLine, StreamAccount, Translated, Utterance
from core.speech.resilient import StreamRecord
from core.store import chat, corrected, translations, usage
from core.transcript.finals import Finals
from core.transcript.held import Held
from core.transcript.numbers import Numbering, renumber_lines
from core.transcript.outbox import Entry, Outbox
from core.transcript.spool import Spool, V

log = logging.getLogger(__name__)

# That a stopping process waits for the database: for what it said last and, at the very end, for
# what came of that. What isn't stored then is on disk, and the next process stores it.
FLUSH_TIMEOUT_S = 1.0
CLOSE_TIMEOUT_S = 0.3
INHERIT_EVERY_S = 5.0  # between two looks for what other processes left


Spools = Generator[Path, None, None]  # files, each locked until the next is asked for


def _nothing() -> Spools:
    """Return no spools."""
    yield from ()


class TranscriptWriter:
    """What rooms keep words with: PostgreSQL, and a file while that is away."""

    def __init__(
        self,
        db: Database,
        spool: Path,
        abandoned: Callable[[], Generator[Path, None, None]] = _nothing,
        *,
        price: float = 0.0,
    ) -> None:
        self._db = db
        self._price = price  # of a minute of audio today, for the accounts of streams
        self._abandoned = abandoned  # spools that nobody else will store: Node.abandoned
        self._set_aside: Callable[[list[Utterance]], None] = lambda _: None  # set by `serve`
        self._inheriting: asyncio.Task[None] | None = None  # looks for them, until `close`
        # Set by `serve`, once rooms are there: the spool of the last process is taken up before.
        self._find_room: Callable[[str], Numbering | None] = lambda _: None
        # A box each, as each has its own way to be refused, and finals must not wait behind usage.
        finals, lines, accounts, translations, held = _files(spool)
        self._finals = Finals(db, Spool(finals, _reader(Utterance)))
        self._lines: Outbox[ChatLine] = Outbox(
            "a chat line", Spool(lines, _reader(ChatLine)), self._store_lines
        )
        self._accounts: Outbox[StreamAccount] = Outbox(
            "a stream's account", Spool(accounts, _reader(StreamAccount)), self._store_accounts
        )
        self._translations: Outbox[Translated] = Outbox(
            "a translation", Spool(translations, _reader(Translated)), self._store_translations
        )
        self._boxes: tuple[Outbox[Any], ...] = (
            self._finals,
            self._lines,
            self._accounts,
            self._translations,
        )
        # What `hold` was given: a file only, as it isn't to be stored by itself.
        self._held = Held(Spool(held, _reader(Utterance)))

    @property
    def waiting(self) -> int:
        """How many finals are not stored yet."""
        return len(self._finals)

    @property
    def depths(self) -> list[tuple[str, int, int]]:
        """What waits, by kind: how much of it, and how much of that is on disk, too."""
        return [(box.kind, len(box), box.on_disk) for box in self._boxes]

    @property
    def waited_s(self) -> float:
        """How long the oldest of what isn't stored yet has waited, in seconds."""
        return max(box.waited_s for box in self._boxes)

    def stores(self, session_id: str) -> bool:
        """Whether words of this session wait to be stored."""
        return bool(self._finals.waiting_of(session_id))

    def start(self) -> None:
        """Take up what the last process could not store, and begin to write."""
        for box in self._boxes:
            box.start()
        self._inheriting = asyncio.create_task(self._inherit())

    async def close(self, seconds: float = CLOSE_TIMEOUT_S) -> None:
        """Store what waits, at most so long, and spool the rest."""
        if self._inheriting is not None:
            self._inheriting.cancel()
        # First: who stops us may have no patience. Usually nothing waits.
        await asyncio.gather(*(box.hurry() for box in self._boxes))
        await self.flush(seconds)
        if len(self._finals):
            log.warning("%d utterances aren't stored yet: the database is away", len(self._finals))
        # At once: each takes its time where database and disk hang.
        await asyncio.gather(self._held.close(), *(box.close() for box in self._boxes))

    async def flush(self, seconds: float = FLUSH_TIMEOUT_S) -> None:
        """Store what waits, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(box.flush() for box in self._boxes))

    def forget(self, session_ids: Collection[str]) -> None:
        """Writer of core.room.ports."""
        for box in self._boxes:
            box.take([one for one in box.entries if one.value.session_id in session_ids])

    def serve(
        self,
        find_room: Callable[[str], Numbering | None],
        set_aside: Callable[[list[Utterance]], None],
    ) -> None:
        """Writer of core.room.ports."""
        self._find_room, self._set_aside = find_room, set_aside
        self._finals.serve(find_room, set_aside)

    async def _inherit(self) -> None:
        """Take over what processes left that aren't there any more and don't come back."""
        left = set[Path]()  # what can't be taken over: once is enough to be told of
        while True:
            await asyncio.sleep(INHERIT_EVERY_S)
            try:
                with closing(self._abandoned()) as spools:
                    for spool in spools:
                        if spool not in left:
                            left.add(spool)
                            await self._take_over(spool)
                            if not any(path.exists() for path in _files(spool)):
                                left.discard(spool)
            except OSError as problem:
                log.warning("a file of another process is left alone: %s", problem.strerror)

    async def _take_over(self, spool: Path) -> None:
        log.warning("what another process left in %s is taken over", spool.name)
        *files, held = _files(spool)
        for box, path in zip(self._boxes, files, strict=True):
            await box.take_over(path)
        await self._held.take_over(held, self._set_aside)

    async def said(self, session_id: str) -> list[Utterance]:
        """Return a session's finals by seq, those that still wait included."""
        return await self._finals.said(session_id)

    def unstored(self, session_id: str) -> list[Utterance]:
        """Return the finals of a session that wait to be stored, the oldest first."""
        return [one.value for one in self._finals.waiting_of(session_id) if not one.gone]

    def unstored_chat(self, session_id: str) -> list[ChatLine]:
        """Return the chat lines of a session that wait to be stored, the oldest first."""
        return [one.value for one in self._lines.entries if one.value.session_id == session_id]

    async def load(self, session_id: str, epoch: int) -> list[Utterance]:
        """Writer of core.room.ports."""
        return await self._finals.load(session_id, epoch)

    async def corrections(self, session_id: str) -> Corrections:
        """Writer of core.room.ports."""
        found = await corrected.news(self._db, {session_id: 0})
        return found.get(session_id, UNCORRECTED)

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

    async def translations(self, session_id: str) -> list[Translated]:
        """Writer of core.room.ports."""
        waiting = self._translations.entries
        known = {
            (one.key, one.language): one for one in await translations.of(self._db, session_id)
        }
        for one in (entry.value for entry in [*waiting, *self._translations.entries]):
            if one.session_id == session_id:
                known.setdefault((one.key, one.language), one)
        return list(known.values())

    def keep_translation(self, one: Entry[Translated]) -> None:
        """Writer of core.room.ports."""
        self._translations.put(one)

    def hold(self, utterances: list[Utterance]) -> None:
        """Writer of core.room.ports."""
        self._held.set(utterances)

    def held(self) -> list[Utterance]:
        """Writer of core.room.ports."""
        return self._held.read()

    def account(self, session_id: str, identity: str, record: StreamRecord) -> None:
        """Writer: take a stream's account."""
        price = usage.price_of(record.engine, self._price)
        self._accounts.put(Entry(_account(session_id, identity, record, price)))

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

    async def _store_translations(
        self, batch: list[Entry[Translated]]
    ) -> Iterable[Entry[Translated]]:
        await translations.add(self._db, [entry.value for entry in batch])
        return batch

    async def _store_accounts(
        self, batch: list[Entry[StreamAccount]]
    ) -> Iterable[Entry[StreamAccount]]:
        await usage.add(self._db, batch[0].value, self._price)
        return batch[:1]


def _reader(kind: type[V]) -> Callable[[bytes], V]:
    return msgspec.json.Decoder(kind).decode


def _files(spool: Path) -> list[Path]:
    """Return the files of a place: of finals, chat lines, accounts, translations, what is held."""
    others = ("chat", "usage", "translated", "held")
    return [spool, *(spool.with_name(f"{what}-{spool.name}") for what in others)]


def _account(session_id: str, identity: str, record: StreamRecord, price: float) -> StreamAccount:
    return StreamAccount(
        session_id=session_id,
        identity=identity,
        stream=record.stream,
        engine=record.engine,
        opened_at=record.opened_at,
        closed_at=record.closed_at,
        price=price,
        **asdict(record.usage),
    )
