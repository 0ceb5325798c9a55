"""What Sessions is about, as values: no database, no request, no socket."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.text import initials

Role = Literal["HOST", "MEMBER", "GUEST"]
State = Literal["WAITING", "ADMITTED", "DENIED", "REMOVED"]
MAX_LINES = 5_000  # per session


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
