"""What a session's log asks of the world: that finals are stored, and that somebody shows them."""

from __future__ import annotations

from typing import Protocol, TypeVar

from core.model import Utterance
from core.transcript.outbox import Entry

Shown = TypeVar("Shown")


class FinalsWriter(Protocol):
    """Stores finals: TranscriptWriter."""

    def keep(self, said: Entry[Utterance]) -> None:
        """Take a final, and tell it once it can't be lost any more or is lost. Never blocks."""


class LogSink(Protocol[Shown]):
    """Who shows what the log has, and is told what became of it: the room."""

    def encode(self, said: Utterance) -> Shown:
        """Return what pages are shown of an utterance, which is a partial while `seq` is 0."""

    def show(self, shown: Shown) -> None:
        """Show it to everybody: it is new, or has another number, or became a gap."""

    def stored(self, said: Utterance) -> None:
        """Tell the page that it was said at: it is stored for good."""

    def refused(self, said: Utterance, seconds: float) -> None:
        """Tell the page that it was said at: so much of it will never be stored."""
