"""A line for work that would slow everybody down if all who want it had it at once."""

from __future__ import annotations

import asyncio
import math
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


class Places:
    """Room for some at the same time, of whom each person is a few: nobody waits for a place."""

    def __init__(
        self, most: float, each: int = 1, refusal: type[ProblemError] = CrowdedError
    ) -> None:
        self._most = most  # of all together
        self._each = each  # of one person
        self._refusal = refusal
        self._of: Counter[str] = Counter()

    def enter(self, person: str) -> Callable[[], None]:
        """Take a place for a person; call what is returned to give it back, once or more often.

        Raises the refusal when there is none.
        """
        if self._of[person] >= self._each:
            raise self._refusal("the person has as many as may be at once")
        if self._of.total() >= self._most:
            raise self._refusal("all places are taken")
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


class WaitingLine:
    """Serves one or a few at a time, in the order in which they came, and bounds who waits."""

    def __init__(self, at_once: int = 1) -> None:
        self._turn = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._people = Places(math.inf, PER_PERSON)  # who waits, is served or takes the answer

    def enter(self, person: str) -> Callable[[], None]:
        """Take a place for a person; call what is returned to give it back.

        Raises CrowdedError when there is none.
        """
        return self._people.enter(person)

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
