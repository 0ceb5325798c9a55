"""The allowance: how much audio of one space may be transcribed in a day and in a month.

It counts what goes to the engine, also what is sent twice, as that is what is paid for. Whoever
owns it knows of days, months and other processes: see core.minutes. Here is only what streams need.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol

from core.speech.engine import BYTES_PER_SECOND, StreamUsage
from core.speech.reasons import Reason

Period = Literal["day", "month"]

USED_UP = Reason("space_used_up")
MONTH_USED_UP = Reason("space_month_used_up")
NEARLY = 0.8  # of a bound, from which on hosts are warned


class Metered(Protocol):
    """A stream, as far as it is counted."""

    @property
    def usage(self) -> StreamUsage:
        """Return what was sent so far."""

    @property
    def end(self) -> int:
        """Return how many bytes were fed so far: they are sent soon."""


class Budget:
    """The audio of one space in one period, in seconds; by default without a bound."""

    def __init__(self, limit: float, reason: Reason) -> None:
        self.limit = limit  # may become another while streams are open
        self.reason = reason  # why nothing is transcribed, once it is used up
        self._closed = 0.0  # of streams that have ended in this period
        # The open streams, each with the seconds that were counted in the period before.
        self._open: dict[Metered, float] = {}

    @property
    def open(self) -> float:
        """Seconds of this period of streams that are open."""
        return sum(_sent(one) - before for one, before in self._open.items())

    @property
    def used(self) -> float:
        """Seconds of this period, those of open streams included."""
        return self._closed + self.open

    def opened(self, stream: Metered) -> None:
        """Count a stream from now on."""
        self._open[stream] = 0.0

    def closed(self, stream: Metered) -> None:
        """Count a stream that has ended."""
        before = self._open.pop(stream)
        self._closed += max(0.0, stream.usage.seconds_sent - before)

    def stored(self, seconds: float) -> None:
        """Learn what the streams of all processes that have ended sent, as it is stored."""
        # The more of both: what ended here may not be stored yet, and what ended elsewhere is
        # known from there alone.
        self._closed = max(self._closed, seconds)

    def begin(self) -> None:
        """Begin anew: what open streams have sent was the last period's."""
        self._closed = 0.0
        self._open = {one: _sent(one) for one in self._open}


class Allowance:
    """The budgets of one space."""

    def __init__(self, day: float = math.inf, month: float = math.inf) -> None:
        self.day, self.month = Budget(day, USED_UP), Budget(month, MONTH_USED_UP)
        # As of the last look: why no stream begins and none goes on; None while there is some left.
        self.used_up: Reason | None = None
        # As of then: of which period most is used up, but not all; what hosts are warned of.
        self.near: Period | None = None

    def covers(self, seconds: float) -> bool:
        """Whether a stream may begin that is fed so much at once."""
        return all(one.used + seconds < one.limit for one in (self.day, self.month))

    def opened(self, stream: Metered) -> None:
        """Count a stream from now on."""
        self.day.opened(stream)
        self.month.opened(stream)

    def closed(self, stream: Metered) -> None:
        """Count a stream that has ended."""
        self.day.closed(stream)
        self.month.closed(stream)

    def look(self) -> bool:
        """Look what is used up; done about once a second. Returns whether that is new."""
        was = self.used_up
        # The month first: who reads that captions go on at midnight must find that they do.
        both = (self.month, self.day)
        self.used_up = next((one.reason for one in both if one.used >= one.limit), None)
        self.near = None if self.used_up else self._near()
        return self.used_up is not None and was is None

    def _near(self) -> Period | None:
        if self.month.used >= NEARLY * self.month.limit:
            return "month"
        return "day" if self.day.used >= NEARLY * self.day.limit else None


def _sent(stream: Metered) -> float:
    return max(stream.usage.seconds_sent, stream.end / BYTES_PER_SECOND)
