"""A page's clock: when its samples were spoken, in seconds since the session started."""

from __future__ import annotations

import math
from bisect import bisect_left

from core.speech.engine import SAMPLE_RATE

# Seconds. Lateness is no jump: pages keep ten minutes of speech, and sockets on a starved machine
# hold some more. Only a page whose clock stood still for longer, as in sleep, is set anew. Of a
# page that tells its clock, no lateness is taken for that: with its pauses, what it keeps may have
# been said within an hour.
CLOCK_JUMP = 900.0
# Seconds of ours per sample of the slowest page: audio clocks are off by up to 200 millionths.
SLOWEST_SAMPLE = 1.0003 / SAMPLE_RATE
STEP = 0.01  # seconds between two things a page said, at least; times are kept to that
# A page may have recorded before the session started, while it waited to come in. No time lies
# before that start, so such speech is pressed together behind it: a second of it takes this long.
# Were all of it at zero, what comes late, because its stream was slow, would find no place before
# what came first. Nobody says two things within a second, so that each has a STEP of its own.
EARLY_PACE = STEP
REMEMBERED = 500  # finals whose places are known: more than are ever underway


class PageClock:
    """Tells when a page's samples were spoken, and keeps what it said in the order of samples.

    Every frame says when its samples were spoken at the latest: when they came. The earliest
    such estimate is right, later ones had delays. A clock that stood still begins a new era:
    what was said before keeps its times. Times that were told stay, so that an estimate that
    got better later must not put younger words before older ones.
    """

    __slots__ = ("_eras", "_first", "_samples", "_times", "_told", "_zero")

    def __init__(self, sample: int = 0, time: float = 0.0) -> None:
        """Begin behind words that another process has placed: their last sample and their time."""
        # The session time in seconds of sample 0, were the page as slow as can be: of the newest
        # era, None until the first frame came; and of all, with the sample at which each began.
        self._zero: float | None = None
        self._eras: list[tuple[int, float]] = []
        self._first: int | None = sample or None  # the page's first sample that is known of
        self._told = False  # whether the page has told its clock
        # The samples at which finals began, in order, and the session times that were told for
        # them; the last REMEMBERED. What was placed before ended at `sample`: the next words may
        # begin right there, and are behind it all the same.
        self._samples = [sample - 1] if sample else []
        self._times = [time] if sample else []

    @property
    def known(self) -> bool:
        """Whether anything has arrived, so that times mean something."""
        return self._zero is not None

    def arrived(self, first: int, end: int, now: float) -> None:
        """Note that the samples from `first` up to `end` were here at session time `now`."""
        zero = now - end * SLOWEST_SAMPLE
        known = self._zero
        if known is not None and known <= zero <= known + CLOCK_JUMP and self._first is not None:
            return  # as of nearly all frames: later than the best one, and by no jump
        if self._first is None:
            self._first = first
        self._estimate(first, zero, jumps=not self._told)

    def told(self, sample: int, now: float) -> None:
        """Note that the page said at session time `now` which sample it was recording.

        What comes after that may be late by all that the page keeps. Its first words would have
        their final, and a time for good, long before the first frame that isn't late.
        """
        self._told = True
        self._estimate(sample, now - sample * SLOWEST_SAMPLE, jumps=True)

    def _estimate(self, sample: int, zero: float, *, jumps: bool) -> None:
        if self._zero is None:
            self._zero = zero
            self._eras.append((0, zero))
        elif zero < self._zero:
            self._improve(zero)  # this was less late than anything before
        elif jumps and zero > self._zero + CLOCK_JUMP:  # later than any delay: it stood still
            self._zero = zero
            self._eras.append((sample, zero))

    def _improve(self, zero: float) -> None:
        # An estimate before that of the era before: the page hadn't slept, it had been late.
        while len(self._eras) > 1 and zero <= self._eras[-2][1]:
            self._eras.pop()
        self._zero = zero
        self._eras[-1] = (self._eras[-1][0], zero)

    def time_of(self, sample: float) -> float:
        """Return when a sample was spoken, never before the session started: see EARLY_PACE."""
        zero = next((zero for first, zero in reversed(self._eras) if first <= sample), 0.0)
        earliest = max(0.0, (sample - (self._first or 0)) / SAMPLE_RATE * EARLY_PACE)
        return max(earliest, zero + sample * SLOWEST_SAMPLE)

    def latest(self, sample: int) -> float:
        """Return when a new sample was spoken; infinity while nothing has arrived."""
        return math.inf if self._zero is None else self._zero + sample * SLOWEST_SAMPLE

    def place(self, first: int, until: int, *, for_good: bool) -> tuple[float, float]:
        """Return when words began and ended, between what was said before and after them.

        With `for_good` (finals) others are placed around them from now on.
        """
        start, end = self.time_of(first), self.time_of(until)
        at = bisect_left(self._samples, first)
        # Where there is no room between the two, what was said before wins: nothing may be placed
        # before words that it followed.
        if at < len(self._times):
            start = min(start, self._times[at] - STEP)
        if at:
            start = max(start, self._times[at - 1] + STEP)
        start = max(0.0, start)
        if for_good:
            self._samples.insert(at, first)
            self._times.insert(at, start)
            del self._samples[:-REMEMBERED], self._times[:-REMEMBERED]
        return start, max(start, end)
