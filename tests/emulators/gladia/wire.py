"""HTTP and WebSocket on one TCP port, with a hand on everything that can go wrong there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import h11
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Close, Opcode
from websockets.frames import Frame as WireFrame
from websockets.http11 import Request as HandshakeRequest
from websockets.protocol import State
from websockets.server import ServerProtocol

MAX_FRAME = 2**20
_MAX_HEAD = 64 * 1024
_READ = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request; header names are in lower case."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes = b""

    def argument(self, name: str) -> str | None:
        """Return the first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else None


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response; a body that is not bytes is sent as JSON."""

    status: int
    body: Any = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Incoming:
    """A whole WebSocket message or a control frame."""

    kind: Literal["binary", "text", "ping", "pong"]
    data: bytes


class Dropped(Exception):  # noqa: N818 - a wanted outcome
    """Raised by a handler to abort the TCP connection without an answer."""


class WebSocket:
    """The server's end of one WebSocket, on a TCP connection it can also abort."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        protocol: ServerProtocol,
        close_timeout: float,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = protocol
        self._close_timeout = close_timeout
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._held: list[str] = []
        self._aborted = False
        self._fragments: list[bytes] = []
        self._fragments_kind: Literal["binary", "text"] = "binary"

    @property
    def is_open(self) -> bool:
        """Whether messages can still be sent."""
        return self._protocol.state is State.OPEN and not self._aborted

    @property
    def closed_with(self) -> tuple[int, str, Literal["client", "server"]]:
        """Code, reason and who closed first; 1006 when TCP ended without a close frame."""
        protocol = self._protocol
        sent, received = protocol.close_sent, protocol.close_rcvd
        by_client = received is not None and (sent is None or bool(protocol.close_rcvd_then_sent))
        close: Close | None = received if by_client else sent
        if close is not None:
            return close.code, close.reason, "client" if by_client else "server"
        return 1006, "", "server" if self._aborted else "client"

    def send(self, text: str) -> bool:
        """Send a text frame; False when the socket is no longer open."""
        if not self.is_open:
            return False
        if not self._flowing.is_set():
            self._held.append(text)
            return True
        self._protocol.send_text(text.encode())
        self.flush()
        return True

    def close(self, code: int | None, reason: str = "") -> None:
        """Close with a code; 1005 closes without one, None aborts the TCP connection."""
        if code is None:
            self.abort()
            return
        if not self.is_open:
            return
        self.resume()
        self._protocol.send_close(None if code == 1005 else code, reason)
        self.flush()
        asyncio.get_running_loop().call_later(self._close_timeout, self._writer.transport.abort)

    def abort(self) -> None:
        """Cut the TCP connection (RST), as a failing network does."""
        self._aborted = True
        self._flowing.set()
        self._writer.transport.abort()

    def stall(self) -> None:
        """Read nothing and send nothing until `resume`; TCP pushes back by itself."""
        self._flowing.clear()

    def resume(self) -> None:
        """Go on after `stall`; what was held back is sent first."""
        self._flowing.set()
        held, self._held = self._held, []
        for text in held:
            self.send(text)

    async def incoming(self) -> AsyncIterator[Incoming]:
        """Yield what the client sends until the connection has ended."""
        while True:
            for event in self._protocol.events_received():
                message = self._assemble(event) if isinstance(event, WireFrame) else None
                # After its own close frame the service listens no more.
                if message is not None and self.is_open:
                    yield message
            self.flush()
            if not await self._receive():
                return

    async def finish(self) -> None:
        """Close TCP after the WebSocket has ended; waits a little for the client's end."""
        self._protocol.receive_eof()
        self.flush()
        self._writer.close()
        try:
            await asyncio.wait_for(self._writer.wait_closed(), self._close_timeout)
        except (OSError, TimeoutError):
            self._writer.transport.abort()

    async def _receive(self) -> bool:
        await self._flowing.wait()
        try:
            async with asyncio.timeout(self._close_timeout if self._protocol.eof_sent else None):
                data = await self._reader.read(_READ)
        except (OSError, TimeoutError):
            data = b""
        if not data or self._aborted:
            return False
        # While stalled in the middle of a read, nothing more may be understood either.
        await self._flowing.wait()
        self._protocol.receive_data(data)
        return True

    def _assemble(self, frame: WireFrame) -> Incoming | None:
        if frame.opcode is Opcode.PING:
            return Incoming("ping", bytes(frame.data))
        if frame.opcode is Opcode.PONG:
            return Incoming("pong", bytes(frame.data))
        if frame.opcode is Opcode.CLOSE:
            return None
        if frame.opcode is not Opcode.CONT:
            self._fragments_kind = "text" if frame.opcode is Opcode.TEXT else "binary"
        self._fragments.append(bytes(frame.data))
        if not frame.fin:
            return None
        data, self._fragments = b"".join(self._fragments), []
        return Incoming(self._fragments_kind, data)

    def flush(self) -> None:
        """Write what the protocol wants to send."""
        for data in self._protocol.data_to_send():
            if self._writer.transport.is_closing():
                return
            if data:
                self._writer.write(data)
            elif self._writer.can_write_eof():
                self._writer.write_eof()


