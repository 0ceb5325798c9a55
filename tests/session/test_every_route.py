"""Every route by every method, for somebody of every standing, against docs/routes.md.

A route that has no row there fails, as does a row without a route.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from itertools import chain

import pytest

from tests.conftest import MakeServer
from tests.support import ROOT
from tests.support.route_ways import WAYS, Way, routes
from tests.support.sign_in import LOGIN_SECRET
from tests.support.standings import STANDINGS, World
from tests.support.tables import Tables

Row = tuple[str, str]  # method and path
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
DOCUMENT = (ROOT / "docs/routes.md").read_text()
TABLE: dict[Row, list[int]] = {
    (method, path): [int(cell) for cell in cells.split(" | ")]
    for method, path, cells in re.findall(
        r"^\| `([A-Z]+) (\S+)` \| ([\d |]+) \|$", DOCUMENT, re.MULTILINE
    )
}


@pytest.fixture(scope="module")
def world(make_server_in: MakeServer, make_database: Callable[[], str]) -> World:
    database = make_database()
    server = make_server_in(
        DATABASE_URL=database,
        LIVEKIT_URL="ws://localhost:9",
        NEXTAUTH_SECRET=LOGIN_SECRET,
        ADMIN_EMAILS="administrator@example.com",
    )
    return World(server, Tables(database))


def found(world: World, row: Row, expected: list[int]) -> list[int]:
    """Return what everybody gets; what may have changed something leaves a new stage behind."""
    method, path = row
    way = WAYS.get(row, Way())
    stage, statuses = world.stage(), list[int]()
    for who, before in zip(STANDINGS, [400, *expected], strict=False):
        if method == "POST" and before < 400:
            stage = world.stage()
        answer = way.go(world, stage, who, method, path)
        statuses.append(answer.status_code)
    return statuses


@pytest.mark.parametrize("row", TABLE, ids=" ".join)
def test_who_gets_what(world: World, row: Row) -> None:
    assert found(world, row, TABLE[row]) == TABLE[row]


def test_every_route_has_a_row() -> None:
    assert set(TABLE) == set(routes())


def test_the_document_names_everybody() -> None:
    heads = re.findall(r"^\|  \| (anonymous .+) \|$", DOCUMENT, re.MULTILINE)
    assert [one.split(" | ") for one in heads] == [list(STANDINGS)] * 2


def test_no_route_takes_another_method(world: World) -> None:
    taken: dict[str, set[str]] = {}
    for method, path in routes():
        taken.setdefault(path, set()).add(method)
    stage = world.stage()
    for path, methods in taken.items():
        way = WAYS.get(("GET", path), WAYS.get(("POST", path), Way()))
        for method in METHODS:
            if method in methods or (method == "HEAD" and "GET" in methods):
                continue
            for who in ("anonymous", "member", "owner"):
                answer = way.go(world, stage, who, method, path)
                # A provider could have that key, and is looked for.
                known = path == "/sign-in/dev" and method in ("GET", "HEAD")
                status = 404 if known else 405
                assert answer.status_code == status, (method, path, who)


def test_changes_come_from_our_own_pages_alone(world: World) -> None:
    """Also for who may, and for programs that a browser of somebody's is talked into being."""
    stage = world.stage()
    before = contents(world)
    for method, path in TABLE:
        if method == "POST" and not path.startswith("/hooks/"):
            way = WAYS.get((method, path), Way())
            for origin in ("https://evil.example", "null", ""):
                for who in ("owner", "host", "anonymous"):
                    answer = way.go(world, stage, who, method, path, origin=origin)
                    assert answer.status_code == 403, (path, origin, who)
                    assert "only be done from our pages" in answer.text
    assert contents(world) == before


def test_reading_changes_nothing(world: World) -> None:
    stage = world.stage()
    before = contents(world)
    for method, path in TABLE:
        if method == "GET":
            for who in STANDINGS:
                WAYS.get((method, path), Way()).go(world, stage, who, method, path)
    assert contents(world) == before


# What reading may change: whom a host sees at the door, when something was used last, that a file
# was saved. The columns are written by the server's own rounds, and when a token was used.
NOTED = {"participants", "logins", "space_events", "discarded_recordings", "discarded_tracks"}
ROUNDS = "to_jsonb(t) - ARRAY['polled_at', 'call_open', 'used_at', 'tried_at']"


def contents(world: World) -> dict[str, str | None]:
    """Return a digest of every table but those that note who looked."""
    names = chain(
        *world.tables("SELECT tablename FROM pg_tables WHERE schemaname = 'sessions' ORDER BY 1")
    )
    return {
        name: world.tables.one(
            f"SELECT md5(string_agg(row, '\n' ORDER BY row)) FROM {name} t,"
            f" CAST({ROUNDS} AS text) AS row"
        )
        for name in names
        if name not in NOTED
    }


# What people paste and attackers send: it reorders or hides other text, or PostgreSQL refuses it.
HOSTILE = "a\u202eb\u2066c\u200bd\x00e\x1b[31mf\u2028g\ufeffh"


def test_no_form_takes_hostile_text(world: World) -> None:
    """Every field of every form with text that isn't one: nothing fails, nothing of it is kept."""
    for (method, path), way in WAYS.items():
        if method == "POST" and way.form:
            hostile = replace(way, form=dict.fromkeys(way.form, HOSTILE))
            answer = hostile.go(world, world.stage(), typist(path), method, path)
            assert answer.status_code in (*TABLE[method, path], 409, 422), (
                path,
                answer.status_code,
            )
            assert kept(world) == [], path


def test_no_form_takes_more_than_it_should(world: World) -> None:
    stage = world.stage()
    before = contents(world)
    for (method, path), way in WAYS.items():
        if method == "POST" and way.form:
            for form, status in ((dict.fromkeys(way.form, "x" * 1_000_000), 413), (MANY, 400)):
                answer = replace(way, form=form).go(world, stage, typist(path), method, path)
                assert answer.status_code == status, (path, answer.status_code)
    assert contents(world) == before


def typist(path: str) -> str:
    """Return who may fill in a form."""
    if path.startswith("/admin"):
        return "administrator"
    if path.startswith("/uploads"):
        return "member"
    return "anonymous" if path.endswith("/guest") else "owner"


MANY = {f"field{number}": "" for number in range(200)}
COLUMNS = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = 'sessions' AND data_type = 'text'"""


def kept(world: World) -> list[str]:
    """Return what is in the database of text that reorders, hides or controls."""
    return [
        f"{table}.{column}"
        for table, column in world.tables(COLUMNS)
        for (text,) in world.tables(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL")
        if any(unicodedata.category(one)[0] == "C" and one != "\n" for one in text)
    ]
