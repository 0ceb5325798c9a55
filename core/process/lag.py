"""How late the event loop is: by how much a timer of its own misses its moment.

Whatever keeps the loop busy for long keeps everybody waiting for as long. A loop that works in
batches (core.process.batching) is late by up to 8 ms, on purpose.
"""

from __future__ import annotations

import asyncio

from core.metrics import LOOP_LAG

EVERY_S = 0.25


class LoopLag:
    """Looks at the running loop for as long as it is started."""

    def __init__(self) -> None:
        self._next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look, in the running loop."""
        self._plan()

    def close(self) -> None:
        """Look no more."""
        if self._next is not None:
            self._next.cancel()

    def _plan(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + EVERY_S
        self._next = loop.call_at(due, self._look, due)

    def _look(self, due: float) -> None:
        LOOP_LAG.observe(max(0.0, asyncio.get_running_loop().time() - due))
        self._plan()
