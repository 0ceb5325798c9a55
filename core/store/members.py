"""Members of spaces: who they are, what they are there, and what ends with it.

Whoever changes something about members locks the space, so that several at once see each other: a
space always has an owner. What somebody was in its sessions as a member changes in the same step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.database import Database, Row
from core.model import Membership, Person, Role, State
from core.problems import ProblemError
from core.store import invitations, shared_links, space_events, spaces
from core.store.invitations import Invitation
from core.store.people import person_of
from core.store.spaces import MAX_OWN, SpacesFullError

MAX_MEMBERS = 500  # of a space; its page shows them all


class NotMemberError(ProblemError):
    """Who would be changed is no member, or who asks is no owner any more."""

    status, code = 404, "not_found"


class NotAcceptedError(ProblemError):
    """The invitation can't be used any more, or not by them."""

    status, code = 410, "invitation_closed"


class SpaceFullError(ProblemError):
    """The space has as many members as it may have."""

    status, code = 409, "space_full"


class LastOwnerError(ProblemError):
    """They are the only owner of the space, which must have one."""

    status, code = 409, "last_owner"


class LastMemberError(ProblemError):
    """They are the only member of the space, which nobody would see any more."""

    status, code = 409, "last_member"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a space, what they are there, and since when."""

    person: Person
    role: Membership
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class Moved:
    """A participant of a session that goes on, who is something else there from now on.

    `here`: whether they were in it until now.
    """

    slug: str
    session_id: str
    identity: str
    state: State
    role: Role
    here: bool


async def listed(db: Database, space_id: str) -> list[Member]:
    """Return the members of a space: its owners, then the others, the first ones first."""
    rows = await db.fetch_all(
        """
        SELECT u.*, m.role AS membership, m.joined_at
        FROM members m JOIN users u ON u.id = m.user_id
        WHERE m.space_id = :space ORDER BY m.role = 'MEMBER', m.joined_at, u.id LIMIT :most
        """,
        space=UUID(space_id),
        most=2 * MAX_MEMBERS,  # what was copied from the replaced product knows no bound
    )
    return [Member(person_of(row), row["membership"], row["joined_at"]) for row in rows]


async def change_role(
    db: Database, space_id: str, actor: Person, user_id: str, role: Membership
) -> list[Moved]:
    """Let a member be an owner or no longer be one, as an owner says.

    Returns what that makes of them in sessions that go on. Raises NotMemberError or LastOwnerError.
    """
    async with db.transaction():
        everybody = await locked(db, space_id)
        whom = _member(everybody, actor, user_id)
        if whom["role"] == role:
            return []
        if role == "MEMBER":
            _check_other_owner(everybody, user_id)
        await db.execute(
            "UPDATE members SET role = :role WHERE space_id = :space AND user_id = :user",
            role=role,
            space=UUID(space_id),
            user=UUID(user_id),
        )
        act: space_events.Act = "made_owner" if role == "OWNER" else "made_member"
        await space_events.note(db, space_id, actor, act, whom["name"])
        return await _as_member(db, space_id, user_id, role, was=["HOST", "MEMBER"])


async def remove(db: Database, space_id: str, actor: Person, user_id: str) -> list[Moved]:
    """End somebody's membership, as an owner says, and what they were by it.

    With it end the links of invitations: they could come back by one.

    Returns what that makes of them in sessions that go on. Raises NotMemberError or LastOwnerError.
    """
    async with db.transaction():
        everybody = await locked(db, space_id)
        whom = _member(everybody, actor, user_id)
        _check_other_owner(everybody, user_id)
        await invitations.revoke_of(db, space_id, user_id)
        await space_events.note(db, space_id, actor, "removed", whom["name"])
        return await _end(db, space_id, user_id)


async def leave(db: Database, space_id: str, person: Person) -> list[Moved]:
    """End somebody's own membership; else as `remove`. Raises LastMemberError, too."""
    async with db.transaction():
        everybody = await locked(db, space_id)
        if person.id not in everybody:
            raise NotMemberError
        if len(everybody) == 1:
            raise LastMemberError
        _check_other_owner(everybody, person.id)
        await space_events.note(db, space_id, person, "left")
        return await _end(db, space_id, person.id)


async def locked(db: Database, space_id: str) -> dict[str, Row]:
    """Return the members of a space by their ids, with name and role; nothing changes them now.

    Within a transaction, until its end. Raises NotMemberError without such a space.
    """
    space = UUID(space_id)
    found = await db.fetch_one("SELECT FROM spaces WHERE id = :id FOR NO KEY UPDATE", id=space)
    if found is None:
        raise NotMemberError
    # A second statement, which sees what was done until the lock was ours.
    rows = await db.fetch_all(
        """
        SELECT m.user_id, m.role, u.name FROM members m JOIN users u ON u.id = m.user_id
        WHERE m.space_id = :space
        """,
        space=space,
    )
    return {str(row["user_id"]): row for row in rows}


