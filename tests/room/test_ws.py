"""`/ws` keeps the contract of docs/protocol.md, on the fast path and under plain uvicorn."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import jwt
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection as ClientConnectionInThread
from websockets.sync.client import connect as connect_in_thread
from websockets.typing import Origin, Subprotocol

from core.room.quota import PER_PERSON, PER_SESSION, SocketQuota
from tests.conftest import MakeServer
from tests.emulators.wordaudio import silence, speak
from tests.support.app_server import AppServer
from tests.support.speech_samples import (
    BECKETT,
    TWO_CITIES,
    beckett,
    two_cities,
    words,
    words_in_order,
)
from tests.support.visitors import FRAME, RoomPage, Visitor
from tests.support.waiting import PATIENCE_S

PLAIN = ["sh", "-c", f'exec {sys.executable} -m uvicorn app:app --port "$PORT"']
QUIET_FRAME = bytes(8 + 2 * FRAME)
Claims = dict[str, Any]


@pytest.fixture(scope="module", params=["fast", "plain"])
def place(request: pytest.FixtureRequest, make_server_in: MakeServer) -> AppServer:
    """Sessions with the relay's fast path, and as `uvicorn app:app` with its default class."""
    if request.param == "fast":
        shared: AppServer = request.getfixturevalue("server")
        return shared
    return make_server_in(command=PLAIN, SPEECH_ENGINE="local")


@pytest.fixture
def host(place: AppServer) -> Visitor:
    return Visitor(place.url).sign_in("Ada Lovelace")


@pytest.fixture
def slug(host: Visitor) -> str:
    return host.start_session("Engines")


def guest(host: Visitor, slug: str, name: str) -> Visitor:
    return Visitor(host.url).be_guest(slug, name)


def claims_of(host: Visitor, slug: str) -> Claims:
    token = host.join(slug)["transcription"]["token"]
    claims: Claims = jwt.decode(token, options={"verify_signature": False})
    return claims


@dataclass
class SocketClient:
    """Opens /ws with any token, however it is carried."""

    place: AppServer
    opened: list[ClientConnection] = field(default_factory=list)

    async def open(
        self, token: str | None, *, origin: str | None = None, query: str = ""
    ) -> ClientConnection:
        offered = ["sessions.v1", *([token] if token else [])]
        socket = await connect(
            self.place.url.replace("http", "ws") + "/ws" + query,
            subprotocols=None if query else [Subprotocol(one) for one in offered],
            origin=Origin(origin) if origin else None,
            compression=None,
        )
        self.opened.append(socket)
        return socket

    async def attempt(
        self, token: str | None, *, origin: str | None = None, query: str = ""
    ) -> tuple[int, str]:
        """Return the status of the answer (101: accepted) and the error's code."""
        try:
            await self.open(token, origin=origin, query=query)
        except InvalidStatus as refusal:
            body = json.loads(refusal.response.body or b"{}")
            return refusal.response.status_code, body["error"]["code"]
        return 101, ""

    async def open_as(self, host: Visitor, slug: str) -> ClientConnection:
        """Return a socket that was accepted and has said nothing yet."""
        return await self.open(host.join(slug)["transcription"]["token"])


@pytest.fixture
async def client(place: AppServer) -> Any:
    client = SocketClient(place)
    yield client
    for socket in client.opened:
        socket.transport.abort()
        await socket.wait_closed()


async def said_before_close(socket: ClientConnection) -> tuple[list[dict[str, Any]], int | None]:
    """Return what the server says until it closes, and the close code."""
    said = []
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                said.append(json.loads(await socket.recv()))
    except ConnectionClosed:
        return said, socket.close_code


# Refused before it is accepted


async def test_a_token_is_needed(client: SocketClient) -> None:
    assert await client.attempt(None) == (401, "bad_token")
    assert await client.attempt("rubbish") == (401, "bad_token")
    assert await client.attempt(None, query="?token=") == (401, "bad_token")


