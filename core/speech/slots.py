"""Slots: how many streams may be open at once, and taking turns when those are too few.

What is fair is decided in core.speech.shares; here is who waits, and when that is looked at. While
somebody waits, whoever has held a slot for a turn and would not let go by themselves, as they never
pause, is asked to give way. They wait behind the others then, and so does what they say: nothing of
it is lost, as their next stream begins where the finals of this one end.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from contextlib import suppress

from core.backoff import Backoff
from core.speech.shares import Group, Shares, Ticket

# Before another stream is tried after the engine refused one. It says nothing of when it will take
# one again, and people wait for captions: at most 5 s, each shortened by up to a half at random.
REFUSED_PAUSE_S = 1.0
REFUSED_PAUSE_MAX_S = 5.0
# A turn, after which a slot is asked for. Shorter ones cost more: each ends a session of the
# service and begins another, a second or two in which nobody is heard, and what was said since the
# last final, a few seconds, is paid for twice. With longer ones people wait for longer: two who
# never pause have a turn of 20 to 40 s each.
TURN_S = 20.0
LOOK_EVERY_S = 1.0  # seconds between two looks at whose turn is over, while somebody waits


class SlotPool:
    """Hands out `capacity` slots; see the module's text.

    An engine may refuse a stream although a slot was free (another program uses the same
    plan): `refused` then holds back further grants for a moment, or until one of ours ends.
    """

    def __init__(self, capacity: int) -> None:
        self._shares = Shares(capacity)
        # Who waits, by participant: of each, only who came first competes with others, so that no
        # number of pages or stretches makes anybody else wait longer. No queue is empty.
        self._waiting: dict[Group, deque[Ticket]] = {}
        self._order = itertools.count()  # numbers those who wait
        # Of grants, after refusals.
        self._backoff = Backoff(REFUSED_PAUSE_S, REFUSED_PAUSE_MAX_S, least=0.5)
        # Runs while grants are held back after a refusal; None while they aren't.
        self._resume: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None  # runs while somebody waits
        # Set and replaced when the engine takes a stream, which wakes all who wait for that.
        self._works = asyncio.Event()

    @property
    def held(self) -> int:
        """How many slots are in use."""
        return len(self._shares.held)

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return sum(map(len, self._waiting.values()))

    @property
    def capacity(self) -> int:
        """How many slots there are."""
        return self._shares.capacity

    def wanted(self, ticket: Ticket) -> bool:
        """Whether it has a slot that somebody waits for."""
        if not self._waiting or not ticket.held:
            return False
        return any(self._shares.could_use(queue[0], ticket) for queue in self._waiting.values())

    async def acquire(self, ticket: Ticket) -> None:
        """Wait for a slot. Cancelling while waiting leaves the queue."""
        granted = ticket.granted = asyncio.get_running_loop().create_future()
        self._enqueue(ticket)
        self._grant()
        try:
            await granted
        except asyncio.CancelledError:
            # Within one step of the loop a grant may come before the cancellation: then the slot is
            # held by a task that will never know. Or after it: then it passed this ticket over, and
            # took it off its queue.
            if ticket.held:
                self.release(ticket)
            else:
                self._leave(ticket)
            raise

    def release(self, ticket: Ticket) -> None:
        """Give a slot back."""
        # A stream of ours has ended: nothing tells better that the engine takes another one.
        if ticket.since is not None and self._resume is not None:
            self._resume.cancel()
            self._resume = None
        self._shares.give_back(ticket)
        self._grant()

    def refused(self, ticket: Ticket) -> None:
        """Give a slot back that the engine didn't honour, and wait before granting others."""
        if self._resume is None:  # else others were refused in the same moment
            loop = asyncio.get_running_loop()
            self._resume = loop.call_later(self._backoff.next(), self._after_pause)
        self._shares.give_back(ticket)
        ticket.keeps_place = True

    def honoured(self, ticket: Ticket) -> None:
        """Note that the engine took its stream: its turn begins."""
        ticket.since = asyncio.get_running_loop().time()
        self._shares.served(ticket)
        self._backoff.reset()
        self._works.set()
        self._works = asyncio.Event()

    def ending(self, ticket: Ticket) -> None:
        """Note that no more audio comes: the slot, if it has one, is free within seconds."""
        ticket.ending = True
        self._grant()

    async def wait_until_honoured(self, seconds: float) -> None:
        """Wait until the engine takes somebody's stream, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._works.wait()

    def _enqueue(self, ticket: Ticket) -> None:
        queue = self._waiting.setdefault(ticket.whose, deque())
        if ticket.keeps_place:
            queue.appendleft(ticket)
        else:
            ticket.order = next(self._order)
            queue.append(ticket)

    def _leave(self, ticket: Ticket) -> None:
        queue = self._waiting.get(ticket.whose)
        if queue is None or ticket not in queue:
            return
        queue.remove(ticket)
        if not queue:
            del self._waiting[ticket.whose]
            self._grant()  # who is alone now may have more

    def _after_pause(self) -> None:
        self._resume = None
        self._grant()

    def _grant(self) -> None:
        shares = self._shares
        while self._resume is None and self.held < shares.capacity:
            # Asked anew for each slot, as each grant changes who is next.
            alone = len(self._waiting) == 1
            first = [queue[0] for queue in self._waiting.values()]
            able = [one for one in first if shares.may_have_one(one, alone=alone)]
            if not able:
                break
            ticket = min(able, key=shares.rank)
            self._take_off(ticket)
            if ticket.granted is not None and not ticket.granted.done():  # else just cancelled
                shares.take(ticket)
                ticket.granted.set_result(None)
        self._watch()

    def _take_off(self, ticket: Ticket) -> None:
        queue = self._waiting[ticket.whose]
        queue.popleft()
        if not queue:
            del self._waiting[ticket.whose]

    def _watch(self) -> None:
        """Look now and then, as long as somebody waits."""
        if not self._waiting:
            self._shares.nobody_waits()
        elif self._look is None:
            loop = asyncio.get_running_loop()
            self._look = loop.call_later(LOOK_EVERY_S, self._look_round)

    def _look_round(self) -> None:
        self._look = None
        self._recall(asyncio.get_running_loop().time())
        self._watch()

    def _recall(self, now: float) -> None:
        """Ask those whose turn is over to give way, one for each who has a claim to it."""
        shares = self._shares
        leaving = [one for one in shares.held if one.ending or one.recalled]
        over = [
            one
            for one in shares.held
            if one.since is not None and now - one.since >= TURN_S and one not in leaving
        ]
        if not over:
            return
        waiting = sorted((queue[0] for queue in self._waiting.values()), key=shares.rank)
        for one in leaving:  # whose slots are somebody's soon
            served = next((who for who in waiting if shares.could_use(who, one)), None)
            if served is not None:
                waiting.remove(served)
        for who in waiting:
            claimed = [one for one in over if shares.has_claim_to(who, one)]
            if claimed:
                giving = max(claimed, key=shares.burden)
                over.remove(giving)
                giving.recalled = True
                giving.holder.give_way()
