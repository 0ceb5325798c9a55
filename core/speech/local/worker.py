"""A worker of the local engine: a thread with a model of its own, and whose turn it is."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import threading
from bisect import insort
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol, TypeVar

from core.speech.engine import EngineError
from core.speech.local.ear import Heard
from core.speech.local.recognizer import Recognizer
from core.speech.reasons import Reason

# One call of the model can't be interrupted, and some take longer. By then all words are written,
# and the process ends anyway: after the call, as a thread that comes back from a library when
# Python is gone takes the process down with it.
CLOSE_TIMEOUT_S, EXIT_TIMEOUT_S = 1.5, 8.0
# While somebody speaks, a turn of a recording is followed by so many times as long without one, so
# that few turns of people meet one; and there is none at all with a model that needs longer for one
# than people notice.
PATIENCE, NOTICED_S = 9, 0.5
_FADING = 0.99  # of what a turn of a recording costs: the most of the last hundred or so
_T = TypeVar("_T")
Work = Callable[[Recognizer], Heard]


class Waiting(Protocol):
    """A stream as its worker sees it; called on the event loop's thread."""

    speaker: str  # whose turn it is when this stream has one
    since: float  # when its first byte was spoken, a monotonic time in seconds

    @property
    def ready(self) -> bool:
        """Whether there is enough to do for a turn."""

    def drop_waiting(self, size: int) -> bool:
        """Let go of the oldest `size` bytes that wait, or of all. False when none do."""

    def begin_turn(self) -> Work:
        """Hand over the next piece as something to compute in the worker's thread."""

    def end_turn(self, heard: Heard) -> None:
        """Take what was heard in that piece."""

    def failed(self, reason: Reason) -> None:
        """The worker failed on that piece."""


@dataclass(frozen=True, slots=True, eq=False)
class _Patient:
    """A turn of a recording, and who waits for what comes of it."""

    work: Work
    heard: asyncio.Future[Heard]


