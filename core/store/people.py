"""Users, how they prove who they are, and the browsers they are signed in with."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from core.database import Database, Row
from core.model import Login, Person
from core.problems import ProblemError
from core.store import invitations, shared_links
from core.store.keys import digest_of, new_key
from core.store.spaces import own_spaces
from core.text import hue_of, one_line

LOGIN_DAYS = 30  # of a login, however much it is used
# Of one person at once; who signs in once more loses the one that was used least lately. Nobody
# has so many browsers, and a script that signs in again and again fills no table.
MAX_LOGINS = 50
MAX_AGENT = 300  # characters of a browser's word for itself; they have 150


class DisabledError(ProblemError):
    """The person's account was disabled by an operator."""

    status, code = 403, "disabled"


def person_of(row: Row) -> Person:
    """Return the person of a row of the users, as PostgreSQL sends it or its JSON."""
    captions = row["captions"]
    return Person(
        str(row["id"]),
        row["name"],
        row["email"],
        row["hue"],
        row["language"],
        row["administrator"],
        row["theme"],
        json.loads(captions) if isinstance(captions, str) else captions,
        str(row["avatar"]) if row["avatar"] else None,
        row["name_chosen"],
        row["welcomed_at"] is not None,
        row["invited"],
        str(row["space_id"]) if row["space_id"] else None,
        row["spoken"],
    )


def login_of(row: Row, idle_at: datetime) -> Login:
    """Return the login of a row of the users that has their spaces, too: see own_spaces."""
    person = person_of(row)
    return Login(person, idle_at, own_spaces(row["spaces"], person.space_id))


async def find_by_account(db: Database, provider: str, subject: str) -> Person | None:
    """Return the user to whom the provider's subject belongs."""
    row = await db.fetch_one(
        """
        SELECT u.* FROM users u JOIN accounts a ON a.user_id = u.id
        WHERE a.provider = :provider AND a.subject = :subject
        """,
        provider=provider,
        subject=subject,
    )
    return person_of(row) if row else None


async def create(
    db: Database, provider: str, subject: str, name: str, email: str, *, may_claim: bool = False
) -> Person:
    """Create a user with an account. Two sign-ins at once end in one user.

    `may_claim`: Google vouches for the address, so that whoever had it in the product that this
    one replaces is this person: see `_claimed`.
    """
    async with db.transaction():
        await db.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))", key=f"{provider} {subject}"
        )
        known = await find_by_account(db, provider, subject)
        if known:
            return known
        row = await _claimed(db, name, email) if may_claim else None
        row = row or await db.returning(
            "INSERT INTO users (name, email, hue) VALUES (:name, :email, :hue) RETURNING *",
            name=name,
            email=email,
            hue=hue_of(email),
        )
        await db.execute(
            "INSERT INTO accounts (provider, subject, user_id) VALUES (:provider, :subject, :user)",
            provider=provider,
            subject=subject,
            user=row["id"],
        )
    return person_of(row)


async def _claimed(db: Database, name: str, email: str) -> Row | None:
    """Return the user that was copied without an account and has this address, if there is one.

    The replaced product had Google alone, so the address was Google's word there, too. Whoever has
    an account is found by that and nothing else: so a user is claimed once, and only one that
    nobody has signed in as. Two of one address are nobody's.
    """
    await db.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))", key=f"claim {email.lower()}"
    )
    return await db.fetch_one(
        """
        UPDATE users SET name = :name, email = :email WHERE id = (
            SELECT (array_agg(u.id))[1] FROM users u
            WHERE lower(u.email) = lower(:email)
                AND NOT EXISTS (SELECT FROM accounts a WHERE a.user_id = u.id)
                AND EXISTS (
                    SELECT FROM imported i WHERE i.kind = 'user' AND i.ours = CAST(u.id AS text)
                )
            HAVING count(*) = 1
        ) RETURNING *
        """,
        name=name,
        email=email,
    )


async def refresh(db: Database, known: Person, name: str, email: str) -> Person:
    """Let a user have this address from now on, and this name unless they chose one here.

    Their colour stays. So do their names in past sessions: those belong to the participants.
    """
    if (known.name, known.email) == (name, email):
        return known
    row = await db.returning(
        """
        UPDATE users SET email = :email,
            name = CASE WHEN name_chosen THEN name ELSE CAST(:name AS text) END
        WHERE id = :user RETURNING *
        """,
        name=name,
        email=email,
        user=UUID(known.id),
    )
    return person_of(row)


async def choose_language(db: Database, user_id: str, language: str | None) -> None:
    """Keep in which language a user wants pages, in whatever browser they are signed in.

    None: as each browser asks.
    """
    await db.execute(
        "UPDATE users SET language = CAST(:language AS text) WHERE id = :user",
        language=language,
        user=UUID(user_id),
    )


