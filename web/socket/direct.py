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

What others can count on: of all that comes in one read, FRAMES_PER_TURN frames are handled at once
and the rest in turns (web.socket.turns); frames that are no whole messages are counted
(web.socket.bounds), and who sends too many is closed with 1008 and not read any more.

Written against uvicorn 0.54 and the frames of RFC 6455, section 5.2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, cast

from uvicorn._types import ASGIReceiveEvent
from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.http11 import Request
from websockets.protocol import State

from core.oneshot import OneShotEvent
from web.socket.bounds import (
    FLOOD_GOODBYE_S,
    FRAMES_PER_TURN,
    GOODBYE_S,
    LATE_FRAMES,
    SMALL_READ,
    FrameBounds,
)
from web.socket.ending import EndingWebSocketProtocol
from web.socket.frames import (
    FINAL_BINARY,
    FINAL_TEXT,
    LONGEST_HEAD,
    MASK_SIZE,
    MASKED,
    SIZE_IN_2_BYTES,
    extent,
)
from web.socket.turns import turns_of

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

EXTENSION = "sessions.direct"
FLOOD = 1008  # the close code for who sends too many frames
BinaryCallback = Callable[[bytes], None]

_USUAL_HEAD = bytes((FINAL_BINARY, MASKED | SIZE_IN_2_BYTES))
_USUAL_BODY = 8  # where the payload of such a frame begins
_END_OF_REQUEST = b"\r\n\r\n"


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

    flooded: str | None
    """The bound of frames for which the socket was closed, if it was: see web.socket.bounds."""

    def on_writable(self, callback: Callable[[], None] | None) -> None:
        """Have `callback` called whenever `write_paused` ends."""

    def send_frames(self, frames: bytes) -> None:
        """Write whole server frames, as from `encode_text_frame`; ignored once closing.

        Never blocks: watch `write_paused`, and give up on those who can't keep up.
        """

    def write_buffer_size(self) -> int:
        """Return how many bytes were written and not yet taken by the kernel."""

    def close(self, code: int) -> None:
        """Close with this code behind what is unsent, for which there are a few seconds."""

    def flood(self, bound: str) -> None:
        """Close with 1008 and read nothing more: the peer sends more than `bound` allows."""

    def abort(self) -> None:
        """End the connection at once; what was not sent yet is dropped."""


