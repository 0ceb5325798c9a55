"""What a process is called among others: a name that outlives it, for the next one in its place.

A process that is started again after a crash may go on with its own leases at once, and finds what
it could not store; two that live at the same time must never be taken for each other. So places
are numbered files in DATA_DIR, each locked by whoever has it: the kernel gives the lock back
however a process ends.
"""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path

log = logging.getLogger(__name__)

MAX_PLACES = 1_000  # processes on one DATA_DIR; more means that something else is wrong


class Node:
    """This process's place in its DATA_DIR."""

    def __init__(self, name: str, spool: Path, lock: int | None) -> None:
        self.name = name
        self.spool = spool  # the file for what could not be stored
        self._lock = lock  # an open file; None where DATA_DIR can't be written

    def leave(self) -> None:
        """Give the place to the next process."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def take_place(data_dir: Path) -> Node:
    """Take the first free place of a folder."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows

        (data_dir / "nodes").mkdir(parents=True, exist_ok=True)
        for number in range(1, MAX_PLACES):
            lock = os.open(data_dir / "nodes" / str(number), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            return Node(_name(lock), _spool(data_dir, number), lock)
    except (OSError, ImportError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "no file locks here"
        log.warning("this process gets another name at each start: %s", reason)
    return Node(secrets.token_hex(8), _spool(data_dir, 1), None)


def _name(lock: int) -> str:
    """Return the name in a place's file, made for the first who has it."""
    name = os.pread(lock, 64, 0).decode("ascii", "replace").strip()
    if len(name) != 16:
        name = secrets.token_hex(8)
        os.ftruncate(lock, 0)
        os.pwrite(lock, name.encode(), 0)
        os.fsync(lock)
    return name


def _spool(data_dir: Path, number: int) -> Path:
    return data_dir / ("unsaved.jsonl" if number == 1 else f"unsaved-{number}.jsonl")
