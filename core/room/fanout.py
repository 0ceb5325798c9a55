"""Fan-out: the seats of a room, and one write to each for all that comes in a turn of the loop.

Words come in bursts: two people's partials, a final and what became of their speech arrive in the
same turn, and each write to a socket is a trip into the kernel, which is half of what a caption
costs. So what is for everybody waits until the turn is over, and goes out as one batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from core.model import Page
from core.room.seat import Seat
from core.room.wire import Batch, Message, ServerMessage


class Fanout:
    """Who sits in a room, in the order they came, and what all of them are told."""

    def __init__(self) -> None:
        self.seats: list[Seat] = []  # one per connected page; the newest of a person is last
        self._outbox: list[Message] = []  # for everybody, at the end of the loop's turn
        self._loop = asyncio.get_running_loop()  # looked up once: every caption asks for it

    def of(self, identity: str) -> list[Seat]:
        """Return the seats of a participant, the newest last."""
        return [seat for seat in self.seats if seat.participant.identity == identity]

    def at(self, page: Page) -> list[Seat]:
        """Return the seat of a page, if it is connected."""
        return [seat for seat in self.seats if seat.page == page]

    def publish(self, message: ServerMessage) -> Message:
        """Send a message to every page; return it encoded."""
        encoded = Message(message)
        self.send(encoded)
        return encoded

    def send(self, message: Message) -> None:
        """Send a message to every page, with one write for all that comes in a turn of the loop."""
        if not self._outbox:
            self._loop.call_soon(self.deliver)
        self._outbox.append(message)

    def send_to(self, seats: Collection[Seat], message: ServerMessage) -> None:
        """Send a message to some pages, after what all are to get."""
        self.deliver()
        batch = Batch([Message(message)])
        for seat in seats:
            seat.listener.send(batch)

    def deliver(self) -> None:
        """Send what waits for the turn's end; before a page comes or goes, or gets its own."""
        # Nobody may miss or get twice what was said in the turn in which they came: a new page is
        # replayed all of it, so what waits is for those who were here before.
        if self._outbox:
            batch, self._outbox = Batch(self._outbox), []
            for seat in self.seats:
                seat.listener.send(batch)

    def close(self, code: int) -> None:
        """Close every page, after what waits."""
        self.deliver()
        for seat in self.seats:
            seat.listener.close(code)
        self.seats.clear()
