"""The collector: long looks for garbage are rare, but they happen."""

from __future__ import annotations

import asyncio
import gc
import platform
import weakref

import psutil
import pytest

from core.process.gc import GcSchedule
from tests.support.waiting import WAIT_TIMEOUT_S, until


class Knot:
    """Refers to itself, so that only a look for garbage frees it."""

    def __init__(self) -> None:
        self.itself = self


async def test_what_is_old_and_in_knots_is_freed_on_schedule() -> None:
    schedule = GcSchedule(every=0.02)
    schedule.start()
    try:
        knot = Knot()
        gc.collect(1)  # survives, and is old from now on
        freed = asyncio.Event()
        trace = weakref.ref(knot, lambda _: freed.set())
        del knot
        gc.collect(1)
        assert trace() is not None
        await asyncio.wait_for(freed.wait(), WAIT_TIMEOUT_S)
    finally:
        await schedule.close()


async def test_nothing_old_is_looked_through_because_much_is_made() -> None:
    looks: list[int] = []

    def note(phase: str, details: dict[str, int]) -> None:
        if phase == "start":
            looks.append(details["generation"])

    schedule = GcSchedule()
    schedule.start()
    gc.callbacks.append(note)
    try:
        kept = [[number] for number in range(400_000)]
    finally:
        gc.callbacks.remove(note)
        await schedule.close()
    assert kept
    assert 1 in looks
    assert 2 not in looks


async def test_the_interpreter_does_as_before_afterwards() -> None:
    before = gc.get_threshold(), gc.get_freeze_count()
    schedule = GcSchedule()
    schedule.start()
    await schedule.close()
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that is asked")
async def test_memory_that_was_freed_goes_back_to_the_system() -> None:
    process = psutil.Process()
    pieces = [bytes(2_000) for _ in range(40_000)]
    kept = pieces[::50]  # so that what lies between them is no end of the heap
    pieces.clear()
    before = process.memory_info().rss
    schedule = GcSchedule(every=0.01)
    schedule.start()
    try:
        await until(lambda: before - process.memory_info().rss > 40_000_000)
    finally:
        await schedule.close()
    assert len(kept) == 800
