"""A plan that is too small for all who speak at once is shared, and costs nobody a word.

How long people wait is seen in virtual time, beside an engine by script. That no word is lost or
doubled where a stream gives way is seen on Gladia's wire, where people speak thirty times as fast
as they do, and turns are as much shorter.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from core.speech import resilient, slots
from core.speech.memory import AudioBudget
from core.speech.resilient import SpeechServices
from core.speech.slots import SlotPool
from tests.emulators.gladia import GladiaEmulator, Timings
from tests.emulators.wordaudio import seconds, speak, vocabulary
from tests.speech.gladia_world import HASTY, world
from tests.speech.scripted import Page, ScriptedEngine, services_of

pytestmark = pytest.mark.usefixtures("spoken_time")

FAST = 30
LOOK = slots.LOOK_EVERY_S + 1.5  # seconds until a turn that is over is noticed and the next begins


class Talkers:
    """People who never pause, and when what they say was written down."""

    def __init__(self, services: SpeechServices, speed: float = 1.0) -> None:
        self.pages: list[Page] = []
        self._services = services
        self._speed = speed
        self._words: Iterator[str] = iter(vocabulary(3_000, seed=11))

    async def talk(self, room: str, person: str, audio: float, *, after: float = 0.0) -> Page:
        """Speak for so many seconds of audio, and return once all of it is written down."""
        await asyncio.sleep(after / self._speed)
        page = Page(ScriptedEngine(), self._services, room=room, person=person)
        self.pages.append(page)
        loop = asyncio.get_running_loop()
        began, spoken = loop.time(), 0.0
        while spoken < audio:
            word = next(self._words)
            page.say(word)
            spoken += seconds(speak(word))
            await asyncio.sleep(max(0.0, began + spoken / self._speed - loop.time()))
        await page.done()
        return page

    def slots_of(self, room: str) -> int:
        return sum(ticket.room == ("space", room) for ticket in self._services.slots._shares.held)

    def assert_all_heard(self) -> None:
        """See that every word was written down, once, and each sentence when it was said."""
        for page in self.pages:
            finals = sorted(page.room.heard_words, key=lambda one: one[1].start)
            assert " ".join(text for text, _ in finals).split() == [word for word, _ in page.spoken]
            spoken_at = dict(page.spoken)
            for text, when in finals:
                assert when.start == pytest.approx(spoken_at[text.split()[0]], abs=0.1)
            assert page.room.gaps == []


async def longest_silence(page: Page, talking: asyncio.Task[Page]) -> float:
    """Return the longest time in which nothing of what a page says was written down."""
    loop = asyncio.get_running_loop()
    words, since, longest = 0, loop.time(), 0.0
    while not talking.done():
        await asyncio.sleep(0.1)
        if len(page.room.heard_words) > words:
            words, since = len(page.room.heard_words), loop.time()
        longest = max(longest, loop.time() - since)
    return longest


@pytest.mark.virtual_time
async def test_who_takes_the_whole_plan_and_never_pauses_gives_way_to_another_session() -> None:
    engine = ScriptedEngine(max_streams=2)
    talkers = Talkers(services_of(engine))
    async with asyncio.TaskGroup() as tasks:
        for person in ("ada", "ada", "bob"):
            tasks.create_task(talkers.talk("theirs", person, 70))
        ours = tasks.create_task(talkers.talk("ours", "eve", 40, after=25))
        await asyncio.sleep(26)
        assert await longest_silence(talkers.pages[3], ours) < LOOK
    talkers.assert_all_heard()


@pytest.mark.virtual_time
async def test_rooms_with_one_stream_for_all_of_them_take_turns() -> None:
    engine = ScriptedEngine(max_streams=1)
    talkers = Talkers(services_of(engine))
    async with asyncio.TaskGroup() as tasks:
        talking = [tasks.create_task(talkers.talk(room, room, 130)) for room in "ab"]
        await asyncio.sleep(0.1)
        silences = await asyncio.gather(*map(longest_silence, talkers.pages, talking))
    assert max(silences) < slots.TURN_S + LOOK
    talkers.assert_all_heard()
    assert 6 <= len(engine.streams) <= 2 * 130 / slots.TURN_S + 2, "no more often than turns end"


@pytest.mark.virtual_time
async def test_who_makes_noise_without_a_word_gives_way_too() -> None:
    engine = ScriptedEngine(max_streams=1, deaf_streams=1)
    talkers = Talkers(services_of(engine))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(talkers.talk("a", "a", 60))
        other = tasks.create_task(talkers.talk("b", "b", 50, after=1))
        await asyncio.sleep(2)
        silence = await longest_silence(talkers.pages[1], other)
    assert slots.TURN_S < silence < slots.TURN_S + resilient.GIVE_WAY_WITHIN_S + LOOK
    talkers.assert_all_heard()


@pytest.mark.virtual_time
async def test_a_person_with_eight_pages_takes_one_slot() -> None:
    engine = ScriptedEngine(max_streams=8)
    talkers = Talkers(services_of(engine))
    async with asyncio.TaskGroup() as tasks:
        for _ in range(8):
            tasks.create_task(talkers.talk("room", "ada", 20))
        for _ in range(19):
            await asyncio.sleep(1)
            assert talkers.slots_of("room") == 1
    talkers.assert_all_heard()


@pytest.mark.virtual_time
async def test_a_full_session_leaves_a_stream_to_a_newcomer_at_once() -> None:
    engine = ScriptedEngine(max_streams=4)
    talkers = Talkers(services_of(engine))
    async with asyncio.TaskGroup() as tasks:
        for number in range(5):
            tasks.create_task(talkers.talk("full", f"{number}", 30))
        ours = tasks.create_task(talkers.talk("new", "eve", 10, after=10))
        await asyncio.sleep(11)
        assert talkers.slots_of("full") == 3
        assert await longest_silence(talkers.pages[5], ours) < 1
    talkers.assert_all_heard()


@pytest.mark.virtual_time
async def test_who_gives_way_is_told_to_wait_and_not_that_something_broke() -> None:
    engine = ScriptedEngine(max_streams=1)
    talkers = Talkers(services_of(engine))
    async with asyncio.TaskGroup() as tasks:
        for room in "ab":
            tasks.create_task(talkers.talk(room, room, 50))
    for page in talkers.pages:
        reasons = {reason for state, reason in page.room.states if state == "delayed"}
        assert reasons == {resilient.BUSY}


# On the wire


@asynccontextmanager
async def plan(streams: int, said: int) -> AsyncIterator[tuple[GladiaEmulator, Talkers]]:
    """Yield a Gladia that allows so many streams; `said` is what the settings say of that."""
    # But for partials: the emulator makes one after another, which would bound its speed.
    timings = replace(Timings.lifelike(), partial=0.0).scaled(1 / FAST)
    patient = replace(HASTY, connect_s=8.0, post_s=10.0, silent_s=8.0, missed_s=5.0, give_up_s=30.0)
    async with world(
        timings=timings, timeouts=patient, drain_seconds=30.0, max_sessions=streams
    ) as w:
        services = SpeechServices(w.engine, SlotPool(said), AudioBudget(200_000_000))
        yield w.emulator, Talkers(services, FAST)
        assert services.slots.held == 0


@pytest.fixture
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (slots, "TURN_S"),
        (slots, "LOOK_EVERY_S"),
        (resilient, "GIVE_WAY_WITHIN_S"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name) / FAST)


@pytest.mark.usefixtures("short_turns")
async def test_where_a_stream_gives_way_no_word_is_lost_or_doubled() -> None:
    async with plan(1, said=1) as (gladia, talkers):
        async with asyncio.TaskGroup() as tasks:
            for room in "abc":
                tasks.create_task(talkers.talk(room, room, 45))
        talkers.assert_all_heard()
        assert len(gladia.sessions) >= 4
        assert gladia.peak_slots == 1
        assert [request.status for request in gladia.requests].count(429) == 0


@pytest.mark.usefixtures("short_turns")
async def test_a_plan_that_is_smaller_than_it_was_said_to_be_is_shared_too() -> None:
    async with plan(1, said=30) as (gladia, talkers):
        async with asyncio.TaskGroup() as tasks:
            for room in "ab":
                tasks.create_task(talkers.talk(room, room, 30))
        talkers.assert_all_heard()
        assert gladia.peak_slots == 1
