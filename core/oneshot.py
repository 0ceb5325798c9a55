"""What happens once and is waited for by one."""

from __future__ import annotations

import asyncio


class OneShotEvent:
    """An asyncio.Event that stays set and has one waiter at a time.

    There are several for each person in a room, and an Event takes 0.8 kB.
    """

    __slots__ = ("_is_set", "_waiter")

    def __init__(self) -> None:
        self._is_set = False
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        """Let the waiter go on, and every later one at once."""
        self._is_set = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Return once it is set."""
        if not self._is_set:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
