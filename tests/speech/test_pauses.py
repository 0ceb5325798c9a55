"""A host's pause of the transcription: what is said in it goes to no engine, and all read of it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from typing import Any

import pytest

from core.speech.engine import SAMPLE_RATE
from core.speech.withheld import Withheld
from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import silence, speak
from tests.speech.gladia_rooms import WORDS, Room, Speaker, beside
from tests.speech.scripted import Page, ScriptedEngine
from tests.support.app_server import AppServer
from tests.support.tables import Tables
from tests.support.visitors import RoomPage, Visitor

SECRET = WORDS[500:506]


@pytest.fixture
def own_place(gladia: GladiaEmulator, make_server: MakeServer) -> Iterator[AppServer]:
    yield from beside(gladia, make_server)


def heard_bytes(gladia: GladiaEmulator) -> int:
    """Return how much audio has reached the engine, over all streams."""
    return sum(len(one.received) for one in gladia.sessions)


async def does(visitor: Visitor, slug: str, what: str) -> tuple[int, str]:
    return await asyncio.to_thread(visitor.host, slug, what)


def is_paused(page: RoomPage) -> bool:
    told = [one["pauses"] for one in page.messages if "pauses" in one][-1]
    return bool(told) and told[-1]["end"] is None


async def keep_time(speaker: Speaker) -> None:
    """Let a moment pass, and let all that passed have been recorded, and not been sent."""
    assert speaker.began is not None
    await asyncio.sleep(0.1)
    page = speaker.page
    page.record(silence(max(0.0, time.time() - speaker.began - page.index / SAMPLE_RATE)))


# Who may is in tests/session/test_access_table.py, for everybody.


async def test_what_is_said_in_a_pause_reaches_no_engine(
    place: AppServer, gladia: GladiaEmulator
) -> None:
    """Paused in mid-sentence: what came before is text, what comes after has its right times."""
    async with Room(place, "Pauline") as room:
        ada = await room.speaker("Ada")
        await ada.say(*WORDS[:5], pause=0, speed=1)
        assert await does(room.host, room.slug, "pause") == (204, "")
        await room.reader.until(lambda: is_paused(room.reader))
        await ada.page.until(lambda: is_paused(ada.page))
        await keep_time(ada)
        await ada.page.speak(
            speak(SECRET[:1]), speed=1
        )  # it says so all the same, and ends the sentence
        await room.all_arrived()
        before = heard_bytes(gladia)
        assert room.states(ada)[-1] == ("paused", None)
        await keep_time(ada)
        await ada.page.mic(True)
        await ada.page.speak(speak(SECRET) + silence(0.5), speed=1)
        first = ada.page.index
        await asyncio.sleep(0.6)
        await keep_time(ada)
        await ada.page.send({"type": "lost", "from": first, "until": ada.page.index})
        assert await does(room.host, room.slug, "pause") == (204, ""), "it is, and stays so"
        async with room.host.page(room.slug) as late:
            [pause] = late.welcome["pauses"]
            assert (pause["end"], pause["by"]) == (None, "Pauline")
            assert 0 < pause["start"] < late.welcome["now"]
        assert heard_bytes(gladia) == before
        assert await does(room.host, room.slug, "resume") == (204, "")
        await ada.page.until(lambda: not is_paused(ada.page))
        await keep_time(ada)
        await ada.say(*WORDS[5:10], speed=1)
        await room.all_arrived()
        room.times_are_right()
        assert not any("lost" in one for one in room.reader.finals), "a pause is no loss"
        assert ada.page.of_type("error") == []
        slug, host = room.slug, room.host
    await asyncio.to_thread(host.end, slug)
    await has_the_pause(host, slug)
    tables = Tables(place.database_url)
    spent = "SELECT sum(sent_s) FROM streams t JOIN sessions s ON s.id = session_id WHERE slug = $1"
    said = 10 * len(speak(WORDS[:1])) / 2 / SAMPLE_RATE
    billed = await asyncio.to_thread(tables.one, spent, slug)
    assert billed < said + 4, "nor is it billed"


async def has_the_pause(host: Visitor, slug: str) -> None:
    """Who reads it later sees where nothing was transcribed, and at whose wish."""

    def get(ending: str) -> str:
        answer = host.http.get(f"/s/{slug}{ending}")
        assert answer.status_code == 200
        return answer.text

    page = await asyncio.to_thread(get, "")
    assert "Paused by Pauline from 0:0" in page
    text, vtt = [await asyncio.to_thread(get, f"/transcript.{one}") for one in ("txt", "vtt")]
    assert "Pauline: (paused the transcription until 0:0" in text
    assert "NOTE 00:00:0" in vtt
    assert "Pauline: (paused the transcription until" in vtt
    for word in SECRET:
        assert word not in page + text + vtt


async def test_a_pause_outlives_the_server(own_place: AppServer, gladia: GladiaEmulator) -> None:
    host = Visitor(own_place.url).sign_in("Hedy")
    slug = host.start_session()
    page = host.page(slug)
    await page.connect()
    assert await does(host, slug, "pause") == (204, "")
    await page.until(lambda: is_paused(page))
    own_place.kill()
    await page.until_closed()
    await asyncio.to_thread(own_place.start)
    before = heard_bytes(gladia)
    await page.connect()
    assert is_paused(page)
    await page.mic(True)
    await page.speak(speak(SECRET) + silence(1), speed=1)
    assert await does(host, slug, "resume") == (204, "")
    await page.until(lambda: not is_paused(page))
    assert heard_bytes(gladia) == before
    page.record(silence(5))  # what passed meanwhile, generously: no clock goes back
    await page.speak(speak(WORDS[:3]) + silence(1))
    await page.until(lambda: page.text.split() == WORDS[:3])
    await page.leave()


async def test_what_was_said_in_a_pause_is_not_taken_later_either(
    place: AppServer, gladia: GladiaEmulator
) -> None:
    """A line is gone while a host pauses; what its page kept of that time isn't transcribed."""
    async with Room(place) as room:
        ada = await room.speaker("Ada")
        await ada.say(*WORDS[:3], speed=1)
        await room.all_arrived()
        await ada.page.drop()
        assert await does(room.host, room.slug, "pause") == (204, "")
        await keep_time(ada)
        ada.page.record(speak(SECRET))
        await asyncio.sleep(len(speak(SECRET)) / 2 / SAMPLE_RATE)  # as long as it takes to say
        assert await does(room.host, room.slug, "resume") == (204, "")
        await keep_time(ada)
        before = heard_bytes(gladia)
        await ada.page.connect()
        await ada.page.mic(True)
        await ada.page.resend()
        await ada.say(*WORDS[3:6], speed=1)
        await room.all_arrived()
        assert heard_bytes(gladia) > before
        assert not any("lost" in one for one in room.reader.finals)


