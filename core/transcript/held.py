"""What is held for pages that are expected back: in a file alone, as it isn't to be stored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from core.model import Utterance
from core.transcript.journal import CLOSE_TIMEOUT_S, SPOOL_AFTER_S, SPOOL_EVERY_S
from core.transcript.spool import DiskNews, Spool

log = logging.getLogger(__name__)

# Seconds that the file keeps what isn't held any more. Some of it waits to be stored by then, and
# what waits is in another file by that time.
LET_GO_AFTER_S = SPOOL_AFTER_S + SPOOL_EVERY_S + 3.0


class Held:
    """The utterances that the next process is to have, and their file."""

    def __init__(self, spool: Spool[Utterance]) -> None:
        self._spool = spool
        self._news = DiskNews()
        self._utterances: list[Utterance] = []  # what the file should have
        self._written: list[Utterance] = []  # what it has, or will have once `_task` is done
        self._urgent = asyncio.Event()  # the file lacks something, or the process stops
        self._task: asyncio.Task[None] | None = None  # writes the file, while that is underway

    def read(self) -> list[Utterance]:
        """Return what the last process left."""
        self._utterances = self._written = self._spool.read()
        return list(self._utterances)

    def set(self, utterances: list[Utterance]) -> None:
        """Hold these and no others; what is new is written at once, what is gone goes later."""
        self._utterances = list(utterances)
        if not set(utterances) <= set(self._written):
            self._urgent.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())

    async def take_over(self, path: Path, hold: Callable[[list[Utterance]], None]) -> None:
        """Have `hold` call `set` with what a process left in its file as well."""
        other = self._spool.at(path)
        hold(await asyncio.to_thread(other.read))
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])
        if not self._news.failing:
            await asyncio.to_thread(other.replace, [])

    async def close(self) -> None:
        """Write what isn't written yet, as far as the disk lets us; bounded."""
        self._urgent.set()
        if self._task is not None:
            _, late = await asyncio.wait([self._task], timeout=CLOSE_TIMEOUT_S)
            if late:
                log.error("%s could not be written in time", self._spool.path)

    async def _write(self) -> None:
        while self._utterances != self._written:
            with suppress(TimeoutError):
                async with asyncio.timeout(LET_GO_AFTER_S):
                    await self._urgent.wait()
            self._urgent.clear()
            self._written = self._utterances
            try:
                await asyncio.to_thread(self._spool.replace, self._written)
            except OSError as problem:
                self._news.failed(self._spool.path, problem)
            else:
                self._news.worked()
