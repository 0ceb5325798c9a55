"""What a WebSocket offers an app beside ASGI, as `scope["extensions"][EXTENSION]`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

EXTENSION = "sessions.direct"
FLOOD = 1008  # the close code for who sends too many frames
BinaryCallback = Callable[[bytes], None]


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
