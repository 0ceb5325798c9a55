"""Spaces and their members."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from core.moving_in.cleaning import id_of
from core.moving_in.load import Load
from core.moving_in.source import field
from core.text import one_line

NAME_LENGTH = 80
FIELDS = (
    field("id", "text"),
    field("name", "text"),
    field("owner", "text", "ownerId", "createdByUserId"),
    field("created", "time", "createdAt"),
)
MEMBERS = (
    field("id", "text"),
    field("space", "text", "spaceId"),
    field("user", "text", "userId"),
    field("role", "text"),
    field("joined", "time", "joinedAt", "createdAt"),
)


async def read(load: Load) -> None:
    """Take the old rows in."""
    await load.stream(
        "old_spaces",
        "id text, made uuid, name text, owner text, created_at timestamptz, mended text[],"
        " ours uuid DEFAULT NULL, here bool DEFAULT false, gone bool DEFAULT false",
        _spaces(load),
    )
    await load.stream(
        "old_members",
        "id text, space_id text, user_id text, role text, joined_at timestamptz,"
        " here bool DEFAULT false",
        _members(load),
    )


async def _spaces(load: Load) -> AsyncIterator[tuple[Any, ...]]:
    async for row in load.source.rows("Space", FIELDS):
        load.clock.start()
        mended = []
        name = one_line(row["name"] or "", NAME_LENGTH)
        if name and len(one_line(row["name"], NAME_LENGTH + 1)) > NAME_LENGTH:
            mended.append("spaces_name_long")
        created = load.clock.read(row["created"]) or load.clock.now
        if load.clock.odd:
            mended.append("spaces_time")
        if not name:
            mended.append("spaces_name")
        yield row["id"], id_of("space", row["id"]), name, row["owner"], created, mended


async def _members(load: Load) -> AsyncIterator[tuple[Any, ...]]:
    async for row in load.source.rows("SpaceMember", MEMBERS):
        load.clock.start()
        role = "OWNER" if row["role"] == "OWNER" else "MEMBER"
        old = row["id"] or f"{row['space']} {row['user']}"
        yield old, row["space"], row["user"], role, load.clock.read(row["joined"])


async def write(load: Load) -> None:
    """Add those that aren't here, with members; who was removed here since stays out."""
    await load.change(
        """
        UPDATE old_spaces o SET ours = CAST(i.ours AS uuid), here = true,
            gone = NOT EXISTS (SELECT FROM spaces s WHERE s.id = CAST(i.ours AS uuid))
        FROM imported i WHERE i.kind = 'space' AND i.source = o.id
        """
    )
    await load.change("UPDATE old_spaces SET ours = made WHERE ours IS NULL")
    await load.counted("spaces", "old_spaces")
    await load.note_mended("old_spaces")
    load.report.count("spaces").added = await load.change(
        """
        INSERT INTO spaces (id, name, created_at)
        SELECT o.made, left(coalesce(nullif(o.name, ''), replace($1, '%(name)s',
            coalesce(u.name, '?'))), 80), o.created_at
        FROM old_spaces o LEFT JOIN old_users u ON u.id = o.owner WHERE NOT o.here
        """,
        load.names.space,
    )
    await _remember(load, "space", "old_spaces")
    await _write_members(load)


async def _remember(load: Load, kind: str, table: str) -> None:
    await load.change(
        f"""
        INSERT INTO imported (kind, source, ours)
        SELECT $1::text, id, CAST(ours AS text) FROM {table} ON CONFLICT DO NOTHING
        """,  # noqa: S608 - a name of ours
        kind,
    )


async def _write_members(load: Load) -> None:
    # Who owns a space without being a member is one.
    await load.change(
        """
        INSERT INTO old_members (id, space_id, user_id, role, joined_at)
        SELECT 'owner ' || o.id, o.id, o.owner, 'OWNER', o.created_at FROM old_spaces o
        WHERE o.owner IS NOT NULL AND EXISTS (SELECT FROM old_users u WHERE u.id = o.owner)
            AND NOT EXISTS (
                SELECT FROM old_members m WHERE m.space_id = o.id AND m.user_id = o.owner
                    AND m.role = 'OWNER'
            )
        """
    )
    await load.change(
        """
        UPDATE old_members o SET here = true FROM imported i
        WHERE i.kind = 'member' AND i.source = o.id
        """
    )
    await load.leave(
        "members",
        """
        SELECT m.id FROM old_members m LEFT JOIN old_users u ON u.id = m.user_id
        LEFT JOIN old_spaces s ON s.id = m.space_id WHERE u.id IS NULL OR s.id IS NULL
        """,
    )
    await load.counted("members", "old_members")
    load.report.count("members").added = await load.change(
        """
        INSERT INTO members (space_id, user_id, role, joined_at)
        SELECT s.ours, u.ours, CASE WHEN bool_or(m.role = 'OWNER') THEN 'OWNER' ELSE 'MEMBER' END,
            coalesce(min(m.joined_at), min(s.created_at))
        FROM old_members m JOIN old_users u ON u.id = m.user_id
        JOIN old_spaces s ON s.id = m.space_id
        WHERE NOT m.here AND NOT u.gone AND NOT s.gone GROUP BY s.ours, u.ours
        ON CONFLICT DO NOTHING
        """
    )
    await load.change(
        """
        INSERT INTO imported (kind, source, ours)
        SELECT 'member', m.id, s.ours || ' ' || u.ours FROM old_members m
        JOIN old_users u ON u.id = m.user_id JOIN old_spaces s ON s.id = m.space_id
        ON CONFLICT DO NOTHING
        """
    )
    # A space that nobody owns can't be looked after: its oldest member does.
    for how, membership in (("spaces_owner", "> 0"), ("spaces_nobody", "= 0")):
        await load.mend(
            how,
            f"""
            SELECT o.id FROM old_spaces o LEFT JOIN members m ON m.space_id = o.ours
            WHERE NOT o.here GROUP BY o.id
            HAVING count(m) {membership} AND count(m) FILTER (WHERE m.role = 'OWNER') = 0
            """,  # noqa: S608 - of the two above
        )
    await load.change(
        """
        UPDATE members m SET role = 'OWNER' FROM (
            SELECT DISTINCT ON (m.space_id) m.space_id, m.user_id FROM members m
            JOIN old_spaces o ON o.ours = m.space_id AND NOT o.here
            WHERE NOT EXISTS (
                SELECT FROM members w WHERE w.space_id = m.space_id AND w.role = 'OWNER'
            )
            ORDER BY m.space_id, m.joined_at, m.user_id
        ) first WHERE m.space_id = first.space_id AND m.user_id = first.user_id
        """
    )
