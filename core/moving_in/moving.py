"""The whole way: two connections, one transaction, and every noun after those that it needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg

from core.database import Database, DatabaseStartError
from core.database.connecting import connect_options, single
from core.database.outages import PASSING_ERRORS, named
from core.database.pool import refusal
from core.database.schema import quoted
from core.moving_in import analyses, participants, people, sessions, spaces, usage, utterances
from core.moving_in.cleaning import Clock
from core.moving_in.load import Load, Names
from core.moving_in.report import Report
from core.moving_in.source import Source
from core.words import N_

LOCK = 0x5E5511  # one import at a time
PUBLIC = "public"


def schema_in(url: str) -> str:
    """Return the schema that an address of Prisma's names, else `public`."""
    return parse_qs(urlsplit(url).query).get("schema", [PUBLIC])[0]


async def move_in(
    database: str,
    schema: str,
    *,
    source: str,
    source_schema: str,
    names: Names,
    per_minute: float,
    dry_run: bool,
) -> Report:
    """Copy all from the old product at `source` into ours in `schema` at `database`.

    All of it or nothing: a dry run does the same and lets go of it in the end. Raises
    DatabaseStartError, or NoSuchTablesError where the old product isn't.
    """
    db = Database(database, schema)
    await db.connect()  # has our tables as every start has them
    await db.disconnect()
    report = Report()
    async with _told(), _reading(source, source_schema) as old, _writing(database) as ours:
        change = ours.transaction()
        await change.start()
        try:
            await ours.execute(f"SET LOCAL search_path TO {quoted(schema)}")
            await ours.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
            load = Load(old, ours, report, Clock(datetime.now(UTC)), names, per_minute)
            for noun in (people, spaces, sessions, participants, utterances, usage, analyses):
                await noun.read(load)
            for noun in (people, spaces, sessions, participants, utterances, usage, analyses):
                await noun.write(load)
        except BaseException:
            if not ours.is_closed():
                await change.rollback()
            raise
        await (change.rollback() if dry_run else change.commit())
    return report


@asynccontextmanager
async def _writing(url: str) -> AsyncIterator[Any]:
    async with single(_patient(url)) as connection:
        yield connection


@asynccontextmanager
async def _reading(url: str, schema: str) -> AsyncIterator[Source]:
    """Look at the old tables as they are at one moment, and change nothing in them."""
    async with (
        single(_patient(url)) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        source = Source(connection, schema)
        await source.look()
        yield source


def _patient(url: str) -> dict[str, Any]:
    """Return options of a connection whose statements may take as long as they need."""
    return connect_options(url) | {"command_timeout": None}


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Say in a sentence why it can't be done."""
    try:
        yield
    except PASSING_ERRORS as problem:
        if isinstance(problem, asyncpg.InsufficientPrivilegeError):
            why = str(problem.args[0])
            raise DatabaseStartError(
                N_("PostgreSQL doesn't let the user in the address do all of it (%(why)s)"), why=why
            ) from problem
        if (reason := refusal(problem)) is not None:
            raise DatabaseStartError(reason) from problem
        raise DatabaseStartError(
            N_("PostgreSQL went away, or can't be reached (%(why)s)"), why=named(problem)
        ) from problem
    except asyncpg.PostgresError as problem:
        raise DatabaseStartError(
            N_("PostgreSQL refuses: %(why)s"), why=str(problem.args[0])
        ) from problem
