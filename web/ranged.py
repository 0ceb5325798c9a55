"""Answers with a part of what has bytes, as players ask for it: RFC 9110, 14.

One part a request: whoever asks for several gets the whole, as the RFC allows.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Content:
    """What is answered with: `read` yields its bytes from one to another, both included."""

    size: int
    tag: str  # an ETag without its quotes: other bytes, another tag
    kind: str
    read: Callable[[int, int], AsyncGenerator[bytes]]


def part_of(headers: Headers, content: Content) -> tuple[int, int] | None:
    """Return the first and last byte that a request asks for; None: it asks for all of them.

    Raises ValueError for a part that there is none of.
    """
    asked = headers.get("range")
    if asked is None or headers.get("if-range", f'"{content.tag}"') != f'"{content.tag}"':
        return None
    found = _RANGE.fullmatch(asked.strip())
    if found is None or found[0] == "bytes=-":
        return None  # other units, several parts, or nonsense: as if it weren't there
    first, last = found.groups()
    if not first:  # the last so many
        if int(last) == 0:
            raise ValueError("nothing")
        return max(0, content.size - int(last)), content.size - 1
    if last and int(last) < int(first):
        return None
    if int(first) >= content.size:
        raise ValueError("behind the end")
    return int(first), min(int(last), content.size - 1) if last else content.size - 1


class Ranged(Response):
    """The answer; `done` is called once it was taken, or nobody takes it."""

    def __init__(
        self,
        request: Headers,
        content: Content,
        headers: dict[str, str],
        done: Callable[[], None],
    ) -> None:
        self._content = content
        self._done = done
        self._part: tuple[int, int] | None = (0, content.size - 1)  # None: no bytes
        own = {"accept-ranges": "bytes", "etag": f'"{content.tag}"'}
        status, length = 200, content.size
        try:
            part = part_of(request, content)
        except ValueError:
            status, length, self._part = 416, 0, None
            own["content-range"] = f"bytes */{content.size}"
        else:
            if part is not None:
                status, self._part = 206, part
                length = part[1] - part[0] + 1
                own["content-range"] = f"bytes {part[0]}-{part[1]}/{content.size}"
        own["content-length"] = str(length)
        super().__init__(status_code=status, headers=headers | own, media_type=content.kind)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        try:
            if self._part is None or scope["method"] == "HEAD":
                await self._begin(send)
            else:
                async with aclosing(self._content.read(*self._part)) as pieces:
                    # First: who can't read it says so, before anything is promised.
                    piece = await anext(pieces, b"")
                    await self._begin(send)
                    while piece:
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
                        piece = await anext(pieces, b"")
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._done()

    async def _begin(self, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
