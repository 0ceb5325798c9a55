"""Gladia's pre-recorded API over HTTP: a file goes there, a job is made of it, looked at, deleted.

Each method is one request (docs.gladia.io/api-reference/pre-recorded-flow). What an answer says is
a stranger's: its size is bounded, an id is checked before it becomes part of an address, and no
address in it is ever followed.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import IO, Any, TypeVar

import httpx2
import msgspec

from core.speech.engine import EngineError, NoSlotError
from core.speech.gladia.opening import LABEL, judge_status
from core.speech.gladia.protocol import UNDECODABLE
from core.speech.gladia.timeouts import RecordedTimeouts
from core.speech.reasons import Reason

MAX_ANSWER = 1024 * 1024  # bytes of an answer that has no result in it
# With one: an hour has 10,000 words of 100 bytes, and again in each of three languages.
MAX_RESULT = 32 * 1024 * 1024
MAX_URL = 2_000  # characters
LISTED = 5  # jobs in a list, each with its result; of one label there are two at most
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_READ = 256 * 1024  # bytes of a file at once
_T = TypeVar("_T", bound=msgspec.Struct)


class UnsureError(EngineError):
    """Nobody knows whether what was asked is done: no answer came, or an unreadable one."""


class _Uploaded(msgspec.Struct):
    audio_url: str


class _Made(msgspec.Struct):
    id: str


class _Listed(msgspec.Struct):
    id: str
    custom_metadata: dict[str, Any] | None = None


class _List(msgspec.Struct):
    items: list[_Listed]


class State(msgspec.Struct):
    """How a job is doing: queued, processing, done or error, with an HTTP status as its code."""

    status: str
    error_code: int | None = None


class Jobs:
    """The requests. All raise EngineError or NoSlotError, without the key in them."""

    def __init__(
        self,
        client: Callable[[], httpx2.AsyncClient],
        url: str,
        key: str,
        timeouts: RecordedTimeouts,
    ) -> None:
        self._client = client
        self._url = url
        self._key = key  # secret: in a header and nowhere else
        self._timeouts = timeouts

    async def upload(self, file: IO[bytes], size: int) -> str:
        """Send a FLAC file of so many bytes; return the address that stands for it."""
        boundary = secrets.token_hex(16)
        head = (
            f"--{boundary}\r\n"
            'Content-Disposition: form-data; name="audio"; filename="speech.flac"\r\n'
            "Content-Type: audio/flac\r\n\r\n"
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        headers = {
            "content-type": f"multipart/form-data; boundary={boundary}",
            "content-length": str(len(head) + size + len(tail)),
        }
        content = _form(head, file, tail)
        within = self._timeouts.upload_s
        status, answer = await self._ask(
            "POST", "upload", headers=headers, content=content, within=within
        )
        url = self._good(status, answer, _Uploaded).audio_url
        if not url.startswith(("https://", "http://")) or len(url) > MAX_URL:
            raise EngineError(Reason("unexpected_answer"))
        return url

    async def create(self, body: dict[str, Any]) -> str:
        """Make a job; return its id. Raises UnsureError if there may be one nevertheless."""
        content = msgspec.json.encode(body)
        headers = {"content-type": "application/json"}
        try:
            status, answer = await self._ask(
                "POST", "pre-recorded", headers=headers, content=content
            )
        except NoSlotError:
            raise
        except EngineError as problem:
            raise UnsureError(problem.reason, retry=problem.retry) from None
        if not 200 <= status < 300:
            raise self._refused(status, answer)
        try:
            return _checked(msgspec.json.decode(answer, type=_Made).id)
        except (*UNDECODABLE, ValueError):
            raise UnsureError(Reason("unexpected_answer")) from None

    async def find(self, label: str) -> list[str]:
        """Return the ids of jobs that were made with this label, the first one first."""
        query = {f"custom_metadata[{LABEL}]": label, "limit": str(LISTED)}
        status, answer = await self._ask("GET", "pre-recorded", params=query, most=MAX_RESULT)
        listed = await asyncio.to_thread(self._good, status, answer, _List)
        # A service that doesn't know the filter returns others, too.
        mine = [one.id for one in listed.items if (one.custom_metadata or {}).get(LABEL) == label]
        return [one for one in reversed(mine) if _ID.fullmatch(one)]

    async def look(self, job: str) -> tuple[State, bytes] | None:
        """Return how a job is doing, and all that was answered; None: it isn't there any more."""
        path = f"pre-recorded/{_checked(job)}"
        status, answer = await self._ask("GET", path, most=MAX_RESULT)
        if status == 404:
            return None
        return await asyncio.to_thread(self._good, status, answer, State), answer

    async def delete(self, job: str) -> bool:
        """Delete a job, its file and its result; False: it can't be deleted yet."""
        status, answer = await self._ask("DELETE", f"pre-recorded/{_checked(job)}")
        if status == 404 or 200 <= status < 300:
            return True
        if status in (403, 409):  # it is being worked on
            return False
        raise self._refused(status, answer)

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        params: dict[str, str] | None = None,
        most: int = MAX_ANSWER,
        within: float | None = None,
    ) -> tuple[int, bytes]:
        within = within or self._timeouts.answer_s
        # Once all of a file is there, the service may take its time with it.
        timeout = httpx2.Timeout(self._timeouts.answer_s, read=within)
        # No chained exception: those of the HTTP client hold the request with its key.
        try:
            request = self._client().build_request(
                method,
                f"{self._url}/v2/{path}",
                params=params,
                headers={"x-gladia-key": self._key, **(headers or {})},
                content=content,
                timeout=timeout,
            )
            async with asyncio.timeout(within):
                return await self._read(request, most)
        except (httpx2.TimeoutException, TimeoutError):
            problem = EngineError(Reason("no_answer"))
        except (httpx2.HTTPError, OSError):
            problem = EngineError(Reason("unreachable"))
        except (httpx2.InvalidURL, ValueError):
            problem = EngineError(Reason("malformed"), retry=False)
        raise problem

    async def _read(self, request: httpx2.Request, most: int) -> tuple[int, bytes]:
        response = await self._client().send(request, stream=True)
        answer = bytearray()
        try:
            async for piece in response.aiter_bytes():
                answer += piece
                if len(answer) > most:
                    raise EngineError(Reason("unexpected_answer"))
        finally:
            await response.aclose()
        return response.status_code, bytes(answer)

    def _good(self, status: int, answer: bytes, kind: type[_T]) -> _T:
        """Return what a good answer says, or raise what a bad one means."""
        if not 200 <= status < 300:
            raise self._refused(status, answer)
        try:
            return msgspec.json.decode(answer, type=kind)
        except UNDECODABLE:
            raise EngineError(Reason("unexpected_answer")) from None

    def _refused(self, status: int, answer: bytes) -> Exception:
        if status in (413, 415):
            return EngineError(Reason("audio_refused", str(status)), retry=False)
        refusal = judge_status(status, answer)
        if refusal.busy:
            return NoSlotError()
        reason = refusal.reason
        # Whoever answers may repeat what was asked.
        reason = replace(reason, detail=reason.detail.replace(self._key, "…"))
        return EngineError(reason, retry=refusal.retry)


def _checked(job: str) -> str:
    """Return an id that may be part of an address. Raises ValueError."""
    if not _ID.fullmatch(job):
        raise ValueError("not an id")
    return job


async def _form(head: bytes, file: IO[bytes], tail: bytes) -> AsyncIterator[bytes]:
    """Yield a form with a file, which is read as it is sent."""
    yield head
    await asyncio.to_thread(file.seek, 0)
    while data := await asyncio.to_thread(file.read, _READ):
        yield data
    yield tail
