"""Users and how they sign in.

Whom Google knows by a subject is found by it; where the old product has kept none, the first
sign-in with the same verified address claims the user: see core.store.people.claim.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from core.moving_in.cleaning import id_of
from core.moving_in.load import Load
from core.moving_in.source import field
from core.text import hue_of, one_line

NAME_LENGTH, EMAIL_LENGTH = 40, 254  # as at a sign-in
FIELDS = (
    field("id", "text"),
    field("display", "text", "displayName"),
    field("name", "text"),
    field("email", "text"),
    field("created", "time", "createdAt"),
)
ACCOUNTS = (
    field("user", "text", "userId"),
    field("provider", "text"),
    field("subject", "text", "providerAccountId"),
)


async def read(load: Load) -> None:
    """Take the old rows in."""
    await load.stream(
        "old_users",
        "id text, made uuid, name text, email text, hue int, created_at timestamptz, mended text[],"
        " ours uuid DEFAULT NULL, here bool DEFAULT false, gone bool DEFAULT false",
        _users(load),
    )
    await load.stream("old_accounts", "user_id text, subject text", _accounts(load))


async def _users(load: Load) -> AsyncIterator[tuple[Any, ...]]:
    async for row in load.source.rows("User", FIELDS):
        old = row["id"]
        mended = []
        email = one_line(row["email"] or "", EMAIL_LENGTH + 1)
        if "@" not in email or len(email) > EMAIL_LENGTH or " " in email:
            mended.append("users_email")
            email = ""
        name = one_line(row["display"] or "", NAME_LENGTH) or one_line(
            row["name"] or "", NAME_LENGTH
        )
        if not name:
            mended.append("users_name")
            name = one_line(email.partition("@")[0], NAME_LENGTH) or load.names.person
        load.clock.start()
        created = load.clock.read(row["created"]) or load.clock.now
        if load.clock.odd:
            mended.append("users_time")
        hue = hue_of(email or old)
        yield old, id_of("user", old), name, email, hue, created, mended


async def _accounts(load: Load) -> AsyncIterator[tuple[Any, ...]]:
    async for row in load.source.rows("Account", ACCOUNTS):
        subject = row["subject"] or ""
        fits = 0 < len(subject) <= 255 and subject.isascii() and subject.isprintable()
        if row["provider"] == "google" and row["user"] and fits:
            yield row["user"], subject
        else:
            load.report.leave("accounts", [row["user"]])


async def write(load: Load) -> None:
    """Find out who of them is here already, and add the others."""
    await load.change(
        """
        UPDATE old_users o SET ours = CAST(i.ours AS uuid), here = true,
            gone = NOT EXISTS (SELECT FROM users u WHERE u.id = CAST(i.ours AS uuid))
        FROM imported i WHERE i.kind = 'user' AND i.source = o.id
        """
    )
    # Somebody of ours: by Google's subject, and where that isn't known by an address that Google
    # has vouched for to both. Who has another subject is somebody else.
    await load.change(
        """
        UPDATE old_users o SET ours = a.user_id, here = true
        FROM old_accounts x JOIN accounts a ON a.provider = 'google' AND a.subject = x.subject
        WHERE x.user_id = o.id AND o.ours IS NULL
        """
    )
    await load.change(
        """
        UPDATE old_users o SET ours = k.id, here = true FROM (
            SELECT DISTINCT ON (lower(u.email)) u.id, lower(u.email) AS email FROM users u
            LEFT JOIN accounts a ON a.user_id = u.id
            WHERE a.provider = 'google' OR (a.provider IS NULL AND EXISTS (
                SELECT FROM imported i WHERE i.kind = 'user' AND i.ours = CAST(u.id AS text)
            ))
            ORDER BY lower(u.email), u.created_at
        ) k
        WHERE o.ours IS NULL AND o.email <> '' AND lower(o.email) = k.email
            AND NOT EXISTS (SELECT FROM old_accounts x WHERE x.user_id = o.id)
        """
    )
    # One address twice, in other letters: the older one is who both are.
    await load.change(
        """
        UPDATE old_users o SET ours = f.made FROM (
            SELECT id, first_value(made) OVER (
                PARTITION BY CASE WHEN email = '' OR EXISTS (
                    SELECT FROM old_accounts x WHERE x.user_id = old_users.id
                ) THEN id ELSE lower(email) END ORDER BY created_at, id
            ) AS made
            FROM old_users WHERE ours IS NULL
        ) f WHERE f.id = o.id
        """
    )
    await load.mend("users_same", "SELECT id FROM old_users WHERE NOT here AND ours <> made")
    await load.counted("users", "old_users")
    await load.note_mended("old_users")
    load.report.count("users").added = await load.change(
        """
        INSERT INTO users (id, name, email, hue, created_at, welcomed_at)
        SELECT made, name, email, hue, created_at, now() FROM old_users
        WHERE NOT here AND ours = made
        """
    )
    await load.change(
        """
        INSERT INTO imported (kind, source, ours)
        SELECT 'user', id, CAST(ours AS text) FROM old_users ON CONFLICT DO NOTHING
        """
    )
    await load.change(
        """
        INSERT INTO accounts (provider, subject, user_id)
        SELECT DISTINCT ON (x.subject) 'google', x.subject, o.ours
        FROM old_accounts x JOIN old_users o ON o.id = x.user_id WHERE NOT o.gone
        ORDER BY x.subject, o.created_at ON CONFLICT DO NOTHING
        """
    )