async def test_a_forged_token_is_refused(client: SocketClient, host: Visitor, slug: str) -> None:
    claims = claims_of(host, slug)
    forged = jwt.encode(claims, "another secret, as long as the real one is", algorithm="HS256")
    assert await client.attempt(forged) == (401, "bad_token")
    unsigned = jwt.encode(claims, "", algorithm="none")
    assert await client.attempt(unsigned) == (401, "bad_token")
    other_hash = jwt.encode(claims, client.place.secret, algorithm="HS512")
    assert await client.attempt(other_hash) == (401, "bad_token")


Change = Callable[[Claims], object]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c: c.update(exp=datetime.now(UTC) - timedelta(1)), id="expired"),
        pytest.param(lambda c: c.update(iat=datetime.now(UTC) + timedelta(1)), id="not yet"),
        pytest.param(lambda c: c.pop("exp"), id="without exp"),
        pytest.param(lambda c: c.pop("iat"), id="without iat"),
        pytest.param(lambda c: c.pop("sub"), id="without sub"),
        pytest.param(lambda c: c.pop("identity"), id="without identity"),
        pytest.param(lambda c: c.pop("sessionId"), id="without session"),
        pytest.param(lambda c: c.pop("sessionSlug"), id="without slug"),
        pytest.param(lambda c: c.update(sessionId="17"), id="no session id"),
        pytest.param(lambda c: c.update(identity=17), id="no identity"),
    ],
)
async def test_a_token_with_wrong_claims_is_refused(
    client: SocketClient, host: Visitor, slug: str, change: Change
) -> None:
    claims = claims_of(host, slug)
    change(claims)
    token = jwt.encode(claims, client.place.secret, algorithm="HS256")
    assert await client.attempt(token) == (401, "bad_token")


async def test_nobody_speaks_in_a_session_that_is_not_theirs(
    client: SocketClient, host: Visitor, slug: str
) -> None:
    other = claims_of(host, host.start_session("Other"))
    mixed = claims_of(host, slug) | {"identity": other["identity"]}
    assert await client.attempt(jwt.encode(mixed, client.place.secret)) == (404, "not_found")
    nowhere = other | {"sessionId": str(uuid.uuid4())}
    assert await client.attempt(jwt.encode(nowhere, client.place.secret)) == (404, "not_found")


async def test_an_ended_session_takes_nobody(
    client: SocketClient, host: Visitor, slug: str
) -> None:
    token = host.join(slug)["transcription"]["token"]
    host.end(slug)
    assert await client.attempt(token) == (403, "ended")


async def test_a_foreign_page_is_refused(client: SocketClient, host: Visitor, slug: str) -> None:
    token = host.join(slug)["transcription"]["token"]
    for origin in ("https://evil.example", "null", host.url.replace("http", "https")):
        assert await client.attempt(token, origin=origin) == (403, "foreign_origin")
    assert await client.attempt(token, origin=host.url) == (101, "")
    assert await client.attempt(token) == (101, ""), "a client that is no browser sends no Origin"


async def test_the_subprotocol_is_answered(client: SocketClient, host: Visitor, slug: str) -> None:
    assert (await client.open_as(host, slug)).subprotocol == "sessions.v1"


async def test_a_token_in_the_address_works_and_is_not_logged(
    client: SocketClient, host: Visitor, slug: str
) -> None:
    token = host.join(slug)["transcription"]["token"]
    socket = await client.open(None, query=f"?token={token}")
    assert socket.subprotocol is None
    await socket.send('{"type": "hello", "client": "abcdefgh"}')
    assert json.loads(await socket.recv())["type"] == "welcome"
    log = client.place.log
    assert token.rsplit(".", 1)[1] not in log
    assert "uvicorn" not in str(client.place.command) or "/ws?token=…" in log


async def test_one_person_has_a_bounded_number_of_sockets(
    client: SocketClient, host: Visitor, slug: str
) -> None:
    token = host.join(slug)["transcription"]["token"]
    attempts = [client.attempt(token) for _ in range(PER_PERSON + 3)]
    statuses = sorted(status for status, _ in await asyncio.gather(*attempts))
    assert statuses == [101] * PER_PERSON + [429] * 3
    assert await client.attempt(token) == (429, "too_many_connections")
    other = guest(host, slug, "Bob").join(slug)["transcription"]["token"]
    assert (await client.attempt(other))[0] == 101
    await client.opened[0].close()
    assert (await eventually(lambda: client.attempt(token)))[0] == 101


