"""Work of which only the newest counts: what is asked for while somebody types."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from core.waiting_line import WaitingLine

T = TypeVar("T")


class NewestOnly:
    """Has work done a few at a time, and ends what a newer one of the same page replaces.

    To cancel it cancels its statement in PostgreSQL, too.
    """

    def __init__(self, at_once: int) -> None:
        self._line = WaitingLine(at_once)
        self._running: dict[str, asyncio.Task[object]] = {}  # by the page

    async def run(self, person: str, page: str, work: Callable[[], Awaitable[T]]) -> T | None:
        """Return what the work gives; None when a newer one has taken its place.

        An empty `page` has no newer one. Raises CrowdedError: see core/waiting_line.py.
        """
        if not page:
            return await self._in_line(person, None, work)
        key = f"{person} {page}"
        older = self._running.get(key)
        task = asyncio.create_task(self._in_line(person, older, work))
        self._running[key] = task
        try:
            return await task
        except asyncio.CancelledError:
            if self._running.get(key) is task or not task.cancelled():
                raise  # it is we who are cancelled
            return None
        finally:
            if self._running.get(key) is task:
                del self._running[key]

    async def _in_line(
        self, person: str, older: asyncio.Task[object] | None, work: Callable[[], Awaitable[T]]
    ) -> T:
        if older is not None:
            older.cancel()
            await asyncio.wait([older])  # its place in line is free then
        leave = self._line.enter(person)
        try:
            async with self._line.turn():
                return await work()
        finally:
            leave()
