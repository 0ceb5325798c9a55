"""One question over HTTP to an address that an operator has set, and why there was no answer."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx2

from core.words import N_, Words

MAX_ANSWER = 1 << 20  # bytes; a provider's metadata have 5 kB, a list of models 200 kB
# For one question, within the 5 s that a whole check has: who waits that long has a busy machine,
# and what the check says of it takes its time there, too.
PATIENCE_S = 4.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `seconds` is how long it took, the connection included."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    def json(self) -> Any:
        """Return what it says as JSON, None when it isn't any."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def clock_ahead_s(self) -> float | None:
        """Return by how many seconds its clock is ahead of ours, as exactly as Date tells."""
        try:
            told = parsedate_to_datetime(self.headers.get("date", ""))
        except (ValueError, TypeError):
            return None
        if told.tzinfo is None:
            return None
        return (told - datetime.now(UTC)).total_seconds() + 0.5


class NoAnswerError(Exception):
    """Nothing came back that can be used; `words` say why, as a part of a sentence."""

    def __init__(self, words: Words) -> None:
        super().__init__(words)
        self.words = words


async def ask(
    address: str,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    login: tuple[str, str] | None = None,
) -> Answer:
    """GET an address, or POST it a form, and return what it answers. Raises NoAnswerError.

    Redirects are answers like others: where one leads elsewhere, that is what is wrong.
    """
    begun = time.monotonic()
    try:
        async with (
            httpx2.AsyncClient(
                timeout=PATIENCE_S, auth=login, headers=dict(headers or {})
            ) as client,
            client.stream("POST" if form else "GET", address, data=form) as answer,
        ):
            body = b""
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > MAX_ANSWER:
                    raise NoAnswerError(Words(N_("what it answers has no end")))
            return Answer(answer.status_code, dict(answer.headers), body, time.monotonic() - begun)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as problem:
        raise NoAnswerError(why_not(problem, address)) from problem


def why_not(problem: BaseException, address: str) -> Words:
    """Return why an address gave no answer, from what went wrong first."""
    parts = urlsplit(address)
    where = parts.netloc
    for cause in _causes(problem):
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message or "SSL"
            return Words(
                N_("the certificate of %(where)s isn't valid (%(why)s)"), where=where, why=why
            )
        if isinstance(cause, ssl.SSLError):
            why = cause.reason or "SSL"
            return Words(
                N_("%(where)s doesn't speak TLS as it should (%(why)s)"), where=where, why=why
            )
        if isinstance(cause, socket.gaierror):
            return Words(
                N_("the name %(name)s isn't known: DNS has no address for it"), name=parts.hostname
            )
        if isinstance(cause, ConnectionRefusedError):
            return Words(N_("nothing listens at %(where)s"), where=where)
        if isinstance(cause, (TimeoutError, httpx2.TimeoutException)):
            return Words(N_("%(where)s doesn't answer in time"), where=where)
    return Words(N_("%(where)s doesn't answer (%(why)s)"), where=where, why=type(problem).__name__)


def _causes(problem: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, the innermost first."""
    chain: list[BaseException] = []
    pending = [problem]
    while pending and len(chain) < 32:
        one = pending.pop()
        chain.append(one)
        inner = (one.__cause__, one.__context__, *getattr(one, "exceptions", ()))
        if isinstance(one, aiohttp.ClientConnectorError):
            inner += (one.os_error,)
        pending += [each for each in inner if each is not None]
    yield from reversed(chain)
