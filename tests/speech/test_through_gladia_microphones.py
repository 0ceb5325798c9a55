"""Microphones that are switched, moved and muted: the way from the page to Gladia and back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from core.speech.engine import BYTES_PER_SECOND
from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import silence, speak
from tests.speech.gladia_rooms import (
    WORDS,
    Room,
    Speaker,
    beside,
    vocabularies,
)
from tests.support.app_server import AppServer
from tests.support.visitors import Visitor


@pytest.fixture(scope="module")
def strict_place(gladia: GladiaEmulator, make_server_in: MakeServer) -> Iterator[AppServer]:
    """Where the next `on` is due after 1 s only."""
    yield from beside(gladia, make_server_in, RATE_LIMIT_FACTOR="0.2")


async def test_one_person_goes_on_in_another_tab(place: AppServer) -> None:
    async with Room(place) as room:
        ada = await asyncio.to_thread(Visitor, place.url)
        await asyncio.to_thread(ada.be_guest, room.slug, "Ada")
        first, second = vocabularies(2, 10)
        old = await room.speaker("Ada", ada)
        await old.say(*first)
        new = await room.speaker("Ada", ada)  # which has the microphone from now on
        await new.say(*second)
        await room.all_arrived(in_order=False)
        assert len({final["identity"] for final in room.reader.finals}) == 1


async def test_a_microphone_that_is_switched_fifty_times_loses_nothing(
    limited_place: AppServer,
) -> None:
    async with Room(limited_place) as room:
        ada, bob = await room.speaker("Ada"), await room.speaker("Bob")
        words = WORDS[:60]
        await bob.say(*words[50:55], pause=0)
        for word in words[:50]:
            await ada.say(word, pause=0)
            await ada.page.mic(False)
            ada.page.record(silence(0.2))
            await ada.page.mic(True)
        await bob.say(*words[55:])
        await room.all_arrived(in_order=False)
        assert ada.page.of_type("error") == []


def errors_of(speaker: Speaker) -> list[str]:
    return [error["code"] for error in speaker.page.of_type("error")]


async def all_taken(speaker: Speaker) -> None:
    """Wait until the server has acted on everything that the page sent."""
    shown = len(speaker.page.of_type("reaction"))
    await speaker.page.send({"type": "reaction", "emoji": "👍"})
    await speaker.page.until(lambda: len(speaker.page.of_type("reaction")) > shown)


async def switch_too_often(speaker: Speaker, *, at_last: bool) -> None:
    """Turn the microphone off and on until the server refuses `on`, and leave it so."""
    refused = len(errors_of(speaker))
    while len(errors_of(speaker)) == refused:
        for on in (False, True) * 25:  # each of the rest is refused, too, of which 100 are borne
            await speaker.page.mic(on)
        await speaker.page.mic(at_last)
        await all_taken(speaker)
    assert set(errors_of(speaker)) == {"mic_too_often"}


async def test_a_microphone_is_not_switched_without_end(limited_place: AppServer) -> None:
    async with Room(limited_place) as room:
        ada = await room.speaker("Ada")
        began = time.monotonic()
        for on in (False, True) * 380:  # fewer refusals than those after which a page is closed
            await ada.page.mic(on)
        await ada.page.mic(False)
        await all_taken(ada)
        await room.reader.until(lambda: room.reader.of_type("reaction"))
        granted = 300 + 5 * (time.monotonic() - began)
        assert 380 - granted <= len(errors_of(ada)) <= 381 - 300
        assert 600 <= len(room.states(ada)) <= 2 * granted + 2
        assert set(errors_of(ada)) == {"mic_too_often"}
        assert ada.page.closed is None


async def test_who_was_refused_the_microphone_is_heard_soon_afterwards(
    limited_place: AppServer,
) -> None:
    async with Room(limited_place) as room:
        ada = await room.speaker("Ada")
        await switch_too_often(ada, at_last=True)
        await ada.say(pause=0.5, speed=1)
        await ada.say(*WORDS[:8], speed=1)
        await room.all_arrived()
        room.times_are_right()
        assert ("paused", None) not in room.states(ada)[-2:]
        assert set(errors_of(ada)) == {"mic_too_often"}, "what came meanwhile was no mistake"


async def test_off_is_honoured_also_after_a_refused_on(limited_place: AppServer) -> None:
    async with Room(limited_place) as room:
        ada = await room.speaker("Ada")
        await switch_too_often(ada, at_last=False)
        refused = len(errors_of(ada))
        await ada.page.speak(speak(WORDS[0])[: BYTES_PER_SECOND // 5], speed=1)
        await ada.page.until(lambda: len(errors_of(ada)) == refused + 5)
        assert set(errors_of(ada)[refused:]) == {"mic_off"}
        assert room.states(ada)[-1] == ("paused", None)


async def mute(room: Room, speaker: Speaker) -> None:
    """Turn a speaker's microphone off as the host does."""
    muted = len(speaker.page.of_type("muted"))
    me = speaker.page.welcome["you"]["identity"]
    await asyncio.to_thread(room.host.host, room.slug, f"people/{me}/mute")
    await speaker.page.until(lambda: len(speaker.page.of_type("muted")) > muted)


async def test_a_refused_on_does_not_outlive_a_host_s_mute(limited_place: AppServer) -> None:
    async with Room(limited_place) as room:
        ada = await room.speaker("Ada")
        await switch_too_often(ada, at_last=True)
        await mute(room, ada)
        refused = len(errors_of(ada))
        await ada.page.speak(silence(0.5) + speak(WORDS[:3]), speed=1)
        await all_taken(ada)
        assert room.states(ada)[-1] == ("paused", None)
        assert errors_of(ada)[refused:] == [], "it doesn't know yet that it is muted"
        await ada.page.mic(True)
        await ada.say(*WORDS[3:6], speed=1)
        await room.all_arrived()


async def test_a_refused_on_that_answers_a_mute_is_heard_soon_afterwards(
    strict_place: AppServer,
) -> None:
    async with Room(strict_place) as room:
        ada = await room.speaker("Ada")
        refused = 0
        while len(errors_of(ada)) == refused:  # the mute takes time, in which `on` may be due again
            await switch_too_often(ada, at_last=False)
            await mute(room, ada)
            refused = len(errors_of(ada))
            await ada.page.mic(True)
            await all_taken(ada)
        await ada.say(pause=1.5, speed=1)
        await ada.say(*WORDS[:3], speed=1)
        await room.all_arrived()
