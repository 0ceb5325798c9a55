"""People's pictures: one of each, with an id that changes with it."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from core.database import Database


async def put(db: Database, user_id: str, image: bytes) -> str:
    """Let this be a user's picture, and return its id. The one of before is gone."""
    row = await db.returning(
        """
        WITH kept AS (
            INSERT INTO avatars (user_id, image) VALUES (:user, :image)
            ON CONFLICT (user_id) DO UPDATE
            SET id = gen_random_uuid(), image = excluded.image, changed_at = now()
            RETURNING id
        )
        UPDATE users SET avatar = (SELECT id FROM kept) WHERE id = :user RETURNING avatar
        """,
        user=UUID(user_id),
        image=image,
    )
    return str(row["avatar"])


async def remove(db: Database, user_id: str) -> None:
    """Let initials stand for a user again."""
    await db.execute(
        """
        WITH gone AS (DELETE FROM avatars WHERE user_id = :user)
        UPDATE users SET avatar = NULL WHERE id = :user
        """,
        user=UUID(user_id),
    )


async def note_offer(db: Database, account: tuple[str, str], address: str | None) -> None:
    """Keep where a provider says that a picture of an account's person is; None: nowhere."""
    await db.execute(
        """
        UPDATE accounts SET picture = CAST(:address AS text)
        WHERE provider = :provider AND subject = :subject
        AND picture IS DISTINCT FROM CAST(:address AS text)
        """,
        provider=account[0],
        subject=account[1],
        address=address,
    )


async def offer(db: Database, user_id: str) -> tuple[str, str] | None:
    """Return what a user's account is kept under whose provider has a picture, and where that is.

    None where there is none.
    """
    row = await db.fetch_one(
        """
        SELECT provider, picture FROM accounts WHERE user_id = :user AND picture IS NOT NULL
        ORDER BY provider, subject LIMIT 1
        """,
        user=UUID(user_id),
    )
    return (row["provider"], row["picture"]) if row else None


async def find(
    db: Database, avatar: UUID, user_id: str | None, guests: Collection[bytes]
) -> bytes | None:
    """Return the picture of an id, a WebP, to who may see whose it is.

    That are they themselves, members of a space of theirs, members of a space in whose sessions
    they are or were, as these are shown who was there, and who was let into such a session: this
    user, or the guests of these keys' digests. None for all others.
    """
    row = await db.fetch_one(
        """
        SELECT a.image FROM avatars a WHERE a.id = :avatar AND (
            a.user_id = CAST(:user AS uuid) OR EXISTS (
                SELECT FROM members theirs JOIN members own USING (space_id)
                WHERE theirs.user_id = a.user_id AND own.user_id = CAST(:user AS uuid)
            ) OR EXISTS (
                SELECT FROM participants theirs JOIN sessions s ON s.id = theirs.session_id
                JOIN members own ON own.space_id = s.space_id
                WHERE theirs.user_id = a.user_id AND theirs.joined_at IS NOT NULL
                AND own.user_id = CAST(:user AS uuid)
            ) OR EXISTS (
                SELECT FROM participants own JOIN participants theirs USING (session_id)
                WHERE own.user_id = CAST(:user AS uuid) AND own.state = 'ADMITTED'
                AND theirs.user_id = a.user_id AND theirs.joined_at IS NOT NULL
            ) OR EXISTS (
                SELECT FROM guest_keys k JOIN participants own USING (identity)
                JOIN participants theirs USING (session_id)
                WHERE k.key_digest = ANY(:guests) AND own.state = 'ADMITTED'
                AND theirs.user_id = a.user_id AND theirs.joined_at IS NOT NULL
            )
        )
        """,
        avatar=avatar,
        user=UUID(user_id) if user_id else None,
        guests=list(guests),
    )
    return bytes(row["image"]) if row else None
