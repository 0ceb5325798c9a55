"""Logins end: without use, by their age, and when one person has too many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.store.keys import digest_of
from core.store.people import LOGIN_DAYS, MAX_LOGINS
from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.sign_in import carry, is_signed_in
from tests.support.tables import Tables
from tests.support.visitors import kept_by

IDLE_DAYS = 3


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer) -> AppServer:
    return make_server_in(LOGIN_IDLE_DAYS=str(IDLE_DAYS))


@pytest.fixture(scope="module")
def tables(place: AppServer) -> Tables:
    return Tables(place.database_url)


@pytest.fixture
def ada(place: AppServer) -> Browser:
    browser = Browser(place.url)
    browser.sign_in("Ada Lovelace")
    return browser


def column(tables: Tables, browser: Browser, name: str) -> datetime:
    digest = digest_of(kept_by(browser)["login"])
    found: datetime = tables.one(f"SELECT {name} FROM logins WHERE key_digest = $1", digest)
    return found


def put(tables: Tables, browser: Browser, name: str, moment: datetime) -> None:
    digest = digest_of(kept_by(browser)["login"])
    tables(f"UPDATE logins SET {name} = $1 WHERE key_digest = $2", moment, digest)


def test_use_puts_the_end_off_and_writes_once_an_hour(ada: Browser, tables: Tables) -> None:
    now = datetime.now(UTC)
    first = column(tables, ada, "idle_at")
    assert abs(first - now - timedelta(days=IDLE_DAYS)) < timedelta(minutes=5)
    slug = ada.start_session()
    for path in ("/", f"/s/{slug}"):
        assert ada.http.get(path).status_code == 200
    assert column(tables, ada, "idle_at") == first, "used within the hour: nothing is written"
    for path in ("/", f"/s/{slug}"):
        put(tables, ada, "idle_at", now + timedelta(minutes=10))
        assert ada.http.get(path).status_code == 200
        assert column(tables, ada, "idle_at") >= first
    # What an older release or a longer setting gave is brought to today's at the next use.
    put(tables, ada, "idle_at", now + timedelta(days=14))
    assert is_signed_in(ada)
    assert column(tables, ada, "idle_at") < now + timedelta(days=IDLE_DAYS + 1)


@pytest.mark.parametrize("name", ["idle_at", "expires_at"])
def test_a_login_without_use_or_too_old_is_none(
    ada: Browser, place: AppServer, tables: Tables, name: str
) -> None:
    thief = Browser(place.url)
    carry(thief, ada.http.cookies["sessions_login"])
    slug = ada.start_session()
    put(tables, ada, name, datetime.now(UTC) - timedelta(seconds=1))
    for one in (ada, thief):
        assert not is_signed_in(one)
        assert one.http.post(f"/s/{slug}/join").status_code == 401
        assert one.host(slug, "mute-all") == (401, "signed_out")
    assert not is_signed_in(ada), "having asked brings it not back"


def test_use_does_not_put_off_the_end_of_its_days(ada: Browser, tables: Tables) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    put(tables, ada, "expires_at", soon)
    assert is_signed_in(ada)
    assert column(tables, ada, "expires_at") == soon


def test_one_person_has_a_bounded_number_of_logins(place: AppServer, tables: Tables) -> None:
    oldest, second, other = (Browser(place.url) for _ in range(3))
    other.sign_in("Mary Shelley")
    for one in (oldest, second):
        one.sign_in("Grace Hopper")
    now = datetime.now(UTC)
    put(tables, oldest, "idle_at", now + timedelta(days=1))
    tables(
        "INSERT INTO logins (key_digest, user_id, expires_at, idle_at)"
        " SELECT sha256(CAST(CAST(n AS text) AS bytea)), u.id, $1, $1"
        " FROM users u, generate_series(1, $2) n WHERE u.name = 'Grace Hopper'",
        now + timedelta(days=LOGIN_DAYS),
        MAX_LOGINS - 2,
    )
    newest = Browser(place.url)
    newest.sign_in("Grace Hopper")
    mine = (
        "SELECT count(*) FROM logins l JOIN users u ON u.id = l.user_id"
        " WHERE u.name = 'Grace Hopper'"
    )
    assert tables.one(mine) == MAX_LOGINS
    assert not is_signed_in(oldest), "the one that was used least lately"
    assert all(is_signed_in(one) for one in (second, newest, other))
