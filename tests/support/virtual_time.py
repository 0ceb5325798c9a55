"""An event loop on which waiting takes no time: `@pytest.mark.virtual_time`.

Whenever there is nothing to do before the next timer, the loop's clock is set forward to it. So a
test of half a minute's retries runs in milliseconds, sees every wait to its exact length, and a
busy machine can't make it late. It is for code that waits by the loop's own timers and clock;
sockets and threads live in real time, which such a loop would run ahead of.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping

import pytest

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


class _Clock(selectors.DefaultSelector):
    """Looks for events without waiting for them, and counts what would have been waited."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready. Without a timer nothing but a socket or a thread can go on."""
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self.now += max(0.0, timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """See the module's text. It begins at 0 seconds."""

    def __init__(self) -> None:
        self._clock = _Clock()
        super().__init__(self._clock)

    def time(self) -> float:
        """Return the seconds that were waited since the loop began."""
        return self._clock.now


def loop_factories(item: pytest.Item) -> Mapping[str, LoopFactory]:
    """Return what pytest-asyncio is to make a test's loop with."""
    if item.get_closest_marker("virtual_time") is not None:
        return {"virtual": VirtualTimeLoop}
    return {"real": asyncio.new_event_loop}
