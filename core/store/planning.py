"""What is said ahead of sessions: the time they are planned for, their agenda, when they recur."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from core.database import Database
from core.model import Planning, Session
from core.store.sessions import session_of


async def change(
    db: Database, session_id: str, planning: Planning, *, was: datetime | None, now: datetime
) -> Session | None:
    """Change what is said ahead of a session that goes on, and return it as it is now.

    `was` is the session's `replanned_at` as whoever changes it has seen it. Returns None where
    somebody else has changed it since, or it is over. What stays as it is counts as no change.
    """
    row = await db.fetch_one(
        """
        UPDATE sessions SET planned_at = :at, agenda = :agenda, recurs = :recurs,
        replanned_at = CASE WHEN (planned_at, agenda, recurs) IS DISTINCT FROM
            (CAST(:at AS timestamptz), CAST(:agenda AS text), CAST(:recurs AS text))
            THEN :now ELSE replanned_at END
        WHERE id = :id AND status IN ('CREATED', 'LIVE')
        AND replanned_at IS NOT DISTINCT FROM CAST(:was AS timestamptz) RETURNING *
        """,
        id=UUID(session_id),
        at=planning.at,
        agenda=planning.agenda,
        recurs=planning.recurs,
        was=was,
        now=now,
    )
    return session_of(row) if row else None
