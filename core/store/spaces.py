"""Spaces and their members."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.database import Database
from core.model import MAX_AUDIO_DAYS, Consent, Membership, OwnSpace, OwnSpaces, Person
from core.problems import ProblemError
from core.store import space_events

NAME_LENGTH = 80
MAX_OWNED = 50  # spaces that somebody owns: nobody has so many teams, and a script fills no table
MAX_OWN = 100  # that they are a member of: each page offers them all


class SpacesFullError(ProblemError):
    """The person owns, or is a member of, as many spaces as anybody may."""

    status, code = 409, "spaces_full"


@dataclass(frozen=True, slots=True)
class Space:
    """A space, what is set for its minutes a month, and what its doors say: see schema.sql."""

    id: str
    name: str
    granted: float | None
    chosen: float | None
    consent: Consent = "OFF"
    audio_days: int | None = None


async def find(db: Database, space: UUID, user_id: str) -> tuple[Space, Membership | None] | None:
    """Return a space, and what a user is in it; None where there is none."""
    row = await db.fetch_one(
        """
        SELECT s.*, m.role FROM spaces s
        LEFT JOIN members m ON m.space_id = s.id AND m.user_id = :user WHERE s.id = :space
        """,
        space=space,
        user=UUID(user_id),
    )
    if row is None:
        return None
    own = Space(
        str(row["id"]),
        row["name"],
        row["minutes_granted"],
        row["minutes_chosen"],
        row["consent"],
        row["audio_days"],
    )
    return own, row["role"]


def own_spaces(column: str | Sequence[Mapping[str, Any]] | None, chosen: str | None) -> OwnSpaces:
    """Return the spaces of somebody who chose this one last, from what the view has of them.

    `web.request.own_spaces` has them of whoever asks.
    """
    rows = json.loads(column) if isinstance(column, str) else column or ()
    own = tuple(OwnSpace(row["id"], row["name"], row["role"]) for row in rows)
    by_choice = [one for one in own if one.id == chosen]
    return OwnSpaces(next(iter((*by_choice, *own)), None), own)


async def of_person(db: Database, user_id: str) -> OwnSpaces:
    """Return the spaces that a user is a member of, and the one that they work in."""
    row = await db.fetch_one(
        """
        SELECT u.space_id, o.spaces FROM users u LEFT JOIN own_spaces o ON o.user_id = u.id
        WHERE u.id = :user
        """,
        user=UUID(user_id),
    )
    if row is None:
        return OwnSpaces()
    return own_spaces(row["spaces"], str(row["space_id"]) if row["space_id"] else None)


async def lone(db: Database, user_id: str) -> OwnSpace | None:
    """Return the space that a user owns, if it is the only one and nobody else is in it."""
    row = await db.fetch_one(
        """
        SELECT s.id, s.name FROM members m JOIN spaces s ON s.id = m.space_id
        WHERE m.user_id = :user AND m.role = 'OWNER'
            AND (SELECT count(*) FROM members WHERE user_id = :user AND role = 'OWNER') = 1
            AND (SELECT count(*) FROM members WHERE space_id = s.id) = 1
        """,
        user=UUID(user_id),
    )
    return OwnSpace(str(row["id"]), row["name"], "OWNER") if row else None


async def work_in(db: Database, space_id: str, user_id: str) -> None:
    """Have a user work in this space from now on, in whatever browser, if they are a member."""
    await db.execute(
        """
        UPDATE users SET space_id = :space WHERE id = :user AND EXISTS (
            SELECT FROM members WHERE space_id = :space AND user_id = :user
        )
        """,
        space=UUID(space_id),
        user=UUID(user_id),
    )


async def grant(db: Database, space_id: str, minutes: float | None) -> None:
    """Have a space use at most so many minutes a month; None: as many as every space."""
    await db.execute(
        "UPDATE spaces SET minutes_granted = CAST(:minutes AS double precision) WHERE id = :space",
        space=UUID(space_id),
        minutes=minutes,
    )


async def choose(db: Database, space_id: str, minutes: float | None) -> None:
    """Have a space use at most so many of those minutes; None: all of them."""
    await db.execute(
        "UPDATE spaces SET minutes_chosen = CAST(:minutes AS double precision) WHERE id = :space",
        space=UUID(space_id),
        minutes=minutes,
    )


async def create(db: Database, person: Person, name: str) -> str:
    """Make a space that a person owns and works in from now on, and return its id.

    Raises SpacesFullError for who owns or is in as many as anybody may.
    """
    user = UUID(person.id)
    async with db.transaction():
        # Locked, so that several at once count each other.
        await db.execute("SELECT FROM users WHERE id = :user FOR NO KEY UPDATE", user=user)
        counted = await db.returning(
            """
            SELECT count(*) AS own, count(*) FILTER (WHERE role = 'OWNER') AS owned
            FROM members WHERE user_id = :user
            """,
            user=user,
        )
        if counted["owned"] >= MAX_OWNED or counted["own"] >= MAX_OWN:
            raise SpacesFullError
        space = await _create(db, person.id, name)
        await db.execute(
            "UPDATE users SET space_id = :space WHERE id = :user", space=UUID(space), user=user
        )
        await space_events.note(db, space, person, "space_created", name)
    return space


async def rename(db: Database, space_id: str, actor: Person, name: str, was: str) -> str:
    """Rename a space that is called `was`, and return what it is called then.

    That is another name where somebody else has renamed it meanwhile: nothing is changed then.
    """
    async with db.transaction():
        row = await db.returning(
            "SELECT name FROM spaces WHERE id = :space FOR NO KEY UPDATE", space=UUID(space_id)
        )
        if row["name"] in (name, was) and row["name"] != name:
            await db.execute(
                "UPDATE spaces SET name = :name WHERE id = :space", name=name, space=UUID(space_id)
            )
            await space_events.note(db, space_id, actor, "space_renamed", name, detail=was)
            return name
    return str(row["name"])


async def ask(db: Database, space_id: str, actor: Person, consent: Consent) -> None:
    """Have the doors of a space's sessions ask this from now on, and note who chose it."""
    async with db.transaction():
        changed = await db.fetch_one(
            """
            UPDATE spaces SET consent = CAST(:consent AS text)
            WHERE id = :space AND consent <> CAST(:consent AS text) RETURNING id
            """,
            space=UUID(space_id),
            consent=consent,
        )
        if changed is not None:
            await space_events.note(db, space_id, actor, "consent_changed", detail=consent)


