"""Pages and an engine by script: audio on its way to an engine, as far as the wire can't reach.

The engine here hears word audio and breaks when it is told to. All else is the real thing,
from the samples that a page sends to the words and times that its room gets, and its waits are
those that people have: they take no time here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from core.model import Participant
from core.speech.engine import (
    BYTES_PER_SAMPLE,
    BYTES_PER_SECOND,
    SAMPLE_RATE,
    EngineHealth,
    Health,
    NoSlotError,
    Recognition,
    StreamOptions,
    StreamSink,
    StreamUsage,
    Translation,
)
from core.speech.hearing import Span
from core.speech.memory import AudioBudget
from core.speech.microphone import Microphone, MicrophoneOptions
from core.speech.reasons import Reason
from core.speech.resilient import SpeechServices, StreamRecord
from core.speech.slots import SlotPool
from core.speech.withheld import Withheld
from tests.emulators.wordaudio import WordDecoder, speak, vocabulary

ADA = Participant("p_ada", "session", "Ada", 1, "HOST")
FRAME = SAMPLE_RATE // 25 * BYTES_PER_SAMPLE
WORDS = vocabulary(400, seed=3)


class Ear:
    """Stream: hears word audio; every word is an utterance of its own."""

    def __init__(self, engine: ScriptedEngine, sink: StreamSink, memory: AudioBudget) -> None:
        self.taken = bytearray()
        self.over = False
        self._engine = engine
        self._sink = sink
        self._memory = memory
        self._counted = 0
        self._decoder = WordDecoder()
        self._deaf = len(engine.streams) < engine.deaf_streams
        self._heard = 0
        self._settled = 0
        self.lost = False

    @property
    def usage(self) -> StreamUsage:
        sent = len(self.taken) / BYTES_PER_SECOND
        return StreamUsage(sent, 0, 0, self._heard, int(self.lost), 0)

    def feed(self, pcm: bytes) -> None:
        assert not self.over, "a stream that is over is fed no more"
        self.taken += pcm
        if self._memory.reserve(len(pcm)):
            self._counted += len(pcm)
        for word in [] if self._deaf else self._decoder.feed(pcm):
            self._report(word.text, word.start, word.end)
        losses = self._engine.lose_after
        if losses and len(self.taken) >= losses[0]:
            losses.pop(0)
            self.lose()

    def lose(self) -> None:
        self.over = self.lost = True
        self._sink.heard(Recognition("open", "half a wo", 0.0, 0.1, final=False))
        self._sink.lost(Reason("stream_cut"), self._settled)

    @property
    def end(self) -> int:
        return len(self.taken)

    def tail(self, position: int) -> bytes:
        kept = self._engine.keeps
        return bytes(self.taken[max(position, len(self.taken) - kept) :])

    async def finish(self) -> None:
        await asyncio.sleep(0)
        if not self.over:
            for word in self._decoder.finish():
                self._report(word.text, word.start, word.end)

    def abort(self) -> None:
        self.over = True
        self._memory.release(self._counted)
        self._counted = 0

    def give_up(self) -> int:
        self.over = True
        return self._settled

    def surrender(self) -> tuple[int, bytes]:
        self.over = True
        return self._settled, bytes(self.taken[self._settled :])

    async def wait_over(self) -> None:
        pass

    def _report(self, text: str, start: int, end: int) -> None:
        self._heard += 1
        self._settled = end * BYTES_PER_SAMPLE
        times = (start / SAMPLE_RATE, end / SAMPLE_RATE)
        self._sink.heard(Recognition(str(self._heard), text, *times, final=True))


@dataclass
class ScriptedEngine:
    """Engine: does to each `open` what the script says, then takes every stream."""

    script: list[Exception] = field(default_factory=list)
    lose_after: list[int] = field(default_factory=list)
    keeps: int = 10**9
    closed: bool = False
    streams: list[Ear] = field(default_factory=list)
    opened_at: list[float] = field(default_factory=list)
    name: str = "scripted"
    max_streams: int = 3
    drains_in_slot: bool = True
    languages: frozenset[str] = frozenset({"en"})
    translates_to: frozenset[str] = frozenset()
    takes_words: bool = False
    deaf_streams: int = 0  # so many streams, the first ones, hear no word

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def open(self, options: StreamOptions, sink: StreamSink) -> Ear:
        self.opened_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0)
        if self.script:
            raise self.script.pop(0)
        if self.closed:
            raise NoSlotError
        self.streams.append(Ear(self, sink, options.memory))
        return self.streams[-1]

    def recorded(self) -> None:
        pass

    def health(self) -> EngineHealth:
        return EngineHealth(Health.OK)


class Room:
    """MicrophoneSink: keeps what it was told. Its clock goes as the page's."""

    def __init__(self, slug: str = "room", space: str = "space") -> None:
        self.space, self.slug = space, slug
        self.asked = StreamOptions()
        self.withheld = Withheld()
        self.now = 0.0
        self.heard_words: list[tuple[str, Span]] = []
        self.withdrawn_ids: list[str] = []
        self.states: list[tuple[str, Reason | None]] = []
        self.lost = 0.0
        self.loss_notices = 0
        self.gaps: list[tuple[float, Span]] = []
        self.records: list[StreamRecord] = []

    @property
    def began(self) -> float:
        return clock() - self.now

    def options(self, speaker: Participant) -> StreamOptions:
        languages = (speaker.language,) if speaker.language else self.asked.languages
        return replace(self.asked, languages=languages)

    def translated(self, microphone: Microphone, stream: str, translation: Translation) -> None:
        pass

    def heard(
        self, microphone: Microphone, stream: str, recognition: Recognition, when: Span
    ) -> None:
        if recognition.final:
            self.heard_words.append((recognition.text, when))

    def withdrawn(self, microphone: Microphone, stream: str, utterance: str) -> None:
        self.withdrawn_ids.append(utterance)

    def state_changed(self, microphone: Microphone) -> None:
        self.states.append(microphone.state)

    def words_lost(self, microphone: Microphone, seconds: float) -> None:
        self.lost += seconds
        self.loss_notices += 1

    def missed(self, microphone: Microphone, gap: str, seconds: float, when: Span) -> None:
        self.gaps.append((seconds, when))

    def stretch_over(self, microphone: Microphone) -> None:
        pass

    def stream_closed(self, microphone: Microphone, record: StreamRecord) -> None:
        self.records.append(record)

    @property
    def words(self) -> list[str]:
        return [word for word, _ in self.heard_words]


