"""A WebSocket protocol class for uvicorn that keeps audio off the slow road, and floods off others.

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

What others can count on: it is read in turns (web.socket.reading), and frames that are no whole
messages are counted (web.socket.bounds): who sends too many is closed with 1008.

Written against uvicorn 0.54 and the frames of RFC 6455, section 5.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.http11 import Request
from websockets.protocol import State

from web.socket.bounds import GOODBYE_S, SMALL_READ, FrameBounds
from web.socket.frames import (
    FINAL_BINARY,
    FINAL_TEXT,
    LONGEST_HEAD,
    MASK_SIZE,
    MASKED,
    SIZE_IN_2_BYTES,
    extent,
)
from web.socket.offer import EXTENSION, BinaryCallback
from web.socket.reading import ReadingWebSocketProtocol

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

_USUAL_HEAD = bytes((FINAL_BINARY, MASKED | SIZE_IN_2_BYTES))
_USUAL_BODY = 8  # where the payload of such a frame begins


class DirectWebSocketProtocol(ReadingWebSocketProtocol):
    """uvicorn's sans-I/O WebSocket class with a short cut for binary frames.

    The parent's parser must only ever be given whole frames, or frames from their start
    to their end: where a frame begins is followed here, for those that the parent parses too.
    """

    __slots__ = (
        "_at_start",
        "_bounds",
        "_callback",
        "_head",
        "_held",
        "_held_size",
        "_largest",
        "_left",
        "_on_writable",
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
        self._callback: BinaryCallback | None = None
        self._largest = config.ws_max_size
        # Whether the next byte begins a frame, and a message, and nothing else is to be done first.
        self._at_start = False
        # The start of a binary frame whose end is still on its way, and its size.
        self._held: bytearray | None = None
        self._held_size = 0
        # The frame that the parent is in the middle of: its head while that is too short to
        # tell the size, then how many bytes of it are still to come.
        self._head = b""
        self._left = 0
        self._bounds = FrameBounds()
        self._on_writable: Callable[[], None] | None = None
        self.write_paused = False

    def pause_writing(self) -> None:
        """See `DirectSocket.write_paused`."""
        self.write_paused = True
        super().pause_writing()

    def resume_writing(self) -> None:
        """See `DirectSocket.write_paused`."""
        self.write_paused = False
        super().resume_writing()
        if self._on_writable is not None:
            self._on_writable()

    def on_binary(self, callback: BinaryCallback | None) -> None:
        """See `DirectSocket`."""
        self._callback = callback

    def on_writable(self, callback: Callable[[], None] | None) -> None:
        """See `DirectSocket`."""
        self._on_writable = callback

    def send_frames(self, frames: bytes) -> None:
        """See `DirectSocket`."""
        transport = self.transport
        if not (self.close_sent or transport.is_closing()):
            transport.write(frames)

    def write_buffer_size(self) -> int:
        """See `DirectSocket`."""
        size: int = self.transport.get_write_buffer_size()
        return size

    def handle_connect(self, event: Request) -> None:
        """Offer the short cut to the app, which starts at the event loop's next turn."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            # ASGI knows dicts here only; an object is what makes the calls cheap.
            cast(dict[str, object], self.scope["extensions"])[EXTENSION] = self

    def handle_ping(self) -> None:
        """Answer a ping; not to who doesn't read, for whom answers would pile up."""
        answer = b"".join(self.conn.data_to_send())
        if not self.write_paused:
            self.transport.write(answer)

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
            callback(apply_mask(data[_USUAL_BODY:], data[_USUAL_BODY - MASK_SIZE : _USUAL_BODY]))
        else:
            self._receive_all(data)

    def _receive_all(self, data: bytes) -> None:
        """Handle any number of frames, cut anywhere."""
        if self._deaf:
            return
        if not self.handshake_initiated:
            data = self._receive_request(data)
        held = self._held
        if held is None:
            self._receive(data)
        else:
            held += data
            if len(held) >= self._held_size:
                self._held = None
                self._receive(bytes(held))
        self._count_small(data)

    def _receive_frame(self, data: bytes, start: int) -> int:
        stop = self._receive_directly(data, start)
        return stop if stop > start else self._receive_by_parent(data, start)

    def _received(self) -> None:
        """Note whether the next byte may begin a frame that takes the short cut."""
        self._at_start = not (
            self._deaf
            or self._rest
            or self._held is not None
            or self._left
            or self._head
            or self.frames
        )

    def _count_small(self, data: bytes) -> None:
        """Count a read that was hardly worth it; never one that ended with a frame."""
        if self._deaf or len(data) >= SMALL_READ:
            return
        if self._held is not None or self._left or self._head:
            bound = self._bounds.small_read(self.loop.time())
            if bound is not None:
                self.flood(bound)

    def send_receive_event_to_app(self) -> None:
        """Deliver a message that the parent put together."""
        if self.curr_msg_data_type == "bytes" and self._is_direct():
            callback, data = self._callback, b"".join(self.frames)
            self.frames = []
            if callback is not None:
                callback(data)
        elif self.curr_msg_data_type == "text" and not self.close_sent and not self._is_text():
            # As the parent does, but a trace in the log for each would be somebody else's to fill.
            self.conn.send_close(1007)
            self.handle_parser_exception()
        else:
            super().send_receive_event_to_app()

    def _is_text(self) -> bool:
        try:
            b"".join(self.frames).decode()
        except UnicodeDecodeError:
            return False
        return True

    def _is_direct(self) -> bool:
        """Tell whether the app wants binary messages and has taken all that came before."""
        return self._callback is not None and not self.close_sent and self.queue.empty()

    def _receive_directly(self, data: bytes, start: int) -> int:
        """Deliver or hold the frame at `start` and return its end; `start` if it can't be."""
        callback = self._callback
        if (
            callback is None
            or data[start] != FINAL_BINARY
            or self._left
            or self._head
            or self.frames
            or self.conn.state is not State.OPEN
            or not self._is_direct()
        ):
            return start
        body, stop = extent(data, start)
        if not start < stop <= body + self._largest:
            return start
        if stop > len(data):
            self._held = bytearray(data[start:])
            self._held_size = stop - start
            return len(data)
        callback(apply_mask(data[body:stop], data[body - MASK_SIZE : body]))
        return stop

    def _receive_by_parent(self, data: bytes, start: int) -> int:
        """Give the parent the frame at `start`, as far as it is there, and return its end."""
        if not (self._left or self._head) and not self._may_begin(data[start]):
            return len(data)
        stop = self._follow(data, start)
        super().data_received(data[start:stop])
        if self.transport.is_closing():  # by the peer's close, or a frame that is none
            self._stop_listening()
            self.end_soon(GOODBYE_S)
        return stop

    def _may_begin(self, first: int) -> bool:
        """Count a frame with this first byte; False when it is one too many."""
        if self.close_sent:
            return not self._is_too_late()
        if first not in (FINAL_BINARY, FINAL_TEXT):
            bound = self._bounds.odd_frame(len(self.frames), self.loop.time())
            if bound is not None:
                self.flood(bound)
        return not self._deaf

    def _follow(self, data: bytes, start: int) -> int:
        """Return where the frame that `data` begins or continues at `start` ends in `data`."""
        if not self._left:
            head = self._head + data[start : start + LONGEST_HEAD]
            _, size = extent(head, 0)
            self._left = size - len(self._head) if size else 0
            self._head = b"" if size else head
        if not self._left:
            return len(data)
        stop = min(len(data), start + self._left)
        self._left -= stop - start
        return stop
