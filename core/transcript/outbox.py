"""An outbox: what waits to be stored, in order, bounded, and soon in a file for who comes after us.

Finals, chat lines and usage all go this way: written together, tried again while the database is
away, and told apart when it refuses one of them for good. A row that is written twice must do no
harm, because an answer may be lost on its way back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Generic

import asyncpg

from core.backoff import Backoff
from core.database import DatabaseAwayError
from core.metrics import NOT_STORED
from core.transcript.journal import Journal
from core.transcript.spool import Spool, V

log = logging.getLogger(__name__)

MAX_WAITING = 10_000  # entries of one box; about an hour of 30 people talking
BATCH = 200  # entries of one statement
GATHER_S = 0.1  # in which entries come together after a write: many at once cost little more
RETRY_FIRST_S = 0.5
RETRY_MAX_S = 10.0
CANCEL_TIMEOUT_S = 0.2
# About the row itself: trying again can't help. Anything else (a full disk, a server that turned
# read-only) passes, and words wait for it.
REFUSALS = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)


def _nobody(*_: object) -> None:
    """Who needs not be told."""


@dataclass(slots=True, eq=False)
class Entry(Generic[V]):
    """A value that is to be stored, and whom to tell what became of it.

    `lost` is told whether the database refused the value: else there was no place for it.
    """

    value: V
    stored: Callable[[], None] = _nobody
    lost: Callable[[bool], None] = _nobody
    gone: bool = False  # it was let go without being stored
    since: float = field(default_factory=time.monotonic)  # when it was made, in seconds


class Outbox(Generic[V]):
    """Stores entries in the order in which they were put in, as soon as the database takes them.

    `store` writes a batch and returns which of it are stored now; of the others it has taken care.
    It raises one of REFUSALS when a row can't be stored, and anything else to be tried again.
    """

    def __init__(
        self,
        what: str,
        spool: Spool[V],
        store: Callable[[list[Entry[V]]], Awaitable[Iterable[Entry[V]]]],
    ) -> None:
        self._what = what  # what one entry is called in the log
        self.kind = what.rpartition(" ")[2]  # and in metrics: utterance, line, account
        for why in ("overflow", "refused"):  # from zero on, as an alert looks at what they grow by
            NOT_STORED.labels(self.kind, why)
        self._spool = spool  # the file between two processes
        self._journal = Journal(spool)  # which writes it
        self._store = store
        self._waiting: dict[Entry[V], None] = {}  # by age
        self._writing: set[Entry[V]] = set()  # those that the statement in flight has
        self._news = asyncio.Event()  # something waits
        self._empty = asyncio.Event()  # nothing waits; set and cleared with `_waiting`
        self._empty.set()
        self._overflowing = False  # entries were given up since it was empty
        self._tasks: list[asyncio.Task[None]] = []  # which store and spool, until `close`

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def entries(self) -> list[Entry[V]]:
        """What isn't stored yet, the oldest first."""
        return list(self._waiting)

    @property
    def on_disk(self) -> int:
        """How many of them are in the file, too."""
        return self._journal.written

    @property
    def waited_s(self) -> float:
        """How long the oldest has waited, in seconds."""
        oldest = next(iter(self._waiting), None)
        return 0.0 if oldest is None else time.monotonic() - oldest.since

    def start(self) -> None:
        """Take up what the last process could not store, and begin to write."""
        entries = [Entry(value) for value in self._spool.read()]
        for entry in entries:
            self.put(entry)
        self._journal.taken_up(entries)
        loops = (self._run, self._journal.run)
        self._tasks = [asyncio.create_task(one()) for one in loops]

    async def take_over(self, path: Path) -> None:
        """Take up what a process left in its file and nobody else will store."""
        other = self._spool.at(path)
        values = await asyncio.to_thread(other.read)
        if len(self) + len(values) > MAX_WAITING:
            return  # it waits there as well as here
        entries = [Entry(value) for value in values]
        if entries and not await self._journal.take_over(entries):
            return
        for entry in entries:
            self.put(entry)
        await asyncio.to_thread(other.replace, [])

    def put(self, entry: Entry[V]) -> None:
        """Take an entry. Never blocks: the oldest is given up when 10,000 already wait."""
        if len(self._waiting) >= MAX_WAITING:
            oldest = next(one for one in self._waiting if one not in self._writing)
            if not self._overflowing:  # once, not for each
                self._overflowing = True
                log.error("the database is away for too long: %s was given up", self._what)
            NOT_STORED.labels(self.kind, "overflow").inc()
            self.take([oldest])
            oldest.lost(False)
        entry.gone = False
        self._waiting[entry] = None
        self._journal.add(entry)
        self._empty.clear()
        self._news.set()

    async def flush(self) -> None:
        """Return once nothing waits."""
        await self._empty.wait()

    async def hurry(self) -> None:
        """Have on disk what waits now: little time is left."""
        await self._journal.hurry()

    async def close(self) -> None:
        """Write nothing more, and spool what waits, as far as the disk lets us; bounded."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            # A statement that hangs may take its time to be cancelled, and is no reason to wait.
            await asyncio.wait(self._tasks, timeout=CANCEL_TIMEOUT_S)
        await self._journal.close()

    def _take_out(self, entry: Entry[V]) -> None:
        self._waiting.pop(entry, None)
        self._journal.drop(entry)
        if not self._waiting:
            self._overflowing = False
            self._empty.set()

    async def _run(self) -> None:
        backoff = Backoff(RETRY_FIRST_S, RETRY_MAX_S)
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                while self._waiting:
                    await self._write(list(islice(self._waiting, BATCH)))
                backoff.reset()
            except Exception as problem:
                if not isinstance(problem, DatabaseAwayError):
                    log.error("the database takes nothing: %s", type(problem).__name__)
                self._news.set()
                await asyncio.sleep(backoff.next())
            await asyncio.sleep(GATHER_S)

    async def _write(self, batch: list[Entry[V]]) -> None:
        """Store entries together; if one is refused, store the others without it."""
        self._writing.update(batch)
        try:
            stored = set(await self._store(batch))
        except REFUSALS as problem:
            if len(batch) == 1:
                self._refused(batch[0], problem)
            else:
                for one in batch:
                    await self._write([one])
            return
        finally:
            self._writing.difference_update(batch)
        for one in batch:
            if one in stored:
                self._take_out(one)
                one.stored()

    def take(self, entries: Iterable[Entry[V]]) -> None:
        """Let these go without storing them: somebody else has them now."""
        for one in entries:
            one.gone = True
            self._take_out(one)

    def _refused(self, entry: Entry[V], problem: Exception) -> None:
        """Let go of what can't be stored, as when its session or participant was deleted."""
        log.error("%s was refused by the database: %s", self._what, type(problem).__name__)
        NOT_STORED.labels(self.kind, "refused").inc()
        self.take([entry])
        entry.lost(True)
