"""All that is kept of a space, as its owners save it: rows whose columns name themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from core.database import Database, Row

AT_ONCE = 500  # rows: of corrections, some 100 kB

Json = dict[str, Any]
Part = Literal["log", "usage"]

_PARTS: dict[Part, str] = {
    "log": """
        SELECT id AS key, at, actor_name AS who, act, subject, detail, by_token FROM space_events
        WHERE space_id = :of AND (CAST(:key AS bigint) IS NULL OR id > :key)
        ORDER BY id LIMIT :most
    """,
    "usage": """
        SELECT concat_ws(' ', day, session_id, engine) AS key, day, session_id AS session, engine,
            sent_s, cost
        FROM space_usage
        WHERE space_id = :of AND (
            CAST(:key AS text) IS NULL OR (day, session_id, engine) > (
                CAST(split_part(:key, ' ', 1) AS date), CAST(split_part(:key, ' ', 2) AS uuid),
                split_part(:key, ' ', 3)
            )
        )
        ORDER BY day, session_id, engine LIMIT :most
    """,
}
_CORRECTIONS = """
    SELECT id AS key, at, name AS who, kind, seq, part, before, after FROM corrections
    WHERE session_id = :of AND (CAST(:key AS bigint) IS NULL OR id > :key)
    ORDER BY id LIMIT :most
"""

_TRANSLATIONS = """
    SELECT concat_ws(' ', u.seq, t.language) AS key, u.seq, t.language, t.text
    FROM utterances u JOIN translations t USING (session_id, stream, utterance)
    WHERE u.session_id = :of AND (
        CAST(:key AS text) IS NULL OR u.seq >= CAST(split_part(:key, ' ', 1) AS int)
        AND (u.seq, t.language) > (
            CAST(split_part(:key, ' ', 1) AS int), split_part(:key, ' ', 2)
        )
    )
    ORDER BY u.seq, t.language LIMIT :most
"""


@dataclass(frozen=True, slots=True)
class Named:
    """A session of a list: what is still known of it if it is deleted before it is read."""

    id: str
    slug: str
    title: str
    created_at: datetime


async def space(db: Database, space_id: str) -> Json | None:
    """Return a space: its settings, members by name and standing rooms; None where it is gone."""
    row = await db.fetch_one(
        """
        SELECT to_jsonb(s) AS space, (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'name', u.name, 'role', m.role, 'joined_at', m.joined_at
            ) ORDER BY m.joined_at, u.id), '[]')
            FROM members m JOIN users u ON u.id = m.user_id WHERE m.space_id = s.id
        ) AS members, (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'link', r.slug, 'title', r.title, 'admission', r.admission, 'agenda', r.agenda,
                'recurs', r.recurs, 'created_at', r.created_at
            ) ORDER BY r.created_at, r.id), '[]')
            FROM standing_rooms r WHERE r.space_id = s.id
        ) AS standing_rooms
        FROM spaces s WHERE s.id = :space
        """,
        space=UUID(space_id),
    )
    return _raw(row) if row else None


async def session(db: Database, session_id: str) -> Json | None:
    """Return a session: what is set for it, who was there, and by which links its transcript was
    shared; None where it is gone.

    What is noted of its call for ourselves isn't there, nor what a link is made of.
    """
    row = await db.fetch_one(
        """
        SELECT to_jsonb(s) - ARRAY['call_open', 'polled_at', 'replanned_at'] AS session, (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'identity', p.identity, 'name', p.name, 'role', p.role, 'state', p.state,
                'joined_at', p.joined_at, 'left_at', p.left_at, 'consented_at', p.consented_at,
                'refused_at', p.refused_at
            ) ORDER BY p.joined_at, p.identity), '[]')
            FROM participants p WHERE p.session_id = s.id AND p.joined_at IS NOT NULL
        ) AS people, (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'made_by', l.maker, 'chat', l.chat, 'created_at', l.created_at,
                'expires_at', l.expires_at, 'revoked_at', l.revoked_at, 'openings', l.openings,
                'opened_at', l.opened_at
            ) ORDER BY l.created_at, l.id), '[]')
            FROM shared_links l WHERE l.session_id = s.id
        ) AS shared_links
        FROM sessions s WHERE s.id = :session
        """,
        session=UUID(session_id),
    )
    return _raw(row) if row else None


async def analysis(db: Database, session_id: str) -> msgspec.Raw | None:
    """Return what an AI has made of a session; None where there is nothing."""
    row = await db.fetch_one(
        "SELECT to_jsonb(a) - 'session_id' AS told FROM analyses a WHERE session_id = :session",
        session=UUID(session_id),
    )
    return msgspec.Raw(row["told"].encode()) if row else None


async def exists(db: Database, session_id: str) -> bool:
    """Whether a session is still there."""
    row = await db.fetch_one("SELECT FROM sessions WHERE id = :session", session=UUID(session_id))
    return row is not None


async def sessions(db: Database, space_id: str) -> AsyncIterator[Named]:
    """Yield the sessions of a space, the oldest first; those too that come meanwhile."""
    last: Row | None = None
    while True:
        rows = await db.fetch_all(
            """
            SELECT id, slug, title, created_at FROM sessions WHERE space_id = :space AND (
                CAST(:at AS timestamptz) IS NULL OR (created_at, id) > (:at, CAST(:id AS uuid))
            ) ORDER BY created_at, id LIMIT :most
            """,
            space=UUID(space_id),
            at=last["created_at"] if last else None,
            id=last["id"] if last else None,
            most=AT_ONCE,
        )
        for row in rows:
            yield Named(str(row["id"]), row["slug"], row["title"], row["created_at"])
        if len(rows) < AT_ONCE:
            return
        last = rows[-1]


def part(db: Database, space_id: str, which: Part) -> AsyncIterator[list[Json]]:
    """Return pages of what was done in a space, or of what it used."""
    return _pages(db, _PARTS[which], space_id)


def corrections(db: Database, session_id: str) -> AsyncIterator[list[Json]]:
    """Return pages of the corrections of a session, the first ones first."""
    return _pages(db, _CORRECTIONS, session_id)


def translations(db: Database, session_id: str) -> AsyncIterator[list[Json]]:
    """Return pages of what was said in a session in other languages, in the order of its lines."""
    return _pages(db, _TRANSLATIONS, session_id)


async def _pages(db: Database, sql: str, of: str) -> AsyncIterator[list[Json]]:
    key: Any = None
    while True:
        rows = await db.fetch_all(sql, of=UUID(of), key=key, most=AT_ONCE)
        if rows:
            yield [_raw(row, but=("before", "after")) for row in rows]
        if len(rows) < AT_ONCE:
            return
        key = rows[-1]["key"]


def _raw(row: Row, but: tuple[str, ...] | None = None) -> Json:
    """Return a row whose JSON (all columns, or those of these names) stays as it was written."""
    return {
        name: msgspec.Raw(value.encode())
        if isinstance(value, str) and (but is None or name in but)
        else value
        for name, value in row.items()
    }
