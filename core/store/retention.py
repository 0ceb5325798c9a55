"""How long the words of sessions are kept: a space's choice, sessions that it spares, and the deed.

What goes is what was said and written, its sound, what became of it by corrections and what an AI
made of it; that there was a session, and who was in it, stays, and so does what it used.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.database import Database
from core.model import Person
from core.store import space_events

MOST_DAYS = 3650  # ten years; who keeps words for longer keeps them until somebody deletes them
# Sessions of one statement: each may have 20,000 utterances, which take a second to delete.
AT_ONCE = 5

# Sessions of a space whose words its choice doesn't cover any more. Of one that was recorded
# elsewhere it counts from when it was uploaded.
_OLD = """
    s.status = 'ENDED' AND NOT s.protected AND s.text_deleted_at IS NULL
    AND s.ended_at < CAST(:now AS timestamptz) - make_interval(days => {days})
    AND coalesce(s.uploaded_at < CAST(:now AS timestamptz) - make_interval(days => {days}), true)
"""


class DaysChangedError(Exception):
    """Somebody else has chosen meanwhile; `now` is what they have chosen."""

    def __init__(self, now: int | None) -> None:
        super().__init__("another number of days was chosen meanwhile")
        self.now = now


@dataclass(frozen=True, slots=True)
class Kept:
    """How long the words of one session are kept, in days; None: until somebody deletes them.

    `deleted_at`: when they were deleted.
    """

    days: int | None
    protected: bool
    deleted_at: datetime | None


async def of_session(db: Database, session_id: str) -> Kept:
    """Return how long the words of a session are kept."""
    row = await db.fetch_one(
        """
        SELECT p.text_days, s.protected, s.text_deleted_at
        FROM sessions s JOIN spaces p ON p.id = s.space_id WHERE s.id = :session
        """,
        session=UUID(session_id),
    )
    if row is None:
        return Kept(None, protected=False, deleted_at=None)
    return Kept(row["text_days"], row["protected"], row["text_deleted_at"])


async def days_of(db: Database, space_id: str) -> int | None:
    """Return for how many days a space keeps words; None: until somebody deletes them."""
    row = await db.fetch_one("SELECT text_days FROM spaces WHERE id = :space", space=UUID(space_id))
    return row["text_days"] if row is not None else None


async def would_go(db: Database, space_id: str, days: int, now: datetime) -> int:
    """Return the words of how many sessions would go at once if a space kept them so long."""
    row = await db.returning(
        f"""
        SELECT count(*) AS many FROM sessions s
        WHERE s.space_id = :space AND {_OLD.format(days="CAST(:days AS int)")}
        """,  # noqa: S608 - no input in it
        space=UUID(space_id),
        days=days,
        now=now,
    )
    many: int = row["many"]
    return many


async def choose(
    db: Database, space_id: str, by: Person, days: int | None, was: int | None
) -> None:
    """Keep the words of a space so long from now on; it is noted in its log.

    `was` is what whoever chooses has seen. Raises DaysChangedError where it is another number.
    """
    async with db.transaction():
        row = await db.returning(
            "SELECT text_days FROM spaces WHERE id = :space FOR UPDATE", space=UUID(space_id)
        )
        if row["text_days"] == days:
            return
        if row["text_days"] != was:
            raise DaysChangedError(row["text_days"])
        await db.execute(
            "UPDATE spaces SET text_days = :days WHERE id = :space",
            days=days,
            space=UUID(space_id),
        )
        detail = "" if days is None else str(days)
        await space_events.note(db, space_id, by, "text_days_chosen", detail=detail)


async def protect(db: Database, session_id: str, by: Person, *, protected: bool) -> None:
    """Spare the words of a session, or no longer; it is noted in the log of its space."""
    async with db.transaction():
        row = await db.fetch_one(
            """
            UPDATE sessions SET protected = :protected
            WHERE id = :session AND protected <> :protected RETURNING space_id, title
            """,
            session=UUID(session_id),
            protected=protected,
        )
        if row is not None:
            act: space_events.Act = "session_protected" if protected else "session_unprotected"
            await space_events.note(db, str(row["space_id"]), by, act, row["title"])


async def delete_old(db: Database, now: datetime) -> int:
    """Delete the words of some sessions that are due; return of how many.

    Each goes to one process: the others pass over it. Until it returns 0 there are more.
    """
    row = await db.returning(
        f"""
        WITH due AS (
            SELECT s.id FROM sessions s JOIN spaces p ON p.id = s.space_id
            WHERE p.text_days IS NOT NULL AND {_OLD.format(days="p.text_days")}
            ORDER BY s.ended_at LIMIT :most FOR UPDATE OF s SKIP LOCKED
        ), said AS (
            DELETE FROM utterances WHERE session_id IN (SELECT id FROM due)
        ), translated AS (
            DELETE FROM translations WHERE session_id IN (SELECT id FROM due)
        ), written AS (
            DELETE FROM chat_messages WHERE session_id IN (SELECT id FROM due)
        ), corrected AS (
            DELETE FROM corrections WHERE session_id IN (SELECT id FROM due)
        ), named AS (
            DELETE FROM speakers WHERE session_id IN (SELECT id FROM due)
        ), made_of_it AS (
            DELETE FROM analyses WHERE session_id IN (SELECT id FROM due)
        ), heard AS (
            DELETE FROM recordings WHERE session_id IN (SELECT id FROM due)
        ), noted AS (
            UPDATE sessions SET text_deleted_at = :now
            WHERE id IN (SELECT id FROM due) RETURNING id
        )
        SELECT count(*) AS many FROM noted
        """,  # noqa: S608 - no input in it
        now=now,
        most=AT_ONCE,
    )
    many: int = row["many"]
    return many
