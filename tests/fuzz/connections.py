"""Targets for raw bytes: requests of HTTP, and frames of a WebSocket beside another's parser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

from hypothesis import example, given
from hypothesis import strategies as some
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from tests.fuzz.mutation import mutated
from tests.fuzz.wire_harness import exchange
from tests.support.echo_server import BINARY, CLOSE, CONT, PING, TEXT, cut, frame
from web.serving import MAX_MESSAGE
from web.socket.offer import EXTENSION

T = TypeVar("T")
PLACES = some.lists(some.floats(0, 1), max_size=6)  # where what is sent is cut

REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /s/x?y=%00 HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncookie: a=b; c\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\na=b&c",
    b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n0\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    b"HEAD / HTTP/1.0\r\n\r\n",
]
_ANSWER = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def _pieces(data: bytes, places: list[float]) -> list[bytes]:
    return cut(data, *sorted(int(place * len(data)) for place in places))


async def _reads_all(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close"})
        return
    while (event := await receive())["type"] == "http.request" and event["more_body"]:
        pass
    if event["type"] == "http.request":
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})


@given(some.lists(mutated(REQUESTS), min_size=1, max_size=3), PLACES)
@example([b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 9000], [])
@example([b"GET /" + b"a" * 70_000], [0.5])
@example([REQUESTS[0] * 40], [])
def requests(sent: list[bytes], places: list[float]) -> None:
    """Whatever comes, what is written are answers, and refusals end the connection."""
    written, closed = _run(exchange(_reads_all, _pieces(b"".join(sent), places)))
    statuses = [int(status) for status in _ANSWER.findall(written)]
    assert bool(written) == bool(statuses), written
    assert set(statuses) <= {100, 200, 400, 403, 408, 413, 414, 426, 429, 431, 500}, statuses
    assert statuses.count(200) <= 3 * 40
    if b"".join(sent) == REQUESTS[0]:
        assert statuses == [200]
        assert not closed


# --- Frames -------------------------------------------------------------------------------

SHAKE = REQUESTS[5]
FRAMES = [
    frame(TEXT, b'{"type":"beat"}'),
    frame(TEXT, "ü👍".encode()),
    frame(BINARY, bytes(648)),
    frame(BINARY, b"a" * 126),
    frame(BINARY, b"", fin=False) + frame(CONT, b"ab", fin=False) + frame(CONT, b"c"),
    frame(TEXT, "ü".encode()[:1], fin=False) + frame(PING, b"x") + frame(CONT, "ü".encode()[1:]),
    frame(PING, b"a" * 125),
    frame(CLOSE, b"\x03\xe8bye"),
    frame(TEXT, b"begun", fin=False),
    frame(BINARY, b"begun", fin=False),
    frame(CONT, b"ended"),
    # A part of a message that looks like frames of audio, as its mask is nothing.
    b"\x02\xa4\0\0\0\0" + b"\x82\x86\0\0\0\0audio!" * 3,
    frame(BINARY, bytes(MAX_MESSAGE + 1)),
]


class _Taken:
    """An app that notes its messages in the order in which it gets them, on whichever way."""

    def __init__(self) -> None:
        self.messages: list[str | bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        await receive()
        await send({"type": "websocket.accept"})
        scope["extensions"][EXTENSION].on_binary(self.messages.append)
        while (event := await receive())["type"] == "websocket.receive":
            text = event.get("text")
            self.messages.append(event["bytes"] if text is None else text)


@given(some.lists(some.sampled_from(FRAMES) | mutated(FRAMES), min_size=1, max_size=8), PLACES)
def frames(sent: list[bytes], places: list[float]) -> None:
    """Messages, their order and the close code are those of the `websockets` library's parser."""
    taken, stream = _Taken(), b"".join(sent)
    written, _ = _run(exchange(taken, [SHAKE, *_pieces(stream, places)]))
    messages, code = _by_websockets(stream)
    assert taken.messages == messages
    assert _close_code(written.partition(b"\r\n\r\n")[2]) == code


def _by_websockets(stream: bytes) -> tuple[list[str | bytes], int | None]:
    """Return the messages in a stream of frames, and the code that answers its end."""
    parser = ServerProtocol(max_size=MAX_MESSAGE)
    parser.state = State.OPEN
    parser.parser = parser.parse()  # behind the handshake
    next(parser.parser)
    parser.receive_data(stream)
    messages: list[str | bytes] = []
    parts, kind = b"", Opcode.TEXT
    for event in cast("list[Frame]", parser.events_received()):
        if event.opcode in (Opcode.TEXT, Opcode.BINARY):
            kind, parts = event.opcode, b""
        if event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            parts += bytes(event.data)
            if event.fin:
                try:
                    messages.append(parts.decode() if kind is Opcode.TEXT else parts)
                except UnicodeDecodeError:
                    return messages, 1007
    sent = parser.close_sent
    return messages, sent.code if sent else None


def _close_code(written: bytes) -> int | None:
    """Return the code of the close frame among unmasked frames; None when there is none."""
    at = 0
    while at + 2 <= len(written):
        opcode, size, at = written[at] & 15, written[at + 1], at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(written[at : at + width], "big"), at + width
        if opcode == CLOSE:
            return Close.parse(written[at : at + size]).code
        at += size
    return None
