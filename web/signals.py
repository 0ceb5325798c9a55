"""Ctrl-C and SIGTERM, heard before the server hears them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

PassOn = Callable[[int, FrameType | None], None]


@contextmanager
def heard_first(hear: Callable[[int, FrameType | None, PassOn], None]) -> Iterator[PassOn]:
    """Have both told to `hear`, which may pass them on to whom they were told before.

    Only the main thread gets signals: in any other, nothing changes.
    """
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}

    def pass_on(number: int, frame: FrameType | None) -> None:
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    if threading.current_thread() is not threading.main_thread():
        yield pass_on
        return
    for one in before:
        signal.signal(one, lambda number, frame: hear(number, frame, pass_on))
    try:
        yield pass_on
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
