"""API tokens, as their people see them and as they are shown. See core/api_token.py."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from core.database import Database
from core.model import Login, TokenScope
from core.problems import ProblemError
from core.store.keys import digest_of
from core.store.people import login_of

MAX_TOKENS = 20  # of one person: nobody knows more programs by name
# When a token ends that isn't revoked. A time that Python and JSON can say.
NEVER = datetime(9999, 12, 31, tzinfo=UTC)


class TokensFullError(ProblemError):
    """The person has as many tokens as anybody may."""

    status, code = 409, "tokens_full"


class SameNameError(ProblemError):
    """The person has a token of that name."""

    status, code = 409, "token_named"


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token that counts. `used_at`: when it was used last, to the hour; None for never."""

    id: str
    name: str
    scope: TokenScope
    created_at: datetime
    used_at: datetime | None


async def of_person(db: Database, user_id: str) -> list[ApiToken]:
    """Return somebody's tokens, the newest first; MAX_TOKENS at most."""
    rows = await db.fetch_all(
        """
        SELECT id, name, scope, created_at, used_at FROM api_tokens WHERE user_id = :user
        ORDER BY created_at DESC, id
        """,
        user=UUID(user_id),
    )
    return [
        ApiToken(str(row["id"]), row["name"], row["scope"], row["created_at"], row["used_at"])
        for row in rows
    ]


async def create(db: Database, user_id: str, name: str, scope: TokenScope, token: str) -> None:
    """Keep the digest of somebody's new token. Raises TokensFullError or SameNameError.

    Two of one name couldn't be told apart where they are revoked; and a form that is sent twice
    makes one.
    """
    user = UUID(user_id)
    async with db.transaction():
        # Locked, so that several at once count each other.
        await db.execute("SELECT FROM users WHERE id = :user FOR NO KEY UPDATE", user=user)
        counted = await db.returning(
            """
            SELECT count(*) AS own, count(*) FILTER (WHERE name = :name) AS named
            FROM api_tokens WHERE user_id = :user
            """,
            user=user,
            name=name,
        )
        if counted["named"]:
            raise SameNameError
        if counted["own"] >= MAX_TOKENS:
            raise TokensFullError
        await db.execute(
            """
            INSERT INTO api_tokens (user_id, name, scope, key_digest)
            VALUES (:user, :name, :scope, :digest)
            """,
            user=user,
            name=name,
            scope=scope,
            digest=digest_of(token),
        )


async def revoke(db: Database, user_id: str, token_id: UUID) -> bool:
    """Forget a token of this person for good; return whether there was one."""
    row = await db.fetch_one(
        "DELETE FROM api_tokens WHERE id = :token AND user_id = :user RETURNING id",
        token=token_id,
        user=UUID(user_id),
    )
    return row is not None


async def find(db: Database, token: str) -> tuple[ApiToken, Login] | None:
    """Return a token that somebody shows, and as whom its bearer acts.

    None where it is unknown, was revoked, or is somebody's who was disabled.
    """
    row = await db.fetch_one(
        """
        SELECT u.*, (SELECT o.spaces FROM own_spaces o WHERE o.user_id = u.id),
            t.id AS token, t.name AS token_name, t.scope, t.created_at AS token_made, t.used_at
        FROM api_tokens t JOIN users u ON u.id = t.user_id
        WHERE t.key_digest = :digest AND u.disabled_at IS NULL
        """,
        digest=digest_of(token),
    )
    if row is None:
        return None
    login = login_of(row, NEVER)
    return (
        ApiToken(
            str(row["token"]), row["token_name"], row["scope"], row["token_made"], row["used_at"]
        ),
        replace(login, person=replace(login.person, by_token=True)),
    )


async def used(db: Database, token_id: str) -> None:
    """Note that a token is used now."""
    await db.execute(
        "UPDATE api_tokens SET used_at = now() WHERE id = :token", token=UUID(token_id)
    )
