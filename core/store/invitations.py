"""Invitations to a space: by a link, or for an e-mail address."""

from __future__ import annotations

from uuid import UUID

from core.database import Database


async def revoke_of(db: Database, space_id: str, user_id: str) -> None:
    """Revoke all by which somebody could come back whose membership ends: links, and their own."""
    await db.execute(
        """
        UPDATE invitations SET revoked_at = now() WHERE space_id = :space
        AND revoked_at IS NULL AND expires_at > now() AND uses < max_uses
        AND (email IS NULL OR email = (SELECT lower(email) FROM users WHERE id = :user))
        """,
        space=UUID(space_id),
        user=UUID(user_id),
    )
