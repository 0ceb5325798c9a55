"""A tally of all streams of a process: what they sent and got back, open ones included.

The streams count for their accounts anyway; it is added up when somebody asks.
"""

from __future__ import annotations

from core.speech.allowance import Metered
from core.speech.engine import StreamUsage


class Tally:
    """Sums over streams; they only grow."""

    def __init__(self) -> None:
        self.open: set[Metered] = set()
        self.opened = 0  # so far
        self._closed = StreamUsage(0.0, 0, 0, 0, 0, 0)  # what the closed ones have done

    def begin(self, stream: Metered) -> None:
        """Count a stream from now on."""
        self.open.add(stream)
        self.opened += 1

    def end(self, stream: Metered) -> None:
        """Note that it does nothing more."""
        self.open.remove(stream)
        self._closed = _sum(self._closed, stream.usage)

    @property
    def usage(self) -> StreamUsage:
        """What all of them have done."""
        total = self._closed
        for stream in self.open:
            total = _sum(total, stream.usage)
        return total


def _sum(one: StreamUsage, other: StreamUsage) -> StreamUsage:
    return StreamUsage(
        seconds_sent=one.seconds_sent + other.seconds_sent,
        frames=one.frames + other.frames,
        partials=one.partials + other.partials,
        finals=one.finals + other.finals,
        errors=one.errors + other.errors,
        reconnects=one.reconnects + other.reconnects,
    )
