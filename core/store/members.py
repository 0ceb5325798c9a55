"""Members of spaces."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.database import Database
from core.model import Membership, Person
from core.store.people import person_of

MAX_MEMBERS = 500  # of a space; its page shows them all


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a space, what they are there, and since when."""

    person: Person
    role: Membership
    joined_at: datetime


async def listed(db: Database, space_id: str) -> list[Member]:
    """Return the members of a space: its owners, then the others, the first ones first."""
    rows = await db.fetch_all(
        """
        SELECT u.*, m.role AS membership, m.joined_at
        FROM members m JOIN users u ON u.id = m.user_id
        WHERE m.space_id = :space ORDER BY m.role = 'MEMBER', m.joined_at, u.id LIMIT :most
        """,
        space=UUID(space_id),
        most=2 * MAX_MEMBERS,  # what was copied from the replaced product knows no bound
    )
    return [Member(person_of(row), row["membership"], row["joined_at"]) for row in rows]
