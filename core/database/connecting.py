"""Connections to PostgreSQL: what DATABASE_URL means to asyncpg, and where they look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from core.database.outages import PASSING_ERRORS
from core.database.schema import quoted

COMMAND_TIMEOUT = 10.0  # seconds; a statement that hangs must not hang a page
GOODBYE_S = 0.5  # to close a connection in peace


def connect_options(url: str) -> dict[str, Any]:
    """Return what asyncpg needs; `schema`, `pgbouncer` and the like are for other drivers."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    kept = urlencode({"host": query["host"]}, safe="/") if "host" in query else ""
    options: dict[str, Any] = {
        "dsn": urlunsplit(("postgresql", parts.netloc, parts.path, kept, "")),
        "timeout": COMMAND_TIMEOUT,  # of opening a connection
        "command_timeout": COMMAND_TIMEOUT,
    }
    if "sslmode" in query:
        options["ssl"] = query["sslmode"]
    return options


def looking_in(schema: str) -> dict[str, str]:
    """Return what a connection tells PostgreSQL to find tables in this schema alone."""
    return {"search_path": quoted(schema)}


def is_pooler(url: str) -> bool:
    """Whether the address says that a pooler answers there."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return (
        dict(parse_qsl(parts.query)).get("pgbouncer") == "true"
        or "-pooler." in host  # Neon's
        or ".pooler." in host  # Supabase's
    )


async def looks_there(url: str, schema: str) -> bool:
    """Whether a connection that was told to look in this schema does."""
    told = {"server_settings": looking_in(schema)}
    try:
        async with single(connect_options(url) | told) as connection:
            looks: bool = await connection.fetchval(
                "SELECT current_schemas(false) = ARRAY[$1::name]", schema
            )
            return looks
    except asyncpg.ProtocolViolationError:  # PgBouncer: "unsupported startup parameter"
        return False


@asynccontextmanager
async def single(options: dict[str, Any]) -> AsyncIterator[Any]:
    """Lend a connection that isn't the pool's, on which nothing stays prepared."""
    connection = await asyncpg.connect(**options, statement_cache_size=0)
    try:
        yield connection
    finally:
        try:
            await connection.close(timeout=GOODBYE_S)
        except PASSING_ERRORS:
            connection.terminate()
