"""The schema that our tables are in: made where it is missing, moved into, and brought up to date.

Tables of ours are in a schema of their own (DATABASE_SCHEMA), so that another program may have the
same database. Before it had a name, they were wherever the role looks first, which is `public` as a
rule: from there they are moved when the first process of this release starts, all or none, under
the lock that every start takes. What is moved is told by schema.sql, which has every name of ours;
a table is ours when it has each column that it was made with.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg

from core.database.errors import DatabaseStartError
from core.words import N_

log = logging.getLogger(__name__)

SCHEMA = Path(__file__).parent.parent.parent / "schema.sql"
DEFAULT = "sessions"
LOCK = 0x5E5510  # any constant will do, as long as every process takes the same lock
# Every release has had these, so an installation without one of them isn't whole.
FIRST = frozenset(
    {"users", "accounts", "logins", "spaces", "members"}
    | {"sessions", "participants", "utterances", "streams"}
)
LIVE_S = 15  # a room whose lease was renewed since is served at this moment: core.store.rooms

# What asks PostgreSQL for everything of these names in a schema, with the columns of tables.
FOUND = """
    SELECT c.relname AS name, c.relkind AS kind, coalesce(
        array_agg(a.attname::text) FILTER (WHERE a.attnum > 0 AND NOT a.attisdropped), '{}'
    ) AS columns
    FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY($2::text[])
        AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') GROUP BY c.oid, c.relname, c.relkind
"""
# Functions of ours, as ALTER FUNCTION takes them.
FUNCTIONS = """
    SELECT format('%I(%s)', proname, pg_catalog.pg_get_function_identity_arguments(oid)) AS name
    FROM pg_catalog.pg_proc
    WHERE pronamespace = $1::text::regnamespace AND proname = ANY($2::text[])
"""
# Schemas of this database, but ours, in which there is a whole installation.
ELSEWHERE = """
    SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n
        ON n.oid = c.relnamespace
    WHERE c.relname = ANY($1::text[]) AND c.relkind = 'r' AND n.nspname <> $2
    GROUP BY n.nspname HAVING count(*) = cardinality($1::text[]) ORDER BY n.nspname
"""


class InUseError(Exception):
    """A process serves rooms from the tables that are to be moved: it passes, or it doesn't."""

    def __init__(self, schema: str) -> None:
        super().__init__(schema)
        self.schema = schema


@dataclass(frozen=True, slots=True)
class Names:
    """What schema.sql makes: tables with the columns they had from the start, and the rest."""

    tables: Mapping[str, frozenset[str]]
    views: frozenset[str]
    sequences: frozenset[str]
    functions: frozenset[str]


@cache
def names() -> Names:
    """Return the names of everything that schema.sql makes."""
    sql = SCHEMA.read_text()
    later = set(re.findall(r"^ALTER TABLE (\w+) ADD COLUMN IF NOT EXISTS (\w+)", sql, re.M))
    tables = {}
    for table, body in re.findall(
        r"CREATE TABLE (?:IF NOT EXISTS )?(\w+) \((.*?)\n *\);", sql, re.S
    ):
        # A column begins its line in small letters; constraints and what goes on with CHECK don't.
        columns = re.findall(r"^ +([a-z_]+) +[a-z]", body, re.M)
        tables[table] = frozenset(one for one in columns if (table, one) not in later)
    return Names(
        tables,
        frozenset(re.findall(r"^CREATE OR REPLACE VIEW (\w+)", sql, re.M)),
        frozenset(re.findall(r"^CREATE SEQUENCE IF NOT EXISTS (\w+)", sql, re.M)),
        frozenset(re.findall(r"^CREATE OR REPLACE FUNCTION (\w+)", sql, re.M)),
    )


def quoted(schema: str) -> str:
    """Return a schema's name as SQL has it, whatever it is."""
    return '"' + schema.replace('"', '""') + '"'


async def bring_up_to_date(connection: Any, schema: str) -> None:
    """Have our tables in this schema as schema.sql has them, all of it or nothing.

    `connection` is asyncpg's, and looks where its role looks by itself: an installation there is
    moved. Raises DatabaseStartError, InUseError, or what PostgreSQL says.
    """
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
        path = await connection.fetchval("SELECT current_schemas(false)")
        await _make(connection, schema)
        here = await _found(connection, schema)
        for other in path:
            if other != schema and await _moved(connection, other, schema, here):
                break
        else:
            if not here:
                await _tell_of_others(connection, schema)
        await connection.execute(f"SET LOCAL search_path TO {quoted(schema)}")
        try:
            await connection.execute(SCHEMA.read_text())
        except (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidSchemaNameError) as problem:
            raise DatabaseStartError(
                N_(
                    "PostgreSQL doesn't let the user in DATABASE_URL make tables in the schema"
                    " %(schema)s: make that user its owner, or set DATABASE_SCHEMA to another"
                ),
                schema=schema,
            ) from problem


