"""Audio on its way to an engine: what the wire can't reach in a test's time.

The engine here hears word audio and breaks when it is told to. All else is the real thing,
from the samples that a page sends to the words and times that its room gets, and its waits are
those that people have: they take no time here.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from core.model import Participant
from core.speech import microphone as microphone_module
from core.speech.engine import (
    BYTES_PER_SAMPLE,
    BYTES_PER_SECOND,
    SAMPLE_RATE,
    EngineError,
    EngineHealth,
    Health,
    NoSlotError,
    Recognition,
    StreamOptions,
    StreamSink,
    StreamUsage,
)
from core.speech.hearing import Span
from core.speech.memory import AudioBudget
from core.speech.microphone import AudioError, Microphone, MicrophoneOptions
from core.speech.resilient import SpeechServices, StreamRecord
from core.speech.slots import SlotPool
from tests.emulators.wordaudio import WordDecoder, silence, speak, vocabulary

pytestmark = pytest.mark.virtual_time

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
        for word in self._decoder.feed(pcm):
            self._report(word.text, word.start, word.end)
        losses = self._engine.lose_after
        if losses and len(self.taken) >= losses[0]:
            losses.pop(0)
            self.lose()

    def lose(self) -> None:
        self.over = self.lost = True
        self._sink.heard(Recognition("open", "half a wo", 0.0, 0.1, final=False))
        self._sink.lost("the test says so", self._settled)

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

    def health(self) -> EngineHealth:
        return EngineHealth(Health.OK)


class Room:
    """MicrophoneSink: keeps what it was told. Its clock goes as the page's."""

    def __init__(self, slug: str = "room") -> None:
        self.slug = slug
        self.options = StreamOptions()
        self.now = 0.0
        self.heard_words: list[tuple[str, Span]] = []
        self.withdrawn_ids: list[str] = []
        self.states: list[tuple[str, str | None]] = []
        self.lost = 0.0
        self.loss_notices = 0
        self.gaps: list[tuple[float, Span]] = []
        self.records: list[StreamRecord] = []

    def session_time(self) -> float:
        return self.now

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
        self, engine: ScriptedEngine, services: SpeechServices | None = None, *, gated: bool = True
    ) -> None:
        self.room = Room()
        self.services = services or services_of(engine)
        self.microphone = Microphone(self.room, ADA, self.services, MicrophoneOptions(gated=gated))
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


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def until(true: Callable[[], object]) -> None:
    for _ in range(10_000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen within 100 s")


@pytest.fixture(autouse=True)
def hasty_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pages speak as fast as tests run, and let a minute be all that may wait of one."""
    monkeypatch.setattr(microphone_module, "PACE_ALLOWANCE", 10_000.0)
    monkeypatch.setattr(microphone_module, "MAX_SPEECH_OF_PAGE", 60 * BYTES_PER_SECOND)


# The way to the engine


async def test_the_first_word_is_whole_and_on_time() -> None:
    page = Page(ScriptedEngine())
    page.send(silence(3))
    page.say(*WORDS[:5])
    page.send(silence(1))
    await page.done()
    page.assert_heard_as_spoken()


async def test_silence_opens_no_stream() -> None:
    engine = ScriptedEngine()
    page = Page(engine)
    page.send(silence(20))
    await settle()
    await page.done()
    assert engine.opened_at == []


async def test_without_the_gate_silence_is_sent_too() -> None:
    engine = ScriptedEngine()
    page = Page(engine, gated=False)
    page.send(silence(20))
    page.say(*WORDS[:3])
    await page.done()
    assert len(engine.streams[0].taken) >= 20 * BYTES_PER_SECOND
    page.assert_heard_as_spoken()


async def test_a_stream_is_finished_after_a_long_silence_and_another_one_goes_on() -> None:
    engine = ScriptedEngine()
    page = Page(engine)
    for start in (0, 5, 10):
        page.say(*WORDS[start : start + 5])
        page.send(silence(30))
        await settle()
    await page.done()
    page.assert_heard_as_spoken()
    assert len(engine.streams) == 3
    spoken = 15 * 0.4
    assert sum(record.usage.seconds_sent for record in page.room.records) < spoken + 3 * 9
    assert sum(record.usage.finals for record in page.room.records) == 15


@pytest.mark.parametrize("early", range(0, 240, 20))
async def test_a_word_that_begins_as_a_stream_ends_is_whole(early: int) -> None:
    page = Page(ScriptedEngine())
    for start in (0, 2):
        page.say(*WORDS[start : start + 2])
        page.send(silence(8.12 - early / 1000))
        await settle()
    page.say(*WORDS[4:6])
    await page.done()
    page.assert_heard_as_spoken()


async def test_a_short_gap_is_silence_and_a_long_one_a_new_stream() -> None:
    engine = ScriptedEngine()
    page = Page(engine)
    for gap in (0.5, 20):
        page.say(*WORDS[:3])
        page.index += int(gap * SAMPLE_RATE)
        page.room.now += gap
        await settle()
    page.say(*WORDS[3:6])
    await page.done()
    page.assert_heard_as_spoken()
    assert len(engine.streams) == 2


async def test_a_page_that_vanishes_does_not_keep_its_stream() -> None:
    engine = ScriptedEngine()
    page = Page(engine)
    page.say(*WORDS[:3])
    await settle()
    page.microphone.tick(time.monotonic() + 1)
    assert page.microphone.state[0] == "listening"
    page.microphone.tick(time.monotonic() + 11)
    await page.microphone.wait_closed()
    page.assert_heard_as_spoken()
    assert not page.microphone.busy


async def test_late_frames_do_not_move_the_words_in_time() -> None:
    page = Page(ScriptedEngine())
    page.say(*WORDS[:3])
    page.room.now += 4.0  # a stalled network: the same audio clock, frames come later
    for word in WORDS[3:6]:
        page.say(word)
    await page.done()
    page.assert_heard_as_spoken()


async def test_after_the_computer_slept_the_clock_is_set_again() -> None:
    page = Page(ScriptedEngine())
    page.say(*WORDS[:3])
    await page.done()
    page.room.now += 3600
    page.microphone.mic(True)
    page.say(*WORDS[3:6])
    await page.done()
    assert page.room.words == WORDS[:6]
    assert page.room.heard_words[3][1].start == pytest.approx(page.spoken[3][1] + 3600, abs=0.1)


async def test_audio_that_is_late_by_minutes_stays_in_order() -> None:
    """A starved machine or network is no computer that slept: no later sample is earlier."""
    page = Page(ScriptedEngine())
    page.index = 571_387 // 640 * 640
    page.room.now = 62.3 - 2
    page.say(*WORDS[:3])  # late by 25 s, and nothing better is known yet
    await settle()
    page.index = 747_707 // 640 * 640
    page.room.now = 747_707 / SAMPLE_RATE - 5.8
    page.say(*WORDS[3:6])
    await page.done()
    page.microphone.mic(True)
    for late in (30, 100, 290, 1):
        page.index += 2 * SAMPLE_RATE
        page.room.now = page.index / SAMPLE_RATE + late
        page.say(WORDS[6 + late % 10])
        await page.done()
        page.microphone.mic(True)
    starts = [when.start for _, when in page.room.heard_words]
    untils = [when.until for _, when in page.room.heard_words]
    assert len(starts) == 10
    assert untils == sorted(untils)
    assert starts == sorted(set(starts)), starts
    assert starts[-1] < page.index / SAMPLE_RATE + 5, "lateness isn't taken for a sleep"


async def test_what_was_said_before_a_sleep_and_heard_after_it_keeps_its_time() -> None:
    engine = ScriptedEngine(closed=True)
    page = Page(engine)
    page.say(*WORDS[:3])
    page.microphone.mic(False)
    page.room.now += 3600
    page.microphone.mic(True)
    page.say(*WORDS[3:6])
    engine.closed = False
    await page.done()
    heard = sorted(page.room.heard_words, key=lambda one: one[1].until)
    assert [word for word, _ in heard] == WORDS[:6]
    assert heard[0][1].start == pytest.approx(page.spoken[0][1], abs=0.1)
    assert heard[3][1].start == pytest.approx(page.spoken[3][1] + 3600, abs=0.1)


# Gaps


async def test_what_a_page_let_go_is_one_gap_in_its_place() -> None:
    page = Page(ScriptedEngine())
    page.say(*WORDS[:3])
    first = page.index
    page.index += 5 * SAMPLE_RATE
    page.room.now += 5
    for begin in range(first, page.index, SAMPLE_RATE):
        page.microphone.lost(begin, begin + SAMPLE_RATE)
    page.microphone.lost(first, page.index)  # told again: it is known
    assert page.microphone.received == page.index
    page.say(*WORDS[3:6])
    await page.done()
    page.assert_heard_as_spoken()
    [(seconds, when)] = page.room.gaps
    assert seconds == pytest.approx(5)
    assert page.room.loss_notices == 0, "the page knows it best"
    starts = {word: one.start for word, one in page.room.heard_words}
    assert starts[WORDS[2]] < when.start < starts[WORDS[3]]
    assert when.end == pytest.approx(when.start + 5, abs=0.1)


async def test_a_blink_is_no_gap_and_what_cannot_be_is_refused() -> None:
    page = Page(ScriptedEngine())
    page.say(*WORDS[:3])
    page.microphone.lost(page.index, page.index + SAMPLE_RATE // 4)
    page.index += SAMPLE_RATE // 4
    with pytest.raises(AudioError, match="longer"):
        page.microphone.lost(page.index, page.index + 12_000 * SAMPLE_RATE)
    page.say(*WORDS[3:6])
    await page.done()
    assert page.room.gaps == []
    assert page.room.words == WORDS[:6]


class DriftingPage(Page):
    """A page whose clock is slow by `drift` per second (or fast), on a network with delays."""

    def __init__(self, engine: ScriptedEngine, drift: float, source: random.Random) -> None:
        super().__init__(engine)
        self.held_until = 0.0
        self._drift = drift
        self._source = source

    @property
    def clock(self) -> float:
        """The session's time at this sample."""
        return self.index / SAMPLE_RATE * (1 + self._drift)

    def send(self, pcm: bytes) -> None:
        for start in range(0, len(pcm), FRAME):
            frame = pcm[start : start + FRAME].ljust(FRAME, b"\0")
            first, self.index = self.index, self.index + FRAME // BYTES_PER_SAMPLE
            stalls = self._source.random() < 0.005  # which holds up what comes behind it, too
            delay = self._source.uniform(0.5, 4) if stalls else self._source.uniform(0.02, 0.1)
            self.room.now = max(self.room.now, self.held_until, self.clock + delay)
            self.microphone.audio(first, frame)

    def be_silent(self, seconds: float) -> None:
        """Turn the microphone off meanwhile."""
        self.microphone.mic(False)
        self.index += int(seconds * SAMPLE_RATE)
        self.microphone.mic(True)


@pytest.mark.parametrize("drift", [200e-6, -200e-6, 0.0], ids=["slow", "fast", "right"])
async def test_times_stay_right_over_hours_although_the_page_s_clock_drifts(drift: float) -> None:
    page = DriftingPage(ScriptedEngine(), drift, random.Random(4))
    spoken_at = []
    for turn in range(80):
        if turn % 8 == 7:  # the connection was lost, and all of this comes as a backlog
            page.held_until = page.clock + 30
        page.send(silence(1))
        spoken_at.append(page.clock)
        page.say(WORDS[turn])
        page.send(silence(6))
        page.be_silent(150)
        await settle()
    await page.done()
    assert page.clock > 3 * 3600
    assert page.room.words == WORDS[:80]
    for (word, when), at in zip(page.room.heard_words, spoken_at, strict=True):
        assert when.start == pytest.approx(at, abs=0.3), word
        assert 0.1 < when.end - when.start < 0.5, word


def test_a_closing_room_takes_no_audio_and_blames_nobody() -> None:
    async def talk_on() -> None:
        engine = ScriptedEngine()
        page = Page(engine)
        page.say(*WORDS[:3])
        await settle()
        page.microphone.close()
        received = page.microphone.received
        page.send(speak("late"))
        page.microphone.mic(True)
        page.send(speak("later"))
        await page.microphone.wait_closed()
        page.assert_heard_as_spoken()
        assert page.microphone.received == received

    asyncio.run(talk_on())


async def test_a_repeated_frame_counts_as_audio_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(microphone_module, "PACE_ALLOWANCE", 2.0)
    page = Page(ScriptedEngine())

    def repeat() -> None:
        for _ in range(100):
            page.microphone.audio(0, bytes(FRAME))

    with pytest.raises(AudioError, match="faster"):
        repeat()


# Waiting


async def test_audio_waits_for_a_slot_and_is_heard_in_full() -> None:
    engine = ScriptedEngine(max_streams=1)
    services = services_of(engine)
    first, second = Page(engine, services), Page(engine, services)
    first.say(*WORDS[:10])
    second.say(*WORDS[10:20])
    await until(lambda: second.microphone.state[0] == "delayed")
    assert "busy" in (second.microphone.state[1] or "")
    assert first.microphone.state == ("listening", None)
    assert second.room.words == []
    await first.done()
    await second.done()
    first.assert_heard_as_spoken()
    second.assert_heard_as_spoken()


async def test_who_is_silent_lets_go_when_others_wait() -> None:
    engine = ScriptedEngine(max_streams=1)
    services = services_of(engine)
    first, second = Page(engine, services), Page(engine, services)
    first.say(*WORDS[:3])
    first.send(silence(2))
    await settle()
    second.say(*WORDS[3:6])
    await settle()
    assert second.room.words == []
    first.send(silence(0.2))
    await until(lambda: second.room.words == WORDS[3:6])
    assert first.microphone.mic_on


async def test_refused_streams_are_tried_again() -> None:
    engine = ScriptedEngine(script=[NoSlotError(), NoSlotError()])
    page = Page(engine)
    page.say(*WORDS[:5])
    await until(lambda: page.microphone.state[0] == "delayed")
    page.say(*WORDS[5:10])
    await until(lambda: engine.streams)
    page.say(*WORDS[10:12])
    await page.done()
    page.assert_heard_as_spoken()
    assert waits_of(engine) == pytest.approx([1, 2])


async def test_trouble_that_somebody_must_end_is_told_and_ends_by_itself() -> None:
    trouble = EngineError("Gladia refuses the key: set GLADIA_API_KEY", retry=False)
    engine = ScriptedEngine(script=[trouble])
    page = Page(engine)
    page.say(*WORDS[:5])
    await until(lambda: ("failed", str(trouble)) in page.room.states)
    await until(lambda: engine.streams)
    await settle()
    assert page.room.states[-1] == ("listening", None)
    await page.done()
    page.assert_heard_as_spoken()


def waits_of(engine: ScriptedEngine) -> list[float]:
    """Return the seconds between the engine's openings."""
    return [b - a for a, b in zip(engine.opened_at, engine.opened_at[1:], strict=False)]


async def test_who_can_only_be_helped_by_somebody_asks_every_half_minute() -> None:
    """Not as often as for trouble that passes: each ask is a refused request to the service."""
    trouble = EngineError("Gladia refuses the key: set GLADIA_API_KEY", retry=False)
    engine = ScriptedEngine(script=[trouble] * 6)
    page = Page(engine)
    page.say(*WORDS[:5])
    await asyncio.sleep(200)
    waits = waits_of(engine)
    assert len(waits) == 6
    assert all(15 <= wait <= 30 for wait in waits), waits
    assert len(set(waits)) > 1, "pages don't ask in step"
    await page.done()
    page.assert_heard_as_spoken()


async def test_trouble_that_passes_is_asked_about_ever_more_rarely() -> None:
    engine = ScriptedEngine(script=[EngineError("Gladia can't be reached")] * 8)
    page = Page(engine)
    page.say(*WORDS[:5])
    await asyncio.sleep(200)
    longest = [1, 2, 4, 8, 15, 15, 15, 15]
    for wait, most in zip(waits_of(engine), longest, strict=True):
        assert most / 2 <= wait <= most
    await page.done()
    page.assert_heard_as_spoken()


async def test_who_speaks_next_finds_out_for_all_that_somebody_has_helped() -> None:
    trouble = EngineError("Gladia refuses the key: set GLADIA_API_KEY", retry=False)
    engine = ScriptedEngine(script=[trouble])
    services = services_of(engine)
    first, second = Page(engine, services), Page(engine, services)
    first.say(*WORDS[:5])
    await until(lambda: first.microphone.state[0] == "failed")
    second.say(*WORDS[5:10])
    await until(lambda: first.room.words)
    assert asyncio.get_running_loop().time() < 1
    for page in (first, second):
        await page.done()
        page.assert_heard_as_spoken()


async def test_of_a_long_wait_the_last_part_is_kept_and_the_loss_is_told() -> None:
    engine = ScriptedEngine(closed=True)
    page = Page(engine)
    page.say(*WORDS[:260])
    total = page.index / SAMPLE_RATE
    assert total > 70
    assert page.room.loss_notices == 1, "the page is told once, not for every frame"
    engine.closed = False
    await page.done()
    missing = len(page.spoken) - len([w for w in page.room.words if w != "<?>"])
    assert page.spoken[missing][1] == pytest.approx(total - 60, abs=1)
    heard = [(word, span) for word, span in page.room.heard_words if word != "<?>"]
    assert [word for word, _ in heard] == [word for word, _ in page.spoken[missing:]]
    assert heard[0][1].start == pytest.approx(page.spoken[missing][1], abs=0.05)
    [(seconds, when)] = page.room.gaps
    assert seconds == pytest.approx(total - 60, abs=0.1)
    assert when.start == pytest.approx(page.spoken[0][1], abs=0.6)
    assert when.end <= heard[0][1].start, "the gap stands before what was said after it"


async def test_the_bound_is_counted_per_page_over_all_its_streams() -> None:
    engine = ScriptedEngine(closed=True)
    page = Page(engine)
    for turn in range(4):
        page.say(*WORDS[turn * 62 : turn * 62 + 62])  # 17 s each
        page.microphone.mic(False)
        page.microphone.mic(True)
        await settle()
    total = page.index / SAMPLE_RATE
    engine.closed = False
    await page.done()
    heard = [word for word in page.room.words if word != "<?>"]
    expected = [word for word, at in page.spoken if at >= total - 60]
    assert sorted(heard) == sorted(expected), "order between streams is the engine's"
    page.microphone.tick(time.monotonic() + 10)
    assert page.room.lost == pytest.approx(total - 60, abs=0.5)


async def test_all_pages_together_wait_within_one_bound() -> None:
    engine = ScriptedEngine(closed=True)
    budget = 30 * BYTES_PER_SECOND
    services = services_of(engine, budget)
    pages = [Page(engine, services) for _ in range(3)]
    for page in pages:
        page.say(*WORDS[:50])
    assert not services.budget.reserve(FRAME)
    assert pages[0].room.lost == 0
    assert pages[2].room.loss_notices == 1
    engine.closed = False
    for page in pages:
        await page.done()
    assert pages[0].room.words == WORDS[:50]
    assert services.budget.reserve(budget), "everything was given back"


# Lost streams


@pytest.mark.parametrize("seed", range(8))
async def test_streams_may_be_lost_anywhere_and_no_word_is_lost_or_doubled(seed: int) -> None:
    source = random.Random(seed)
    losses = [source.randint(1, 4 * BYTES_PER_SECOND) for _ in range(source.randint(1, 6))]
    engine = ScriptedEngine(lose_after=losses)
    page = Page(engine)
    for start in range(0, 60, 6):
        page.say(*WORDS[start : start + 6])
        page.send(silence(source.choice([0, 0.1, 12])))
        await asyncio.sleep(source.choice([0, 0.25, 1.25]))
    await page.done()
    page.assert_heard_as_spoken()
    assert sum(record.usage.errors for record in page.room.records) > 0
    assert "open" in page.room.withdrawn_ids


async def test_speech_of_a_lost_stream_is_not_counted_twice() -> None:
    engine = ScriptedEngine()
    page = Page(engine, gated=False)
    page.send(silence(1))
    await settle()
    page.send(silence(40))  # without a final, of the minute it may have
    engine.streams[0].lose()
    page.say(*WORDS[:5])
    await page.done()
    assert page.room.lost == 0
    assert page.room.gaps == []
    assert len(engine.streams[1].taken) > 41 * BYTES_PER_SECOND
    page.assert_heard_as_spoken()


async def test_a_stream_lost_while_it_takes_over_what_waited_loses_nothing() -> None:
    engine = ScriptedEngine(script=[NoSlotError()], lose_after=[2 * BYTES_PER_SECOND])
    page = Page(engine)
    page.say(*WORDS[:30])
    await page.done()
    page.assert_heard_as_spoken()
    assert len(engine.streams) == 2


async def test_what_a_lost_stream_no_longer_keeps_does_not_move_the_rest_in_time() -> None:
    engine = ScriptedEngine(keeps=BYTES_PER_SECOND)
    page = Page(engine)
    page.say(WORDS[0])
    await settle()
    page.send(b"\x10\x27\xf0\xd8" * (2 * BYTES_PER_SECOND // 4))  # a noise that is no word
    engine.streams[0].lose()
    page.say(*WORDS[1:10])
    await page.done()
    heard = [(word, span) for word, span in page.room.heard_words if word != "<?>"]
    assert [word for word, _ in heard] == [word for word, _ in page.spoken]
    for (_, span), (_, at) in zip(heard, page.spoken, strict=True):
        assert span.start == pytest.approx(at, abs=0.05)


async def test_an_engine_that_takes_and_drops_streams_is_not_hammered() -> None:
    engine = ScriptedEngine(lose_after=[1] * 1000)
    page = Page(engine)
    page.say(*WORDS[:5])
    await asyncio.sleep(60)
    assert page.microphone.state[0] == "delayed"
    waits = waits_of(engine)
    assert len(waits) > 15
    for wait, most in zip(waits, [1, 2, 4, 8] + [15] * len(waits), strict=False):
        assert most / 8 <= wait <= most / 4
    engine.lose_after.clear()
    await page.done()
    page.assert_heard_as_spoken()


async def test_an_aborted_page_gives_everything_back() -> None:
    engine = ScriptedEngine(closed=True)
    services = services_of(engine, budget=10 * BYTES_PER_SECOND)
    page = Page(engine, services)
    page.say(*WORDS[:20])
    page.microphone.abort()
    await page.microphone.wait_closed()
    assert services.budget.reserve(10 * BYTES_PER_SECOND)
    assert services.slots.held == 0
    assert page.room.lost == pytest.approx(page.index / SAMPLE_RATE, abs=0.5)
    [(seconds, when)] = page.room.gaps
    assert seconds == pytest.approx(page.index / SAMPLE_RATE, abs=0.5)
    assert when.start < 0.5


async def test_an_aborted_stream_leaves_a_gap_from_its_last_word_on() -> None:
    page = Page(ScriptedEngine(drains_in_slot=False))
    page.say(*WORDS[:6])
    await settle()
    heard_until = page.room.heard_words[-1][1].until
    page.send(b"\x10\x27\xf0\xd8" * (3 * BYTES_PER_SECOND // 4))
    page.send(speak(WORDS[6])[: FRAME * 4])
    await settle()
    page.microphone.abort()
    await page.microphone.wait_closed()
    until_now = [one for one in page.room.heard_words if one[1].until <= heard_until]
    assert [word for word, _ in until_now] == WORDS[: len(until_now)]
