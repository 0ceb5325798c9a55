"""The pool of connections to PostgreSQL: `databases` over asyncpg, and nobody else sees either.

`databases` opens the pool and gives each task a connection of its own, the same one for everything
that the task does within a transaction, so that stores need no connection handed down. It has been
archived at 0.9.0, hence nothing of it is used outside this file, and what it would have mended is
mended here, each with a test:

- Statements run on its connection's `raw_connection`: 10 to 40 µs of CPU each on top of asyncpg
  alone. Its own way through SQLAlchemy, which compiles the same statement anew each time, was tried
  and costs 110 to 190. `:name` is turned into `$1` here, once for each statement there is.
- Transactions run there too: its own one never gives the connection back when BEGIN, COMMIT or
  ROLLBACK fails or is cancelled, and ten of those are the whole pool.
- A task that is cancelled while it gives a connection back could never have another one, and a
  connection was waited for without a bound. `_Connection` differs in these two.

Every connection looks for tables in one schema alone. A connection of PostgreSQL's own is told so
when it is opened: nothing that is done on it later forgets that. A pooler such as PgBouncer refuses
to be told, or doesn't pass it on, and gives each transaction another connection, which a SET would
spoil for others. There each statement has a transaction that begins by saying where to look: two
more ways there and back, and what keeps asyncpg's two steps of a statement on one connection.
Qualifying every name in every statement was the other way, and SET for the role would be for the
other programs of that role, too.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import asyncpg
import databases
from databases.backends.postgres import PostgresBackend, PostgresConnection

from core.backoff import Backoff
from core.database import schema as our_schema
from core.database.connecting import (
    COMMAND_TIMEOUT,
    connect_options,
    is_pooler,
    looking_in,
    looks_there,
    single,
)
from core.database.errors import DatabaseStartError, SlowStatementError
from core.database.outages import (
    AWAY,
    NO_DATABASE,
    PASSING_ERRORS,
    REFUSED,
    OutageKind,
    Outages,
    named,
    reason_of,
)
from core.metrics import STATEMENT, TRANSACTION, WAIT_FOR_CONNECTION
from core.words import N_, Words

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 10  # of a process
START_TIMEOUT_S = 60.0  # to wait for a database that starts beside us
START_RETRY_S = 0.5  # doubling
START_RETRY_MAX_S = 5.0
START_NEWS_S = 15.0  # between two notices that it is still waited for

Row = Mapping[str, Any]
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")


MISUNDERSTOOD = N_("the host, port or sslmode in DATABASE_URL can't be understood")
# Waiting changes nothing about these when we start.
REFUSALS: tuple[tuple[type[Exception], str], ...] = (
    (asyncpg.InvalidAuthorizationSpecificationError, REFUSED.sentence),  # also a wrong password
    (asyncpg.InvalidCatalogNameError, NO_DATABASE.sentence),
    (
        asyncpg.InsufficientPrivilegeError,
        N_(
            "PostgreSQL doesn't let the user in DATABASE_URL use its database: make that user its"
            " owner"
        ),
    ),
    (asyncpg.ClientConfigurationError, MISUNDERSTOOD),
)


class _Connection(PostgresConnection):
    """The connection of one task; `databases` counts how often that task holds it."""

    _database: _Backend

    async def acquire(self) -> None:
        """Take one from the pool, or tell after COMMAND_TIMEOUT that there is none."""
        self._connection = await self._database.pool.acquire(timeout=COMMAND_TIMEOUT)

    async def release(self) -> None:
        """Give it back; done with it from here on, also when cancelled meanwhile."""
        taken, self._connection = self._connection, None
        await self._database.pool.release(taken)


class _Backend(PostgresBackend):
    """What `databases` knows of PostgreSQL, with our connections."""

    @property
    def pool(self) -> Any:
        """asyncpg's pool, while there is one."""
        pool: Any = self._pool
        if pool is None:
            raise asyncpg.InterfaceError("the pool is closed")
        return pool

    def connection(self) -> _Connection:
        """Make the connection of a task; nothing is taken from the pool yet."""
        return _Connection(self, self._dialect)


class _Databases(databases.Database):
    SUPPORTED_BACKENDS = {"postgresql": f"{__name__}:_Backend"}  # noqa: RUF012 - as it declares it


