"""What goes when sessions or a space are deleted: what there is of them, and their end as rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from core.database import Database
from core.model import Membership, Person, Session
from core.problems import ProblemError
from core.store import members
from core.store.deleted_calls import NOTED
from core.store.members import NotMemberError
from core.store.rooms import LEASE_S
from core.store.sessions import session_of


class LastSpaceError(ProblemError):
    """Its owner is in no other space."""

    status, code = 409, "last_space"


@dataclass(frozen=True, slots=True)
class SessionContents:
    """What goes with a session: how many people were in it, and how much they said and wrote.

    `sound`: seconds of it that can be heard; `links`: by which others may read it still.
    """

    people: int
    utterances: int
    lines: int
    sound: float
    links: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of several sessions: how many of those who read by a link may do so still, and
    how many seconds can be heard.
    """

    links: int
    sound: float


@dataclass(frozen=True, slots=True)
class SpaceContents:
    """What goes with a space: how much of each, and the hours that its sessions took together.

    `links` to transcripts are open, and `sound` is seconds that can be heard.
    """

    sessions: int
    live: int
    rooms: int
    members: int
    hours: float
    links: int
    sound: float


_KEPT = """
    (SELECT count(*) FROM shared_links
        WHERE session_id {which} AND revoked_at IS NULL AND expires_at > now()) AS links,
    (SELECT coalesce(CAST(sum(samples) AS float8), 0) / 16000 FROM recordings
        WHERE session_id {which} AND bytes > 0) AS sound
"""


async def of_session(db: Database, session_id: str) -> SessionContents:
    """Return what goes with a session."""
    row = await db.returning(
        f"""
        SELECT (SELECT count(*) FROM participants
                WHERE session_id = :id AND joined_at IS NOT NULL) AS people,
            (SELECT count(*) FROM utterances
                WHERE session_id = :id AND lost_s IS NULL) AS utterances,
            (SELECT count(*) FROM chat_messages WHERE session_id = :id) AS lines,
            {_KEPT.format(which="= :id")}
        """,  # noqa: S608 - constants
        id=UUID(session_id),
    )
    return SessionContents(
        row["people"], row["utterances"], row["lines"], row["sound"], row["links"]
    )


async def of_sessions(db: Database, session_ids: Collection[str]) -> Kept:
    """Return what goes with several sessions, beside what is said and written in each."""
    row = await db.returning(
        f"SELECT {_KEPT.format(which='= ANY(CAST(:ids AS uuid[]))')}",
        ids=[UUID(one) for one in session_ids],
    )
    return Kept(row["links"], row["sound"])


async def of_space(db: Database, space_id: str) -> SpaceContents:
    """Return what goes with a space. Meetings of standing rooms that haven't begun don't count."""
    row = await db.returning(
        f"""
        SELECT count(*) AS sessions, count(*) FILTER (WHERE status = 'LIVE') AS live,
            coalesce(CAST(sum(extract(epoch FROM coalesce(ended_at, now()) - started_at)) / 3600
                AS float8), 0) AS hours,
            (SELECT count(*) FROM standing_rooms WHERE space_id = :id) AS rooms,
            (SELECT count(*) FROM members WHERE space_id = :id) AS members,
            {_KEPT.format(which="IN (SELECT id FROM sessions WHERE space_id = :id)")}
        FROM sessions
        WHERE space_id = :id AND status <> 'EXPIRED'
        AND (standing_room IS NULL OR status <> 'CREATED')
        """,  # noqa: S608 - constants
        id=UUID(space_id),
    )
    return SpaceContents(**row)


async def found(
    db: Database, user_id: str, slugs: Collection[str]
) -> list[tuple[Session, Membership]]:
    """Return those of these sessions that are over and of a space of this user, the newest first.

    With what the user is in that space.
    """
    rows = await db.fetch_all(
        """
        SELECT s.*, m.role AS membership FROM sessions s
        JOIN members m ON m.space_id = s.space_id AND m.user_id = :user
        WHERE s.slug = ANY(CAST(:slugs AS text[])) AND s.status = 'ENDED'
        ORDER BY coalesce(s.started_at, s.created_at) DESC, s.id
        """,
        user=UUID(user_id),
        slugs=list(slugs),
    )
    return [(session_of(row), row["membership"]) for row in rows]