class Page:
    """A page that speaks into a microphone, at once, on a clock of its own."""

    def __init__(
        self,
        engine: ScriptedEngine,
        services: SpeechServices | None = None,
        *,
        gated: bool = True,
        room: str = "room",
        person: str = "",
    ) -> None:
        self.room = Room(room)
        self.services = services or services_of(engine)
        # Somebody else than all others, unless it is said who.
        who = replace(ADA, identity=person or f"p_{id(self)}")
        self.microphone = Microphone(self.room, who, self.services, MicrophoneOptions(gated=gated))
        self.microphone.mic(True)
        self.index = 0
        self.spoken: list[tuple[str, float]] = []

    def say(self, *words: str) -> None:
        for word in words:
            self.spoken.append((word, self.index / SAMPLE_RATE))
            self.send(speak(word))

    def send(self, pcm: bytes) -> None:
        whole = pcm.ljust(-(-len(pcm) // FRAME) * FRAME, b"\0")
        for start in range(0, len(whole), FRAME):
            self.room.now += FRAME / BYTES_PER_SECOND
            self.microphone.audio(self.index, whole[start : start + FRAME])
            self.index += FRAME // BYTES_PER_SAMPLE

    async def done(self, seconds: float = 100) -> None:
        """Mute, and wait until everything was handed over."""
        self.microphone.mic(False)
        async with asyncio.timeout(seconds):
            await self.microphone.wait_closed()

    def assert_heard_as_spoken(self) -> None:
        # Two streams of a page may answer in any order; people read by time.
        heard = sorted(self.room.heard_words, key=lambda one: one[1].start)
        assert [word for word, _ in heard] == [word for word, _ in self.spoken]
        for (word, when), (_, spoken_at) in zip(heard, self.spoken, strict=True):
            assert when.start == pytest.approx(spoken_at, abs=0.05), word
            assert when.until / SAMPLE_RATE == pytest.approx(when.end, abs=0.05), word


def services_of(engine: ScriptedEngine, budget: int = 20_000_000) -> SpeechServices:
    return SpeechServices(engine, SlotPool(engine.max_streams), AudioBudget(budget))


def clock() -> float:
    """Return the monotonic time, which stands still with `spoken_time`."""
    return time.monotonic()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def until(true: Callable[[], object]) -> None:
    for _ in range(10_000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen within 100 s")


def waits_of(engine: ScriptedEngine) -> list[float]:
    """Return the seconds between the engine's openings."""
    return [b - a for a, b in zip(engine.opened_at, engine.opened_at[1:], strict=False)]
