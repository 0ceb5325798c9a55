"""A stop: what must outlive the process is written first, and no step can hold up the next.

A container is killed ten seconds after it was told to stop. So writing begins at once, beside the
farewell to connections; each step has its seconds, counted from its own begin; and what isn't done
by then goes on while the next one begins. A statement to a database that hangs can't be ended in
any other way than with its connection: asyncpg waits for the server's word that it was cancelled.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from core.database import Database

log = logging.getLogger(__name__)

# Seconds. These five come one after the other where a speech engine and a database hang: 5.3 in
# all, as none of them takes all it may. The embedded PostgreSQL has what is left of TOTAL_S.
FAREWELL_S = 0.1  # in which pages are told that we stop, before their rooms close
ROOMS_S = 4.2  # last words, storing them, and the release of leases: see Rooms.close
WRITER_S = 1.2  # what still waits, and a file for what can't be stored; streams end meanwhile
ANSWER_S = 0.3  # for the last word to requests that the server has given up
DISCONNECT_S = 0.5  # the pool ends its connections after that
TOTAL_S = 7.0  # from the signal to the exit, where nothing else than the steps takes time
LEAST_S = 1.0  # that the embedded PostgreSQL has in any case

Work = Callable[[], Awaitable[None]]


class Deadline:
    """When a stop should be over: from its beginning on, if it has begun."""

    def __init__(self) -> None:
        self._began: float | None = None  # a monotonic time

    def begin(self) -> None:
        """Count from now on; later calls change nothing."""
        if self._began is None:
            self._began = time.monotonic()

    @property
    def seconds_left(self) -> float:
        """How long the last step may take."""
        gone = 0.0 if self._began is None else time.monotonic() - self._began
        return max(LEAST_S, TOTAL_S - gone)


class Stop:
    """Ends the parts of a process, once, in the order in which words flow.

    Args:
        before: what ends before the rooms, as it acts on them.
        rooms: says last words, and gives the leases back.
        after: what rooms hand over to.
    """

    def __init__(
        self,
        db: Database,
        deadline: Deadline,
        *,
        before: Sequence[Work],
        rooms: Work,
        after: Sequence[Work],
    ) -> None:
        self.begun = asyncio.Event()  # set by whoever knows first that the process is to stop
        self.written = asyncio.Event()  # set once all that must outlive the process does
        self.answering = 0  # requests in progress: who was cut short is still told so
        self._db = db
        self._deadline = deadline
        self._before = before
        self._rooms = rooms
        self._after = after
        self._going: list[asyncio.Task[None]] = []  # steps that have begun
        self._task = asyncio.create_task(self._write_first())

    async def finish(self) -> None:
        """End all of it, whatever was begun already."""
        self.begun.set()
        await asyncio.wait({self._task})
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                while self.answering:  # noqa: ASYNC110 - rare, and over in a moment
                    await asyncio.sleep(0.01)
        await self._step(DISCONNECT_S, self._db.disconnect)

    async def _write_first(self) -> None:
        await self.begun.wait()
        self._deadline.begin()
        await asyncio.gather(self._step(FAREWELL_S, *self._before), asyncio.sleep(FAREWELL_S))
        await self._step(ROOMS_S, self._rooms)
        await self._step(WRITER_S, *self._after)
        if any(not task.done() for task in self._going):
            await self._step(DISCONNECT_S, self._db.disconnect)
            await asyncio.wait(self._going, timeout=DISCONNECT_S)
        self.written.set()

    async def _step(self, seconds: float, *works: Work) -> None:
        """Do parts of the stop, and wait so long for them; what fails is told in a line."""
        tasks = [asyncio.create_task(_told(work)) for work in works]
        self._going += tasks
        await asyncio.wait(tasks, timeout=seconds)


async def _told(work: Work) -> None:
    try:
        await work()
    except Exception as problem:
        what = getattr(work, "__qualname__", "a part")
        log.error("%s failed as the process stops: %s", what, type(problem).__name__)
