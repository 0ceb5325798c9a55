"""A worker of the local engine: a thread with a model of its own, and whose turn it is."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import threading
from bisect import insort
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol, TypeVar

from core.speech.local.ear import Heard
from core.speech.local.recognizer import Recognizer
from core.speech.reasons import Reason

# One call of the model can't be interrupted, and some take longer. By then all words are written,
# and the process ends anyway: after the call, as a thread that comes back from a library when
# Python is gone takes the process down with it.
CLOSE_TIMEOUT_S, EXIT_TIMEOUT_S = 1.5, 8.0
_T = TypeVar("_T")


class Waiting(Protocol):
    """A stream as its worker sees it; called on the event loop's thread."""

    speaker: str  # whose turn it is when this stream has one
    since: float  # when its first byte was spoken, a monotonic time in seconds

    @property
    def ready(self) -> bool:
        """Whether there is enough to do for a turn."""

    def drop_waiting(self, size: int) -> bool:
        """Let go of the oldest `size` bytes that wait, or of all. False when none do."""

    def begin_turn(self) -> Callable[[Recognizer], Heard]:
        """Hand over the next piece as something to compute in the worker's thread."""

    def end_turn(self, heard: Heard) -> None:
        """Take what was heard in that piece."""

    def failed(self, reason: Reason) -> None:
        """The worker failed on that piece."""


class Worker:
    """A thread with a model of its own, and the people who wait for their turn with it.

    People take turns, so that a long backlog of one doesn't keep the others from being heard
    as they speak. Of one person's streams the oldest has the turn: stretches of speech that
    wait behind each other are transcribed in the order in which they were said.

    All methods belong to the event loop's thread; only `_run` is the worker's own.
    """

    def __init__(self, load: Callable[[], Recognizer]) -> None:
        self._load = load  # makes the model, in the thread
        self.failure: Reason | None = None  # why the last turn failed; None once one went well
        self._streams: dict[str, list[Waiting]] = {}  # by speaker, each one's oldest first
        self._turns: deque[str] = deque()  # speakers who wait for their turn, each once
        self._current: Waiting | None = None  # whose piece the thread computes right now
        self._loop = asyncio.get_running_loop()  # where results are told
        # Done when the model is loaded, with what it knows, or with what prevented it.
        self._loaded: asyncio.Future[frozenset[str]] = self._loop.create_future()
        # To the thread: what to compute next, one at a time; None ends it.
        self._jobs: SimpleQueue[Callable[[Recognizer], Heard] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="local-speech", daemon=True)

    async def start(self) -> frozenset[str]:
        """Return what languages the model knows once it is loaded, or raise what prevented it."""
        self._thread.start()
        return await self._loaded

    async def close(self) -> None:
        """Let the thread free its model; bounded, as one call can't be interrupted."""
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

    def drop_oldest(self, speaker: str, size: int) -> bool:
        """Let go of so much of the oldest that waits of a speaker. False when nothing does."""
        return any(stream.drop_waiting(size) for stream in self._streams.get(speaker, []))

    def wake(self, stream: Waiting) -> None:
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
                self._jobs.put(stream.begin_turn())

    def _done(self, heard: Heard | Exception) -> None:
        stream, self._current = self._current, None
        if stream is None:
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
