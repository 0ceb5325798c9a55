"""Slots are never handed out twice, are shared fairly, and survive refusals."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from core.speech import shares, slots
from core.speech.shares import Ticket
from core.speech.slots import SlotPool


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


class Holder:
    """Notes when it is asked to give way."""

    def __init__(self, name: str, asked: list[str]) -> None:
        self.name = name
        self.asked = asked

    def give_way(self) -> None:
        self.asked.append(self.name)


class Waiting:
    """Asks for slots, notes who got one, in order, and who was asked to give way."""

    def __init__(self, pool: SlotPool) -> None:
        self.pool = pool
        self.got: list[str] = []
        self.asked: list[str] = []
        self.tickets: dict[str, Ticket] = {}

    def ask(
        self, name: str, room: str = "", person: str = "", space: str = "space"
    ) -> asyncio.Task[None]:
        """Ask for a slot; each name is somebody else in a room of their own, unless given."""

        holder = Holder(name, self.asked)
        ticket = self.tickets[name] = Ticket(space, room or name, person or name, holder)
        return self.ask_again(name, ticket)

    def ask_again(self, name: str, ticket: Ticket) -> asyncio.Task[None]:
        async def wait() -> None:
            await self.pool.acquire(ticket)
            self.got.append(name)
            self.pool.honoured(ticket)

        return asyncio.create_task(wait())

    def release(self, name: str) -> None:
        self.pool.release(self.tickets[name])

    def give_way(self, name: str) -> None:
        """Do as who was asked to: let go, and wait again."""
        self.release(name)
        self.ask_again(name, self.tickets[name])


async def test_who_comes_first_is_served_first() -> None:
    pool = SlotPool(1)
    queue = Waiting(pool)
    for name in "abc":
        queue.ask(name, "room")
    for served in ("a", "ab", "abc"):
        await settle()
        assert "".join(queue.got) == served
        queue.release(served[-1])
    assert pool.held == 0


async def test_a_room_without_a_stream_goes_before_one_with_many() -> None:
    queue = Waiting(SlotPool(3))
    for number in range(5):
        queue.ask(f"crowded {number}", "crowded")
    await settle()
    queue.ask("quiet")
    await settle()
    assert queue.got == [f"crowded {number}" for number in range(3)]
    queue.release("crowded 0")
    await settle()
    assert queue.got[-1] == "quiet"


@pytest.mark.parametrize(
    ("plan", "most"), [(1, 1), (2, 2), (3, 3), (4, 3), (8, 6), (12, 9), (30, 23)]
)
async def test_one_session_leaves_a_reserve_to_others(plan: int, most: int) -> None:
    pool = SlotPool(plan)
    queue = Waiting(pool)
    for number in range(40):
        queue.ask(f"crowded {number}", "crowded")
    await settle()
    assert pool.held == most
    queue.ask("quiet")
    await settle()
    assert ("quiet" in queue.got) == (most < plan)


async def test_one_participant_has_one_slot_whatever_the_number_of_their_pages() -> None:
    pool = SlotPool(30)
    queue = Waiting(pool)
    for number in range(8):
        queue.ask(f"page {number}", "room", "ada")
    await settle()
    assert queue.got == ["page 0"]
    for number in range(8):
        queue.release(f"page {number}")
        await settle()
    assert queue.got == [f"page {number}" for number in range(8)]
    assert pool.held == 0


async def test_who_goes_on_while_their_last_words_are_awaited_does_not_wait_for_those() -> None:
    pool = SlotPool(3)
    queue = Waiting(pool)
    queue.ask("first", "room", "ada")
    await settle()
    for name in ("second", "third"):
        pool.ending(queue.tickets[queue.got[-1]])
        queue.ask(name, "room", "ada")
        await settle()
    assert queue.got == ["first", "second"], "a third has to wait, however often it is said"


async def test_who_goes_on_waits_for_their_last_words_while_others_wait() -> None:
    pool = SlotPool(1)
    queue = Waiting(pool)
    queue.ask("ada 1", "room", "ada")
    await settle()
    queue.ask("bob", "room", "bob")
    pool.ending(queue.tickets["ada 1"])
    queue.ask("ada 2", "room", "ada")
    await settle()
    assert queue.got == ["ada 1"]
    queue.release("ada 1")
    await settle()
    assert queue.got == ["ada 1", "bob"]


async def test_it_says_whose_slot_is_wanted() -> None:
    pool = SlotPool(2)
    queue = Waiting(pool)
    queue.ask("a", "room")
    queue.ask("b", "room")
    await settle()
    wanted = [pool.wanted(queue.tickets["a"])]
    waiting = queue.ask("c", "room")
    await settle()
    wanted.append(pool.wanted(queue.tickets["a"]))
    waiting.cancel()
    await settle()
    wanted.append(pool.wanted(queue.tickets["a"]))
    queue.ask("a 2", "room", "a")
    await settle()
    assert wanted == [False, True, False]
    assert pool.wanted(queue.tickets["a"]), "by themselves"
    assert not pool.wanted(queue.tickets["b"]), (
        "who waits for a slot of their own has no use for b's"
    )


async def test_who_gives_up_waiting_holds_nobody_up() -> None:
    queue = Waiting(SlotPool(1))
    queue.ask("first")
    await settle()
    gone = queue.ask("gone")
    queue.ask("next")
    await settle()
    gone.cancel()
    queue.release("first")
    await settle()
    assert queue.got == ["first", "next"]


async def test_who_gave_up_just_before_a_grant_is_cancelled_and_nothing_else() -> None:
    pool = SlotPool(1)
    queue = Waiting(pool)
    queue.ask("a")
    await settle()
    gone = queue.ask("b")
    await settle()
    gone.cancel()
    queue.release("a")  # passes it over in the same step of the loop
    await asyncio.wait([gone])
    assert gone.cancelled()
    assert pool.held == 0


async def test_a_slot_granted_in_the_moment_of_giving_up_is_not_lost() -> None:
    pool = SlotPool(1)
    queue = Waiting(pool)
    queue.ask("first")
    await settle()
    gone = queue.ask("gone")
    await settle()
    queue.release("first")  # grants it, but the waiting task has not run yet
    gone.cancel()
    queue.ask("next")
    await settle()
    assert queue.got == ["first", "next"]
    assert pool.held == 1


# Turns


async def turns(queue: Waiting, seconds: float) -> list[tuple[str, float]]:
    """Let all who are asked to give way do so; return who began a turn when."""
    loop, began, seen = asyncio.get_running_loop(), list[tuple[str, float]](), len(queue.got)
    end = loop.time() + seconds
    while loop.time() < end:
        await asyncio.sleep(0.25)
        for name in queue.asked:
            queue.give_way(name)
        queue.asked.clear()
        await settle()
        began += [(name, loop.time()) for name in queue.got[seen:]]
        seen = len(queue.got)
    return began


@pytest.mark.virtual_time
async def test_with_one_slot_those_who_never_pause_take_turns_by_room() -> None:
    """One room has eight who wait, the others have one: the rooms are served alike."""
    queue = Waiting(SlotPool(1))
    for number in range(8):
        queue.ask(f"big {number}", "big")
    queue.ask("b")
    queue.ask("c")
    began = await turns(queue, 1200)
    rooms = [name.split()[0] for name, _ in began]
    for room in ("big", "b", "c"):
        assert rooms.count(room) == pytest.approx(len(rooms) / 3, abs=1)
    assert len({name for name, _ in began if name.startswith("big")}) == 8
    waits = [b - a for (_, a), (_, b) in itertools.pairwise(began)]
    assert all(19.5 <= wait <= 21.5 for wait in waits), waits


@pytest.mark.virtual_time
async def test_who_starts_many_sessions_takes_no_more_turns_than_a_space_with_one() -> None:
    queue = Waiting(SlotPool(2))
    for number in range(6):
        queue.ask(f"big {number}", space="big")
    queue.ask("small", space="small")
    began = await turns(queue, 300)
    assert [name for name, _ in began].count("small") == 1
    assert queue.tickets["small"].held, "it has its half, and keeps it"
    assert len({name for name, _ in began}) == 7


@pytest.mark.virtual_time
async def test_a_newcomer_gets_the_slot_of_the_room_with_most_once_its_turn_is_over() -> None:
    queue = Waiting(SlotPool(3))
    queue.ask("single")
    queue.ask("twice 1", "twice")
    queue.ask("twice 2", "twice")
    await settle()
    queue.ask("new")
    began = await turns(queue, 60)
    name, when = began[0]
    assert name == "new"
    assert when == pytest.approx(20, abs=1.5)
    assert queue.tickets["single"].held
    assert "single" not in [name for name, _ in began], "it has no more than its share"


@pytest.mark.virtual_time
async def test_a_room_takes_no_turn_from_another_that_has_as_few() -> None:
    queue = Waiting(SlotPool(2))
    queue.ask("alone")
    for number in range(3):
        queue.ask(f"many {number}", "many")
    began = await turns(queue, 300)
    assert [name for name, _ in began].count("alone") == 1
    assert queue.tickets["alone"].held
    turns_of_many = [name for name, _ in began if name != "alone"]
    assert {turns_of_many.count(f"many {number}") for number in range(3)} <= {4, 5, 6}


@pytest.mark.virtual_time
async def test_nobody_is_asked_to_give_way_while_nobody_waits_or_a_slot_is_free_soon() -> None:
    pool = SlotPool(2)
    queue = Waiting(pool)
    queue.ask("a")
    queue.ask("b")
    await asyncio.sleep(500)
    assert queue.asked == []
    pool.ending(queue.tickets["a"])
    queue.ask("c")
    await asyncio.sleep(50)
    assert queue.asked == []


@pytest.mark.virtual_time
async def test_slots_that_an_engine_refuses_are_taken_in_turns_too() -> None:
    """The plan is smaller than it was said to be."""
    pool = SlotPool(30)
    queue = Waiting(pool)
    queue.ask("a")
    await settle()
    queue.ask("b")
    await settle()
    queue.got.remove("b")
    pool.refused(queue.tickets["b"])
    waiting = asyncio.create_task(pool.acquire(queue.tickets["b"]))
    for _ in range(30):
        await asyncio.sleep(1)
        if waiting.done():
            pool.refused(queue.tickets["b"])
            waiting = asyncio.create_task(pool.acquire(queue.tickets["b"]))
            await settle()
        if queue.asked:
            break
    assert queue.asked == ["a"]
    queue.release("a")
    await settle()
    assert waiting.done(), "at once, whatever pause was underway"
    waiting.cancel()


async def test_who_was_served_when_is_forgotten_beyond_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shares, "REMEMBERED", 10)
    pool = SlotPool(1)
    queue = Waiting(pool)
    for number in range(30):
        queue.ask(str(number))
        await settle()
    for number in range(25):
        queue.release(str(number))
        await settle()
    assert len(pool._shares._served) == 10


# Refusals


async def test_after_a_refusal_nobody_is_sent_to_the_engine_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slots, "REFUSED_PAUSE_S", 0.05)
    pool = SlotPool(5)
    queue = Waiting(pool)
    ticket = Ticket("space", "a", "a", Holder("a", queue.asked))
    await pool.acquire(ticket)
    pool.refused(ticket)
    queue.ask("b")
    await settle()
    assert queue.got == []
    await asyncio.sleep(0.08)
    assert queue.got == ["b"]


async def test_when_a_stream_of_ours_ends_the_next_is_tried_at_once() -> None:
    pool = SlotPool(5)
    queue = Waiting(pool)
    queue.ask("a")
    await settle()
    refused = Ticket("space", "b", "b", Holder("b", queue.asked))
    await pool.acquire(refused)
    pool.refused(refused)
    queue.ask("c")
    await settle()
    assert queue.got == ["a"]
    queue.release("a")
    await settle()
    assert queue.got == ["a", "c"]


async def test_who_was_refused_keeps_their_place() -> None:
    pool = SlotPool(1)
    queue = Waiting(pool)
    refused = Ticket("space", "a", "a", Holder("a", queue.asked))
    await pool.acquire(refused)
    queue.ask("b")
    await settle()
    pool.refused(refused)
    again = asyncio.create_task(pool.acquire(refused))
    async with asyncio.timeout(2):
        await again
    assert queue.got == []


EARLY = 0.001  # seconds by which a timer may be


async def pauses(
    pool: SlotPool, times: int, monkeypatch: pytest.MonkeyPatch, ticket: Ticket
) -> list[float]:
    """Return the pauses that the pool asks the loop for after refusals, having waited for each."""
    loop, asked = asyncio.get_running_loop(), list[float]()
    call_later = loop.call_later

    def asking(delay: float, call: Callable[..., Any], *rest: Any) -> asyncio.TimerHandle:
        if call == pool._after_pause:
            asked.append(delay)
        return call_later(delay, call, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "call_later", asking)
        for number in range(times):
            await pool.acquire(ticket)
            began = loop.time()
            pool.refused(ticket)
            await pool.acquire(ticket)
            assert loop.time() - began >= asked[number] - EARLY
            pool.release(ticket)
    return asked


@pytest.mark.virtual_time
async def test_refusals_in_a_row_make_longer_pauses_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = SlotPool(1)
    queue = Waiting(pool)
    ticket = Ticket("space", "a", "a", Holder("a", queue.asked))
    for most, length in zip(
        [1, 2, 4, 5, 5, 5], await pauses(pool, 6, monkeypatch, ticket), strict=True
    ):
        assert most / 2 <= length <= most
    await pool.acquire(ticket)
    pool.honoured(ticket)
    pool.release(ticket)
    [first] = await pauses(pool, 1, monkeypatch, ticket)
    assert first <= 1


async def test_many_refused_at_once_count_as_one_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "REFUSED_PAUSE_S", 0.05)
    pool = SlotPool(10)
    tickets = [Ticket("space", f"{n}", f"{n}", Holder(f"{n}", [])) for n in range(10)]
    for ticket in tickets:
        await pool.acquire(ticket)
    for ticket in tickets:
        pool.refused(ticket)
    async with asyncio.timeout(0.5):
        await pool.acquire(tickets[0])


Step = tuple[str, int]
KINDS = ["ask", "ask", "release", "cancel", "ending", "refused"]
STEPS = some.lists(some.tuples(some.sampled_from(KINDS), some.integers(0, 30)), max_size=80)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some.integers(1, 6), STEPS)
def test_whatever_happens_no_slot_is_lost_or_handed_out_twice(
    capacity: int, steps: list[Step]
) -> None:
    async def play() -> None:
        pool = SlotPool(capacity)
        queue = Waiting(pool)
        asked: dict[str, asyncio.Task[None]] = {}
        for step, (what, number) in enumerate(steps):
            held = [name for name, ticket in queue.tickets.items() if ticket.held]
            if what == "ask":
                space, room = f"space {number % 2}", f"room {number % 3}"
                asked[f"{step}"] = queue.ask(f"{step}", room, f"person {number % 5}", space)
            elif what == "cancel" and asked:
                list(asked.values())[number % len(asked)].cancel()
            elif what == "release" and held:
                # One that was granted in this step of the loop is not known to its task yet.
                name = held[number % len(held)]
                if asked[name].done():
                    queue.release(name)
            elif what == "refused" and held:
                name = held[number % len(held)]
                if asked[name].done():
                    pool.refused(queue.tickets[name])
                    pool._after_pause()
            elif what == "ending" and queue.tickets:
                names = list(queue.tickets)
                pool.ending(queue.tickets[names[number % len(names)]])
            if number % 2:
                await settle()
            bounds_hold(pool)
        await settle()
        pool._after_pause()
        await settle()
        bounds_hold(pool)
        waiting = {name: queue.tickets[name] for name, task in asked.items() if not task.done()}
        for ticket in waiting.values():
            alone = len({one.whose for one in waiting.values()}) == 1
            able = pool._shares.may_have_one(ticket, alone=alone)
            assert not able or pool.held == capacity
        for task in asked.values():
            task.cancel()
        await settle()
        for ticket in queue.tickets.values():
            if ticket.held:
                pool.release(ticket)
        assert pool.held == 0
        assert not pool._waiting
        assert not pool._shares._of
        assert not pool._shares._of_person

    def bounds_hold(pool: SlotPool) -> None:
        held = list(pool._shares.held)
        assert len(held) <= capacity
        for room in {ticket.room for ticket in held}:
            mine = [ticket for ticket in held if ticket.room == room]
            assert len(mine) <= pool._shares.most_of_room
        for whose in {ticket.whose for ticket in held}:
            mine = [ticket for ticket in held if ticket.whose == whose]
            assert len(mine) <= 2
            assert sum(not ticket.ending for ticket in mine) <= 1

    asyncio.run(play())
