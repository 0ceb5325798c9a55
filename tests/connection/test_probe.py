"""The probe of `/ws`, docs/protocol.md: what it echoes, whom it refuses, and where it ends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as connect_in_thread
from websockets.typing import Origin, Subprotocol

from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import Browser, outside
from tests.support.visitors import Visitor
from tests.support.waiting import WAIT_TIMEOUT_S, until

PROBE = "sessions.probe.v1"


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer) -> AppServer:
    return make_server_in(LIVEKIT_URL="off")


@pytest.fixture(scope="module")
def ada(place: AppServer) -> Visitor:
    return Visitor(place.url).sign_in("Ada Lovelace")


def begin(who: Visitor) -> dict[str, Any]:
    """Return what the page of the test is given."""
    answer = who.http.post("/connection", headers={"Accept": "application/json"})
    assert answer.status_code == 200, answer.text
    given: dict[str, Any] = answer.json()
    return given


@pytest.fixture(scope="module")
def token(ada: Visitor) -> str:
    return str(begin(ada)["probe"]["token"])


Open = Callable[..., Awaitable[ClientConnection]]


class Opener:
    """Opens `/ws`, and ends what it opened."""

    def __init__(self, place: AppServer) -> None:
        self._url = place.url.replace("http", "ws") + "/ws"
        self._opened: list[ClientConnection] = []

    async def open(
        self, *offered: str, origin: str | None = None, query: str = ""
    ) -> ClientConnection:
        socket = await connect(
            self._url + query,
            subprotocols=[Subprotocol(one) for one in offered],
            origin=Origin(origin) if origin else None,
            compression=None,
        )
        self._opened.append(socket)
        return socket

    async def attempt(self, *offered: str, **more: Any) -> tuple[int, str]:
        """Return the status of the answer (101: accepted) and the error's code."""
        try:
            await self.open(*offered, **more)
        except InvalidStatus as refusal:
            body = json.loads(refusal.response.body or b"{}")
            return refusal.response.status_code, body["error"]["code"]
        return 101, ""

    async def close(self) -> None:
        for socket in self._opened:
            socket.transport.abort()
            await socket.wait_closed()


@pytest.fixture
async def opener(place: AppServer) -> AsyncIterator[Opener]:
    made = Opener(place)
    yield made
    await made.close()


async def closed(socket: ClientConnection) -> int | None:
    """Wait for the close, and return its code."""
    async with asyncio.timeout(WAIT_TIMEOUT_S):
        with suppress(ConnectionClosed):
            while True:
                await socket.recv()
    return socket.close_code


class Idle:
    """A probe that never ends by itself, from the beginning of this module on, in a thread."""

    def __init__(self, place: AppServer, token: str) -> None:
        self._url, self._token = place.url.replace("http", "ws") + "/ws", token
        self.lasted = 0.0
        self.code: int | None = None
        self._thread = threading.Thread(target=self._stay, daemon=True)
        self._thread.start()

    def _stay(self) -> None:
        offered = [Subprotocol(PROBE), Subprotocol(self._token)]
        with connect_in_thread(self._url, subprotocols=offered, compression=None) as socket:
            began = time.monotonic()
            with suppress(ConnectionClosed):
                socket.recv()
            self.lasted, self.code = time.monotonic() - began, socket.close_code

    def wait(self) -> None:
        self._thread.join(WAIT_TIMEOUT_S)


@pytest.fixture(scope="module", autouse=True)
def idle(place: AppServer, token: str) -> Iterator[Idle]:
    yield Idle(place, token)


async def test_what_is_sent_comes_back_and_a_close_code_too(opener: Opener, token: str) -> None:
    socket = await opener.open(PROBE, token)
    assert socket.subprotocol == PROBE
    for size in (1, 648, 3208):
        sent = os.urandom(size)
        await socket.send(sent)
        assert await socket.recv() == sent
    await socket.send("end")
    assert await closed(socket) == 4490


async def test_a_token_of_its_own_is_needed(
    place: AppServer, opener: Opener, ada: Visitor, token: str
) -> None:
    claims = jwt.decode(token, options={"verify_signature": False})
    now = datetime.now(UTC)

    def forged(secret: str = place.secret, algorithm: str = "HS256", **change: Any) -> str:
        return jwt.encode(claims | change, secret, algorithm=algorithm)

    assert await opener.attempt(PROBE, forged()) == (101, ""), "so far it is as good as another"
    passes = await asyncio.to_thread(lambda: ada.join(ada.start_session()))
    for wrong in (
        "rubbish",
        forged("another secret, as long as the real one is"),
        forged(algorithm="HS512"),
        forged(exp=now - timedelta(seconds=1)),
        forged(iat=now + timedelta(days=1)),
        forged(aud="sessions:ws"),
        forged(iss="somebody"),
        *(jwt.encode({k: claims[k] for k in claims if k != one}, place.secret) for one in claims),
        passes["transcription"]["token"],
    ):
        assert await opener.attempt(PROBE, wrong) == (401, "bad_token"), wrong
    assert await opener.attempt(PROBE) == (401, "bad_token")
    assert await opener.attempt(PROBE, query=f"?token={token}") == (401, "bad_token")
    assert claims["exp"] - claims["iat"] == 60


