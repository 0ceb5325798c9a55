"""What one socket sends at once is handled a little at a time, in turns with others."""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from tests.fuzz.wire_harness import KeepingTransport
from tests.support.echo_server import BINARY, PING, TEXT, frame
from tests.support.waiting import until
from web.socket.bounds import FRAMES_PER_TURN
from web.socket.direct import DirectWebSocketProtocol
from web.socket.offer import EXTENSION

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
MANY = 200


class Line:
    """A connection without a socket, whose app notes what it is told, and where it came from."""

    def __init__(self, name: str, handled: list[tuple[str, bytes]]) -> None:
        self.transport: Any = KeepingTransport()
        self.held = asyncio.Event()  # set: the app takes texts
        self.held.set()
        self._name, self._handled = name, handled
        config = uvicorn.Config(
            self._app, interface="asgi3", log_config=None, ws_per_message_deflate=False
        )
        config.load()
        self.protocol = DirectWebSocketProtocol(config, ServerState(), {})
        self.protocol.connection_made(self.transport)

    async def accepted(self) -> Line:
        self.protocol.data_received(REQUEST)
        await until(lambda: b"101" in self.transport.written)
        self.transport.written.clear()
        return self

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        scope["extensions"][EXTENSION].on_binary(self._note)
        while (event := await receive())["type"] == "websocket.receive":
            text = event.get("text")
            self._note(event["bytes"] if text is None else text.encode())
            await self.held.wait()

    def _note(self, data: bytes) -> None:
        self._handled.append((self._name, data))


async def test_one_read_is_handled_in_turns_and_nothing_is_read_meanwhile() -> None:
    handled: list[tuple[str, bytes]] = []
    line = await Line("a", handled).accepted()
    sent = [b"%d" % number for number in range(MANY)]
    line.protocol.data_received(b"".join(frame(BINARY, data) for data in sent))
    assert len(handled) == FRAMES_PER_TURN
    assert not line.transport.reading
    await until(lambda: line.transport.reading)
    assert [data for _, data in handled] == sent


async def test_those_who_have_more_take_turns_and_others_come_between() -> None:
    handled: list[tuple[str, bytes]] = []
    lines = [await Line(name, handled).accepted() for name in "ab"]
    burst = frame(BINARY, b"x") * MANY
    for line in lines:
        line.protocol.data_received(burst)
    other = await Line("other", handled).accepted()
    other.protocol.data_received(frame(BINARY, b"short"))
    await until(lambda: all(line.transport.reading for line in lines))
    names = [name for name, _ in handled]
    assert names.count("a") == names.count("b") == MANY
    lead = [names[:end].count("a") - names[:end].count("b") for end in range(2 * MANY)]
    assert max(map(abs, lead)) <= FRAMES_PER_TURN


async def test_texts_wait_for_the_app_and_stay_in_order_with_audio() -> None:
    handled: list[tuple[str, bytes]] = []
    line = await Line("a", handled).accepted()
    sent = [b"%d" % number for number in range(MANY)]
    kinds = [TEXT if number % 7 == 3 else BINARY for number in range(MANY)]
    line.held.clear()
    line.protocol.data_received(
        b"".join(frame(kind, data) for kind, data in zip(kinds, sent, strict=True))
    )
    for _ in range(20):
        await asyncio.sleep(0)
    assert [data for _, data in handled] == sent[:4], "the app is busy with the first text"
    assert not line.transport.reading
    line.held.set()
    await until(lambda: line.transport.reading)
    assert [data for _, data in handled] == sent


async def test_what_comes_before_the_answer_waits_for_it() -> None:
    handled: list[tuple[str, bytes]] = []
    line = Line("a", handled)
    line.protocol.data_received(REQUEST + frame(BINARY, b"early") + frame(PING, b"p"))
    assert line.transport.written == b""
    await until(lambda: line.transport.reading)
    assert line.transport.written.endswith(b"\x8a\x01p")
