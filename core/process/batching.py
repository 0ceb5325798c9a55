"""Under load, what arrives is handled in batches, so that it costs less.

Where hundreds of people talk, a frame of audio arrives every few hundred microseconds. To be
woken for each costs more than to handle it: the thread goes to sleep and comes back, and finds
the processor's caches cold. A busy event loop therefore rests until TICK has passed since its
last rest and then handles all that has come meanwhile, as network cards do with interrupts.
Nothing waits longer than TICK for that, and a loop with time to spare is left alone; so is one
that is busy with something else than people in rooms. A page is a few large pieces of work, of
which each would only wait: the list of sessions took 69 ms instead of 41 with nobody in a room.

A request that needs several answers from the database waits for a batch with each: a join, which
asks eight times, for 64 ms at most. To rest for 1 ms only while an answer is due was tried: the
database then had to tell, and neither joins a second nor CPU per frame showed a difference. The
slowest of 200 joins at once did: their p99 was 435 ms with it and 617 without, on a busy machine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

TICK = 0.008  # seconds between two batches; 3 ms cost a tenth more, 12 ms a thirtieth less
TURNS = 4  # of the loop per batch: what is handled in several steps need not wait for the next
LOOK = 1.0  # seconds between two looks at how busy the loop is
BUSY = 0.10  # share of a core above which batches pay
CALM = 0.04  # and below which they don't; the same load costs less in batches
MANY = 20  # sockets: even if all of these talk, a frame comes every 2.5 ms, and few share a batch


class Pacer:
    """Lets the running event loop work in batches while many people keep it busy.

    `sockets` tells how many are open to people in rooms. The thresholds are shares of one core that
    the loop's thread uses, `tick` is in seconds.
    """

    def __init__(
        self,
        sockets: Callable[[], int],
        *,
        busy: float = BUSY,
        calm: float = CALM,
        tick: float = TICK,
    ) -> None:
        self.pacing = False  # whether the loop works in batches at the moment
        self._sockets = sockets
        self._busy = busy
        self._calm = calm
        self._tick = tick
        self._turn = 0  # of the loop, since the last rest
        self._rested_at = 0.0  # when the last rest ended, on the monotonic clock
        self._looked_at = 0.0  # when it was last looked how busy the loop is, on the same clock
        self._used = 0.0  # CPU seconds of the loop's thread until then
        self._next_look: asyncio.TimerHandle | None = None  # from `start` on

    def start(self) -> None:
        """Begin to look how busy the loop is; called once, in the running loop."""
        self._looked_at, self._used = time.monotonic(), time.thread_time()
        self._next_look = asyncio.get_running_loop().call_later(LOOK, self._look)

    def close(self) -> None:
        """Leave the loop alone from now on."""
        self.pacing = False
        if self._next_look is not None:
            self._next_look.cancel()

    def _look(self) -> None:
        loop, now, used = asyncio.get_running_loop(), time.monotonic(), time.thread_time()
        share = (used - self._used) / (now - self._looked_at)
        self._looked_at, self._used = now, used
        self._next_look = loop.call_later(LOOK, self._look)
        was_pacing = self.pacing
        busy = share > (self._calm if was_pacing else self._busy)
        self.pacing = busy and self._sockets() >= MANY
        if self.pacing and not was_pacing:
            self._rested_at = now
            loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        """Run once per turn of the loop, which therefore never waits by itself meanwhile."""
        if not self.pacing:
            return
        self._turn += 1
        if self._turn >= TURNS:
            self._turn = 0
            self._rest()
        asyncio.get_running_loop().call_soon(self._take_turn)

    def _rest(self) -> None:
        left = self._rested_at + self._tick - time.monotonic()
        if left > 0:
            time.sleep(left)
        self._rested_at = time.monotonic()
