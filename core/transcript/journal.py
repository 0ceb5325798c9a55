"""A journal: keeps the file of an outbox in step with what waits there, away from the event loop.

Nothing is written while the database takes what comes, which is nearly always: only what has
waited for a second goes to the disk, at most once a second, however much it is.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from itertools import islice
from typing import Generic, Protocol, TypeVar

from core.transcript.spool import DiskNews, Spool, V

log = logging.getLogger(__name__)

SPOOL_AFTER_S = 1.0  # seconds that something waits in memory alone
SPOOL_EVERY_S = 1.0  # seconds between two writes: a crash costs at most both together, and a write
MAX_APPENDED = 2_000  # entries of one write, about 1 MB
COMPACT_ABOVE = 1_000  # lines of what is stored already that a file may keep beside what waits
CLOSE_TIMEOUT_S = 1.0  # that a stopping process waits for the disk

V_co = TypeVar("V_co", covariant=True)


class Waiting(Protocol[V_co]):
    """An entry as the journal sees it; one is another however much they are alike."""

    @property
    def value(self) -> V_co:
        """What becomes a line."""


class Journal(Generic[V]):
    """The lines of one outbox's file, by entry."""

    def __init__(self, spool: Spool[V]) -> None:
        self._spool = spool
        self._fresh: dict[Waiting[V], float] = {}  # without a line, and since when: monotonic times
        self._written: dict[Waiting[V], None] = {}  # that wait and have a line, by age
        self._lines = 0  # in the file: those of `_written`, and of what was stored since
        self._news = DiskNews()
        self._turn = asyncio.Lock()  # of who changes the file
        # The write that is underway: it can't be cancelled, and two must not meet.
        self._busy: asyncio.Future[None] | None = None

    @property
    def written(self) -> int:
        """How many that wait have a line."""
        return len(self._written)

    def taken_up(self, entries: Collection[Waiting[V]]) -> None:
        """Note that these came from the file."""
        self._lines = len(entries)
        for one in entries:
            self._has_line(one)

    async def take_over(self, entries: Collection[Waiting[V]]) -> bool:
        """Give lines to what is from another file, before it waits here. Returns whether it has."""
        async with self._turn:
            values = [one.value for one in entries]
            if not await self._write(lambda: self._spool.append(values)):
                return False
            self._lines += len(values)
            self._written.update(dict.fromkeys(entries))
            return True

    def add(self, entry: Waiting[V]) -> None:
        """Note that something waits."""
        if entry not in self._written:
            self._fresh[entry] = time.monotonic()

    def drop(self, entry: Waiting[V]) -> None:
        """Note that it doesn't wait any more."""
        if self._fresh.pop(entry, None) is None:
            self._written.pop(entry, None)

    async def run(self) -> None:
        """Keep the file in step for as long as the process runs."""
        while True:
            await asyncio.sleep(SPOOL_EVERY_S)
            try:
                async with self._turn:
                    await self._step()
            except Exception as problem:  # this loop must not end: a crash would lose what waits
                log.error("%s could not be written: %s", self._spool.path, type(problem).__name__)

    async def hurry(self) -> None:
        """Have on disk what waits now, however short; bounded."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S), self._turn:
                while self._fresh and await self._append(list(islice(self._fresh, MAX_APPENDED))):
                    pass

    async def _step(self) -> None:
        since = next(iter(self._fresh.values()), None)
        if since is not None and time.monotonic() - since >= SPOOL_AFTER_S:
            await self._append(list(islice(self._fresh, MAX_APPENDED)))
        elif self._lines and not self._written:
            await self._replace([])
        elif self._lines > 2 * len(self._written) + COMPACT_ABOVE:
            await self._replace([one.value for one in self._written])

    async def _append(self, entries: list[Waiting[V]]) -> bool:
        values = [one.value for one in entries]
        if not await self._write(lambda: self._spool.append(values)):
            return False
        self._lines += len(values)
        for one in entries:
            self._has_line(one)
        return True

    def _has_line(self, entry: Waiting[V]) -> None:
        if self._fresh.pop(entry, None) is not None:  # else it waits no more
            self._written[entry] = None

    async def _replace(self, values: list[V]) -> bool:
        done = await self._write(lambda: self._spool.replace(values))
        if done:
            self._lines = len(values)
        return done

    async def _write(self, work: Callable[[], None]) -> bool:
        """Let a thread do it. Returns whether it succeeded."""
        if self._busy is not None:  # who waited for it has given up
            await asyncio.wait([self._busy])
        self._busy = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            await asyncio.shield(self._busy)
        except OSError as problem:
            self._news.failed(self._spool.path, problem)
            return False
        self._news.worked()
        return True

    async def close(self) -> None:
        """Have what waits in the file and nothing else, as far as the disk lets us; bounded."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                if self._busy is not None:
                    await asyncio.wait([self._busy])  # its task was cancelled
                    self._busy = None
                await self._settle()
        except TimeoutError:
            log.error("%s could not be written in time", self._spool.path)

    async def _settle(self) -> None:
        written, fresh = ([one.value for one in some] for some in (self._written, self._fresh))
        if not await self._replace([*written, *fresh]) and fresh:
            # There may be no place for a second file, and still for what is new.
            await self._write(lambda: self._spool.append(fresh))
