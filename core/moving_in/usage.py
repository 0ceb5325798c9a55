"""Usage: what each participant's transcribing took, as accounts of streams.

They keep the cost that the old product reckoned, and aren't of today's allowance: that bounds what
is spent here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from core.moving_in.cleaning import count_of
from core.moving_in.load import Load
from core.moving_in.source import field
from core.store.usage import PREVIOUS

MAX_S = 7 * 86_400.0  # of one account; longer ones are mistakes
MAX_COST = 1e6
FIELDS = (
    field("id", "text"),
    field("session", "text", "videoSessionId", "sessionId"),
    field("participant", "text", "participantId"),
    field("identity", "text", "participantIdentity", "identity"),
    field("user", "text", "userId"),
    field("started", "time", "startedAt", "createdAt"),
    field("ended", "time", "endedAt"),
    field("seconds", "number", "durationSeconds"),
    field("minutes", "number", "durationMinutes"),
    field("chunks", "number", "audioChunksSent"),
    field("partials", "number", "partialTranscripts"),
    field("finals", "number", "finalTranscripts"),
    field("errors", "number", "errorsCount", "errors"),
    field("price", "number", "costPerMinute"),
    field("cost", "number", "totalCost"),
)


async def read(load: Load) -> None:
    """Take the old rows in."""
    await load.stream(
        "old_usage",
        "id text, session_id text, participant_id text, identity text, user_id text,"
        " opened_at timestamptz, closed_at timestamptz, sent_s float8, frames int, partials int,"
        " finals int, errors int, price float8,"
        " mended text[], ours text DEFAULT NULL, here bool DEFAULT false",
        _usage(load),
    )


async def _usage(load: Load) -> AsyncIterator[tuple[Any, ...]]:
    async for row in load.source.rows("TranscriptionUsage", FIELDS):
        load.clock.start()
        mended = []
        opened, closed = load.clock.read(row["started"]), load.clock.read(row["ended"])
        seconds = row["seconds"]
        if seconds is None and opened and closed:
            seconds = (closed - opened).total_seconds()
        if seconds is None and row["minutes"] is not None:
            seconds = row["minutes"] * 60
        if seconds is not None and not 0 <= seconds <= MAX_S:  # NaN is neither
            load.clock.odd, seconds = True, 0.0
        opened = opened or load.clock.now
        if closed is None or closed < opened:
            closed = opened + timedelta(seconds=seconds or 0.0)
        if load.clock.odd:
            mended.append("usage_time")
        cost = row["cost"]
        if cost is None and row["price"] is not None and row["minutes"] is not None:
            cost = row["price"] * row["minutes"]
        if cost is not None and not 0 <= cost <= MAX_COST:
            cost = None
        # Of a minute: there, each one that was begun had its price.
        price = load.per_minute
        if cost is not None:
            price = cost / seconds * 60 if seconds else 0.0
        yield (
            *(row["id"], row["session"], row["participant"], row["identity"], row["user"]),
            *(opened, closed, seconds or 0.0, count_of(row["chunks"]), count_of(row["partials"])),
            *(count_of(row["finals"]), count_of(row["errors"]), price, mended),
        )


async def write(load: Load) -> None:
    """Add those that aren't here under whose they are."""
    await load.change(
        """
        UPDATE old_usage o SET ours = coalesce(
            (SELECT p.ours FROM old_participants p
                WHERE p.id = o.participant_id AND p.session_id = o.session_id),
            (SELECT p.ours FROM old_participants p
                WHERE p.identity = o.identity AND p.session_id = o.session_id LIMIT 1),
            (SELECT p.ours FROM old_participants p
                WHERE p.user_id = o.user_id AND p.session_id = o.session_id LIMIT 1)
        )
        """
    )
    await load.change(
        """
        UPDATE old_usage o SET here = true FROM old_sessions s, streams t
        WHERE s.id = o.session_id AND t.session_id = s.ours AND t.stream = $1 || o.id
        """,
        f"{PREVIOUS} ",
    )
    await load.leave(
        "usage",
        """
        SELECT o.id FROM old_usage o LEFT JOIN old_sessions s ON s.id = o.session_id
        WHERE s.id IS NULL OR s.left_why = 'sessions_space'
            OR (o.ours IS NULL AND s.ours IS NOT NULL AND NOT s.gone) ORDER BY o.id
        """,
    )
    await load.counted("usage", "old_usage")
    await load.note_mended("old_usage")
    row = await load.ours.fetchrow(
        """
        WITH added AS (
            INSERT INTO streams (session_id, stream, identity, engine, opened_at, closed_at,
                sent_s, frames, partials, finals, errors, price)
            SELECT w.id, $1 || ' ' || o.id, o.ours, $1, o.opened_at, o.closed_at, o.sent_s,
                o.frames, o.partials, o.finals, o.errors, o.price
            FROM old_usage o JOIN old_sessions s ON s.id = o.session_id
            JOIN sessions w ON w.id = s.ours
            WHERE o.ours IS NOT NULL AND NOT o.here
            ON CONFLICT DO NOTHING RETURNING *
        ), counted AS (
            INSERT INTO space_usage AS u (space_id, day, session_id, engine, sent_s, cost)
            SELECT s.space_id, part.day, t.session_id, t.engine, sum(part.sent_s),
                sum(part.sent_s / 60 * t.price)
            FROM added t JOIN sessions s ON s.id = t.session_id,
                sent_by_day(t.opened_at, t.closed_at, t.sent_s) part
            WHERE part.sent_s > 0 GROUP BY 1, 2, 3, 4
            ON CONFLICT (space_id, day, session_id, engine) DO UPDATE
                SET sent_s = u.sent_s + excluded.sent_s, cost = u.cost + excluded.cost
        )
        SELECT count(*) AS n, coalesce(sum(sent_s / 60 * price), 0) AS cost FROM added
        """,
        PREVIOUS,
    )
    load.report.count("usage").added = row["n"]
    load.report.cost = row["cost"]
