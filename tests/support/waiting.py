"""Waiting for what a test expects: one bound for all of them.

A test waits for an event, and goes on the moment it comes. How long it would wait at most says
nothing about what is right; it only ends a run in which something never comes. So there is one
bound, far beyond what a busy machine needs. Where a time is what a test is about, it measures one
as a share of another, or runs in virtual time (see virtual_time.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from inspect import isawaitable
from typing import Any, TypeVar

T = TypeVar("T")

WAIT_TIMEOUT_S = 120.0  # for one thing to come true
WAIT_TIMEOUT_MS = WAIT_TIMEOUT_S * 1000  # the same, as browsers count
LOOK_EVERY_S = 0.02


async def until(
    true: Callable[[], object],
    *,
    seconds: float = WAIT_TIMEOUT_S,
    news: Callable[[], object] = lambda: "",
) -> Any:
    """Wait until `true()` is, and return it; `news` is what a failure shows.

    It may be asynchronous. What it asserts may become true as well.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        late = loop.time() >= deadline
        try:
            value = true()
            if isawaitable(value):
                value = await value
            if value:
                return value
        except AssertionError:
            if late:
                raise
        assert not late, f"it did not happen {news()}"
        await asyncio.sleep(LOOK_EVERY_S)


def wait_until(
    true: Callable[[], T],
    *,
    seconds: float = WAIT_TIMEOUT_S,
    news: Callable[[], object] = lambda: "",
) -> T:
    """Do what `until` does, in a thread."""
    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() >= deadline
        try:
            if found := true():
                return found
        except AssertionError:
            if late:
                raise
        assert not late, f"it did not happen {news()}"
        time.sleep(LOOK_EVERY_S)
