"""All that is kept about a person, as they save it: pages of rows, whose columns name themselves.

What they may no longer read, such as the title of a session that they were removed from, isn't
shown to them here either.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal
from uuid import UUID

from core.database import Database, Row

AT_ONCE = 500  # rows: of words, some 100 kB

Json = dict[str, Any]
Part = Literal["invitations", "standing_rooms", "sessions", "shared_links", "log", "corrections"]
Share = Literal[
    "utterances", "corrected", "translations", "chat", "pauses", "streams", "recordings"
]
PARTS: tuple[Part, ...] = (
    "invitations",
    "standing_rooms",
    "sessions",
    "shared_links",
    "log",
    "corrections",
)
SHARES: tuple[Share, ...] = (
    "utterances",
    "corrected",
    "translations",
    "chat",
    "pauses",
    "streams",
    "recordings",
)

_BEHIND = "(CAST(:at AS timestamptz) IS NULL OR ({at}, {id}) > (:at, CAST(:id AS {kind})))"
_IN_ORDER = "ORDER BY {at}, {id} LIMIT :most"
_PARTS: dict[Part, str] = {
    "invitations": """
        SELECT i.id, i.space_id AS space, i.email, i.uses, i.max_uses, i.created_at, i.expires_at,
            i.revoked_at
        FROM invitations i WHERE i.invited_by = :user AND {behind} {in_order}
    """,
    "standing_rooms": """
        SELECT r.id, r.space_id AS space, CASE WHEN m.user_id IS NOT NULL THEN r.title END AS title,
            r.created_at
        FROM standing_rooms r
        LEFT JOIN members m ON m.space_id = r.space_id AND m.user_id = :user
        WHERE r.created_by = :user AND {behind} {in_order}
    """,
    "sessions": """
        SELECT s.id, s.space_id AS space, CASE WHEN m.user_id IS NOT NULL THEN s.title END AS title,
            CASE WHEN m.user_id IS NOT NULL THEN s.slug END AS link, s.status, s.created_at,
            s.planned_at, s.started_at, s.ended_at
        FROM sessions s LEFT JOIN members m ON m.space_id = s.space_id AND m.user_id = :user
        WHERE s.created_by = :user AND {behind} {in_order}
    """,
    "shared_links": """
        SELECT l.id, l.session_id AS session, l.chat, l.created_at, l.expires_at, l.revoked_at,
            l.openings, l.opened_at
        FROM shared_links l WHERE l.created_by = :user AND {behind} {in_order}
    """,
    "log": """
        SELECT e.id, e.at, e.space_id AS space, e.actor_name AS name, e.act, e.subject, e.detail
        FROM space_events e WHERE e.actor = :user AND {behind} {in_order}
    """,
    "corrections": """
        SELECT c.id, c.at, c.session_id AS session, c.kind, c.seq, c.part,
            CASE WHEN m.user_id IS NOT NULL THEN c.after->>'text' END AS text,
            CASE WHEN m.user_id IS NOT NULL THEN c.after->>'name' END AS speaker
        FROM corrections c JOIN sessions s ON s.id = c.session_id
        LEFT JOIN members m ON m.space_id = s.space_id AND m.user_id = :user
        WHERE c.user_id = :user AND {behind} {in_order}
    """,
}
_KEYS: dict[Part, tuple[str, str, str]] = {  # the time, the id and the id's type
    "invitations": ("i.created_at", "i.id", "uuid"),
    "standing_rooms": ("r.created_at", "r.id", "uuid"),
    "sessions": ("s.created_at", "s.id", "uuid"),
    "shared_links": ("l.created_at", "l.id", "uuid"),
    "log": ("e.at", "e.id", "bigint"),
    "corrections": ("c.at", "c.id", "bigint"),
}
_SHARES: dict[Share, str] = {
    "utterances": """
        SELECT u.seq AS key, s.started_at + make_interval(secs => u.start_s) AS at, u.start_s,
            u.end_s, u.language, u.text, u.lost_s
        FROM utterances u JOIN sessions s ON s.id = u.session_id
        WHERE u.identity = :identity AND (CAST(:key AS integer) IS NULL OR u.seq > :key)
        ORDER BY u.seq LIMIT :most
    """,
    # What others have made of what came by their microphone, as everybody reads it.
    "corrected": """
        SELECT c.seq * 100 + c.part AS key, c.seq, c.part, c.start_s, c.end_s, c.text,
            c.speaker = u.identity AS own
        FROM corrected_lines c JOIN utterances u USING (session_id, seq)
        WHERE u.identity = :identity AND NOT c.hidden AND c.joined_seq IS NULL
        AND (CAST(:key AS integer) IS NULL OR c.seq * 100 + c.part > :key)
        ORDER BY 1 LIMIT :most
    """,
    # Of what they said, by the number of its utterance, which all of those in `utterances` have.
    "translations": """
        SELECT t.id AS key, u.seq, t.language, t.text
        FROM translations t JOIN utterances u USING (session_id, stream, utterance)
        WHERE t.identity = :identity AND (CAST(:key AS bigint) IS NULL OR t.id > :key)
        ORDER BY t.id LIMIT :most
    """,
    "chat": """
        SELECT c.id AS key, c.sent_at, c.text FROM chat_messages c
        WHERE c.identity = :identity AND (CAST(:key AS integer) IS NULL OR c.id > :key)
        ORDER BY c.id LIMIT :most
    """,
    "pauses": """
        SELECT p.paused_at AS key, p.paused_at, p.resumed_at FROM pauses p
        WHERE p.identity = :identity
        AND (CAST(:key AS timestamptz) IS NULL OR p.paused_at > :key)
        ORDER BY p.paused_at LIMIT :most
    """,
    "streams": """
        SELECT t.stream AS key, t.opened_at, t.closed_at, t.engine, t.sent_s FROM streams t
        WHERE t.identity = :identity AND (CAST(:key AS text) IS NULL OR t.stream > :key)
        ORDER BY t.stream LIMIT :most
    """,
    # The sound itself is at its address, for as long as it is kept and they may read the session.
    "recordings": """
        SELECT r.id AS key, CASE WHEN p.state = 'ADMITTED' AND r.bytes > 0
                THEN '/s/' || s.slug || '/audio/' || r.id END AS address,
            r.start_s, CAST(r.samples AS float8) / 16000 AS seconds, r.bytes, r.created_at,
            r.expires_at
        FROM recordings r JOIN participants p USING (identity)
        JOIN sessions s ON s.id = p.session_id
        WHERE r.identity = :identity AND (CAST(:key AS uuid) IS NULL OR r.id > :key)
        ORDER BY r.id LIMIT :most
    """,
}


async def person(db: Database, user_id: str) -> Json | None:
    """Return who somebody is: their profile and settings, with their picture; None: nobody."""
    row = await db.fetch_one(
        """
        SELECT u.id, u.name, u.name_chosen, u.email, u.hue, u.created_at, u.welcomed_at,
            u.administrator, u.invited, u.language, u.spoken, u.theme, u.captions,
            u.space_id AS works_in, a.image, a.changed_at AS picture_changed_at
        FROM users u LEFT JOIN avatars a ON a.user_id = u.id WHERE u.id = :user
        """,
        user=UUID(user_id),
    )
    if row is None:
        return None
    found = dict(row) | {"captions": json.loads(row["captions"])}
    image, changed_at = found.pop("image"), found.pop("picture_changed_at")
    picture = {"type": "image/webp", "changed_at": changed_at, "base64": image}
    return found | {"picture": picture if image else None}


async def accounts(db: Database, user_id: str) -> list[Json]:
    """Return how somebody proves to be who they are."""
    return await _few(
        db, "SELECT provider, subject, picture FROM accounts WHERE user_id = :user", user_id
    )


async def sign_ins(db: Database, user_id: str) -> list[Json]:
    """Return the browsers that somebody is signed in with."""
    return await _few(
        db,
        """
        SELECT l.agent AS browser, l.signed_in_at, l.idle_at AS ends_unused_at, l.expires_at
        FROM logins l WHERE l.user_id = :user ORDER BY l.signed_in_at
        """,
        user_id,
    )


async def api_tokens(db: Database, user_id: str) -> list[Json]:
    """Return what somebody's API tokens are called, never what they are."""
    return await _few(
        db,
        """
        SELECT name, scope, created_at, used_at FROM api_tokens WHERE user_id = :user
        ORDER BY created_at
        """,
        user_id,
    )


