"""The ledger: what spaces have sent and paid by day, session and month, read from space_usage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from core.database import Database, Row


@dataclass(frozen=True, slots=True)
class Spending:
    """What was sent and paid from a day of UTC on: of that day, or of its month."""

    day: date
    seconds: float
    cost: float


@dataclass(frozen=True, slots=True)
class SessionSpending:
    """What a session took in one month. `slug` and `title` are None where it was deleted."""

    id: str
    at: datetime  # when it began
    slug: str | None
    title: str | None
    people: int  # who came in
    seconds: float
    cost: float
    engines: str  # the one, or two with a comma: there are no more


@dataclass(frozen=True, slots=True)
class Key:
    """Behind which session of a list the next page begins."""

    at: datetime
    id: str


def _spending(row: Row) -> Spending:
    return Spending(row["day"], row["sent_s"], row["cost"])


async def days(db: Database, space_id: str, first: date, after: date) -> list[Spending]:
    """Return the days between these two on which a space has sent anything, in order."""
    rows = await db.fetch_all(
        """
        SELECT day, sum(sent_s) AS sent_s, sum(cost) AS cost FROM space_usage
        WHERE space_id = :space AND day >= :first AND day < :after GROUP BY day ORDER BY day
        """,
        space=UUID(space_id),
        first=first,
        after=after,
    )
    return [_spending(row) for row in rows]


async def months(db: Database, first: date) -> list[Spending]:
    """Return the months since a day in which anybody has sent anything, in order."""
    rows = await db.fetch_all(
        """
        SELECT CAST(date_trunc('month', CAST(day AS timestamp)) AS date) AS day,
            sum(sent_s) AS sent_s, sum(cost) AS cost
        FROM space_usage WHERE day >= :first GROUP BY 1 ORDER BY 1
        """,
        first=first,
    )
    return [_spending(row) for row in rows]


async def first_day(db: Database, space_id: str) -> date | None:
    """Return the first day on which a space has sent anything."""
    row = await db.returning(
        "SELECT min(day) AS day FROM space_usage WHERE space_id = :space", space=UUID(space_id)
    )
    day: date | None = row["day"]
    return day


async def sessions(
    db: Database, space_id: str, first: date, after: date, *, behind: Key | None, most: int
) -> list[SessionSpending]:
    """Return what sessions of a space took between two days, the last one first, `most` of them."""
    rows = await db.fetch_all(
        """
        WITH month AS (
            SELECT session_id, sum(sent_s) AS sent_s, sum(cost) AS cost, min(day) AS day,
                min(engine) AS engine, max(engine) AS other
            FROM space_usage WHERE space_id = :space AND day >= :first AND day < :after
            GROUP BY session_id
        ), begun AS (
            SELECT m.*, s.slug, s.title, coalesce(s.started_at, s.created_at,
                CAST(m.day AS timestamp) AT TIME ZONE 'UTC') AS at
            FROM month m LEFT JOIN sessions s ON s.id = m.session_id
        ), page AS (
            SELECT * FROM begun
            WHERE CAST(:at AS timestamptz) IS NULL OR (at, session_id) < (:at, CAST(:id AS uuid))
            ORDER BY at DESC, session_id DESC LIMIT :most
        )
        SELECT page.*, (
            SELECT count(*) FROM participants p
            WHERE p.session_id = page.session_id AND p.joined_at IS NOT NULL
        ) AS people
        FROM page ORDER BY at DESC, session_id DESC
        """,
        space=UUID(space_id),
        first=first,
        after=after,
        at=behind.at if behind else None,
        id=UUID(behind.id) if behind else None,
        most=most,
    )
    return [
        SessionSpending(
            id=str(row["session_id"]),
            at=row["at"],
            slug=row["slug"],
            title=row["title"],
            people=row["people"],
            seconds=row["sent_s"],
            cost=row["cost"],
            engines=", ".join(dict.fromkeys((row["engine"], row["other"]))),
        )
        for row in rows
    ]
