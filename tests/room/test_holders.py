"""One person in two tabs: one has the microphone and the call, and no sentence is doubled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import pytest

from core.room.holders import GONE_AFTER, Holders
from core.speech.engine import SAMPLE_RATE
from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import silence, speak, vocabulary
from tests.support.app_server import AppServer
from tests.support.visitors import RoomPage, Visitor

WORDS = vocabulary(60, seed=5)


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer) -> Iterator[AppServer]:
    with GladiaEmulator() as gladia:
        server = make_server_in(GLADIA_API_KEY=gladia.api_key, GLADIA_API_URL=gladia.url)
        yield server
        server.stop()


@pytest.fixture
def ada(place: AppServer) -> Visitor:
    return Visitor(place.url).sign_in("Ada Lovelace")


async def is_told(page: RoomPage, active: bool) -> None:
    await page.until(lambda: page.of_type("active") and page.of_type("active")[-1]["on"] is active)


async def says(page: RoomPage, words: list[str]) -> None:
    """Say words as they come, which takes their time."""
    await sends(page, speak(words))


async def rests(page: RoomPage) -> None:
    """Be silent until the words are final."""
    await sends(page, silence(1))


async def sends(page: RoomPage, pcm: bytes) -> None:
    """Send audio after it was spoken, as all pages do, with a clock that goes on in between."""
    now = time.monotonic()
    began = _began.setdefault(page, now - page.index / SAMPLE_RATE)
    page.record(silence(max(0.0, now - began - page.index / SAMPLE_RATE)))
    await asyncio.sleep(0.1)
    await page.speak(pcm, speed=1.0)


_began: WeakKeyDictionary[RoomPage, float] = WeakKeyDictionary()


def heard(page: RoomPage) -> list[str]:
    return page.text.split()


async def test_of_two_tabs_one_is_heard_and_no_word_is_there_twice(ada: Visitor) -> None:
    """Both send all they hear, as pages that don't know or don't care."""
    slug = ada.start_session()
    async with ada.page(slug) as first:
        assert first.welcome["active"] is True
        await first.mic(True)
        await says(first, WORDS[:3])
        async with ada.page(slug) as second:
            assert second.welcome["active"] is True, "the newest is meant"
            await is_told(first, False)
            await second.mic(True)
            both = WORDS[3:8]
            await asyncio.gather(says(first, both), says(second, both))
            await asyncio.gather(rests(first), rests(second))
            await first.until(lambda: heard(first) == WORDS[:8])
            await first.send({"type": "take"})
            await is_told(first, True)
            await is_told(second, False)
            await asyncio.gather(says(first, WORDS[8:12]), says(second, WORDS[8:12]))
            await rests(first)
            await second.until(lambda: heard(second) == WORDS[:12])
            assert first.closed is None and second.closed is None, "a racing page did no wrong"


async def test_what_was_said_before_another_tab_took_over_is_kept(ada: Visitor) -> None:
    """Also when the line was gone, and the words come only after that."""
    slug = ada.start_session()
    first = ada.page(slug)
    await first.connect()
    await first.mic(True)
    await says(first, WORDS[:2])
    await first.drop()
    before, after = speak(WORDS[2:5]), speak(WORDS[5:8])
    first.record(before)
    await asyncio.sleep(len(before) / 32_000)
    async with ada.page(slug) as second:
        first.record(silence(0.5) + after)
        await asyncio.sleep(0.5 + len(after) / 32_000)
        await reconnect(first, active=True)
        assert first.welcome["active"] is False, "another was chosen meanwhile"
        assert second.of_type("active") == []
        await first.mic(True)
        await first.resend()
        await first.mic(False)
        await second.until(lambda: heard(second) == WORDS[:5])
        await second.mic(True)
        await second.speak(speak(WORDS[8:9]) + silence(1))
        await second.until(lambda: heard(second) == [*WORDS[:5], *WORDS[8:9]])
        await first.leave()


async def reconnect(page: RoomPage, *, active: bool) -> None:
    page.active = active
    await page.connect()


async def test_who_reconnects_is_what_it_was(ada: Visitor) -> None:
    slug = ada.start_session()
    async with ada.page(slug) as first, ada.page(slug) as second:
        await is_told(first, False)
        await first.drop()
        await reconnect(first, active=False)
        assert first.welcome["active"] is False
        await second.drop()
        await reconnect(second, active=True)
        assert second.welcome["active"] is True
        assert len(first.of_type("active")) == 1, "a moment's loss gives nobody the call"


async def test_the_tab_that_stays_gets_the_microphone_back(ada: Visitor) -> None:
    slug = ada.start_session()
    async with ada.page(slug) as first:
        second = ada.page(slug)
        await second.connect()
        await is_told(first, False)
        await second.leave()
        await is_told(first, True)
        await first.mic(True)
        await first.speak(speak(WORDS[:2]) + silence(1))
        await first.until(lambda: heard(first) == WORDS[:2])


async def test_taking_over_is_bounded(make_server: MakeServer) -> None:
    server = await asyncio.to_thread(make_server, RATE_LIMIT_FACTOR="1")
    ada = Visitor(server.url).sign_in("Ada Lovelace")
    slug = ada.start_session()
    async with ada.page(slug) as first, ada.page(slug) as second:
        for _ in range(100):
            await first.send({"type": "take"})
        await first.until(lambda: len(codes(first)) == 40)
        assert set(codes(first)) == {"too_much"}
        assert len(second.of_type("active")) == 1, "to have what one has changes nothing"


def codes(page: RoomPage) -> list[Any]:
    return [error["code"] for error in page.of_type("error")]


# What the wire can't reach in a test's time


def ticks(holders: Holders, count: int, *pages: str) -> list[str]:
    return [one for _ in range(count) for one in holders.tick({"ada": list(pages)})]


def test_a_lost_tabs_heir_gives_the_place_back_unless_it_was_used() -> None:
    holders = Holders()
    holders.came("ada", "phone", None)
    holders.came("ada", "laptop", None)
    assert ticks(holders, GONE_AFTER, "phone") == []
    assert ticks(holders, 1, "phone") == ["ada"]
    assert holders.is_active("ada", "phone")
    holders.came("ada", "laptop", held=True)
    assert holders.is_active("ada", "laptop")
    ticks(holders, GONE_AFTER + 1, "phone")
    holders.used("ada", "phone")
    holders.came("ada", "laptop", held=True)
    assert holders.is_active("ada", "phone")


def test_after_a_restart_the_active_tab_is_waited_for() -> None:
    holders = Holders()
    holders.came("ada", "phone", held=False)
    assert not holders.is_active("ada", "phone")
    holders.came("ada", "laptop", held=True)
    assert holders.is_active("ada", "laptop")
    other = Holders()
    other.came("ada", "phone", held=False)
    assert ticks(other, GONE_AFTER + 1, "phone") == ["ada"]
    assert other.is_active("ada", "phone")


def test_a_tab_that_others_of_the_person_close_is_no_ones_heir() -> None:
    holders = Holders()
    holders.came("ada", "phone", None)
    holders.came("ada", "laptop", None)
    holders.left("ada", "phone", "laptop")
    assert holders.is_active("ada", "laptop")
    assert ticks(holders, 3 * GONE_AFTER) == [], "nobody is there to inherit"
