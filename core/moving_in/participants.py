"""Participants: who was in a session. There, each join under another identity was another row.

A user has one row in a session of ours, so theirs become one. Roles are made anew: there, whoever
joined could write them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from core.moving_in.cleaning import identity_of
from core.moving_in.load import Load
from core.moving_in.source import field
from core.text import hue_of, one_line

NAME_LENGTH = 40
FIELDS = (
    field("id", "text"),
    field("session", "text", "videoSessionId", "sessionId"),
    field("user", "text", "userId"),
    field("identity", "text"),
    field("name", "text", "displayName", "name"),
    field("joined", "time", "joinedAt", "createdAt"),
    field("left", "time", "leftAt"),
)


async def read(load: Load) -> None:
    """Take the old rows in."""
    await load.stream(
        "old_participants",
        "id text, made text, session_id text, user_id text, identity text, name text, hue int,"
        " joined_at timestamptz, left_at timestamptz, mended text[],"
        " ours text DEFAULT NULL, here bool DEFAULT false",
        _participants(load),
    )
    await load.ours.execute("CREATE INDEX ON old_participants (session_id)")


async def _participants(load: Load) -> AsyncIterator[tuple[Any, ...]]:
    async for row in load.source.rows("Participant", FIELDS):
        old = row["id"]
        load.clock.start()
        mended = []
        joined, left = load.clock.read(row["joined"]), load.clock.read(row["left"])
        if joined and left and left < joined:
            load.clock.odd, left = True, joined
        if load.clock.odd:
            mended.append("participants_time")
        name = one_line(row["name"] or "", NAME_LENGTH)
        if not row["user"] and not name:
            mended.append("participants_name")
        name = name or load.names.person
        yield (
            *(old, identity_of(old), row["session"], row["user"], row["identity"], name),
            *(hue_of(row["identity"] or old), joined, left, mended),
        )


async def write(load: Load) -> None:
    """Add those that aren't here, as one row for each user of a session."""
    await load.change(
        """
        UPDATE old_participants o SET ours = i.ours, here = true FROM imported i
        WHERE i.kind = 'participant' AND i.source = o.id
        """
    )
    await load.leave(
        "participants",
        """
        SELECT p.id FROM old_participants p LEFT JOIN old_sessions s ON s.id = p.session_id
        WHERE s.id IS NULL OR s.left_why = 'sessions_space' ORDER BY p.id
        """,
    )
    # The user's row of an earlier run, else the oldest of those that are new.
    await load.change(
        """
        UPDATE old_participants o SET ours = f.ours FROM (
            SELECT p.id, coalesce(
                max(h.identity) OVER same,
                first_value(p.made) OVER (same ORDER BY p.joined_at NULLS LAST, p.id)
            ) AS ours
            FROM old_participants p JOIN old_sessions s ON s.id = p.session_id
            LEFT JOIN old_users u ON u.id = p.user_id AND NOT u.gone
            LEFT JOIN participants h ON h.session_id = s.ours AND h.user_id = u.ours
            WHERE s.ours IS NOT NULL AND NOT s.gone AND NOT p.here
            WINDOW same AS (PARTITION BY s.ours, coalesce(CAST(u.ours AS text), p.id))
        ) f WHERE f.id = o.id
        """
    )
    await load.mend(
        "participants_same",
        "SELECT id FROM old_participants WHERE ours <> made AND NOT here ORDER BY id",
    )
    await load.counted("participants", "old_participants")
    await load.note_mended("old_participants")
    load.report.count("participants").added = await load.change(
        """
        INSERT INTO participants (identity, session_id, user_id, name, hue, role, created_at,
            joined_at, left_at)
        SELECT p.ours, s.ours, u.ours, coalesce(max(k.name), min(p.name)),
            coalesce(max(k.hue), min(p.hue)),
            CASE WHEN u.ours = s.creator THEN 'HOST' WHEN m.user_id IS NOT NULL THEN 'MEMBER'
                ELSE 'GUEST' END,
            coalesce(min(p.joined_at), s.at),
            coalesce(min(p.joined_at), s.at),
            greatest(max(coalesce(p.left_at, s.ended_at)), min(p.joined_at), s.at)
        FROM old_participants p JOIN (
            SELECT o.id, o.ours, c.ours AS creator, w.space_id, w.ended_at,
                coalesce(w.started_at, w.created_at) AS at
            FROM old_sessions o JOIN sessions w ON w.id = o.ours
            LEFT JOIN old_users c ON c.id = o.created_by
        ) s ON s.id = p.session_id
        LEFT JOIN old_users u ON u.id = p.user_id AND NOT u.gone
        LEFT JOIN users k ON k.id = u.ours
        LEFT JOIN members m ON m.space_id = s.space_id AND m.user_id = u.ours
        WHERE p.ours IS NOT NULL AND NOT p.here
        GROUP BY p.ours, s.ours, u.ours, s.creator, m.user_id, s.at
        ON CONFLICT DO NOTHING
        """
    )
    await load.change(
        """
        INSERT INTO imported (kind, source, ours)
        SELECT 'participant', id, ours FROM old_participants WHERE ours IS NOT NULL
        ON CONFLICT DO NOTHING
        """
    )
