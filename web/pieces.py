"""A long answer, written a piece at a time as it is read, instead of all at once into memory."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Mapping

from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from core.problems import ProblemError

log = logging.getLogger(__name__)

PIECE = 64 * 1024  # bytes; the server waits for the reader once it has as many unsent


class InPieces(Response):
    """Another answer in pieces; `done` is called once all of it was taken, or nobody takes it."""

    def __init__(self, response: Response, done: Callable[[], None]) -> None:
        super().__init__(status_code=response.status_code)
        self.body = response.body
        self.raw_headers = response.raw_headers
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            for at in range(0, len(self.body), PIECE):
                piece = self.body[at : at + PIECE]
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._done()


class AsItIsMade(StreamingResponse):
    """An answer that is made while it is read: `first` is made already, so what fails did so.

    What fails later breaks it off, so that nobody takes it for whole. `done` is called once all of
    it was taken, or nobody takes it; what makes it is stopped then.
    """

    def __init__(
        self,
        first: bytes,
        rest: AsyncGenerator[bytes],
        done: Callable[[], None],
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        self._pieces = _all(first, rest)
        super().__init__(self._pieces, headers=headers, media_type=media_type)
        self.headers["Content-Type"] = media_type  # Starlette names a charset to text unasked
        self._rest = rest
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        try:
            await super().__call__(scope, receive, send)
        except ProblemError as problem:
            log.warning("a file broke off while it was read: %s", problem.code)
            raise ClientDisconnect from problem  # there is no other answer than to close
        finally:
            try:
                await self._pieces.aclose()
                await self._rest.aclose()
            finally:
                self._done()


async def _all(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Yield pieces of which none is long: the server waits between them for its reader."""
    yield first[:PIECE]
    for at in range(PIECE, len(first), PIECE):
        yield first[at : at + PIECE]
    del first
    async for piece in rest:
        for at in range(0, len(piece), PIECE):
            yield piece[at : at + PIECE]
