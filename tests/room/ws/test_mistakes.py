"""`/ws`, docs/protocol.md: mistakes of a page that was accepted, and what they cost it."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection as ClientConnectionInThread
from websockets.sync.client import connect as connect_in_thread
from websockets.typing import Subprotocol

from core.speech.pace import PACE_ALLOWANCE
from tests.emulators.wordaudio import silence
from tests.support.app_server import AppServer
from tests.support.socket_client import QUIET_FRAME, SocketClient
from tests.support.visitors import FRAME, Visitor


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
            await page.speak(silence(PACE_ALLOWANCE + 70))
            await page.socket.wait_closed()
            await page.mic(True)
        assert await page.until_closed() == 4429
        assert page.of_type("error")[-1]["code"] == "too_fast"
        passed = time.monotonic() - began
        await page.connect()
        taken = page.welcome["received"] / 16_000
        assert PACE_ALLOWANCE <= taken <= PACE_ALLOWANCE + 1 + passed
        await asyncio.sleep(0.3)
        await page.mic(True)
        await page.send_frame(page.welcome["received"], bytes(2 * FRAME))
        await page.leave()
        await page.connect()
        assert page.welcome["received"] / 16_000 > taken, "it may go on at the pace of speech"


def test_who_never_says_hello_is_closed(silent: Silent) -> None:
    silent.wait()
    assert silent.code == 1008
    assert [one["code"] for one in silent.said] == ["hello_expected"]
    assert 9 < silent.lasted < 14
