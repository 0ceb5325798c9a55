"""Keys: what a browser shows to be a login or a guest. The database knows their digests alone.

A right that somebody has by a key ends with it, wherever a copy of it is: what is made by it, such
as a token for `/ws`, carries the key's digest and is asked about again. Which keys count is said
once, by the views open_logins and open_keys in schema.sql.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from core.database import Database
from core.model import Answer, News, Seated


def new_key() -> str:
    """Return a key: 192 random bits in 32 characters. A cookie has room for 20 of them and more."""
    return secrets.token_urlsafe(24)


def digest_of(key: str) -> bytes:
    """Return what the database keeps of a key: 32 bytes that can't be shown in its place."""
    return hashlib.sha256(key.encode(errors="replace")).digest()


def answer_of(consented_at: datetime | None, refused_at: datetime | None) -> Answer | None:
    """Return what a participant said of being transcribed: the table has the time of either."""
    if consented_at is not None:
        return Answer(True, consented_at)
    return None if refused_at is None else Answer(False, refused_at)


async def revoke(db: Database, keys: Collection[bytes]) -> list[tuple[str, str]]:
    """Forget these keys for good.

    Returns whom no other key lets in, as slug and identity, of those who are in a session now.
    """
    rows = await db.fetch_all(
        """
        WITH logged_out AS (
            DELETE FROM logins WHERE key_digest = ANY(:keys) RETURNING user_id
        ), left_for_good AS (
            DELETE FROM guest_keys WHERE key_digest = ANY(:keys) RETURNING identity
        )
        SELECT s.slug, p.identity FROM participants p JOIN sessions s ON s.id = p.session_id
        WHERE p.joined_at IS NOT NULL AND p.left_at IS NULL AND (
            p.identity IN (SELECT identity FROM left_for_good)
            OR p.user_id IN (SELECT user_id FROM logged_out) AND NOT EXISTS (
                SELECT FROM open_logins o
                WHERE o.user_id = p.user_id AND o.key_digest <> ALL(:keys)
            )
        )
        """,
        keys=list(keys),
    )
    return [(row["slug"], row["identity"]) for row in rows]


async def news(db: Database, seated: Collection[Seated]) -> list[News]:
    """Return of these only those about whom something has changed."""
    rows = await db.fetch_all(
        """
        SELECT h.identity, h.key, h.role AS known_role,
            h.consented_at AS known_yes, h.refused_at AS known_no, h.avatar AS known_avatar,
            p.session_id, p.state, p.role, p.consented_at, p.refused_at, u.avatar,
            k.key_digest IS NOT NULL AS key_open
        FROM unnest(
            CAST(:identities AS text[]), CAST(:keys AS bytea[]), CAST(:roles AS text[]),
            CAST(:consented AS timestamptz[]), CAST(:refused AS timestamptz[]),
            CAST(:avatars AS uuid[])
        ) AS h (identity, key, role, consented_at, refused_at, avatar)
        LEFT JOIN participants p ON p.identity = h.identity
        LEFT JOIN users u ON u.id = p.user_id
        LEFT JOIN open_keys k ON k.key_digest = h.key
            AND (k.user_id = p.user_id OR k.identity = p.identity)
        WHERE p.identity IS NULL OR p.state <> 'ADMITTED' OR p.role <> h.role
            OR p.consented_at IS DISTINCT FROM h.consented_at
            OR p.refused_at IS DISTINCT FROM h.refused_at
            OR u.avatar IS DISTINCT FROM h.avatar OR k.key_digest IS NULL
        """,
        identities=[one.identity for one in seated],
        keys=[one.key for one in seated],
        roles=[one.role for one in seated],
        consented=[one.answer.at if one.answer and one.answer.given else None for one in seated],
        refused=[one.answer.at if one.answer and not one.answer.given else None for one in seated],
        avatars=[UUID(one.avatar) if one.avatar else None for one in seated],
    )
    return [
        News(
            Seated(
                row["identity"],
                row["key"],
                row["known_role"],
                answer_of(row["known_yes"], row["known_no"]),
                _id(row["known_avatar"]),
            ),
            str(row["session_id"]) if row["session_id"] else None,
            row["state"],
            row["role"],
            key_open=row["key_open"],
            answer=answer_of(row["consented_at"], row["refused_at"]),
            avatar=_id(row["avatar"]),
        )
        for row in rows
    ]


def _id(column: UUID | None) -> str | None:
    return str(column) if column else None
