"""What the nouns share: the old product, our database, and the way from one to the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from core.moving_in.cleaning import Clock
from core.moving_in.report import Kind, Report
from core.moving_in.source import Source


@dataclass(frozen=True, slots=True)
class Names:
    """What people and things are called that have no name, in the operator's language."""

    person: str
    space: str  # with %(name)s for its owner's
    session: str


@dataclass(slots=True)
class Load:
    """One import under way."""

    source: Source
    ours: Any  # asyncpg's connection to our database, in the transaction of all of it
    report: Report
    clock: Clock
    names: Names
    per_minute: float  # the price of usage that nobody has reckoned

    async def stream(self, table: str, columns: str, rows: AsyncIterator[tuple[Any, ...]]) -> None:
        """Make a temporary table, such as `old_users`, and fill it. It is gone with the rest."""
        await self.ours.execute(f"CREATE TEMPORARY TABLE {table} ({columns}) ON COMMIT DROP")
        names = [one.split()[0] for one in columns.split(", ") if " DEFAULT " not in one]
        await self.ours.copy_records_to_table(
            table, records=rows, columns=names, schema_name="pg_temp"
        )
        # What is looked up by it is looked up for each row of something else.
        await self.ours.execute(f"CREATE INDEX ON {table} ({names[0]}); ANALYZE {table}")

    async def change(self, sql: str, *values: object) -> int:
        """Run a statement and return how many rows it has changed."""
        status: str = await self.ours.execute(sql, *values)
        return int(status.rpartition(" ")[2])

    async def counted(self, kind: Kind, table: str) -> None:
        """Count the rows of a kind that are there, and those that are here already."""
        row = await self.ours.fetchrow(
            f"SELECT count(*) AS found, count(*) FILTER (WHERE here) AS before FROM {table}"  # noqa: S608
        )
        count = self.report.count(kind)
        count.found, count.before = row["found"], row["before"]

    async def note_mended(self, table: str) -> None:
        """Note what was mended about the rows that are copied now."""
        found = self.ours.cursor(
            f"SELECT unnest(mended), id FROM {table} WHERE NOT here AND ours IS NOT NULL"  # noqa: S608
        )
        async for how, old in found:
            self.report.mend(how, [old])

    async def leave(self, why: str, sql: str) -> None:
        """Note the ids that a query returns as rows that aren't moved."""
        async for row in self.ours.cursor(sql):
            self.report.leave(why, [row[0]])

    async def mend(self, how: str, sql: str) -> None:
        """Note the ids that a query returns as rows that were mended."""
        async for row in self.ours.cursor(sql):
            self.report.mend(how, [row[0]])