async def eventually(act: Callable[[], Awaitable[tuple[int, str]]]) -> tuple[int, str]:
    for _ in range(40):
        status = await act()
        if status[0] == 101:
            break
        await asyncio.sleep(0.05)
    return status


def test_sockets_are_bounded_per_person_and_per_session() -> None:
    quota = SocketQuota()
    people = [f"p_{number}" for number in range(PER_SESSION)]
    assert all(quota.acquire("one", who) for who in people)
    assert not quota.acquire("one", "p_late")
    assert quota.acquire("other", "p_late")
    quota.release("one", people[0])
    assert quota.acquire("one", "p_late")
    for _ in range(PER_PERSON - 1):
        assert quota.acquire("other", "p_late")
    assert not quota.acquire("other", "p_late")


# Mistakes after it was accepted


class Silent:
    """A client that says nothing, from the beginning of this module on, in a thread."""

    def __init__(self, place: AppServer) -> None:
        host = Visitor(place.url).sign_in("Silent Bob")
        self._token = host.join(host.start_session())["transcription"]["token"]
        self._url = place.url.replace("http", "ws") + "/ws"
        self.said: list[dict[str, Any]] = []
        self.lasted = 0.0
        self.code: int | None = None
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        offered = [Subprotocol("sessions.v1"), Subprotocol(self._token)]
        with connect_in_thread(self._url, subprotocols=offered, compression=None) as socket:
            began = time.monotonic()
            self.said = [json.loads(text) for text in _all(socket)]
            self.lasted = time.monotonic() - began
            self.code = socket.close_code

    def wait(self) -> None:
        """Wait until it was closed."""
        self._thread.join(15)


def _all(socket: ClientConnectionInThread) -> Iterator[str | bytes]:
    with suppress(ConnectionClosed):
        yield from socket


@pytest.fixture(scope="module", autouse=True)
def silent(place: AppServer) -> Iterator[Silent]:
    yield Silent(place)


async def test_before_hello_nothing_else_is_understood(
    client: SocketClient, host: Visitor, slug: str
) -> None:
    socket = await client.open_as(host, slug)
    for early in (QUIET_FRAME, '{"type": "mic", "on": true}', "rubbish"):
        await socket.send(early)
        answer = json.loads(await socket.recv())
        assert answer["type"] == "error"
        assert answer["code"] in ("hello_expected", "bad_message")
    await socket.send('{"type": "hello", "client": "abcdefgh"}')
    assert json.loads(await socket.recv())["type"] == "welcome"


Sent = str | bytes


@pytest.mark.parametrize(
    ("mistake", "code"),
    [
        pytest.param("{", "bad_message", id="no JSON"),
        pytest.param('{"type": "shout"}', "bad_message", id="unknown type"),
        pytest.param('{"type": "hello", "client": "abcdefgh"}', "bad_message", id="hello again"),
        pytest.param('{"type": "mic", "on": "yes"}', "bad_message", id="wrong value"),
        pytest.param(base64.b64encode(QUIET_FRAME).decode(), "bad_message", id="audio as text"),
        pytest.param('{"a": "' + "x" * 5000 + '"}', "bad_message", id="long text"),
        pytest.param(b'{"type": "mic", "on": true}', "bad_audio", id="text as audio"),
        pytest.param(b"", "bad_audio", id="empty"),
        pytest.param(QUIET_FRAME[:-1], "bad_audio", id="odd length"),
        pytest.param(bytes(8 + 2 * 319), "bad_audio", id="too short"),
        pytest.param(bytes(8 + 2 * 1601), "bad_audio", id="too long"),
        pytest.param(b"\xff" * 648, "bad_audio", id="index out of range"),
    ],
)
async def test_a_mistake_is_answered_and_nothing_is_lost(
    host: Visitor, slug: str, mistake: Sent, code: str
) -> None:
    async with host.page(slug) as page:
        await page.mic(True)
        await page.speak(silence(0.2))
        await page.socket.send(mistake)
        await page.until(lambda: page.of_type("error"))
        assert page.of_type("error")[0]["code"] == code
        await page.speak(silence(0.2))
        await page.leave()
        await page.connect()
        assert page.welcome["received"] == page.index


