"""What Sessions is about, as values: no database, no request, no socket."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from core.text import initials

Role = Literal["HOST", "MEMBER", "GUEST"]
State = Literal["WAITING", "ADMITTED", "DENIED", "REMOVED"]
Page = tuple[str, str]  # one page of one participant: identity, and its own name for itself
MAX_LINES = 5_000  # of chat, per session
MAX_UTTERANCES = 20_000  # per session; a day of uninterrupted talk


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in user. `hue` (0 to 11) is the colour of their name and initials."""

    id: str
    name: str
    email: str
    hue: int

    @property
    def initials(self) -> str:
        """One or two letters to stand for the person."""
        return initials(self.name)


@dataclass(frozen=True, slots=True)
class Participant:
    """One person in one session, under an identity that the server made."""

    identity: str
    session_id: str
    name: str
    hue: int
    role: Role
    state: State = "ADMITTED"
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class ChatLine:
    """A line of a session's chat; `id` counts from 1 in every session."""

    session_id: str
    id: int
    identity: str
    name: str
    hue: int
    role: str
    text: str
    sent_at: datetime


class Utterance(msgspec.Struct, frozen=True):
    """What one participant said between two silences. Times are session seconds.

    `seq` counts finals from 1 in every session; it is 0 while the utterance is partial.
    `client` is the page that it came from, and `until` that page's sample after its words.
    `lost` makes it a gap: so many seconds that could not be transcribed, without a text.
    """

    session_id: str
    stream: str
    utterance: str
    seq: int
    identity: str
    name: str
    hue: int
    text: str
    start: float
    end: float
    language: str | None
    client: str
    until: int
    lost: float | None = None
    role: str = "GUEST"
    epoch: int = 0  # of the room that gave it its number: see core.leases

    @property
    def place(self) -> tuple[str, str]:
        """Which utterance of which stream it is, unique within the session."""
        return self.stream, self.utterance

    @property
    def page(self) -> Page:
        """The page that it was said at."""
        return self.identity, self.client

    @property
    def key(self) -> str:
        """Its id on the wire, unique within the session."""
        return f"{self.stream}-{self.utterance}"
