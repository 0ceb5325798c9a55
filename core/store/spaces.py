"""Spaces and their members."""

from __future__ import annotations

from uuid import UUID

from core.database import Database
from core.model import Membership


async def first_space(db: Database, user_id: str, name: str) -> str:
    """Return the id of the user's oldest space; the first call makes one named `name`."""
    async with db.transaction():
        # Locks the user, so that two first visits at once make one space.
        await db.execute("SELECT 1 FROM users WHERE id = :user FOR UPDATE", user=UUID(user_id))
        row = await db.fetch_one(
            "SELECT space_id FROM members WHERE user_id = :user ORDER BY joined_at LIMIT 1",
            user=UUID(user_id),
        )
        return str(row["space_id"]) if row else await _create(db, user_id, name)


async def _create(db: Database, user_id: str, name: str) -> str:
    row = await db.returning("INSERT INTO spaces (name) VALUES (:name) RETURNING id", name=name)
    await db.execute(
        "INSERT INTO members (space_id, user_id, role) VALUES (:space, :user, 'OWNER')",
        space=row["id"],
        user=UUID(user_id),
    )
    return str(row["id"])


async def membership(db: Database, space_id: str, user_id: str) -> Membership | None:
    """Return what the user is in a space, None when not a member."""
    row = await db.fetch_one(
        "SELECT role FROM members WHERE space_id = :space AND user_id = :user",
        space=UUID(space_id),
        user=UUID(user_id),
    )
    role: Membership | None = row["role"] if row else None
    return role
