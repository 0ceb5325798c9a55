"""A server on a database that may go away."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg
import httpx2

from tests.support.app_server import AppServer
from tests.support.dictation import words_in
from tests.support.own_postgres import OwnPostgres
from tests.support.visitors import RoomPage, Visitor
from tests.support.waiting import WAIT_TIMEOUT_S, until


@dataclass
class Scene:
    """A server on a database that may go away, and Ada's session in it."""

    postgres: OwnPostgres
    server: AppServer
    ada: Visitor
    slug: str

    def page(self) -> RoomPage:
        return self.ada.page(self.slug)

    async def health(self) -> tuple[int, dict[str, object]]:
        async with httpx2.AsyncClient(verify=False) as http:
            answer = await http.get(f"{self.server.url}/health/ready", timeout=WAIT_TIMEOUT_S)
        return answer.status_code, answer.json()

    async def until_stored(self) -> None:
        """Wait until the database is back and has everything."""

        async def stored() -> bool:
            status, health = await self.health()
            return status == 200 and health["queue"] == 0

        await until(stored, news=lambda: self.server.log)

    async def stored(self) -> list[str]:
        """Return the session's words as they are in the database, in order."""
        connection = await asyncpg.connect(self.postgres.url)
        rows = await connection.fetch(
            "SELECT u.text, u.seq FROM utterances u JOIN sessions s ON s.id = u.session_id"
            " WHERE s.slug = $1 ORDER BY u.seq",
            self.slug,
        )
        await connection.close()
        return words_in(rows)
