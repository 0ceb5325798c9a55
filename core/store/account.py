"""What goes with an account and what stays, and its end as rows."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from core.database import Database
from core.model import Membership, Person
from core.store import deletion, invitations, keys, recordings, shared_links, space_events

Fate = Literal["goes", "stays", "blocks"]


@dataclass(frozen=True, slots=True)
class OwnSpace:
    """A space of somebody's: how many members and owners it has, and what there is in it."""

    id: str
    name: str
    role: Membership
    members: int
    owners: int
    sessions: int
    live: int
    rooms: int

    @property
    def fate(self) -> Fate:
        """What becomes of it: nobody else sees it, or somebody else must own it first."""
        if self.members == 1:
            return "goes"
        return "blocks" if self.role == "OWNER" and self.owners == 1 else "stays"


@dataclass(frozen=True, slots=True)
class AccountContents:
    """An account's spaces, and how much there is of what was made with it.

    `made` and `rooms` are sessions and standing rooms in spaces that stay; `sessions` those that
    stay and that they were in, with what they said there (`utterances`) and wrote (`lines`).
    """

    spaces: tuple[OwnSpace, ...]
    made: int
    rooms: int
    sessions: int
    utterances: int
    lines: int
    sound: float  # seconds, also of sessions that go
    sign_ins: int
    tokens: int
    invitations: int

    def of_fate(self, fate: Fate) -> list[OwnSpace]:
        """Return the spaces of which this becomes."""
        return [one for one in self.spaces if one.fate == fate]

    @property
    def seen(self) -> str:
        """What tells whether something else has become of the spaces since: 16 letters."""
        fates = sorted(f"{one.id} {one.fate}" for one in self.spaces)
        return hashlib.sha256("\n".join(fates).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Others:
    """Everybody else of the server: how many administer it and may come in, how many there are."""

    administrators: int
    people: int


@dataclass(frozen=True, slots=True)
class Gone:
    """What an account that is no more has left open.

    `keys`: digests of what it was signed in with. `here`: in which calls they are, as slug and
    identity; `knocking`: where they waited, as session and identity. `invited`: members of their
    spaces whom an invitation let in, perhaps theirs.
    """

    keys: tuple[bytes, ...]
    here: tuple[tuple[str, str], ...]
    knocking: tuple[tuple[str, str], ...]
    invited: tuple[str, ...]


async def spaces_of(db: Database, user_id: str) -> tuple[OwnSpace, ...]:
    """Return the spaces of a user and what there is in them, the oldest membership first.

    Meetings of standing rooms that haven't begun don't count.
    """
    rows = await db.fetch_all(
        """
        SELECT s.id, s.name, own.role, c.*, r.*, t.* FROM members own
        JOIN spaces s ON s.id = own.space_id
        CROSS JOIN LATERAL (
            SELECT count(*) AS members, count(*) FILTER (WHERE m.role = 'OWNER') AS owners
            FROM members m WHERE m.space_id = s.id
        ) AS c CROSS JOIN LATERAL (
            SELECT count(*) AS rooms FROM standing_rooms r WHERE r.space_id = s.id
        ) AS r CROSS JOIN LATERAL (
            SELECT count(*) AS sessions, count(*) FILTER (WHERE t.status = 'LIVE') AS live
            FROM sessions t WHERE t.space_id = s.id AND t.status <> 'EXPIRED'
            AND (t.standing_room IS NULL OR t.status <> 'CREATED')
        ) AS t
        WHERE own.user_id = :user ORDER BY own.joined_at, s.id
        """,
        user=UUID(user_id),
    )
    return tuple(
        OwnSpace(
            str(row["id"]),
            row["name"],
            row["role"],
            row["members"],
            row["owners"],
            row["sessions"],
            row["live"],
            row["rooms"],
        )
        for row in rows
    )


async def look(db: Database, user_id: str) -> AccountContents:
    """Return what goes with an account, and what stays."""
    spaces = await spaces_of(db, user_id)
    row = await db.returning(
        """
        WITH was AS (
            SELECT p.identity FROM participants p JOIN sessions s ON s.id = p.session_id
            WHERE p.user_id = :user AND p.joined_at IS NOT NULL
            AND s.space_id <> ALL(CAST(:going AS uuid[]))
        )
        SELECT (SELECT count(*) FROM was) AS sessions,
            (SELECT count(*) FROM utterances u JOIN was USING (identity)
                WHERE u.lost_s IS NULL) AS utterances,
            (SELECT count(*) FROM chat_messages JOIN was USING (identity)) AS lines,
            (SELECT coalesce(CAST(sum(r.samples) AS float8), 0) / 16000 FROM recordings r
                JOIN participants p USING (identity)
                WHERE p.user_id = :user AND r.bytes > 0) AS sound,
            (SELECT count(*) FROM sessions WHERE created_by = :user AND status <> 'EXPIRED'
                AND (standing_room IS NULL OR status <> 'CREATED')
                AND space_id <> ALL(CAST(:going AS uuid[]))) AS made,
            (SELECT count(*) FROM standing_rooms WHERE created_by = :user
                AND space_id <> ALL(CAST(:going AS uuid[]))) AS rooms,
            (SELECT count(*) FROM open_logins WHERE user_id = :user) AS sign_ins,
            (SELECT count(*) FROM api_tokens WHERE user_id = :user) AS tokens,
            (SELECT count(*) FROM invitations WHERE invited_by = :user AND revoked_at IS NULL
                AND expires_at > now() AND uses < max_uses
                AND space_id <> ALL(CAST(:going AS uuid[]))) AS invitations
        """,
        user=UUID(user_id),
        going=[UUID(one.id) for one in spaces if one.fate == "goes"],
    )
    return AccountContents(spaces, **row)


async def others(db: Database, user_id: str, admin_emails: Collection[str]) -> Others:
    """Return who there is beside a user; `admin_emails` administer, in lower case."""
    row = await db.returning(
        """
        SELECT count(*) FILTER (WHERE disabled_at IS NULL
            AND (administrator OR lower(email) = ANY(:emails))) AS administrators,
            count(*) AS people
        FROM users WHERE id <> :user
        """,
        user=UUID(user_id),
        emails=list(admin_emails),
    )
    return Others(row["administrators"], row["people"])


async def locked(db: Database, person: Person, *, administering: bool) -> bool:
    """Keep a user and the members of their spaces as they are until the transaction ends.

    The spaces first, as whoever changes members does. `administering`: of several administrators
    who go at once, each waits for the one before. False where there is no such user any more.
    """
    user = UUID(person.id)
    if administering:
        await db.execute("SELECT pg_advisory_xact_lock(hashtextextended('administrators', 0))")
    await db.fetch_all(
        """
        SELECT id FROM spaces WHERE id IN (SELECT space_id FROM members WHERE user_id = :user)
        ORDER BY id FOR NO KEY UPDATE
        """,
        user=user,
    )
    return (
        await db.fetch_one("SELECT FROM users WHERE id = :user FOR UPDATE", user=user) is not None
    )


async def delete(db: Database, person: Person, contents: AccountContents) -> Gone:
    """Delete a user with all that hangs on them, within a transaction that has locked them.

    Spaces in which nobody else is go, too. Where they were in sessions of others, their name stays
    beside their words; the sound of those goes.
    """
    user, staying = UUID(person.id), contents.of_fate("stays")
    await recordings.forget_person(db, person.id)
    for space in contents.of_fate("goes"):
        await deletion.rows_of_space(db, space.id)
    for space in staying:
        await space_events.note(db, space.id, person, "account_deleted")
    invited = await db.fetch_all(
        """
        SELECT DISTINCT m.user_id FROM members m JOIN users u ON u.id = m.user_id
        WHERE m.space_id = ANY(CAST(:spaces AS uuid[])) AND u.invited AND u.id <> :user
        """,
        spaces=[UUID(one.id) for one in staying],
        user=user,
    )
    await invitations.revoke_by(db, person.id)
    await shared_links.revoke_of(db, person.id)
    # Who never came in left nothing but a name at a door.
    knocking = await db.fetch_all(
        """
        DELETE FROM participants WHERE user_id = :user AND joined_at IS NULL
        RETURNING session_id, identity
        """,
        user=user,
    )
    digests = await db.fetch_all(
        """
        SELECT key_digest FROM logins WHERE user_id = :user
        UNION ALL SELECT key_digest FROM api_tokens WHERE user_id = :user
        """,
        user=user,
    )
    revoked = tuple(bytes(row["key_digest"]) for row in digests)
    here = await keys.revoke(db, revoked)  # while the rows still say whose they are
    await db.execute("DELETE FROM users WHERE id = :user", user=user)
    return Gone(
        revoked,
        tuple(here),
        tuple((str(row["session_id"]), row["identity"]) for row in knocking),
        tuple(str(row["user_id"]) for row in invited),
    )
