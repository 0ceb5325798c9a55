"""Pauses: when hosts had nothing of a session transcribed, and who paused."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import UUID

from core.database import Database
from core.model import Pause

# All of a session's as a JSON column, oldest first: what others ask about it has this among it.
COLUMN = """
    (
        SELECT json_agg(json_build_object('since', b.paused_at, 'until', b.resumed_at, 'by', p.name)
            ORDER BY b.paused_at)
        FROM pauses b LEFT JOIN participants p USING (identity) WHERE b.session_id = s.id
    ) AS pauses
"""


def pauses_of(column: str | None) -> tuple[Pause, ...]:
    """Return the pauses of a COLUMN."""
    return tuple(
        Pause(
            datetime.fromisoformat(one["since"]),
            datetime.fromisoformat(one["until"]) if one["until"] else None,
            one["by"],
        )
        for one in json.loads(column or "[]")
    )


async def of_session(db: Database, session_id: str) -> tuple[Pause, ...]:
    """Return a session's pauses, oldest first."""
    row = await db.fetch_one(
        f"SELECT {COLUMN} FROM sessions s WHERE s.id = :session",  # noqa: S608 - no input in it
        session=UUID(session_id),
    )
    return pauses_of(row["pauses"]) if row else ()


async def pause(
    db: Database, session_id: str, identity: str | None, now: datetime, *, most: int
) -> None:
    """Pause a session that goes on; one that is paused, or was `most` times, stays as it is."""
    await db.execute(
        """
        WITH paused AS (
            UPDATE sessions SET paused_at = :now
            WHERE id = :session AND paused_at IS NULL AND status IN ('CREATED', 'LIVE')
            AND (SELECT count(*) FROM pauses WHERE session_id = :session) < :most
            RETURNING id
        )
        INSERT INTO pauses (session_id, paused_at, identity)
        SELECT id, :now, :identity FROM paused
        """,
        session=UUID(session_id),
        identity=identity,
        now=now,
        most=most,
    )


async def resume(db: Database, session_id: str, now: datetime) -> None:
    """Go on with a session that is paused; any other stays as it is."""
    await db.execute(
        """
        WITH resumed AS (
            UPDATE sessions SET paused_at = NULL
            WHERE id = :session AND paused_at IS NOT NULL AND status IN ('CREATED', 'LIVE')
            RETURNING id
        )
        UPDATE pauses SET resumed_at = greatest(paused_at, CAST(:now AS timestamptz))
        WHERE session_id IN (SELECT id FROM resumed) AND resumed_at IS NULL
        """,
        session=UUID(session_id),
        now=now,
    )
