"""When words were spoken: late frames, clocks that stood still or drift, and gaps."""

from __future__ import annotations

import random

import pytest

from core.speech.engine import (
    BYTES_PER_SAMPLE,
    SAMPLE_RATE,
)
from core.speech.pace import AudioError
from tests.emulators.wordaudio import silence
from tests.speech.scripted import (
    FRAME,
    WORDS,
    Page,
    ScriptedEngine,
    settle,
)

pytestmark = [pytest.mark.virtual_time, pytest.mark.usefixtures("hasty_pages")]


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
