"""The browsers that somebody is signed in with, as their person sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.database import Database


@dataclass(frozen=True, slots=True)
class OpenLogin:
    """A login that counts: what it is called in addresses, and the digest of its key.

    `agent` is the browser's own word for itself, "" where an older release didn't keep it. It ends
    at `idle_at` unless it is used before, and at `expires_at` in any case.
    """

    id: str
    digest: bytes
    agent: str
    signed_in_at: datetime
    idle_at: datetime
    expires_at: datetime


async def of_person(db: Database, user_id: str) -> list[OpenLogin]:
    """Return the logins of a user that count, who was used last first; MAX_LOGINS at most."""
    rows = await db.fetch_all(
        """
        SELECT l.id, l.key_digest, l.agent, l.signed_in_at, l.idle_at, l.expires_at
        FROM open_logins o JOIN logins l ON l.key_digest = o.key_digest
        WHERE o.user_id = :user ORDER BY l.idle_at DESC, l.id
        """,
        user=UUID(user_id),
    )
    return [
        OpenLogin(
            str(row["id"]),
            row["key_digest"],
            row["agent"],
            row["signed_in_at"],
            row["idle_at"],
            row["expires_at"],
        )
        for row in rows
    ]
