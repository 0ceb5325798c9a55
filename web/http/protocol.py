"""A uvicorn protocol class for HTTP in which each thing that a client sends or takes is bounded.

uvicorn's own, over httptools, reads headers, addresses and bodies of any length for any time, and
joins a long header anew for each read, which is quadratic. `BoundedHttpProtocol` gives the parser
a piece at a time, so that it never has more than MAX_HEAD of a head, and has a timer for each
thing that it waits for. Whoever passes a bound gets an answer where one can still be written, and
is closed. What a request is, and how the app is called, is the parent's.

Written against uvicorn 0.54.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from core.audit import note
from core.metrics import HTTP_REFUSED
from web.addresses import network_of
from web.http import bounds
from web.http.connections import KEY, PROXIED, Connections
from web.http.refusals import CROWDED, refusal
from web.http.unread import UnreadWatch
from web.stopping import begin_stop

_UNSENT_IN_KERNEL: Any = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # Linux, macOS
_ARCHIVE = bounds.ARCHIVE.encode()
_PIECE = 16 * 1024  # bytes given to the parser at once after a head


class _RefusedError(Exception):
    """Ends the parser within one of its callbacks."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's httptools class within `bounds`; the lifespan's state has the Connections."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._others: Connections = app_state[KEY]
        self._in_head = True  # else in a body; between two requests the next head is waited for
        self._size = 0  # bytes that came of the head, then of the body
        self._body = bounds.body_of("GET", "")  # what this request's may be
        self._max_body = self._body.raw  # bytes; fewer once its answer is complete
        self._paced = 0  # bytes that had come when its pace was looked at last
        self._status = 0  # the refusal's, once a bound is passed; then nothing more is read
        self._upgraded = False  # whether the transport is a WebSocket's by now
        self._timer: asyncio.TimerHandle | None = (
            None  # for the rest of the head or body, or linger
        )
        self._unread: UnreadWatch

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it in, and wait for a request."""
        super().connection_made(transport)
        self._unread = UnreadWatch(self.loop, transport)
        _keep_little_in_kernel(transport)
        status = self._others.enter(transport, self.client[0] if self.client else None)
        if status:
            self._refuse(status)
        else:
            self._wait(bounds.HEAD_TIMEOUT_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it out."""
        self._others.leave(self.transport)
        self._stop_waiting()
        self._unread.close()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End what nobody is working on: at once, or a moment later where an answer is unread.

        A request in progress has the time that the server gives all of them.
        """
        begin_stop(self.app_state)
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            super().shutdown()
        elif not self.transport.get_write_buffer_size():
            self.transport.abort()
        self.loop.call_later(bounds.LINGER_S, self._end_unread)

    def _end_unread(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        elif not self.transport.is_closing():  # its answer may still come, and be unread
            self.loop.call_later(bounds.LINGER_S, self._end_unread)

    # What comes

    def data_received(self, data: bytes) -> None:
        """Parse what came, in pieces that can't pass a bound unnoticed."""
        self._unset_keepalive_if_required()
        start = 0
        while start < len(data) and not (self._status or self._upgraded):
            if self.transport.is_closing():
                return
            room = bounds.MAX_HEAD - self._size if self._in_head else _PIECE
            piece = data[start : start + room]
            start += len(piece)
            self._size += len(piece)
            self._parse(piece)
            self._check_size()
        if self._status:
            self._drop(len(data) - start)
        elif self._timer is None and self._in_head and self._size and not self._upgraded:
            self._wait(bounds.HEAD_TIMEOUT_S)  # a part of the next request is here

    def _parse(self, piece: bytes) -> None:
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self._upgraded = True
                self._stop_waiting()
                self.handle_websocket_upgrade()
        except httptools.HttpParserError:
            if not self._status:
                self._refuse(400)

    def _check_size(self) -> None:
        if self._status or self._upgraded:
            return
        if self._in_head and self._size >= bounds.MAX_HEAD:
            self._refuse(414 if not self.headers else 431)
        elif not self._in_head and self._size > self._max_body:
            self._refuse(413)

    # What the parser finds

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        super().on_url(url)
        if len(self.url) > bounds.MAX_TARGET:
            self._refuse_within_parser(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer."""
        super().on_header(name, value)
        if len(self.headers) > bounds.MAX_HEADERS:
            self._refuse_within_parser(431)

    def on_headers_complete(self) -> None:
        """Start the request, and wait for its body if it has one."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            self._refuse_within_parser(400)  # RFC 9112, 3.2
        if len(self.pipeline) >= bounds.MAX_PIPELINED:
            self._refuse_within_parser(429)
        self._in_head, self._size = False, 0
        path = self.url.partition(b"?")[0]
        method = self.parser.get_method().decode("latin-1")
        self._body = bounds.body_of(method, path.decode("latin-1"))
        self._max_body, self._paced = self._body.raw, 0
        self._wait(self._body.timeout_s)
        is_archive = path.endswith(_ARCHIVE)
        self._unread.answer_s = bounds.ARCHIVE_S if is_archive else bounds.ANSWER_S
        self.scope["state"][PROXIED] = self._others.is_proxied(self.transport)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Have all of a request; what comes next is another one."""
        super().on_message_complete()
        self._in_head, self._size = True, 0
        self._stop_waiting()

    # What goes

    def pause_writing(self) -> None:
        """Watch whether the rest of the answer is read."""
        super().pause_writing()
        self._unread.look()

    def resume_writing(self) -> None:
        """Note that some of it was."""
        self._unread.moved()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Watch whether the end of the answer is read, too.

        Nobody reads what is left of a long body then: some of it may come, so that who sends it has
        the time to read the answer.
        """
        self._unread.answered()
        if self._body.pace and not self._in_head:
            self._max_body = self._size + bounds.MAX_RAW_BODY
        super().on_response_complete()

    # Refusals

    def _refuse_within_parser(self, status: int) -> None:
        self._refuse(status)
        raise _RefusedError

    def _refuse(self, status: int) -> None:
        """Answer with an error where one can be written, and close."""
        self._status = status
        self._stop_waiting()
        self._note(status)
        cycle = self.cycle
        if cycle is None or (cycle.response_complete and self._in_head):
            self.transport.write(self._answer(status))
        elif cycle.response_complete:
            pass  # this very request has its answer, only its body goes on
        elif self._in_head or self.pipeline or cycle.response_started:
            # Answers come in the order of the requests, each in one piece.
            self.transport.abort()
            return
        else:
            cycle.disconnected = True
            cycle.message_event.set()
            self.transport.write(self._answer(status))
        self._linger()

    def _note(self, status: int) -> None:
        HTTP_REFUSED.labels(str(status)).inc()
        address = network_of(self.client[0]) if self.client else None
        if status in CROWDED:
            note("limited", why="connections", address=address)
        else:
            note("refused", why=f"http_{status}", address=address)

    def _answer(self, status: int) -> bytes:
        services = self.app_state.get("services")
        https = services is not None and services.settings.https
        return refusal(status, self.server_state.default_headers, https=https)

    def _linger(self) -> None:
        """Say that this is the end, and give the client a moment to read the answer."""
        self._size = 0
        self.flow.resume_reading()
        with contextlib.suppress(NotImplementedError, OSError):  # TLS has no half of a connection
            self.transport.write_eof()
        self._timer = self.loop.call_later(bounds.LINGER_S, self.transport.abort)

    def _drop(self, size: int) -> None:
        self._size += size
        if self._size > bounds.MAX_LINGER:
            self.transport.abort()

    # Waiting

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, self._waited)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _waited(self) -> None:
        """The rest didn't come in time, unless we didn't let it."""
        self._timer = None
        if self.flow.read_paused:
            self._wait(bounds.HEAD_TIMEOUT_S if self._in_head else self._body.timeout_s)
        elif not self._in_head and 0 < self._body.pace <= self._size - self._paced:
            self._paced = self._size
            self._wait(self._body.timeout_s)
        elif self._in_head and not (self._size or self.cycle):
            self.transport.abort()  # not a byte came: nobody waits for an answer
        else:
            self._refuse(408)


def _keep_little_in_kernel(transport: asyncio.Transport) -> None:
    """Let the kernel keep MAX_KERNEL unsent, not megabytes: how much is read is seen by that."""
    connection: Any = transport.get_extra_info("socket")
    if _UNSENT_IN_KERNEL is not None and connection is not None:
        with contextlib.suppress(OSError, AttributeError):  # a socket of this machine
            connection.setsockopt(socket.IPPROTO_TCP, _UNSENT_IN_KERNEL, bounds.MAX_KERNEL)
