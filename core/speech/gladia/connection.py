"""One WebSocket to a Gladia session's URL: opened, read message by message, and closed in time.

It knows nothing of audio. What it is fed and what comes of the messages is its owner's, the stream,
which lives through any number of connections. Acknowledgments, nearly all of what comes, are the
one kind of message that may wait here: the newest stands for those before it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Protocol

from picows import (
    WSCloseCode,
    WSFrame,
    WSInvalidStatusError,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)

from core.speech.gladia.lowwater import ReadLowWatermark
from core.speech.gladia.protocol import (
    ACKNOWLEDGED,
    AudioAck,
    Next,
    ServerMessage,
    Transcript,
    Verdict,
    judge_close,
    judge_handshake,
    parse_message,
)
from core.speech.reasons import Reason

log = logging.getLogger(__name__)
_socket_log = log.getChild("socket")
_socket_log.setLevel(logging.WARNING)  # picows tells addresses below that

MAX_MESSAGE = 16 * 1024 * 1024  # bytes; a long session's last messages exceed 1 MiB
CLOSE_TIMEOUT_S = 1.0  # for a closing handshake; a peer that is dead never answers it
BINARY, TEXT, CLOSE = WSMsgType.BINARY, WSMsgType.TEXT, WSMsgType.CLOSE
MESSAGE = (TEXT, BINARY, WSMsgType.CONTINUATION)


class ConnectionOwner(Protocol):
    """The stream as its connections see it; called on the event loop's thread."""

    def connected(self, connection: Connection, transport: WSTransport) -> None:
        """Audio may be sent."""

    def disconnected(self, connection: Connection) -> None:
        """Nothing can be sent and nothing comes any more."""

    def paused(self, connection: Connection) -> None:
        """The kernel's buffer is full: what is sent now stays in our memory."""

    def resumed(self, connection: Connection) -> None:
        """There is room again."""

    def received(self, connection: Connection, message: ServerMessage) -> None:
        """Take a message."""


async def connect(
    owner: ConnectionOwner, url: str, tls: ssl.SSLContext | None, timeout_s: float
) -> Connection | Verdict:
    """Open a WebSocket for `owner`; returns what to make of it where that fails. Never raises.

    The URL is secret and in the texts of some exceptions, which are therefore never told.
    """
    connection = Connection(owner)
    try:
        # picows bounds the handshake only; name resolution and TCP are bounded here.
        async with asyncio.timeout(timeout_s + CLOSE_TIMEOUT_S):
            await ws_connect(
                lambda _request, _response: connection,
                url,
                ssl_context=tls,
                disconnect_on_exception=False,
                websocket_handshake_timeout=timeout_s,
                logger_name=_socket_log,
                enable_auto_ping=False,  # audio is acknowledged: see `Timeouts.silent_s`
                max_frame_size=MAX_MESSAGE,
                max_redirects=0,  # the token in the URL is for Gladia's host only
                read_buffer_init_size=2048,
                use_aiofastnet=False,  # 5 kB more for each stream, and no faster on uvloop
            )
    except WSInvalidStatusError as refused:
        status = refused.response.status if refused.response is not None else 502
        return judge_handshake(int(status))
    except (OSError, TimeoutError):
        return Verdict(Next.RESUME, Reason("unreachable"))
    except Exception as problem:
        # Only its type is told: its text may hold the URL.
        log.warning("connecting failed: %s", type(problem).__name__)
        return Verdict(Next.RESUME, Reason("unexpected_answer"))
    if connection.transport is None:  # it ended within the handshake's own step of the loop
        return judge_close(1006, stopped=False)
    return connection


