"""Statements with names, and transactions, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from functools import partial
from typing import Any

import asyncpg
import pytest

from core.database import Database, DatabaseAwayError
from core.database import pool as pool_module
from tests.support.waiting import WAIT_TIMEOUT_S

PLACES = 10  # connections that a pool may have


@pytest.fixture(scope="module")
def url(make_database: Callable[[], str]) -> str:
    return make_database()


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    one = Database(url)
    await one.connect()
    yield one
    await one.disconnect()


async def count(db: Database) -> int:
    row = await db.returning("SELECT count(*) AS n FROM spaces")
    return int(row["n"])


async def test_names_may_repeat_and_casts_stay(db: Database) -> None:
    row = await db.returning(
        "SELECT :first::text || '-' || :second::text || '-' || :first::text AS all, 12::int AS n",
        second="b",
        first="a",
    )
    assert (row["all"], row["n"]) == ("a-b-a", 12)


async def test_a_time_of_day_in_a_statement_is_no_name(db: Database) -> None:
    row = await db.returning("SELECT CAST('10:30' AS text) AS time")
    assert row["time"] == "10:30"


async def test_a_missing_value_is_an_error(db: Database) -> None:
    with pytest.raises(KeyError):
        await db.execute("SELECT :one::int", two=2)


async def test_many_rows_are_all_or_nothing(db: Database) -> None:
    before = await count(db)
    with pytest.raises(asyncpg.NotNullViolationError):
        await db.execute_many(
            "INSERT INTO spaces (name) VALUES (:name)", [{"name": "one"}, {"name": None}]
        )
    assert await count(db) == before
    good = [{"name": "one"}, {"name": "two"}]
    await db.execute_many("INSERT INTO spaces (name) VALUES (:name)", good)
    assert await count(db) == before + 2


async def test_a_transaction_is_this_task_s_alone_and_goes_back_on_errors(db: Database) -> None:
    before = await count(db)
    with pytest.raises(ZeroDivisionError):
        async with db.transaction():
            await db.execute("INSERT INTO spaces (name) VALUES ('x')")
            assert await count(db) == before + 1
            raise ZeroDivisionError
    assert await count(db) == before


async def test_a_transaction_within_one_can_go_back_alone(db: Database) -> None:
    before = await count(db)
    async with db.transaction():
        await db.execute("INSERT INTO spaces (name) VALUES ('x')")
        with pytest.raises(ZeroDivisionError):
            async with db.transaction():
                await db.execute("INSERT INTO spaces (name) VALUES ('y')")
                raise ZeroDivisionError
    assert await count(db) == before + 1


async def test_a_task_started_within_a_transaction_is_not_in_it(db: Database) -> None:
    before = await count(db)
    async with db.transaction():
        await db.execute("INSERT INTO spaces (name) VALUES ('x')")
        assert await asyncio.create_task(count(db)) == before
    assert await count(db) == before + 1


async def test_a_connection_comes_back_clean_from_a_cancelled_transaction(db: Database) -> None:
    before = await count(db)
    inside = asyncio.Event()

    async def hang() -> None:
        async with db.transaction():
            await db.execute("INSERT INTO spaces (name) VALUES ('x')")
            inside.set()
            await asyncio.sleep(60)

    tasks = [asyncio.create_task(hang()) for _ in range(3)]
    await inside.wait()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for _ in range(12):  # every connection of the pool
        assert await count(db) == before


async def has_all_its_connections(db: Database) -> None:
    """Fails when one of the pool's connections is still in somebody's hands."""
    together = asyncio.Barrier(PLACES)

    async def take_one() -> None:
        async with db.transaction():
            await together.wait()

    async with asyncio.timeout(WAIT_TIMEOUT_S):
        await asyncio.gather(*(take_one() for _ in range(PLACES)))


class CancelledAt:
    """Awaits something, and cancels the task where that waits for the nth time."""

    def __init__(self, number: int, doing: Coroutine[Any, Any, None]) -> None:
        self.waits = 0
        self._number = number
        self._doing = doing

    def __await__(self) -> Generator[Any, None, None]:
        waiting = self._doing.__await__()
        go_on = partial(next, waiting)
        while True:
            try:
                future = go_on()
            except StopIteration:
                return
            self.waits += 1
            if self.waits == self._number:
                current_task().cancel()
            try:
                yield future
                go_on = partial(next, waiting)
            except BaseException as problem:
                go_on = partial(waiting.throw, problem)


def current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def add_one(db: Database) -> None:
    await db.execute("INSERT INTO spaces (name) VALUES ('x')")


async def add_two(db: Database) -> None:
    async with db.transaction():
        await add_one(db)
        async with db.transaction():
            await add_one(db)


@pytest.mark.parametrize(("add", "rows"), [(add_one, 1), (add_two, 2)])
async def test_wherever_it_is_cancelled_a_task_can_go_on_and_the_pool_is_whole(
    db: Database, add: Callable[[Database], Coroutine[Any, Any, None]], rows: int
) -> None:
    before = await count(db)
    for number in range(1, 200):
        attempt = CancelledAt(number, add(db))
        try:
            await attempt
        except asyncio.CancelledError:
            current_task().uncancel()
        added = await count(db) - before
        assert added in (0, rows), "all or nothing"
        before += added
        if attempt.waits < number:
            break
    assert attempt.waits > rows
    await has_all_its_connections(db)


async def test_a_commit_that_fails_gives_its_connection_back(db: Database) -> None:
    await db.execute("CREATE TABLE IF NOT EXISTS late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    for _ in range(PLACES + 2):
        with pytest.raises(asyncpg.UniqueViolationError):
            async with db.transaction():
                await db.execute("INSERT INTO late VALUES (1), (1)")
    await has_all_its_connections(db)
    assert await db.fetch_all("SELECT n FROM late") == []


async def test_two_tasks_in_transactions_see_only_what_is_theirs(db: Database) -> None:
    before = await count(db)
    both = asyncio.Barrier(2)

    async def add(goes_back: bool) -> None:
        async with db.transaction():
            await add_one(db)
            await both.wait()
            assert await count(db) == before + 1
            await both.wait()
            if goes_back:
                raise ZeroDivisionError

    async with asyncio.timeout(WAIT_TIMEOUT_S):
        results = await asyncio.gather(add(True), add(False), return_exceptions=True)
    assert [type(result) for result in results] == [ZeroDivisionError, type(None)]
    assert await count(db) == before + 1


async def test_a_task_started_within_a_transaction_may_have_one_of_its_own(db: Database) -> None:
    before = await count(db)
    with pytest.raises(ZeroDivisionError):
        async with db.transaction():
            await add_one(db)
            await asyncio.create_task(add_two(db))
            assert await count(db) == before + 3
            raise ZeroDivisionError
    assert await count(db) == before + 2


async def test_a_statement_waits_for_a_connection_and_not_for_ever(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    enough, taken = asyncio.Event(), asyncio.Barrier(PLACES + 1)

    async def hold() -> None:
        async with db.transaction():
            await taken.wait()
            await enough.wait()

    holders = [asyncio.create_task(hold()) for _ in range(PLACES)]
    async with asyncio.timeout(WAIT_TIMEOUT_S):
        await taken.wait()
        waiting = asyncio.create_task(count(db))
        await asyncio.sleep(0)  # begun, with the usual bound
        with monkeypatch.context() as patch:
            patch.setattr(pool_module, "COMMAND_TIMEOUT", 0.1)
            with pytest.raises(DatabaseAwayError):
                await count(db)
        assert not waiting.done()
        enough.set()
        await asyncio.gather(waiting, *holders)


async def test_a_closed_pool_is_a_database_that_is_away(url: str) -> None:
    one = Database(url)
    await one.connect()
    await one.disconnect()
    with pytest.raises(DatabaseAwayError):
        await count(one)
    with pytest.raises(DatabaseAwayError):
        async with one.transaction():
            pass
    await one.disconnect()


@pytest.mark.parametrize(("option", "kept"), [("", True), ("&pgbouncer=true", False)])
async def test_nothing_stays_prepared_behind_a_pooler(url: str, option: str, kept: bool) -> None:
    one = Database(url + option)
    await one.connect()
    async with one.transaction():
        await count(one)
        row = await one.returning(
            """
            SELECT count(*) AS n FROM pg_prepared_statements WHERE statement LIKE '%FROM spaces'
            """
        )
    await one.disconnect()
    assert (row["n"] > 0) == kept
