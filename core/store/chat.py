"""The chat of a session."""

from __future__ import annotations

from uuid import UUID

from core.database import Database
from core.model import MAX_LINES, ChatLine


async def add(db: Database, line: ChatLine) -> bool:
    """Store a line; the same line twice counts once. Returns False where another has its id."""
    row = await db.fetch_one(
        """
        INSERT INTO chat_messages AS old (session_id, id, identity, text, sent_at)
        VALUES (:session, :id, :identity, :text, :sent_at)
        ON CONFLICT (session_id, id) DO UPDATE SET sent_at = excluded.sent_at
        WHERE (old.identity, old.text, old.sent_at)
            = (excluded.identity, excluded.text, excluded.sent_at)
        RETURNING id
        """,
        session=UUID(line.session_id),
        id=line.id,
        identity=line.identity,
        text=line.text,
        sent_at=line.sent_at,
    )
    return row is not None


async def of_session(db: Database, session_id: str) -> list[ChatLine]:
    """Return a session's lines by id."""
    rows = await db.fetch_all(
        """
        SELECT c.*, p.name, p.hue, p.role FROM chat_messages c JOIN participants p
        USING (identity) WHERE c.session_id = :session ORDER BY c.id LIMIT :limit
        """,
        session=UUID(session_id),
        limit=MAX_LINES,
    )
    return [
        ChatLine(
            session_id=session_id,
            id=row["id"],
            identity=row["identity"],
            name=row["name"],
            hue=row["hue"],
            role=row["role"],
            text=row["text"],
            sent_at=row["sent_at"],
        )
        for row in rows
    ]
