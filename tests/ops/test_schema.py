"""schema.sql: an older release's database has the shape of a new one, and its rows are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.tables import Tables
from tests.support.visitors import Visitor

FIRST = "first-schema.sql"
CHAT = "first-chat-schema.sql"
OVER, GOES_ON = "over-over-over-over", "goes-goes-goes-goes"  # slugs in the first one

# What PostgreSQL knows of our tables. The order of columns is left out: nothing here depends on
# it, and a column that comes later can't be put between others.
COLUMNS = """
    SELECT table_name, column_name, data_type, udt_name, is_nullable, column_default,
        character_maximum_length, numeric_precision, datetime_precision, collation_name,
        is_identity, is_generated
    FROM information_schema.columns WHERE table_schema = 'sessions'
"""
CONSTRAINTS = """
    SELECT relname, conname, contype, convalidated, condeferrable, pg_get_constraintdef(k.oid)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE connamespace = 'sessions'::regnamespace
"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'sessions'"
OTHERS = """
    SELECT relname, relkind, relpersistence, relrowsecurity FROM pg_class
    WHERE relnamespace = 'sessions'::regnamespace
    UNION ALL SELECT tgname, 't', tgenabled, false FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT proname, prokind, 'p', false FROM pg_proc
        WHERE pronamespace = 'sessions'::regnamespace
"""


def catalog(url: str) -> dict[str, list[str]]:
    """Return all that is to be known of a database's tables."""
    tables = Tables(url)
    questions = {
        "columns": COLUMNS,
        "constraints": CONSTRAINTS,
        "indexes": INDEXES,
        "others": OTHERS,
    }
    return {
        what: sorted(str(tuple(row.values())) for row in tables(sql))
        for what, sql in questions.items()
    }


@pytest.fixture(scope="module", params=[(FIRST,), (FIRST, CHAT)], ids=["first", "first-chat"])
def releases(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Which older release it is: the files that make its database, one after the other."""
    files: tuple[str, ...] = request.param
    return files


@pytest.fixture(scope="module")
def upgraded(
    releases: tuple[str, ...], make_database: Callable[[], str], make_server_in: MakeServer
) -> AppServer:
    """Sessions on a database of that release, and on what was in it."""
    url = make_database()
    for name in releases:
        Tables(url).script((Path(__file__).parent / name).read_text())
    return make_server_in(DATABASE_URL=url)


@pytest.fixture(scope="module")
def ada(upgraded: AppServer) -> Visitor:
    """Who was there in the older release."""
    return Visitor(upgraded.url).sign_in("Ada Lovelace")


def test_its_catalog_is_that_of_a_fresh_database(upgraded: AppServer, server: AppServer) -> None:
    old, new = catalog(upgraded.database_url), catalog(server.database_url)
    assert all(len(new[what]) > 10 for what in ("columns", "constraints", "indexes", "others"))
    assert old == new


def test_who_was_there_is_who_they_were_and_finds_their_sessions(
    upgraded: AppServer, ada: Visitor
) -> None:
    home = ada.http.get("/").text
    assert "The first session" in home
    assert "The one that goes on" in home
    assert Tables(upgraded.database_url).one("SELECT count(*) FROM users") == 1


def test_its_transcripts_are_read(ada: Visitor, releases: tuple[str, ...]) -> None:
    page = ada.http.get(f"/s/{OVER}")
    assert page.status_code == 200
    for said in ("The first session", "5 min", "Good morning.", "Is it on?", "Bob", "0:30"):
        assert said in page.text, said
    assert ("I hear nothing" in page.text) == (CHAT in releases)
    so_far = ada.http.get(f"/s/{GOES_ON}/transcript")
    assert so_far.status_code == 200
    assert "I begin." in so_far.text
    assert ("Nobody here?" in so_far.text) == (CHAT in releases)


def test_its_transcripts_are_saved_as_files(ada: Visitor, releases: tuple[str, ...]) -> None:
    chat = "[00:02:00] Bob (chat): I hear nothing\n" if CHAT in releases else ""
    assert ada.http.get(f"/s/{OVER}/transcript.txt").text == (
        "The first session\n2026-11-22 10:00 UTC\n\n"
        f"[00:00:01] Ada Lovelace: Good morning.\n[00:01:01] Bob: Is it on?\n{chat}"
    )
    vtt = ada.http.get(f"/s/{OVER}/transcript.vtt").text
    assert "00:01:01.500 --> 00:01:03.000\n<v Bob>Is it on?</v>" in vtt


def test_somebody_else_reads_nothing_of_it(upgraded: AppServer) -> None:
    eve = Visitor(upgraded.url).sign_in("Eve")
    assert eve.http.get(f"/s/{OVER}").status_code == 403
    assert eve.http.get(f"/s/{OVER}/transcript.txt").status_code == 403


async def test_a_session_that_goes_on_goes_on(ada: Visitor, releases: tuple[str, ...]) -> None:
    assert ada.http.get(f"/s/{GOES_ON}").status_code == 200
    async with ada.page(GOES_ON) as page:
        await page.until(lambda: page.of_type("utterance"))
        assert [one["text"] for one in page.of_type("utterance")] == ["I begin."]
        await page.send({"type": "chat", "text": "Here I am."})
        await page.until(lambda: any(one["text"] == "Here I am." for one in page.of_type("chat")))
        before = 1 if CHAT in releases else 0
        assert [one["id"] for one in page.of_type("chat")] == list(range(1, before + 2))
