"""Slots are never handed out twice, go to the room that has fewest, and survive refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from core.speech import slots
from core.speech.slots import SlotPool


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


class Waiting:
    """Asks for slots and notes who got one, in order."""

    def __init__(self, pool: SlotPool) -> None:
        self.pool = pool
        self.got: list[str] = []

    def ask(self, room: str, name: str = "") -> asyncio.Task[None]:
        async def wait() -> None:
            await self.pool.acquire(room)
            self.got.append(name or room)

        return asyncio.create_task(wait())


async def test_who_comes_first_is_served_first() -> None:
    pool = SlotPool(1)
    queue = Waiting(pool)
    for name in "abc":
        queue.ask("room", name)
    for served in ("a", "ab", "abc"):
        await settle()
        assert "".join(queue.got) == served
        pool.release("room")
    assert pool.held == 0


async def test_a_room_without_a_stream_goes_before_one_with_many() -> None:
    pool = SlotPool(4)
    queue = Waiting(pool)
    for number in range(6):
        queue.ask("crowded", f"crowded {number}")
    await settle()
    queue.ask("quiet")
    await settle()
    assert queue.got == [f"crowded {number}" for number in range(4)]
    pool.release("crowded")
    await settle()
    assert queue.got[-1] == "quiet"


async def test_it_says_whether_somebody_waits() -> None:
    pool = SlotPool(1)
    queue = Waiting(pool)
    queue.ask("a")
    await settle()
    assert not pool.contended
    contended = []
    waiting = queue.ask("b")
    await settle()
    contended.append(pool.contended)
    waiting.cancel()
    await settle()
    contended.append(pool.contended)
    assert contended == [True, False]


async def test_who_gives_up_waiting_holds_nobody_up() -> None:
    pool = SlotPool(1)
    queue = Waiting(pool)
    queue.ask("a", "first")
    await settle()
    gone = queue.ask("b", "gone")
    queue.ask("c", "next")
    await settle()
    gone.cancel()
    pool.release("a")
    await settle()
    assert queue.got == ["first", "next"]


async def test_who_gave_up_just_before_a_grant_is_cancelled_and_nothing_else() -> None:
    pool = SlotPool(1)
    await pool.acquire("a")
    gone = asyncio.create_task(pool.acquire("b"))
    await settle()
    gone.cancel()
    pool.release("a")  # passes it over in the same step of the loop
    await asyncio.wait([gone])
    assert gone.cancelled()
    assert pool.held == 0


async def test_a_slot_granted_in_the_moment_of_giving_up_is_not_lost() -> None:
    pool = SlotPool(1)
    queue = Waiting(pool)
    queue.ask("a", "first")
    await settle()
    gone = queue.ask("b", "gone")
    await settle()
    pool.release("a")  # grants it, but the waiting task has not run yet
    gone.cancel()
    queue.ask("c", "next")
    await settle()
    assert queue.got == ["first", "next"]
    assert pool.held == 1


async def test_after_a_refusal_nobody_is_sent_to_the_engine_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slots, "REFUSED_PAUSE_S", 0.05)
    pool = SlotPool(5)
    queue = Waiting(pool)
    queue.ask("a")
    await settle()
    pool.refused("a")
    queue.ask("b")
    await settle()
    assert queue.got == ["a"]
    await asyncio.sleep(0.08)
    assert queue.got == ["a", "b"]


EARLY = 0.001  # seconds by which a timer may be


async def pauses(
    pool: SlotPool, act: Callable[[], Any], times: int, monkeypatch: pytest.MonkeyPatch
) -> list[float]:
    """Return the pauses that the pool asks the loop for after refusals, having waited for each."""
    loop, asked = asyncio.get_running_loop(), list[float]()
    call_later = loop.call_later

    def asking(delay: float, *call: Any) -> asyncio.TimerHandle:
        asked.append(delay)
        return call_later(delay, *call)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "call_later", asking)
        for number in range(times):
            await pool.acquire("a")
            began = loop.time()
            act()
            await pool.acquire("a")
            assert loop.time() - began >= asked[number] - EARLY
            pool.release("a")
    return asked


async def test_refusals_in_a_row_make_longer_pauses_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slots, "REFUSED_PAUSE_S", 0.02)
    monkeypatch.setattr(slots, "REFUSED_PAUSE_MAX_S", 0.08)
    pool = SlotPool(1)
    lengths = await pauses(pool, lambda: pool.refused("a"), 4, monkeypatch)
    assert lengths == [0.02, 0.04, 0.08, 0.08]
    pool.honoured()
    assert await pauses(pool, lambda: pool.refused("a"), 1, monkeypatch) == [0.02]


async def test_many_refused_at_once_count_as_one_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "REFUSED_PAUSE_S", 0.05)
    pool = SlotPool(10)
    for _ in range(10):
        await pool.acquire("a")
    for _ in range(10):
        pool.refused("a")
    async with asyncio.timeout(0.5):
        await pool.acquire("a")


Step = tuple[str, int]
STEPS = some.lists(
    some.tuples(some.sampled_from(["ask", "release", "cancel"]), some.integers(0, 9)), max_size=60
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some.integers(1, 4), STEPS)
def test_whatever_happens_no_slot_is_lost_or_handed_out_twice(
    capacity: int, steps: list[Step]
) -> None:
    async def play() -> None:
        pool = SlotPool(capacity)
        queue = Waiting(pool)
        asked: list[tuple[str, asyncio.Task[None]]] = []
        released: list[str] = []
        for what, number in steps:
            room = f"room {number % 3}"
            if what == "ask":
                asked.append((room, queue.ask(room)))
            elif what == "cancel" and asked:
                asked[number % len(asked)][1].cancel()
            elif what == "release":
                held = list(queue.got)
                for one in released:
                    held.remove(one)
                if held:
                    released.append(held[0])
                    pool.release(held[0])
            if number % 2:
                await settle()
            assert pool.held <= capacity
        await settle()
        assert pool.held == len(queue.got) - len(released)
        waiting = sum(not task.done() for _, task in asked)
        assert waiting == 0 or pool.held == capacity
        for _, task in asked:
            task.cancel()
        await settle()

    asyncio.run(play())
