"""Every word arrives, once, under the right name: the whole way from the page to Gladia and back.

Gladia is an emulator that hears the audio that really reached it, so anything lost, doubled
or swapped on the way shows up as wrong words.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import httpx2
import pytest

from core.speech.engine import BYTES_PER_SECOND, SAMPLE_RATE
from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.gladia.faults import Fault
from tests.emulators.wordaudio import seconds, silence, speak, vocabulary
from tests.support.app_server import AppServer
from tests.support.visitors import RoomPage, Visitor

WORDS = vocabulary(2000, seed=5)
PAUSE = 1.0  # seconds; ends an utterance
TOLERANCE = 0.3  # seconds


@pytest.fixture(scope="module")
def gladia() -> Iterator[GladiaEmulator]:
    with GladiaEmulator() as running:
        yield running


@pytest.fixture(scope="module")
def place(gladia: GladiaEmulator, make_server_in: MakeServer) -> Iterator[AppServer]:
    server = make_server_in(GLADIA_API_KEY=gladia.api_key, GLADIA_API_URL=gladia.url)
    yield server
    server.stop()  # before its Gladia, for whose last words it would wait


@pytest.fixture(scope="module")
def limited_place(gladia: GladiaEmulator, make_server_in: MakeServer) -> Iterator[AppServer]:
    """Sessions with its real rate limits."""
    server = make_server_in(
        GLADIA_API_KEY=gladia.api_key, GLADIA_API_URL=gladia.url, RATE_LIMIT_FACTOR="1"
    )
    yield server
    server.stop()


@dataclass
class Speaker:
    """Somebody in the room, and what they said when."""

    name: str
    page: RoomPage
    words: list[str] = field(default_factory=list)
    spoken_at: dict[str, float] = field(default_factory=dict)
    began: float | None = None

    async def say(self, *words: str, pause: float = PAUSE, speed: float = 0.0) -> None:
        """Say words and be silent for a moment."""
        await self.page.speak(self._sound(words) + silence(pause), speed=speed)

    async def come_back(self, *words: str) -> None:
        """Reconnect while the words are spoken, and send them then."""
        lost_at = time.monotonic()
        sound = self._sound(words)
        await self.page.connect()
        away = max(time.monotonic() - lost_at, seconds(sound))
        self.page.record(sound + silence(away - seconds(sound)))
        await asyncio.sleep(away - (time.monotonic() - lost_at))
        await self.page.mic(True)
        await self.page.resend()

    def _sound(self, words: tuple[str, ...]) -> bytes:
        if self.began is None:
            self.began = time.time() - self.page.index / SAMPLE_RATE
        sound = b""
        for word in words:
            self.words.append(word)
            self.spoken_at[word] = self.began + self.page.index / SAMPLE_RATE + seconds(sound)
            sound += speak(word)
        return sound


class Room:
    """A session with a reader in it, who compares what is written with what was said."""

    def __init__(self, place: AppServer) -> None:
        self.place = place
        self.host = Visitor(place.url).sign_in("Host")
        self.slug = self.host.start_session()
        self.reader = self.host.page(self.slug)
        self.speakers: list[Speaker] = []

    async def __aenter__(self) -> Room:
        await self.reader.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        for speaker in self.speakers:
            await speaker.page.leave()
        await self.reader.leave()

    async def speaker(self, name: str, visitor: Visitor | None = None) -> Speaker:
        """Let somebody in and turn their microphone on."""
        if visitor is None:
            made = await asyncio.to_thread(Visitor, self.host.url)
            visitor = await asyncio.to_thread(made.be_guest, self.slug, name)
        page = visitor.page(self.slug)
        await page.connect()
        await page.mic(True)
        self.speakers.append(Speaker(name, page))
        return self.speakers[-1]

    def heard(self, name: str) -> list[dict[str, Any]]:
        """Return what was written under a name, in the order of its times."""
        mine = [final for final in self.reader.finals if final["name"] == name]
        return sorted(mine, key=lambda final: final["start"])

    def words_of(self, name: str) -> list[str]:
        return " ".join(final["text"] for final in self.heard(name)).split()

    def said_by(self, name: str) -> list[str]:
        return [word for one in self.speakers if one.name == name for word in one.words]

    async def all_arrived(self, within: float = 20, *, in_order: bool = True) -> None:
        """Wait for as many words as were said, and check that they are those, once, in order.

        Streams that are open at the same time have an order only in real time.
        """
        said = sum(len(speaker.words) for speaker in self.speakers)
        try:
            await self.reader.until(lambda: len(self.reader.text.split()) >= said, within)
        except AssertionError:
            self.compare(in_order=in_order)
            raise
        await asyncio.sleep(0.3)
        self.compare(in_order=in_order)

    def compare(self, *, in_order: bool) -> None:
        for name in {speaker.name for speaker in self.speakers}:
            if in_order:
                assert self.words_of(name) == self.said_by(name)
            else:
                assert sorted(self.words_of(name)) == sorted(self.said_by(name))
        ids = [final["id"] for final in self.reader.finals]
        assert len(ids) == len(set(ids))
        seqs = [final["seq"] for final in self.reader.finals]
        assert seqs == list(range(1, len(seqs) + 1))

    def times_are_right(self) -> None:
        """Check that every utterance begins and ends when its words were spoken."""
        started = datetime.fromisoformat(self.reader.welcome["session"]["started_at"]).timestamp()
        for speaker in self.speakers:
            for final in self.heard(speaker.name):
                first, last = final["text"].split()[0], final["text"].split()[-1]
                begin = speaker.spoken_at[first] - started
                end = speaker.spoken_at[last] + seconds(speak(last, gap=0)) - started
                assert final["start"] == pytest.approx(begin, abs=TOLERANCE), final
                assert final["end"] == pytest.approx(end, abs=TOLERANCE), final

    def states(self, speaker: Speaker) -> list[tuple[str, str | None]]:
        me = speaker.page.welcome["you"]["identity"]
        told = [one for one in self.reader.of_type("speech") if one["identity"] == me]
        return [(one["state"], one["reason"]) for one in told]


@contextmanager
def trouble(*faults: Fault) -> Iterator[None]:
    """Let faults happen inside the block only."""
    try:
        yield
    finally:
        for fault in faults:
            fault.cancel()


def vocabularies(count: int, size: int) -> list[list[str]]:
    """Return that many lists of words, no word in two of them."""
    return [WORDS[start : start + size] for start in range(0, count * size, size)]


async def health(place: AppServer) -> dict[str, Any]:
    async with httpx2.AsyncClient(verify=False) as http:
        answer: dict[str, Any] = (await http.get(f"{place.url}/health")).json()
        return answer


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
        for on in (False, True) * 50:
            await speaker.page.mic(on)
        await speaker.page.mic(at_last)
        await all_taken(speaker)
    assert set(errors_of(speaker)) == {"mic_too_often"}


async def test_a_microphone_is_not_switched_without_end(limited_place: AppServer) -> None:
    async with Room(limited_place) as room:
        ada = await room.speaker("Ada")
        began = time.monotonic()
        for on in (False, True) * 400:
            await ada.page.mic(on)
        await ada.page.mic(False)
        await all_taken(ada)
        await room.reader.until(lambda: room.reader.of_type("reaction"))
        granted = 300 + 5 * (time.monotonic() - began)
        assert 800 - 2 * granted <= 2 * len(errors_of(ada)) <= 2 * (401 - 300)
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
    limited_place: AppServer,
) -> None:
    async with Room(limited_place) as room:
        ada = await room.speaker("Ada")
        refused = 0
        while len(errors_of(ada)) == refused:  # the mute takes time, in which `on` may be due again
            await switch_too_often(ada, at_last=False)
            await mute(room, ada)
            refused = len(errors_of(ada))
            await ada.page.mic(True)
            await all_taken(ada)
        await ada.say(pause=0.5, speed=1)
        await ada.say(*WORDS[:3], speed=1)
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
            reason = room.states(ada)[-1][1] or ""
            assert "GLADIA_API_KEY" in reason
            assert gladia.api_key not in reason
            told = await health(place)
            assert (told["status"], told["speech"]["health"]) == ("degraded", "degraded")
            assert told["speech"]["since"]
            async with Room(place) as other:
                assert other.reader.welcome["engine"]["health"] == "degraded"
        await bob.say(*WORDS[10:15])
        await room.all_arrived()
        assert (await health(place))["status"] == "ok"


async def test_an_empty_wallet_in_mid_meeting_is_said_in_words_and_a_top_up_brings_all(
    place: AppServer, gladia: GladiaEmulator
) -> None:
    async with Room(place) as room:
        ada, bob = await room.speaker("Ada"), await room.speaker("Bob")
        gladia.credit_seconds = gladia.billed_seconds + 1.5
        try:
            await ada.say(*WORDS[:10], speed=1)
            await room.reader.until(lambda: any(s == "failed" for s, _ in room.states(ada)))
            assert "credit is used up" in (room.states(ada)[-1][1] or "")
            assert "credit is used up" in (await health(place))["speech"]["reason"]
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
    assert realtime["custom_vocabulary_config"]["vocabulary"] == many[:100]
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


# One stream at a time


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