HttpHandler = Callable[[Request], Awaitable[Response]]
# Told of a request's path how many bytes of its body have come; may raise Dropped.
BodyWatcher = Callable[[str, int], None]
HandshakeHandler = Callable[[Request], Awaitable[Response | None]]
SocketHandler = Callable[[Request, WebSocket], Awaitable[None]]


class Listener:
    """Serves one TCP port: plain HTTP requests and WebSocket handshakes.

    `on_handshake` returns a response to refuse with, or None to accept.
    """

    def __init__(
        self,
        *,
        on_http: HttpHandler,
        on_handshake: HandshakeHandler,
        on_socket: SocketHandler,
        on_body: BodyWatcher,
        compression: bool,
        close_timeout: float,
    ) -> None:
        self._on_http = on_http
        self._on_handshake = on_handshake
        self._on_socket = on_socket
        self._on_body = on_body
        self._compression = compression
        self._close_timeout = close_timeout
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._transports: set[asyncio.WriteTransport] = set()
        self.reachable = True
        self.failures: list[BaseException] = []

    async def open(self, host: str, port: int) -> int:
        """Listen and return the port."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=2 * MAX_FRAME)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Abort every TCP connection there is."""
        for transport in self._transports:
            transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.reachable:
            writer.transport.abort()
            return
        self._transports.add(writer.transport)
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self.failures.append(failure)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._requests(reader, writer)
        except (Dropped, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            self._transports.discard(writer.transport)
            writer.close()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"upgrade: websocket" in head.lower():
                await self._socket(head, reader, writer)
                return
            connection.receive_data(head)
            request = await _read_request(connection, reader, self._on_body)
            await self._answer(connection, writer, await self._on_http(request))
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()

    async def _answer(
        self, connection: h11.Connection, writer: asyncio.StreamWriter, response: Response
    ) -> None:
        body = _encode(response.body)
        headers = list(response.headers)
        if response.status != 204:
            headers.append(("content-length", str(len(body))))
        if body:
            headers.append(("content-type", response.content_type))
        writer.write(_h11(connection, h11.Response(status_code=response.status, headers=headers)))
        writer.write(_h11(connection, h11.Data(data=body)) if body else b"")
        writer.write(_h11(connection, h11.EndOfMessage()))
        await writer.drain()

    async def _socket(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        deflate = [ServerPerMessageDeflateFactory()] if self._compression else None
        protocol = ServerProtocol(extensions=deflate, max_size=MAX_FRAME)
        protocol.receive_data(head)
        events = protocol.events_received()
        if not events or not isinstance(events[0], HandshakeRequest):
            raise Dropped
        handshake = events[0]
        request = _request("GET", handshake.path, dict(handshake.headers.raw_items()), b"")
        refusal = await self._on_handshake(request)
        if refusal is not None:
            answer = protocol.reject(refusal.status, _encode(refusal.body).decode())
        else:
            answer = protocol.accept(handshake)
        protocol.send_response(answer)
        socket = WebSocket(reader, writer, protocol, self._close_timeout)
        socket.flush()
        try:
            if protocol.state is State.OPEN:
                await self._on_socket(request, socket)
        finally:
            await socket.finish()


async def _read_request(
    connection: h11.Connection, reader: asyncio.StreamReader, watch: BodyWatcher
) -> Request:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = await reader.read(_READ)
            if not data:
                raise Dropped
            connection.receive_data(data)
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data) and head is not None:
            body += event.data
            watch(head.target.decode(), len(body))
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {name.decode(): value.decode() for name, value in head.headers}
            return _request(head.method.decode(), head.target.decode(), headers, bytes(body))
        else:
            raise Dropped


def _request(method: str, target: str, headers: dict[str, str], body: bytes) -> Request:
    parts = urlsplit(target)
    lower = {name.lower(): value for name, value in headers.items()}
    return Request(method, parts.path, parse_qs(parts.query), lower, body)


def _encode(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def _h11(connection: h11.Connection, event: h11.Event) -> bytes:
    return connection.send(event) or b""
