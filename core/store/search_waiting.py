"""Sessions of before search found what it does: which of them wait, and how they are sorted in."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from core.database import Database

AT_ONCE = 500  # lines of one statement, of some 0.1 ms each


async def sort_in(db: Database) -> bool:
    """Sort in some lines of the newest session that waits; False where none does.

    Of several processes each has a session of its own: the row is locked. What is said meanwhile
    is sorted in by itself (triggers in schema.sql), and what is corrected waits for this.
    """
    async with db.transaction():
        row = await db.fetch_one(
            """
            SELECT session_id, seq FROM search_waiting ORDER BY turn DESC
            LIMIT 1 FOR UPDATE SKIP LOCKED
            """
        )
        if row is None:
            return False
        done = await db.returning(
            """
            WITH page AS (
                SELECT seq FROM utterances
                WHERE session_id = :session AND seq > CAST(:seq AS int) ORDER BY seq LIMIT :most
            ), added AS (
                INSERT INTO search_lines
                    (session_id, kind, seq, part, space_id, speaker, at, stemmed, words)
                SELECT session_id, 'LINE', seq, part, space_id, speaker, at, stemmed, words
                FROM lines_to_search
                WHERE session_id = :session AND seq IN (SELECT seq FROM page)
                ON CONFLICT DO NOTHING
            ), translated AS (
                INSERT INTO search_lines
                    (session_id, kind, seq, part, space_id, speaker, at, stemmed, words, language)
                SELECT session_id, 'LINE', seq, part, space_id, speaker, at, stemmed, words,
                    language
                FROM translations_to_search
                WHERE session_id = :session AND seq IN (SELECT seq FROM page)
                ON CONFLICT DO NOTHING
            )
            SELECT count(*) AS many, max(seq) AS last FROM page
            """,
            session=row["session_id"],
            seq=row["seq"],
            most=AT_ONCE,
        )
        if done["many"] == AT_ONCE:
            await db.execute(
                "UPDATE search_waiting SET seq = :last WHERE session_id = :session",
                last=done["last"],
                session=row["session_id"],
            )
        else:
            await _finish(db, row["session_id"])
    return True


async def _finish(db: Database, session: UUID) -> None:
    """Sort in a session's chat and title, after which it waits no more."""
    await db.execute(
        """
        INSERT INTO search_lines
            (session_id, kind, seq, part, space_id, speaker, at, stemmed, words)
        SELECT session_id, 'CHAT', seq, 0, space_id, speaker, at, stemmed, words
        FROM chat_to_search WHERE session_id = :session
        UNION ALL
        SELECT session_id, 'TITLE', 0, 0, space_id, NULL, at, stemmed, words
        FROM titles_to_search WHERE session_id = :session
        ON CONFLICT DO NOTHING
        """,
        session=session,
    )
    await db.execute("DELETE FROM search_waiting WHERE session_id = :session", session=session)


async def any_of(db: Database, spaces: Sequence[str]) -> bool:
    """Whether a session of these spaces isn't sorted in yet, so that not all of it is found."""
    row = await db.fetch_one(
        """
        SELECT FROM search_waiting w JOIN sessions s ON s.id = w.session_id
        WHERE s.space_id = ANY(CAST(:spaces AS uuid[])) LIMIT 1
        """,
        spaces=[UUID(one) for one in spaces],
    )
    return row is not None


async def is_any_left(db: Database) -> bool:
    """Whether any session waits, also one that another process is at."""
    return await db.fetch_one("SELECT FROM search_waiting LIMIT 1") is not None
