"""What is withheld: while hosts pause, or who speaks hasn't agreed, nothing goes to an engine.

Times are session seconds. A frame counts by when it was spoken, not by when it came: what was said
before a pause may come late and is taken, what was said in it is never taken, however late.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from core.speech.clock import PageClock
from core.speech.engine import SAMPLE_RATE


class Withheld:
    """The stretches of a session in which nothing is transcribed, of all its microphones or one."""

    __slots__ = ("_spans",)

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []  # from, until; in order, apart from each other

    def __bool__(self) -> bool:
        return bool(self._spans)

    @property
    def now(self) -> bool:
        """Whether nothing is transcribed at the moment."""
        return bool(self._spans) and self._spans[-1][1] == math.inf

    def set(self, spans: Iterable[tuple[float, float | None]]) -> None:
        """Have these stretches, in order; one without an end goes on."""
        self._spans = [(first, math.inf if until is None else until) for first, until in spans]

    def covers(self, first: float, until: float) -> bool:
        """Whether any of what was said between these is withheld."""
        # The newest first: what comes was said just now, nearly always.
        for begin, end in reversed(self._spans):
            if end <= first and end < math.inf:
                break
            if until > begin:
                return True
        return False

    def samples_left(self, first: int, until: int, clock: PageClock) -> list[tuple[int, int]]:
        """Return what of a page's samples isn't withheld; all where nobody can know their times."""
        if not self._spans or not clock.known:
            return [(first, until)]
        zero = clock.latest(first)
        left = [
            (first + round((begin - zero) * SAMPLE_RATE), first + round((end - zero) * SAMPLE_RATE))
            for begin, end in self.without(zero, clock.latest(until))
        ]
        return [(begin, end) for begin, end in left if end > begin]

    def without(self, first: float, until: float) -> list[tuple[float, float]]:
        """Return what is left of a stretch of time when what is withheld is taken out."""
        left, at = [], first
        for begin, end in self._spans:
            if end <= at or begin >= until:
                continue
            if begin > at:
                left.append((at, begin))
            at = end
        if at < until:
            left.append((at, until))
        return left
