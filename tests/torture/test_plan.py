"""The speech plan under people who never pause, as fast as people speak."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator, Timings
from tests.emulators.wordaudio import vocabulary
from tests.speech.gladia_rooms import Room, Speaker
from tests.support.app_server import AppServer
from tests.support.visitors import Visitor

pytestmark = pytest.mark.torture

STREAMS = 2
TALK_S = 60  # long enough for each to give way twice
NEWCOMER_AFTER_S = 10
# A turn of 20 s, at most 15 s more until a final comes, and the end of one stream and the beginning
# of another; the rest is for a busy machine.
FIRST_WORDS_WITHIN_S = 50


@pytest.fixture
def gladia() -> Iterator[GladiaEmulator]:
    with GladiaEmulator(max_sessions=STREAMS, timings=Timings.lifelike()) as running:
        yield running


@pytest.fixture
def place(gladia: GladiaEmulator, make_server: MakeServer) -> Iterator[AppServer]:
    server = make_server(
        GLADIA_API_KEY=gladia.api_key,
        GLADIA_API_URL=gladia.url,
        GLADIA_MAX_STREAMS=str(STREAMS),
    )
    yield server
    server.stop()


async def talk_on(speaker: Speaker, words: Iterator[str], seconds: float) -> None:
    """Speak without a pause."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await speaker.say(next(words), pause=0, speed=1)
    await speaker.page.mic(False)


async def test_two_who_never_pause_do_not_keep_another_session_from_being_written_down(
    gladia: GladiaEmulator, place: AppServer
) -> None:
    words = iter(vocabulary(3_000, seed=9))
    async with Room(place) as theirs, Room(place) as ours:
        ada = await asyncio.to_thread(Visitor, place.url)
        await asyncio.to_thread(ada.be_guest, theirs.slug, "Ada")
        loud = [await theirs.speaker(name) for name in ("Bob", "Cleo")]
        loud.append(await theirs.speaker("Ada", ada))
        eve = await ours.speaker("Eve")
        async with asyncio.TaskGroup() as talking:
            for speaker in loud:
                talking.create_task(talk_on(speaker, words, TALK_S))
            await asyncio.sleep(NEWCOMER_AFTER_S)
            assert gladia.open_slots == STREAMS
            talking.create_task(talk_on(eve, words, TALK_S - NEWCOMER_AFTER_S))
            await ours.reader.until(lambda: ours.words_of("Eve"), FIRST_WORDS_WITHIN_S)
        await ours.all_arrived(60)
        await theirs.all_arrived(60)
        assert gladia.peak_slots == STREAMS
        for room in (ours, theirs):
            assert all("lost" not in final for final in room.reader.finals)
            room.times_are_right()