@pytest.mark.parametrize(
    ("mistake", "code"), [("rubbish", 1008), (b"rubbish", 1003), (QUIET_FRAME, 1003)]
)
async def test_who_goes_on_making_mistakes_is_closed(
    host: Visitor, slug: str, mistake: Sent, code: int
) -> None:
    async with host.page(slug) as page:
        for _ in range(9):
            await page.socket.send(mistake)
        await page.until(lambda: len(page.of_type("error")) == 9)
        await page.mic(False)
        assert page.closed is None
        await page.socket.send(mistake)
        assert await page.until_closed() == code
        expected = {"rubbish": "bad_message", b"rubbish": "bad_audio"}.get(mistake, "mic_off")
        assert {error["code"] for error in page.of_type("error")} == {expected}


@pytest.mark.parametrize("huge", ["x" * 65_537, bytes(65_537)], ids=["text", "binary"])
async def test_a_huge_message_ends_the_connection(host: Visitor, slug: str, huge: Sent) -> None:
    async with host.page(slug) as page:
        await page.socket.send(huge)
        assert await page.until_closed() == 1009


async def test_text_that_is_no_text_ends_the_connection(host: Visitor, slug: str) -> None:
    async with host.page(slug) as page:
        await page.socket.send(b"\xff\xfe", text=True)
        assert await page.until_closed() == 1007


async def test_audio_that_cannot_have_been_spoken_is_refused(host: Visitor, slug: str) -> None:
    async with host.page(slug) as page:
        await page.mic(True)
        began = time.monotonic()
        with pytest.raises(ConnectionClosed):
            await page.speak(silence(400))
            await page.socket.wait_closed()
            await page.mic(True)
        assert await page.until_closed() == 4429
        assert page.of_type("error")[-1]["code"] == "too_fast"
        passed = time.monotonic() - began
        await page.connect()
        taken = page.welcome["received"] / 16_000
        assert 330 <= taken <= 331 + passed
        await asyncio.sleep(0.3)
        await page.mic(True)
        await page.send_frame(page.welcome["received"], bytes(2 * FRAME))
        await page.leave()
        await page.connect()
        assert page.welcome["received"] / 16_000 > taken, "it may go on at the pace of speech"


# People and their microphones


async def test_everybody_sees_who_is_here(host: Visitor, slug: str) -> None:
    bob = guest(host, slug, "Bob")

    def names(page: RoomPage) -> list[str]:
        return [person["name"] for person in page.of_type("people")[-1]["people"]]

    async with host.page(slug) as ada_page:
        assert ada_page.welcome["you"]["role"] == "HOST"
        async with bob.page(slug) as bob_page, bob.page(slug) as second_tab:
            assert bob_page.welcome["you"]["role"] == "GUEST"
            await second_tab.until(lambda: second_tab.of_type("people"))
            assert names(second_tab) == ["Ada Lovelace", "Bob"], "two tabs are one person"
            await bob_page.leave()
            await second_tab.until(lambda: len(second_tab.of_type("people")) == 2)
            assert names(second_tab) == ["Ada Lovelace", "Bob"]
        await ada_page.until(lambda: names(ada_page) == ["Ada Lovelace"])


async def test_everybody_sees_whose_microphone_is_on(host: Visitor, slug: str) -> None:
    async with host.page(slug) as ada_page, guest(host, slug, "Bob").page(slug) as bob_page:
        me = ada_page.welcome["you"]["identity"]

        def states() -> list[str]:
            told = [one for one in bob_page.of_type("speech") if one["identity"] == me]
            return [one["state"] for one in told]

        await ada_page.mic(True)
        await ada_page.speak(silence(0.2) + speak("one two three four"))
        await bob_page.until(lambda: "listening" in states())
        await ada_page.mic(False)
        await bob_page.until(lambda: states()[-1] == "paused")
        assert states()[:2] == ["ready", "listening"]
        async with guest(host, slug, "Late").page(slug) as late:
            await late.until(lambda: late.of_type("speech"))
            assert late.of_type("speech")[0]["state"] == "paused"


