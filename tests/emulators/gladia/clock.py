"""A clock that runs out: the time limits of a session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Clock:
    """Calls `expired` when it has run for `seconds` without a touch; None: never."""

    def __init__(self, seconds: float | None, expired: Callable[[], None]) -> None:
        self._seconds = seconds
        self._expired = expired
        self._touched = 0.0
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Run from zero, unless it runs already."""
        self.touch()
        if self._handle is None and self._seconds is not None:
            self._arm(self._seconds)

    def touch(self) -> None:
        """Begin again at zero."""
        self._touched = asyncio.get_running_loop().time()

    def stop(self) -> None:
        """Stand still."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self, seconds: float) -> None:
        self._handle = asyncio.get_running_loop().call_later(seconds, self._ring)

    def _ring(self) -> None:
        assert self._seconds is not None
        left = self._seconds - (asyncio.get_running_loop().time() - self._touched)
        if left > 0.001:
            self._arm(left)
            return
        self._handle = None
        self._expired()
