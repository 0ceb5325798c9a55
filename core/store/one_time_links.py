"""One-time links that were used, and what they make: see core/one_time_link.py."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from core.database import Database
from core.model import Person
from core.one_time_link import LinkError, OneTimeLink
from core.store import people, spaces

PROVIDER = "link"  # what accounts are kept under that came by the first link


async def anybody(db: Database) -> bool:
    """Whether there is an account."""
    row = await db.returning("SELECT EXISTS (SELECT 1 FROM users) AS found")
    return bool(row["found"])


async def of_address(db: Database, email: str) -> list[tuple[Person, str, bool]]:
    """Return who has this e-mail address: with their provider's name, and if they are disabled."""
    rows = await db.fetch_all(
        """
        SELECT u.*, coalesce(string_agg(a.provider, ', '), '') AS provider
        FROM users u LEFT JOIN accounts a ON a.user_id = u.id
        WHERE lower(u.email) = lower(:email) GROUP BY u.id ORDER BY u.created_at
        """,
        email=email,
    )
    return [
        (people.person_of(row), row["provider"], row["disabled_at"] is not None) for row in rows
    ]


async def look(db: Database, link: OneTimeLink) -> Person | None:
    """Return whom a link would sign in, None when it makes the first account. Spends nothing.

    Raises LinkError when it can't be used any more.
    """
    row = await db.fetch_one("SELECT 1 FROM spent_links WHERE id = :id", id=link.id)
    if row is not None:
        raise LinkError("used", of_account=link.user_id is not None)
    if link.user_id is not None:
        return await _account(db, link.user_id)
    if await anybody(db):
        raise LinkError("taken")
    return None


async def first_account(
    db: Database, link: OneTimeLink, name: str, email: str, space: str
) -> Person:
    """Make the first account with a space, and spend the link: both or neither.

    Whatever makes an account at the same time waits, so that of two browsers one is the first.
    Raises LinkError.
    """
    async with db.transaction():
        await db.execute("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
        await _spend(db, link)
        if await anybody(db):
            raise LinkError("taken")
        person = await people.create(db, PROVIDER, link.id.hex(), name, email)
        row = await db.returning(
            "UPDATE users SET administrator = true WHERE id = :user RETURNING *",
            user=UUID(person.id),
        )
        await spaces.first_space(db, person.id, space)
    return people.person_of(row)


async def account(db: Database, link: OneTimeLink) -> Person:
    """Spend the link of an account, and return whose it is. Raises LinkError."""
    async with db.transaction():
        await _spend(db, link)
        return await _account(db, link.user_id or "")


async def _account(db: Database, user_id: str) -> Person:
    row = await db.fetch_one("SELECT * FROM users WHERE id = :user", user=UUID(user_id))
    if row is None:  # it has been deleted since
        raise LinkError("not_valid", of_account=True)
    return people.person_of(row)


async def _spend(db: Database, link: OneTimeLink) -> None:
    """Note that a link is used, and forget those that have run out: their end says as much."""
    await db.execute("DELETE FROM spent_links WHERE ends_at < now() - interval '1 day'")
    spent = await db.fetch_one(
        """
        INSERT INTO spent_links (id, ends_at) VALUES (:id, :ends) ON CONFLICT DO NOTHING
        RETURNING id
        """,
        id=link.id,
        ends=datetime.fromtimestamp(link.ends, UTC),
    )
    if spent is None:
        raise LinkError("used", of_account=link.user_id is not None)
