"""What the emulator saw and did, for tests to look at.

The event loop of the emulator only ever adds to these objects, so reading them is safe
from any thread. Times are seconds on `time.monotonic`'s clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frame:
    """A WebSocket frame from the client: its size on the wire, and the audio in it."""

    at: float
    kind: Literal["binary", "text", "ping", "pong"]
    size: int
    audio_bytes: int
    type: str | None = None


@dataclass(slots=True)
class Connection:
    """One WebSocket connection; `close_code` is 1006 after a TCP abort."""

    opened: float
    frames: list[Frame] = field(default_factory=list, repr=False)
    sent: list[Json] = field(default_factory=list, repr=False)
    closed: float | None = None
    close_code: int | None = None
    close_reason: str = ""
    closed_by: Literal["client", "server"] | None = None

    @property
    def frame_sizes(self) -> list[int]:
        """Sizes of the data frames, in order."""
        return [frame.size for frame in self.frames if frame.kind in ("binary", "text")]

    @property
    def audio_bytes(self) -> int:
        """Audio that came over this connection."""
        return sum(frame.audio_bytes for frame in self.frames)


@dataclass(frozen=True, slots=True)
class Acknowledgment:
    """A positive audio acknowledgment; the range ends behind its last byte."""

    at: float
    start: int
    end: int
    delivered: bool


@dataclass(slots=True)
class Session:
    """Everything about one live session."""

    id: str
    token: str
    key: str
    region: str | None
    init: Json
    config: Json
    headers: dict[str, str] = field(repr=False)
    created: float
    received: bytearray = field(default_factory=bytearray, repr=False)
    connections: list[Connection] = field(default_factory=list, repr=False)
    acknowledgments: list[Acknowledgment] = field(default_factory=list, repr=False)
    messages: list[Json] = field(default_factory=list, repr=False)
    missed: list[Json] = field(default_factory=list, repr=False)
    texts: list[str] = field(default_factory=list)
    protocol_errors: list[str] = field(default_factory=list)
    refused_handshakes: list[int] = field(default_factory=list)
    duplicates_skipped: int = 0
    lost_bytes: int = 0
    late_bytes: int = 0
    oversized: int = 0
    stops: int = 0
    status: Literal["queued", "processing", "done", "error"] = "queued"
    ended: float | None = None
    end_code: int | None = None
    job: Json = field(default_factory=dict, repr=False)

    @property
    def audio(self) -> bytes:
        """The audio the service counts, duplicates included, in the order it came."""
        return bytes(self.received)

    @property
    def frames(self) -> list[Frame]:
        """The frames of all connections."""
        return [frame for connection in self.connections for frame in connection.frames]

    @property
    def text(self) -> str:
        """All finals so far, joined with spaces, whether the client got them or not."""
        return " ".join(self.texts)

    @property
    def bytes_per_second(self) -> int:
        """Bytes of one second of audio over all channels."""
        config = self.config
        return int(config["sample_rate"] * config["channels"] * config["bit_depth"] // 8)

    @property
    def seconds(self) -> float:
        """Seconds of audio received (one channel's duration)."""
        return len(self.received) / self.bytes_per_second

    @property
    def billed_seconds(self) -> float:
        """Gladia docs, multiple channels: duration times channels, duplicates included."""
        billed = len(self.received) + self.duplicates_skipped
        return billed / self.bytes_per_second * int(self.config["channels"])


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP exchange; `status` 0 means the connection was dropped without an answer."""

    at: float
    method: str
    path: str
    query: dict[str, str]
    status: int
