"""What a worker hears of one stream: segments of speech, and their text.

Everything here runs in the worker's thread, one call at a time.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from core.speech.engine import BYTES_PER_SECOND, Recognition
from core.speech.local.recognizer import Recognizer, Spoken
from core.speech.local.segments import Segment, Segmenter
from core.speech.local.voicing import VoiceMeter

# From so much of it on, and so certain, a language is one that somebody speaks.
_CERTAIN, _ENOUGH = 0.8, 2 * BYTES_PER_SECOND
_DOUBLED_PUNCTUATION = re.compile(r"([,;:])(?:\s*[,;:])+")


@dataclass(frozen=True, slots=True)
class Line:
    """The text of one segment; `start` and `end` are byte positions in what was fed.

    What a segment has of the pauses around it is no part of that.
    """

    index: int
    text: str
    start: int
    end: int
    final: bool
    language: str | None = None

    def recognition(self) -> Recognition:
        """Return it as an engine reports it, in seconds."""
        return Recognition(
            utterance=str(self.index),
            text=self.text,
            start=self.start / BYTES_PER_SECOND,
            end=self.end / BYTES_PER_SECOND,
            # An utterance whose final turns out empty was none: an empty partial withdraws it.
            final=self.final and bool(self.text),
            language=self.language,
        )


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one piece; nothing before byte `final_until` is needed any more."""

    lines: list[Line]
    final_until: int


class Ear:
    """What a worker's thread knows of one stream; one thread uses it at a time."""

    def __init__(self, languages: tuple[str, ...] = (), *, code_switching: bool = False) -> None:
        # What may be spoken: see `StreamOptions`. Once it is certain which it is, that one.
        self._languages = languages
        self._code_switching = code_switching
        self._segmenter = Segmenter()  # what was heard and has no final yet, by segments
        # Made with the first segment: it loads a model, and most streams of a noisy room have none.
        self._meter: VoiceMeter | None = None
        # Byte position that speech must have reached before its text so far is asked for again.
        self._next_update = 0

    @property
    def languages(self) -> tuple[str, ...]:
        """Which languages may be spoken, by what was heard so far; none: any."""
        return self._languages

    def listen(
        self, recognizer: Recognizer, gap: int, pcm: bytes, *, update: bool, last: bool
    ) -> Heard:
        """Hear `pcm`, which follows `gap` bytes that were dropped.

        `update` asks for the text so far of what is still being said, `last` ends it.
        """
        # Words on both sides of a gap must not become one segment, in which the model would find
        # words that nobody said.
        segments = [self._segmenter.skip(gap)] if gap else []
        segments += self._segmenter.push(pcm)
        if last:
            segments.append(self._segmenter.flush())
        elif update:
            segments.append(self._due_update())
        lines = [self._line(recognizer, segment) for segment in segments if segment]
        return Heard(lines, self._segmenter.final_until)

    def _due_update(self) -> Segment | None:
        # Every update transcribes the whole segment again: the longer it is, the rarer they get.
        segment = self._segmenter.open()
        if segment is None or segment.end < self._next_update:
            return None
        # A fifth more of it each time: what is transcribed for updates is at most six times what
        # is said, however long somebody goes on.
        self._next_update = segment.end + len(segment.audio) // 5
        return segment

    def _spoken(self, recognizer: Recognizer, segment: Segment) -> Spoken:
        began = time.monotonic()
        spoken = recognizer.hear(segment.audio, self._languages, final=segment.complete)
        took = int((time.monotonic() - began) * BYTES_PER_SECOND)
        self._next_update = max(self._next_update, segment.end + recognizer.pace * took)
        return spoken

    def _settle(self, spoken: Spoken, segment: Segment) -> None:
        """Stay with the language of a segment that leaves no doubt about it."""
        if self._code_switching or not (spoken.language and spoken.text and segment.complete):
            return
        if spoken.certainty >= _CERTAIN and len(segment.audio) >= _ENOUGH:
            self._languages = (spoken.language,)

    def _line(self, recognizer: Recognizer, segment: Segment) -> Line:
        self._meter = self._meter or VoiceMeter()
        voicing = self._meter.measure(segment)
        worth_it = voicing.is_voice if segment.complete else voicing.is_plain
        if not worth_it:
            return Line(segment.index, "", *segment.voice, segment.complete)
        spoken = self._spoken(recognizer, segment)
        text = punctuate(spoken.text)
        doubtful = spoken.is_doubtful
        if not voicing.vouches_for(text, recognizer.habits, is_doubtful=doubtful):
            text = ""
        elif text:
            self._settle(spoken, segment)
        return Line(segment.index, text, *segment.voice, segment.complete, spoken.language)


def punctuate(text: str) -> str:
    """Remove outer space and the doubled commas that the model likes to write.

    Nothing is left of a text without any letter or digit: for music the model writes notes.
    """
    if not any(map(str.isalnum, text)):
        return ""
    return _DOUBLED_PUNCTUATION.sub(r"\1", " ".join(text.split()))
