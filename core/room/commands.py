"""What a room is told by those who decide outside of it: small values, not calls into it.

The session's database has them already when they are told; a session without a room in memory has
nobody to tell.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.model import Role


@dataclass(frozen=True, slots=True)
class Mute:
    """Take no more audio from a participant until they turn their microphone on again."""

    identity: str


@dataclass(frozen=True, slots=True)
class MuteAllBut:
    """Mute everybody who is here, except these."""

    identities: frozenset[str]


@dataclass(frozen=True, slots=True)
class LowerHand:
    """Take a participant's hand down."""

    identity: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Close every page of a participant. What they had said is still transcribed."""

    identity: str


@dataclass(frozen=True, slots=True)
class ChangeRole:
    """Let a participant be something else from now on."""

    identity: str
    role: Role


@dataclass(frozen=True, slots=True)
class Change:
    """Tell every page what the session is called now, and whom it lets in."""

    title: str
    admission: str
    locked: bool


Command = Mute | MuteAllBut | LowerHand | Remove | ChangeRole | Change
