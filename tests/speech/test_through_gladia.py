"""Every word arrives, once, under the right name: from the page to Gladia and back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from core.speech.engine import BYTES_PER_SECOND
from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import seconds, silence, speak
from tests.speech.gladia_rooms import (
    PAUSE,
    WORDS,
    Room,
    Speaker,
    health,
    trouble,
    vocabularies,
)
from tests.support.app_server import AppServer
from tests.support.visitors import Visitor


async def test_two_who_speak_at_once_are_told_apart_and_on_time(place: AppServer) -> None:
    async with Room(place) as room:
        ada, bob = await room.speaker("Ada"), await room.speaker("Bob")

        async def talk(who: Speaker, words: list[str]) -> None:
            for start in range(0, 12, 4):
                await who.say(*words[start : start + 4], pause=0.7, speed=1)

        await asyncio.gather(*map(talk, (ada, bob), vocabularies(2, 12)))
        await room.all_arrived()
        room.times_are_right()


async def test_ten_in_one_room_are_told_apart(place: AppServer) -> None:
    async with Room(place) as room:
        people = [await room.speaker(f"Person {number}") for number in range(10)]

        async def talk(who: Speaker, words: list[str]) -> None:
            for start in range(0, 30, 6):
                await who.say(*words[start : start + 6])

        await asyncio.gather(*map(talk, people, vocabularies(10, 30)))
        await room.all_arrived()


async def test_trouble_that_passes_is_told_and_costs_no_word(
    place: AppServer, gladia: GladiaEmulator
) -> None:
    with trouble(gladia.faults.refuse_post(429, times=2)):
        async with Room(place) as room:
            ada = await room.speaker("Ada")
            await ada.say(*WORDS[:10])
            await room.reader.until(lambda: any(s == "delayed" for s, _ in room.states(ada)))
            await ada.say(*WORDS[10:20])
            await room.all_arrived()
            reasons = [reason for state, reason in room.states(ada) if state == "delayed"]
            assert all(reasons)


async def test_a_refused_key_is_told_and_recovers_for_all(
    place: AppServer, gladia: GladiaEmulator
) -> None:
    async with Room(place) as room:
        ada, bob = await room.speaker("Ada"), await room.speaker("Bob")
        with trouble(gladia.faults.refuse_post(401, times=None)):
            await ada.say(*WORDS[:10])
            await room.reader.until(lambda: any(s == "failed" for s, _ in room.states(ada)))
            assert room.states(ada)[-1][1] == {"code": "key_refused", "detail": ""}
            told = await health(place)
            assert (told["status"], told["speech"]["health"]) == ("degraded", "degraded")
            assert told["speech"]["since"]
            async with Room(place) as other:
                assert other.reader.welcome["engine"]["health"] == "degraded"
        await bob.say(*WORDS[10:15])
        await room.all_arrived()
        assert (await health(place))["status"] == "ok"


async def test_an_empty_wallet_in_mid_meeting_is_told_and_a_top_up_brings_all(
    place: AppServer, gladia: GladiaEmulator
) -> None:
    async with Room(place) as room:
        ada, bob = await room.speaker("Ada"), await room.speaker("Bob")
        gladia.credit_seconds = gladia.billed_seconds + 1.5
        try:
            await ada.say(*WORDS[:10], speed=1)
            await room.reader.until(lambda: any(s == "failed" for s, _ in room.states(ada)))
            assert room.states(ada)[-1][1] == {"code": "credit_used_up", "detail": ""}
            assert (await health(place))["speech"]["reason"] == "credit_used_up"
        finally:
            gladia.credit_seconds = None
        await bob.say(*WORDS[10:15], speed=1)  # who speaks next finds out for all
        await room.all_arrived()
        room.times_are_right()
        assert (await health(place))["status"] == "ok"


async def test_what_a_session_asks_of_its_engine_reaches_it(
    place: AppServer, gladia: GladiaEmulator
) -> None:
    host = Visitor(place.url).sign_in("Linguist")
    slug = host.start_session()
    many = [f"term{number}" for number in range(120)]
    connection = await asyncpg.connect(place.database_url)
    try:
        await connection.execute(
            """
            UPDATE sessions SET languages = $2, code_switching = true, vocabulary = $3,
                   spelling = '{"Nyquist": ["Nigh quist", 7], "odd": "no list"}'
             WHERE slug = $1
            """,
            slug,
            ["ru", "en", "xx"],
            many,
        )
    finally:
        await connection.close()
    page = host.page(slug)
    await page.connect()
    await page.mic(True)
    await page.speak(speak(WORDS[:3]) + silence(PAUSE))
    await page.until(lambda: page.finals)
    config = gladia.sessions[-1].config
    assert config["language_config"] == {"languages": ["ru", "en"], "code_switching": True}
    realtime = config["realtime_processing"]
    assert realtime["custom_vocabulary_config"]["vocabulary"] == [*many[:99], "Linguist"]
    dictionary = realtime["custom_spelling_config"]["spelling_dictionary"]
    assert dictionary == {"Nyquist": ["Nigh quist"]}
    await page.leave()


async def talk_with_drops(place: AppServer, source: random.Random, words: list[str]) -> Room:
    """Speak while the page's connection breaks again and again; return the room afterwards."""
    async with Room(place) as room:
        ada = await room.speaker("Ada")
        for start in range(0, len(words), 5):
            await ada.say(*words[start : start + 3], pause=0, speed=1)
            if source.random() < 0.6:
                await ada.page.drop()
                await ada.come_back(*words[start + 3 : start + 5])
            else:
                await ada.say(*words[start + 3 : start + 5], pause=0, speed=1)
            await ada.say(pause=0.6, speed=1)
        await ada.say(speed=1)
        await room.all_arrived(30)
    return room


