"""Looks into a server's database, and sets times in it, so that tests need not wait for hours."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg


class Tables:
    """The database behind a URL as `make_database` gives it. Blocks: use threads in async tests."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = url
        self.where = {  # what asyncpg.connect takes
            "host": parse_qs(parts.query)["host"][0],
            "user": "postgres",
            "database": parts.path[1:],
        }

    def __call__(self, sql: str, *values: object) -> list[Any]:
        """Run a statement with `$1` parameters and return its rows."""
        return asyncio.run(self._run(sql, values))

    async def _run(self, sql: str, values: tuple[object, ...]) -> list[Any]:
        connection = await asyncpg.connect(**self.where)
        try:
            rows: list[Any] = await connection.fetch(sql, *values)
        finally:
            await connection.close()
        return rows

    def script(self, sql: str) -> None:
        """Run many statements, all or none."""
        asyncio.run(self._script(sql))

    async def _script(self, sql: str) -> None:
        connection = await asyncpg.connect(**self.where)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    def one(self, sql: str, *values: object) -> Any:
        """Return the first value of the first row."""
        return self(sql, *values)[0][0]
