"""Gives up answers that nobody reads: a connection that is closed waits for ever for its reader."""

from __future__ import annotations

import asyncio

from web.http import bounds


class UnreadWatch:
    """Aborts a transport of which nothing is taken for STALL_S, or not all within `answer_s`."""

    __slots__ = ("_loop", "_moved_at", "_since", "_timer", "_transport", "_unsent", "answer_s")

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop = loop
        self._transport = transport
        self._timer: asyncio.TimerHandle | None = None  # while something is unsent
        self._unsent = 0  # bytes at the last look
        # Times of the loop: when this answer began to be unsent, when something of it was taken.
        self._since = self._moved_at = 0.0
        self.answer_s = bounds.ANSWER_S  # seconds; of what was asked for last

    def look(self) -> None:
        """Begin to watch if something is unsent; called when an answer pauses."""
        if self._timer is None and (size := self._transport.get_write_buffer_size()):
            self._since = self._moved_at = self._loop.time()
            self._unsent = size
            self._timer = self._loop.call_later(bounds.LOOK_EVERY_S, self._look_again)

    def answered(self) -> None:
        """Watch what is left of an answer that was written to its end."""
        if self._timer is None:
            self.look()
        else:
            self._since = self._loop.time()

    def moved(self) -> None:
        """Note that something was taken."""
        self._moved_at = self._loop.time()

    def close(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_again(self) -> None:
        self._timer = None
        size, now = self._transport.get_write_buffer_size(), self._loop.time()
        if not size:
            return
        if size < self._unsent:
            self._moved_at = now
        if now - self._moved_at >= bounds.STALL_S or now - self._since >= self.answer_s:
            self._transport.abort()
            return
        self._unsent = size
        self._timer = self._loop.call_later(bounds.LOOK_EVERY_S, self._look_again)