async def spaces(db: Database, user_id: str) -> list[Json]:
    """Return the spaces that somebody is a member of, and what they are there."""
    return await _few(
        db,
        """
        SELECT s.id, s.name, m.role, m.joined_at FROM members m JOIN spaces s ON s.id = m.space_id
        WHERE m.user_id = :user ORDER BY m.joined_at, s.id
        """,
        user_id,
    )


async def _few(db: Database, sql: str, user_id: str) -> list[Json]:
    return [dict(row) for row in await db.fetch_all(sql, user=UUID(user_id))]


def pages_of_part(db: Database, user_id: str, part: Part) -> AsyncIterator[list[Json]]:
    """Return pages of what somebody made or did, the oldest first."""
    at, own, kind = _KEYS[part]
    sql = _PARTS[part].format(
        behind=_BEHIND.format(at=at, id=own, kind=kind), in_order=_IN_ORDER.format(at=at, id=own)
    )
    time = at.partition(".")[2]
    return _pages(
        db,
        sql,
        lambda row: {"at": row[time] if row else None, "id": row["id"] if row else None},
        user=UUID(user_id),
    )


def participations(db: Database, user_id: str) -> AsyncIterator[list[Json]]:
    """Return pages of the sessions that somebody was in or knocked at, the oldest first.

    `identity` is what `pages_of_share` is asked with, and `has` which shares there are.
    """
    corrected = "corrected_lines JOIN utterances USING (session_id, seq)"
    has = ", ".join(
        f"EXISTS (SELECT FROM {table} WHERE identity = p.identity)"
        for table in (
            *("utterances", corrected, "translations", "chat_messages", "pauses", "streams"),
            "recordings",
        )
    )
    sql = f"""
        SELECT p.identity, p.session_id AS session,
            CASE WHEN p.state = 'ADMITTED' THEN s.title END AS title, p.name, p.role, p.state,
            p.created_at, p.joined_at, p.left_at, p.consented_at, p.refused_at, p.noticed_at,
            p.language, ARRAY[{has}] AS has
        FROM participants p JOIN sessions s ON s.id = p.session_id WHERE p.user_id = :user
        AND {_BEHIND.format(at="p.created_at", id="p.identity", kind="text")}
        {_IN_ORDER.format(at="p.created_at", id="p.identity")}
    """  # noqa: S608 - no input in it
    return _pages(
        db,
        sql,
        lambda row: {
            "at": row["created_at"] if row else None,
            "id": row["identity"] if row else None,
        },
        user=UUID(user_id),
    )


def pages_of_share(db: Database, identity: str, share: Share) -> AsyncIterator[list[Json]]:
    """Return pages of what a participant said, wrote or did in their session, in its order."""
    return _pages(
        db, _SHARES[share], lambda row: {"key": row["key"] if row else None}, identity=identity
    )


async def _pages(
    db: Database, sql: str, behind: Callable[[Row | None], dict[str, object]], **values: object
) -> AsyncIterator[list[Json]]:
    """Yield pages of AT_ONCE rows; `behind` says what the one behind a row is asked with."""
    last: Row | None = None
    while True:
        rows = await db.fetch_all(sql, **values, **behind(last), most=AT_ONCE)
        if rows:
            yield [dict(row) for row in rows]
        if len(rows) < AT_ONCE:
            return
        last = rows[-1]
