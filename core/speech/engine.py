"""What every speech engine looks like to the rest of Sessions.

An engine turns the audio of one participant into utterances. Audio is always
16 kHz, mono, signed 16-bit little-endian PCM. Everything here runs on the event
loop's thread; an engine that computes does so elsewhere and comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from core.speech.memory import AudioBudget
from core.speech.reasons import Reason

if TYPE_CHECKING:
    from core.speech.recorded.model import Transcriber

SAMPLE_RATE = 16_000
BYTES_PER_SAMPLE = 2
BYTES_PER_SECOND = SAMPLE_RATE * BYTES_PER_SAMPLE

# What becomes of a participant's speech at the moment, as everybody is told.
SpeechState = Literal["ready", "listening", "delayed", "paused", "failed"]


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What a session asks of the engine, each as far as the engine knows how.

    Of two streams of one `speaker`, that with the smaller `since` is transcribed first.
    """

    # ISO 639-1 codes of what may be spoken. One is certain; of several each stream finds out which
    # it is; none: any language.
    languages: tuple[str, ...] = ()
    # Whether a speaker may go from one of several languages to another within a stream.
    code_switching: bool = False
    # Names and terms that are said here, as they are written: they are heard more easily.
    vocabulary: tuple[str, ...] = ()
    # What is heard right and written wrong: the right spelling, and the wrong ones it replaces.
    spelling: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # Into which languages each final is translated, beside its text.
    targets: tuple[str, ...] = ()
    # For engines that can't serve all at once: whose audio it is, and when its first byte was
    # spoken (a monotonic time), so that people take turns and each is heard in order.
    speaker: str = ""
    since: float = 0.0
    # Of which the stream takes for all audio that it keeps.
    memory: AudioBudget = field(default_factory=AudioBudget)


class Recognition(msgspec.Struct, frozen=True):
    """What an engine heard; partials and the final of one utterance share its id.

    `start` and `end` are seconds of audio fed to the stream before the words begin
    and end. `utterance` is unique within its stream only. `text` has no outer space.
    """

    utterance: str
    text: str
    start: float
    end: float
    final: bool
    language: str | None = None

    def later(self, seconds: float) -> Recognition:
        """Return the same on a clock that started earlier."""
        return msgspec.structs.replace(self, start=self.start + seconds, end=self.end + seconds)


class Translation(msgspec.Struct, frozen=True):
    """A final in another language, of which it is the code; `utterance` as in Recognition."""

    utterance: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class StreamUsage:
    """What a stream sent and got back; `seconds_sent` includes audio that was sent again."""

    seconds_sent: float  # which is what is paid for
    frames: int
    partials: int
    finals: int
    errors: int  # refused audio, failed pieces, messages nobody could read
    reconnects: int  # after drops; 0 for engines without a connection


class StreamSink(Protocol):
    """Where a stream reports; every call arrives on the event loop's thread."""

    def heard(self, recognition: Recognition) -> None:
        """Take a partial or final. No partial of an utterance follows its final."""

    def translated(self, translation: Translation) -> None:
        """Take a translation of a final that was handed over; it may come late, or never."""

    def delayed(self, is_delayed: bool, reason: Reason | None = None) -> None:
        """The engine can't keep up (or is reconnecting) right now, or can again."""

    def dropped(self, start: float, end: float) -> None:
        """Audio between these seconds of what was fed can't be heard any more: it is lost."""

    def lost(self, reason: Reason, replay_from: int) -> None:
        """The stream is over without having been finished.

        `replay_from` is the byte position in what was fed from which a new stream must
        be fed again so that no word is missing and no finished utterance is repeated.
        The stream keeps what it was fed from there on: see `Stream.tail`.
        """


class Stream(Protocol):
    """One participant's audio on its way to an engine."""

    @property
    def usage(self) -> StreamUsage:
        """Return what was sent and came back so far."""

    @property
    def end(self) -> int:
        """Return how many bytes were fed so far."""

    def feed(self, pcm: bytes) -> None:
        """Take the next audio. Never blocks, never raises; bounded by `StreamOptions.memory`."""

    def tail(self, position: int) -> bytes:
        """Return what was fed from byte `position` on, as far as it is still kept."""

    async def finish(self) -> None:
        """End the audio and return once the last final was handed over, however long that takes.

        A service that doesn't answer any more is told of by `StreamSink.lost`.
        """

    def abort(self) -> None:
        """Drop everything at once, without waiting for finals. Safe to call twice."""

    def give_up(self) -> int:
        """Abort, but let what people read last stand for finals that will not come.

        Returns the byte position in what was fed from which on nothing was transcribed.
        """

    def surrender(self) -> tuple[int, bytes]:
        """Report nothing more and end, as another stream will go on with the audio later.

        Returns the byte position from which that one must be fed, as in `StreamSink.lost`, and
        what is kept from there on, which this one keeps no longer.
        """

    async def wait_over(self) -> None:
        """After `surrender`: return once the service counts the stream no more, or should not."""


class Health(StrEnum):
    """How an engine is doing."""

    OK = "ok"
    DEGRADED = "degraded"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """The engine's state, why it isn't well, and since when."""

    health: Health
    reason: Reason | None = None
    since: datetime | None = None


class NoSlotError(Exception):
    """The engine takes no further stream at the moment (Gladia: 429). Try again later."""


class EngineError(Exception):
    """A stream could not be opened.

    `retry` is False when trying again can't help until somebody acts (bad key, no credit).
    """

    def __init__(self, reason: Reason, *, retry: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry = retry


class Engine(Protocol):
    """A speech engine: `gladia`, `local` or `off`."""

    name: str
    max_streams: int  # how many may take audio at once: the slots there are
    drains_in_slot: bool  # whether a stream counts as one of `max_streams` until its last final

    @property
    def languages(self) -> frozenset[str]:
        """Codes of what it transcribes, as in `StreamOptions.languages`; none while it is off."""

    @property
    def translates_to(self) -> frozenset[str]:
        """Codes of what it translates into while people speak; none: it doesn't translate."""

    @property
    def takes_words(self) -> bool:
        """Whether it heeds a vocabulary and spellings."""

    async def start(self) -> None:
        """Load what is needed; called once, in the lifespan."""

    async def close(self) -> None:
        """Free everything; open streams are aborted."""

    async def open(self, options: StreamOptions, sink: StreamSink) -> Stream:
        """Open a stream. Raises NoSlotError or EngineError."""

    def recorded(self) -> Transcriber | None:
        """Return what transcribes recordings; None while the engine is off, or if it can't."""

    def health(self) -> EngineHealth:
        """Return the current state, cheaply."""
