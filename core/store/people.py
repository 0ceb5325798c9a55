"""Users, how they prove who they are, and the browsers they are signed in with."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from core.database import Database, Row
from core.model import Person
from core.text import hue_of

LOGIN_DAYS = 30


def person_of(row: Row) -> Person:
    """Return the person of a row of the users."""
    return Person(id=str(row["id"]), name=row["name"], email=row["email"], hue=row["hue"])


async def find_by_account(db: Database, provider: str, subject: str) -> Person | None:
    """Return the user to whom the provider's subject belongs."""
    row = await db.fetch_one(
        """
        SELECT u.* FROM users u JOIN accounts a ON a.user_id = u.id
        WHERE a.provider = :provider AND a.subject = :subject
        """,
        provider=provider,
        subject=subject,
    )
    return person_of(row) if row else None


async def create(db: Database, provider: str, subject: str, name: str, email: str) -> Person:
    """Create a user with an account. Two sign-ins at once end in one user."""
    async with db.transaction():
        await db.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))", key=f"{provider} {subject}"
        )
        known = await find_by_account(db, provider, subject)
        if known:
            return known
        row = await db.returning(
            "INSERT INTO users (name, email, hue) VALUES (:name, :email, :hue) RETURNING *",
            name=name,
            email=email,
            hue=hue_of(email),
        )
        await db.execute(
            "INSERT INTO accounts (provider, subject, user_id) VALUES (:provider, :subject, :user)",
            provider=provider,
            subject=subject,
            user=row["id"],
        )
    return person_of(row)


async def refresh(db: Database, known: Person, name: str, email: str) -> Person:
    """Let a user have this name and address from now on. Their colour stays.

    So do their names in past sessions: those belong to the participants.
    """
    if (known.name, known.email) == (name, email):
        return known
    row = await db.returning(
        "UPDATE users SET name = :name, email = :email WHERE id = :user RETURNING *",
        name=name,
        email=email,
        user=UUID(known.id),
    )
    return person_of(row)


def login_digest(key: str) -> bytes:
    """Return what the database keeps of a login's key."""
    return hashlib.sha256(key.encode()).digest()


async def open_login(db: Database, user_id: str, now: datetime) -> str:
    """Sign a browser in and return the secret key that its cookie keeps."""
    key = secrets.token_urlsafe(24)
    await db.execute("DELETE FROM logins WHERE expires_at < :now", now=now)
    await db.execute(
        "INSERT INTO logins (key_digest, user_id, expires_at) VALUES (:digest, :user, :expires)",
        digest=login_digest(key),
        user=UUID(user_id),
        expires=now + timedelta(days=LOGIN_DAYS),
    )
    return key


async def find_by_login(db: Database, key: str, now: datetime) -> Person | None:
    """Return who is signed in with this key, None when it is unknown, closed or expired."""
    row = await db.fetch_one(
        """
        SELECT u.* FROM users u JOIN logins l ON l.user_id = u.id
        WHERE l.key_digest = :digest AND l.expires_at > :now
        """,
        digest=login_digest(key),
        now=now,
    )
    return person_of(row) if row else None


async def close_login(db: Database, key: str) -> None:
    """Sign a browser out."""
    await db.execute("DELETE FROM logins WHERE key_digest = :digest", digest=login_digest(key))
