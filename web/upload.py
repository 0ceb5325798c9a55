"""Forms that carry files: multipart, with parts of one name, read as they come.

Nothing that a client says of its file counts: not its kind or charset, its name only for people.
python-multipart's parser finds where parts begin and end, and is given no more than the bounds of
`web.http`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request

from web.http.bounds import MAX_UPLOAD

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

# It warns of each body that it refuses; the access log has those.
logging.getLogger("python_multipart").setLevel(logging.ERROR)
FIELD = "picture"
BYTES = "application/octet-stream"
_KIND = re.compile(r'multipart/form-data; *boundary="?([\w\'()+,./:=?-]{1,70})"?', re.ASCII)
# Browsers say the field's name first; its file's name is as long as they like, within the parser's
# bound of 4 kB for a part's head.
_NAMED = re.compile(rb'form-data; *name="([^"]*)"(?:;.*)?', re.DOTALL | re.IGNORECASE)
_FILE = re.compile(rb'; *filename="([^"]*)"', re.IGNORECASE)


def may_be_upload(headers: Headers) -> bool:
    """Whether a request says that it is a form with a file, as browsers say it."""
    return _KIND.fullmatch(headers.get("content-type", "")) is not None


def may_be_bytes(headers: Headers) -> bool:
    """Whether a request says that its body is a piece of a file, and nothing around it."""
    return headers.get("content-type", "").strip().lower() == BYTES


async def file_of(request: Request) -> bytes:
    """Return the file that somebody chose, empty for none.

    Raises HTTPException: 400 when it can't be read or has anything beside it, 413 for a large one.
    """
    content = bytearray()
    parts = 0
    async for one in files_of(request, FIELD, MAX_UPLOAD, most_files=1):
        if isinstance(one, str):
            parts += 1
        else:
            content += one
    if not parts:
        raise HTTPException(400)
    return bytes(content)


async def files_of(
    request: Request, field: str, most: int, most_files: int
) -> AsyncGenerator[str | bytes]:
    """Yield of each file of a form its name as it begins, then what it has, piece by piece.

    `most` bytes of a body. Raises HTTPException: 400 when it can't be read, ends too early or has
    anything beside files of this field, 413 for a large one.
    """
    said = _KIND.fullmatch(request.headers.get("content-type", ""))
    if said is None:
        raise HTTPException(415)
    parts = _Parts(field.encode(), most_files)
    try:
        parser = MultipartParser(said[1].encode(), parts.callbacks(), max_size=most)
        async for chunk in request.stream():
            if parser.write(chunk) != len(chunk):
                raise HTTPException(413)
            for one in parts.take():
                yield one
        parser.finalize()
    except FormParserError:
        raise HTTPException(400) from None
    if not parts.whole:
        raise HTTPException(400)


class _Parts:
    """The parts that there may be, as the parser tells of them."""

    def __init__(self, field: bytes, most: int) -> None:
        self.whole = False  # whether the form has ended
        self._field = field
        self._most = most
        self._came: list[str | bytes] = []  # that wasn't taken yet
        self._begun = 0
        self._file: str | None = None  # of the part that is read: its file's name, if it is ours
        self._name = b""  # of the header that is being read, then its value
        self._value = b""

    def take(self) -> list[str | bytes]:
        """Return what has come since the last time."""
        came, self._came = self._came, []
        return came

    def callbacks(self) -> MultipartCallbacks:
        """Return what the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_begin": self._header,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._head_end,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._begun += 1
        if self._begun > self._most:
            raise FormParserError("a part too many")
        self._file = None

    def _header(self) -> None:
        self._name = self._value = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            named = _NAMED.fullmatch(self._value)
            if named is None or named[1].lower() != self._field:
                self._file = None
                return
            called = _FILE.search(self._value)
            self._file = called[1].decode("utf-8", "replace") if called else ""

    def _head_end(self) -> None:
        if self._file is None:
            raise FormParserError("another field")
        self._came.append(self._file)

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._came.append(data[start:end])

    def _end(self) -> None:
        self.whole = self._begun > 0
