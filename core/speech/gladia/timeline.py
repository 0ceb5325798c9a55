"""Positions: where the service's count of received audio stands against ours. No I/O."""

from __future__ import annotations

from bisect import bisect_right

from core.speech.engine import BYTES_PER_SAMPLE, BYTES_PER_SECOND


class Timeline:
    """Where the service's count of received audio stands against ours.

    Both count bytes. When an acknowledgment was lost with the connection, its audio is sent
    again and counted twice: from there on the service's positions and times run ahead of
    ours by `shift` bytes.
    """

    __slots__ = ("_base", "_counted", "_first", "_shifts", "resumed_from", "sent", "uncertain")

    def __init__(self) -> None:
        # All in bytes. Ours count what was fed; the service's what it received.
        self.sent = 0  # our position up to which audio was given to the present connection
        self.resumed_from = 0  # where in our audio the present connection began
        self.uncertain = 0  # bytes sent again of which it is not clear yet if they had arrived
        # Whether the first acknowledgment of a connection but the first is due: it tells the shift.
        self._first = False
        self._base = 0  # where the service's ranges begin to count
        self._counted = [0]  # service positions from which on ...
        self._shifts = [0]  # ... these shifts hold

    @property
    def shift(self) -> int:
        """Bytes by which the service is ahead now."""
        return self._shifts[-1]

    def connected(self, position: int) -> None:
        """Note that a connection is open on which audio is sent from our `position` on."""
        self._first = self.sent > 0
        self.uncertain = self.sent - position
        self.resumed_from = self.sent = position

    def acknowledged(self, start: int, end: int) -> int:
        """Take an acknowledged range; return our position before which all has arrived."""
        end += end % BYTES_PER_SAMPLE  # an odd end is the last byte, not the one behind it
        if self._first:
            self._first = False
            self.uncertain = 0
            self._align(start)
        ours = self._base + end - self.shift
        if ours > self.sent:
            # More than was sent on this connection: the rest was sent twice and counted twice.
            self._move(self._base + end, ours - self.sent)
            return self.sent
        return max(0, ours)

    def seconds(self, time: float) -> float:
        """Turn seconds on the service's clock into seconds of audio that we fed."""
        counted = int(time * BYTES_PER_SECOND)
        shift = self._shifts[bisect_right(self._counted, counted) - 1]
        return max(0.0, time - shift / BYTES_PER_SECOND)

    def _align(self, start: int) -> None:
        expected = self.resumed_from + self.shift
        if start == 0 and expected > 0:  # it counts from each connection's beginning
            self._base = expected
        elif self._base + start > expected:
            self._move(self._base + start, self._base + start - expected)

    def _move(self, counted: int, by: int) -> None:
        self._counted.append(counted)
        self._shifts.append(self.shift + by)