class DirectWebSocketProtocol(EndingWebSocketProtocol):
    """uvicorn's sans-I/O WebSocket class with a short cut for binary frames.

    The parent's parser must only ever be given whole frames, or frames from their start
    to their end: where a frame begins is followed here, for those that the parent parses too.
    """

    __slots__ = (
        "_at_start",
        "_bounds",
        "_callback",
        "_deaf",
        "_head",
        "_held",
        "_held_size",
        "_largest",
        "_late",
        "_left",
        "_on_writable",
        "_rest",
        "_rest_at",
        "_waits",
        "flooded",
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
        # Whether the next byte begins a frame, and a message, and nothing else is to be done first.
        self._at_start = False
        # The start of a binary frame whose end is still on its way, and its size.
        self._held: bytearray | None = None
        self._held_size = 0
        # The frame that the parent is in the middle of: its head while that is too short to
        # tell the size, then how many bytes of it are still to come.
        self._head = b""
        self._left = 0
        # What was read and not handled yet, and where that begins; nothing is read meanwhile.
        self._rest = b""
        self._rest_at = 0
        self._waits = False  # in the loop's turns, to handle more of it
        self._bounds = FrameBounds()
        self._late = 0  # frames that came after our close
        self._deaf = False  # nothing that comes matters any more
        self._on_writable: Callable[[], None] | None = None
        self.flooded: str | None = None
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

    def close(self, code: int) -> None:
        """See `DirectSocket`."""
        super().close(code)
        self.read_paused = False  # the app needs nothing more, but the peer's answer is to be read
        self._go_on()

    def flood(self, bound: str) -> None:
        """See `DirectSocket`."""
        if self.flooded is None:
            self.flooded = bound
            self.close(FLOOD)
            self._stop_listening()
            self.end_soon(FLOOD_GOODBYE_S)

    def handle_connect(self, event: Request) -> None:
        """Offer the short cut to the app, which starts at the event loop's next turn."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            # ASGI knows dicts here only; an object is what makes the calls cheap.
            cast(dict[str, object], self.scope["extensions"])[EXTENSION] = self

    def start_keepalive(self) -> None:
        """Once the answer is out, let go of what only the handshake needed, and begin to listen."""
        super().start_keepalive()
        # Without these lines a connection weighs 19.3 kB instead of 12.9, that is a stream a tenth
        # more; 4.3 kB of that are in what the parser of the request keeps.
        del self.request, self.response
        self.conn.parser = self.conn.parse()
        next(self.conn.parser)
        self._go_on()

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
            self._receive(data)

    def _receive(self, data: bytes) -> None:
        """Take any number of frames, cut anywhere: some are handled now, the rest in turns."""
        if self._deaf:
            return
        if not self.handshake_initiated:
            data = self._receive_request(data)
        if self._held is not None:
            self._held += data
            if len(self._held) < self._held_size:
                self._count_small(data)
                return
            data = bytes(self._held)
            self._held = None
        if self._rest:  # read before the transport noticed that it is to pause
            data = self._rest[self._rest_at :] + data
        self._rest, self._rest_at = data, 0
        if not self._waits and self._is_awaited():
            self.take_turn()
        self._count_small(data)
        self._go_on()

    def _receive_request(self, data: bytes) -> bytes:
        """Give the parent the request; return what follows, which waits for the answer to it."""
        request, end, rest = data.partition(_END_OF_REQUEST)
        super().data_received(request + end)
        if not self.handshake_initiated:  # it is none, which the parent doesn't say by itself
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()
        if self.transport.is_closing():
            self._stop_listening()
            self.end_soon(GOODBYE_S)
            return b""
        return rest

    def take_turn(self) -> bool:
        """Handle some frames of what was read; return whether to be called again (Waiting)."""
        data, at = self._rest, self._rest_at
        for _ in range(FRAMES_PER_TURN):
            if at >= len(data) or self._deaf:
                break
            stop = self._receive_directly(data, at)
            at = stop if stop > at else self._receive_by_parent(data, at)
        if self._deaf:
            return False
        if at >= len(data):
            data, at = b"", 0
        self._rest, self._rest_at = data, at
        self._at_start = not (
            data or self._held is not None or self._left or self._head or self.frames
        )
        self._waits = self._waits and bool(data) and self._is_awaited()
        if not self._waits:
            self._go_on()
        return self._waits

    def _go_on(self) -> None:
        """Read on, or handle first what was read, or wait until the app has taken a message."""
        if self._deaf or self._waits:
            return
        if self.transport.is_closing():
            return
        if not self._rest:
            if not self.read_paused and self.handshake_complete:
                self.transport.resume_reading()
            return
        self.transport.pause_reading()
        if self._is_awaited():
            self._waits = True
            turns_of(self.loop).wait(self)

    def _is_awaited(self) -> bool:
        """Tell whether anybody waits for more: the app, or we for the peer's answer to a close."""
        return self.handshake_complete and (self.close_sent or self.queue.empty())

    async def receive(self) -> ASGIReceiveEvent:
        """Give the app the next message; once it has all of them, more is read."""
        event: ASGIReceiveEvent = await self.queue.get()
        if self.queue.empty():
            self.read_paused = False
            self._go_on()
        return event

    def _stop_listening(self) -> None:
        """Read nothing more, and forget what was read."""
        self._deaf, self._at_start = True, False
        self._rest, self._held, self.frames = b"", None, []
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def _count_small(self, data: bytes) -> None:
        """Count a read that was hardly worth it; never one that ended with a frame."""
        if len(data) < SMALL_READ and (self._held is not None or self._left or self._head):
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
            self._late += 1
            if self._late > LATE_FRAMES:
                self._stop_listening()
        elif first not in (FINAL_BINARY, FINAL_TEXT):
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
