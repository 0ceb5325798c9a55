"""What of a microphone's audio is wanted: not of another page's turn, a pause, or before a yes.

It is asked by when something was said, in session seconds, and not by when it came: audio may be
minutes late, and what nobody was to hear is as little heard then.
"""

from __future__ import annotations

import math

from core.speech.clock import PageClock
from core.speech.withheld import Withheld


class Wanted:
    """Decides for one microphone; `paused` is of all of its room."""

    __slots__ = ("_clock", "_paused", "_unagreed", "_until")

    def __init__(self, clock: PageClock, paused: Withheld) -> None:
        self._clock = clock  # the microphone's: samples → session seconds
        self._paused = paused  # when hosts paused
        self._unagreed = Withheld()  # when who speaks didn't want to be transcribed, or hadn't said
        # Session time after which nothing is wanted: another page is the active one. None: it's us.
        self._until: float | None = None

    @property
    def elsewhere(self) -> bool:
        """Whether another page is the active one."""
        return self._until is not None

    @property
    def barred(self) -> bool:
        """Whether nothing that is said now is wanted by who says it."""
        return self._unagreed.now

    @property
    def nothing_now(self) -> bool:
        """Whether nothing is wanted of what this page says now."""
        return self.barred or self._paused.now

    def stand_by(self, at: float) -> None:
        """Want nothing that is said after this, unless that is so already."""
        if self._until is None:
            self._until = at

    def go_on(self) -> None:
        """Want what is said, also what was said since it stood by."""
        self._until = None

    def hear_from(self, since: float, now: float) -> None:
        """Want what is said from `since` on: infinity for nothing, minus infinity for whatever."""
        if since == math.inf:
            self._unagreed.set([(-math.inf, None)])
        elif since > -math.inf or self.barred:
            # Who need not be asked any more was unasked until now. And no clock is right for ever:
            # nobody agrees in the future.
            self._unagreed.set([(-math.inf, now if since == -math.inf else min(since, now))])

    def refuses(self, first: int, until: int) -> bool:
        """Whether these samples aren't to be transcribed."""
        clock = self._clock
        if self._until is not None and clock.latest(until) > self._until:
            return True
        if not self._paused and not self._unagreed:  # as for nearly all
            return False
        begin, end = clock.latest(first), clock.latest(until)
        return self._paused.covers(begin, end) or self._unagreed.covers(begin, end)

    def of(self, first: int, until: int) -> list[tuple[int, int]]:
        """Return what is wanted of these samples, as stretches of them."""
        if self.barred or self.elsewhere:
            return []
        agreed = self._unagreed.samples_left(first, until, self._clock)
        return [one for left in agreed for one in self._paused.samples_left(*left, self._clock)]
