"""A look at a PostgreSQL, by a connection of its own: the pool may be what doesn't work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

import asyncpg

from core.database.connecting import connect_options, is_pooler
from core.database.outages import PASSING_ERRORS, named, reason_of
from core.database.pool import MISUNDERSTOOD, refusal
from core.database.schema import quoted
from core.words import N_, Words

CONNECT_TIMEOUT_S = 4.0
ROUNDS = 5  # of a statement that does nothing, to tell how far away it is
GIVE_UP_S = 0.3  # to say goodbye in peace

QUESTIONS = """
    SELECT current_setting('server_version') AS version,
           CAST(current_setting('server_version_num') AS integer) AS number,
           current_setting('transaction_read_only') = 'on' AS read_only,
           current_setting('server_encoding') AS encoding,
           CASE WHEN to_regnamespace($1) IS NULL
               THEN has_database_privilege(current_database(), 'CREATE')
               ELSE has_schema_privilege(to_regnamespace($1), 'CREATE') END AS may_create,
           to_regclass($1 || '.utterances') IS NOT NULL
               AND to_regclass($1 || '.rooms') IS NOT NULL AS ours,
           (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl) AS tls,
           (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
               AS connections,
           CAST(current_setting('max_connections') AS integer) AS max_connections
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a PostgreSQL says of itself."""

    version: str
    number: int  # of the version, such as 150018
    read_only: bool
    encoding: str
    may_create: bool  # whether our user may make tables, or a schema
    ours: bool  # whether our tables are there
    tls: str | None  # its version; None: the connection is in clear
    connections: int  # of all users
    max_connections: int
    latency_ms: float  # of a statement, there and back
    clock_ahead_s: float  # of its clock before ours


class UnseenError(Exception):
    """It can't be looked at; `words` say why."""

    def __init__(self, words: Words) -> None:
        super().__init__(words)
        self.words = words


async def see(url: str, schema: str) -> Seen:
    """Connect to the PostgreSQL at `url` and ask what there is to know. Raises UnseenError.

    `schema` is where our tables belong.
    """
    try:
        async with _connection(url) as connection:
            told = await connection.fetchrow(QUESTIONS, quoted(schema))
            took = []
            ahead = 0.0
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                theirs: datetime = await connection.fetchval("SELECT clock_timestamp()")
                seconds = time.perf_counter() - begun
                ahead = (theirs - datetime.now(UTC)).total_seconds() + seconds / 2
                took.append(seconds * 1000)
            return Seen(**told, latency_ms=median(took), clock_ahead_s=ahead)
    except PASSING_ERRORS as problem:
        why = refusal(problem) or reason_of(problem, connected=False).sentence
        words = Words(N_("%(what)s (%(why)s)"), what=Words(why), why=named(problem))
        raise UnseenError(words) from problem
    except (ValueError, asyncpg.ClientConfigurationError) as problem:
        raise UnseenError(Words(MISUNDERSTOOD)) from problem
    except asyncpg.PostgresError as problem:
        raise UnseenError(Words(N_("PostgreSQL refuses: %(why)s"), why=named(problem))) from problem


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[Any]:
    options = connect_options(url) | {"timeout": CONNECT_TIMEOUT_S}
    if is_pooler(url):
        options["statement_cache_size"] = 0  # what was prepared is on another connection
    connection = await asyncpg.connect(**options)
    try:
        yield connection
    finally:
        try:
            async with asyncio.timeout(GIVE_UP_S):
                await connection.close()
        except (*PASSING_ERRORS, asyncpg.PostgresError):
            connection.terminate()