@pytest.mark.virtual_time
@pytest.mark.usefixtures("hasty_pages")
async def test_words_of_before_a_pause_that_come_late_are_taken() -> None:
    page = Page(ScriptedEngine())
    page.say(*WORDS[:3])
    paused_at = page.room.now
    page.room.withheld.set([(paused_at + 4, None)])
    page.room.now += 2  # the line is slow: what is said now comes in the pause
    page.say(*WORDS[3:6])
    page.room.now = paused_at + 20
    page.index += 20 * SAMPLE_RATE
    page.say(*WORDS[10:13])
    page.room.withheld.set([(paused_at + 4, paused_at + 40)])
    page.microphone.lost(page.index, page.index + 60 * SAMPLE_RATE)
    page.index += 60 * SAMPLE_RATE
    page.room.now += 60
    page.say(*WORDS[6:9])
    await page.done()
    assert page.room.words == WORDS[:9]
    [(seconds, _)] = page.room.gaps
    assert 35 < seconds < 50, "of what the page lost, what was no pause"


def test_what_is_withheld() -> None:
    withheld = Withheld()
    assert not withheld
    assert not withheld.covers(0, 1)
    withheld.set([(1, 2), (3, 4), (6, None)])
    seen: list[Any] = [withheld.covers(*one) for one in ((0, 1), (0.9, 1.1), (2, 3), (3.5, 9))]
    assert seen == [False, True, False, True]
    assert withheld.covers(math.inf, math.inf), "who isn't placed yet says it now"
    assert withheld.now
    assert withheld.without(0, 9) == [(0, 1), (2, 3), (4, 6)]
    withheld.set([(1, 2)])
    over = (withheld.now, withheld.covers(math.inf, math.inf))
    assert over == (False, False)
