"""What is fair with a plan that is too small: who is served next, and who gives way. No I/O.

Fair is first between spaces, then between the rooms of a space, then between the people of a room:
whoever may sign in may start any number of sessions, but has one space. Whoever holds fewest slots
goes first, then whoever was served longest ago, so that with a single slot those who never pause
take turns. Four rules, each for one way to take the whole plan:

- One participant has one stream, however many pages and stretches of speech are theirs. A second
  one may only be finishing what it has, a few seconds, and only while nobody else waits: else who
  pauses and goes on would be captioned late.
- One session has at most the plan without its reserve (`RESERVED_PART`), so that on a plan of four
  or more a newcomer from another one finds a slot at once. On a smaller plan a reserve would be
  idle most of the time, and taking turns bounds the wait.
- Who holds a slot while others wait gives way once their turn is over: see core.speech.slots.
- A slot changes hands within a room, or to a room or space that has fewer. Otherwise a room with
  many who speak would take the only slot of another one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import chain
from typing import Protocol

# Slots that one session leaves to others: one of so many, rounded down.
RESERVED_PART = 4
# Spaces, rooms and people of whom it is known when they were served last. Only while somebody
# waits, and more than ever wait at once: who is forgotten goes before those who are not.
REMEMBERED = 3_000


Group = tuple[str, ...]  # a space, a room with its space, or a participant with both


class SlotHolder(Protocol):
    """A stretch of speech, as who hands out slots sees it."""

    def give_way(self) -> None:
        """Let go of the slot soon: others have waited for long enough."""


class Ticket:
    """The place of one stretch of speech in the queue, and then its slot."""

    __slots__ = (
        "ending",
        "granted",
        "groups",
        "held",
        "holder",
        "keeps_place",
        "order",
        "recalled",
        "room",
        "since",
        "whose",
    )

    def __init__(self, space: str, room: str, person: str, holder: SlotHolder) -> None:
        self.room = space, room
        self.whose = space, room, person  # a participant
        # What slots are shared between, the widest first.
        self.groups: tuple[Group, ...] = ((space,), self.room, self.whose)
        self.holder = holder
        self.order = 0  # its number among all who ever waited: who came first
        self.keeps_place = False  # its last slot was refused by the engine: it was no turn
        # Done once it has a slot; cancelled with the task that waits. None before the first wait.
        self.granted: asyncio.Future[None] | None = None
        self.held = False  # whether it has a slot
        self.since: float | None = None  # when the engine took its stream, on the loop's clock
        self.ending = False  # no more audio comes: its slot is free within seconds
        self.recalled = False  # it was asked to give way


class Shares:
    """Who holds how many slots, who was served last, and what follows from it."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity  # slots in all
        self.most_of_room = capacity - capacity // RESERVED_PART
        self.held: dict[Ticket, None] = {}  # all that have a slot, in the order they got it
        self._of: Counter[Group] = Counter()  # slots in use; no group has 0
        self._of_person: dict[Group, list[Ticket]] = {}  # whose they are; no list is empty
        # When a group was served last, as a number that grows; the newest last. Of the present
        # shortage only: before it everybody had what they wanted.
        self._served: dict[Group, int] = {}
        self._serial = 0  # the newest of these numbers

    def take(self, ticket: Ticket) -> None:
        """Note that it has a slot."""
        ticket.held, ticket.keeps_place = True, False
        self.held[ticket] = None
        self._of.update(ticket.groups)
        self._of_person.setdefault(ticket.whose, []).append(ticket)

    def give_back(self, ticket: Ticket) -> None:
        """Note that it has none any more."""
        ticket.held = ticket.recalled = False
        ticket.since = None
        del self.held[ticket]
        for group in ticket.groups:
            self._of[group] -= 1
            if not self._of[group]:
                del self._of[group]
        mine = self._of_person[ticket.whose]
        mine.remove(ticket)
        if not mine:
            del self._of_person[ticket.whose]

    def served(self, ticket: Ticket) -> None:
        """Note that the engine takes its stream: this is its turn."""
        self._serial += 1
        for group in ticket.groups:
            self._served.pop(group, None)
            self._served[group] = self._serial
        while len(self._served) > REMEMBERED:
            del self._served[next(iter(self._served))]

    def nobody_waits(self) -> None:
        """Forget who was served when: the shortage is over."""
        self._served.clear()

    def rank(self, ticket: Ticket) -> tuple[int, ...]:
        """Return what sorts those who wait: the least is served first."""
        shares = ((self._of[group], self._served.get(group, 0)) for group in ticket.groups)
        return (*chain.from_iterable(shares), ticket.order)

    def burden(self, ticket: Ticket) -> tuple[float, ...]:
        """Return what sorts those who have a slot: the greatest gives way first."""
        since = 0.0 if ticket.since is None else ticket.since
        return (*(self._of[group] for group in ticket.groups), -since)

    def may_have_one(self, ticket: Ticket, *, alone: bool) -> bool:
        """Whether it may take a free slot; `alone`: nobody but this person waits."""
        if self._of[ticket.room] >= self.most_of_room:
            return False
        mine = self._of_person.get(ticket.whose)
        if mine is None:
            return True
        return alone and len(mine) == 1 and (ticket.ending or mine[0].ending)

    def could_use(self, waiting: Ticket, slot_of: Ticket) -> bool:
        """Whether who waits might have the slot if its holder let go."""
        if waiting.whose == slot_of.whose:
            return True
        if waiting.whose in self._of_person:  # waits for a slot of its own
            return False
        return waiting.room == slot_of.room or self._of[waiting.room] < self.most_of_room

    def has_claim_to(self, waiting: Ticket, slot_of: Ticket) -> bool:
        """Whether it is fair that the holder gives way to who waits, once their turn is over."""
        if not self.could_use(waiting, slot_of):
            return False
        if waiting.room == slot_of.room:
            return True
        # Compared where the two part: two spaces, or two rooms of one.
        mine, theirs = next(
            pair for pair in zip(waiting.groups, slot_of.groups, strict=True) if pair[0] != pair[1]
        )
        return self._of[mine] < self._of[theirs]
