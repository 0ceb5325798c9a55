"""What a space may have transcribed in a day: counted, refused in words, and gone on with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from core import minutes as minutes_module
from core.database import Database
from core.minutes import LOOK_EVERY_S, Bounds, SpaceMinutes, month_after, month_before
from core.model import StreamAccount
from core.speech.allowance import USED_UP, Allowance
from core.speech.engine import BYTES_PER_SECOND, StreamUsage
from core.speech.reasons import Reason
from core.store import usage
from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import silence
from tests.speech.gladia_rooms import WORDS, Room, beside
from tests.speech.scripted import Page, ScriptedEngine, services_of, settle, until
from tests.support.app_server import AppServer
from tests.support.tables import Tables
from tests.support.visitors import Visitor


@dataclass(eq=False)
class Metered:
    sent: float = 0.0
    fed: float = 0.0

    @property
    def usage(self) -> StreamUsage:
        return StreamUsage(self.sent, 0, 0, 0, 0, 0)

    @property
    def end(self) -> int:
        return int(self.fed * BYTES_PER_SECOND)


def test_open_streams_count_with_what_they_were_fed_and_what_was_sent_twice() -> None:
    allowance, one, two = Allowance(100), Metered(), Metered()
    allowance.opened(one)
    allowance.opened(two)
    one.sent, two.fed = 30, 20
    assert allowance.day.used == 50
    assert allowance.covers(49)
    assert not allowance.covers(50)
    one.sent = 80
    assert allowance.look()
    assert allowance.used_up
    assert not allowance.look(), "it is no news any more"
    allowance.closed(one)
    allowance.closed(two)  # of which nothing was sent in the end
    assert allowance.day.used == 80
    assert not allowance.look()
    assert not allowance.used_up


def test_what_other_processes_stored_counts_once() -> None:
    allowance, one = Allowance(100), Metered(sent=30)
    allowance.opened(one)
    allowance.day.stored(40)
    assert allowance.day.used == 70
    allowance.closed(one)
    allowance.day.stored(70)
    allowance.day.stored(50)  # ours isn't stored yet
    assert allowance.day.used == 70


def test_a_day_begins_with_what_is_said_on_it() -> None:
    allowance, one = Allowance(100), Metered(sent=90)
    allowance.opened(one)
    allowance.day.stored(50)
    allowance.day.begin()
    one.sent = 110
    assert (allowance.day.used, allowance.month.used) == (20, 110)
    allowance.closed(one)
    assert (allowance.day.used, allowance.month.used) == (20, 110)


@pytest.mark.virtual_time
@pytest.mark.usefixtures("hasty_pages")
async def test_used_up_minutes_are_told_and_what_is_said_then_is_a_gap() -> None:
    engine = ScriptedEngine()
    allowance = Allowance(15)
    page = Page(engine, replace(services_of(engine), allowance=allowance))
    page.say(*WORDS[:40])
    await settle()
    page.say(*WORDS[40:60])
    allowance.look()
    page.microphone.tick(time.monotonic())
    await until(lambda: not page.microphone.busy)
    assert page.room.words == WORDS[:60], "what was taken is written down"
    failed: tuple[str, Reason | None] = ("failed", USED_UP)
    assert page.room.states[-1] == failed
    page.send(silence(3))
    page.say(*WORDS[60:80])
    page.microphone.tick(time.monotonic() + 10)
    [(lost, when)] = page.room.gaps
    assert lost == pytest.approx(20 * 0.28, abs=1)
    assert when.start == pytest.approx(page.spoken[60][1], abs=0.3)
    allowance.day.begin()
    allowance.look()
    page.microphone.tick(time.monotonic())
    ready: tuple[str, str | None] = ("ready", None)
    assert page.room.states[-1] == ready
    page.send(silence(3))
    page.say(*WORDS[80:90])
    await page.done()
    assert page.room.words == WORDS[:60] + WORDS[80:90]


@pytest.mark.virtual_time
@pytest.mark.usefixtures("hasty_pages")
async def test_what_waited_is_not_sent_beyond_the_minutes() -> None:
    engine = ScriptedEngine(max_streams=1)
    services = replace(services_of(engine), allowance=Allowance(20))
    first, second = Page(engine, services, room="a"), Page(engine, services, room="b")
    first.say(*WORDS[:20])
    await settle()
    second.say(*WORDS[20:120])  # half a minute, as a backlog
    await first.done()
    await until(lambda: not second.microphone.busy)
    assert second.room.words == []
    [(lost, _)] = second.room.gaps
    assert lost > 25
    second.say(*WORDS[120:125])
    await second.done()
    assert second.room.words == WORDS[120:125], "it goes on with what is left"


@pytest.fixture(scope="module")
def gladia_place(gladia: GladiaEmulator, make_server_in: MakeServer) -> Iterator[AppServer]:
    yield from beside(gladia, make_server_in, SPACE_MINUTES_PER_DAY="1")


def midnight() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


async def spend(place: AppServer, host: Visitor, slug: str, *spans: tuple[float, float]) -> str:
    """Have a session send audio between these seconds of today; return its space."""
    await asyncio.to_thread(host.join, slug)
    [row] = await asyncio.to_thread(
        Tables(place.database_url),
        "SELECT s.id, s.space_id, p.identity FROM sessions s"
        " JOIN participants p ON p.session_id = s.id WHERE s.slug = $1",
        slug,
    )
    db = Database(place.database_url)
    await db.connect()
    for begin, end in spans:
        opened, closed = (midnight() + timedelta(seconds=at) for at in (begin, end))
        whose = str(row["id"]), row["identity"], str(uuid4())
        counts = 0, 0, 0, 0, 0
        sent = StreamAccount(*whose, "gladia", opened, closed, end - begin, *counts)
        await usage.add(db, sent, 0.01)
    await db.disconnect()
    return str(row["space_id"])


async def test_a_stream_over_midnight_counts_by_its_part_of_the_day(
    gladia_place: AppServer,
) -> None:
    ada = await asyncio.to_thread(Visitor(gladia_place.url).sign_in, "Ada")
    slug = await asyncio.to_thread(ada.start_session)
    space = await spend(gladia_place, ada, slug, (-50, -10), (-100, 30), (40, 45))
    db = Database(gladia_place.database_url)
    await db.connect()
    sent = await usage.spent(db, [space, str(UUID(int=0))], midnight().date())
    await db.disconnect()
    assert sent.keys() == {space}
    assert sent[space].day == pytest.approx(35)


def failed(room: Room) -> list[dict[str, Any]]:
    return [one for one in room.reader.of_type("speech") if one["state"] == "failed"]


async def test_a_space_has_its_minutes_of_each_day_and_no_more(
    gladia_place: AppServer,
) -> None:
    room, other = Room(gladia_place), Room(gladia_place, "Somebody else")
    await spend(gladia_place, room.host, room.slug, (0, 52))
    await spend(gladia_place, other.host, other.slug, (-100, -10))  # yesterday
    async with room, other:
        ada = await room.speaker("Ada")
        await ada.say(*WORDS[:10])
        await room.all_arrived()
        await ada.say(*WORDS[10:40])
        await room.reader.until(lambda: failed(room))
        assert {one["reason"]["code"] for one in failed(room)} == {USED_UP.code}
        await room.all_arrived()
        said = list(ada.words)
        await ada.say(*WORDS[40:60])
        await ada.page.mic(False)
        # The space of somebody else isn't concerned.
        eve = await other.speaker("Eve")
        await eve.say(*WORDS[60:70])
        await other.all_arrived()
        assert not failed(other)
        await room.reader.until(lambda: room.reader.finals[-1].get("lost"))
        assert room.reader.finals[-1]["lost"] > 4
        assert room.words_of("Ada") == said
    assert "limited why=space_minutes" in gladia_place.log
    used = "this space has used 1 of the 1 minutes"
    html = await asyncio.to_thread(lambda: room.host.http.get(f"/s/{room.slug}/transcript").text)
    assert used in html
    # What is counted is in the database: another process refuses it too.
    await asyncio.to_thread(gladia_place.stop)
    await asyncio.to_thread(gladia_place.start)
    async with room.host.page(room.slug) as page:
        await page.mic(True)

        def is_refused() -> bool:
            return "failed" in [one["state"] for one in page.of_type("speech")]

        await page.until(is_refused, 5 * LOOK_EVERY_S)


async def test_a_month_is_paused_and_raised_while_people_are_in_the_room(
    gladia_place: AppServer,
) -> None:
    room, tables = Room(gladia_place, "Owner"), Tables(gladia_place.database_url)
    # Its owner may choose by itself, and what counts is the less of both.
    space = await spend(gladia_place, room.host, room.slug, (-1, 0))
    await asyncio.to_thread(
        tables, "UPDATE spaces SET minutes_granted = 500, minutes_chosen = 2 WHERE id = $1", space
    )
    used = "INSERT INTO space_usage VALUES ($1, $2, $1, 'gladia', 98, 0)"
    first = midnight().date().replace(day=1)
    await asyncio.to_thread(tables, used, UUID(space), first)
    async with room:
        ada = await room.speaker("Ada")
        await room.reader.until(lambda: room.reader.of_type("minutes"))
        assert room.reader.of_type("minutes")[-1]["near"] == "month"
        assert not ada.page.of_type("minutes"), "it is for hosts"
        await ada.say(*WORDS[:80])
        await room.reader.until(lambda: failed(room))
        reason = {"code": "space_choice_used_up", "detail": month_after(first).isoformat()}
        assert failed(room)[-1]["reason"] == reason
        await room.all_arrived()
        address = f"/spaces/{space}/minutes"
        for minutes, status in (("501", 422), ("3", 303)):
            answer = await asyncio.to_thread(
                room.host.http.post,
                address,
                data={"minutes": minutes},
                headers={"Accept": "text/html"},
            )
            assert answer.status_code == status
        said = len(room.words_of("Ada"))
        await room.reader.until(lambda: room.reader.of_type("speech")[-1]["state"] == "ready")
        await room.reader.until(lambda: room.reader.of_type("minutes")[-1]["near"] is None)
        await ada.say(*WORDS[90:95])
        await room.all_arrived()
        assert room.words_of("Ada")[said:] == WORDS[90:95]
    assert "audit limited why=space_month" in gladia_place.log


async def test_a_month_begins_anew_at_its_turn(
    make_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [date(2026, 12, 31)]
    monkeypatch.setattr(minutes_module, "today", lambda: clock[0])
    monkeypatch.setattr(minutes_module, "LOOK_EVERY_S", 0.01)
    db = Database(await asyncio.to_thread(make_database))
    await db.connect()
    space = str((await db.returning("INSERT INTO spaces (name) VALUES ('A') RETURNING id"))["id"])
    for day, seconds in ((date(2026, 11, 30), 500), (date(2026, 12, 1), 70)):
        await db.execute(
            "INSERT INTO space_usage VALUES (:space, :day, gen_random_uuid(), 'x', :sent, 0)",
            space=UUID(space),
            day=day,
            sent=seconds,
        )
    minutes = SpaceMinutes(db, Bounds(day=10, month=2))
    minutes.start()
    allowance, one = minutes.of(space), Metered(sent=40)
    allowance.opened(one)
    await until(lambda: allowance.near == "month")
    assert allowance.month.used == 110
    one.sent = 50
    await until(lambda: allowance.used_up is not None)
    assert str(allowance.used_up) == "space_month_used_up (2027-01-01)"
    clock[0] = date(2027, 1, 1)
    await until(lambda: allowance.used_up is None)
    one.sent = 55
    assert (allowance.day.used, allowance.month.used) == (5, 5)
    assert minutes.open_seconds(space) == 5
    await until(lambda: allowance.month.reason.detail == "2027-02-01")
    clock[0] = date(2026, 12, 31)  # a clock that is set back gives nothing back
    one.sent = 175
    await until(lambda: allowance.used_up is not None)
    await minutes.close()
    await db.disconnect()


def test_months_follow_each_other() -> None:
    assert month_after(date(2026, 12, 31)) == date(2027, 1, 1)
    assert month_after(date(2026, 1, 1)) == date(2026, 2, 1)
    assert month_before(date(2027, 1, 31)) == date(2026, 12, 1)
    assert month_before(date(2026, 12, 1)) == date(2026, 11, 1)
