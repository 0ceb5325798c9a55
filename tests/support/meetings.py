"""A session with a browser of everybody who has to do with it, and what its pages show."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.visitors import Visitor

JSON = {"Accept": "application/json"}
NOWHERE = "zzzz-zzzz-zzzz-zzzz"


def sql(database: str, statement: str, *values: object) -> list[Any]:
    """Run a statement behind the server's back."""

    async def run() -> list[Any]:
        connection = await asyncpg.connect(database)
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    return asyncio.run(run())


def come_and_go(*visitors: Visitor, slug: str) -> None:
    """Be in the room together, then leave."""

    async def meet() -> None:
        pages = [visitor.page(slug) for visitor in visitors]
        for page in pages:
            await page.connect()
        for page in pages:
            await page.leave()

    asyncio.run(meet())


def role_shown(html: str) -> str:
    """Return the role in which a room page shows its reader."""
    (role,) = re.findall('data-role="([^"]*)"', html)
    return str(role)


def row_of(html: str, slug: str) -> str:
    """Return a session's row of the list."""
    (row,) = re.findall(rf'<li class="session-row" id="session-{slug}">.*?</li>', html, re.S)
    return str(row)


PEOPLE = ("anonymous", "guest", "participant", "host", "other", "member")


@dataclass
class Meeting:
    """A session, and a browser of everybody who has to do with it."""

    slug: str
    people: dict[str, Visitor] = field(default_factory=dict)
    space: str = ""  # the id of its space


def make_meeting(site: AppServer, database: str, title: str) -> Meeting:
    """Start a session that everybody but `anonymous`, `other` and `member` was in."""
    host = Browser(site.url).sign_in("Hedy Lamarr")
    meeting = Meeting(host.start_session(title), {"host": host})
    for name in ("participant", "other", "member"):
        meeting.people[name] = Browser(site.url).sign_in(name.title())
    meeting.people["guest"] = Browser(site.url).be_guest(meeting.slug, "Guest")
    meeting.people["anonymous"] = Browser(site.url)
    sql(
        database,
        "INSERT INTO members (space_id, user_id, role)"
        " SELECT s.space_id, u.id, 'MEMBER' FROM sessions s, users u"
        " WHERE s.slug = $1 AND u.email = 'member@example.com' ON CONFLICT DO NOTHING",
        meeting.slug,
    )
    found = sql(database, "SELECT space_id FROM sessions WHERE slug = $1", meeting.slug)
    meeting.space = str(found[0]["space_id"])
    come_and_go(
        *(meeting.people[who] for who in ("host", "participant", "guest")), slug=meeting.slug
    )
    return meeting
