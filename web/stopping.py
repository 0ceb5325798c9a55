"""How the server's stop and ours go together: who begins, who waits, and what is cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from starlette.types import Scope

from core.stopping import Stop
from web.signals import PassOn, heard_first

KEY = "stop"  # under which protocols and requests find it in the lifespan's state


def begin_stop(state: dict[str, Any]) -> None:
    """Have what must outlive the process written, as the server closes its connections.

    Called for each connection when the server begins to shut down. It tells the lifespan, where
    everything else ends, only once the last request is done.
    """
    stop: Stop | None = state.get(KEY)
    if stop is not None:
        stop.begun.set()


async def until_cut_short(work: Awaitable[None], scope: Scope) -> bool:
    """Do what a request is about; return False if the server cut it short, as it stops.

    It cancels what isn't done in time, and would log a trace for each.
    """
    stop: Stop | None = scope.get("state", {}).get(KEY)
    try:
        await work
    except asyncio.CancelledError:
        if stop is None or scope["type"] == "lifespan" or not stop.begun.is_set():
            raise
        return False
    return True


@contextmanager
def answering(scope: Scope) -> Iterator[None]:
    """Let the end of the process wait a moment for the answer that is given inside."""
    stop: Stop | None = scope.get("state", {}).get(KEY)
    if stop is None:
        yield
        return
    stop.answering += 1
    try:
        yield
    finally:
        stop.answering -= 1


@contextmanager
def patient_with_signals(stop: Stop) -> Iterator[None]:
    """Hold a second Ctrl-C or SIGTERM back until what must outlive the process is written.

    uvicorn drops everything at a second one. It comes from people who are impatient after three
    seconds, and from a terminal that tells a whole group of processes.
    """
    heard: list[int] = []

    def hear(number: int, frame: FrameType | None, pass_on: PassOn) -> None:
        heard.append(number)
        if len(heard) == 1 or stop.written.is_set():
            pass_on(number, frame)

    async def tell_later() -> None:
        await stop.written.wait()
        for number in heard[1:]:
            pass_on(number, None)

    with heard_first(hear) as pass_on:
        later = asyncio.create_task(tell_later())
        try:
            yield
        finally:
            later.cancel()