async def test_only_what_is_missing_has_to_be_sent_again(host: Visitor, slug: str) -> None:
    page = host.page(slug)
    await page.connect()
    assert page.welcome["received"] == 0
    await page.mic(True)
    await page.speak(silence(1.0))
    await page.drop()
    page.record(silence(0.4))
    await page.connect()
    assert 0 <= page.welcome["received"] <= 16_000
    await page.mic(True)
    await page.resend()
    await page.resend(first=8_000)
    await page.leave()
    await page.connect()
    assert page.welcome["received"] == page.index == 1.4 * 16_000
    await page.leave()


async def test_the_same_page_takes_over_from_its_old_socket(host: Visitor, slug: str) -> None:
    old = host.page(slug)
    await old.connect()
    await old.mic(True)
    await old.speak(silence(1.0))
    await old.send({"type": "mic", "on": True})
    new = host.page(slug, client=old.client)
    await new.connect()
    assert await old.until_closed() == 4402
    assert new.welcome["received"] == 16_000
    await new.until(lambda: new.of_type("people"))
    assert [one["name"] for one in new.of_type("people")[-1]["people"]] == ["Ada Lovelace"]
    await old.leave()
    await new.mic(True)
    assert new.closed is None
    await new.leave()


async def test_another_persons_page_of_the_same_name_is_another_page(
    host: Visitor, slug: str
) -> None:
    async with host.page(slug) as ada_page:
        await ada_page.mic(True)
        await ada_page.speak(silence(1.0))
        async with guest(host, slug, "Bob").page(slug, client=ada_page.client) as bob_page:
            assert bob_page.welcome["received"] == 0
        await ada_page.mic(False)
        assert ada_page.closed is None


async def test_the_end_closes_every_page_also_of_who_is_still_talking(
    host: Visitor, slug: str
) -> None:
    bob = guest(host, slug, "Bob")
    async with host.page(slug) as ada_page, bob.page(slug) as bob_page:
        await ada_page.mic(True)

        async def talk() -> None:
            while True:
                await ada_page.speak(beckett()[:96_000], speed=1)

        talking = asyncio.create_task(talk())
        await bob_page.until(lambda: bob_page.of_type("utterance"))
        assert (await asyncio.to_thread(bob.end, slug)).status_code == 404, "only the host can"
        assert (await asyncio.to_thread(host.end, slug)).status_code == 303
        for page in (ada_page, bob_page):
            assert await page.until_closed() == 4410
            ended = page.of_type("session")[-1]
            assert (ended["status"], ended["reason"]) == ("ENDED", "ADMIN_ENDED")
            assert page.of_type("error") == []
        talking.cancel()
        await asyncio.wait([talking])


# Real speech


@dataclass
class Spoken:
    """A session in which Ada said BECKETT."""

    host: Visitor
    slug: str
    finals: list[dict[str, Any]]


async def _speak(host: Visitor, slug: str, pcm: bytes, passage: str) -> list[dict[str, Any]]:
    async with host.page(slug) as page:
        await page.mic(True)
        await page.speak(pcm)
        await page.mic(False)
        await all_is_said(page, passage)
        return page.finals


async def all_is_said(page: RoomPage, passage: str) -> None:
    """Wait until the passage is there and stored, and a moment for what should not come."""
    await page.until(lambda: len(words(page.text)) >= 0.95 * len(words(passage)))
    await asyncio.sleep(0.5)
    await page.until(lambda: len(page.of_type("settled")) == len(page.finals))
    settled = [one["index"] for one in page.of_type("settled")]
    assert settled == sorted(settled)


