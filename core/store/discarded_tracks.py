"""Tracks of uploads that are transcribed no more, of which a service may still have something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from core.database import Database

# A process that still works on what was given up has noticed by then, and what it began is known.
NOTICED = timedelta(seconds=5)
AGAIN = timedelta(minutes=10)  # of a process that died while it had a service forget


@dataclass(frozen=True, slots=True)
class DiscardedTrack:
    """A track that is no more, how many seconds of it were done, and what the engine stored."""

    id: int
    until: float
    state: str


async def claim(db: Database, most: int) -> list[DiscardedTrack]:
    """Take on some that a service is to forget; other processes skip them."""
    rows = await db.fetch_all(
        """
        UPDATE discarded_tracks SET tried_at = now() WHERE id IN (
            SELECT id FROM discarded_tracks WHERE discarded_at <= now() - CAST(:noticed AS interval)
            AND (tried_at IS NULL OR tried_at <= now() - CAST(:again AS interval))
            ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
        ) RETURNING id, until, state
        """,
        noticed=NOTICED,
        again=AGAIN,
        most=most,
    )
    return [DiscardedTrack(row["id"], row["until"], row["state"]) for row in rows]


async def forgotten(db: Database, track: DiscardedTrack) -> None:
    """Note that a service has nothing more of it."""
    await db.execute("DELETE FROM discarded_tracks WHERE id = :id", id=track.id)
