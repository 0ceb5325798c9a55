"""Statements with names, and transactions, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest

from core.database import Database


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


async def test_an_answer_is_due_as_long_as_a_statement_or_a_transaction_runs(db: Database) -> None:
    assert not db.answer_due()
    slow = asyncio.create_task(db.execute("SELECT pg_sleep(0.2)"))
    await asyncio.sleep(0.1)
    assert db.answer_due()
    await slow
    async with db.transaction():
        await count(db)
        assert db.answer_due()
    with pytest.raises(asyncpg.UndefinedTableError):
        await db.execute("SELECT 1 FROM nowhere")
    assert not db.answer_due()
