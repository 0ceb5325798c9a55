"""What was said before, told to a page that comes in, no faster than it reads.

A chat of 5,000 lines is 10 MB as frames, and a room has 200 places: to write all of it at once
would be 2 GB for pages that never read. The messages themselves are the room's own, so what waits
here costs a list of pointers; what the transport has of it stays below PIECE and its own mark.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from core.oneshot import OneShotEvent
from core.room.wire import Batch, Message
from web.socket.frames import encode_text_frame
from web.socket.offer import DirectSocket

MAX_QUEUED_BYTES = 1024 * 1024  # unsent, of what is said meanwhile
PARTIALS_STOP = 256 * 1024  # bytes unsent, after which superseded texts aren't worth queueing
PIECE = 64 * 1024  # bytes written at once; the transport asks for more below as much
PIECES_PER_TURN = 4  # of the event loop, so that a long past doesn't hold up others
LOOK_EVERY_S = 2.0
# Seconds in which a page takes nothing of its past, after which it is given up. A page itself takes
# a line for lost that brings nothing for 5.
STALLED_AFTER_S = 10.0


class Replay:
    """A past on its way to one socket, and what is said meanwhile, which comes behind it."""

    __slots__ = (
        "_done",
        "_give_up",
        "_live",
        "_live_size",
        "_look",
        "_loop",
        "_next",
        "_past",
        "_socket",
        "_still_for",
        "_unsent",
        "over",
    )

    def __init__(
        self, socket: DirectSocket, past: list[Message], *, give_up: Callable[[], None]
    ) -> None:
        self.over = False  # all of it is written, or nothing more is to be
        self._socket = socket
        self._past = past
        self._next = 0  # index in the past
        self._live: list[Message] = []  # what came meanwhile
        self._live_size = 0  # bytes
        self._give_up = give_up  # called once when the page doesn't read
        self._done = OneShotEvent()
        self._loop = asyncio.get_running_loop()
        self._unsent = 0  # bytes, when that was looked at last
        self._still_for = 0.0  # seconds in which it hasn't become less
        self._look: asyncio.TimerHandle | None = None

    def feed(self) -> None:
        """Write as much as the socket takes, and go on when it takes more."""
        for _ in range(PIECES_PER_TURN):
            if self.over:
                return
            if self._socket.write_paused:
                self._watch()
                return
            piece = self._piece()
            if not piece:
                self._finish()
                return
            self._socket.send_frames(Batch(piece).framed(encode_text_frame))
        self._loop.call_soon(self.feed)

    def _piece(self) -> list[Message]:
        """Return the next messages, at least one until there is none."""
        start, size = self._next, 0
        while self._next < len(self._past) and size < PIECE:
            size += len(self._past[self._next].payload)
            self._next += 1
        return self._past[start : self._next]

    def send(self, batch: Batch) -> None:
        """Queue what is said meanwhile; partials are dropped first, then the page is given up."""
        for message in batch.messages:
            if message.droppable and self._live_size > PARTIALS_STOP:
                continue
            self._live.append(message)
            self._live_size += len(message.payload)
        if self._live_size > MAX_QUEUED_BYTES:
            self._fail()

    async def wait(self) -> None:
        """Return when it is over."""
        await self._done.wait()

    def stop(self) -> None:
        """Write nothing more."""
        self.over = True
        self._past, self._live = [], []
        self._socket.on_writable(None)
        if self._look is not None:
            self._look.cancel()
        self._done.set()

    def _finish(self) -> None:
        live = self._live
        self.stop()
        if live:
            self._socket.send_frames(Batch(live).framed(encode_text_frame))

    def _fail(self) -> None:
        self.stop()
        self._give_up()

    def _watch(self) -> None:
        """Begin to look whether the page reads on from here."""
        self._still_for, self._unsent = 0.0, self._socket.write_buffer_size()
        if self._look is None:
            self._socket.on_writable(self.feed)
            self._look = self._loop.call_later(LOOK_EVERY_S, self._look_again)

    def _look_again(self) -> None:
        unsent = self._socket.write_buffer_size()
        stands_still = unsent >= self._unsent and self._socket.write_paused
        self._still_for = self._still_for + LOOK_EVERY_S if stands_still else 0.0
        self._unsent = unsent
        if self._still_for >= STALLED_AFTER_S:
            self._fail()
        else:
            self._look = self._loop.call_later(LOOK_EVERY_S, self._look_again)