async def test_drops_of_the_page_lose_and_double_nothing_and_keep_the_time(
    place: AppServer,
) -> None:
    source = random.Random(1)
    talks = [talk_with_drops(place, source, words) for words in vocabularies(3, 15)]
    for room in await asyncio.gather(*talks):
        room.times_are_right()


async def test_drops_on_both_sides_lose_and_double_nothing(
    place: AppServer, gladia: GladiaEmulator
) -> None:
    source = random.Random(2)

    # Bounded: audio that is sent again passes the next random place, too.
    chaos = gladia.faults.chaos(seed=2, mean_bytes=2.5 * BYTES_PER_SECOND, times=18)
    with trouble(chaos):
        talks = [talk_with_drops(place, source, words) for words in vocabularies(6, 20)]
        rooms = await asyncio.gather(*talks)
    for room in rooms:
        room.times_are_right()
    assert chaos.fired > 6


# What it costs


async def billed(place: AppServer, gladia: GladiaEmulator, talk: Callable[[Speaker], Any]) -> float:
    """Return the seconds that Gladia bills for a talk, and check our own books."""
    async with Room(place) as room:
        before = len(gladia.sessions)
        ada = await room.speaker("Ada")
        await talk(ada)
        await ada.page.mic(False)
        await room.all_arrived(in_order=False)
        sessions = gladia.sessions[before:]
        await gladia.until(lambda: all(session.status == "done" for session in sessions))
        assert await booked(place, room.slug) == pytest.approx(
            sum(session.seconds for session in sessions), abs=0.1
        )
        return sum(session.billed_seconds for session in sessions)


async def booked(place: AppServer, slug: str) -> float:
    """Return the seconds of audio that Sessions says it sent in a session."""
    connection = await asyncpg.connect(place.database_url)
    await asyncio.sleep(0.3)
    total: float = await connection.fetchval(
        "SELECT sum(sent_s) FROM streams t JOIN sessions s ON s.id = t.session_id"
        " WHERE s.slug = $1",
        slug,
    )
    await connection.close()
    return total


async def test_billed_is_what_was_spoken_not_what_was_open(
    place: AppServer, gladia: GladiaEmulator, make_server: MakeServer
) -> None:
    async def talk(who: Speaker) -> None:
        for start in range(0, 40, 20):
            await who.say(*WORDS[start : start + 20], pause=20)

    spoken = sum(seconds(speak(word)) for word in WORDS[:40])
    gated = await billed(place, gladia, talk)
    ungated = await asyncio.to_thread(
        make_server, VOICE_GATE="off", GLADIA_API_KEY=gladia.api_key, GLADIA_API_URL=gladia.url
    )
    always_open = await billed(ungated, gladia, talk)
    assert always_open == pytest.approx(spoken + 40, abs=0.5)
    assert spoken < gated <= spoken + 2 * 9