@pytest.fixture(scope="module")
def spoken(place: AppServer) -> Spoken:
    host = Visitor(place.url).sign_in("Ada Lovelace")
    slug = host.start_session("Beckett")
    return Spoken(host, slug, asyncio.run(_speak(host, slug, beckett(), BECKETT)))


def test_speech_becomes_text(spoken: Spoken) -> None:
    text = " ".join(final["text"] for final in spoken.finals)
    assert words_in_order(BECKETT, text) >= 0.8, text
    assert {final["name"] for final in spoken.finals} == {"Ada Lovelace"}
    assert [final["seq"] for final in spoken.finals] == list(range(1, len(spoken.finals) + 1))


async def test_who_comes_late_gets_everything_once_and_in_order(spoken: Spoken) -> None:
    async with guest(spoken.host, spoken.slug, "Late").page(spoken.slug) as late:
        await late.until(lambda: late.of_type("people"))
        assert late.welcome["seq"] == len(spoken.finals)
        assert late.finals == spoken.finals


async def test_who_comes_back_gets_only_what_is_missing(spoken: Spoken) -> None:
    page = guest(spoken.host, spoken.slug, "Back").page(spoken.slug)
    for seen in (len(spoken.finals) - 1, len(spoken.finals), len(spoken.finals) + 5):
        page.messages.clear()
        page.forget_after(seen)
        await page.connect()
        await page.until(lambda: page.of_type("people"))
        missing = spoken.finals[seen:] if seen <= len(spoken.finals) else spoken.finals
        assert page.finals == missing
        await page.drop()


async def test_a_whole_passage_is_captioned_stored_and_read_again(host: Visitor, slug: str) -> None:
    bob = guest(host, slug, "Bob")
    async with bob.page(slug) as reader:
        finals = await _speak(host, slug, two_cities(), TWO_CITIES)
        await reader.until(lambda: len(reader.finals) == len(finals))
        partials = [one for one in reader.of_type("utterance") if not one["final"]]
        assert {one["name"] for one in partials + reader.finals} == {"Ada Lovelace"}
        assert words_in_order(TWO_CITIES, reader.text) >= 0.85, reader.text
        assert len(words(reader.text)) <= 1.1 * len(words(TWO_CITIES))
    host.end(slug)
    page = unescape(host.http.get(f"/s/{slug}").text)
    places = [page.index(final["text"]) for final in finals]
    assert places == sorted(places)
    assert "Ada Lovelace" in page
    # What it took is for the space that pays: 0:43 of audio, at a cent a minute.
    account = re.search(r'"row">Ada Lovelace</th><td>0:(\d\d)</td>.*?<td>([\d.]+)</td></tr>', page)
    assert account is not None
    assert 38 <= int(account[1]) <= 46
    assert float(account[2]) == pytest.approx(int(account[1]) / 60 * 0.01, abs=0.001)
    assert "What transcribing took" not in bob.http.get(f"/s/{slug}").text


@pytest.mark.parametrize("share", [0.33, 0.71])
async def test_a_lost_connection_in_mid_speech_loses_and_repeats_nothing(
    spoken: Spoken, share: float
) -> None:
    slug = spoken.host.start_session()
    pcm = beckett()
    middle = int(len(pcm) * share) // (2 * FRAME) * 2 * FRAME
    page = spoken.host.page(slug)
    await page.connect()
    await page.mic(True)
    await page.speak(pcm[:middle])
    await page.drop()
    page.record(pcm[middle : middle + 64_000])
    await page.connect()
    await page.mic(True)
    await page.resend(first=max(0, page.welcome["received"] - 16_000))
    await page.speak(pcm[middle + 64_000 :])
    await page.mic(False)
    await all_is_said(page, BECKETT)
    undisturbed = words(" ".join(final["text"] for final in spoken.finals))
    assert words(page.text) == undisturbed
    await page.leave()


def test_who_never_says_hello_is_closed(silent: Silent) -> None:
    silent.wait()
    assert silent.code == 1008
    assert [one["code"] for one in silent.said] == ["hello_expected"]
    assert 9 < silent.lasted < 14
