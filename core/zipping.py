"""ZIP files (APPNOTE) written as they are read: nothing of them stays in memory but their names.

The standard library writes them; where they go can't be searched back, so that sizes stand behind
each file, as readers know it. A ZIP has its table of contents at its end: one that breaks off has
none, and nobody takes it for whole.
"""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from types import TracebackType
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_FIRST_YEAR = 1980  # of which a ZIP can tell
_ALL = 0o644 << 16  # everybody may read what is unpacked


class _Sink(io.RawIOBase):
    """Takes what is written, until it is taken away."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces = list[bytes]()

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        return len(piece)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


class Zip:
    """A ZIP under way. Each method blocks, and returns what is to be sent on by then.

    Use it `with`: what isn't finished when that ends is let go.
    """

    def __init__(self) -> None:
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w")
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Zip:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Have the library write nothing more by itself: it would, into nowhere."""
        if self._file is not None:
            self._file.close()
        self._zip.fp = None

    def begin(self, name: str, at: datetime, *, packed: bool = True, huge: bool = False) -> bytes:
        """Begin a file, after the end of the one before.

        `packed`: whether it is compressed, which isn't worth it for sound. `huge`: it may have more
        than 2 GiB.
        """
        before = self._end_file()
        when = (max(_FIRST_YEAR, at.year), at.month, at.day, at.hour, at.minute, at.second)
        about = zipfile.ZipInfo(name, when)
        about.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        about.external_attr = _ALL
        self._file = self._zip.open(about, "w", force_zip64=huge)
        return before + self._sink.take()

    def write(self, data: bytes) -> bytes:
        """Go on with the file."""
        if self._file is None:
            raise ValueError("no file was begun")
        self._file.write(data)
        return self._sink.take()

    def end(self) -> bytes:
        """End the last file, and write the table of contents."""
        before = self._end_file()
        self._zip.close()
        return before + self._sink.take()

    def _end_file(self) -> bytes:
        if self._file is not None:
            self._file.close()
            self._file = None
        return self._sink.take()
