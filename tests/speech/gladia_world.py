"""The Gladia engine beside its emulator, and who speaks to it: for tests of the engine."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from msgspec import structs

from core.speech.engine import (
    BYTES_PER_SECOND,
    EngineError,
    NoSlotError,
    Recognition,
    StreamOptions,
    StreamUsage,
    Translation,
)
from core.speech.gladia.engine import GladiaEngine
from core.speech.gladia.stream import GladiaStream
from core.speech.gladia.timeouts import Timeouts
from core.speech.memory import AudioBudget
from core.speech.reasons import Reason
from tests.emulators.gladia import Faults, GladiaEmulator, Switches, Timings
from tests.emulators.wordaudio import silence, speak, vocabulary
from tests.support.tls import behind_tls
from tests.support.waiting import WAIT_TIMEOUT_S

FRAME = BYTES_PER_SECOND // 20
PACE = 0.002  # seconds between frames of 50 ms: 25 times as fast as people speak
MISSED = Reason("results_missed")
ENGLISH = StreamOptions(("en",))
HASTY = Timeouts(
    connect_s=0.4,
    post_s=1.0,
    backoff_first_s=0.02,
    backoff_max_s=0.1,
    stable_s=0.3,
    watch_s=0.05,
    give_up_s=1.5,
    delayed_s=0.15,
    slow_s=0.25,
    silent_s=0.8,
    missed_s=0.3,
)


async def until(condition: Callable[[], object], within: float = WAIT_TIMEOUT_S) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - many things may change it
            await asyncio.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Speech:
    """Sentences said with pauses in between, and when each begins and ends."""

    pcm: bytes
    sentences: list[str]
    times: list[tuple[float, float]]

    @property
    def words(self) -> list[str]:
        return " ".join(self.sentences).split()


def say(sentences: int = 4, words: int = 3, *, seed: int = 0, pause: float = 0.7) -> Speech:
    """Return sentences of different words, each followed by a pause that closes it."""
    chosen = iter(vocabulary(sentences * words, seed=seed))
    pcm, texts, times = silence(0.3), [], []
    for _ in range(sentences):
        text = " ".join(itertools.islice(chosen, words))
        sound = speak(text)
        start = len(pcm) / BYTES_PER_SECOND
        texts.append(text)
        times.append((start, start + len(sound) / BYTES_PER_SECOND))
        pcm += sound + silence(pause)
    return Speech(pcm, texts, times)


@dataclass
class Listener:
    """A sink, and what the relay does with it: a lost stream is replaced and replayed."""

    engine: GladiaEngine
    heard_all: list[Recognition] = field(default_factory=list)
    translations: list[Translation] = field(default_factory=list)
    delays: list[tuple[bool, Reason | None]] = field(default_factory=list)
    losses: list[Reason] = field(default_factory=list)
    usages: list[StreamUsage] = field(default_factory=list)
    gaps: list[float] | None = None  # seconds that were given up, where that is expected
    memory: AudioBudget = field(default_factory=AudioBudget)
    stream: GladiaStream | None = None
    _origin: int = 0
    _kept: bytes = b""
    _end: int = 0

    @property
    def finals(self) -> list[Recognition]:
        finals = [recognition for recognition in self.heard_all if recognition.final]
        return sorted(finals, key=lambda final: final.start)

    @property
    def words(self) -> list[str]:
        return " ".join(final.text for final in self.finals).split()

    def heard(self, recognition: Recognition) -> None:
        shift = self._origin / BYTES_PER_SECOND
        name = f"{len(self.usages)}/{recognition.utterance}"
        self.heard_all.append(structs.replace(recognition.later(shift), utterance=name))

    def translated(self, translation: Translation) -> None:
        name = f"{len(self.usages)}/{translation.utterance}"
        self.translations.append(structs.replace(translation, utterance=name))

    def delayed(self, is_delayed: bool, reason: Reason | None = None) -> None:
        self.delays.append((is_delayed, reason))

    def dropped(self, start: float, end: float) -> None:
        raise AssertionError("audio was dropped")

    def lost(self, reason: Reason, replay_from: int) -> None:
        assert self.stream is not None
        self.losses.append(reason)
        self._kept = self.stream.tail(replay_from)
        gap = self._end - len(self._kept) - (self._origin + replay_from)
        if self.gaps is None:
            assert gap == 0, "audio was dropped"
        else:
            self.gaps.append(gap / BYTES_PER_SECOND)
        self._origin += replay_from + gap
        self.usages.append(self.stream.usage)
        self.stream.abort()
        self.stream = None

    async def open(self, options: StreamOptions = ENGLISH) -> GladiaStream:
        for _ in range(100):
            try:
                asked = replace(options, memory=self.memory)
                self.stream = await self.engine.open(asked, self)
            except (EngineError, NoSlotError) as problem:
                if isinstance(problem, EngineError) and not problem.retry:
                    raise
                await asyncio.sleep(0.02)
                continue
            self.stream.feed(self._kept)
            return self.stream
        raise AssertionError("no stream could be opened")

    async def feed(self, pcm: bytes, pace: float = PACE) -> None:
        for start in range(0, len(pcm), FRAME):
            frame = pcm[start : start + FRAME]
            stream = self.stream or await self.open()
            self._end += len(frame)
            stream.feed(frame)
            await asyncio.sleep(pace)

    async def finish(self) -> None:
        for _ in range(10):
            stream = self.stream or await self.open()
            await stream.finish()
            if self.stream is stream:
                self.usages.append(stream.usage)
                stream.abort()
                self.stream = None
                return
        raise AssertionError("the stream could not be finished")

    async def transcribe(self, speech: Speech) -> None:
        await self.open()
        await self.feed(speech.pcm)
        await self.finish()

    def assert_all_of(self, speech: Speech) -> None:
        """Every word came once, in order, in time, and partials came before their final."""
        assert self.words == speech.words
        for final in self.finals:
            begun = speech.words.index(final.text.split()[0])
            sentence = begun // (len(speech.words) // len(speech.sentences))
            start, end = speech.times[sentence]
            assert start - 0.3 < final.start <= final.end < end + 0.3
            if final.text == speech.sentences[sentence]:
                assert (final.start, final.end) == pytest.approx((start, end), abs=0.3)
        self.assert_order()

    def assert_order(self) -> None:
        closed: set[str] = set()
        for recognition in self.heard_all:
            assert recognition.utterance not in closed
            assert recognition.text == recognition.text.strip()
            if recognition.final:
                closed.add(recognition.utterance)


@dataclass
class World:
    emulator: GladiaEmulator
    engine: GladiaEngine
    listener: Listener

    @property
    def faults(self) -> Faults:
        return self.emulator.faults

    async def open(self) -> GladiaStream:
        """Open a stream and wait until its socket is open too."""
        stream = await self.listener.open()
        await self.emulator.until(lambda: bool(self.emulator.sessions[-1].connections))
        return stream


@asynccontextmanager
async def world(
    *,
    switches: Switches | None = None,
    timings: Timings | None = None,
    timeouts: Timeouts = HASTY,
    drain_seconds: float = 3.0,
    max_sessions: int = 30,
    memory: int = 20_000_000,
    authority: Path | None = None,
) -> AsyncIterator[World]:
    """Yield an engine and its emulator; with `authority` behind TLS, its issuer written there."""
    emulator = GladiaEmulator(switches=switches, timings=timings, max_sessions=max_sessions)
    async with emulator, AsyncExitStack() as doors:
        if authority is not None:
            door = behind_tls(emulator.url, authority)
            emulator.url = await doors.enter_async_context(door)
        engine = GladiaEngine(
            emulator.api_key,
            api_url=emulator.url,
            timeouts=timeouts,
            drain_seconds=drain_seconds,
        )
        await engine.start()
        try:
            listener = Listener(engine, memory=AudioBudget(memory))
            yield World(emulator, engine, listener)
        finally:
            await engine.close()
            assert listener.memory.reserve(memory), "speech that nobody needs is kept"