def test_where_there_are_no_calls_none_is_tried(ada: Visitor) -> None:
    assert begin(ada)["call"] is None


async def test_it_opens_no_room(opener: Opener, token: str) -> None:
    assert await opener.attempt("sessions.v1", token) == (401, "bad_token")


async def test_a_foreign_page_is_refused(opener: Opener, ada: Visitor, token: str) -> None:
    foreign = await opener.attempt(PROBE, token, origin="https://evil.example")
    assert foreign == (403, "foreign_origin")
    assert await opener.attempt(PROBE, token, origin=ada.url) == (101, "")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(bytes(3209), 1009, id="too long"),
        pytest.param(bytes(70_000), 1009, id="much too long"),
        pytest.param(b"", 1003, id="empty"),
        pytest.param("END", 1003, id="another text"),
        pytest.param('{"type": "hello", "client": "abcdefgh"}', 1003, id="hello"),
    ],
)
async def test_anything_else_ends_it(
    opener: Opener, token: str, sent: str | bytes, code: int
) -> None:
    socket = await opener.open(PROBE, token)
    await socket.send(sent)
    assert await closed(socket) == code


async def test_so_many_messages_and_no_more(opener: Opener, token: str) -> None:
    socket = await opener.open(PROBE, token)
    for _ in range(64):
        await socket.send(b"x")
        assert await socket.recv() == b"x"
    began = time.monotonic()
    assert await closed(socket) == 1008
    assert time.monotonic() - began < 8, "and not since its time was over"


async def test_who_floods_and_never_reads_is_closed(opener: Opener, token: str) -> None:
    socket = await opener.open(PROBE, token)
    socket.transport.pause_reading()
    with suppress(ConnectionClosed):
        async with asyncio.timeout(WAIT_TIMEOUT_S):
            for _ in range(20_000):  # 64 MB
                await socket.send(bytes(3208))
    socket.transport.resume_reading()
    assert await closed(socket) in (1008, 1006)
    assert await opener.attempt(PROBE, token) == (101, "")


async def test_few_at_once_and_few_a_minute(make_server: MakeServer) -> None:
    """With a tenth of the limits: a test and six probes a minute, and one probe at once."""
    slow = await asyncio.to_thread(make_server, RATE_LIMIT_FACTOR="0.1", LIVEKIT_URL="ws://[::1]:9")
    ada = await asyncio.to_thread(Visitor(slow.url).sign_in, "Ada")
    began = time.monotonic()
    token = (await asyncio.to_thread(begin, ada))["probe"]["token"]
    again = await asyncio.to_thread(ada.http.post, "/connection")
    assert again.status_code == 429
    assert 1 <= int(again.headers["retry-after"]) <= 60
    opener, busy = Opener(slow), (429, "too_many_connections")
    first = await opener.open(PROBE, token)
    assert await opener.attempt(PROBE, token) == busy
    await first.send("end")
    assert await closed(first) == 4490
    tried: list[tuple[int, str]] = []

    async def accepted() -> bool:
        tried.append(await opener.attempt(PROBE, token))
        return tried[-1] == (101, "")

    await until(accepted)
    tried += [await opener.attempt(PROBE, token) for _ in range(6)]
    assert tried[-1] == busy, "however many of them are still there"
    await opener.close()
    # Each test makes a room at LiveKit: twelve a minute of all people together, one of them Ada's.
    slug = await asyncio.to_thread(ada.start_session)
    statuses = list[int]()
    while 429 not in statuses and len(statuses) < 60:
        statuses.append(await asyncio.to_thread(guests_test, slow, slug, len(statuses)))
    more = int((time.monotonic() - began) / 5)  # allowed anew meanwhile
    *begun, last = statuses
    assert last == 429
    assert 11 <= len(begun) <= 11 + more
    assert set(begun) == {200}


def guests_test(server: AppServer, slug: str, number: int) -> int:
    """Begin a test as a guest at an address of their own; the answer's status."""
    guest = Browser(server.url, **{"X-Forwarded-For": f"192.0.2.{number}"}).be_guest(slug, "Bob")
    return guest.http.post(f"/s/{slug}/connection").status_code


def test_who_never_ends_it_is_closed(place: AppServer, idle: Idle) -> None:
    idle.wait()
    assert idle.code == 1008
    assert 11 < idle.lasted < 16
    told = outside("GET", f"{place.url}/metrics").text
    closes = re.findall(r'^sessions_sockets_over_total{code="(\w+)"}', told, re.M)
    assert {"1003", "1008", "1009", "4490"} <= set(closes), "those of this module's tests"
    assert "500" not in closes, "what was closed as it should be is no error"
