"""Two servers on one database: a session's room is one's at a time, and no word is lost between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import silence, speak, vocabulary
from tests.support.app_server import AppServer
from tests.support.dictation import emulator, say, speech_by, words_in
from tests.support.visitors import RoomPage, Visitor
from tests.support.waiting import until

__all__ = ["emulator"]

WORDS = vocabulary(200, seed=23)
SECRET = "one secret for both, as behind one address"
RESTARTS, TRY_LATER = 1012, 1013


@dataclass
class Scene:
    """Two servers with folders of their own, Ada signed in at both, and her session."""

    first: AppServer
    second: AppServer
    ada: Visitor
    ada_at_second: Visitor
    slug: str

    async def sql(self, statement: str, *values: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.first.database_url)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *values)
            return rows
        finally:
            await connection.close()

    async def stored(self) -> list[str]:
        rows = await self.sql("SELECT text, seq FROM utterances ORDER BY seq")
        return words_in(rows)

    async def until_stored(self, words: list[str]) -> None:
        async def all_there() -> bool:
            return await self.stored() == words

        await until(all_there, news=lambda: self.first.log + self.second.log)


def twin(visitor: Visitor, server: AppServer) -> Visitor:
    """The same browser at another server."""
    other = Visitor(server.url)
    other.http.cookies.update(visitor.http.cookies)
    return other


@pytest.fixture
async def scene(emulator: GladiaEmulator, make_server: MakeServer) -> AsyncIterator[Scene]:
    environment = {
        "NEXTAUTH_SECRET": SECRET,
        "TRANSCRIPTION_JWT_SECRET": SECRET,
    } | speech_by(emulator)
    first = await asyncio.to_thread(make_server, **environment)
    environment["DATABASE_URL"] = first.database_url
    second = await asyncio.to_thread(make_server, **environment)
    ada = Visitor(first.url).sign_in("Ada Lovelace")
    yield Scene(first, second, ada, twin(ada, second), ada.start_session())


async def heard(scene: Scene) -> RoomPage:
    """Return a page whose first six words are stored."""
    page = scene.ada.page(scene.slug)
    await page.connect()
    await page.mic(True)
    await say(page, WORDS[:6])
    await page.until(lambda: page.settled)
    return page


async def test_a_room_is_one_servers_until_that_one_stops(scene: Scene) -> None:
    page = scene.ada.page(scene.slug)
    await page.connect()
    await page.mic(True)
    await say(page, WORDS[:6])
    other = scene.ada_at_second.page(scene.slug)
    assert await other.refused() == TRY_LATER
    assert await other.refused() == TRY_LATER
    (told,) = [line for line in scene.second.log.splitlines() if "is claimed by node" in line]
    (room,) = await scene.sql("SELECT * FROM rooms")
    assert str(room["session_id"]) in told
    assert room["node"] in told
    await asyncio.to_thread(scene.first.stop)
    await other.connect()  # at once: the lease was given back
    assert other.text.split() == WORDS[:6]
    (now,) = await scene.sql("SELECT * FROM rooms")
    assert now["epoch"] == room["epoch"] + 1
    assert now["node"] != room["node"]
    await other.leave()


async def test_a_server_that_was_killed_is_followed_when_its_lease_has_run_out(
    scene: Scene,
) -> None:
    page = await heard(scene)
    await page.speak(speak(WORDS[6:9]))
    await asyncio.to_thread(scene.first.kill)
    await page.until_closed()
    page.record(speak(WORDS[9:12]) + silence(1))
    page.move(scene.ada_at_second)
    assert await page.refused() == TRY_LATER
    await scene.sql("UPDATE rooms SET renewed_at = renewed_at - interval '15 s'")
    await page.connect()
    await page.mic(True)
    await page.resend()
    await scene.until_stored(WORDS[:12])
    assert page.text.split() == WORDS[:12]
    await page.leave()


async def test_the_same_server_goes_on_at_once_after_a_crash(scene: Scene) -> None:
    page = await heard(scene)
    await asyncio.to_thread(scene.first.kill)
    await page.until_closed()
    await asyncio.to_thread(scene.first.start)
    await page.connect()
    await page.mic(True)
    await page.resend()
    await say(page, WORDS[6:9])
    await scene.until_stored(WORDS[:9])
    await page.leave()


async def test_a_rolling_restart_loses_and_doubles_nothing(scene: Scene) -> None:
    bob = Visitor(scene.first.url).be_guest(scene.slug, "Bob")
    pages = [scene.ada.page(scene.slug), bob.page(scene.slug)]
    homes = [[scene.ada_at_second, twin(bob, scene.second)], [scene.ada, bob]]
    said: list[list[str]] = [WORDS[:6], WORDS[100:106]]
    for page, words in zip(pages, said, strict=True):
        await page.connect()
        await page.mic(True)
        await page.speak(speak(words) + silence(1))
    for turn, (server, visitors) in enumerate(
        zip([scene.first, scene.second], homes, strict=True), start=1
    ):
        news = [WORDS[6 * turn : 6 * turn + 6], WORDS[100 + 6 * turn : 106 + 6 * turn]]
        for page, words in zip(pages, news, strict=True):  # in mid-sentence
            await page.speak(speak(words[:3]))
        await asyncio.to_thread(server.stop)
        for page, visitor, words, all_ in zip(pages, visitors, news, said, strict=True):
            assert await page.until_closed() == RESTARTS
            page.record(speak(words[3:]) + silence(1))
            page.move(visitor)
            all_.extend(words)
        if server is scene.first:
            await asyncio.to_thread(scene.first.start)
        for page in pages:
            await page.connect()
            await page.mic(True)
            await page.resend()

    async def all_there() -> bool:
        rows = await scene.sql(
            "SELECT p.name, string_agg(u.text, ' ' ORDER BY u.seq) AS text"
            " FROM utterances u JOIN participants p USING (identity) GROUP BY p.name"
        )
        texts = {row["name"]: row["text"].split() for row in rows}
        return texts == {"Ada Lovelace": said[0], "Bob": said[1]}

    await until(all_there, news=lambda: scene.first.log[-3000:] + scene.second.log[-3000:])
    for page in pages:
        await page.leave()


async def test_an_owner_that_another_has_followed_writes_no_more(scene: Scene) -> None:
    page = await heard(scene)
    settled = page.settled
    await scene.sql(
        "UPDATE rooms SET node = 'another', epoch = epoch + 1, renewed_at = clock_timestamp()"
    )
    await say(page, WORDS[6:9])  # captions go on until it knows
    assert await page.until_closed() == RESTARTS
    assert page.settled == settled
    assert await scene.stored() == WORDS[:6]
    page.move(scene.ada_at_second)
    await scene.sql("UPDATE rooms SET renewed_at = '-infinity'")
    await page.connect()
    await page.mic(True)
    await page.resend()
    await scene.until_stored(WORDS[:9])
    await page.leave()


async def test_what_came_too_late_of_who_has_left_is_stored_once_the_room_is_free(
    scene: Scene,
) -> None:
    page = await heard(scene)
    await scene.sql(
        "UPDATE rooms SET node = 'another', epoch = epoch + 1, renewed_at = clock_timestamp()"
    )
    await page.speak(speak(WORDS[6:9]) + silence(1))
    await page.until(lambda: page.text.split() == WORDS[:9])
    await page.leave()
    held = scene.first.data_dir / "held-unsaved.jsonl"
    await until(held.exists, news=lambda: scene.first.log)
    assert await scene.stored() == WORDS[:6]
    await scene.sql("UPDATE rooms SET renewed_at = '-infinity'")
    await asyncio.to_thread(scene.ada.end, scene.slug)  # nobody can come back now
    await scene.until_stored(WORDS[:9])
    assert "came too late" in scene.first.log


async def test_who_saw_what_was_never_stored_gets_what_has_its_numbers_now(scene: Scene) -> None:
    """The first owner showed a final that it couldn't store; the next one gave its number anew."""
    cleo = Visitor(scene.first.url).be_guest(scene.slug, "Cleo")
    page, away = scene.ada.page(scene.slug), cleo.page(scene.slug)
    await away.connect()
    await page.connect()
    await page.mic(True)
    await say(page, WORDS[:6])
    await page.until(lambda: page.settled)
    await scene.sql(
        "UPDATE rooms SET node = 'another', epoch = epoch + 1, renewed_at = clock_timestamp()"
    )
    await say(page, WORDS[6:9])
    await away.until(lambda: away.text.split() == WORDS[:9])
    for one in (page, away):
        assert await one.until_closed() == RESTARTS
    await scene.sql("UPDATE rooms SET renewed_at = '-infinity'")
    other = scene.ada_at_second.page(scene.slug)
    await other.connect()
    await other.mic(True)
    await say(other, WORDS[20:26])
    await say(other, WORDS[26:30])
    await scene.until_stored([*WORDS[:6], *WORDS[20:30]])
    away.move(twin(cleo, scene.second))
    for _ in range(2):  # the first time, its line breaks before the answer is there
        away.messages.clear()
        away.forget_after(2)
        await away.connect()
        assert away.welcome["seq"] == 1, "its second final was never stored"
        await away.until(lambda: len(away.finals) == 2)
        assert [one["seq"] for one in away.finals] == [2, 3]
        assert away.text.split() == WORDS[20:30]
        await away.drop()
    await away.connect()
    await away.mic(False)  # it says so when it has taken in the welcome
    await say(other, WORDS[30:33])
    await away.until(lambda: away.finals[-1]["seq"] == 4)
    await away.drop()
    await say(other, WORDS[33:36])
    away.messages.clear()
    await away.connect()
    await away.until(lambda: away.of_type("people"))
    assert away.text.split() == WORDS[33:36], "once it is in step it gets what it lacks"
    for one in (away, other):
        await one.leave()


def test_two_processes_on_one_folder_have_names_and_files_of_their_own(
    make_server: MakeServer, tmp_path: Path
) -> None:
    first = make_server(data_dir=tmp_path / "data")
    make_server(data_dir=tmp_path / "data", DATABASE_URL=first.database_url)
    names = [(tmp_path / "data/nodes" / number).read_text() for number in ("1", "2")]
    assert len(set(names)) == 2
    first.kill()
    first.start()
    assert [(tmp_path / "data/nodes" / number).read_text() for number in ("1", "2")] == names
