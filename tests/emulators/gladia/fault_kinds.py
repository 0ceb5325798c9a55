"""The kinds of faults: of requests, of messages, and in live sessions at a moment."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from .session import LiveSession

Json = dict[str, Any]
LastChunk = Literal["acked", "unacked", "lost"]
Change = Callable[[Json], Json | None]


class Moment(TypedDict, total=False):
    """When and where a fault happens; see the module's description."""

    after_bytes: int
    every_bytes: int
    after_seconds: float
    on: str
    session: int | str
    times: int | None


@dataclass(eq=False)
class Fault:
    """A planned fault; `fired` counts how often it happened."""

    times: int | None = 1
    session: int | str | None = None
    fired: int = 0
    _over: bool = False

    def cancel(self) -> None:
        """Let it not happen any more."""
        self._over = True

    def left(self) -> bool:
        """Whether it may still happen."""
        return not self._over and (self.times is None or self.fired < self.times)

    def concerns(self, session: LiveSession) -> bool:
        """Whether it may happen in this session."""
        return self.left() and self.session in (None, session.number, session.record.id)

    def spend(self) -> bool:
        """Count one happening; False when there was none left."""
        if not self.left():
            return False
        self.fired += 1
        return True


@dataclass(eq=False)
class RequestFault(Fault):
    """Trouble with the POST or the handshake: wait, then answer so or drop."""

    status: int | None = None
    seconds: float = 0.0
    drop: bool = False
    body: Json | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(eq=False)
class MessageFault(Fault):
    """Changes messages of a kind before they are sent; None swallows one."""

    kind: str = ""
    change: Change = lambda message: message
    hold: bool = False


@dataclass(eq=False)
class SessionFault(Fault):
    """Something done in a live session at a moment."""

    act: Callable[[LiveSession], None] = lambda session: None
    after_bytes: int | None = None
    every_bytes: int | None = None
    after_seconds: float | None = None
    on: str | None = None
    last_chunk: LastChunk = "acked"
    _next: dict[str, int] = field(default_factory=dict)

    @property
    def at_once(self) -> bool:
        """Whether no moment was given."""
        moments = (self.after_bytes, self.every_bytes, self.after_seconds, self.on)
        return all(moment is None for moment in moments)

    def due_at_bytes(self, session: LiveSession, total: int) -> bool:
        """Whether the audio received so far makes it happen now."""
        first = self.after_bytes if self.after_bytes is not None else self.every_bytes
        if first is None or not self.concerns(session):
            return False
        threshold = self._next.get(session.record.id, first)
        if total < threshold:
            return False
        self._next[session.record.id] = self._following(total)
        return self.spend()

    def _following(self, total: int) -> int:
        return total + self.every_bytes if self.every_bytes else 2**63


@dataclass(eq=False)
class Chaos(SessionFault):
    """Drops at random but repeatable positions of each session's audio."""

    seed: int = 0
    mean_bytes: float = 0.0
    codes: tuple[int | None, ...] = (1011,)
    last_chunks: tuple[LastChunk, ...] = ("acked",)
    code: int | None = None
    _sources: dict[str, random.Random] = field(default_factory=dict)

    @property
    def at_once(self) -> bool:
        """Never: it waits for audio."""
        return False

    def due_at_bytes(self, session: LiveSession, total: int) -> bool:
        """Whether the next random position has been passed."""
        if not self.concerns(session):
            return False
        name = session.record.id
        if name not in self._next:
            self._sources[name] = random.Random(f"{self.seed}/{session.number}")
            self._next[name] = self._draw(name)
        if total < self._next[name]:
            return False
        self._next[name] = total + self._draw(name)
        self.code = self._sources[name].choice(self.codes)
        self.last_chunk = self._sources[name].choice(self.last_chunks)
        return self.spend()

    def _draw(self, name: str) -> int:
        return 1 + round(self._sources[name].expovariate(1 / self.mean_bytes))