async def keep_audio(db: Database, space_id: str, actor: Person, days: int | None) -> None:
    """Have the sound of a space's sessions kept for so many days, None: not, and note who chose it.

    It counts for sessions that begin from now on. Those that go on keep theirs for as long as was
    told to who came, or for fewer days, or no more; what is kept of any goes as much sooner.
    """
    async with db.transaction():
        changed = await db.fetch_one(
            """
            UPDATE spaces SET audio_days = CAST(:days AS int)
            WHERE id = :space AND audio_days IS DISTINCT FROM CAST(:days AS int) RETURNING id
            """,
            space=UUID(space_id),
            days=days,
        )
        if changed is None:
            return
        await db.execute(
            """
            UPDATE sessions SET audio_days = CAST(:days AS int)
            WHERE space_id = :space AND status = 'LIVE'
            AND (CAST(:days AS int) IS NULL OR audio_days > :days)
            """,
            space=UUID(space_id),
            days=days,
        )
        await db.execute(
            """
            UPDATE recordings SET expires_at = created_at + make_interval(days => :days)
            WHERE session_id IN (SELECT id FROM sessions WHERE space_id = :space)
            AND expires_at > created_at + make_interval(days => :days)
            """,
            space=UUID(space_id),
            days=days if days is not None else MAX_AUDIO_DAYS,
        )
        detail = "" if days is None else str(days)
        await space_events.note(db, space_id, actor, "audio_changed", detail=detail)


async def first_space(db: Database, user_id: str, name: str) -> str:
    """Return the id of the user's oldest space; the first call makes one named `name`."""
    async with db.transaction():
        # Locks the user, so that two first visits at once make one space.
        await db.execute("SELECT 1 FROM users WHERE id = :user FOR UPDATE", user=UUID(user_id))
        row = await db.fetch_one(
            "SELECT space_id FROM members WHERE user_id = :user ORDER BY joined_at LIMIT 1",
            user=UUID(user_id),
        )
        return str(row["space_id"]) if row else await _create(db, user_id, name)


async def _create(db: Database, user_id: str, name: str) -> str:
    row = await db.returning("INSERT INTO spaces (name) VALUES (:name) RETURNING id", name=name)
    await db.execute(
        "INSERT INTO members (space_id, user_id, role) VALUES (:space, :user, 'OWNER')",
        space=row["id"],
        user=UUID(user_id),
    )
    return str(row["id"])


async def membership(db: Database, space_id: str, user_id: str) -> Membership | None:
    """Return what the user is in a space, None when not a member."""
    row = await db.fetch_one(
        "SELECT role FROM members WHERE space_id = :space AND user_id = :user",
        space=UUID(space_id),
        user=UUID(user_id),
    )
    role: Membership | None = row["role"] if row else None
    return role
