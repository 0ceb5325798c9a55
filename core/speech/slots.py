"""Slots: how many streams may be open at once, shared fairly between rooms."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from core.backoff import Backoff

# Before another stream is tried after the engine refused one.
REFUSED_PAUSE_S = 1.0
REFUSED_PAUSE_MAX_S = 15.0


@dataclass(slots=True)
class _Waiter:
    room: str
    order: int  # its number among all who ever waited: who came first
    granted: asyncio.Future[None]  # done once it has a slot; cancelled with the task that waits


class SlotPool:
    """Hands out `capacity` slots. The room that holds fewest is served first, then who came first.

    An engine may refuse a stream although a slot was free (another program uses the same
    plan): `refused` then holds back further grants for a moment, doubling up to 15 s.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity  # slots in all
        self._held: Counter[str] = Counter()  # slots in use, by room; no room has 0
        self._waiters: list[_Waiter] = []  # in the order they came
        self._order = itertools.count()  # numbers them
        self._backoff = Backoff(REFUSED_PAUSE_S, REFUSED_PAUSE_MAX_S)  # of grants, after refusals
        # Runs while grants are held back after a refusal; None while they aren't.
        self._resume: asyncio.TimerHandle | None = None
        # Set and replaced when the engine takes a stream, which wakes all who wait for that.
        self._works = asyncio.Event()

    @property
    def contended(self) -> bool:
        """Whether somebody waits, so that holders with nothing to say should let go."""
        return bool(self._waiters)

    @property
    def held(self) -> int:
        """How many slots are in use."""
        return self._held.total()

    async def acquire(self, room: str) -> None:
        """Wait for a slot. Cancelling while waiting leaves the queue."""
        granted = asyncio.get_running_loop().create_future()
        waiter = _Waiter(room, next(self._order), granted)
        self._waiters.append(waiter)
        self._grant()
        try:
            await waiter.granted
        except asyncio.CancelledError:
            # Within one step of the loop a grant may come before the cancellation: then the slot is
            # held by a task that will never know. Or after it: then it passed this waiter over, and
            # took it off the list.
            if waiter.granted.done() and not waiter.granted.cancelled():
                self.release(room)
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            raise

    def release(self, room: str) -> None:
        """Give a slot back."""
        self._held[room] -= 1
        if not self._held[room]:
            del self._held[room]
        self._grant()

    def refused(self, room: str) -> None:
        """Give a slot back that the engine didn't honour, and wait before granting others."""
        if self._resume is None:  # else others were refused in the same moment
            loop = asyncio.get_running_loop()
            self._resume = loop.call_later(self._backoff.next(), self._after_pause)
        self.release(room)

    def honoured(self) -> None:
        """Note that the engine took a stream."""
        self._backoff.reset()
        self._works.set()
        self._works = asyncio.Event()

    async def wait_until_honoured(self, seconds: float) -> None:
        """Wait until the engine takes somebody's stream, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._works.wait()

    def _after_pause(self) -> None:
        self._resume = None
        self._grant()

    def _grant(self) -> None:
        while self._waiters and self._resume is None and self.held < self._capacity:
            # Asked anew for each slot, as each grant changes who holds fewest.
            waiter = min(self._waiters, key=lambda w: (self._held[w.room], w.order))
            self._waiters.remove(waiter)
            if not waiter.granted.done():  # it was cancelled in this step of the loop
                self._held[waiter.room] += 1
                waiter.granted.set_result(None)