class Worker:
    """A thread with a model of its own, and the people who wait for their turn with it.

    People take turns, so that a long backlog of one doesn't keep the others from being heard
    as they speak. Of one person's streams the oldest has the turn: stretches of speech that
    wait behind each other are transcribed in the order in which they were said. Recordings have
    the turns that are left over: nobody waits for their captions.

    All methods belong to the event loop's thread; only `_run` is the worker's own.
    """

    def __init__(self, load: Callable[[], Recognizer]) -> None:
        self._load = load  # makes the model, in the thread
        self.failure: Reason | None = None  # why the last turn failed; None once one went well
        self._streams: dict[str, list[Waiting]] = {}  # by speaker, each one's oldest first
        self._turns: deque[str] = deque()  # speakers who wait for their turn, each once
        self._current: Waiting | _Patient | None = None  # what the thread computes right now
        # Of recordings: what waits until no speaker does, when the next may be begun while somebody
        # speaks, and how long one takes at the most; times on the loop's clock.
        self._patient: deque[_Patient] = deque()
        self._patient_from = self._patient_took = self._begun = 0.0
        self._closing = False  # whether `close` was called
        self._look: asyncio.TimerHandle | None = None  # runs while one waits for that time
        self._loop = asyncio.get_running_loop()  # where results are told
        # Done when the model is loaded, with what it knows, or with what prevented it.
        self._loaded: asyncio.Future[frozenset[str]] = self._loop.create_future()
        # To the thread: what to compute next, one at a time; None ends it.
        self._jobs: SimpleQueue[Work | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="local-speech", daemon=True)

    async def start(self) -> frozenset[str]:
        """Return what languages the model knows once it is loaded, or raise what prevented it."""
        self._thread.start()
        return await self._loaded

    async def close(self) -> None:
        """Let the thread free its model; bounded, as one call can't be interrupted."""
        self._closing = True
        for patient in self._patient:
            if not patient.heard.done():
                patient.heard.set_exception(EngineError(Reason("stopped")))
        self._patient.clear()
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, CLOSE_TIMEOUT_S)
        if self._thread.is_alive():
            atexit.register(self._thread.join, EXIT_TIMEOUT_S)

    @property
    def streams(self) -> int:
        """How many streams it has to hear."""
        return sum(map(len, self._streams.values()))

    def hears(self, speaker: str) -> bool:
        """Whether this speaker has a stream here."""
        return speaker in self._streams

    def add(self, stream: Waiting) -> None:
        """Take a stream on."""
        streams = self._streams.setdefault(stream.speaker, [])
        insort(streams, stream, key=lambda one: one.since)

    def remove(self, stream: Waiting) -> None:
        """Let go of a stream that is over; its speaker's next one may be waiting."""
        streams = self._streams[stream.speaker]
        streams.remove(stream)
        if streams:
            self.wake(streams[0])
        else:
            del self._streams[stream.speaker]
            self._next()

    def drop_oldest(self, speaker: str, size: int) -> bool:
        """Let go of so much of the oldest that waits of a speaker. False when nothing does."""
        return any(stream.drop_waiting(size) for stream in self._streams.get(speaker, []))

    def wake(self, stream: Waiting) -> None:
        """Give the stream's speaker a turn, after those who wait already, if there is need."""
        speaker = stream.speaker
        current = self._current
        busy = not isinstance(current, _Patient | None) and current.speaker == speaker
        if stream.ready and not busy and speaker not in self._turns:
            self._turns.append(speaker)
            self._next()

    async def hear_patiently(self, work: Work) -> Heard:
        """Do this as soon as no speaker waits, and seldom enough to be in nobody's way.

        Raises what it raises, or EngineError when the worker is closed before. One call can't be
        interrupted: keep it short.
        """
        if self._closing:
            raise EngineError(Reason("stopped"))
        patient = _Patient(work, self._loop.create_future())
        self._patient.append(patient)
        self._next()
        return await patient.heard

    @property
    def patient(self) -> int:
        """How many turns of recordings wait or are computed."""
        return len(self._patient) + isinstance(self._current, _Patient)

    def _next_patient(self) -> None:
        if self._streams and self._patient_took > NOTICED_S:
            return  # until the last of them is over
        if self._streams and (now := self._loop.time()) < self._patient_from:
            if self._look is None:
                self._look = self._loop.call_later(self._patient_from - now, self._look_again)
            return
        patient = self._patient.popleft()
        if patient.heard.done():  # nobody waits for it any more
            self._next()
            return
        self._current, self._begun = patient, self._loop.time()
        self._jobs.put(patient.work)

    def _look_again(self) -> None:
        self._look = None
        self._next()

    def _patient_done(self, patient: _Patient, heard: Heard | Exception) -> None:
        now = self._loop.time()
        took = now - self._begun
        self._patient_from = now + PATIENCE * took
        self._patient_took = max(took, _FADING * self._patient_took)
        if patient.heard.done():
            return
        if isinstance(heard, Exception):
            patient.heard.set_exception(EngineError(Reason("engine_failed", str(heard))))
        else:
            patient.heard.set_result(heard)

    def _next(self) -> None:
        while self._turns and self._current is None:
            streams = self._streams.get(self._turns.popleft(), [])
            stream = next((one for one in streams if one.ready), None)
            if stream is not None:
                self._current = stream
                self._jobs.put(stream.begin_turn())
        if self._patient and self._current is None:
            self._next_patient()

    def _done(self, heard: Heard | Exception) -> None:
        stream, self._current = self._current, None
        if stream is None:
            return
        if isinstance(stream, _Patient):
            self._patient_done(stream, heard)
            self._next()
            return
        try:
            if isinstance(heard, Exception):
                self.failure = Reason("engine_failed", str(heard))
                stream.failed(self.failure)
            else:
                self.failure = None
                stream.end_turn(heard)
        finally:
            for waiting in self._streams.get(stream.speaker, []):
                self.wake(waiting)
            self._next()

    def _loading_done(self, known: frozenset[str] | Exception) -> None:
        if self._loaded.done():
            return
        if isinstance(known, Exception):
            self._loaded.set_exception(known)
        else:
            self._loaded.set_result(known)

    def _run(self) -> None:
        try:
            recognizer = self._load()
        except Exception as error:
            self._post(self._loading_done, error)
            return
        self._post(self._loading_done, recognizer.languages)
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
