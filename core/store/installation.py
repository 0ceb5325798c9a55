"""The installation as its administrators see it: people and spaces, and nothing of what was said.

No title, link or word of a session is read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from core.database import Database, Row
from core.model import Person
from core.store.people import person_of


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """A user; `seen_at` is to the hour, None for who signed out and never was in a session."""

    person: Person
    created_at: datetime
    disabled_at: datetime | None
    seen_at: datetime | None
    spaces: str  # their names, with commas


@dataclass(frozen=True, slots=True)
class KnownSpace:
    """A space, and what it has sent in a month, in whole seconds."""

    id: str
    name: str
    people: int
    sessions: int
    seconds: int
    cost: float
    granted: float | None
    chosen: float | None


async def people(
    db: Database,
    search: str,
    idle: timedelta,
    *,
    behind: tuple[datetime, UUID] | None = None,
    most: int = 1,
) -> list[KnownPerson]:
    """Return users of whom name or address has this in it, or whose id it is, the newest first.

    `idle` is without how much use a login ends: by it is known when one was used.
    """
    rows = await db.fetch_all(
        """
        WITH page AS (
            SELECT * FROM users
            WHERE (position(search_folded(:search) IN search_folded(name)) > 0
                OR position(search_folded(:search) IN search_folded(email)) > 0
                OR CAST(id AS text) = :search)
            AND (CAST(:at AS timestamptz) IS NULL OR (created_at, id) < (:at, CAST(:id AS uuid)))
            ORDER BY created_at DESC, id DESC LIMIT :most
        )
        SELECT u.*, (
            SELECT string_agg(s.name, ', ' ORDER BY m.joined_at) FROM members m
            JOIN spaces s ON s.id = m.space_id WHERE m.user_id = u.id
        ) AS spaces, greatest(
            (SELECT max(l.idle_at) FROM logins l WHERE l.user_id = u.id) - CAST(:idle AS interval),
            (
                SELECT max(coalesce(p.page_seen_at, p.left_at, p.joined_at)) FROM participants p
                WHERE p.user_id = u.id
            )
        ) AS seen_at
        FROM page u ORDER BY u.created_at DESC, u.id DESC
        """,
        search=search,
        idle=idle,
        at=behind[0] if behind else None,
        id=behind[1] if behind else None,
        most=most,
    )
    return [_person(row) for row in rows]


def _person(row: Row) -> KnownPerson:
    return KnownPerson(
        person_of(row),
        created_at=row["created_at"],
        disabled_at=row["disabled_at"],
        seen_at=row["seen_at"],
        spaces=row["spaces"] or "",
    )


async def spaces(
    db: Database,
    search: str,
    first: date,
    *,
    behind: tuple[int, UUID] | None = None,
    most: int = 1,
    only: UUID | None = None,
) -> list[KnownSpace]:
    """Return spaces whose name has this in it, who sent most since a day first; or only one."""
    rows = await db.fetch_all(
        """
        WITH month AS (
            SELECT space_id, CAST(round(sum(sent_s)) AS bigint) AS sent_s, sum(cost) AS cost
            FROM space_usage WHERE day >= :first GROUP BY space_id
        ), known AS (
            SELECT s.*, coalesce(m.sent_s, 0) AS sent_s, coalesce(m.cost, 0) AS cost
            FROM spaces s LEFT JOIN month m ON m.space_id = s.id
            WHERE position(search_folded(:search) IN search_folded(name)) > 0
            AND (CAST(:only AS uuid) IS NULL OR s.id = :only)
        ), page AS (
            SELECT * FROM known
            WHERE CAST(:sent AS bigint) IS NULL OR (sent_s, id) < (:sent, CAST(:id AS uuid))
            ORDER BY sent_s DESC, id DESC LIMIT :most
        )
        SELECT page.*, (SELECT count(*) FROM members m WHERE m.space_id = page.id) AS people,
            (SELECT count(*) FROM sessions s WHERE s.space_id = page.id) AS sessions
        FROM page ORDER BY sent_s DESC, id DESC
        """,
        search=search,
        first=first,
        only=only,
        sent=behind[0] if behind else None,
        id=behind[1] if behind else None,
        most=most,
    )
    return [
        KnownSpace(
            id=str(row["id"]),
            name=row["name"],
            people=row["people"],
            sessions=row["sessions"],
            seconds=row["sent_s"],
            cost=row["cost"],
            granted=row["minutes_granted"],
            chosen=row["minutes_chosen"],
        )
        for row in rows
    ]


async def numbers(db: Database) -> tuple[int, int, int]:
    """Return how many people, spaces and sessions there are."""
    row = await db.returning(
        """
        SELECT (SELECT count(*) FROM users) AS people, (SELECT count(*) FROM spaces) AS spaces,
            (SELECT count(*) FROM sessions WHERE status <> 'EXPIRED') AS sessions
        """
    )
    return row["people"], row["spaces"], row["sessions"]
