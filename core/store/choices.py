"""What people choose about themselves: their name, and how pages look to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from uuid import UUID

from core.database import Database
from core.model import Person, Theme
from core.store.people import person_of


async def rename(db: Database, user_id: str, was: str, name: str) -> tuple[Person, bool]:
    """Call a user so from now on, whatever their provider calls them.

    Returns them as they are then, and whether it was done: nothing changes where they are no
    longer called what the page showed.
    """
    row = await db.fetch_one(
        """
        UPDATE users SET name = :name, name_chosen = true WHERE id = :user AND name = :was
        RETURNING *
        """,
        user=UUID(user_id),
        was=was,
        name=name,
    )
    if row is not None:
        return person_of(row), True
    now = await db.returning("SELECT * FROM users WHERE id = :user", user=UUID(user_id))
    return person_of(now), False


async def choose_theme(db: Database, user_id: str, theme: Theme | None) -> None:
    """Keep in which colours a user wants pages; None: as their system has them."""
    await db.execute(
        "UPDATE users SET theme = CAST(:theme AS text) WHERE id = :user",
        user=UUID(user_id),
        theme=theme,
    )


async def choose_spoken(db: Database, user_id: str, language: str | None) -> None:
    """Keep what a user speaks in sessions that they come to from now on; None: as each has it."""
    await db.execute(
        "UPDATE users SET spoken = CAST(:language AS text) WHERE id = :user",
        user=UUID(user_id),
        language=language,
    )


async def choose_captions(db: Database, user_id: str, chosen: Mapping[str, str]) -> None:
    """Keep these of a user's choices for captions; the others stay."""
    await db.execute(
        "UPDATE users SET captions = captions || CAST(:chosen AS jsonb) WHERE id = :user",
        user=UUID(user_id),
        chosen=json.dumps(chosen),
    )


async def be_welcomed(db: Database, user_id: str) -> None:
    """Offer a user the steps after the first sign-in no more."""
    await db.execute(
        "UPDATE users SET welcomed_at = coalesce(welcomed_at, now()) WHERE id = :user",
        user=UUID(user_id),
    )
