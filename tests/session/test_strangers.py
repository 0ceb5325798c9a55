"""Whoever has the link: what their names and knocks can fill, and whom they can't lock out."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from core.access.door import MAX_PARTICIPANTS
from core.database import Database
from core.model import Participant
from core.rate_limit import TooManyRequestsError
from core.room.knocks import (
    KNOCK_TIMEOUT_S,
    MAX_KNOCKS,
    MAX_KNOCKS_OF_ADDRESS,
    Knocks,
    TooManyKnocksError,
)
from core.services import RateLimits
from core.store import participants
from core.store.participants import MAX_STRANGERS
from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.hosting import waiting
from tests.support.http import Browser
from tests.support.meetings import JSON, sql
from tests.support.visitors import Visitor
from tests.support.waiting import wait_until

_addresses = itertools.count(1)


def somebody(site: AppServer) -> Visitor:
    """A browser at an address of its own, as a proxy tells it."""
    number = next(_addresses)
    return Browser(site.url, **{"X-Forwarded-For": f"10.0.{number >> 8}.{number & 255}"})


def signed_in(site: AppServer, name: str = "Ada Lovelace") -> Visitor:
    return Browser(site.url).sign_in(name)


def rows(database: str, slug: str) -> list[str]:
    """The names of all who were noted in a session."""
    found = sql(
        database,
        "SELECT p.name FROM participants p JOIN sessions s ON s.id = p.session_id"
        " WHERE s.slug = $1 ORDER BY p.created_at",
        slug,
    )
    return [row["name"] for row in found]


def add_strangers(database: str, slug: str, number: int, **columns: str) -> None:
    """Add people to a session behind the server's back; `columns` are SQL."""
    names = "".join(f", {name}" for name in columns)
    values = "".join(f", {value}" for value in columns.values())
    sql(
        database,
        f"INSERT INTO participants (identity, session_id, name, hue, role{names})"
        " SELECT 'p_' || md5(random()::text || n), s.id, 'Nobody ' || n, 3, 'GUEST'"
        f"{values} FROM sessions s, generate_series(1, $2) n WHERE s.slug = $1",
        slug,
        number,
    )


def make_member(database: str, slug: str, name: str) -> None:
    sql(
        database,
        "INSERT INTO members (space_id, user_id, role) SELECT s.space_id, u.id, 'MEMBER'"
        " FROM sessions s, users u WHERE s.slug = $1 AND u.name = $2 ON CONFLICT DO NOTHING",
        slug,
        name,
    )


# Closed doors


@pytest.mark.parametrize(
    ("form", "code", "sentence"),
    [
        ({"locked": "on"}, "locked", "This session is locked: nobody new"),
        ({"admission": "MEMBERS"}, "members_only", "This session takes no new guests"),
    ],
)
def test_a_closed_door_notes_nobody(
    site: AppServer, database: str, form: dict[str, str], code: str, sentence: str
) -> None:
    ada = signed_in(site)
    slug = ada.start_session("Secret title", "ANYONE")
    early = somebody(site).be_guest(slug, "Early")
    assert ada.host(slug, "settings", **form) == (204, "")
    before = rows(database, slug)

    for who in (somebody(site), early):
        told = who.http.post(f"/s/{slug}/guest", data={"name": "Mallory"})
        assert told.status_code == 403
        assert sentence in told.text
        assert "Secret title" not in told.text
        assert "Your name" not in told.text
        assert f'href="/s/{slug}">Try again</a>' in told.text
        data = who.http.post(f"/s/{slug}/guest", data={"name": "Mallory"}, headers=JSON)
        assert (data.status_code, data.json()["error"]["code"]) == (403, code)

    stranger = signed_in(site, "Mary Shelley")
    page = stranger.http.get(f"/s/{slug}")
    assert page.status_code == 200
    assert sentence in page.text
    assert stranger.knock(slug)[0] == 403
    assert rows(database, slug) == before

    assert ada.host(slug, "settings", locked="off", admission="ANYONE") == (204, "")
    assert early.knock(slug)[0] == 200, "who was noted before isn't forgotten"
    assert stranger.knock(slug)[0] == 200


