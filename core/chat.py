"""What a chat line is: a plain value that carries no database and no socket."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

MAX_LINES = 5_000  # per session


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
