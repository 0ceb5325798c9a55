"""Who doesn't read holds nobody up: on real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from core.room.wire import Batch, Error, Message, UtteranceMessage
from tests.support.app_server import free_port
from tests.support.waiting import WAIT_TIMEOUT_S, wait_until
from web.socket.listeners import DirectListener
from web.socket.offer import EXTENSION
from web.socket.replay import PIECE

TOGETHER = 7  # messages of one batch


def text(number: int, *, final: bool, size: int = 1500) -> Message:
    words = str(number).ljust(size, ".")
    seq = number if final else None
    return Message(
        UtteranceMessage(f"s-{number}", seq, "p", "Ada", 1, words, 0.0, 0.5, None, final)
    )


class Hall:
    """A server whose sockets hear what the test says, in a thread of its own."""

    def __init__(self) -> None:
        self.listeners: list[DirectListener] = []
        self.gone: list[DirectListener] = []
        self.past: list[Message] = []
        self.port = free_port()
        app = Starlette(routes=[WebSocketRoute("/", self._listen)])
        config = uvicorn.Config(
            app,
            port=self.port,
            ws="web.socket.direct:DirectWebSocketProtocol",
            log_level="warning",
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
        )
        self.server = uvicorn.Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self.server.run, daemon=True)
        self._thread.start()
        wait_until(lambda: self.server.started)

    async def _listen(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self._loop = asyncio.get_running_loop()
        listener = DirectListener(websocket.scope["extensions"][EXTENSION])
        listener.replay(self.past)
        self.listeners.append(listener)
        try:
            await listener.run()
        finally:
            self.gone.append(listener)

    def publish(self, *messages: Message) -> None:
        """Send messages to every listener, as a busy room does, and return when that was done."""

        async def send() -> None:
            for start in range(0, len(messages), TOGETHER):
                batch = Batch(messages[start : start + TOGETHER])
                for listener in self.listeners:
                    listener.send(batch)

        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(send(), self._loop).result(10)

    def unsent(self) -> int:
        """Return how much the kernel did not take from the server."""
        transports = [one.transport for one in list(self.server.server_state.connections)]
        return sum(one.get_write_buffer_size() for one in transports)

    def close(self, code: int) -> None:
        """Close every listener."""
        assert self._loop is not None
        for listener in self.listeners:
            self._loop.call_soon_threadsafe(listener.close, code)

    def stop(self) -> None:
        """End the server and its thread."""
        self.close(1001)
        self.server.should_exit = True
        self._thread.join(WAIT_TIMEOUT_S)


@pytest.fixture
def hall(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    monkeypatch.setattr("web.socket.ending.GOODBYE_S", 0.5)
    hall = Hall()
    yield hall
    hall.stop()


class Reader:
    """Reads as fast as it can, in a thread."""

    def __init__(self, hall: Hall) -> None:
        self.seqs: list[int] = []
        self.others: list[str] = []
        self.code: int | None = None
        self._url = f"ws://127.0.0.1:{hall.port}/"
        self._hall = hall
        before = len(hall.listeners)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        wait_until(lambda: len(hall.listeners) > before)

    def wait_for(self, seq: int) -> None:
        """Wait until a final has come."""
        wait_until(lambda: self.seqs[-1:] == [seq])

    def _read(self) -> None:
        with connect(self._url, compression=None, max_size=None) as socket:
            try:
                for data in socket:
                    message = json.loads(data)
                    if message.get("seq"):
                        self.seqs.append(message["seq"])
                    else:
                        self.others.append(message["type"])
            except ConnectionClosed:
                pass
            self.code = socket.close_code


class Sleeper:
    """Shakes hands and then reads nothing; the kernel keeps as little as it can for it."""

    def __init__(self, hall: Hall) -> None:
        before = len(hall.listeners)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", hall.port))
        self.socket.sendall(
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        wait_until(lambda: len(hall.listeners) > before)

    def wakes_up(self) -> None:
        """Have the kernel take more at once from now on."""
        self.socket.settimeout(WAIT_TIMEOUT_S)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)

    def read_until(self, message: Message) -> bytes:
        """Read until this message has come whole."""
        received = bytearray()
        self.socket.settimeout(WAIT_TIMEOUT_S)
        while not received.endswith(message.payload):
            received += self.socket.recv(65_536)
        return bytes(received)

    def wake_up(self) -> bytes:
        """Read all that still comes until the connection ends."""
        received = bytearray()
        with self.socket, suppress(ConnectionResetError):
            self.socket.settimeout(WAIT_TIMEOUT_S)
            while piece := self.socket.recv(65_536):
                received += piece
        return bytes(received)


def frames(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Take a server's answer apart into opcodes and payloads; a cut-off end is left out."""
    at = stream.index(b"\r\n\r\n") + 4
    while at + 4 <= len(stream):
        size, head = stream[at + 1], 2
        if size == 126:
            size, head = int.from_bytes(stream[at + 2 : at + 4], "big"), 4
        if at + head + size > len(stream):
            return
        yield stream[at] & 15, stream[at + head : at + head + size]
        at += head + size


def test_who_does_not_read_is_dropped_and_the_others_miss_nothing(hall: Hall) -> None:
    sleeper, reader = Sleeper(hall), Reader(hall)
    number = 0
    while not hall.gone:
        assert number < 40_000, "the sleeper is still there after 60 MB"
        batch = range(number + 1, number + 101)
        hall.publish(*(text(n, final=final) for n in batch for final in (False, True)))
        number += 100
        reader.wait_for(number)
    hall.publish(text(number + 1, final=True))
    reader.wait_for(number + 1)
    assert reader.seqs == list(range(1, number + 2))
    assert hall.gone == [hall.listeners[0]]
    wait_until(lambda: len(hall.server.server_state.connections) == 1)

    got = list(frames(sleeper.wake_up()))
    messages = [json.loads(payload) for opcode, payload in got if opcode == 1]
    finals = [message["seq"] for message in messages if message["final"]]
    assert finals == list(range(1, len(finals) + 1)), "what came was in order and without holes"
    goodbye = [int.from_bytes(payload[:2], "big") for opcode, payload in got if opcode == 8]
    assert goodbye in ([], [4400])


