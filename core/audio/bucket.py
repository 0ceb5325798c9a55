"""A bucket of an S3-compatible service, of which recordings ask three things: put, get and delete.

boto3 and aiobotocore would bring a client for three hundred services, minio its own HTTP client,
whose calls block. What is asked here is plain HTTP with a signature of forty lines, which the tests
compare with AWS's own. Requests name the bucket in their path, as every such service takes it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import httpx2

from core.settings import Settings

CONNECT_S = 5.0
ANSWER_S = 30.0  # between two pieces of an answer or of a file, not for all of it
CONNECTIONS = 300  # more than people hear and archives read at once: files go on moving beside them
MAX_REFUSAL = 16 * 1024  # bytes of a refusal that are read; they have 500
_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,64})</Code>")
NOT_THERE = 404
EMPTY = hashlib.sha256(b"").hexdigest()


class BucketError(Exception):
    """The bucket can't be used, or hasn't what it was asked for. Its text names no secret.

    `status` and `code` are its answer's, 0 and empty where there was none.
    """

    def __init__(self, text: str, status: int = 0, code: str = "") -> None:
        super().__init__(text)
        self.status, self.code = status, code


@dataclass(frozen=True, slots=True)
class BucketKey:
    """Who asks, and in which region."""

    id: str
    secret: str = field(repr=False)
    region: str


class Bucket:
    """The bucket at an address such as https://s3.example.com/bucket, or a folder of it."""

    def __init__(self, address: str, key: BucketKey, patience: float = ANSWER_S) -> None:
        self.place = f"bucket:{address}"
        self._address = address
        self._key = key
        self._patience = httpx2.Timeout(patience, connect=min(CONNECT_S, patience))
        self._http: httpx2.AsyncClient | None = None  # from the first question on: it takes 25 ms

    async def put(self, name: str, data: bytes) -> None:
        """Store an object, or replace it. Raises BucketError."""
        digest = hashlib.sha256(data).hexdigest()
        async with self._asked("PUT", name, digest, content=data) as answer:
            await self._check(answer, 200)

    async def delete(self, name: str) -> None:
        """Delete an object, whether it is there or not. Raises BucketError."""
        async with self._asked("DELETE", name) as answer:
            await self._check(answer, 200, 204, NOT_THERE)
            if answer.status_code == NOT_THERE and await _code(answer) == "NoSuchBucket":
                raise BucketError("there is no such bucket", NOT_THERE, "NoSuchBucket")

    async def get(self, name: str, first: int, last: int) -> AsyncGenerator[bytes]:
        """Yield bytes of an object, from `first` to `last`, piece by piece. Raises BucketError."""
        headers = {"range": f"bytes={first}-{last}", "accept-encoding": "identity"}
        async with self._asked("GET", name, headers=headers) as answer:
            await self._check(answer, 206)
            try:
                async for piece in answer.aiter_raw():
                    yield piece
            except httpx2.HTTPError as problem:
                raise BucketError(type(problem).__name__) from problem

    async def close(self) -> None:
        """Let go of its connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    @asynccontextmanager
    async def _asked(
        self,
        method: str,
        name: str,
        digest: str = EMPTY,
        *,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> AsyncIterator[httpx2.Response]:
        if self._http is None:
            self._http = httpx2.AsyncClient(
                timeout=self._patience,
                limits=httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=20),
            )
        url = f"{self._address}/{quote(name, safe='/-_.~')}"
        signed = signature(method, url, digest, self._key, datetime.now(UTC))
        asking = self._http.stream(
            method, url, content=content, headers={**(headers or {}), **signed}
        )
        try:
            answer = await asking.__aenter__()
        except (httpx2.HTTPError, OSError) as problem:
            raise BucketError(type(problem).__name__) from problem
        try:
            yield answer
        finally:
            await answer.aclose()

    @staticmethod
    async def _check(answer: httpx2.Response, *good: int) -> None:
        if (status := answer.status_code) not in good:
            code = await _code(answer)
            raise BucketError(f"it answered {status}{code and f' ({code})'}", status, code)


async def _code(answer: httpx2.Response) -> str:
    """Return the code in a refusal, such as NoSuchBucket; empty where it has none."""
    body = b""
    try:
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > MAX_REFUSAL:
                break
    except httpx2.HTTPError:
        pass  # the status says enough
    found = _CODE.search(body)
    return found[1].decode() if found else ""


def bucket_of(settings: Settings, patience: float = ANSWER_S) -> Bucket | None:
    """Return the bucket that is set; None: sound stays in DATA_DIR."""
    key, secret = settings.aws_access_key_id, settings.aws_secret_access_key
    if not (settings.audio_bucket and key and secret):
        return None
    return Bucket(
        settings.audio_bucket, BucketKey(key, secret, settings.aws_region), patience=patience
    )


def signature(method: str, url: str, digest: str, key: BucketKey, now: datetime) -> dict[str, str]:
    """Return the headers by which a service knows who asks: AWS Signature Version 4.

    `digest` is the body's SHA-256 in hexadecimal.
    """
    at, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    parts = urlsplit(url)
    signed = {"host": parts.netloc, "x-amz-content-sha256": digest, "x-amz-date": at}
    names = ";".join(signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
    request = f"{method}\n{parts.path}\n\n{lines}\n{names}\n{digest}"
    scope = f"{day}/{key.region}/s3/aws4_request"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    secret = f"AWS4{key.secret}".encode()
    for step in (day, key.region, "s3", "aws4_request"):
        secret = hmac.digest(secret, step.encode(), "sha256")
    proof = hmac.digest(secret, f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashed}".encode(), "sha256")
    who = f"AWS4-HMAC-SHA256 Credential={key.id}/{scope}, SignedHeaders={names}"
    shown = {name: value for name, value in signed.items() if name != "host"}
    return {**shown, "authorization": f"{who}, Signature={proof.hex()}"}
