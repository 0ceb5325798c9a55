"""A line for work that would slow everybody down if all who want it had it at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from core.problems import ProblemError

IN_LINE = 10  # who wait or are served; at 0.7 s each, the last one waits for 7 s
PER_PERSON = 2  # of them; until the answer was taken, too: who reads nothing gets no third


class CrowdedError(ProblemError):
    """Too many want it at this moment, or the person already has what they may have at once."""

    status, code = 503, "crowded"
    retry_after = 5


class WaitingLine:
    """Serves one or a few at a time, in the order in which they came, and bounds who waits."""

    def __init__(self, at_once: int = 1) -> None:
        self._turn = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._of: Counter[str] = Counter()  # by person: who waits, is served or takes the answer

    def enter(self, person: str) -> Callable[[], None]:
        """Take a place for a person; call what is returned to give it back.

        Raises CrowdedError when there is none.
        """
        if self._of[person] >= PER_PERSON:
            raise CrowdedError("the person has as many as may be at once")
        self._of[person] += 1
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                self._of[person] -= 1
                if not self._of[person]:
                    del self._of[person]

        return leave

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait to be the one who is served. Raises CrowdedError when too many wait already."""
        if self._waiting >= IN_LINE:
            raise CrowdedError("too many wait already")
        self._waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def again(self) -> AsyncIterator[None]:
        """Wait likewise for a further step of what was begun: it is refused no more."""
        async with self._turn:
            yield


class Places:
    """Room for a few who take long, of which each person has one: nobody waits for it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = set[str]()

    def enter(self, person: str) -> Callable[[], None]:
        """Take a place for a person; call what is returned to give it back.

        Raises CrowdedError when there is none.
        """
        if person in self._taken:
            raise CrowdedError("the person has one already")
        if len(self._taken) >= self._most:
            raise CrowdedError("all places are taken")
        self._taken.add(person)
        return lambda: self._taken.discard(person)
