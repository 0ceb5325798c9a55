"""Participants: one person in one session, under an identity that the server made."""

from __future__ import annotations

import secrets
from datetime import datetime
from uuid import UUID

from core.database import Database, Row
from core.people import Participant, Person, Role, hue_of
from core.store.sessions import Session


def new_identity() -> str:
    """Return an identity: random, so that it tells nothing and can't be chosen."""
    return f"p_{secrets.token_hex(12)}"


def _participant(row: Row) -> Participant:
    return Participant(
        identity=row["identity"],
        session_id=str(row["session_id"]),
        name=row["name"],
        hue=row["hue"],
        role=row["role"],
    )


async def for_user(db: Database, session: Session, person: Person, role: Role) -> Participant:
    """Return the user's participant in this session, made at the first call."""
    row = await db.returning(
        "INSERT INTO participants (identity, session_id, user_id, name, hue, role)"
        " VALUES (:identity, :session, :user, :name, :hue, :role)"
        " ON CONFLICT (session_id, user_id)"
        " DO UPDATE SET name = excluded.name, role = excluded.role RETURNING *",
        identity=new_identity(),
        session=UUID(session.id),
        user=UUID(person.id),
        name=person.name,
        hue=person.hue,
        role=role,
    )
    return _participant(row)


async def add_guest(db: Database, session: Session, name: str) -> Participant:
    """Make a participant for somebody who typed a name."""
    identity = new_identity()
    row = await db.returning(
        "INSERT INTO participants (identity, session_id, name, hue, role)"
        " VALUES (:identity, :session, :name, :hue, 'GUEST') RETURNING *",
        identity=identity,
        session=UUID(session.id),
        name=name,
        hue=hue_of(identity),
    )
    return _participant(row)


async def find(db: Database, session_id: str, identity: str) -> Participant | None:
    """Return the session's participant with this identity."""
    row = await db.fetch_one(
        "SELECT * FROM participants WHERE identity = :identity AND session_id = :session",
        identity=identity,
        session=UUID(session_id),
    )
    return _participant(row) if row else None


async def of_user(db: Database, session_id: str, user_id: str) -> Participant | None:
    """Return the user's participant in a session if there is one."""
    row = await db.fetch_one(
        "SELECT * FROM participants WHERE user_id = :user AND session_id = :session",
        user=UUID(user_id),
        session=UUID(session_id),
    )
    return _participant(row) if row else None


async def who_joined(db: Database, session_id: str) -> list[Participant]:
    """Return everybody who was in the session, in the order they came."""
    rows = await db.fetch_all(
        "SELECT * FROM participants WHERE session_id = :session AND joined_at IS NOT NULL"
        " ORDER BY joined_at",
        session=UUID(session_id),
    )
    return [_participant(row) for row in rows]


async def count(db: Database, session_id: str) -> int:
    """Return how many participants the session has, joined or not."""
    row = await db.returning(
        "SELECT count(*) AS n FROM participants WHERE session_id = :session",
        session=UUID(session_id),
    )
    return int(row["n"])


async def joined(db: Database, identity: str, now: datetime) -> None:
    """Note that a participant came (the first time counts) and is here."""
    await db.execute(
        "UPDATE participants SET joined_at = coalesce(joined_at, :now), left_at = NULL"
        " WHERE identity = :identity",
        identity=identity,
        now=now,
    )


async def left(db: Database, identity: str, now: datetime) -> None:
    """Note that a participant's last page has gone."""
    await db.execute(
        "UPDATE participants SET left_at = :now WHERE identity = :identity",
        identity=identity,
        now=now,
    )
