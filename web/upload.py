"""The one form that carries a file: multipart, with a single part, read as it comes.

Nothing that a client says of its file counts: not its name, kind or charset. python-multipart's
parser finds where the part begins and ends, and is given no more than the bounds of `web.http`.
"""

from __future__ import annotations

import logging
import re
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
_KIND = re.compile(r'multipart/form-data; *boundary="?([\w\'()+,./:=?-]{1,70})"?', re.ASCII)
# Browsers say the field's name first; its file's name is as long as they like, within the parser's
# bound of 4 kB for a part's head.
_OURS = re.compile(rb'form-data; *name="%s"(?:;.*)?' % FIELD.encode(), re.DOTALL | re.IGNORECASE)


def may_be_upload(headers: Headers) -> bool:
    """Whether a request says that it is a form with a file, as browsers say it."""
    return _KIND.fullmatch(headers.get("content-type", "")) is not None


async def file_of(request: Request) -> bytes:
    """Return the file that somebody chose, empty for none.

    Raises HTTPException: 400 when it can't be read or has anything beside it, 413 for a large one.
    """
    said = _KIND.fullmatch(request.headers.get("content-type", ""))
    if said is None:
        raise HTTPException(415)
    part = _Part()
    try:
        parser = MultipartParser(said[1].encode(), part.callbacks(), max_size=MAX_UPLOAD)
        async for chunk in request.stream():
            if parser.write(chunk) != len(chunk):
                raise HTTPException(413)
        parser.finalize()
    except FormParserError:
        raise HTTPException(400) from None
    if not part.whole:
        raise HTTPException(400)
    return bytes(part.content)


class _Part:
    """The one part that there may be, as the parser tells of it."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.whole = False  # whether the form has ended after it
        self._begun = False
        self._is_ours = False  # whether a head has said that it is the field
        self._name = b""  # of the header that is being read, then its value
        self._value = b""

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
        if self._begun:
            raise FormParserError("a second part")
        self._begun = True

    def _header(self) -> None:
        self._name = self._value = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._is_ours = _OURS.fullmatch(self._value) is not None

    def _head_end(self) -> None:
        if not self._is_ours:
            raise FormParserError("another field")

    def _data(self, data: bytes, start: int, end: int) -> None:
        self.content += data[start:end]

    def _end(self) -> None:
        self.whole = self._is_ours
