"""The way of audio to its engine: what is sent when, and what opens and ends a stream."""

from __future__ import annotations

import asyncio

import pytest

from core.speech import pace
from core.speech.engine import (
    BYTES_PER_SECOND,
    SAMPLE_RATE,
)
from core.speech.pace import AudioError
from tests.emulators.wordaudio import silence, speak
from tests.speech.scripted import (
    FRAME,
    WORDS,
    Page,
    ScriptedEngine,
    clock,
    settle,
)

pytestmark = [pytest.mark.virtual_time, pytest.mark.usefixtures("hasty_pages")]


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
    now = clock()
    page.microphone.tick(now + 1)
    assert page.microphone.state[0] == "listening"
    page.microphone.tick(now + 11)
    await page.microphone.wait_closed()
    page.assert_heard_as_spoken()
    assert not page.microphone.busy


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
    monkeypatch.setattr(pace, "PACE_ALLOWANCE", 2.0)
    page = Page(ScriptedEngine())

    def repeat() -> None:
        for _ in range(100):
            page.microphone.audio(0, bytes(FRAME))

    with pytest.raises(AudioError, match="faster"):
        repeat()