class Database:
    """PostgreSQL, with outages told apart from mistakes.

    Statements are SQL with `:name` parameters. Every method raises DatabaseAwayError when
    the server is gone; errors in the statement itself pass through unchanged.
    """

    def __init__(self, url: str, schema: str = our_schema.DEFAULT) -> None:
        self._url = url
        self._schema = schema  # where our tables are; `connect` sees to that
        self._look_there = f"SET LOCAL search_path TO {our_schema.quoted(schema)}"
        # Whether a pooler stands between, so that each statement must say where to look.
        self._pooled = is_pooler(url)
        self._pool = self._made()
        self._outages = Outages()

    def _made(self) -> _Databases:
        # asyncpg reads the address: it knows sockets, several hosts and every odd password, and
        # what `databases` isn't told it can't log.
        options = connect_options(self._url) | POOL
        if self._pooled:
            options["statement_cache_size"] = 0  # what was prepared is on another connection
        else:
            options["server_settings"] = looking_in(self._schema)
        return _Databases("postgresql://", database=None, **options)

    @property
    def trouble(self) -> OutageKind | None:
        """What keeps PostgreSQL from being used, as far as statements of late have shown."""
        return self._outages.current

    @property
    def connections(self) -> tuple[int, int, int]:
        """How many connections are in use, how many are open, how many may be."""
        pool: Any = self._pool._backend._pool  # asyncpg's; None before the start and after the end
        size: int = 0 if pool is None else pool.get_size()
        idle: int = 0 if pool is None else pool.get_idle_size()
        return size - idle, size, MAX_CONNECTIONS

    async def connect(self) -> None:
        """Open the pool and bring the schema up to date. Raises DatabaseStartError.

        A server that isn't there yet is waited for, one that refuses isn't.
        """
        began = time.monotonic()
        told_at = -math.inf  # the first failure is told at once
        backoff = Backoff(START_RETRY_S, START_RETRY_MAX_S)
        while True:
            try:
                await self._connect()
                return
            except PASSING_ERRORS as problem:
                reason, why = reason_of(problem), named(problem)
                what = "it can't be reached yet" if reason is AWAY else reason.sentence
                never = _never_came(reason, why)
            except our_schema.InUseError as problem:
                what, why = "our tables are to be moved", "a room is served from them"
                never = _stays_in_use(problem.schema, self._schema)
            now = time.monotonic()
            left = START_TIMEOUT_S - (now - began)
            if left <= 0:
                raise never
            if now - told_at >= START_NEWS_S:
                log.warning("waiting for PostgreSQL: %s (%s)", what, why)
                told_at = now
            await asyncio.sleep(min(backoff.next(), left))

    async def _connect(self) -> None:
        """Apply the schema and connect, once. Raises DatabaseStartError where waiting is no use."""
        try:
            async with single(connect_options(self._url)) as connection:
                await our_schema.bring_up_to_date(connection, self._schema)
            if not self._pooled and not await looks_there(self._url, self._schema):
                self._pooled = True
                self._pool = self._made()
                log.warning(
                    "a pooler is between PostgreSQL and us, as it doesn't let a connection say"
                    " where tables are: each statement says so from now on"
                )
            await self._pool.connect()
        except PASSING_ERRORS as problem:
            if (why := refusal(problem)) is not None:
                raise DatabaseStartError(why) from problem
            raise
        except ValueError as problem:  # a host that no encoding of names takes
            raise DatabaseStartError(MISUNDERSTOOD) from problem
        except asyncpg.PostgresError as problem:
            raise DatabaseStartError(
                N_(
                    "PostgreSQL doesn't take our tables: the schema %(schema)s may be another"
                    " program's, then set DATABASE_SCHEMA to another name (%(why)s)"
                ),
                schema=self._schema,
                why=problem.args[0],
            ) from problem

    async def disconnect(self) -> None:
        """Close the pool; a server that is gone doesn't hold this up.

        A pool whose closing fails or lasts too long ends its connections by itself.
        """
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT):
                await self._pool.disconnect()
        except PASSING_ERRORS as problem:
            log.debug("the pool could not be closed in peace (%s)", named(problem))

    async def fetch_one(self, sql: str, **values: object) -> Row | None:
        """Return the first row or None."""
        async with self._connection(sql) as connection:
            row: Row | None = await connection.fetchrow(*_bound(sql, values))
            return row

    async def returning(self, sql: str, **values: object) -> Row:
        """Run a statement that always returns a row, such as INSERT … RETURNING."""
        row = await self.fetch_one(sql, **values)
        if row is None:
            raise LookupError("the statement returned no row")
        return row

    async def fetch_all(self, sql: str, **values: object) -> list[Row]:
        """Return all rows."""
        async with self._connection(sql) as connection:
            rows: list[Row] = await connection.fetch(*_bound(sql, values))
            return rows

    async def fetch_within(self, seconds: float, sql: str, **values: object) -> list[Row]:
        """Return all rows of a question that may take so long and no longer.

        It is planned for its values, as how much each finds differs by a thousand times, and takes
        one core. Raises SlowStatementError.
        """
        async with self._connection(sql) as connection, connection.transaction():
            await connection.execute(
                f"""
                SET LOCAL statement_timeout = {round(1000 * seconds)};
                SET LOCAL plan_cache_mode = force_custom_plan;
                SET LOCAL max_parallel_workers_per_gather = 0;
                SET LOCAL jit = off
                """
            )
            try:
                rows: list[Row] = await connection.fetch(*_bound(sql, values))
            except asyncpg.QueryCanceledError as problem:
                raise SlowStatementError from problem
            return rows

    async def execute(self, sql: str, **values: object) -> None:
        """Run a statement without a result."""
        async with self._connection(sql) as connection:
            await connection.execute(*_bound(sql, values))

    async def execute_many(self, sql: str, rows: list[dict[str, Any]]) -> None:
        """Run a statement for every row, all or nothing."""
        text, names = _positional(sql)
        async with self._connection(sql) as connection:
            await connection.executemany(text, [[row[name] for name in names] for row in rows])

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Make the statements of this task inside the block happen together or not at all.

        Within another one it is a savepoint. A task that is started inside is outside of it.
        """
        async with self._connection("transaction") as connection, connection.transaction():
            yield

    @asynccontextmanager
    async def _connection(self, statement: str) -> AsyncIterator[Any]:
        """Lend asyncpg's connection of this task: its transaction's, else one from the pool.

        `statement` is what it is for, to tell when an outage is over.
        """
        connected = False
        asked_at = time.perf_counter()
        try:
            async with self._pool.connection() as held:
                connected = True
                lent_at = time.perf_counter()
                WAIT_FOR_CONNECTION.observe(lent_at - asked_at)
                try:
                    async with self._looking_there(held.raw_connection) as connection:
                        yield connection
                finally:
                    took = TRANSACTION if statement == "transaction" else STATEMENT
                    took.observe(time.perf_counter() - lent_at)
            self._outages.worked(statement)
        except PASSING_ERRORS as problem:
            raise self._outages.failed(statement, problem, connected=connected) from problem

    @asynccontextmanager
    async def _looking_there(self, connection: Any) -> AsyncIterator[Any]:
        """Have what follows find our tables, also where a pooler gives us any connection."""
        if not self._pooled or connection.is_in_transaction():
            yield connection
            return
        async with connection.transaction():
            await connection.execute(self._look_there)
            yield connection


def refusal(problem: BaseException) -> str | None:
    """Return why the server refuses us, in words; None when that isn't the trouble."""
    return next((why for kind, why in REFUSALS if isinstance(problem, kind)), None)


