"""Spaces and their members."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from core.database import Database
from core.model import Consent, Membership


@dataclass(frozen=True, slots=True)
class Space:
    """A space, what is set for its minutes a month, and what its door asks: see schema.sql."""

    id: str
    name: str
    granted: float | None
    chosen: float | None
    consent: Consent = "OFF"


async def find(db: Database, space: UUID, user_id: str) -> tuple[Space, Membership | None] | None:
    """Return a space, and what a user is in it; None where there is none."""
    row = await db.fetch_one(
        """
        SELECT s.*, m.role FROM spaces s
        LEFT JOIN members m ON m.space_id = s.id AND m.user_id = :user WHERE s.id = :space
        """,
        space=space,
        user=UUID(user_id),
    )
    if row is None:
        return None
    own = Space(
        str(row["id"]),
        row["name"],
        row["minutes_granted"],
        row["minutes_chosen"],
        row["consent"],
    )
    return own, row["role"]


async def of_person(db: Database, user_id: str) -> list[tuple[str, str]]:
    """Return the spaces that a user is a member of, id and name, the first one first."""
    rows = await db.fetch_all(
        """
        SELECT s.id, s.name FROM spaces s JOIN members m ON m.space_id = s.id
        WHERE m.user_id = :user ORDER BY m.joined_at, s.id LIMIT 100
        """,
        user=UUID(user_id),
    )
    return [(str(row["id"]), row["name"]) for row in rows]


async def grant(db: Database, space_id: str, minutes: float | None) -> None:
    """Have a space use at most so many minutes a month; None: as many as every space."""
    await db.execute(
        "UPDATE spaces SET minutes_granted = CAST(:minutes AS double precision) WHERE id = :space",
        space=UUID(space_id),
        minutes=minutes,
    )


async def choose(db: Database, space_id: str, minutes: float | None) -> None:
    """Have a space use at most so many of those minutes; None: all of them."""
    await db.execute(
        "UPDATE spaces SET minutes_chosen = CAST(:minutes AS double precision) WHERE id = :space",
        space=UUID(space_id),
        minutes=minutes,
    )


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
