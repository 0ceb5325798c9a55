"""Audio that waits: for a slot, for a service that is away, for somebody to help, in memory."""

from __future__ import annotations

import asyncio
import time

import pytest

from core.speech.engine import (
    BYTES_PER_SECOND,
    SAMPLE_RATE,
    EngineError,
    NoSlotError,
)
from core.speech.reasons import Reason
from tests.emulators.wordaudio import silence
from tests.speech.scripted import (
    FRAME,
    WORDS,
    Page,
    ScriptedEngine,
    services_of,
    settle,
    until,
    waits_of,
)

pytestmark = [pytest.mark.virtual_time, pytest.mark.usefixtures("hasty_pages")]


async def test_audio_waits_for_a_slot_and_is_heard_in_full() -> None:
    engine = ScriptedEngine(max_streams=1)
    services = services_of(engine)
    first, second = Page(engine, services), Page(engine, services)
    first.say(*WORDS[:10])
    second.say(*WORDS[10:20])
    await until(lambda: second.microphone.state[0] == "delayed")
    assert second.microphone.state[1] == Reason("busy")
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
    for wait, most in zip(waits_of(engine), [1, 2], strict=True):
        assert most / 2 <= wait <= most


async def test_trouble_that_somebody_must_end_is_told_and_ends_by_itself() -> None:
    trouble = EngineError(Reason("key_refused"), retry=False)
    engine = ScriptedEngine(script=[trouble])
    page = Page(engine)
    page.say(*WORDS[:5])
    await until(lambda: ("failed", trouble.reason) in page.room.states)
    await until(lambda: engine.streams)
    await settle()
    assert page.room.states[-1] == ("listening", None)
    await page.done()
    page.assert_heard_as_spoken()


async def test_who_can_only_be_helped_by_somebody_asks_every_half_minute() -> None:
    """Not as often as for trouble that passes: each ask is a refused request to the service."""
    trouble = EngineError(Reason("key_refused"), retry=False)
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
    engine = ScriptedEngine(script=[EngineError(Reason("unreachable"))] * 8)
    page = Page(engine)
    page.say(*WORDS[:5])
    await asyncio.sleep(200)
    longest = [1, 2, 4, 8, 15, 15, 15, 15]
    for wait, most in zip(waits_of(engine), longest, strict=True):
        assert most / 2 <= wait <= most
    await page.done()
    page.assert_heard_as_spoken()


async def test_who_speaks_next_finds_out_for_all_that_somebody_has_helped() -> None:
    trouble = EngineError(Reason("key_refused"), retry=False)
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


async def test_stretches_of_which_nothing_is_left_wait_no_longer() -> None:
    """A page that turns its microphone on and off makes one each time."""
    engine = ScriptedEngine(closed=True)
    page = Page(engine)
    for turn in range(400):
        page.say(WORDS[turn % len(WORDS)])
        page.microphone.mic(False)
        page.microphone.mic(True)
        await settle()
    kept = len(page.microphone._stretches)
    assert kept <= 60 / 0.24 + 1, "as many as a minute has words, which is all that may wait"
    engine.closed = False
    await page.done(1000)
    assert len(page.room.words) <= kept


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
