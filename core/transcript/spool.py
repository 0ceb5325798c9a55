"""The file of an outbox: what has waited for longer than a moment, in case the process crashes.

One value a line, as JSON, in the order in which they came. Lines are added, and reach the disk
before anybody relies on them; all of them go once everything is stored. So a file may have lines
that are stored already, which does no harm, as storing twice does none. A line that a crash cut
off is passed over.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

log = logging.getLogger(__name__)

V = TypeVar("V")


class Spool(Generic[V]):
    """One file. Every method but `read` raises OSError, and may wait for the disk."""

    def __init__(self, path: Path, decode: Callable[[bytes], V]) -> None:
        self.path = path
        self._decode = decode  # makes a value of a line; raises msgspec.DecodeError
        # Whether the file has lines that nobody here knows: then none may go.
        self._unknown = False

    def at(self, path: Path) -> Spool[V]:
        """Return another file of such values."""
        return Spool(path, self._decode)

    def read(self) -> list[V]:
        """Return the values; what can't be read is told in the log and left out."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as problem:
            self._unknown = True
            log.error("%s can't be read (%s): what it has is not stored", self.path, _why(problem))
            return []
        values = []
        for line in filter(None, lines):
            try:
                values.append(self._decode(line))
            except msgspec.DecodeError:
                log.warning("a damaged line of %s was left out", self.path.name)
        return values

    def append(self, values: Iterable[V]) -> None:
        """Add lines, all or none; they are on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self.path.exists()
        # Only its owner may read it: it is what people said.
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            size = os.lseek(file, 0, os.SEEK_END)
            _write(file, size, _lines(values, after=_last_byte(file, size)))
        finally:
            os.close(file)
        if is_new:
            _sync_folder(self.path.parent)

    def replace(self, values: Iterable[V]) -> None:
        """Have these lines and no others, without any no file.

        A crash leaves the old file or the new one.
        """
        values = list(values)
        if not values and not self.path.exists():
            return  # a folder that can't be written need not be, then
        if self._unknown:
            if values:
                self.append(values)
            return
        if not values:
            self.path.unlink(missing_ok=True)
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        file = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _write(file, 0, _lines(values))
        finally:
            os.close(file)
        partial.replace(self.path)
        _sync_folder(self.path.parent)


class DiskNews:
    """Tells of a disk that takes nothing: once, however often it is tried, and when it is well."""

    def __init__(self) -> None:
        self.failing = False

    def failed(self, path: Path, problem: OSError) -> None:
        """Note a failure."""
        if not self.failing:
            self.failing = True
            why = _why(problem)
            log.warning("%s can't be written (%s): a crash would lose what waits", path, why)

    def worked(self) -> None:
        """Note a success."""
        if self.failing:
            self.failing = False
            log.warning("what waits to be stored is on disk again")


def _why(problem: OSError) -> str:
    return problem.strerror or type(problem).__name__


def _lines(values: Iterable[object], *, after: bytes = b"\n") -> bytes:
    """Return lines to be written behind this byte: a line that was cut off is ended first."""
    lines = b"".join(msgspec.json.encode(one) + b"\n" for one in values)
    return lines if after == b"\n" else b"\n" + lines


def _last_byte(file: int, size: int) -> bytes:
    """Return the byte before the end, a line's end without any."""
    if not size:
        return b"\n"
    os.lseek(file, size - 1, os.SEEK_SET)
    return os.read(file, 1)


def _write(file: int, size: int, data: bytes) -> None:
    """Write at the end of a file of this size, or leave it as it was, as when the disk is full."""
    try:
        os.lseek(file, size, os.SEEK_SET)
        while data:
            data = data[os.write(file, data) :]
        os.fsync(file)
    except OSError:
        with suppress(OSError):
            os.ftruncate(file, size)
        raise


def _sync_folder(folder: Path) -> None:
    """Have a file's name on disk, too. Windows can't, and needs no more than the file."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
