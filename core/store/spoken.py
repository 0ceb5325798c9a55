"""What sessions and spaces say of their languages and words: see core.spoken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from core.database import Database
from core.model import Person
from core.spoken import Spoken
from core.store import space_events
from core.store.sessions import spoken_columns, spoken_of

_SET = """
    languages = CAST(:languages AS text[]), code_switching = :switching,
    vocabulary = CAST(:vocabulary AS text[]), spelling = CAST(:spelling AS jsonb),
    targets = CAST(:targets AS text[])
"""


class _Statements(NamedTuple):
    """How to find and lock a row that may be changed, and how to change it."""

    find: str
    change: str


OF_SESSION = _Statements(
    """
    SELECT * FROM sessions WHERE id = :id AND status IN ('CREATED', 'LIVE') FOR NO KEY UPDATE
    """,
    f"UPDATE sessions SET {_SET} WHERE id = :id",  # noqa: S608 - a constant
)
OF_SPACE = _Statements(
    "SELECT * FROM spaces WHERE id = :id FOR NO KEY UPDATE",
    f"UPDATE spaces SET {_SET} WHERE id = :id",  # noqa: S608 - a constant
)


async def of_space(db: Database, space_id: str) -> Spoken:
    """Return what a space says for its sessions."""
    row = await db.returning("SELECT * FROM spaces WHERE id = :space", space=UUID(space_id))
    return spoken_of(row)


async def say_of_session(
    db: Database, session_id: str, spoken: Spoken, was: str
) -> tuple[Spoken, bool]:
    """Have a session that goes on say this; return what it says then, and whether it was done.

    `was` is the state that whoever changes it has seen: not done where it has another by now, or
    the session is over.
    """
    return await _say(db, OF_SESSION, session_id, spoken, was)


async def say_of_space(
    db: Database, space_id: str, actor: Person, spoken: Spoken, was: str
) -> tuple[Spoken, bool]:
    """Have a space say this for its sessions likewise, and note who chose it."""
    async with db.transaction():
        now, done = await _say(db, OF_SPACE, space_id, spoken, was)
        if done and now.state != was:
            await space_events.note(db, space_id, actor, "languages_changed")
    return now, done


async def _say(
    db: Database, of: _Statements, row_id: str, spoken: Spoken, was: str
) -> tuple[Spoken, bool]:
    async with db.transaction():
        row: Mapping[str, Any] | None = await db.fetch_one(of.find, id=UUID(row_id))
        if row is None:
            return Spoken(), False
        now = spoken_of(row)
        if now.state not in (was, spoken.state):
            return now, False
        await db.execute(of.change, id=UUID(row_id), **spoken_columns(spoken))
    return spoken, True
