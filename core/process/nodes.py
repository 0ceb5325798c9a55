"""What a process is called among others: a name that outlives it, for the next one in its place.

A process that is started again after a crash may go on with its own leases at once, and finds what
it could not store; two that live at the same time must never be taken for each other. So places
are numbered files in DATA_DIR, each locked by whoever has it: the kernel gives the lock back
however a process ends.
"""

from __future__ import annotations

import logging
import math
import os
import re
import secrets
import time
from collections.abc import Generator
from pathlib import Path

log = logging.getLogger(__name__)

# Seconds that a place's files wait for its next process: one that is started again after a crash
# goes on as the same node, under the same leases.
ABANDONED_AFTER_S = 30.0
MAX_PLACES = 1_000  # processes on one DATA_DIR; more means that something else is wrong
_NAME = re.compile(r"[0-9a-f]{16}")


class Node:
    """This process's place in its DATA_DIR."""

    def __init__(self, name: str, data_dir: Path, number: int, lock: int | None) -> None:
        self.name = name
        self.spool = _spool(data_dir, number)  # the file for what could not be stored
        self._data_dir = data_dir
        self._number = number
        self._lock = lock  # an open file; None where DATA_DIR can't be written, or can't lock

    def abandoned(self) -> Generator[Path, None, None]:
        """Return the spools of places that nobody has, one after the other.

        Each place is ours until the next is asked for, so that nobody else writes there or takes
        over the same. Raises OSError.
        """
        if self._lock is None:
            return
        import fcntl  # noqa: PLC0415 - there, as the place is locked

        for number in sorted(_numbers(self._data_dir)):
            spool = _spool(self._data_dir, number)
            if number == self._number or not _has_old_files(spool):
                continue
            lock = os.open(self._data_dir / "nodes" / str(number), os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield spool
            except BlockingIOError:  # whoever has it stores what is there
                pass
            finally:
                os.close(lock)

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
            return Node(_name(lock), data_dir, number, lock)
    except (OSError, ImportError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "no file locks here"
        log.warning("this process gets another name at each start: %s", reason)
    return Node(secrets.token_hex(8), data_dir, 1, None)


def _numbers(data_dir: Path) -> list[int]:
    """Return the places that anybody ever had."""
    names = (file.name for file in (data_dir / "nodes").iterdir())
    return [int(name) for name in names if name.isascii() and name.isdigit()]


def _has_old_files(spool: Path) -> bool:
    """Whether files of this place have waited for long for a process in it."""
    files = list(spool.parent.glob(f"*{spool.name}"))  # of finals, chat lines and so on
    newest = max((file.stat().st_mtime for file in files), default=math.inf)
    return time.time() - newest > ABANDONED_AFTER_S


def _name(lock: int) -> str:
    """Return the name in a place's file, made for the first who has it."""
    name = os.pread(lock, 64, 0).decode("ascii", "replace").strip()
    if not _NAME.fullmatch(name):
        name = secrets.token_hex(8)
        os.ftruncate(lock, 0)
        os.pwrite(lock, name.encode(), 0)
        os.fsync(lock)
    return name


def _spool(data_dir: Path, number: int) -> Path:
    return data_dir / ("unsaved.jsonl" if number == 1 else f"unsaved-{number}.jsonl")
