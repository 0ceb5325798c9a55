"""Waiting that ends in time, whatever it is for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def within(seconds: float, work: Coroutine[Any, Any, object]) -> bool:
    """Return once it is done, at the latest after so many seconds, and whether it was.

    `asyncio.timeout` waits for what it has cancelled, and a statement to a database that hangs can
    wait for long for its own end. Here it is cancelled and left alone. What it raises is raised.
    """
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait([task], timeout=seconds)
    if done:
        await task
        return True
    task.add_done_callback(_look_at)
    task.cancel()
    return False


def _look_at(task: asyncio.Task[object]) -> None:
    """Take note of what it raises: nobody else will."""
    if not task.cancelled():
        task.exception()
