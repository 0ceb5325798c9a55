"""A WebSocket protocol class for uvicorn that keeps audio off the slow road.

uvicorn's own class pauses reading for every message, queues it and wakes a task. For
audio, twenty small frames a second from each of a thousand people, that costs more than
the work itself. `DirectWebSocketProtocol` hands complete binary frames to a callback while
the bytes are still warm, and leaves everything else (the handshake, text, control frames,
fragments, errors, the closing handshake) to its parent.

    uvicorn.run(app, ws="web.socket.direct:DirectWebSocketProtocol", ws_per_message_deflate=False)

An app finds it as `scope["extensions"]["sessions.direct"]`, a `DirectSocket`; with any other
class the key is missing and `receive()` and `send()` are the way, as always.

What order the app can count on: a binary message is handed over directly only when no
earlier message waits in the queue, else it queues too. So an app that takes both kinds, and
doesn't suspend between `receive()` and acting on what it got, handles all messages in the
order in which they were sent.

Written against uvicorn 0.54 and the frames of RFC 6455, section 5.2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, cast

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.http11 import Request
from websockets.protocol import State

from core.oneshot import OneShotEvent

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

EXTENSION = "sessions.direct"
BinaryCallback = Callable[[bytes], None]

_FINAL_BINARY = 0x82
_FINAL_TEXT = 0x81
_MASKED = 0x80
_SIZE_IN_2_BYTES = 126
_SIZE_IN_8_BYTES = 127
_MASK_SIZE = 4
_USUAL_HEAD = bytes((_FINAL_BINARY, _MASKED | _SIZE_IN_2_BYTES))
_USUAL_BODY = 8  # where the payload of such a frame begins
_LONGEST_HEAD = 10  # up to the end of the size, before the mask


class DirectSocket(Protocol):
    """What an accepted WebSocket offers beside ASGI, all on the event loop's thread."""

    def on_binary(self, callback: BinaryCallback | None) -> None:
        """Have binary messages handed to `callback`, or queued again with None.

        It is called from within the socket's read event, so it must be quick, and what it
        raises ends the connection. A message that queued behind a text still comes from
        `receive()`.
        """

    write_paused: bool
    """Whether more is unsent than the transport likes: look at `write_buffer_size()` then."""

    def send_frames(self, frames: bytes) -> None:
        """Write whole server frames, as from `encode_text_frame`; ignored once closing.

        Never blocks: watch `write_paused`, and give up on those who can't keep up.
        """

    def write_buffer_size(self) -> int:
        """Return how many bytes were written and not yet taken by the kernel."""

    def abort(self) -> None:
        """End the connection at once; what was not sent yet is dropped."""


def encode_text_frame(payload: bytes) -> bytes:
    """Return `payload` (UTF-8) as one unmasked text frame, ready for any number of sockets."""
    size = len(payload)
    if size < _SIZE_IN_2_BYTES:
        return bytes((_FINAL_TEXT, size)) + payload
    if size < 1 << 16:
        return bytes((_FINAL_TEXT, _SIZE_IN_2_BYTES)) + size.to_bytes(2, "big") + payload
    return bytes((_FINAL_TEXT, _SIZE_IN_8_BYTES)) + size.to_bytes(8, "big") + payload


class DirectWebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's sans-I/O WebSocket class with a short cut for binary frames.

    The parent's parser must only ever be given whole frames, or frames from their start
    to their end: where a frame begins is followed here, for those that the parent parses too.
    """

    __slots__ = (
        "_at_start",
        "_callback",
        "_can_follow",
        "_head",
        "_held",
        "_held_size",
        "_largest",
        "_left",
        "write_paused",
    )

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: Any = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.queue = cast("asyncio.Queue[Any]", _EventQueue())
        self._callback: BinaryCallback | None = None
        self._largest = config.ws_max_size
        self._can_follow = True
        # Whether the next byte begins a frame, and a message.
        self._at_start = False
        # The start of a binary frame whose end is still on its way, and its size.
        self._held: bytearray | None = None
        self._held_size = 0
        # The frame that the parent is in the middle of: its head while that is too short to
        # tell the size, then how many bytes of it are still to come.
        self._head = b""
        self._left = 0
        self.write_paused = False

    def pause_writing(self) -> None:
        """See `DirectSocket.write_paused`."""
        self.write_paused = True
        super().pause_writing()

    def resume_writing(self) -> None:
        """See `DirectSocket.write_paused`."""
        self.write_paused = False
        super().resume_writing()

    def on_binary(self, callback: BinaryCallback | None) -> None:
        """See `DirectSocket`."""
        self._callback = callback

    def send_frames(self, frames: bytes) -> None:
        """See `DirectSocket`."""
        transport = self.transport
        if not (self.close_sent or transport.is_closing()):
            transport.write(frames)

    def write_buffer_size(self) -> int:
        """See `DirectSocket`."""
        size: int = self.transport.get_write_buffer_size()
        return size

    def abort(self) -> None:
        """See `DirectSocket`."""
        self.transport.abort()

    def handle_connect(self, event: Request) -> None:
        """Offer the short cut to the app, which starts at the event loop's next turn."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            # ASGI knows dicts here only; an object is what makes the calls cheap.
            cast(dict[str, object], self.scope["extensions"])[EXTENSION] = self

    def start_keepalive(self) -> None:
        """Once the answer is out, let go of what only the handshake needed."""
        super().start_keepalive()
        # Without these lines a connection weighs 19.3 kB instead of 12.9, that is a stream a tenth
        # more; 4.3 kB of that are in what the parser of the request keeps.
        del self.request, self.response
        if self._can_follow:  # no frame is half read, so that a parser without the request will do
            self.conn.parser = self.conn.parse()
            next(self.conn.parser)

    def data_received(self, data: bytes) -> None:
        """Handle what came: nearly always one whole frame of audio, read in one piece."""
        callback = self._callback
        if (
            callback is not None
            and self._at_start
            and data[:2] == _USUAL_HEAD
            and len(data) - _USUAL_BODY == int.from_bytes(data[2:4], "big") <= self._largest
            and not self.close_sent
        ):
            # No need to ask the queue: while a message waits in it, nothing is read.
            callback(apply_mask(data[_USUAL_BODY:], data[_USUAL_BODY - _MASK_SIZE : _USUAL_BODY]))
        else:
            self._receive_all(data)

    def _receive_all(self, data: bytes) -> None:
        """Handle any number of frames, cut anywhere."""
        if self._held is not None:
            self._held += data
            if len(self._held) < self._held_size:
                return
            data = bytes(self._held)
            self._held = None
        start = 0
        while start < len(data):
            stop = self._receive_directly(data, start)
            start = stop if stop > start else self._receive_by_parent(data, start)
        self._at_start = (
            self._held is None
            and not (self._left or self._head or self.frames)
            and self._can_follow
            and self.conn.state is State.OPEN
        )

    def send_receive_event_to_app(self) -> None:
        """Deliver a message that the parent put together."""
        if self.curr_msg_data_type == "bytes" and self._is_direct():
            callback, data = self._callback, b"".join(self.frames)
            self.frames = []
            if callback is not None:
                callback(data)
        else:
            super().send_receive_event_to_app()

    def _is_direct(self) -> bool:
        """Tell whether the app wants binary messages and has taken all that came before."""
        return self._callback is not None and not self.close_sent and self.queue.empty()

    def _receive_directly(self, data: bytes, start: int) -> int:
        """Deliver or hold the frame at `start` and return its end; `start` if it can't be."""
        callback = self._callback
        if (
            callback is None
            or data[start] != _FINAL_BINARY
            or self._left
            or self._head
            or self.frames
            or not self._can_follow
            or self.conn.state is not State.OPEN
            or not self._is_direct()
        ):
            return start
        body, stop = _extent(data, start)
        if not start < stop <= body + self._largest:
            return start
        if stop > len(data):
            self._held = bytearray(data[start:])
            self._held_size = stop - start
            return len(data)
        callback(apply_mask(data[body:stop], data[body - _MASK_SIZE : body]))
        return stop

    def _receive_by_parent(self, data: bytes, start: int) -> int:
        """Give the parent the frame at `start`, as far as it is there, and return its end."""
        if self.conn.state is not State.OPEN:
            # Bytes between the request and its answer may hold part of a frame.
            self._can_follow = not self.handshake_initiated
        if not self._can_follow or self.conn.state is not State.OPEN:
            super().data_received(data[start:])
            return len(data)
        stop = self._follow(data, start)
        super().data_received(data[start:stop])
        return stop

    def _follow(self, data: bytes, start: int) -> int:
        """Return where the frame that `data` begins or continues at `start` ends in `data`."""
        if not self._left:
            head = self._head + data[start : start + _LONGEST_HEAD]
            _, size = _extent(head, 0)
            self._left = size - len(self._head) if size else 0
            self._head = b"" if size else head
        if not self._left:
            return len(data)
        stop = min(len(data), start + self._left)
        self._left -= stop - start
        return stop


class _EventQueue:
    """What uvicorn uses of asyncio.Queue, for its one reader and without the 2.5 kB."""

    __slots__ = ("_events", "_news")

    def __init__(self) -> None:
        self._events: list[Any] = []
        self._news = OneShotEvent()

    def empty(self) -> bool:
        return not self._events

    def put_nowait(self, event: Any) -> None:
        self._events.append(event)
        self._news.set()

    async def get(self) -> Any:
        while not self._events:
            self._news = OneShotEvent()
            await self._news.wait()
        return self._events.pop(0)


def _extent(data: bytes, start: int) -> tuple[int, int]:
    """Return where the payload of the masked frame at `start` begins and ends.

    The end may lie beyond `data`. Both are `start` when `data` is too short to tell, or when
    the frame isn't masked, as every client's must be.
    """
    known = len(data) - start
    if known < 2 or data[start + 1] < _MASKED:
        return start, start
    size, body = data[start + 1] - _MASKED, start + 2
    if size >= _SIZE_IN_2_BYTES:
        width = 2 if size == _SIZE_IN_2_BYTES else 8
        if known < 2 + width:
            return start, start
        size, body = int.from_bytes(data[body : body + width], "big"), body + width
    return body + _MASK_SIZE, body + _MASK_SIZE + size
