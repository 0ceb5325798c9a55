"""Sessions: those that are over, or may as well be. Each gets a new link.

There, nothing ended by itself, so LIVE says only that nobody pressed the button: what shows no sign
of life for as long as an empty room is kept here has ended. One that somebody may be in, or that is
yet to begin, stays there: people are in another call, and the link that they have leads there. Run
again later, it is brought over once it is over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from core.moving_in.cleaning import id_of
from core.moving_in.load import Load
from core.moving_in.source import field
from core.store.sessions import new_slug
from core.text import one_line

TITLE_LENGTH = 120
LIVE_S = 30 * 60  # without a sign of life, after which a LIVE one has ended
BEGIN_S = 24 * 3600  # within which a CREATED one may still begin
FIELDS = (
    field("id", "text"),
    field("title", "text"),
    field("space", "text", "spaceId"),
    field("created_by", "text", "createdByUserId", "createdById", "hostId", "userId"),
    field("ended_by", "text", "endedByUserId", "endedById"),
    field("status", "text"),
    field("reason", "text", "endReason"),
    field("created", "time", "createdAt"),
    field("started", "time", "startedAt"),
    field("ended", "time", "endedAt"),
    field("seconds", "number", "durationSeconds", "duration"),
    field("active", "time", "lastActivityAt"),
    field("ai_title", "text", "aiTitle"),
)
REASONS = ("ADMIN_ENDED", "AUTO_EMPTY_ROOM", "EXPIRED_NO_JOIN")


async def read(load: Load) -> None:
    """Take the old rows in."""
    await load.stream(
        "old_sessions",
        "id text, made uuid, slug text, title text, space_id text, created_by text,"
        " ended_by text, status text, reason text, created_at timestamptz,"
        " started_at timestamptz, ended_at timestamptz, seconds float8, active_at timestamptz,"
        " mended text[],"
        " ours uuid DEFAULT NULL, here bool DEFAULT false, gone bool DEFAULT false,"
        " left_why text DEFAULT NULL",
        _sessions(load),
    )


async def _sessions(load: Load) -> AsyncIterator[tuple[Any, ...]]:
    async for row in load.source.rows(load.source.sessions, FIELDS):
        old = row["id"]
        load.clock.start()
        mended = []
        created, started = load.clock.read(row["created"]), load.clock.read(row["started"])
        ended, active = load.clock.read(row["ended"]), load.clock.read(row["active"])
        seconds = row["seconds"]
        if seconds is not None and not 0 <= seconds < 10**7:
            load.clock.odd, seconds = True, None
        if started and ended and ended < started:
            load.clock.odd, ended = True, None
        if load.clock.odd:
            mended.append("sessions_time")
        title = one_line(row["title"] or "", TITLE_LENGTH)
        if title and len(one_line(row["title"], TITLE_LENGTH + 1)) > TITLE_LENGTH:
            mended.append("sessions_title_long")
        title = title or one_line(row["ai_title"] or "", TITLE_LENGTH)
        if not title:
            mended.append("sessions_title")
            title = one_line(load.names.session, TITLE_LENGTH)
        reason = row["reason"] if row["reason"] in REASONS else None
        yield (
            *(old, id_of("session", old), new_slug(), title, row["space"], row["created_by"]),
            *(row["ended_by"], row["status"] or "", reason, created or started or load.clock.now),
            *(started, ended, seconds, active, mended),
        )


async def write(load: Load) -> None:
    """Decide what each of them is, and add those that are over."""
    await load.change(
        """
        UPDATE old_sessions o SET ours = CAST(i.ours AS uuid), here = true,
            gone = NOT EXISTS (SELECT FROM sessions s WHERE s.id = CAST(i.ours AS uuid))
        FROM imported i WHERE i.kind = 'session' AND i.source = o.id
        """
    )
    await _settle(load)
    for why in ("sessions_space", "sessions_live", "sessions_waiting"):
        await load.leave(
            why,
            f"SELECT id FROM old_sessions WHERE left_why = '{why}' ORDER BY id",  # noqa: S608
        )
    await load.counted("sessions", "old_sessions")
    await load.note_mended("old_sessions")
    load.report.count("sessions").added = await load.change(
        """
        INSERT INTO sessions (id, slug, title, space_id, created_by, status, created_at,
            started_at, ended_at, ended_by, end_reason)
        SELECT o.made, o.slug, o.title, s.ours, c.ours, o.status, o.created_at,
            o.started_at, o.ended_at, e.ours, o.reason
        FROM old_sessions o JOIN old_spaces s ON s.id = o.space_id
        LEFT JOIN old_users c ON c.id = o.created_by AND NOT c.gone
        LEFT JOIN old_users e ON e.id = o.ended_by AND NOT e.gone
        WHERE o.ours = o.made AND NOT o.here
        """
    )
    await load.change(
        """
        INSERT INTO imported (kind, source, ours)
        SELECT 'session', id, CAST(ours AS text) FROM old_sessions WHERE ours IS NOT NULL
        ON CONFLICT DO NOTHING
        """
    )


async def _settle(load: Load) -> None:
    """Say of each new one why it stays, or give it the times and the state of what is over."""
    await load.ours.execute(
        """
        CREATE TEMPORARY TABLE old_signs ON COMMIT DROP AS
        SELECT session_id AS id, min(at) AS first_at, max(at) AS last_at FROM (
            SELECT session_id, joined_at AS at FROM old_participants
            UNION ALL SELECT session_id, left_at FROM old_participants
            UNION ALL SELECT session_id, at FROM old_utterances
        ) signs WHERE at IS NOT NULL GROUP BY session_id
        """
    )
    await load.change(
        """
        UPDATE old_sessions o SET
            started_at = CASE WHEN o.status <> 'EXPIRED'
                THEN coalesce(o.started_at, g.first_at) ELSE g.first_at END,
            active_at = greatest(o.active_at, g.last_at, o.started_at)
        FROM old_sessions k LEFT JOIN old_signs g ON g.id = k.id WHERE k.id = o.id
        """
    )
    # Of what was never joined, EXPIRED is all that can be said; of the rest, that it has ended.
    await load.change(
        """
        UPDATE old_sessions SET status = CASE
            WHEN status IN ('EXPIRED', 'CREATED') AND started_at IS NULL AND ended_at IS NULL
                THEN status
            WHEN status IN ('ENDED', 'EXPIRED') OR ended_at IS NOT NULL THEN 'ENDED'
            ELSE 'LIVE' END
        """
    )
    await load.change(
        """
        UPDATE old_sessions o SET left_why = CASE
            WHEN s.id IS NULL OR s.gone THEN 'sessions_space'
            WHEN o.status = 'LIVE' AND coalesce(o.active_at, o.created_at)
                > $1::timestamptz - make_interval(secs => $2) THEN 'sessions_live'
            WHEN o.status = 'CREATED'
                AND o.created_at > $1::timestamptz - make_interval(secs => $3)
                THEN 'sessions_waiting' END
        FROM old_sessions k LEFT JOIN old_spaces s ON s.id = k.space_id
        WHERE k.id = o.id AND NOT o.here
        """,
        load.clock.now,
        float(LIVE_S),
        float(BEGIN_S),
    )
    await load.mend(
        "sessions_ended",
        "SELECT id FROM old_sessions WHERE status = 'LIVE' AND left_why IS NULL AND NOT here",
    )
    await load.change(
        """
        UPDATE old_sessions SET ours = made,
            reason = CASE WHEN status IN ('CREATED', 'EXPIRED') THEN 'EXPIRED_NO_JOIN'
                WHEN status = 'LIVE' OR reason = 'EXPIRED_NO_JOIN' OR reason IS NULL
                THEN 'AUTO_EMPTY_ROOM' ELSE reason END,
            ended_at = CASE WHEN status IN ('CREATED', 'EXPIRED')
                THEN created_at + make_interval(secs => $1)
                ELSE coalesce(ended_at, started_at + make_interval(secs => seconds),
                    active_at, started_at, created_at) END,
            started_at = CASE WHEN status IN ('CREATED', 'EXPIRED') THEN NULL
                ELSE least(coalesce(started_at, created_at), ended_at) END,
            status = CASE WHEN status IN ('CREATED', 'EXPIRED') THEN 'EXPIRED' ELSE 'ENDED' END
        WHERE left_why IS NULL AND NOT here
        """,
        float(BEGIN_S),
    )
