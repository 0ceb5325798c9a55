"""Files of uploads: a folder for each in `uploads` of DATA_DIR, in which they have numbers.

What a file has is its size, and nothing else says so: pieces are put behind each other, one writer
at a time, whom the kernel knows by its lock. What comes for another place is refused with how much
is there, from which whoever sends goes on. Who has the folder of a DATA_DIR has its files.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from core.audio.shelf import LEFT_FREE, try_lock
from core.problems import ProblemError

WRITTEN_AT_ONCE = 256 * 1024  # bytes that are handed to the disk together
Number = int | str  # of a file; one that isn't known to be whole yet has a word instead

YOUNG_S = 60.0  # in which nobody takes a folder for one that was left behind


class OffsetError(ProblemError):
    """A piece doesn't go on where the file ends; `received` bytes of it are here."""

    status, code = 409, "upload_offset"

    def __init__(self, received: int) -> None:
        super().__init__(f"{received} bytes are here")
        self.received = received


class BusyError(ProblemError):
    """Another piece of the same file is coming at this moment."""

    status, code = 409, "upload_busy"
    retry_after = 2


class DiskFullError(ProblemError):
    """The disk of DATA_DIR has no more than what is left free for all else."""

    status, code = 507, "upload_disk_full"


class OverflowingError(ProblemError):
    """More comes of a file than it was said to have."""

    status, code = 413, "upload_too_large"


class UploadShelf:
    """The folder. Methods that aren't asynchronous may wait for the disk, and raise OSError."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "uploads"
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, upload: str, number: Number) -> Path:
        """Return where a file is."""
        return self._root / upload / str(number)

    def rename(self, upload: str, one: Number, number: Number) -> None:
        """Give a file another number."""
        self.path(upload, one).rename(self.path(upload, number))

    def free(self) -> int:
        """Return how many bytes uploads may still have of the disk."""
        return max(0, shutil.disk_usage(self._root).free - LEFT_FREE)

    def received(self, upload: str, number: Number) -> int:
        """Return how many bytes of a file are here."""
        path = self.path(upload, number)
        return path.stat().st_size if path.exists() else 0

    def remove(self, upload: str, number: Number) -> None:
        """Delete a file, whether it is there or not."""
        self.path(upload, number).unlink(missing_ok=True)

    def clear(self, upload: str) -> None:
        """Delete all files of an upload, whether there are any or not."""
        shutil.rmtree(self._root / upload, ignore_errors=True)

    def old(self) -> Iterator[str]:
        """Yield the uploads that have a folder here, but for those just made."""
        for folder in self._root.iterdir():
            with suppress(ValueError, FileNotFoundError):
                upload = str(UUID(folder.name))
                if time.time() - folder.stat().st_mtime > YOUNG_S:
                    yield upload

    async def take(
        self, upload: str, number: Number, offset: int, most: int, pieces: AsyncIterable[bytes]
    ) -> int:
        """Put what comes behind the `offset` bytes that are here; return how many are here then.

        What came of a piece that was cut off stays. Raises OffsetError, BusyError, DiskFullError,
        and OverflowingError for more than `most` bytes of the file.
        """
        writer = await asyncio.to_thread(_Writer, self.path(upload, number), offset)
        try:
            if not await asyncio.to_thread(self.free):
                raise DiskFullError
            async for piece in pieces:
                if writer.size + len(piece) > most:
                    raise OverflowingError
                if writer.add(piece) >= WRITTEN_AT_ONCE:
                    await asyncio.to_thread(writer.flush)
        except OSError as problem:
            raise DiskFullError from problem
        finally:
            await asyncio.shield(asyncio.to_thread(writer.close))
        return writer.size


class _Writer:
    """A file that is being written, which is locked meanwhile."""

    def __init__(self, path: Path, offset: int) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if not try_lock(self._file):
                raise BusyError
            self.size = os.fstat(self._file).st_size  # what is here and what waits
            if self.size != offset:
                raise OffsetError(self.size)
        except BaseException:
            os.close(self._file)
            raise
        self._waiting = bytearray()

    def add(self, piece: bytes) -> int:
        """Take some bytes; return how many wait to be written."""
        self._waiting += piece
        self.size += len(piece)
        return len(self._waiting)

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = memoryview(self._waiting), bytearray()
        while waiting:
            waiting = waiting[os.write(self._file, waiting) :]

    def close(self) -> None:
        """Write what waits, and let go of the file."""
        try:
            with suppress(OSError):
                self.flush()
            self.size = os.fstat(self._file).st_size
        finally:
            os.close(self._file)
