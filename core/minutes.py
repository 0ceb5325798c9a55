"""Minutes: what each space may have transcribed in a day (UTC), over all its rooms and processes.

A stranger's account must not spend all that the operator has prepaid. What streams have sent is in
the database once they have ended; what is open in this process is counted as it goes, and what is
open in others once it has ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from core import audit
from core.database import Database, DatabaseAwayError
from core.speech.allowance import Allowance
from core.store import usage

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0  # seconds of audio by which each open stream may exceed what is allowed
READ_EVERY_S = 30.0  # seconds until what ended in other processes is counted


class SpaceMinutes:
    """The allowances of all spaces that have a room here."""

    def __init__(self, db: Database, limit: float | None) -> None:
        self._db = db
        self._limit = limit  # minutes a day of each space; None: no bound, and nothing is asked
        # By space. Kept alive by rooms, as long as one is in memory.
        self._of: WeakValueDictionary[str, Allowance] = WeakValueDictionary()
        self._midnight = midnight()  # when the day began that is counted
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look; called once, in the running loop."""
        if self._limit is not None:
            self._task = asyncio.create_task(self._look_again_and_again())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def of(self, space: str) -> Allowance:
        """Minutes: return the space's allowance. Raises DatabaseAwayError."""
        if self._limit is None:
            return Allowance()
        allowance = self._of.get(space)
        if allowance is None:  # before anything is awaited: two rooms must have the same one
            allowance = self._of[space] = Allowance(60 * self._limit)
        await self._read([space])
        self._look()
        return allowance

    async def _look_again_and_again(self) -> None:
        loop = asyncio.get_running_loop()
        read_at = loop.time()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self._turn_day()
            if loop.time() - read_at >= READ_EVERY_S:
                read_at = loop.time()
                try:
                    await self._read(list(self._of))
                except DatabaseAwayError:
                    pass  # what happens here is counted all the same
                except Exception as problem:  # this loop must not end: nothing would be counted
                    log.error("minutes could not be read: %s", type(problem).__name__)
            self._look()

    def _turn_day(self) -> None:
        now = midnight()
        if now > self._midnight:  # not after a clock that was set back
            self._midnight = now
            for allowance in self._of.values():
                allowance.begin_day()

    async def _read(self, spaces: Collection[str]) -> None:
        if not spaces:
            return
        day = self._midnight
        sent = await usage.of_day(self._db, spaces, day)
        if day != self._midnight:  # the day has turned meanwhile
            return
        for space, seconds in sent.items():
            if (allowance := self._of.get(space)) is not None:
                allowance.stored(seconds)

    def _look(self) -> None:
        for space, allowance in self._of.items():
            if allowance.look():
                audit.note("limited", why="space_minutes", space=space)


def midnight() -> datetime:
    """Return when the day of UTC began."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
