"""Invitations to a space: by a link, or for an e-mail address.

Whoever makes or accepts one locks the space, as for its members: a use is counted exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from core.database import Database, Row
from core.model import Person
from core.problems import ProblemError
from core.store import space_events

MAX_OPEN = 100  # of a space
MAX_USES = 1000  # of a link

Closed = Literal["revoked", "expired", "used_up"]


class InvitationsFullError(ProblemError):
    """The space has as many open invitations as it may have."""

    status, code = 409, "invitations_full"


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation. `email` is None where whoever has the link may use it.

    `closed`: why it can't be used any more. `inviter` is None once their account is gone, and so is
    `invited_by`; `lets_in`: whether it may let in who couldn't sign in otherwise, which those that
    came so themselves can't say.
    """

    id: str
    space_id: str
    space: str
    email: str | None
    inviter: str | None
    invited_by: str | None
    uses: int
    max_uses: int
    expires_at: datetime
    closed: Closed | None
    lets_in: bool

    @property
    def left(self) -> int:
        """How many may still use it."""
        return self.max_uses - self.uses

    def is_for(self, email: str) -> bool:
        """Whether somebody with this address may use it."""
        return self.email is None or self.email == email.lower()


async def create(
    db: Database,
    space_id: str,
    actor: Person,
    *,
    email: str | None,
    max_uses: int,
    lasts: timedelta,
) -> str | None:
    """Make an invitation, as an owner, and return its id; None for who is none any more.

    Raises InvitationsFullError.
    """
    async with db.transaction():
        await db.execute(
            "SELECT FROM spaces WHERE id = :space FOR NO KEY UPDATE", space=UUID(space_id)
        )
        if len(await open_ones(db, space_id)) >= MAX_OPEN:
            raise InvitationsFullError
        row = await db.fetch_one(
            """
            INSERT INTO invitations (space_id, invited_by, email, max_uses, expires_at)
            SELECT space_id, user_id, :email, :uses, now() + CAST(:lasts AS interval) FROM members
            WHERE space_id = :space AND user_id = :user AND role = 'OWNER' RETURNING id
            """,
            space=UUID(space_id),
            user=UUID(actor.id),
            email=email,
            uses=max_uses,
            lasts=lasts,
        )
        if row is None:
            return None
        await space_events.note(db, space_id, actor, "invited", email or "", detail=str(max_uses))
    return str(row["id"])


async def open_ones(db: Database, space_id: str) -> list[Invitation]:
    """Return the invitations of a space that can still be used, the newest first."""
    rows = await db.fetch_all(
        """
        SELECT i.*, s.name AS space, u.name AS inviter, NOT u.invited AS lets_in
        FROM invitations i JOIN spaces s ON s.id = i.space_id
        LEFT JOIN users u ON u.id = i.invited_by
        WHERE i.space_id = :space AND i.revoked_at IS NULL AND i.expires_at > now()
        AND i.uses < i.max_uses ORDER BY i.created_at DESC, i.id LIMIT :most
        """,
        space=UUID(space_id),
        most=MAX_OPEN,
    )
    return [_invitation(row, None) for row in rows]


async def find(db: Database, invitation_id: str) -> Invitation | None:
    """Return an invitation, also one that can't be used any more."""
    row = await db.fetch_one(
        """
        SELECT i.*, s.name AS space, u.name AS inviter, NOT u.invited AS lets_in,
            CASE WHEN i.revoked_at IS NOT NULL THEN 'revoked' WHEN i.uses >= i.max_uses
                THEN 'used_up' WHEN i.expires_at <= now() THEN 'expired' END AS closed
        FROM invitations i JOIN spaces s ON s.id = i.space_id
        LEFT JOIN users u ON u.id = i.invited_by WHERE i.id = :id
        """,
        id=UUID(invitation_id),
    )
    return _invitation(row, row["closed"]) if row else None


async def of_address(db: Database, email: str, most: int) -> list[Invitation]:
    """Return the open invitations for this verified address, the oldest first."""
    rows = await db.fetch_all(
        """
        SELECT i.*, s.name AS space, u.name AS inviter, NOT u.invited AS lets_in
        FROM invitations i JOIN spaces s ON s.id = i.space_id
        LEFT JOIN users u ON u.id = i.invited_by
        WHERE i.email = :email AND i.revoked_at IS NULL AND i.expires_at > now()
        AND i.uses < i.max_uses ORDER BY i.created_at, i.id LIMIT :most
        """,
        email=email.lower(),
        most=most,
    )
    return [_invitation(row, None) for row in rows]


def _invitation(row: Row, closed: Closed | None) -> Invitation:
    return Invitation(
        str(row["id"]),
        str(row["space_id"]),
        row["space"],
        row["email"],
        row["inviter"],
        str(row["invited_by"]) if row["invited_by"] else None,
        row["uses"],
        row["max_uses"],
        row["expires_at"],
        closed,
        bool(row["lets_in"]),
    )


async def use(db: Database, invitation_id: str, email: str) -> bool:
    """Count one use by somebody of this address; False where it can't be used, by them or at all.

    Of two at the last use, one gets it.
    """
    row = await db.fetch_one(
        """
        UPDATE invitations SET uses = uses + 1 WHERE id = :id AND revoked_at IS NULL
        AND expires_at > now() AND uses < max_uses AND (email IS NULL OR email = :email)
        RETURNING id
        """,
        id=UUID(invitation_id),
        email=email.lower(),
    )
    return row is not None


async def revoke(db: Database, space_id: str, actor: Person, invitation_id: str) -> bool:
    """Have an open invitation of a space be used no more; False where there is none such."""
    async with db.transaction():
        row = await db.fetch_one(
            """
            UPDATE invitations SET revoked_at = now() WHERE id = :id AND space_id = :space
            AND revoked_at IS NULL AND expires_at > now() AND uses < max_uses RETURNING email
            """,
            id=UUID(invitation_id),
            space=UUID(space_id),
        )
        if row is None:
            return False
        await space_events.note(db, space_id, actor, "invitation_revoked", row["email"] or "")
    return True


async def revoke_of(db: Database, space_id: str, user_id: str) -> None:
    """Revoke all by which somebody could come back whose membership ends: links, and their own."""
    await db.execute(
        """
        UPDATE invitations SET revoked_at = now() WHERE space_id = :space
        AND revoked_at IS NULL AND expires_at > now() AND uses < max_uses
        AND (email IS NULL OR email = (SELECT lower(email) FROM users WHERE id = :user))
        """,
        space=UUID(space_id),
        user=UUID(user_id),
    )


async def revoke_by(db: Database, user_id: str) -> None:
    """Revoke the open invitations that somebody has made, of all spaces."""
    await db.execute(
        """
        UPDATE invitations SET revoked_at = now() WHERE invited_by = :user
        AND revoked_at IS NULL AND expires_at > now() AND uses < max_uses
        """,
        user=UUID(user_id),
    )


async def forget(db: Database, before: datetime, limit: int) -> int:
    """Delete some that ran out before then; returns how many."""
    rows = await db.fetch_all(
        """
        DELETE FROM invitations WHERE id IN (
            SELECT id FROM invitations WHERE expires_at < :before
            LIMIT :limit FOR UPDATE SKIP LOCKED
        ) RETURNING id
        """,
        before=before,
        limit=limit,
    )
    return len(rows)
