"""One stream at a time: a plan that is smaller than the room costs no word."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import silence
from tests.speech.gladia_rooms import (
    WORDS,
    Room,
    Speaker,
    health,
    vocabularies,
)
from tests.support.app_server import AppServer


@pytest.fixture(scope="module")
def small_gladia() -> Iterator[GladiaEmulator]:
    with GladiaEmulator(max_sessions=1) as running:
        yield running


@pytest.fixture(scope="module")
def small_place(small_gladia: GladiaEmulator, make_server_in: MakeServer) -> Iterator[AppServer]:
    server = make_server_in(
        GLADIA_API_KEY=small_gladia.api_key,
        GLADIA_API_URL=small_gladia.url,
        GLADIA_MAX_STREAMS="1",
    )
    yield server
    server.stop()


async def test_on_a_plan_with_one_stream_a_conversation_is_captioned_in_full(
    small_place: AppServer, small_gladia: GladiaEmulator
) -> None:
    async with Room(small_place) as room:
        ada, bob = await room.speaker("Ada"), await room.speaker("Bob")
        words = vocabularies(6, 6)

        async def listen(who: Speaker, talking: asyncio.Task[None]) -> None:
            while not talking.done():
                await who.page.speak(silence(0.2), speed=4)

        for turn, said in enumerate(words):
            talks, listens = (ada, bob) if turn % 2 == 0 else (bob, ada)
            talking = asyncio.create_task(talks.say(*said, pause=0.4, speed=4))
            await listen(listens, talking)
        for who in (ada, bob):
            await who.page.mic(False)
        await room.all_arrived()
        assert small_gladia.peak_slots == 1
        assert [request.status for request in small_gladia.requests].count(429) == 0


async def test_a_plan_that_others_use_too_costs_no_word(
    small_place: AppServer, small_gladia: GladiaEmulator
) -> None:
    small_gladia.max_sessions = 0
    async with Room(small_place) as room:
        ada = await room.speaker("Ada")
        await ada.say(*WORDS[:10])
        await room.reader.until(lambda: any(s == "delayed" for s, _ in room.states(ada)))
        assert (await health(small_place))["status"] == "degraded"
        small_gladia.max_sessions = 1
        await room.all_arrived()
        assert (await health(small_place))["status"] == "ok"
