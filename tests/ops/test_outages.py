"""When an outage of the database begins and ends, as its log and `/health` tell it."""

from __future__ import annotations

import logging

import asyncpg
import pytest

from core.database.errors import DatabaseAwayError, DatabaseRefusesError
from core.database.outages import BUSY_FOR_S, FORGET_AFTER_S, MANY, Outages

READ, UPDATE, ADD = "SELECT 1", "UPDATE sessions SET n = 1", "INSERT INTO utterances …"
LOCKED = asyncpg.LockNotAvailableError()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [100.0]
    monkeypatch.setattr("core.database.outages.time.monotonic", lambda: clock[0])
    return clock


@pytest.fixture
def outages(now: list[float]) -> Outages:
    return Outages()


def fail(outages: Outages, problem: BaseException, statement: str = ADD) -> Exception:
    return outages.failed(statement, problem, connected=True)


def code(outages: Outages) -> str | None:
    return outages.current.code if outages.current else None


@pytest.mark.parametrize(
    ("problem", "told", "no_end", "end"),
    [
        (ConnectionRefusedError(), "away", [], READ),
        (asyncpg.TooManyConnectionsError(), "away", [], READ),
        (asyncpg.CannotConnectNowError(), "away", [], READ),
        (asyncpg.AdminShutdownError(), "away", [], READ),
        (asyncpg.InvalidPasswordError(), "refused", [], READ),
        (asyncpg.InsufficientPrivilegeError(), "refused", [READ, UPDATE], ADD),
        (asyncpg.ReadOnlySQLTransactionError(), "read-only", [READ], UPDATE),
        (asyncpg.DiskFullError(), "full", [READ, UPDATE], ADD),
        (asyncpg.OutOfMemoryError(), "no memory", [READ, UPDATE], ADD),
        (asyncpg.PostgresIOError(), "broken", [READ, UPDATE], ADD),
    ],
)
def test_it_is_over_when_what_was_refused_works(
    outages: Outages, problem: Exception, told: str, no_end: list[str], end: str
) -> None:
    error = fail(outages, problem)
    refuses = told in {"read-only", "full", "no memory", "broken"}
    assert type(error) is (DatabaseRefusesError if refuses else DatabaseAwayError)
    assert code(outages) == told
    for statement in no_end:
        outages.worked(statement)
        assert code(outages) == told
    outages.worked(end)
    assert outages.current is None


@pytest.mark.parametrize(
    "problem",
    [
        asyncpg.QueryCanceledError(),
        LOCKED,
        asyncpg.DeadlockDetectedError(),
        asyncpg.SerializationError(),
        asyncpg.IdleInTransactionSessionTimeoutError(),
        TimeoutError(),
    ],
)
def test_one_statement_that_waits_in_vain_is_no_outage_of_all(
    outages: Outages, now: list[float], problem: Exception
) -> None:
    for _ in range(MANY - 1):
        assert type(fail(outages, problem)) is DatabaseAwayError
        assert outages.current is None
    fail(outages, problem)
    outages.worked(READ)
    assert code(outages) == "busy"
    now[0] += BUSY_FOR_S
    assert outages.current is None


def test_an_outage_is_told_when_it_begins_and_ends_and_for_each_reason(
    outages: Outages, now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(50):
        fail(outages, asyncpg.ReadOnlySQLTransactionError())
        outages.worked(READ)
        fail(outages, LOCKED, UPDATE)
    now[0] += 7
    outages.worked(ADD)
    assert len(caplog.messages) == 2, "another statement is still refused"
    outages.worked(UPDATE)
    assert caplog.messages == [
        "PostgreSQL takes no writes: it is read-only (ReadOnlySQLTransactionError)",
        "PostgreSQL doesn't get to our statements (LockNotAvailableError)",
        "PostgreSQL is back after 7 s",
    ]


def test_what_nobody_asks_for_any_more_is_no_outage(
    outages: Outages, now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    fail(outages, asyncpg.DiskFullError())
    now[0] += FORGET_AFTER_S + 1
    outages.worked(READ)
    assert outages.current is None
    assert "PostgreSQL is back" in caplog.text
