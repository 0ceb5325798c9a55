"""The audit log of a space: who did what, for its owners. Names are as they were then.

No word of a transcript, no link and no address of a person goes in: what is kept is who, what, and
the name of whom or what it was about.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from core.database import Database
from core.model import Person
from core.text import one_line

KEPT_DAYS = 90
MAX_WORDS = 200  # characters of a name, a title, or what else is said of an act

# What is written, and what `subject` and `detail` are then. routes/space_events.py has the words.
Act = Literal[
    "space_created",  # subject: its name
    "space_renamed",  # subject: its name now; detail: its name before
    "invited",  # subject: an e-mail address, "" for a link; detail: how many times it is good for
    "invitation_revoked",  # subject: as of `invited`
    "joined",  # whoever accepted an invitation; subject: who had invited them
    "left",
    "account_deleted",  # a member, who has left by that
    "removed",  # subject: whom
    "made_owner",  # subject: whom
    "made_member",  # subject: whom
    "session_planned",  # subject: its title
    "recording_uploaded",  # and is transcribed from now on; subject: its title
    "session_deleted",  # subject: its title
    "standing_room_made",  # subject: its title
    "standing_room_deleted",  # subject: its title
    "consent_changed",  # detail: OFF, NOTICE or REQUIRED
    "languages_changed",  # or the words, of all sessions
    "audio_changed",  # detail: for how many days sound is kept, "" for not at all
    "text_days_chosen",  # detail: how many, "" for as long as nobody deletes them
    "session_protected",  # subject: its title
    "session_unprotected",  # subject: its title
    "minutes_chosen",  # detail: how many a month, "" for no bound of their own
    "archived",  # everything of the space, as one file
    "shared",  # a transcript by a link; subject: the session’s title; detail: for how many days
    "share_revoked",  # such a link; subject: the session’s title
    "exported",  # subject: the session’s title, "" for usage; detail: the file's name
]
ACTS: tuple[Act, ...] = get_args(Act)


@dataclass(frozen=True, slots=True)
class SpaceEvent:
    """One line of the log; `id` rises with time. `by_token`: a program did it for them."""

    id: int
    at: datetime
    actor: str
    act: Act
    subject: str
    detail: str
    by_token: bool


@dataclass(frozen=True, slots=True)
class Guest:
    """Who hosts a session without an account."""

    name: str


async def note(
    db: Database,
    space_id: str,
    actor: Person | Guest,
    act: Act,
    subject: str = "",
    *,
    detail: str = "",
) -> None:
    """Write that somebody did this in a space, with what it was about: see `Act`."""
    await db.execute(
        """
        INSERT INTO space_events (space_id, actor, actor_name, by_token, act, subject, detail)
        VALUES (:space, :actor, :name, :by_token, :act, :subject, :detail)
        """,
        space=UUID(space_id),
        actor=UUID(actor.id) if isinstance(actor, Person) else None,
        name=actor.name,
        by_token=isinstance(actor, Person) and actor.by_token,
        act=act,
        subject=one_line(subject, MAX_WORDS),
        detail=one_line(detail, MAX_WORDS),
    )


async def note_export(
    db: Database, space_id: str, actor: Person, subject: str, *, detail: str
) -> None:
    """Write that somebody saved this as a file, once an hour however often they do."""
    await db.execute(
        """
        INSERT INTO space_events (space_id, actor, actor_name, by_token, act, subject, detail)
        SELECT :space, :actor, :name, :by_token, 'exported', :subject, :detail WHERE NOT EXISTS (
            SELECT FROM space_events WHERE space_id = :space AND actor = :actor
            AND act = 'exported' AND subject = :subject AND detail = :detail
            AND by_token = :by_token AND at > now() - interval '1 hour'
        )
        """,
        space=UUID(space_id),
        actor=UUID(actor.id),
        name=actor.name,
        by_token=actor.by_token,
        subject=one_line(subject, MAX_WORDS),
        detail=one_line(detail, MAX_WORDS),
    )


async def listed(db: Database, space_id: str, *, before: int | None, most: int) -> list[SpaceEvent]:
    """Return what was done in a space, the newest first, only what was before that id."""
    rows = await db.fetch_all(
        """
        SELECT id, at, actor_name, act, subject, detail, by_token FROM space_events
        WHERE space_id = :space AND (CAST(:before AS bigint) IS NULL OR id < :before)
        ORDER BY id DESC LIMIT :most
        """,
        space=UUID(space_id),
        before=before,
        most=most,
    )
    return [
        SpaceEvent(
            row["id"],
            row["at"],
            row["actor_name"],
            row["act"],
            row["subject"],
            row["detail"],
            row["by_token"],
        )
        for row in rows
    ]


async def forget(db: Database, before: datetime, limit: int) -> int:
    """Delete some of what was done before then; returns how many lines."""
    rows = await db.fetch_all(
        """
        DELETE FROM space_events WHERE id IN (
            SELECT id FROM space_events WHERE at < :before
            ORDER BY at LIMIT :limit FOR UPDATE SKIP LOCKED
        ) RETURNING id
        """,
        before=before,
        limit=limit,
    )
    return len(rows)
