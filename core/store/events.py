"""LiveKit's events that were acted on."""

from __future__ import annotations

from datetime import datetime

from core.database import Database


async def is_first(db: Database, event_id: str, now: datetime) -> bool:
    """Note an event. Returns whether it is the first time; undone with its transaction."""
    row = await db.fetch_one(
        """
        INSERT INTO livekit_events (id, received_at) VALUES (:id, :now)
        ON CONFLICT DO NOTHING RETURNING id
        """,
        id=event_id,
        now=now,
    )
    return row is not None


async def forget(db: Database, received_before: datetime) -> None:
    """Forget events so old that their signatures have expired."""
    await db.execute(
        "DELETE FROM livekit_events WHERE received_at < :before", before=received_before
    )