class Connection(WSListener):
    """One WebSocket; see the module's text."""

    __slots__ = (
        "_acknowledged",
        "_coalescing",
        "_code",
        "_loop",
        "_owner",
        "_parts",
        "_unread",
        "ended",
        "heard_at",
        "opened_at",
        "paused",
        "stopped",
        "transport",
    )

    def __init__(self, owner: ConnectionOwner) -> None:
        self._loop = asyncio.get_running_loop()
        self._owner = owner  # the stream
        self.transport: WSTransport | None = None  # None until it is open; kept after its end
        # Done with the close code once the connection has ended, for whatever reason.
        self.ended: asyncio.Future[int] = self._loop.create_future()
        self.paused = False  # while the kernel takes less than is sent
        self.stopped = False  # whether `stop_recording` was sent here
        # When it opened and when a message last came, on the loop's clock; 0 until it is open.
        self.opened_at = self.heard_at = 0.0
        # What lets the kernel gather short messages; None until it is open.
        self._coalescing: ReadLowWatermark | None = None
        self._acknowledged = False  # whether the last acknowledgment handed on was positive
        self._unread: bytes | None = None  # the newest positive one that was not handed on
        self._code = 1006  # of the close frame; none has come (RFC 6455, 7.1.5)
        self._parts: list[bytes] = []  # of a message that comes in several frames

    def on_ws_connected(self, transport: WSTransport) -> None:
        """WSListener."""
        self.transport = transport
        self.opened_at = self.heard_at = self._loop.time()
        sock = transport.underlying_transport.get_extra_info("socket")
        self._coalescing = ReadLowWatermark(sock, secure=transport.is_secure)
        self._owner.connected(self, transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """WSListener."""
        kind = frame.msg_type
        if kind in MESSAGE:
            self.heard_at = self._loop.time()
            if not frame.fin or self._parts:
                self._gather(frame)
                return
            payload = frame.get_payload_as_bytes()
            # Twenty acknowledgments a second and stream: of a row of positive ones all but the
            # newest are dropped unparsed. One after a negative one says what was not refused.
            if self._acknowledged and ACKNOWLEDGED in payload:
                self._unread = payload
            else:
                self._hand_on(payload)
        elif kind == CLOSE:
            payload = frame.get_payload_as_bytes()
            self._code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
            self.hang_up()
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """WSListener."""
        # Before the owner counts what has not arrived, which would be sent and paid for twice.
        self.read_acknowledgment()
        self._owner.disconnected(self)
        if not self.ended.done():
            self.ended.set_result(self._code)

    def pause_writing(self) -> None:
        """WSListener."""
        self.paused = True
        self._owner.paused(self)

    def resume_writing(self) -> None:
        """WSListener."""
        self.paused = False
        self._owner.resumed(self)

    def stop(self) -> None:
        """Note that `stop_recording` goes out here: what comes now comes last, and is awaited."""
        self.stopped = True
        self.hasten()

    def hasten(self) -> None:
        """Take what was gathered, and each message by itself until acknowledgments flow again."""
        if self._coalescing is not None:
            self._coalescing.stop()

    def hang_up(self) -> None:
        """Close with 1000, which ends the session; TCP is cut if that takes too long."""
        if self.transport is not None and not self.transport.is_disconnected:
            if not self.transport.is_close_frame_sent:
                self.transport.send_close(WSCloseCode.OK)
            self._loop.call_later(CLOSE_TIMEOUT_S, self.cut)

    def cut(self) -> None:
        """Drop the TCP connection."""
        if self.transport is not None and not self.transport.is_disconnected:
            self.transport.disconnect(graceful=False)

    def _gather(self, frame: WSFrame) -> None:
        """Put a message together that came in several frames."""
        self._parts.append(frame.get_payload_as_bytes())
        # picows bounds a frame; a message of endless frames would fill the memory.
        if sum(len(part) for part in self._parts) > MAX_MESSAGE:
            self.cut()
        elif frame.fin:
            whole, self._parts = b"".join(self._parts), []
            self._hand_on(whole)

    def _hand_on(self, payload: bytes) -> None:
        message = parse_message(payload)
        # Anything but a transcript may depend on what was acknowledged before it: the answer to
        # `stop_recording` compares totals. Transcripts don't, and are what people wait for.
        if not isinstance(message, Transcript):
            self.read_acknowledgment()
            if isinstance(message, AudioAck):
                self._note(message, len(payload))
        self._owner.received(self, message)

    def _note(self, message: AudioAck, size: int) -> None:
        self._acknowledged = message.acknowledged and message.data is not None
        # Not after the stop: no further acknowledgment would come to wake for the last messages.
        if self._coalescing is not None and not self.stopped:
            self._coalescing.gather(size)

    def read_acknowledgment(self) -> None:
        """Hand on the newest acknowledgment, which stands for those before it.

        Transcripts don't wait for that. The first of a connection is handed on at once, since
        it tells what the service counts.
        """
        payload, self._unread = self._unread, None
        if payload is not None:
            self._hand_on(payload)
