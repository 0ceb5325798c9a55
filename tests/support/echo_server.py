"""An application that echoes, on a protocol class of uvicorn, and a client of raw bytes."""

from __future__ import annotations

import asyncio
import itertools
import queue
import random
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from tests.support.waiting import WAIT_TIMEOUT_S
from web.socket.frames import encode_text_frame
from web.socket.offer import DirectSocket

MAX_SIZE = 120_000
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN = 0x80


class EchoApp:
    """Answers every message with its kind and checksum; takes binary directly if it can."""

    def __init__(self) -> None:
        self.directly = 0
        self.asked, self.sent_early = threading.Event(), threading.Event()
        self.disconnects: queue.Queue[tuple[int, int]] = queue.Queue()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if scope["path"] == "/early":
            await self._wait_for_early_frames()
        await send({"type": "websocket.accept"})
        direct: DirectSocket | None = scope["extensions"].get("sessions.direct")

        def take(data: bytes) -> None:
            assert direct is not None
            self.directly += 1
            if data == b"raise":
                raise ValueError("the callback failed")
            direct.send_frames(encode_text_frame(describe("binary", data)))

        if direct is not None:
            direct.on_binary(take)
        while (message := await receive())["type"] == "websocket.receive":
            if message.get("text") == "close":
                await send({"type": "websocket.close", "code": 4401})
                if direct is not None:
                    direct.send_frames(encode_text_frame(b"after the close"))
            elif message.get("text") == "queue" and direct is not None:
                direct.on_binary(None)
            else:
                kind = "text" if message.get("text") is not None else "binary"
                data = message["bytes"] if kind == "binary" else message["text"].encode()
                await send({"type": "websocket.send", "text": describe(kind, data).decode()})
        self.disconnects.put((scope["client"][1], message["code"]))

    async def _wait_for_early_frames(self) -> None:
        self.asked.set()
        await asyncio.to_thread(self.sent_early.wait, 5)
        await asyncio.sleep(0.01)  # the event loop reads what the kernel has
        self.asked.clear()
        self.sent_early.clear()


def describe(kind: str, data: bytes) -> bytes:
    return f"{kind} {len(data)} {zlib.crc32(data):08x}".encode()


@dataclass
class Server:
    port: int
    app: EchoApp

    def disconnect_code(self, client: Client) -> int:
        """The code with which the app saw this client go."""
        while True:
            port, code = self.app.disconnects.get(timeout=WAIT_TIMEOUT_S)
            if port == client.port:
                return code


@dataclass
class Seen:
    """What a client got, in order within its kind."""

    replies: list[bytes] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    close: int | None = None
    ended: bool = False


def serve(protocol: type[WebSocketsSansIOProtocol], max_size: int = MAX_SIZE) -> Iterator[Server]:
    app = EchoApp()
    config = uvicorn.Config(
        app,
        ws=protocol,
        lifespan="off",
        log_config=None,
        ws_max_size=max_size,
        ws_per_message_deflate=False,
    )
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield Server(listener.getsockname()[1], app)
    server.should_exit = True
    thread.join(10)
    listener.close()


def frame(opcode: int, data: bytes = b"", *, fin: bool = True, masked: bool = True) -> bytes:
    size = len(data)
    short = size if size < 126 else 126 if size < 1 << 16 else 127
    head = bytes(((FIN if fin else 0) | opcode, (0x80 if masked else 0) | short))
    if short > 125:
        head += size.to_bytes(2 if short == 126 else 8, "big")
    if not masked:
        return head + data
    # From the frame itself, so that every run, and every worker of one, has the same tests.
    mask = random.Random(head + data).randbytes(4)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return head + mask + (int.from_bytes(data, "big") ^ key).to_bytes(size, "big")


REQUEST = (
    b"GET %s HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Client:
    """A WebSocket client that decides what bytes go into which packet."""

    def __init__(self, server: Server, *, before_the_answer: bytes = b"") -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(REQUEST % (b"/early" if before_the_answer else b"/"))
        if before_the_answer:
            assert server.app.asked.wait(5)
            self.socket.sendall(before_the_answer)
            server.app.sent_early.set()
        self.port = self.socket.getsockname()[1]
        self.stream = self.socket.makefile("rb")
        assert b" 101 " in self.stream.readline()
        while self.stream.readline() != b"\r\n":
            pass
        self.seen = Seen()

    def send(self, *packets: bytes) -> Client:
        for packet in packets:
            self.socket.sendall(packet)
            if len(packets) > 1:
                time.sleep(0.0003)
        return self

    def read(self, replies: int = 0, pongs: int = 0, closes: int = 0) -> Client:
        """Read until there are that many in all, or with no number to the connection's end."""
        seen, to_the_end = self.seen, not (replies or pongs or closes)
        while not seen.ended and (
            to_the_end
            or len(seen.replies) < replies
            or len(seen.pongs) < pongs
            or (closes and seen.close is None)
        ):
            self._read_frame()
        return self

    def _read_frame(self) -> None:
        head = self.stream.read(2)
        if len(head) < 2:
            self.seen.ended = True
            return
        size = head[1]
        if size > 125:
            width = 2 if size == 126 else 8
            size = int.from_bytes(self.stream.read(width), "big")
        data = self.stream.read(size)
        opcode = head[0] & 0x0F
        if opcode == CLOSE:
            self.seen.close = struct.unpack("!H", data[:2])[0]
        else:
            {TEXT: self.seen.replies, PONG: self.seen.pongs}[opcode].append(data)

    def close(self) -> Seen:
        if not self.seen.ended:
            self.send(frame(CLOSE, b"\x03\xe8"))
            self.read()
        self.free()
        return self.seen

    def free(self) -> None:
        self.stream.close()
        self.socket.close()


clients: list[Client] = []


def connect(server: Server, *, before_the_answer: bytes = b"") -> Client:
    clients.append(Client(server, before_the_answer=before_the_answer))
    return clients[-1]


def cut(data: bytes, *places: int) -> list[bytes]:
    edges = [0, *sorted(places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges) if a < b]
