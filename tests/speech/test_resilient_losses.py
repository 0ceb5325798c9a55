"""Streams that are lost or aborted: no word is lost or doubled, and what is, is told."""

from __future__ import annotations

import asyncio
import random

import pytest

from core.speech.engine import (
    BYTES_PER_SECOND,
    SAMPLE_RATE,
    NoSlotError,
)
from tests.emulators.wordaudio import silence, speak
from tests.speech.scripted import (
    FRAME,
    WORDS,
    Page,
    ScriptedEngine,
    services_of,
    settle,
    waits_of,
)

pytestmark = [pytest.mark.virtual_time, pytest.mark.usefixtures("hasty_pages")]


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
