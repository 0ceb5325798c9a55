"""Exponential backoff: how long to wait before trying again what failed."""

from __future__ import annotations

import random


class Backoff:
    """Pauses that double from `first` to `most` seconds, and begin anew after a success.

    With `least` below 1 each is shortened at random, at most to that share of it, so that those who
    failed together don't come back together: 0.5 keeps half of it, 0 is "full jitter". It counts
    and does not wait, so it works on any clock.
    """

    __slots__ = ("_first", "_least", "_most", "_pause")

    def __init__(self, first: float, most: float, *, least: float = 1.0) -> None:
        self._first = min(first, most)  # seconds
        self._most = most  # seconds
        self._least = least  # share of a pause that is always waited, from 0 to 1
        self._pause = self._first  # what comes next before it is shortened, in seconds

    def next(self) -> float:
        """Return how many seconds to wait now; the next time it is twice as long."""
        pause, self._pause = self._pause, min(2 * self._pause, self._most)
        return self.shortened(pause)

    def reset(self) -> None:
        """Begin again with the shortest pause: something worked."""
        self._pause = self._first

    def shortened(self, seconds: float) -> float:
        """Return a pause of another length, shortened at random as these are."""
        return seconds * random.uniform(self._least, 1)  # noqa: S311 - only spreads attempts
