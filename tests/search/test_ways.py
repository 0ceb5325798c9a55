"""Both ways to find lines agree, what was said before there was search is sorted in, and only the
newest question of a page is answered.
"""

from __future__ import annotations

import asyncio
from asyncio import to_thread
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from core import searching
from core.database import Database
from core.newest import NewestOnly
from core.searching import Answer, Asked, search
from core.sorting_in import sort_in_older
from core.store import search_waiting
from core.waiting_line import CrowdedError
from tests.search.conftest import Archive
from tests.support.waiting import wait_until

FEW, MANY = 3, 14  # sessions


@pytest.fixture(scope="module")
def space(archive: Archive) -> str:
    """A space with MANY sessions of 30 lines: each has a common word, and each fifth a rare one."""
    ada = archive.visitor("Ada Ways")
    for n in range(MANY):
        said = [
            ("Ada", f"common word {k} " + ("and thing rare" if n % 5 == 3 and not k else ""), "en")
            for k in range(30)
        ]
        slug = archive.session(ada, f"Meeting {n}", *said, ago=n + 1)
        for language in ("de", "nl"):  # has the common word as well: one hit all the same
            archive.translate(slug, 1, language, f"common {language} Wort")
    return archive.space(slug)


@pytest.fixture
async def db(archive: Archive) -> AsyncIterator[Database]:
    """The server's database."""
    db = Database(archive.server.database_url)
    await db.connect()
    yield db
    await db.disconnect()


async def pages(db: Database, asked: Asked) -> list[Answer]:
    """Return all pages of hits, one after the other."""
    found = [await search(db, asked)]
    while found[-1].next is not None and len(found) < 200:
        behind = found[-1].next
        found.append(await search(db, Asked(asked.user, asked.spaces, asked.typed, behind=behind)))
    return found


def texts(found: list[Answer]) -> list[tuple[str, int]]:
    """Return the sessions and numbers of all hits."""
    return [(hit.place.session, hit.place.seq) for one in found for hit, _ in one.hits]