def test_the_gate_of_a_session_that_ended_notes_nobody(site: AppServer, database: str) -> None:
    ada = signed_in(site)
    slug = ada.start_session()
    ada.end(slug)
    answer = somebody(site).http.post(f"/s/{slug}/guest", data={"name": "Bob"}, headers=JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ended")
    assert "Bob" not in rows(database, slug)


# Full


def test_a_full_session_is_full_for_strangers_alone(site: AppServer, database: str) -> None:
    ada = signed_in(site)
    slug = ada.start_session("Engines", "ANYONE")
    inside, host_too, named = (somebody(site).be_guest(slug, name) for name in ("In", "Host", "N"))
    for one in (inside, host_too):
        one.join(slug)
    who = "WHERE name = 'Host' AND session_id = (SELECT id FROM sessions WHERE slug = $1)"
    sql(database, f"UPDATE participants SET role = 'HOST' {who}", slug)
    add_strangers(database, slug, MAX_PARTICIPANTS, joined_at="now()", left_at="now()")

    for stranger in (named, signed_in(site, "Mary Shelley")):
        status, answer = stranger.knock(slug)
        assert (status, answer["error"]["code"]) == (403, "full")
    unnamed = somebody(site).http.post(f"/s/{slug}/guest", data={"name": "Late"}, headers=JSON)
    assert (unnamed.status_code, unnamed.json()["error"]["code"]) == (403, "full")
    assert "Late" not in rows(database, slug)

    grace = signed_in(site, "Grace Hopper")
    make_member(database, slug, "Grace Hopper")
    for welcome in (ada, grace, inside, host_too):
        assert welcome.http.get(f"/s/{slug}").status_code == 200
        assert welcome.join(slug)["transcription"]["token"]

    everybody = "WHERE session_id = (SELECT id FROM sessions WHERE slug = $1)"
    first = f"SELECT min(identity) FROM participants {everybody} AND name LIKE 'Nobody%'"
    sql(database, f"UPDATE participants SET state = 'REMOVED' WHERE identity = ({first})", slug)
    assert named.knock(slug)[0] == 200, "whoever was removed takes no place"


def test_names_of_who_never_came_fill_nothing(site: AppServer, database: str) -> None:
    ada = signed_in(site)
    slug = ada.start_session("Engines", "KNOCK")
    waits, answered = (somebody(site).be_guest(slug, name) for name in ("Waits", "Answered"))
    assert answered.knock(slug)[0] == 202
    assert ada.host(slug, "admit-all") == (204, "")
    first = "UPDATE participants SET created_at = created_at - interval '3 h', page_seen_at = {}"
    for name, seen in (("Waits", "now()"), ("Answered", "NULL")):
        sql(database, first.format(seen) + f" WHERE name = '{name}'")
    add_strangers(database, slug, 1, created_at="now() - interval '2 h'")
    add_strangers(database, slug, MAX_STRANGERS - 2, created_at="now() - interval '1 h'")

    last = somebody(site).be_guest(slug, "Last")
    assert len(rows(database, slug)) == MAX_STRANGERS + 1, "and one whom a host has answered"
    assert last.knock(slug)[0] == 202
    somebody(site).be_guest(slug, "One more")
    noted = rows(database, slug)
    assert len(noted) == MAX_STRANGERS + 1
    assert {"Waits", "Answered", "Last", "One more"} <= set(noted), "the oldest is forgotten"
    assert answered.join(slug)
    assert waits.knock(slug)[0] == 202
    assert ada.join(slug)


# Names that are old


async def note_knock(url: str, identity: str) -> None:
    db = Database(url)
    await db.connect()
    await participants.still_knocking(db, [identity], datetime.now(UTC))
    await db.disconnect()


def test_names_are_forgotten_after_a_day_without_a_knock(
    make_server: MakeServer, make_database: Callable[[], str]
) -> None:
    url = make_database()
    first = make_server(DATABASE_URL=url)
    ada = signed_in(first)
    slug = ada.start_session("Engines", "KNOCK")
    for name in ("Old", "Knocks", "Came", "Denied", "New"):
        somebody(first).be_guest(slug, name)
    first.stop()
    day = "created_at = now() - interval '25 h'"
    sql(url, f"UPDATE participants SET {day} WHERE name <> 'New'")
    sql(url, "UPDATE participants SET joined_at = now(), left_at = now() WHERE name = 'Came'")
    denied = "UPDATE participants SET state = 'DENIED', decided_at = now() WHERE name = 'Denied'"
    sql(url, denied)
    (row,) = sql(url, "SELECT identity FROM participants WHERE name = 'Knocks'")
    asyncio.run(note_knock(url, row["identity"]))

    make_server(DATABASE_URL=url)  # a start forgets at once, then every minute
    wait_until(lambda: "Old" not in rows(url, slug))
    assert sorted(rows(url, slug)) == ["Came", "Denied", "Knocks", "New"]


def test_an_address_gives_so_many_names_an_hour() -> None:
    limiter, now = RateLimits().guest_hourly, 1000.0
    for _ in range(300):
        limiter.check("192.0.2.7", now)
    with pytest.raises(TooManyRequestsError) as refused:
        limiter.check("192.0.2.7", now)
    limiter.check("192.0.2.8", now)
    limiter.check("192.0.2.7", now + refused.value.retry_after)
    with pytest.raises(TooManyRequestsError):
        limiter.check("192.0.2.7", now + refused.value.retry_after)


# Knocks


@pytest.fixture(scope="module")
def small(make_server_in: MakeServer) -> AppServer:
    """Sessions where an address may do a tenth of what it usually may: two may knock there."""
    return make_server_in(RATE_LIMIT_FACTOR="0.1")


async def test_one_address_can_not_fill_the_list_of_knocks(small: AppServer) -> None:
    ada = signed_in(small)
    slug = ada.start_session("Engines", "KNOCK")
    crowd = [somebody(small).be_guest(slug, f"Nobody {number}") for number in range(3)]
    bob = somebody(small).be_guest(slug, "Bob")
    for one in crowd:
        one.http.headers["X-Forwarded-For"] = "192.0.2.7"

    def knocks() -> list[int]:
        return [one.knock(slug)[0] for one in crowd]

    async with ada.page(slug) as page:
        assert await asyncio.to_thread(knocks) == [202, 202, 429]
        answer = await asyncio.to_thread(crowd[2].http.post, f"/s/{slug}/join", headers=JSON)
        assert answer.json()["error"]["code"] == "too_many_knocks"
        assert "A host sees the first of them." in answer.json()["error"]["message"]
        assert int(answer.headers["retry-after"]) > 0
        assert (await asyncio.to_thread(bob.knock, slug))[0] == 202
        await page.until(lambda: page.of_type("people") and "Bob" in waiting(page))
        assert waiting(page) == ["Nobody 0", "Nobody 1", "Bob"]
        assert "audit limited why=too_many_knocks address=192.0.2.7" in small.log
        assert await asyncio.to_thread(ada.host, slug, "admit-all") == (204, "")
        assert (await asyncio.to_thread(crowd[2].knock, slug))[0] == 202, "there is room again"


def knock(knocks: Knocks, number: int, address: str) -> bool:
    one = Participant(f"p_{address}_{number}", "s", "Bob", 3, "GUEST", "WAITING")
    try:
        return knocks.knock("s", one, address)
    except TooManyKnocksError:
        return False


def test_a_full_list_of_knocks_has_room_for_other_addresses() -> None:
    knocks = Knocks()
    each = MAX_KNOCKS_OF_ADDRESS
    for address in "abcde":
        assert [knock(knocks, number, address) for number in range(each)] == [True] * each
    assert len(knocks.of("s")) == MAX_KNOCKS
    assert knock(knocks, 0, "f")
    shown = [one.identity for one in knocks.of("s")]
    assert len(shown) == MAX_KNOCKS
    assert "p_f_0" in shown
    assert "p_a_0" in shown, "who came first stays"
    assert f"p_a_{each - 1}" not in shown
    # Each address gets as many as the others have, and none more than that.
    got = sum(knock(knocks, number, "f") for number in range(1, each))
    assert 14 <= got + 1 <= 17
    assert len(knocks.of("s")) == MAX_KNOCKS
    knocks.tick(time.monotonic() + KNOCK_TIMEOUT_S + 1)
    assert knock(knocks, 0, "a")


def test_a_factor_lets_more_of_one_address_knock() -> None:
    wide, narrow = Knocks(100.0), Knocks(0.01)
    assert all(knock(wide, number, "a") for number in range(MAX_KNOCKS))
    assert not knock(wide, MAX_KNOCKS, "a")
    assert knock(narrow, 0, "a")
    assert not knock(narrow, 1, "a")
