"""Links to shared transcripts: who has one reads what was said, until it runs out or is revoked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from core.database import Database, Row
from core.model import Membership, Person, Role, Session, State
from core.problems import ProblemError
from core.store import space_events
from core.store.sessions import ASKED, session_of

MAX_OPEN = 20  # of a session
MAX_CLOSED = 20  # of a session that are shown, those that were made last

Closed = Literal["revoked", "expired"]


@dataclass(frozen=True, slots=True)
class Maker:
    """A host who shares: somebody with an account, who may be a member of the space, or a guest."""

    person: Person | None
    name: str
    member: bool


@dataclass(frozen=True, slots=True)
class Own:
    """As what somebody is in a session, as far as hosts decide that."""

    role: Role
    state: State


class LinksFullError(ProblemError):
    """The session has as many open links as it may have."""

    status, code = 409, "links_full"


@dataclass(frozen=True, slots=True)
class SharedLink:
    """A link. `maker` is the name of who made it, as it was then; `chat`: whether it shows that.

    `openings` counts a browser once a day; `closed` says why it can't be used any more. Of who made
    it, where it was somebody with an account: who that is, and what they are by now in the space
    and in the session.
    """

    id: str
    session_id: str
    maker: str
    chat: bool
    created_at: datetime
    expires_at: datetime
    openings: int
    opened_at: datetime | None
    closed: Closed | None
    made_by: str | None = None
    membership: Membership | None = None
    own: Own | None = None


_LINK = """
    l.id AS link, l.session_id, l.maker, l.chat, l.created_at AS made_at, l.expires_at, l.openings,
    l.opened_at, CASE WHEN l.revoked_at IS NOT NULL THEN 'revoked'
        WHEN l.expires_at <= now() THEN 'expired' END AS closed
"""


async def create(
    db: Database, session: Session, maker: Maker, *, lasts: timedelta, chat: bool
) -> str | None:
    """Make a link and return its id; None for a member who is none any more, or who is disabled.

    Raises LinksFullError.
    """
    async with db.transaction():
        # Locked, so that several at once count each other, and see whose membership ends.
        await db.execute(
            "SELECT FROM spaces WHERE id = :id FOR NO KEY UPDATE", id=UUID(session.space_id)
        )
        # And those who are disabled at this moment: that revokes what was made by then.
        enabled = "SELECT id FROM users WHERE id = :id AND disabled_at IS NULL FOR SHARE"
        if maker.person and not await db.fetch_one(enabled, id=UUID(maker.person.id)):
            return None
        gone = await db.fetch_one(
            """
            SELECT WHERE :member AND NOT EXISTS (
                SELECT FROM members WHERE space_id = :space AND user_id = :user
            )
            """,
            member=maker.member,
            space=UUID(session.space_id),
            user=UUID(maker.person.id) if maker.person else None,
        )
        if gone is not None:
            return None
        row = await db.fetch_one(
            """
            INSERT INTO shared_links (session_id, created_by, maker, chat, expires_at)
            SELECT :session, :user, :maker, :chat, now() + CAST(:lasts AS interval)
            WHERE (
                SELECT count(*) FROM shared_links
                WHERE session_id = :session AND revoked_at IS NULL AND expires_at > now()
            ) < :most RETURNING id
            """,
            session=UUID(session.id),
            user=UUID(maker.person.id) if maker.person else None,
            maker=maker.name,
            chat=chat,
            lasts=lasts,
            most=MAX_OPEN,
        )
        if row is None:
            raise LinksFullError
        await _note(db, session, maker, "shared", str(lasts.days))
    return str(row["id"])


async def listed(db: Database, session_id: str) -> list[SharedLink]:
    """Return the links of a session: all open ones, then the last others; the newest first.

    With what who made them is by now.
    """
    rows = await db.fetch_all(
        f"""
        SELECT l.*, m.role AS membership, p.role, p.state FROM (
            SELECT {_LINK}, l.created_by, row_number() OVER (
                PARTITION BY l.revoked_at IS NULL AND l.expires_at > now()
                ORDER BY l.created_at DESC, l.id
            ) AS place
            FROM shared_links l WHERE l.session_id = :session
        ) l
        JOIN sessions s ON s.id = l.session_id
        LEFT JOIN members m ON m.space_id = s.space_id AND m.user_id = l.created_by
        LEFT JOIN participants p ON p.session_id = s.id AND p.user_id = l.created_by
        WHERE l.closed IS NULL OR l.place <= :most
        ORDER BY l.closed IS NOT NULL, l.made_at DESC, l.link
        """,  # noqa: S608 - constants
        session=UUID(session_id),
        most=MAX_CLOSED,
    )
    return [
        replace(
            _link(row),
            made_by=str(row["created_by"]) if row["created_by"] else None,
            membership=row["membership"],
            own=Own(row["role"], row["state"]) if row["role"] else None,
        )
        for row in rows
    ]


async def find(db: Database, link_id: str) -> tuple[SharedLink, Session] | None:
    """Return a link, also one that can't be used any more, and its session."""
    row = await db.fetch_one(
        f"""
        SELECT s.*, {ASKED}, {_LINK}
        FROM shared_links l JOIN sessions s ON s.id = l.session_id WHERE l.id = :id
        """,  # noqa: S608 - constants
        id=UUID(link_id),
    )
    return (_link(row), session_of(row)) if row else None


def _link(row: Row) -> SharedLink:
    return SharedLink(
        str(row["link"]),
        str(row["session_id"]),
        row["maker"],
        row["chat"],
        row["made_at"],
        row["expires_at"],
        row["openings"],
        row["opened_at"],
        row["closed"],
    )


async def opened(db: Database, link_id: str) -> None:
    """Count one opening of a link."""
    await db.execute(
        "UPDATE shared_links SET openings = openings + 1, opened_at = now() WHERE id = :id",
        id=UUID(link_id),
    )


async def revoke(db: Database, session: Session, maker: Maker, link_id: str) -> bool:
    """Have an open link of a session open nothing any more; False where there is none such."""
    async with db.transaction():
        row = await db.fetch_one(
            """
            UPDATE shared_links SET revoked_at = now() WHERE id = :id AND session_id = :session
            AND revoked_at IS NULL AND expires_at > now() RETURNING id
            """,
            id=UUID(link_id),
            session=UUID(session.id),
        )
        if row is None:
            return False
        await _note(db, session, maker, "share_revoked")
    return True


async def _note(
    db: Database, session: Session, maker: Maker, act: space_events.Act, detail: str = ""
) -> None:
    actor = maker.person or space_events.Guest(maker.name)
    await space_events.note(db, session.space_id, actor, act, session.title, detail=detail)


async def revoke_of(db: Database, user_id: str, space_id: str | None = None) -> None:
    """Revoke the open links that somebody has made: in a space, or everywhere."""
    await db.execute(
        """
        UPDATE shared_links l SET revoked_at = now() FROM sessions s
        WHERE s.id = l.session_id AND l.created_by = :user
        AND (CAST(:space AS uuid) IS NULL OR s.space_id = :space)
        AND l.revoked_at IS NULL AND l.expires_at > now()
        """,
        user=UUID(user_id),
        space=UUID(space_id) if space_id else None,
    )


async def forget(db: Database, before: datetime, limit: int) -> int:
    """Delete some that ran out before then; returns how many."""
    rows = await db.fetch_all(
        """
        DELETE FROM shared_links WHERE id IN (
            SELECT id FROM shared_links WHERE expires_at < :before
            LIMIT :limit FOR UPDATE SKIP LOCKED
        ) RETURNING id
        """,
        before=before,
        limit=limit,
    )
    return len(rows)
