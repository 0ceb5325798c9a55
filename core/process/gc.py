"""When Python looks for cyclic garbage: rarely through everything, and never because it is busy.

By default the interpreter goes through all objects whenever a quarter of them is new. In a
process with a thousand streams that takes a fifth of a second, just while people join or talk,
and audio waits meanwhile. Here what was made at the start is never looked at again, young
objects are as ever, and the old ones are looked through on a schedule.

What was freed by then is given back to the system. glibc keeps it otherwise, as some small thing
behind it is still in use: after each burst of speech that had to wait, the process stayed as large
as it had been then.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from contextlib import suppress

EVERY = 300.0  # seconds between two looks through everything
YOUNG = 5_000  # more objects made than freed, until the youngest are looked through
MIDDLE = 20  # such looks, until those that survived them are looked through
NEVER = 1_000_000


class GcSchedule:
    """Keeps the garbage collector's long pauses rare while it runs."""

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        self._usual = gc.get_threshold()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; called once everything is loaded, in the running loop."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG, MIDDLE, NEVER)
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Leave it to the interpreter again."""
        gc.set_threshold(*self._usual)
        gc.unfreeze()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            gc.collect()
            _give_back()


def _give_back() -> None:
    """Give freed memory back to the system; where the allocator isn't glibc's, do nothing.

    It takes 1 ms where there is none, 15 where 88 MB go back:
    https://man7.org/linux/man-pages/man3/malloc_trim.3.html.
    """
    if sys.platform == "linux":
        with suppress(AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
