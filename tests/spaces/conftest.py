"""A server with a bound for every space, an administrator, and a space with something spent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

import pytest

from core.minutes import today
from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.tables import Tables
from tests.support.visitors import Visitor

SPENT = """
    INSERT INTO space_usage (space_id, day, session_id, engine, sent_s, cost)
    SELECT space_id, $2, id, $3, $4::float8, $4::float8 / 60 * $5::float8
    FROM sessions WHERE slug = $1
"""


@dataclass
class Place:
    """A server, and a browser of everybody who has to do with one space of it."""

    server: AppServer
    tables: Tables
    slug: str = ""
    space: str = ""
    people: dict[str, Visitor] = field(default_factory=dict)

    def spend(
        self, slug: str, day: date, seconds: float, engine: str = "gladia", price: float = 0.01
    ) -> None:
        """Have a session have sent audio on a day."""
        self.tables(SPENT, slug, day, engine, seconds, price)

    def user(self, name: str) -> UUID:
        """Return somebody's id."""
        found: UUID = self.tables.one("SELECT id FROM users WHERE name = $1", name)
        return found


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer, make_database: Callable[[], str]) -> Place:
    database = make_database()
    server = make_server_in(
        DATABASE_URL=database, SPACE_MINUTES_PER_MONTH="100", ADMIN_EMAILS="admin@example.com"
    )
    place = Place(server, Tables(database))
    names = {"owner": "Owner", "member": "Member", "other": "Other", "administrator": "Admin"}
    place.people = {who: Browser(server.url).sign_in(name) for who, name in names.items()}
    place.people["anonymous"] = Browser(server.url)
    place.slug = place.people["owner"].start_session("=1+1 “Ferries”, and more")
    place.people["guest"] = Browser(server.url).be_guest(place.slug, "Guest")
    place.people["other"].start_session("Secret title of others")
    place.space = str(place.tables.one("SELECT space_id FROM sessions WHERE slug = $1", place.slug))
    place.tables(
        "INSERT INTO members (space_id, user_id, role) VALUES ($1, $2, 'MEMBER')",
        UUID(place.space),
        place.user("Member"),
    )
    place.people["owner"].join(place.slug)
    place.spend(place.slug, today().replace(day=1), 90 * 60)
    place.spend(place.slug, today().replace(day=1), 30, "local", 0)
    return place
