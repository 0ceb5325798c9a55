"""Usage: what each stream sent and got back, measured where the audio is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.database import Database


@dataclass(frozen=True, slots=True)
class StreamUsage:
    """The account of one engine stream and whose it was."""

    session_id: str
    identity: str
    stream: str
    engine: str
    opened_at: datetime
    closed_at: datetime
    sent_seconds: float
    frames: int
    partials: int
    finals: int
    errors: int


async def add(db: Database, usage: StreamUsage) -> None:
    """Store an account; the same stream twice counts once."""
    await db.execute(
        "INSERT INTO streams (session_id, stream, identity, engine, opened_at, closed_at,"
        " sent_s, frames, partials, finals, errors)"
        " VALUES (:session, :stream, :identity, :engine, :opened_at, :closed_at,"
        " :sent, :frames, :partials, :finals, :errors) ON CONFLICT DO NOTHING",
        session=UUID(usage.session_id),
        stream=usage.stream,
        identity=usage.identity,
        engine=usage.engine,
        opened_at=usage.opened_at,
        closed_at=usage.closed_at,
        sent=usage.sent_seconds,
        frames=usage.frames,
        partials=usage.partials,
        finals=usage.finals,
        errors=usage.errors,
    )