async def _make(connection: Any, schema: str) -> None:
    """Make the schema where there is none: to ask for one that is there needs the same right."""
    if await connection.fetchval("SELECT to_regnamespace($1::text)", quoted(schema)) is not None:
        return
    try:
        await connection.execute(f"CREATE SCHEMA {quoted(schema)}")
    except asyncpg.InsufficientPrivilegeError as problem:
        raise DatabaseStartError(
            N_(
                "PostgreSQL doesn't let the user in DATABASE_URL make the schema %(schema)s: have"
                " an administrator do it (CREATE SCHEMA %(schema)s AUTHORIZATION that user), or set"
                " DATABASE_SCHEMA to one that is there"
            ),
            schema=schema,
        ) from problem


async def _found(connection: Any, schema: str) -> set[str]:
    """Return which of our tables a schema has. Another program's by such a name isn't ours."""
    rows = await connection.fetch(FOUND, quoted(schema), list(names().tables))
    return {row["name"] for row in rows if _is_ours(row)}


def _is_ours(row: Mapping[str, Any]) -> bool:
    return row["kind"] in (b"r", b"p") and names().tables[row["name"]] <= set(row["columns"])


async def _moved(connection: Any, source: str, schema: str, here: Collection[str]) -> bool:
    """Move an installation from one schema to another; return whether there was one to move."""
    there = await _found(connection, source)
    if not there or not there | set(here) >= FIRST:
        return False  # at most something that looks like a table of ours
    if set(here) >= FIRST:
        if there >= FIRST:
            log.warning(
                "there are tables of ours in the schema %s, too: those in %s are used",
                *(source, schema),
            )
        return False
    if here:
        raise DatabaseStartError(
            N_(
                "some of our tables are in the schema %(source)s and some in %(schema)s"
                " (%(those)s): move them together by hand, ALTER TABLE … SET SCHEMA …"
            ),
            source=source,
            schema=schema,
            those=", ".join(sorted(here)),
        )
    await _refuse_taken(connection, source, schema)
    await _refuse_in_use(connection, source, there)
    await _move(connection, source, schema, there)
    log.warning("the tables of ours were moved from the schema %s to %s", source, schema)
    return True


async def _refuse_taken(connection: Any, source: str, schema: str) -> None:
    rows = await connection.fetch(FOUND, quoted(schema), list(names().tables))
    if rows:
        raise DatabaseStartError(
            N_(
                "our tables can't be moved from the schema %(source)s to %(schema)s, where another"
                " program has a table %(table)s: set DATABASE_SCHEMA to another name, or to"
                " %(source)s to leave them where they are"
            ),
            source=source,
            schema=schema,
            table=rows[0]["name"],
        )


async def _refuse_in_use(connection: Any, source: str, there: Collection[str]) -> None:
    """Move nothing from under a process of an earlier release while it serves a room."""
    if "rooms" not in there:
        return
    live = await connection.fetchval(
        f"""
        SELECT count(*) FROM {quoted(source)}.rooms
        WHERE renewed_at > clock_timestamp() - make_interval(secs => {LIVE_S})
        """  # noqa: S608 - a name from PostgreSQL's catalogue, quoted
    )
    if live:
        raise InUseError(source)


async def _move(connection: Any, source: str, schema: str, tables: Collection[str]) -> None:
    """Move what is ours; indexes and the sequences of columns go with their tables."""
    rest = names()
    rows = await connection.fetch(FOUND, quoted(source), [*rest.views, *rest.sequences])
    moves = [("TABLE", quoted(one)) for one in sorted(tables)]
    moves += [("VIEW", quoted(row["name"])) for row in rows if row["kind"] == b"v"]
    moves += [("SEQUENCE", quoted(row["name"])) for row in rows if row["kind"] == b"S"]
    functions = await connection.fetch(FUNCTIONS, quoted(source), list(rest.functions))
    moves += [("FUNCTION", row["name"]) for row in functions]
    try:
        for kind, name in moves:
            await connection.execute(
                f"ALTER {kind} {quoted(source)}.{name} SET SCHEMA {quoted(schema)}"
            )
    except asyncpg.InsufficientPrivilegeError as problem:
        raise DatabaseStartError(
            N_(
                "PostgreSQL doesn't let the user in DATABASE_URL move our tables from the schema"
                " %(source)s to %(schema)s (%(why)s): make that user the owner of both, or set"
                " DATABASE_SCHEMA=%(source)s to leave them where they are"
            ),
            source=source,
            schema=schema,
            why=problem.args[0],
        ) from problem


async def _tell_of_others(connection: Any, schema: str) -> None:
    """Say where else there are tables of ours: whoever mistyped DATABASE_SCHEMA looks for them."""
    for row in await connection.fetch(ELSEWHERE, sorted(FIRST), schema):
        log.warning(
            "new tables are made in the schema %s, though there are some in %s: DATABASE_SCHEMA"
            " says which are used",
            *(schema, row["nspname"]),
        )
