"""Standing rooms of spaces: links that never change, each with one meeting that is open.

What ends that meeting makes the next one: see core/store/sessions.py. Here a room gets its first.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.database import Database, Row
from core.model import Admission, Membership, Person, Planning, Session
from core.store import space_events
from core.store.sessions import SLUG, new_slug, session_of

MAX_ROOMS = 50  # of a space: each is a row on top of its list


@dataclass(frozen=True, slots=True)
class StandingRoom:
    """A room of a space, and what its next meeting will be; `changed_at` tells its states apart."""

    id: str
    slug: str
    space_id: str
    created_by: str | None
    title: str
    admission: Admission
    agenda: str
    recurs: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class OpenRoom:
    """A standing room, its open meeting, how many are there, and what somebody is in its space."""

    room: StandingRoom
    meeting: Session
    here: int
    membership: Membership | None


def _room_of(row: Row) -> StandingRoom:
    return StandingRoom(
        id=str(row["id"]),
        slug=row["slug"],
        space_id=str(row["space_id"]),
        created_by=str(row["created_by"]) if row["created_by"] else None,
        title=row["title"],
        admission=row["admission"],
        agenda=row["agenda"],
        recurs=row["recurs"],
        changed_at=row["changed_at"],
    )


async def create(
    db: Database,
    space_id: str,
    person: Person,
    title: str,
    admission: Admission,
    *,
    planning: Planning,
) -> StandingRoom | None:
    """Make a room with its first meeting; None where the space has as many as it may.

    Of what is said ahead, the time is of the first meeting alone.
    """
    async with db.transaction():
        room = await _create(db, space_id, person.id, title, admission, planning=planning)
        if room is not None:
            await space_events.note(db, space_id, person, "standing_room_made", title)
    return room


async def _create(
    db: Database,
    space_id: str,
    user_id: str,
    title: str,
    admission: Admission,
    *,
    planning: Planning,
) -> StandingRoom | None:
    row = await db.fetch_one(
        """
        WITH room AS (
            INSERT INTO standing_rooms
                (slug, space_id, created_by, title, admission, agenda, recurs)
            SELECT :slug, CAST(:space AS uuid), :user, :title, :admission, :agenda, :recurs
            WHERE (SELECT count(*) FROM standing_rooms WHERE space_id = :space) < :most
            RETURNING *
        ), first AS (
            INSERT INTO sessions (slug, title, space_id, created_by, admission, agenda, recurs,
                standing_room, planned_at)
            SELECT :first, title, space_id, created_by, admission, agenda, recurs, id,
                CAST(:at AS timestamptz)
            FROM room
        )
        SELECT * FROM room
        """,
        slug=new_slug(),
        space=UUID(space_id),
        user=UUID(user_id),
        title=title,
        admission=admission,
        agenda=planning.agenda,
        recurs=planning.recurs,
        at=planning.at,
        first=new_slug(),
        most=MAX_ROOMS,
    )
    return _room_of(row) if row else None


async def meeting_of(db: Database, slug: str) -> str | None:
    """Return the slug of the open meeting of the room with this link; None where there is none."""
    if not SLUG.fullmatch(slug):  # PostgreSQL refuses some characters that addresses can have
        return None
    row = await db.fetch_one(
        """
        SELECT s.slug FROM standing_rooms r JOIN sessions s ON s.standing_room = r.id
        WHERE r.slug = :slug AND s.status IN ('CREATED', 'LIVE')
        """,
        slug=slug,
    )
    return str(row["slug"]) if row else None


async def find(db: Database, slug: str, user_id: str) -> OpenRoom | None:
    """Return the room with this link, and what a user is in its space."""
    if not SLUG.fullmatch(slug):
        return None
    found = await _open(db, user_id, slug=slug, space=None)
    return found[0] if found else None


async def of_space(db: Database, space_id: str, user_id: str) -> list[OpenRoom]:
    """Return the rooms of a space, by title, and what a user is in it."""
    return await _open(db, user_id, slug=None, space=UUID(space_id))


async def _open(
    db: Database, user_id: str, *, slug: str | None, space: UUID | None
) -> list[OpenRoom]:
    """Return one room, or those of a space."""
    rows = await db.fetch_all(
        """
        SELECT s.*, m.role, to_json(r) AS room, r.changed_at AS room_changed_at, (
            SELECT count(*) FROM participants p
            WHERE p.session_id = s.id AND p.joined_at IS NOT NULL AND p.left_at IS NULL
        ) AS here
        FROM standing_rooms r
        JOIN sessions s ON s.standing_room = r.id AND s.status IN ('CREATED', 'LIVE')
        LEFT JOIN members m ON m.space_id = r.space_id AND m.user_id = :user
        WHERE r.slug = CAST(:slug AS text) OR r.space_id = CAST(:space AS uuid)
        ORDER BY lower(r.title), r.created_at LIMIT :most
        """,
        user=UUID(user_id),
        slug=slug,
        space=space,
        most=MAX_ROOMS,
    )
    return [
        OpenRoom(
            _room_of({**json.loads(row["room"]), "changed_at": row["room_changed_at"]}),
            session_of(row),
            row["here"],
            row["role"],
        )
        for row in rows
    ]


async def change(
    db: Database,
    room: StandingRoom,
    title: str,
    admission: Admission,
    *,
    planning: Planning,
) -> bool:
    """Change a room, and its open meeting where that hasn't begun; the time is of that one alone.

    False where somebody else has changed the room since it was as `room` is, or deleted it.
    """
    async with db.transaction():
        # First the room alone: what ends a meeting meanwhile makes the next one before or after.
        changed = await db.fetch_one(
            """
            UPDATE standing_rooms SET title = :title, admission = :admission, agenda = :agenda,
            recurs = :recurs, changed_at = clock_timestamp()
            WHERE id = :id AND changed_at = :was RETURNING id
            """,
            id=UUID(room.id),
            title=title,
            admission=admission,
            agenda=planning.agenda,
            recurs=planning.recurs,
            was=room.changed_at,
        )
        if changed is None:
            return False
        await db.execute(
            """
            UPDATE sessions SET title = :title, admission = :admission, planned_at = :at,
            agenda = :agenda, recurs = :recurs,
            replanned_at = CASE WHEN (planned_at, agenda, recurs) IS DISTINCT FROM
                (CAST(:at AS timestamptz), CAST(:agenda AS text), CAST(:recurs AS text))
                THEN now() ELSE replanned_at END
            WHERE standing_room = :id AND status = 'CREATED'
            """,
            id=UUID(room.id),
            title=title,
            admission=admission,
            at=planning.at,
            agenda=planning.agenda,
            recurs=planning.recurs,
        )
        return True


async def delete(db: Database, room: StandingRoom, person: Person) -> None:
    """Delete a room, and its meeting that hasn't begun; all others stay, as any other session."""
    async with db.transaction():
        # First the room: what ends a meeting meanwhile makes the next one before, or none.
        await db.execute("SELECT 1 FROM standing_rooms WHERE id = :id FOR UPDATE", id=UUID(room.id))
        await db.execute(
            "DELETE FROM sessions WHERE standing_room = :id AND status = 'CREATED'",
            id=UUID(room.id),
        )
        gone = await db.fetch_one(
            "DELETE FROM standing_rooms WHERE id = :id RETURNING id", id=UUID(room.id)
        )
        if gone is not None:
            await space_events.note(db, room.space_id, person, "standing_room_deleted", room.title)
