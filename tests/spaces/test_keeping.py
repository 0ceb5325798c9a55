"""How long words are kept: what owners choose, what goes by itself, and what is spared."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from core.database import Database
from core.store import retention
from core.store.retention import AT_ONCE, MOST_DAYS
from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.tables import Tables
from tests.support.visitors import Visitor
from tests.support.waiting import wait_until

HTML = {"Accept": "text/html"}
SPEAK = """
    WITH said AS (
        INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s, end_s)
        SELECT p.session_id, 's', '1', 1, p.identity, 'ferries', 1, 2 FROM participants p
        JOIN sessions s ON s.id = p.session_id WHERE s.slug = $1
        RETURNING session_id, identity
    ), corrected AS (
        INSERT INTO speakers (session_id, speaker, name, hue)
        SELECT session_id, identity, 'Ada L.', 1 FROM said
    ), log AS (
        INSERT INTO corrections (session_id, name, kind, before, after)
        SELECT session_id, 'Ada', 'RENAME', '{"name": "Ada"}', '{"name": "Ada L."}' FROM said
    ), translated AS (
        INSERT INTO translations (session_id, stream, utterance, language, identity, text)
        SELECT session_id, 's', '1', 'de', identity, 'Fähren' FROM said
    ), chat AS (
        INSERT INTO chat_messages (session_id, id, identity, text, sent_at)
        SELECT session_id, 1, identity, 'harbours', now() FROM said
    ), sound AS (
        INSERT INTO recordings (id, session_id, identity, client, first_sample, samples, start_s,
            bytes, place, created_at, expires_at)
        SELECT gen_random_uuid(), session_id, identity, 'page', 0, 16000, 0, 100, 'disk', now(),
            now() + interval '100 days' FROM said
    )
    INSERT INTO analyses (session_id, summary) SELECT session_id, 'routes' FROM said"""
CORRECT = """
    INSERT INTO corrected_lines (session_id, seq, part, revision, text, start_s, end_s, speaker)
    SELECT session_id, seq, 0, 1, 'boats', 1, 2, identity FROM utterances u
    JOIN sessions s ON s.id = u.session_id WHERE s.slug = $1"""
WITH_WORDS = (
    "utterances",
    "translations",
    "corrected_lines",
    "speakers",
    "corrections",
    "chat_messages",
    "recordings",
    "analyses",
)


@pytest.fixture(scope="module")
def database(make_database: Callable[[], str]) -> str:
    return make_database()


@pytest.fixture(scope="module")
def server(make_server_in: MakeServer, database: str) -> AppServer:
    return make_server_in(DATABASE_URL=database)


@pytest.fixture(scope="module")
def tables(server: AppServer, database: str) -> Tables:
    return Tables(database)


def meet(host: Visitor, tables: Tables, *, days_ago: float) -> str:
    """Hold a session in which something was said, so long ago, and return its slug."""
    slug = host.start_session("Ferries")
    host.join(slug)
    tables(SPEAK, slug)
    tables(CORRECT, slug)
    host.end(slug)
    tables(
        "UPDATE sessions SET ended_at = now() - make_interval(secs => $2::float8 * 86400)"
        " WHERE slug = $1",
        slug,
        days_ago,
    )
    return slug


def left(tables: Tables, slug: str) -> list[str]:
    """Return which tables have something of what was said in a session."""
    return [
        table
        for table in WITH_WORDS
        if tables(
            f"SELECT FROM {table} t JOIN sessions s ON s.id = t.session_id WHERE s.slug = $1", slug
        )
    ]


def space_of(tables: Tables, slug: str) -> str:
    return str(tables.one("SELECT space_id FROM sessions WHERE slug = $1", slug))


def go(database: str) -> int:
    """Have what is due deleted, as a process does it again and again; return of how many."""

    async def work() -> int:
        db = Database(database)
        await db.connect()
        many = 0
        while some := await retention.delete_old(db, datetime.now(UTC)):
            assert some <= AT_ONCE
            many += some
        await db.disconnect()
        return many

    return asyncio.run(work())


def test_an_owner_chooses_and_what_is_older_goes(
    server: AppServer, tables: Tables, database: str
) -> None:
    ada = Browser(server.url).sign_in("Ada Lovelace")
    old, protected, new = (meet(ada, tables, days_ago=days) for days in (31, 31, 29))
    path = f"/spaces/{space_of(tables, old)}/keeping"
    assert "is kept until somebody deletes the session" in ada.http.get(path).text
    assert "Keep it for good" not in ada.http.get(f"/s/{protected}").text  # nothing goes yet
    assert ada.http.post(f"/s/{protected}/protect", data={"protected": "on"}).status_code == 204

    # What would go at once is said first; nothing is chosen before.
    asked = ada.http.post(path, data={"days": "30", "was": ""}, headers=HTML)
    assert asked.status_code == 422
    assert "The words of 1 session are older than that" in asked.text
    assert 'name="sure" value="1"' in asked.text
    wrong = ada.http.post(path, data={"days": "30", "was": "", "sure": "2"})
    assert wrong.status_code == 422
    assert go(database) == 0
    sure = {"days": "30", "was": "", "sure": "1"}
    assert ada.http.post(path, data=sure, headers=HTML).status_code == 303
    assert "deleted for good 30 days after its end" in ada.http.get(path).text
    assert "This space deletes what was said here" in ada.http.get(f"/s/{new}").text

    assert go(database) == 1
    assert left(tables, old) == []
    assert left(tables, protected) == list(WITH_WORDS)
    assert left(tables, new) == list(WITH_WORDS)
    html = ada.http.get(f"/s/{old}").text
    assert "What was said in this session was deleted" in html
    assert not re.search("ferries|boats|harbours|routes", html)
    assert ada.http.get(f"/s/{old}/transcript.txt").status_code == 200
    assert "What was said here is kept however old it is." in ada.http.get(f"/s/{protected}").text

    # Unprotected, it goes as well.
    assert ada.http.post(f"/s/{protected}/protect").status_code == 204
    assert go(database) == 1
    assert left(tables, protected) == []
    log = ada.http.get(path.replace("keeping", "events")).text
    for words in ("kept for 30 days", "kept however old it is", "go when it is old"):
        assert words in log


def test_the_server_does_it_by_itself(
    make_server: MakeServer, make_database: Callable[[], str]
) -> None:
    database = make_database()
    first = make_server(DATABASE_URL=database)
    tables = Tables(database)
    ada = Browser(first.url).sign_in("Ada Lovelace")
    slugs = [meet(ada, tables, days_ago=2) for _ in range(AT_ONCE + 2)]
    tables("UPDATE spaces SET text_days = 1")
    make_server(DATABASE_URL=database)  # which looks when it starts
    wait_until(lambda: not any(left(tables, slug) for slug in slugs))


def test_two_processes_delete_each_session_once(
    server: AppServer, tables: Tables, database: str
) -> None:
    eve = Browser(server.url).sign_in("Eve")
    slugs = [meet(eve, tables, days_ago=3) for _ in range(2 * AT_ONCE)]
    tables("UPDATE spaces SET text_days = 2 WHERE id = $1", space_of(tables, slugs[0]))

    async def both() -> list[int]:
        one, other = Database(database), Database(database)
        await asyncio.gather(one.connect(), other.connect())
        now = datetime.now(UTC)
        many = await asyncio.gather(
            *(retention.delete_old(db, now) for db in (one, other, one, other))
        )
        await asyncio.gather(one.disconnect(), other.disconnect())
        return many

    many = asyncio.run(both())
    assert sum(many) + go(database) == len(slugs)


@pytest.mark.parametrize(
    "days", ["0", "-1", "1.5", "x", str(MOST_DAYS + 1), "٣", "1" * 50, "1\x00"]
)
def test_what_is_no_number_of_days_is_refused(server: AppServer, tables: Tables, days: str) -> None:
    bo = Browser(server.url).sign_in("Bo")
    path = f"/spaces/{space_of(tables, bo.start_session())}/keeping"
    answer = bo.http.post(path, data={"days": days, "was": ""}, headers=HTML)
    assert answer.status_code == 422
    assert "Type a whole number of days" in answer.text
    assert (
        tables.one("SELECT text_days FROM spaces WHERE id = $1::uuid", path.split("/")[2]) is None
    )


def test_of_two_who_choose_the_second_sees_the_first(server: AppServer, tables: Tables) -> None:
    cy = Browser(server.url).sign_in("Cy")
    path = f"/spaces/{space_of(tables, cy.start_session())}/keeping"
    assert cy.http.post(path, data={"days": "90", "was": ""}).status_code == 204
    late = cy.http.post(path, data={"days": "30", "was": ""}, headers=HTML)
    assert late.status_code == 409
    assert "Somebody else has chosen something else meanwhile" in late.text
    assert 'name="days" value="90"' in late.text
    assert cy.http.post(path, data={"days": "", "was": "90"}).status_code == 204
    assert cy.http.post(path, data={"days": " 7 ", "was": ""}).status_code == 204


def test_only_who_may_delete_a_session_protects_it(server: AppServer, tables: Tables) -> None:
    ada = Browser(server.url).sign_in("Ada Lovelace")
    slug = meet(ada, tables, days_ago=1)
    tables("UPDATE spaces SET text_days = 100 WHERE id = $1::uuid", space_of(tables, slug))
    mel = Browser(server.url).sign_in("Mel")
    tables(
        "INSERT INTO members (space_id, user_id, role)"
        " SELECT $1::uuid, id, 'MEMBER' FROM users WHERE name = 'Mel'",
        space_of(tables, slug),
    )
    assert "This space deletes what was said here" in mel.http.get(f"/s/{slug}").text
    assert "Keep it for good" not in mel.http.get(f"/s/{slug}").text
    assert mel.http.post(f"/s/{slug}/protect", data={"protected": "on"}).status_code == 404
    assert "Keep it for good" in ada.http.get(f"/s/{slug}").text
    live = ada.start_session()
    assert ada.http.post(f"/s/{live}/protect", data={"protected": "on"}).status_code == 409