async def open_login(
    db: Database, user_id: str, now: datetime, idle: timedelta, agent: str = ""
) -> str:
    """Sign a browser in and return the secret key that its cookie keeps.

    It ends after `idle` without use. `agent`: its own word for itself, by which its person knows
    it. Raises DisabledError.
    """
    key, user = new_key(), UUID(user_id)
    async with db.transaction():
        await db.execute("DELETE FROM logins WHERE expires_at < :now OR idle_at < :now", now=now)
        # Locked, so that two sign-ins at once count each other.
        found = await db.fetch_one(
            "SELECT id FROM users WHERE id = :user AND disabled_at IS NULL FOR NO KEY UPDATE",
            user=user,
        )
        if found is None:
            raise DisabledError
        await db.execute(
            """
            DELETE FROM logins WHERE key_digest IN (
                SELECT key_digest FROM logins WHERE user_id = :user
                ORDER BY idle_at DESC OFFSET :others
            )
            """,
            user=user,
            others=MAX_LOGINS - 1,
        )
        await db.execute(
            """
            INSERT INTO logins (key_digest, user_id, expires_at, idle_at, signed_in_at, agent)
            VALUES (:digest, :user, :expires, :idle_at, :now, :agent)
            """,
            digest=digest_of(key),
            user=user,
            expires=now + timedelta(days=LOGIN_DAYS),
            idle_at=now + idle,
            now=now,
            agent=one_line(agent, MAX_AGENT),
        )
    return key


async def invite_in(db: Database, user_id: str) -> None:
    """Note that an invitation let somebody in, as the operator's lists don't: see `uninvite`."""
    await db.execute("UPDATE users SET invited = true WHERE id = :user", user=UUID(user_id))


async def uninvite(db: Database, user_id: str | None = None) -> list[bytes] | None:
    """Have an invitation let somebody in no more, once no space holds them that isn't their own.

    Without a user, whomever that is so of; then what is returned says nothing.

    A space holds whom it has as a member beside an owner who needed no invitation. Returns the
    digests of their logins, which end unless they may sign in without one; None where nothing
    has changed.
    """
    row = await db.fetch_one(
        """
        WITH alone AS (
            UPDATE users u SET invited = false
            WHERE u.invited AND u.id = coalesce(CAST(:user AS uuid), u.id) AND NOT EXISTS (
                SELECT FROM members m JOIN members o ON o.space_id = m.space_id
                JOIN users owner ON owner.id = o.user_id
                WHERE m.user_id = u.id AND o.role = 'OWNER' AND NOT owner.invited
            ) RETURNING id
        )
        SELECT (
            SELECT array_agg(l.key_digest) FROM logins l WHERE l.user_id = alone.id
        ) AS keys FROM alone
        """,
        user=UUID(user_id) if user_id else None,
    )
    return None if row is None else list(row["keys"] or ())


async def find(db: Database, user_id: str) -> Person | None:
    """Return the user with this id."""
    row = await db.fetch_one("SELECT * FROM users WHERE id = :user", user=UUID(user_id))
    return person_of(row) if row else None


async def find_by_login(db: Database, key: str) -> Login | None:
    """Return who is signed in with this key, None when it is unknown, closed or has run out."""
    row = await db.fetch_one(
        """
        SELECT u.*, l.idle_at, (SELECT o.spaces FROM own_spaces o WHERE o.user_id = u.id)
        FROM open_logins l JOIN users u ON u.id = l.user_id WHERE l.key_digest = :digest
        """,
        digest=digest_of(key),
    )
    return login_of(row, row["idle_at"]) if row else None


async def used(db: Database, keys: Collection[bytes], idle_at: datetime) -> None:
    """Note that the logins of these digests are used: they end then, unless used again."""
    await db.execute(
        "UPDATE logins SET idle_at = :idle_at WHERE key_digest = ANY(:keys) AND idle_at > now()",
        idle_at=idle_at,
        keys=list(keys),
    )


async def disable(db: Database, user_id: UUID, *, disabled: bool) -> bool:
    """Disable or enable one user, as `set_disabled` does; return whether there is one."""
    return bool(await _set_disabled(db, "id = :who", user_id, disabled=disabled))


async def set_disabled(db: Database, email: str, *, disabled: bool) -> list[Person]:
    """Disable or enable everybody with this e-mail address; return them.

    Who is disabled is signed out for good: to be enabled again brings no login back, no API token,
    no link by which they shared a transcript and no invitation that they made.
    """
    rows = await _set_disabled(db, "lower(email) = lower(:who)", email, disabled=disabled)
    return [person_of(row) for row in rows]


async def _set_disabled(db: Database, which: str, who: UUID | str, *, disabled: bool) -> list[Row]:
    async with db.transaction():
        rows = await db.fetch_all(
            f"""
            WITH changed AS (
                UPDATE users
                SET disabled_at = CASE WHEN :disabled THEN coalesce(disabled_at, now()) END
                WHERE {which} RETURNING *
            ), closed AS (
                DELETE FROM logins WHERE :disabled AND user_id IN (SELECT id FROM changed)
            ), revoked AS (
                DELETE FROM api_tokens WHERE :disabled AND user_id IN (SELECT id FROM changed)
            )
            SELECT * FROM changed ORDER BY created_at
            """,  # noqa: S608 - constants
            who=who,
            disabled=disabled,
        )
        # A statement of its own, so that it sees a link that was made while the first one waited.
        for row in rows if disabled else ():
            await shared_links.revoke_of(db, str(row["id"]))
            await invitations.revoke_by(db, str(row["id"]))
    return rows
