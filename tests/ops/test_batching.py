"""The pacer: a busy event loop handles what arrives in batches, an idle one at once."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from core.process import batching
from core.process.batching import Pacer
from tests.support.waiting import WAIT_TIMEOUT_S

TICK = 0.05
ALWAYS = -1.0  # a threshold that is always passed
NEVER = 1e9


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "LOOK", 0.02)


@asynccontextmanager
async def paced(
    busy: float, calm: float, *, tick: float = TICK, sockets: int = batching.MANY
) -> AsyncIterator[Pacer]:
    """Run a pacer in this loop, for which it has looked at least once."""
    pacer = Pacer(lambda: sockets, busy=busy, calm=calm, tick=tick)
    pacer.start()
    try:
        await asyncio.sleep(0.1)
        yield pacer
    finally:
        pacer.close()


class Times(asyncio.Protocol):
    """Notes what came and when."""

    def __init__(self, wanted: int) -> None:
        self.received = b""
        self.at: list[float] = []
        self.all = asyncio.Event()
        self._wanted = wanted

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.at.append(time.monotonic())
        if len(self.received) >= self._wanted:
            self.all.set()


def _sending(into: socket.socket, numbers: range, every: float) -> Callable[[], None]:
    def send() -> None:
        for number in numbers:
            into.send(bytes([number]))
            time.sleep(every)

    return send


async def _receive_slowly(count: int, every: float) -> Times:
    """Return what a socket received to which a byte was sent each so many seconds."""
    ours, theirs = socket.socketpair()
    times = Times(count)
    with theirs:
        await asyncio.get_running_loop().connect_accepted_socket(lambda: times, ours)
        sender = threading.Thread(target=_sending(theirs, range(count), every))
        sender.start()
        await asyncio.wait_for(times.all.wait(), WAIT_TIMEOUT_S)
        sender.join()
    return times


async def test_a_busy_loop_handles_in_batches_what_arrives_one_by_one() -> None:
    async with paced(ALWAYS, ALWAYS) as pacer:
        assert pacer.pacing
        times = await _receive_slowly(40, TICK / 10)
    assert times.received == bytes(range(40))
    assert len(times.at) <= 20


async def test_an_idle_loop_handles_what_arrives_when_it_arrives() -> None:
    async with paced(NEVER, NEVER) as pacer:
        assert not pacer.pacing
        times = await _receive_slowly(40, TICK / 10)
    assert times.received == bytes(range(40))
    assert len(times.at) > 20


async def test_a_loop_that_is_busy_with_few_people_is_left_alone() -> None:
    async with paced(ALWAYS, ALWAYS, sockets=batching.MANY - 1) as pacer:
        assert not pacer.pacing


async def test_the_loop_is_judged_by_what_it_computes_and_left_alone_when_calm() -> None:
    loop = asyncio.get_running_loop()
    async with paced(0.3, 0.2, tick=0.001) as pacer:
        deadline = loop.time() + WAIT_TIMEOUT_S
        while not pacer.pacing and loop.time() < deadline:
            sum(range(100_000))
            await asyncio.sleep(0)
        assert pacer.pacing
        for _ in range(1000):
            if pacer.pacing:
                await asyncio.sleep(0.01)
        assert not pacer.pacing


async def test_work_in_several_steps_does_not_wait_for_a_batch_at_each() -> None:
    async with paced(ALWAYS, ALWAYS):
        begin = time.monotonic()
        for _ in range(20 * batching.TURNS):
            await asyncio.sleep(0)
        assert time.monotonic() - begin < 60 * TICK


async def test_pauses_are_over_when_the_pacer_is_closed() -> None:
    async with paced(ALWAYS, ALWAYS):
        pass
    begin, used = time.monotonic(), time.thread_time()
    await asyncio.sleep(0.2)
    assert time.thread_time() - used < (time.monotonic() - begin) / 2
    assert len((await _receive_slowly(40, TICK / 10)).at) > 20


async def test_timers_are_late_by_a_batch_at_most() -> None:
    async with paced(ALWAYS, ALWAYS):
        late = []
        for _ in range(10):
            due = time.monotonic() + 0.01
            await asyncio.sleep(0.01)
            late.append(time.monotonic() - due)
    assert sorted(late)[5] < 2 * TICK
