"""What a page said and nobody will read: gathered, so that it is told in gaps and not in frames.

Losses come in pieces as small as a frame, hundreds at a time: from the page itself, from a stream
that waits for too long, from an engine that can't keep up. People are told of stretches of time.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.speech.engine import SAMPLE_RATE

JOINED = 2 * SAMPLE_RATE  # samples between two losses that are one gap for who reads of it
NEWS_EVERY_S = 5.0  # seconds at least between two notices; a gap that hasn't grown for so long ends
SHORTEST_GAP_S = 0.5  # seconds that were lost; less is not worth a line in the transcript
LONGEST_GAP_S = 60.0  # seconds after which a gap that still grows is told and another one begins


@dataclass(slots=True)
class Gap:
    """Audio that will never be transcribed, from one sample to another, perhaps with holes."""

    first: int
    until: int
    samples: int  # that were lost; fewer than between the two if there are holes
    since: int  # where its stretch of speech began
    grew_at: float  # when the last piece was lost, a monotonic time


class Losses:
    """The losses of one page."""

    __slots__ = ("_gap", "_seconds", "_told_at")

    def __init__(self) -> None:
        self._gap: Gap | None = None  # what was lost lately, as long as it may still grow
        self._seconds = 0.0  # of speech that the page wasn't told of yet
        self._told_at = -NEWS_EVERY_S  # when it was told last, a monotonic time

    @property
    def growing(self) -> bool:
        """Whether there is a gap that isn't complete yet."""
        return self._gap is not None

    def add(self, first: int, until: int, since: int, now: float) -> Gap | None:
        """Note that these samples are lost. Returns an earlier gap that is complete now."""
        gap, complete = self._gap, None
        if gap is not None:
            apart = first > gap.until + JOINED or until < gap.first - JOINED
            # While nothing is transcribed for an hour, people should read of it each minute.
            if apart or gap.samples >= LONGEST_GAP_S * SAMPLE_RATE:
                complete, gap = self.take(), None
        if gap is None:
            self._gap = Gap(first, until, until - first, since, now)
        else:
            gap.first, gap.until = min(gap.first, first), max(gap.until, until)
            gap.samples += until - first
            gap.since = max(gap.since, since)
            gap.grew_at = now
        return complete

    def due(self, now: float) -> Gap | None:
        """Return the gap if it has stopped growing."""
        if self._gap is not None and now - self._gap.grew_at >= NEWS_EVERY_S:
            return self.take()
        return None

    def take(self) -> Gap | None:
        """Return the gap, if it is worth telling: nothing is added to it any more."""
        gap, self._gap = self._gap, None
        if gap is None or gap.samples < SHORTEST_GAP_S * SAMPLE_RATE:
            return None
        return gap

    def tell_page(self, seconds: float) -> None:
        """Note that the page is to be told of so much: what it knows by itself isn't news."""
        self._seconds += seconds

    def news(self, now: float) -> float:
        """Return the seconds that the page should be told of now, 0 without any."""
        if now - self._told_at < NEWS_EVERY_S:
            return 0.0
        seconds, self._seconds = self._seconds, 0.0
        if seconds:
            self._told_at = now
        return seconds
