"""An attempt: one engine stream of a stretch, in whose positions and times it reports.

The engine's stream counts from its own first byte. It may be lost at any time, even before it was
opened; what it kept is then taken back, once, and nothing it says later counts.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Protocol

from core.metrics import LOST_AT_END, LOST_BY_ENGINE, LOST_FOR_MEMORY, SPEECH_ERRORS
from core.oneshot import OneShotEvent
from core.speech.engine import (
    BYTES_PER_SAMPLE,
    BYTES_PER_SECOND,
    SAMPLE_RATE,
    Recognition,
    Stream,
    Translation,
)
from core.speech.gate import has_speech
from core.speech.reasons import Reason

log = logging.getLogger(__name__)


class Stretch(Protocol):
    """The resilient stream as its attempts see it. Positions are bytes since the stretch began."""

    def heard(self, attempt: Attempt, recognition: Recognition) -> None:
        """Take text, its times in seconds since the stretch began."""

    def translated(self, attempt: Attempt, translation: Translation) -> None:
        """Take a translation of a final."""

    def withdrawn(self, attempt: Attempt, utterance: str) -> None:
        """Forget a partial of a lost stream."""

    def delayed(self, is_delayed: bool, reason: Reason | None) -> None:
        """Take over what the stream says of itself."""

    def words_lost(self, start: int, end: int) -> None:
        """Take note that this audio will never be transcribed."""

    def taken_back(self, attempt: Attempt, position: int, audio: bytes) -> None:
        """Take the audio of a lost stream that has no final, from `position` on."""


class Attempt:
    """The sink of one engine stream; see the module's text."""

    __slots__ = (
        "_open_partials",
        "_origin",
        "_stream",
        "_stretch",
        "gave_way",
        "id",
        "is_lost",
        "opened_at",
        "over",
    )

    def __init__(self, stretch: Stretch, stream_id: str) -> None:
        self.id = stream_id  # unique among all streams of all microphones
        self.opened_at = datetime.now(UTC)  # when it was asked for, for the account
        self.over = OneShotEvent()  # no more audio comes, or the stream was lost
        self.is_lost = False  # it ended early, and what it kept was taken back
        self.gave_way = False  # ... by `give_way`, so that somebody else may speak
        self._stretch = stretch
        self._stream: Stream | None = None  # None until the engine has opened it
        self._origin = 0  # the stretch's position of the stream's first byte
        self._open_partials: set[str] = set()  # utterances shown that have no final yet

    def opened(self, stream: Stream, *, origin: int) -> None:
        """Note the stream and the stretch's position of its first byte."""
        self._stream = stream
        self._origin = origin

    def heard(self, recognition: Recognition) -> None:
        """StreamSink: text, on the stream's own clock."""
        if recognition.final:
            self._open_partials.discard(recognition.utterance)
        else:
            self._open_partials.add(recognition.utterance)
        if self._origin:  # most stretches have one stream, which need not be copied
            recognition = recognition.later(self._origin / BYTES_PER_SECOND)
        self._stretch.heard(self, recognition)

    def translated(self, translation: Translation) -> None:
        """StreamSink: a final in another language."""
        self._stretch.translated(self, translation)

    def delayed(self, is_delayed: bool, reason: Reason | None = None) -> None:
        """StreamSink: how the stream keeps up."""
        if not self.is_lost:  # the next one's state holds from then on
            self._stretch.delayed(is_delayed, reason)

    def dropped(self, start: float, end: float) -> None:
        """StreamSink: the engine fell too far behind."""
        LOST_BY_ENGINE.inc(end - start)
        first, last = (round(at * SAMPLE_RATE) * BYTES_PER_SAMPLE for at in (start, end))
        self._stretch.words_lost(self._origin + first, self._origin + last)

    def give_up(self) -> None:
        """Abort the stream; what it has not transcribed is lost."""
        if self._stream is None or self.is_lost:
            return
        # Before, as the stream keeps nothing afterwards. Silence that is lost is no loss of words.
        end, audio = self._stream.end, self._stream.tail(0)
        begin = self._stream.give_up()
        if begin < end and has_speech(audio[max(0, begin - (end - len(audio))) :]):
            LOST_AT_END.inc((end - begin) / BYTES_PER_SECOND)
            self._stretch.words_lost(self._origin + begin, self._origin + end)

    def lost(self, reason: Reason, replay_from: int) -> None:
        """StreamSink: the stream is gone; take back what has no final."""
        if self.is_lost:
            return
        log.info("stream %s was lost: %s", self.id, reason)
        SPEECH_ERRORS.labels("lost", reason.code).inc()
        self.is_lost = True
        self.over.set()
        if self._stream is None:  # while it was being opened: nothing was fed yet
            return
        self._withdraw_partials()
        end, audio = self._stream.end, self._stream.tail(replay_from)
        self._stream.abort()  # so that the memory of its audio is free for what waits
        self._take_back(replay_from, end, audio)

    def give_way(self) -> None:
        """End the stream where its finals end; what was said since is taken back."""
        if self._stream is None or self.is_lost:
            return
        log.info("stream %s gives way to others", self.id)
        self.is_lost = self.gave_way = True
        self.over.set()
        self._withdraw_partials()
        end = self._stream.end
        replay_from, audio = self._stream.surrender()
        self._take_back(replay_from, end, audio)

    def _take_back(self, replay_from: int, end: int, audio: bytes) -> None:
        # What the stream no longer kept moves the beginning of the tail, not its end.
        begin = end - len(audio)
        if begin > replay_from:  # it no longer had all of it
            LOST_FOR_MEMORY.inc((begin - replay_from) / BYTES_PER_SECOND)
            self._stretch.words_lost(self._origin + replay_from, self._origin + begin)
        self._stretch.taken_back(self, self._origin + begin, audio)

    def _withdraw_partials(self) -> None:
        # Their audio is said anew, in a stream whose utterances have other ids.
        for utterance in self._open_partials:
            self._stretch.withdrawn(self, utterance)
