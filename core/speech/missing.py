"""What of one page's speech will never be text: told to the page at once, and to all in gaps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from core.metrics import LOST_FOR_MINUTES, LOST_FOR_PLACE
from core.speech.clock import PageClock
from core.speech.engine import SAMPLE_RATE
from core.speech.hearing import MicrophoneSink, Span
from core.speech.losses import Gap, Losses

if TYPE_CHECKING:
    from core.speech.microphone import Microphone

SHORT_GAP = 2 * SAMPLE_RATE  # samples; a breath, or what is between two words


class Missing:
    """Puts the losses of one microphone on the session's clock and tells its room of them."""

    __slots__ = ("_clock", "_losses", "_microphone", "_refused_until", "_sink", "_speaker", "_told")

    def __init__(
        self, microphone: Microphone, sink: MicrophoneSink, clock: PageClock, speaker: str
    ) -> None:
        self._microphone = microphone  # whose losses they are
        self._sink = sink  # the room
        self._clock = clock  # the microphone's own: samples → session seconds
        self._speaker = speaker  # begins the ids of gaps
        self._losses = Losses()  # what wasn't told to everybody or to the page yet
        self._told = 0  # gaps so far, which numbers them
        self._refused_until = -SHORT_GAP  # the sample up to which speech was let go by `refuse`

    @property
    def growing(self) -> bool:
        """Whether there is a gap that isn't complete yet."""
        return self._losses.growing

    def lose(self, first: int, until: int, since: int) -> None:
        """Note that these samples, of the stretch that began at `since`, won't be transcribed."""
        self._tell(self._losses.add(first, until, since, time.monotonic()))

    def lose_words(self, first: int, until: int, since: int, seconds: float) -> None:
        """Note it of `seconds` in this span, and tell the page: not of every frame."""
        self.lose(first, until, since)
        self._losses.tell_page(seconds)
        self._tell_page(time.monotonic())

    def lose_text(self, when: Span) -> None:
        """Note that there was no place for words; they are lost like audio."""
        first = when.until - round((when.end - when.start) * SAMPLE_RATE)
        LOST_FOR_PLACE.inc((when.until - first) / SAMPLE_RATE)
        self.lose(first, when.until, when.since)

    def refuse(self, first: int, until: int) -> None:
        """Note that speech was let go on purpose: what is between two pieces of it is, too."""
        if first - self._refused_until < SHORT_GAP:
            first = min(first, self._refused_until)
        self._refused_until = until
        LOST_FOR_MINUTES.inc((until - first) / SAMPLE_RATE)
        self.lose(first, until, since=first)

    def tick(self, now: float) -> None:
        """Once a second: tell what is due."""
        self._tell_page(now)
        self._tell(self._losses.due(now))

    def finish(self) -> None:
        """Tell of a gap that would still grow: nothing more is on its way."""
        self._tell(self._losses.take())

    def _tell_page(self, now: float) -> None:
        if seconds := self._losses.news(now):
            self._sink.words_lost(self._microphone, seconds)

    def _tell(self, gap: Gap | None) -> None:
        if gap is None:
            return
        if not self._clock.known:  # nothing has come since: it was spoken just now
            self._clock.arrived(gap.first, gap.until, time.monotonic() - self._sink.began)
        start, end = self._clock.place(gap.first, gap.until, for_good=True)
        self._told += 1
        when = Span(start, end, gap.until, gap.since)
        seconds = gap.samples / SAMPLE_RATE
        self._sink.missed(self._microphone, f"{self._speaker}.gap-{self._told}", seconds, when)
