"""Usage: what each stream sent and got back, and what a space has sent and paid by day and month.

A stream is counted where it is stored: with the price of that time, and by its part of each day
that it touches. So what a month cost stays what it cost, whatever COST_PER_MINUTE says later.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from core.database import Database
from core.model import StreamAccount, Usage

FREE_ENGINES = ("local",)  # whose minutes cost nothing
COUNTED_AT_ONCE = 5_000  # streams of one statement, which has 10 s
# The engine of accounts that were copied from the product that this one replaces: what was spent
# there is of no allowance here. Their streams begin with it, too.
PREVIOUS = "previous"


def price_of(engine: str, per_minute: float) -> float:
    """Return what a minute costs with an engine, where a service takes `per_minute`."""
    return 0.0 if engine in FREE_ENGINES else per_minute


async def add(db: Database, account: StreamAccount, per_minute: float) -> None:
    """Store an account and count it; the same stream twice counts once.

    `per_minute` is today's price, for what an earlier release has left without one.
    """
    price = account.price
    await db.execute(
        """
        WITH added AS (
            INSERT INTO streams (session_id, stream, identity, engine, opened_at, closed_at,
            sent_s, frames, partials, finals, errors, reconnects, price)
            VALUES (:session, :stream, :identity, :engine, :opened_at, :closed_at,
            :sent, :frames, :partials, :finals, :errors, :reconnects, :price)
            ON CONFLICT (session_id, stream) DO NOTHING RETURNING *
        )
        INSERT INTO space_usage AS u (space_id, day, session_id, engine, sent_s, cost)
        SELECT s.space_id, part.day, t.session_id, t.engine, part.sent_s, part.sent_s / 60 * t.price
        FROM added t JOIN sessions s ON s.id = t.session_id,
            sent_by_day(t.opened_at, t.closed_at, t.sent_s) part
        WHERE part.sent_s > 0
        ON CONFLICT (space_id, day, session_id, engine) DO UPDATE
            SET sent_s = u.sent_s + excluded.sent_s, cost = u.cost + excluded.cost
        """,
        session=UUID(account.session_id),
        stream=account.stream,
        identity=account.identity,
        engine=account.engine,
        opened_at=account.opened_at,
        closed_at=account.closed_at,
        sent=account.seconds_sent,
        frames=account.frames,
        partials=account.partials,
        finals=account.finals,
        errors=account.errors,
        reconnects=account.reconnects,
        price=price_of(account.engine, per_minute) if price is None else price,
    )


async def count_older(db: Database, per_minute: float) -> int:
    """Count streams that an earlier release has stored, at this price; return of how many.

    That is the price which that release would have shown. Fewer than COUNTED_AT_ONCE: all are done.
    """
    row = await db.returning(
        """
        WITH older AS (
            SELECT session_id, stream FROM streams WHERE price IS NULL
            LIMIT :most FOR UPDATE SKIP LOCKED
        ), priced AS (
            UPDATE streams t SET price = CASE WHEN engine = ANY(:free) THEN 0
                ELSE CAST(:price AS double precision) END
            FROM older WHERE t.session_id = older.session_id AND t.stream = older.stream
            RETURNING t.*
        ), counted AS (
            INSERT INTO space_usage AS u (space_id, day, session_id, engine, sent_s, cost)
            SELECT s.space_id, part.day, t.session_id, t.engine, sum(part.sent_s),
                sum(part.sent_s / 60 * t.price)
            FROM priced t JOIN sessions s ON s.id = t.session_id,
                sent_by_day(t.opened_at, t.closed_at, t.sent_s) part
            WHERE part.sent_s > 0 GROUP BY 1, 2, 3, 4
            ON CONFLICT (space_id, day, session_id, engine) DO UPDATE
                SET sent_s = u.sent_s + excluded.sent_s, cost = u.cost + excluded.cost
        )
        SELECT count(*) AS done FROM priced
        """,
        most=COUNTED_AT_ONCE,
        free=list(FREE_ENGINES),
        price=per_minute,
    )
    done: int = row["done"]
    return done


async def of_session(db: Database, session_id: str, per_minute: float) -> list[Usage]:
    """Return the usage of a session's participants, the most first.

    `per_minute` is today's price, for streams that have none yet: see `count_older`.
    """
    rows = await db.fetch_all(
        """
        SELECT s.identity, p.name, count(*) AS streams, sum(s.sent_s) AS sent,
        sum(s.frames) AS frames, sum(s.partials) AS partials, sum(s.finals) AS finals,
        sum(s.errors) AS errors, sum(s.sent_s / 60 * coalesce(s.price,
            CASE WHEN s.engine = ANY(:free) THEN 0 ELSE CAST(:price AS double precision) END
        )) AS cost
        FROM streams s JOIN participants p USING (identity) WHERE s.session_id = :session
        GROUP BY s.identity, p.name ORDER BY sent DESC
        """,
        session=UUID(session_id),
        free=list(FREE_ENGINES),
        price=per_minute,
    )
    return [
        Usage(
            identity=row["identity"],
            name=row["name"],
            streams=row["streams"],
            seconds_sent=row["sent"],
            frames=row["frames"],
            partials=row["partials"],
            finals=row["finals"],
            errors=row["errors"],
            cost=row["cost"],
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Spent:
    """What a space has sent on a day and in its month, in seconds, and what bounds are set for it.

    `granted` and `chosen` are minutes a month, see schema.sql.
    """

    day: float
    month: float
    granted: float | None
    chosen: float | None


async def spent(db: Database, spaces: Collection[str], day: date) -> dict[str, Spent]:
    """Return what each of these spaces has spent up to and including a day of UTC."""
    rows = await db.fetch_all(
        """
        SELECT s.id, s.minutes_granted, s.minutes_chosen, coalesce(sum(u.sent_s), 0) AS month,
            coalesce(sum(u.sent_s) FILTER (WHERE u.day = :day), 0) AS day
        FROM spaces s LEFT JOIN space_usage u ON u.space_id = s.id
            AND u.day BETWEEN :first AND :day AND u.engine <> :previous
        WHERE s.id = ANY(:spaces) GROUP BY s.id
        """,
        day=day,
        first=day.replace(day=1),
        previous=PREVIOUS,
        spaces=[UUID(space) for space in spaces],
    )
    return {
        str(row["id"]): Spent(
            row["day"], row["month"], row["minutes_granted"], row["minutes_chosen"]
        )
        for row in rows
    }