def _member(everybody: Mapping[str, Row], actor: Person, user_id: str) -> Row:
    """Return a member to who is an owner still. Raises NotMemberError."""
    if actor.id not in everybody or everybody[actor.id]["role"] != "OWNER":
        raise NotMemberError
    if user_id not in everybody:
        raise NotMemberError
    return everybody[user_id]


def _check_other_owner(everybody: Mapping[str, Row], user_id: str) -> None:
    """Raise LastOwnerError where the space would have no owner without this one."""
    owners = {one for one, row in everybody.items() if row["role"] == "OWNER"}
    if owners == {user_id}:
        raise LastOwnerError


async def accept(
    db: Database, invitation: Invitation, person: Person, *, most: int = MAX_OWN, work: bool = True
) -> list[Moved]:
    """Make somebody a member by an invitation, of which that is one use.

    `most`: of how many spaces they may be a member, this one included. `work`: whether they work in
    it from now on. Returns what that makes of them in its sessions that go on. Raises
    NotAcceptedError, SpaceFullError or SpacesFullError; who is a member already changes nothing.
    """
    space, user = UUID(invitation.space_id), UUID(person.id)
    moved: list[Moved] = []
    async with db.transaction():
        everybody = await locked(db, invitation.space_id)
        if person.id not in everybody:
            # Locked, so that several at once count each other.
            await db.execute("SELECT FROM users WHERE id = :user FOR NO KEY UPDATE", user=user)
            own = await db.returning(
                "SELECT count(*) AS own FROM members WHERE user_id = :user", user=user
            )
            if own["own"] >= most:
                raise SpacesFullError
            if len(everybody) >= MAX_MEMBERS:
                raise SpaceFullError
            if not await invitations.use(db, invitation.id, person.email):
                raise NotAcceptedError
            await db.execute(
                """
                INSERT INTO members (space_id, user_id, role) VALUES (:space, :user, 'MEMBER')
                """,
                space=space,
                user=user,
            )
            inviter = invitation.inviter or ""
            await space_events.note(db, invitation.space_id, person, "joined", inviter)
            moved = await _as_member(db, invitation.space_id, person.id, "MEMBER", was=["GUEST"])
        if work:
            await spaces.work_in(db, invitation.space_id, person.id)
    return moved


async def _as_member(
    db: Database, space_id: str, user_id: str, role: Membership, *, was: list[Role]
) -> list[Moved]:
    """Let who was let into sessions that go on as one of these be what their membership says.

    Who started a session stays its host.
    """
    rows = await db.fetch_all(
        """
        UPDATE participants p SET role = CASE WHEN :owns OR s.created_by = p.user_id
            THEN 'HOST' ELSE 'MEMBER' END
        FROM sessions s WHERE s.id = p.session_id AND s.space_id = :space AND p.user_id = :user
        AND s.status IN ('CREATED', 'LIVE') AND p.state = 'ADMITTED' AND p.role = ANY(:was)
        AND p.role <> CASE WHEN :owns OR s.created_by = p.user_id THEN 'HOST' ELSE 'MEMBER' END
        RETURNING s.slug, p.*
        """,
        owns=role == "OWNER",
        was=was,
        space=UUID(space_id),
        user=UUID(user_id),
    )
    return [_moved(row) for row in rows]


async def _end(db: Database, space_id: str, user_id: str) -> list[Moved]:
    """Delete a membership, and have its sessions' doors take them for a stranger.

    In all sessions that they were in as a member, they wait to be let in: in those that are over
    for ever, so that they can no longer read them. In those to which they came as a guest, they
    stay what a host made them. The links by which they shared transcripts open nothing any more.
    """
    await shared_links.revoke_of(db, user_id, space_id)
    await db.execute(
        "DELETE FROM members WHERE space_id = :space AND user_id = :user",
        space=UUID(space_id),
        user=UUID(user_id),
    )
    rows = await db.fetch_all(
        """
        WITH before AS (
            SELECT p.identity, s.slug, s.status IN ('CREATED', 'LIVE') AS goes_on,
                p.joined_at IS NOT NULL AND p.left_at IS NULL AS here
            FROM participants p JOIN sessions s ON s.id = p.session_id
            WHERE s.space_id = :space AND p.user_id = :user
            AND p.role IN ('HOST', 'MEMBER') AND p.state IN ('ADMITTED', 'WAITING')
            FOR UPDATE OF p
        ), moved AS (
            UPDATE participants p SET state = 'WAITING', page_seen_at = NULL, call_seen_at = NULL,
                role = CASE WHEN b.goes_on THEN 'GUEST' ELSE p.role END,
                left_at = CASE WHEN p.joined_at IS NOT NULL THEN coalesce(p.left_at, now()) END
            FROM before b WHERE b.identity = p.identity RETURNING p.*
        )
        SELECT m.*, b.slug, b.here FROM moved m JOIN before b USING (identity) WHERE b.goes_on
        """,
        space=UUID(space_id),
        user=UUID(user_id),
    )
    return [_moved(row, here=row["here"]) for row in rows]


def _moved(row: Row, *, here: bool = True) -> Moved:
    return Moved(
        row["slug"], str(row["session_id"]), row["identity"], row["state"], row["role"], here
    )