async def test_what_is_read_line_by_line_is_what_the_index_finds(
    archive: Archive, db: Database, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = str(await one(archive, "SELECT id FROM users WHERE name = 'Ada Ways'"))
    for typed in (
        "common ",
        '"common word" rare ',
        "rare ",
        "wor",
        "common -word",  # as translations have it
        "Wort ",
        '"word common"',
    ):
        asked = Asked(user, (space,), typed)
        with monkeypatch.context() as patch:
            patch.setattr(searching, "MOST_LOOKED_UP", 10**9)
            by_index = await pages(db, asked)
        with monkeypatch.context() as patch:
            patch.setattr(searching, "MOST_LOOKED_UP", -1)
            patch.setattr(searching, "LEAST_READ", 1)
            patch.setattr(searching, "MOST_READ", 31 * FEW)
            by_window = await pages(db, asked)
        assert not any(one.windowed for one in by_index), typed
        assert all(one.windowed for one in by_window), typed
        assert sorted(texts(by_index)) == sorted(texts(by_window)), typed
        assert len(set(texts(by_window))) == len(texts(by_window)), typed
    assert len(texts(await pages(db, Asked(user, (space,), "common ")))) == MANY * 30
    assert len(texts(await pages(db, Asked(user, (space,), "Wort ")))) == MANY
    assert len(by_window) > 1  # with nothing found, older sessions are looked at all the same


async def one(archive: Archive, sql: str, *values: object) -> Any:
    """Return one value of the database."""
    return await to_thread(archive.tables.one, sql, *values)


async def test_nothing_is_found_without_spaces(db: Database, space: str) -> None:
    assert space
    user = "00000000-0000-0000-0000-000000000000"
    assert (await search(db, Asked(user, (), "common"))).hits == []


async def test_what_was_said_before_there_was_search_is_sorted_in(
    archive: Archive, db: Database, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_waiting, "AT_ONCE", 13)  # so that sessions take several steps
    monkeypatch.setattr("core.sorting_in.PAUSE_S", 0)
    columns = "session_id, kind, seq, part, language, space_id, speaker, at, stemmed, words"
    query = f"SELECT {columns} FROM search_lines ORDER BY 1, 2, 3, 4, 5"
    slug = await one(archive, "SELECT slug FROM sessions WHERE title = 'Meeting 3'")
    await to_thread(archive.write, slug, "Ada", "A message")
    await to_thread(archive.correct, slug, 2, "corrected")
    await to_thread(archive.correct, slug, 3, "hidden", hidden=True)
    for seq in (2, 30):
        await to_thread(archive.translate, slug, seq, "de", "ein Satz")
    before = await to_thread(archive.tables, query)
    session = await one(archive, "SELECT id FROM sessions WHERE slug = $1", slug)
    own = [row["seq"] for row in before if row["session_id"] == session and row["language"]]
    assert own == [1, 1, 30]  # 2 has been corrected
    await to_thread(archive.tables, "TRUNCATE search_lines")
    wait = "INSERT INTO search_waiting SELECT id, created_at, 0 FROM sessions"
    await to_thread(archive.tables, wait)
    assert await search_waiting.any_of(db, [space])
    ada = await to_thread(archive.visitor, "Ada Ways")
    page = await to_thread(ada.http.get, "/search?q=common")
    assert "still being made ready" in page.text
    await to_thread(archive.say, slug, ("Ada", "meanwhile", "en"))  # is sorted in by itself
    await to_thread(archive.correct, slug, 5, "corrected meanwhile")
    await asyncio.gather(sort_in_older(db), sort_in_older(db))  # as two processes do
    for undo in (
        "DELETE FROM utterances WHERE text = 'meanwhile'",
        "DELETE FROM corrected_lines WHERE text = 'corrected meanwhile'",
    ):
        await to_thread(archive.tables, undo)
    assert await to_thread(archive.tables, query) == before
    assert not await search_waiting.any_of(db, [space])
    page = await to_thread(ada.http.get, "/search?q=common")
    assert "still being made ready" not in page.text


async def test_a_correction_waits_for_its_session_to_be_sorted_in(
    archive: Archive, db: Database, space: str
) -> None:
    session: UUID = await one(archive, "SELECT id FROM sessions WHERE title = 'Meeting 5'")
    slug = await one(archive, "SELECT slug FROM sessions WHERE id = $1", session)
    await to_thread(archive.tables, "DELETE FROM search_lines WHERE session_id = $1", session)
    await to_thread(archive.tables, "INSERT INTO search_waiting VALUES ($1, now(), 0)", session)
    waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    async with db.transaction():
        assert await search_waiting.sort_in(db)  # not committed yet
        hide = partial(archive.correct, slug, 1, "what was said", hidden=True)
        hiding = asyncio.create_task(to_thread(hide))
        await to_thread(wait_until, lambda: archive.tables.one(waits))
        assert not hiding.done()
    await hiding
    left = "SELECT count(*) FROM search_lines WHERE session_id = $1 AND kind = 'LINE' AND seq = 1"
    assert await one(archive, left, session) == 0
    assert space


async def test_only_the_newest_question_of_a_page_is_answered() -> None:
    newest = NewestOnly(3)
    begun, go = [asyncio.Event() for _ in range(3)], asyncio.Event()

    def work(number: int) -> Callable[[], Awaitable[int]]:
        async def run() -> int:
            begun[number].set()
            await go.wait()
            return number

        return run

    first = asyncio.create_task(newest.run("ada", "page", work(0)))
    await begun[0].wait()
    skipped = [asyncio.create_task(newest.run("ada", "page", work(0))) for _ in range(5)]
    last = asyncio.create_task(newest.run("ada", "page", work(1)))
    await begun[1].wait()
    other = asyncio.create_task(newest.run("ada", "other page", work(2)))
    await begun[2].wait()
    with pytest.raises(CrowdedError):
        await newest.run("ada", "third page", work(0))
    assert await asyncio.gather(first, *skipped) == [None] * 6
    go.set()
    assert (await last, await other) == (1, 2)
    assert await newest.run("ada", "", work(0)) == 0


async def test_who_leaves_ends_the_question() -> None:
    newest = NewestOnly(1)
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def at_once() -> int:
        return 1

    asked = asyncio.create_task(newest.run("ada", "page", work))
    await begun.wait()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert await newest.run("ada", "page", at_once) == 1


async def test_a_question_of_a_page_that_was_replaced_ends_in_postgresql(
    archive: Archive, db: Database
) -> None:
    newest = NewestOnly(3)
    slow = """
        SELECT count(*) FROM pg_stat_activity
        WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'
    """

    async def sleep() -> object:
        return await db.fetch_within(60, "SELECT pg_sleep(60)")

    async def ask() -> object:
        return await db.fetch_within(1, "SELECT 1")

    first = asyncio.create_task(newest.run("ada", "page", sleep))
    await to_thread(wait_until, lambda: archive.tables.one(slow))
    assert await newest.run("ada", "page", ask) is not None
    assert await first is None
    assert await one(archive, slow) == 0
    assert db.trouble is None
