"""Turns: what sockets send in excess is handled a little at a time, between what others send.

One read may bring 256 kB, which is 80 frames of audio or 40,000 empty pings: half a second of
work, and nobody else is looked at meanwhile. So a socket handles a few frames when they come. For
the rest it stops reading and waits here, with all others that have more, for a share of each turn
of the event loop. However many they are, together they hold a turn up for TURN_S.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Protocol
from weakref import WeakKeyDictionary

# What a turn of the loop may spend on excess. Backlogs of speech go through at several thousand
# frames a second with it, and nobody's ping notices 4 ms.
TURN_S = 0.004


class Waiting(Protocol):
    """Who has more to handle than fits into one turn."""

    def take_turn(self) -> bool:
        """Handle a little; return whether to be called again."""

    def abort(self) -> None:
        """End the connection at once."""


class Turns:
    """Those who wait in one event loop, who get their turns one after the other."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Waiting] = deque()

    def wait(self, one: Waiting) -> None:
        """Give it turns, from the loop's next on. It must not wait here already."""
        if not self._waiting:
            self._loop.call_soon(self._run)
        self._waiting.append(one)

    def _run(self) -> None:
        until = time.monotonic() + TURN_S
        waiting = self._waiting
        while waiting:
            if self._take(waiting[0]):
                waiting.rotate(-1)
            else:
                waiting.popleft()
            if time.monotonic() > until:
                break
        if waiting:
            self._loop.call_soon(self._run)

    def _take(self, one: Waiting) -> bool:
        try:
            return one.take_turn()
        except Exception as problem:  # as if it had happened while reading: this connection ends
            context = {"message": "a socket's turn failed", "exception": problem, "protocol": one}
            self._loop.call_exception_handler(context)
            one.abort()
            return False


_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


def turns_of(loop: asyncio.AbstractEventLoop) -> Turns:
    """Return the turns of this loop."""
    if loop not in _of_loops:
        _of_loops[loop] = Turns(loop)
    return _of_loops[loop]
