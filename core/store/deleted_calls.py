"""Calls of sessions that were deleted: LiveKit may not have been there to close them.

And while somebody has a pass, they can make the room anew. What is left of such a session is its
slug, for as long as that may be.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from core.database import Database
from core.store.sessions import SLUG

PASSES_LAST = timedelta(minutes=15)  # those that are out when a call ends: ten, and slow clocks
KEPT = timedelta(days=1)  # at most: a LiveKit that is away for so long has no room any more
# For a statement that deletes sessions, as what goes: `gone`, with slug, call_open and ended_at.
NOTED = f"""
    INSERT INTO deleted_calls (slug) SELECT slug FROM gone
    WHERE call_open OR ended_at > now() - make_interval(secs => {PASSES_LAST.total_seconds()})
"""  # noqa: S608 - no input in it


async def claim(db: Database, polled_before: datetime, now: datetime, limit: int) -> list[str]:
    """Take on calls that should be closed, again: their slugs; other processes skip them."""
    rows = await db.fetch_all(
        """
        UPDATE deleted_calls SET polled_at = :now WHERE slug IN (SELECT slug FROM deleted_calls
          WHERE polled_at IS NULL OR polled_at <= :before
          ORDER BY polled_at NULLS FIRST LIMIT :limit FOR UPDATE SKIP LOCKED) RETURNING slug
        """,
        before=polled_before,
        now=now,
        limit=limit,
    )
    return [row["slug"] for row in rows]


async def closed(db: Database, slug: str, now: datetime) -> None:
    """Note that LiveKit has no such room; once no pass can make it anew, it is forgotten."""
    await db.execute(
        "DELETE FROM deleted_calls WHERE slug = :slug AND deleted_at < :before",
        slug=slug,
        before=now - PASSES_LAST,
    )


async def is_one(db: Database, slug: str) -> bool:
    """Whether a room is that of a session that was deleted."""
    if not SLUG.fullmatch(slug):  # PostgreSQL refuses some characters
        return False
    found = "SELECT FROM deleted_calls WHERE slug = :slug"
    return await db.fetch_one(found, slug=slug) is not None


async def forget(db: Database, now: datetime) -> None:
    """Forget those that couldn't be closed for so long."""
    await db.execute("DELETE FROM deleted_calls WHERE deleted_at < :before", before=now - KEPT)
