"""What turns the received audio into utterances: exact word markers, or real speech."""

from __future__ import annotations

import array
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tests.emulators.wordaudio import DAMAGED, SAMPLE_RATE, HeardWord, WordDecoder


@dataclass(frozen=True, slots=True)
class Word:
    """A recognised word; times are seconds of audio received by the session."""

    text: str
    start: float
    end: float
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was said between two silences on one channel."""

    id: str
    channel: int
    language: str
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        """The words with single spaces between them."""
        return " ".join(word.text for word in self.words)

    @property
    def start(self) -> float:
        """Where the first word begins."""
        return self.words[0].start

    @property
    def end(self) -> float:
        """Where the last word ends."""
        return self.words[-1].end


@dataclass(frozen=True, slots=True)
class SpeechStart:
    """Speech began at `time`."""

    time: float


@dataclass(frozen=True, slots=True)
class Partial:
    """What is heard so far of an utterance."""

    utterance: Utterance


@dataclass(frozen=True, slots=True)
class Final:
    """A closed utterance; its speech ended at `utterance.end`."""

    utterance: Utterance


Event = SpeechStart | Partial | Final


@dataclass(frozen=True, slots=True)
class RecognizerOptions:
    """What the init body says about recognition; one recognizer serves one channel."""

    channel: int
    language: str
    endpointing: float
    maximum_duration: float


class Recognizer(Protocol):
    """Turns one channel's 16 kHz PCM16 into events. Called in a thread when `slow`."""

    slow: bool

    def feed(self, pcm: bytes) -> list[Event]:
        """Take the next audio."""

    def finish(self) -> list[Event]:
        """Close what is open; no audio follows."""


RecognizerFactory = Callable[[RecognizerOptions], Recognizer]


class WordRecognizer:
    """Understands `wordaudio`; whatever else is loud is heard as a damaged word.

    Silence is measured in received audio, so a burst of buffered audio gives the same
    utterances as the same audio in real time.
    """

    slow = False

    def __init__(self, options: RecognizerOptions, *, exact: bool = True) -> None:
        self._options = options
        self._decoder = WordDecoder(exact=exact)
        self._words: tuple[Word, ...] = ()
        self._count = 0
        self._speaking = False

    def feed(self, pcm: bytes) -> list[Event]:
        """Take the next audio."""
        events: list[Event] = []
        for word in self._decoder.feed(pcm):
            events += self._take(word)
        begun = self._decoder.undecided_from
        here = self._decoder.position if begun is None else begun
        events += self._close_if_quiet(here / SAMPLE_RATE)
        if begun is not None:
            events += self._start(begun / SAMPLE_RATE)
        return events

    def finish(self) -> list[Event]:
        """Close what is open; no audio follows."""
        events: list[Event] = []
        for word in self._decoder.finish():
            events += self._take(word)
        return events + self._close()

    def _take(self, heard: HeardWord) -> list[Event]:
        confidence = 0.2 if heard.text == DAMAGED else 0.95
        word = Word(heard.text, heard.start / SAMPLE_RATE, heard.end / SAMPLE_RATE, confidence)
        events = self._close_if_quiet(word.start)
        too_long = self._words and word.end - self._words[0].start > self._options.maximum_duration
        if too_long:
            events += self._close()
        events += self._start(word.start)
        self._words += (word,)
        return [*events, Partial(self._utterance())]

    def _start(self, time: float) -> list[Event]:
        if self._speaking:
            return []
        self._speaking = True
        return [SpeechStart(time)]

    def _close_if_quiet(self, time: float) -> list[Event]:
        quiet_since = self._words[-1].end if self._words else None
        if quiet_since is None or time - quiet_since < self._options.endpointing:
            return []
        return self._close()

    def _close(self) -> list[Event]:
        self._speaking = False
        if not self._words:
            return []
        final = Final(self._utterance())
        self._words = ()
        self._count += 1
        return [final]

    def _utterance(self) -> Utterance:
        options = self._options
        name = f"{options.channel:02d}_{self._count:08d}"
        return Utterance(name, options.channel, options.language, self._words)


class MoonshineRecognizer:
    """Understands real English speech with the local model; for use by hand."""

    slow = True

    def __init__(self, options: RecognizerOptions) -> None:
        self._options = options
        self._stream: Any = None
        self._events: list[Event] = []
        self._started: set[int] = set()

    def feed(self, pcm: bytes) -> list[Event]:
        """Take the next audio; computes for a while."""
        samples = [sample / 32768 for sample in array.array("h", pcm)]
        with _moonshine_lock:
            self._open().add_audio(samples, SAMPLE_RATE)
        return self._taken()

    def finish(self) -> list[Event]:
        """Close what is open; no audio follows."""
        with _moonshine_lock:
            self._open().stop()
            self._stream.close()
        return self._taken()

    def _open(self) -> Any:
        """Return the stream; loading the model takes a while, so not in the constructor."""
        if self._stream is None:
            self._stream = _moonshine().create_stream(update_interval=0.5)
            self._stream.add_listener(self._on_line)
            self._stream.start()
        return self._stream

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _on_line(self, event: Any) -> None:
        name, line = type(event).__name__, event.line
        if line is None or name not in ("LineTextChanged", "LineCompleted"):
            return
        utterance = self._utterance(line)
        if not utterance.words:
            return
        if line.line_id not in self._started:
            self._started.add(line.line_id)
            self._events.append(SpeechStart(utterance.start))
        final = name == "LineCompleted"
        self._events.append(Final(utterance) if final else Partial(utterance))

    def _utterance(self, line: Any) -> Utterance:
        texts = str(line.text).split()
        share = line.duration / max(1, len(texts))
        words = tuple(
            Word(text, line.start_time + i * share, line.start_time + (i + 1) * share, 0.9)
            for i, text in enumerate(texts)
        )
        number = sorted(self._started | {line.line_id}).index(line.line_id)
        channel = self._options.channel
        empty = Utterance(f"{channel:02d}_{number:08d}", channel, self._options.language, ())
        return replace(empty, words=words)


_loaded: list[Any] = []
_moonshine_lock = threading.Lock()


def _moonshine() -> Any:
    if not _loaded:
        from moonshine_voice.moonshine_api import ModelArch
        from moonshine_voice.transcriber import Transcriber
        from moonshine_voice.utils import get_model_path

        _loaded.append(Transcriber(str(get_model_path("tiny-en")), ModelArch.TINY))
    return _loaded[0]
