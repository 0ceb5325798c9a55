"""Attacks on a running Sessions; what others notice meanwhile is in tests.support.bystanders.

A flood runs in a process of its own (`python -m tests.support.attacks`, its order in JSON on
standard input), so that who measures isn't held up by it: raw bytes into a socket, as fast as the
server takes them or at a rate. All of it is on loopback and bounded in time.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support import ROOT

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
BLOCK = 64 * 1024  # bytes handed to the kernel at once
SILENT = bytes(2 * 1600)  # 100 ms of audio


def frame(opcode: int, data: bytes = b"", *, fin: bool = True) -> bytes:
    """Return a client's frame; its mask is zero, which is quick to make."""
    size = len(data)
    head = bytes(((0x80 if fin else 0) | opcode, 0x80 | min(size, 126)))
    assert size < 1 << 16
    return head + (size.to_bytes(2, "big") if size > 125 else b"") + bytes(4) + data


def message(**content: Any) -> bytes:
    """Return a JSON message as a frame."""
    return frame(TEXT, json.dumps(content).encode())


def _audio() -> Iterator[bytes]:
    for index in itertools.count(step=1600):
        yield frame(BINARY, index.to_bytes(8, "little") + SILENT)


def _fragmented_audio() -> Iterator[bytes]:
    """Good audio of 20 ms, cut into 90 fragments."""
    for index in itertools.count(step=320):
        data = index.to_bytes(8, "little") + SILENT[:640]
        parts = [data[at : at + 8] for at in range(0, len(data), 8)]
        middle = b"".join(frame(CONT, part, fin=False) for part in parts[1:-1])
        yield frame(BINARY, parts[0], fin=False) + middle + frame(CONT, parts[-1])


def _repeated(*frames: bytes) -> Iterator[bytes]:
    return itertools.cycle([b"".join(frames)])