def _never_came(reason: OutageKind, why: str) -> DatabaseStartError:
    """Say what was waited for in vain when we started."""
    seconds = f"{START_TIMEOUT_S:.0f}"
    if reason is AWAY:
        return DatabaseStartError(
            N_(
                "PostgreSQL could not be reached within %(seconds)s s (%(why)s): start it, or"
                " correct the address in DATABASE_URL"
            ),
            seconds=seconds,
            why=why,
        )
    return DatabaseStartError(
        N_("%(what)s, and was so for %(seconds)s s (%(why)s)"),
        what=Words(reason.sentence),
        seconds=seconds,
        why=why,
    )


def _stays_in_use(source: str, schema: str) -> DatabaseStartError:
    """Say why our tables couldn't be moved from one schema to another."""
    return DatabaseStartError(
        N_(
            "our tables are to be moved from the schema %(source)s to %(schema)s, but another"
            " process still serves a room from them: stop it first, or set DATABASE_SCHEMA="
            "%(source)s to leave them where they are"
        ),
        source=source,
        schema=schema,
    )


def _bound(sql: str, values: Mapping[str, object]) -> list[object]:
    """Return a statement as asyncpg takes it, and its values in order."""
    text, names = _positional(sql)
    return [text, *(values[name] for name in names)]


@cache
def _positional(sql: str) -> tuple[str, tuple[str, ...]]:
    """Turn `:name` into `$1` and return the names in order. `::type` stays."""
    names = tuple(dict.fromkeys(_PARAMETER.findall(sql)))
    return _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", sql), names


async def _nothing_to_reset(_connection: object) -> None:
    """Spare a statement each time a connection goes back to the pool: no session state is set."""


POOL: dict[str, Any] = {
    "min_size": 0,  # else the pool writes a trace each time that it can't keep up a minimum
    "max_size": MAX_CONNECTIONS,
    "reset": _nothing_to_reset,
}
