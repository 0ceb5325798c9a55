"""What one HTTP connection may send, hold and take, and how many there may be. docs/limits.md."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

MAX_HEAD = 32 * 1024  # bytes of a request line and its headers; browsers send 1 to 4 kB
MAX_TARGET = 8 * 1024  # bytes of a request's address; the longest of ours carries a token
MAX_HEADERS = 100  # a browser behind two proxies sends 30
HEAD_TIMEOUT_S = 10.0  # from the connection, or a request's first byte, to the end of its headers
MAX_BODY = 64 * 1024  # bytes; forms here are a name or a title, a webhook has some kB
# What is read of a body at all: chunks have heads of their own, and what is too large gets a page.
MAX_RAW_BODY = 2 * MAX_BODY
BODY_TIMEOUT_S = 15.0  # from the end of the headers to that of the body
# Of the form with a picture: one of 5 MB and what is around it. A phone at 1 Mbit/s sends that in
# 42 s. The app reads it only of who is signed in, as it does all that follows.
UPLOAD = "/profile/picture"
MAX_UPLOAD = 5 * 1024 * 1024 + 8 * 1024
MAX_RAW_UPLOAD = MAX_UPLOAD + 256 * 1024  # chunks of 16 kB and more have heads of few bytes
UPLOAD_TIMEOUT_S = 60.0
# Of a piece of a recording, which scripts send: 34 s at 1 Mbit/s.
PIECE_PATH = re.compile(r"/uploads/[0-9a-f-]{36}/files/[0-9]{1,3}")
MAX_PIECE = 4 * 1024 * 1024
PIECE_TIMEOUT_S = 60.0
# Of whole recordings, as browsers without scripts send them: as large as UPLOAD_MAX_MB may be; the
# app looks at what it is. It takes hours on a slow line, but half of 1 Mbit/s must come of it.
FILES_PATH = re.compile(r"/uploads/[0-9a-f-]{36}/files")
MAX_WHOLE = 101_000_000_000
PACE_S = 30.0
PACE = 30 * 64_000  # bytes that come in PACE_S
KEEP_ALIVE_S = 5  # between an answer and the next request; a page's requests come together
MAX_PIPELINED = 8  # requests that wait for the answer to the one before; no browser has any
STALL_S = 20.0  # in which nothing of an answer was taken: nobody reads it
LOOK_EVERY_S = 5.0  # between two looks at what is unsent of one connection
ANSWER_S = 120.0  # to take all of an answer; the longest has 3 MB, less than one compressed
# Of a space's archive, which may have gigabytes; who takes nothing of it is given up all the same.
ARCHIVE = "/archive.zip"
ARCHIVE_S = 3600.0
# Bytes that the kernel keeps unsent of a connection; beyond that they are ours to see and count.
# A line of 13 kbit/s takes half of it within STALL_S, which is when the kernel asks for more.
MAX_KERNEL = 32 * 1024
# After a refusal, what still comes is dropped for a moment: closing at once would throw away the
# answer, too (RFC 9112, 9.6).
LINGER_S = 1.0
MAX_LINGER = 16 * 1024 * 1024  # bytes
# Open connections of one address. Each person has a WebSocket, and a browser opens up to six more
# while a page loads: that is a school or an office behind one address.
PER_ADDRESS = 300
MIN_PER_ADDRESS = 12  # however small the factor of the limits is: a page must load
MAX_FILES = 65_536  # file descriptors that the process asks for; a connection takes one
FEW_FILES = 1024  # where the platform tells no limit


class Body(NamedTuple):
    """What a request's body may be.

    Of what kind, how many bytes of it are read, how many that is with the heads of its chunks, and
    within which time; with a `pace`, it is that many bytes within each such time.
    """

    kind: Literal["form", "file", "bytes"]
    most: int
    raw: int
    timeout_s: float
    pace: int = 0


def body_of(method: str, path: str) -> Body:
    """Return what the body of a request may be; `path` is without its query."""
    if method == "POST":
        if path == UPLOAD:
            return Body("file", MAX_UPLOAD, MAX_RAW_UPLOAD, UPLOAD_TIMEOUT_S)
        if PIECE_PATH.fullmatch(path):
            return Body("bytes", MAX_PIECE, MAX_PIECE + 256 * 1024, PIECE_TIMEOUT_S)
        if FILES_PATH.fullmatch(path):
            return Body("file", MAX_WHOLE, MAX_WHOLE, PACE_S, PACE)
    return Body("form", MAX_BODY, MAX_RAW_BODY, BODY_TIMEOUT_S)
