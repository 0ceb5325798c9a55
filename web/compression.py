"""Compresses what is long: transcripts and their exports. Other pages are short and stay plain.

A compressed answer's length tells what in it repeats. Who can put text beside a secret, let
somebody else's browser ask for both again and again, and see how long the answers are, guesses
the secret letter by letter (the BREACH attack). Why this can't be done here:

Whoever can add to a transcript may read all of it, so its words are no secret to them; who was
removed can read no more, but add nothing either. What only the reader may see (who they are, in
the masthead; what transcribing took) stands between SEAMs and is compressed apart: nothing after a
seam refers to what came before it or shares a code with it, so that its length is always the same.
None of these pages holds a token: changes are allowed by where they come from (web/guard.py), and
the login is in a cookie. None repeats what was asked for; `?tz=` comes back only as the name of a
zone.
"""

from __future__ import annotations

import zlib

from starlette.datastructures import Headers
from starlette.responses import Response

# Around what is only for one reader. Text in a page is escaped, so that nobody can forge it.
SEAM = "<!-- seam -->"
SHORTEST = 1024  # bytes; less fits into one packet anyway
LEVEL = 6
_GZIP = 16 + zlib.MAX_WBITS


def compressed(response: Response, asked: Headers) -> Response:
    """Compress a whole answer in place, and return it, if whoever asked takes it so.

    A long one takes a moment: call it in a thread.
    """
    response.headers.add_vary_header("Accept-Encoding")
    body = bytes(response.body)
    if len(body) < SHORTEST or not takes_gzip(asked):
        return response
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
    packed = bytearray()
    for piece in body.split(SEAM.encode()):
        packed += packer.compress(piece)
        packed += packer.flush(zlib.Z_FULL_FLUSH)
    packed += packer.flush()
    response.body = bytes(packed)
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Content-Length"] = str(len(packed))
    return response


class Packer:
    """Compresses an answer piece by piece as it is made, if whoever asked takes it so.

    A short one stays plain: nothing comes before it is known that there is more.
    """

    def __init__(self, asked: Headers) -> None:
        self._taken = takes_gzip(asked)
        self._packer: zlib._Compress | None = None
        self._held: bytes | None = b""  # what came until it is known; then None

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says of it, once something of it has come."""
        encoding = {"Content-Encoding": "gzip"} if self._packer else {}
        return {"Vary": "Accept-Encoding"} | encoding

    def packed(self, piece: bytes, *, last: bool) -> bytes:
        """Return what is to be sent of it by now. Blocks: call it in a thread."""
        if self._held is not None:
            piece = self._held + piece
            if len(piece) < SHORTEST and not last:
                self._held = piece
                return b""
            self._held = None
            if self._taken and len(piece) >= SHORTEST:
                self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
        if self._packer is None:
            return piece
        return self._packer.compress(piece) + (self._packer.flush() if last else b"")


def takes_gzip(asked: Headers) -> bool:
    """Whether a client says that it takes gzip. One that says nothing gets plain text."""
    for one in asked.get("accept-encoding", "").lower().split(","):
        name, _, weight = (part.strip() for part in one.partition(";"))
        if name in ("gzip", "x-gzip"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