async def going_on(db: Database, space_id: str) -> list[Session]:
    """Return the sessions of a space that aren't over."""
    rows = await db.fetch_all(
        "SELECT * FROM sessions WHERE space_id = :id AND status IN ('CREATED', 'LIVE')",
        id=UUID(space_id),
    )
    return [session_of(row) for row in rows]


async def any_held(db: Database, session_ids: Collection[str]) -> bool:
    """Whether a process still has the room of one of these sessions, and so may write of it."""
    row = await db.fetch_one(
        """
        SELECT FROM rooms WHERE session_id = ANY(CAST(:ids AS uuid[]))
        AND renewed_at > clock_timestamp() - make_interval(secs => :lease) LIMIT 1
        """,
        ids=[UUID(one) for one in session_ids],
        lease=float(LEASE_S),
    )
    return row is not None


async def sessions(db: Database, actor: Person, session_ids: Collection[str]) -> int:
    """Delete these sessions as far as they are over, all at once; return how many there were.

    All that was said in them goes, too. What they used of their space's minutes stays counted.
    """
    row = await db.returning(
        f"""
        WITH gone AS (
            DELETE FROM sessions WHERE id = ANY(CAST(:ids AS uuid[]))
            AND status IN ('ENDED', 'EXPIRED')
            RETURNING space_id, title, slug, call_open, ended_at
        ), calls AS ({NOTED}), noted AS (
            INSERT INTO space_events (space_id, actor, actor_name, by_token, act, subject)
            SELECT space_id, :actor, :name, :by_token, 'session_deleted', title FROM gone
        )
        SELECT count(*) AS many FROM gone
        """,  # noqa: S608 - constants
        ids=[UUID(one) for one in session_ids],
        actor=UUID(actor.id),
        name=actor.name,
        by_token=actor.by_token,
    )
    return int(row["many"])


async def space(db: Database, space_id: str, owner: Person, *, last: bool = False) -> None:
    """Delete a space with all that is in it, in one step, as an owner says.

    Members who work in it work in another of theirs. Raises NotMemberError for who is no owner any
    more, and LastSpaceError for who is in no other space, unless `last` says that it may be.
    """
    async with db.transaction():
        everybody = await members.locked(db, space_id)
        if owner.id not in everybody or everybody[owner.id]["role"] != "OWNER":
            raise NotMemberError
        others = await db.fetch_one(
            "SELECT FROM members WHERE user_id = :user AND space_id <> :space LIMIT 1",
            user=UUID(owner.id),
            space=UUID(space_id),
        )
        if others is None and not last:
            raise LastSpaceError
        await rows_of_space(db, space_id)


async def rows_of_space(db: Database, space_id: str) -> None:
    """Delete a space and all that is in it, within a transaction that has locked it."""
    # A table each, whose time is bounded one by one: row by row it would take three times that.
    for table in (
        "search_lines",
        "recordings",
        "corrected_lines",
        "corrections",
        "speakers",
        "translations",
        "utterances",
        "streams",
        "chat_messages",
        "participants",
    ):
        await db.execute(
            f"""
            DELETE FROM {table} WHERE session_id IN (
                SELECT id FROM sessions WHERE space_id = :space
            )
            """,  # noqa: S608 - a constant
            space=UUID(space_id),
        )
    await db.execute(
        f"""
        WITH gone AS (
            DELETE FROM sessions WHERE space_id = :space RETURNING slug, call_open, ended_at
        )
        {NOTED}
        """,  # noqa: S608 - constants
        space=UUID(space_id),
    )
    await db.execute("DELETE FROM spaces WHERE id = :space", space=UUID(space_id))