def test_who_falls_behind_misses_partials_only_and_catches_up(hall: Hall) -> None:
    sleeper = Sleeper(hall)
    number = 0
    while not hall.unsent():
        number += 1
        hall.publish(text(number, final=False), text(number, final=True))
    late = range(number + 1, number + 301)
    hall.publish(*(text(n, final=final) for n in late for final in (False, True)))
    received = sleeper.read_until(text(late[-1], final=True))
    hall.publish(text(0, final=False))
    received += sleeper.read_until(text(0, final=False))
    sleeper.socket.close()

    messages = [json.loads(payload) for _, payload in frames(received)]
    finals = [message["seq"] for message in messages if message["final"]]
    partials = [message["id"] for message in messages if not message["final"]]
    assert finals == list(range(1, late[-1] + 1))
    assert f"s-{late[-1]}" not in partials
    assert partials[-1] == "s-0", "once it reads again, it gets partials again"
    assert hall.gone == []


def test_a_long_past_is_told_in_full_before_what_comes_next(hall: Hall) -> None:
    hall.past = [text(n, final=True) for n in range(1, 4001)]
    reader = Reader(hall)
    hall.publish(*(text(n, final=True) for n in range(4001, 4101)))
    reader.wait_for(4100)
    assert reader.seqs == list(range(1, 4101))


def test_a_past_is_written_no_faster_than_it_is_read(hall: Hall) -> None:
    hall.past = [text(n, final=True) for n in range(1, 2001)]  # 3 MB
    sleeper = Sleeper(hall)
    wait_until(hall.unsent)
    most = hall.unsent()
    live = [text(n, final=True) for n in range(2001, 2101)]
    hall.publish(*live)
    sleeper.wakes_up()
    received = bytearray()
    while not received.endswith(live[-1].payload):
        received += sleeper.socket.recv(65_536)
        most = max(most, hall.unsent())
    sleeper.socket.close()
    assert most < 2 * PIECE + 200_000, "what was said meanwhile waits behind it"
    messages = [json.loads(payload) for _, payload in frames(bytes(received))]
    assert [message["seq"] for message in messages] == list(range(1, 2101))


def test_who_reads_nothing_of_the_past_is_given_up(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.socket.replay.LOOK_EVERY_S", 0.05)
    monkeypatch.setattr("web.socket.replay.STALLED_AFTER_S", 0.3)
    hall.past = [text(n, final=True) for n in range(1, 2001)]
    sleeper = Sleeper(hall)
    wait_until(lambda: hall.gone)
    wait_until(lambda: not hall.server.server_state.connections)
    sleeper.socket.close()


def test_who_is_slow_to_read_the_past_gets_all_of_it(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.socket.replay.LOOK_EVERY_S", 0.05)
    monkeypatch.setattr("web.socket.replay.STALLED_AFTER_S", 1.0)
    hall.past = [text(n, final=True) for n in range(1, 2001)]
    sleeper = Sleeper(hall)
    sleeper.wakes_up()
    received = bytearray()
    while not received.endswith(hall.past[-1].payload):
        received += sleeper.socket.recv(65_536)
        time.sleep(0.02)
    sleeper.socket.close()
    assert hall.gone == []


def test_a_page_that_never_reads_is_gone_after_its_close(hall: Hall) -> None:
    sleeper = Sleeper(hall)
    number = 0
    while not hall.unsent():
        number += 1
        hall.publish(text(number, final=True))
    hall.close(4401)
    wait_until(lambda: not hall.server.server_state.connections)
    sleeper.socket.close()


def test_a_page_that_answers_no_ping_is_gone_though_it_reads_nothing(hall: Hall) -> None:
    hall.server.config.ws_ping_interval = hall.server.config.ws_ping_timeout = 0.3
    sleeper = Sleeper(hall)
    number = 0
    # On a busy machine it may be gone before so much was written.
    while hall.server.server_state.connections and not hall.unsent():
        number += 1
        hall.publish(text(number, final=True))
    wait_until(lambda: not hall.server.server_state.connections)
    sleeper.socket.close()


def test_who_reads_no_answers_to_pings_gets_no_more_of_them(hall: Hall) -> None:
    sleeper = Sleeper(hall)
    number = 0
    while not hall.unsent():
        number += 1
        hall.publish(text(number, final=True))
    sleeper.socket.sendall((b"\x89\xfd" + bytes(4) + b"p" * 125) * 900)  # 114 kB of answers
    for _ in range(20):
        hall.publish(text(0, final=False, size=1))
    assert hall.unsent() < 80_000
    sleeper.socket.close()


def test_a_goodbye_comes_after_everything_else(hall: Hall) -> None:
    readers = [Reader(hall) for _ in range(2)]
    hall.publish(
        *(text(n, final=True) for n in range(1, 201)), Message(Error("bad_audio", detail="x"))
    )
    hall.close(4410)
    for reader in readers:
        reader.thread.join(10)
        assert reader.seqs == list(range(1, 201))
        assert reader.others == ["error"]
        assert reader.code == 4410


def test_after_the_goodbye_nothing_is_sent(hall: Hall) -> None:
    reader = Reader(hall)
    hall.publish(text(1, final=True))
    hall.close(4410)
    hall.publish(text(2, final=True))
    reader.thread.join(10)
    assert (reader.seqs, reader.code) == ([1], 4410)
