"""The allowance: how much audio of one space may be transcribed in a day.

It counts what goes to the engine, also what is sent twice, as that is what is paid for. Whoever
owns it knows of days and of other processes: see core.minutes. Here is only what streams need.
"""

from __future__ import annotations

import math
from typing import Protocol

from core.speech.engine import BYTES_PER_SECOND, StreamUsage
from core.speech.reasons import Reason

USED_UP = Reason("space_used_up")


class Metered(Protocol):
    """A stream, as far as it is counted."""

    @property
    def usage(self) -> StreamUsage:
        """Return what was sent so far."""

    @property
    def end(self) -> int:
        """Return how many bytes were fed so far: they are sent soon."""


class Allowance:
    """The audio of one space on one day, in seconds; by default without a bound."""

    def __init__(self, limit: float = math.inf) -> None:
        self.used_up = False  # as of the last look: no stream begins, and none goes on
        self._limit = limit
        self._closed = 0.0  # of streams that have ended today
        # The open streams, each with the seconds that were counted the day before.
        self._open: dict[Metered, float] = {}

    @property
    def used(self) -> float:
        """Seconds of today, those of open streams included."""
        return self._closed + sum(_sent(one) - before for one, before in self._open.items())

    def covers(self, seconds: float) -> bool:
        """Whether a stream may begin that is fed so much at once."""
        return self.used + seconds < self._limit

    def opened(self, stream: Metered) -> None:
        """Count a stream from now on."""
        self._open[stream] = 0.0

    def closed(self, stream: Metered) -> None:
        """Count a stream that has ended."""
        before = self._open.pop(stream)
        self._closed += max(0.0, stream.usage.seconds_sent - before)

    def look(self) -> bool:
        """Look whether it is used up; done about once a second. Returns whether that is new."""
        was, self.used_up = self.used_up, self.used >= self._limit
        return self.used_up and not was

    def stored(self, seconds: float) -> None:
        """Learn what the streams of all processes that have ended today sent, as it is stored."""
        # The more of both: what ended here may not be stored yet, and what ended elsewhere is
        # known from there alone.
        self._closed = max(self._closed, seconds)

    def begin_day(self) -> None:
        """Begin anew: what open streams have sent was yesterday's."""
        self._closed = 0.0
        self._open = {one: _sent(one) for one in self._open}


def _sent(stream: Metered) -> float:
    return max(stream.usage.seconds_sent, stream.end / BYTES_PER_SECOND)