def _after(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    return itertools.chain([first], rest)


MIC_ON, MIC_OFF = message(type="mic", on=True), message(type="mic", on=False)
HANDS = [message(type="hand", up=True), message(type="hand", up=False)]
# What is sent after `hello`, without end.
FLOODS: dict[str, Callable[[], Iterator[bytes]]] = {
    "empty pings": lambda: _repeated(frame(PING)),
    "125-byte pings": lambda: _repeated(frame(PING, b"p" * 125)),
    "pongs": lambda: _repeated(frame(PONG)),
    "empty fragments": lambda: _after(frame(TEXT, fin=False), _repeated(frame(CONT, fin=False))),
    "audio in fragments": lambda: _after(MIC_ON, _fragmented_audio()),
    "hands": lambda: _repeated(*HANDS),
    "reactions": lambda: _repeated(message(type="reaction", emoji="👍")),
    "take": lambda: _repeated(message(type="take")),
    "mic on and off": lambda: _repeated(MIC_ON, MIC_OFF),
    "mic off": lambda: _repeated(MIC_OFF),
    "beats": lambda: _repeated(message(type="beat")),
    "bad JSON": lambda: _repeated(frame(TEXT, b"{")),
    "audio while off": lambda: _after(MIC_OFF, _audio()),
    "audio faster than real time": lambda: _after(MIC_ON, _audio()),
    "audio after a mute": _audio,
    "frames cut at every byte": lambda: _after(MIC_ON, _audio()),
}
MUTED = "audio after a mute"  # which a host has to do first
CUT = "frames cut at every byte"


@dataclass
class Order:
    """What a flood is to do: see FLOODS. `rate` is in bytes a second, 0 as fast as it goes."""

    kind: str
    url: str
    token: str
    seconds: float
    rate: float = 0.0
    reads: bool = True
    until_closed: bool = False  # and no longer
    source: str = "127.0.0.1"  # its own address


@dataclass
class Outcome:
    """What became of a flood."""

    sent: int = 0  # bytes
    code: int | None = None  # with which the server closed
    closed_after: float | None = None  # seconds from the first byte of the flood
    sent_after_close: int = 0  # bytes the kernels still took
    ended_after: float | None = None  # seconds until the connection was gone
    status: int = 101  # of the answer to the handshake


class RawSocket:
    """A WebSocket client of raw bytes that decides what it reads."""

    def __init__(self, url: str, token: str, source: str = "127.0.0.1", buffer: int = 0) -> None:
        place = urlsplit(url)
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.bind((source, 0))
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", place.port or 80))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Protocol: sessions.v1, {token}\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head and (more := self.socket.recv(1)):
            head += more
        self.status = int(head.split(b" ", 2)[1])
        self.head = head.decode()  # of the answer
        self._unread = bytearray()

    def hello(self) -> None:
        """Come in as a fresh page."""
        self.socket.sendall(message(type="hello", client=os.urandom(8).hex()))

    def take(self, data: bytes) -> int | None:
        """Note what was read; return the code of the close frame once there is one."""
        self._unread += data
        while len(self._unread) >= 4:
            size, body = self._unread[1], 2
            if size == 126:
                size, body = int.from_bytes(self._unread[2:4], "big"), 4
            elif size == 127:
                size, body = int.from_bytes(self._unread[2:10], "big"), 10
            if len(self._unread) < body + size:
                return None
            if self._unread[0] & 15 == CLOSE:
                return int.from_bytes(self._unread[body : body + 2], "big")
            del self._unread[: body + size]
        return None

    def until(self, text: bytes) -> None:
        """Read until a message has this text."""
        seen = b""
        while text not in seen and (more := self.socket.recv(BLOCK)):
            seen += more


def attack(order: Order, ready: Callable[[], None] = lambda: None) -> Outcome:
    """Do what is ordered; `ready` is called between coming in and the flood."""
    client = RawSocket(order.url, order.token, order.source)
    outcome = Outcome(status=client.status)
    if client.status != 101:
        ready()
        return outcome
    client.hello()
    client.until(b'"welcome"')
    if order.kind == MUTED:
        client.socket.sendall(MIC_ON)
    ready()
    if order.kind == MUTED:
        client.until(b'"muted"')
    with client.socket, suppress(ConnectionError):
        _flood(client, order, outcome)
    return outcome


def _blocks(order: Order) -> Iterator[bytes]:
    frames, block = FLOODS[order.kind](), bytearray()
    for one in frames:
        if order.kind == CUT:
            for at in range(len(one)):
                yield one[at : at + 1]
            continue
        block += one
        if len(block) >= BLOCK or (order.rate and len(block) >= order.rate / 50):
            yield bytes(block)
            block.clear()


def _flood(client: RawSocket, order: Order, outcome: Outcome) -> None:
    began, line = time.monotonic(), client.socket
    line.setblocking(False)
    blocks, rest = _blocks(order), memoryview(b"")
    while (passed := time.monotonic() - began) < order.seconds:
        due = not order.rate or outcome.sent < order.rate * passed
        readable, writable, _ = select.select([line], [line] if due else [], [], 0.01)
        if readable and order.reads:
            try:
                data = line.recv(BLOCK)
            except ConnectionError:
                data = b""
            if outcome.code is None and (code := client.take(data)) is not None:
                outcome.code, outcome.closed_after = code, passed
            if not data:
                outcome.ended_after = passed
            if not data or (order.until_closed and outcome.code is not None):
                return
        if writable:
            rest = rest or memoryview(next(blocks))
            try:
                sent = line.send(rest)
            except BlockingIOError:
                continue
            except ConnectionError:
                _read_the_end(client, outcome, passed)
                return
            rest = rest[sent:]
            outcome.sent += sent
            outcome.sent_after_close += sent if outcome.code is not None else 0


def _read_the_end(client: RawSocket, outcome: Outcome, passed: float) -> None:
    outcome.ended_after = passed
    with suppress(OSError):
        while data := client.socket.recv(BLOCK):
            if outcome.code is None and (code := client.take(data)) is not None:
                outcome.code, outcome.closed_after = code, passed


class Flood:
    """A flood in a process of its own, which has come in when this returns."""

    def __init__(self, order: Order) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.attacks"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)))
        self._process.stdin.close()
        self._process.stdout.readline()

    def outcome(self) -> Outcome:
        """Wait for its end."""
        assert self._process.stdout is not None
        with self._process.stdout as output:
            told = json.loads(output.read())
        self._process.wait()
        return Outcome(**told)


def resident(pid: int) -> float:
    """Return a process's memory in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _main() -> None:
    order = Order(**json.load(sys.stdin))

    def ready() -> None:
        sys.stdout.write("in\n")
        sys.stdout.flush()

    sys.stdout.write(json.dumps(asdict(attack(order, ready))))


if __name__ == "__main__":
    _main()
