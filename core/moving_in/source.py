"""The old tables: which there are, which columns they have, and their rows as a stream.

They are Prisma's: names are quoted and have capitals, times have no zone and are UTC. Releases of
that product differ in their columns, so each value is asked for under all names it has had, and
one that isn't there is NULL.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.database.schema import quoted
from core.starting import StartError
from core.words import N_

PREFETCH = 1_000  # rows read at once
MAX_TEXT = 20_000  # characters of one value: core.speech.gladia.results.MAX_TEXT
MAX_JSON = 400_000  # characters; a day's topics have a tenth

Kind = Literal["text", "time", "number", "switch", "json"]

# By the type of a column: what it can be read as. All others can be read as text.
TYPES: Mapping[str, tuple[Kind, ...]] = {
    "timestamp without time zone": ("time", "text"),
    "timestamp with time zone": ("time", "text"),
    "date": ("time", "text"),
    "boolean": ("switch", "text"),
    "json": ("json", "text"),
    "jsonb": ("json", "text"),
    **dict.fromkeys(
        ("smallint", "integer", "bigint", "numeric", "real", "double precision"),
        ("number", "text"),
    ),
}
AS: Mapping[Kind, str] = {
    "text": f"left(CAST({{0}} AS text), {MAX_TEXT})",
    # Seconds since 1970; infinity, which no clock shows, is none.
    "time": "CASE WHEN isfinite({0}) THEN CAST(extract(epoch FROM {0}) AS float8) END",
    "number": "CAST({0} AS float8)",
    "switch": "{0}",
    "json": f"CASE WHEN length(CAST({{0}} AS text)) <= {MAX_JSON} THEN CAST({{0}} AS text) END",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A value of a row, and the columns it may be in, the most recent first."""

    name: str
    kind: Kind
    columns: tuple[str, ...]


def field(name: str, kind: Kind, *columns: str) -> Field:
    """Return a field; without columns its own name is the only one."""
    return Field(name, kind, columns or (name,))


class NoSuchTablesError(StartError):
    """The old product isn't there."""


class Source:
    """The old product's schema, through a connection in a transaction that only reads."""

    def __init__(self, connection: Any, schema: str) -> None:
        self._connection = connection
        self.schema = schema
        self._columns: dict[str, dict[str, str]] = {}  # by table: what type each one has

    async def look(self) -> None:
        """Find out which tables and columns there are. Raises NoSuchTablesError.

        Asked of the catalogue and not of information_schema, which hides what we may not read: that
        is to be an error, and not taken for a table that isn't there.
        """
        rows = await self._connection.fetch(
            """
            SELECT c.relname, a.attname, format_type(a.atttypid, NULL) AS type
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
            WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                AND a.attnum > 0 AND NOT a.attisdropped
            """,
            self.schema,
        )
        for row in rows:
            self._columns.setdefault(row["relname"], {})[row["attname"]] = row["type"]
        missing = [one for one in ("User", "Space") if one not in self._columns]
        if missing or self.sessions is None:
            raise NoSuchTablesError(
                N_(
                    "the schema %(schema)s of that database has no tables of the product that this"
                    " one replaces (User, Space and VideoSession)"
                ),
                schema=self.schema,
            )

    @property
    def sessions(self) -> str | None:
        """The table of its sessions: it had another name first, which is NextAuth's now."""
        for name in ("VideoSession", "Session"):
            if "slug" in self._columns.get(name, {}):
                return name
        return None

    def has(self, table: str) -> bool:
        """Whether there is a table of this name."""
        return table in self._columns

    async def rows(
        self, table: str | None, fields: Sequence[Field], where: str = ""
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the rows of a table, none of one that isn't there. Each has all the fields."""
        if table is None or table not in self._columns:
            return
        known = self._columns[table]
        values = ", ".join(f"{_value(one, known)} AS {quoted(one.name)}" for one in fields)
        sql = f"SELECT {values} FROM {quoted(self.schema)}.{quoted(table)} t {where}"  # noqa: S608
        async for row in self._connection.cursor(sql, prefetch=PREFETCH):
            yield row


def _value(one: Field, known: Mapping[str, str]) -> str:
    found = [
        AS[one.kind].format(f"t.{quoted(column)}")
        for column in one.columns
        if column in known and one.kind in TYPES.get(known[column], ("text", "json"))
    ]
    return f"coalesce({', '.join([*found, 'NULL'])})"
