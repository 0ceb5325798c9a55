"""Minutes: what each space may have transcribed in a day and in a month of UTC.

A stranger's account must not spend all that the operator has prepaid, and nobody should learn what
a month cost from the bill. What streams have sent is in the database once they have ended; what is
open in this process is counted as it goes, and what is open in others once it has ended.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Protocol
from weakref import WeakValueDictionary

from core import audit
from core.database import Database, DatabaseAwayError
from core.speech.allowance import MONTH_USED_UP, Allowance
from core.speech.reasons import Reason
from core.store import usage
from core.store.usage import Spent

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0  # seconds of audio by which each open stream may exceed what is allowed
# Seconds until what ended in other processes is counted, and a bound that was set there counts.
READ_EVERY_S = 10.0
MOST_MINUTES = 1_000_000.0  # that a bound may be: two years' worth of one stream


@dataclass(frozen=True, slots=True)
class Bounds:
    """What every space may use unless it has a bound of its own, in minutes; None: no bound."""

    day: float | None = None
    month: float | None = None


@dataclass(frozen=True, slots=True)
class Cap:
    """What a space may use in a month, in minutes, and who says so; None: no bound.

    `grant` is what who runs the server allows: below it the owners may choose.
    """

    grant: float | None
    chosen: float | None

    @property
    def minutes(self) -> float | None:
        """What counts: the less of both."""
        return min((one for one in (self.grant, self.chosen) if one is not None), default=None)

    @property
    def by_owners(self) -> bool:
        """Whether the owners could raise it by themselves."""
        return self.chosen is not None and self.minutes != self.grant


class Capped(Protocol):
    """What knows the bounds of one space."""

    @property
    def granted(self) -> float | None:
        """Minutes a month by who runs the server; None: what is set for all."""

    @property
    def chosen(self) -> float | None:
        """Minutes a month by the space's owners; None: no less than that."""


def cap_of(bounds: Bounds, space: Capped) -> Cap:
    """Return what a space may use in a month, of what is set for all and for it."""
    return Cap(bounds.month if space.granted is None else space.granted, space.chosen)


class SpaceMinutes:
    """The allowances of all spaces that have a room here."""

    def __init__(self, db: Database, bounds: Bounds, price: float = 0.0) -> None:
        self._db = db
        self._bounds = bounds
        self._price = price  # of a minute, for what earlier releases have stored without one
        # By space. Kept alive by rooms, as long as one is in memory.
        self._of: WeakValueDictionary[str, Allowance] = WeakValueDictionary()
        self._unread: set[str] = set()  # of which nothing was read yet
        self._today = today()  # the day that is counted
        self._counted = False  # whether what earlier releases have stored is counted
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look; called once, in the running loop."""
        self._task = asyncio.create_task(self._look_again_and_again())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def of(self, space: str) -> Allowance:
        """Minutes: return the space's allowance. What is stored counts from the next look on."""
        allowance = self._of.get(space)
        if allowance is None:
            allowance = self._of[space] = Allowance(_seconds(self._bounds.day))
            self._unread.add(space)
        return allowance

    def open_seconds(self, space: str) -> float:
        """Return what streams of a space that are open here have sent this month."""
        allowance = self._of.get(space)
        return 0.0 if allowance is None else allowance.month.open

    async def set_anew(self, space: str) -> None:
        """Learn at once what a space may use from now on. Raises DatabaseAwayError."""
        if space in self._of:
            await self._read([space])
            self._look()

    async def _look_again_and_again(self) -> None:
        loop = asyncio.get_running_loop()
        read_at = loop.time()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                self._turn()
                if loop.time() - read_at >= READ_EVERY_S:
                    read_at = loop.time()
                    await self._read(list(self._of))
                elif self._unread:
                    await self._read(list(self._unread))
                await self._count_older()
            except DatabaseAwayError:
                pass  # what happens here is counted all the same
            except Exception as problem:  # this loop must not end: nothing would be counted
                log.error("minutes could not be read: %s", type(problem).__name__)
            self._look()

    async def _count_older(self) -> None:
        """Count what an earlier release has stored: at the start, and each day what came since.

        Two releases may run side by side for a while.
        """
        while not self._counted:
            done = await usage.count_older(self._db, self._price)
            self._counted = done < usage.COUNTED_AT_ONCE

    def _turn(self) -> None:
        now = today()
        if now <= self._today:  # also after a clock that was set back
            return
        months = {(one.year, one.month) for one in (now, self._today)}
        self._today, self._counted = now, False
        self._unread.update(self._of)
        for allowance in self._of.values():
            allowance.day.begin()
            if len(months) > 1:
                allowance.month.begin()

    async def _read(self, spaces: Collection[str]) -> None:
        if not spaces:
            return
        day = self._today
        found = await usage.spent(self._db, spaces, day)
        if day != self._today:  # the day has turned meanwhile
            return
        self._unread.difference_update(spaces)
        for space, spent in found.items():
            if (allowance := self._of.get(space)) is not None:
                self._learn(allowance, spent)

    def _learn(self, allowance: Allowance, spent: Spent) -> None:
        allowance.day.stored(spent.day)
        allowance.month.stored(spent.month)
        cap = cap_of(self._bounds, spent)
        allowance.month.limit = _seconds(cap.minutes)
        code = "space_choice_used_up" if cap.by_owners else MONTH_USED_UP.code
        # When it begins anew, for the sentence that people read.
        allowance.month.reason = Reason(code, month_after(self._today).isoformat())

    def _look(self) -> None:
        for space, allowance in self._of.items():
            if allowance.look() and allowance.used_up is not None:
                month = allowance.used_up is allowance.month.reason
                audit.note("limited", why="space_month" if month else "space_minutes", space=space)


def _seconds(minutes: float | None) -> float:
    return math.inf if minutes is None else 60 * minutes


def today() -> date:
    """Return the day of UTC."""
    return datetime.now(UTC).date()


def month_after(day: date) -> date:
    """Return the first day of the month after the one of this day."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def month_before(day: date) -> date:
    """Return the first day of the month before the one of this day."""
    return date(day.year - (day.month == 1), (day.month - 2) % 12 + 1, 1)
