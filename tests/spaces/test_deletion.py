"""Deleting sessions and spaces: what goes, for whom it goes, and who may not."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from uuid import UUID

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from tests.conftest import MakeServer
from tests.spaces.conftest import Place
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.meetings import JSON, come_and_go
from tests.support.speech_samples import beckett
from tests.support.tables import Tables
from tests.support.visitors import Visitor

KEEP = """
    INSERT INTO recordings (id, session_id, identity, client, first_sample, samples, start_s,
        bytes, place, created_at, expires_at)
    SELECT gen_random_uuid(), session_id, identity, 'c', 0, 16000 * 65, 0, 1, '', now(),
        now() + interval '1 day'
    FROM participants p JOIN sessions s ON s.id = session_id WHERE slug = $1 LIMIT 1
"""
LEFT = """
    SELECT (SELECT count(*) FROM sessions WHERE id = $1)
        + (SELECT count(*) FROM participants WHERE session_id = $1)
        + (SELECT count(*) FROM utterances WHERE session_id = $1)
        + (SELECT count(*) FROM streams WHERE session_id = $1)
        + (SELECT count(*) FROM rooms WHERE session_id = $1)
"""


def ended(visitor: Visitor, title: str) -> str:
    """Start a session, be there, and end it."""
    slug = visitor.start_session(title)
    come_and_go(visitor, slug=slug)
    visitor.end(slug)
    return slug


@pytest.fixture(scope="module")
def many(make_server_in: MakeServer, make_database: Callable[[], str]) -> tuple[AppServer, Tables]:
    """A server on which nothing is counted by the minute."""
    database = make_database()
    server = make_server_in(DATABASE_URL=database, RATE_LIMIT_FACTOR="100")
    return server, Tables(database)


def test_only_who_started_a_session_and_owners_delete_it(place: Place) -> None:
    owner, member = place.people["owner"], place.people["member"]
    by_owner = owner.start_session("By the owner")
    started = member.http.post("/sessions", data={"space": place.space, "title": "By the member"})
    by_member = started.headers["location"].removeprefix("/s/")
    guest = Browser(place.server.url).be_guest(by_owner, "Guest")
    for who, status in (
        (Browser(place.server.url), 401),
        (guest, 404),
        (place.people["other"], 404),
        (place.people["administrator"], 404),
        (member, 404),
    ):
        for method in ("GET", "POST"):
            answer = who.http.request(method, f"/s/{by_owner}/delete", headers=JSON)
            assert answer.status_code == status
    assert owner.http.get(f"/s/{by_owner}/delete").status_code == 200
    assert owner.http.get(f"/s/{by_owner}").status_code == 200, "to ask deletes nothing"
    assert "By the owner" in owner.http.get(f"/s/{by_owner}/delete").text

    # Who started it and isn't a member any more may not.
    place.tables("DELETE FROM members WHERE user_id = $1", place.user("Member"))
    assert member.http.post(f"/s/{by_member}/delete", headers=JSON).status_code == 404
    place.tables(
        "INSERT INTO members (space_id, user_id, role) VALUES ($1, $2, 'MEMBER')",
        UUID(place.space),
        place.user("Member"),
    )
    assert member.http.post(f"/s/{by_member}/delete", headers=JSON).status_code == 204
    deleted = owner.http.post(f"/s/{by_owner}/delete", headers={"Accept": "text/html"})
    assert (deleted.status_code, deleted.headers["location"]) == (303, "/")
    for who in (owner, member, guest, Browser(place.server.url)):
        assert who.http.get(f"/s/{by_owner}", headers=JSON).status_code == 404
        assert by_owner not in who.http.get("/").text
    log = owner.http.get(f"/spaces/{place.space}/events").text
    assert "By the member" in log
    assert "By the owner" in log


def test_of_many_a_member_deletes_their_own_alone(place: Place) -> None:
    owner, member = place.people["owner"], place.people["member"]
    slugs = [ended(owner, "The owner’s")]
    started = member.http.post("/sessions", data={"space": place.space, "title": "The member’s"})
    slugs.append(started.headers["location"].removeprefix("/s/"))
    come_and_go(member, slug=slugs[1])
    member.end(slugs[1])
    asked = member.http.get("/sessions/delete", params={"session": slugs}).text
    assert "The member’s" in asked
    assert "The owner’s" not in asked
    form = {"sessions": ",".join(slugs), "number": "1"}
    refused = member.http.post("/sessions/delete", data=form, headers=JSON)
    assert refused.status_code == 409, "all of them or none"
    assert [owner.http.get(f"/s/{slug}").status_code for slug in slugs] == [200] * 2
    form = {"sessions": ",".join(slugs), "number": "2"}
    assert owner.http.post("/sessions/delete", data=form, headers=JSON).status_code == 204


def test_the_next_meeting_of_a_room_goes_with_the_room_alone(place: Place) -> None:
    owner = place.people["owner"]
    form = {"title": "Standing"}
    made = owner.http.post(f"/spaces/{place.space}/rooms", data=form)
    assert made.status_code == 303
    meeting = place.tables.one(
        "SELECT slug FROM sessions WHERE title = 'Standing' AND status = 'CREATED'"
    )
    page = owner.http.get(f"/s/{meeting}/delete")
    assert (page.status_code, page.headers["location"][:3]) == (303, "/r/")
    assert owner.http.post(f"/s/{meeting}/delete", headers=JSON).status_code == 409
    come_and_go(owner, slug=meeting)
    assert owner.http.post(f"/s/{meeting}/delete", headers=JSON).status_code == 204
    following = place.tables("SELECT status FROM sessions WHERE title = 'Standing'")
    assert [row["status"] for row in following] == ["CREATED"]


def test_open_links_and_sound_that_go_are_told(many: tuple[AppServer, Tables]) -> None:
    server, tables = many
    eve = Browser(server.url).sign_in("Eve")
    one, two, plain = (ended(eve, title) for title in ("One", "Two", "Plain"))
    space = tables.one("SELECT space_id FROM sessions WHERE slug = $1", one)
    for slug in (one, one, two):
        shared = eve.http.post(f"/s/{slug}/share", data={"days": "1"}, headers=JSON)
        assert shared.status_code == 204
    which = tables.one("SELECT id FROM sessions WHERE slug = $1", two)
    tables("UPDATE shared_links SET expires_at = now() WHERE session_id = $1", which)
    for slug in (one, two):
        tables(KEEP, slug)

    def told(path: str, *slugs: str) -> tuple[bool, list[str]]:
        page = eve.http.get(path, params={"session": slugs} if slugs else {}).text
        links = re.findall(r"(\d) open links? by which", page)
        return ":05 of speech" in page, links

    assert told(f"/s/{one}/delete") == (True, ["2"])
    assert told(f"/s/{two}/delete") == (True, [])
    assert told(f"/s/{plain}/delete") == (False, [])
    assert told("/sessions/delete", one, two) == (False, ["2"])  # 2:10 together
    assert "2:10 of speech" in eve.http.get(f"/sessions/delete?session={one}&session={two}").text
    assert told("/sessions/delete", plain) == (False, [])
    eve.http.post("/spaces", data={"name": "Another"})
    page = eve.http.get(f"/spaces/{space}/delete").text
    assert "2 open links by which" in page
    assert "2:10 of speech" in page


def test_many_are_deleted_by_their_number(many: tuple[AppServer, Tables]) -> None:
    server, tables = many
    ann, bob = (Browser(server.url).sign_in(name) for name in ("Ann", "Bob"))
    slugs = [ended(ann, f"Done {n}") for n in range(3)]
    goes_on, foreign = ann.start_session("Goes on"), ended(bob, "Of Bob")
    asked = ann.http.get("/sessions/delete", params={"session": [*slugs, goes_on, foreign, "\x00"]})
    assert "Delete 3 sessions?" in asked.text
    assert "Of Bob" not in asked.text
    assert "Goes on" not in asked.text
    found = re.search('name="sessions" value="([^"]*)"', asked.text)
    assert found
    form = {"sessions": found[1], "number": "2"}

    def delete(who: Visitor = ann, **others: str) -> int:
        return who.http.post("/sessions/delete", data=form | others, headers=JSON).status_code

    assert delete() == 422
    assert delete(number="") == 422
    assert delete(bob, number="3") == 409, "none of these are Bob’s"
    assert delete(number="4", sessions=f"{found[1]},{foreign}") == 409
    assert delete(number="201", sessions=",".join(str(n) for n in range(201))) == 422
    assert delete(Browser(server.url), number="3") == 401
    assert [ann.http.get(f"/s/{slug}").status_code for slug in slugs] == [200] * 3
    html = {"Accept": "text/html"}
    again = ann.http.post("/sessions/delete", data=form, headers=html)
    assert (again.status_code, "Type the number" in again.text) == (422, True)
    assert delete(number="3") == 204
    assert [ann.http.get(f"/s/{slug}").status_code for slug in slugs] == [404] * 3
    assert ann.http.get(f"/s/{goes_on}").status_code == 200
    assert bob.http.get(f"/s/{foreign}").status_code == 200
    assert delete(number="3") == 409, "a second time there are none"

    space = tables.one("SELECT space_id FROM sessions WHERE slug = $1", goes_on)
    tables(
        """
        INSERT INTO sessions (slug, title, space_id, status, started_at, ended_at)
        SELECT 'many-' || n, 'Many ' || n, $1, 'ENDED', now(), now() FROM generate_series(1, 200) n
        """,
        space,
    )
    rows = ",".join(f"many-{n}" for n in range(1, 201))
    assert delete(number="200", sessions=rows) == 204
    assert tables.one("SELECT count(*) FROM sessions WHERE title LIKE 'Many %'") == 0


def test_a_space_goes_with_all_that_is_in_it(many: tuple[AppServer, Tables]) -> None:
    server, tables = many
    ann, bob = (Browser(server.url).sign_in(name) for name in ("Ann", "Bob"))
    html = {"Accept": "text/html"}
    made = ann.http.post("/spaces", data={"name": "Doomed “one”"}, headers=html)
    place = made.headers["location"]
    space = UUID(place.removeprefix("/spaces/"))
    tables("INSERT INTO members SELECT $1, id, 'MEMBER' FROM users WHERE name = 'Bob'", space)
    slug, live = ended(ann, "Done"), ann.start_session("Live")
    bob.http.post(f"{place}/switch")
    assert "Done" in bob.http.get("/").text
    asked = ann.http.get(f"{place}/delete")
    assert "2 sessions" in asked.text
    assert "2 people" in asked.text

    def delete(who: Visitor, name: str) -> int:
        form = {"name": name}
        return who.http.post(f"{place}/delete", data=form, headers=JSON).status_code

    assert delete(bob, "Doomed “one”") == 404
    assert delete(ann, "Doomed") == 422

    async def end() -> int | None:
        page = bob.page(live)
        await page.connect()
        assert await asyncio.to_thread(delete, ann, "Doomed “one”") == 204
        return await page.until_closed()

    assert asyncio.run(end()) is not None
    for who in (ann, bob):
        assert [who.http.get(f"/s/{one}").status_code for one in (slug, live)] == [404, 404]
        assert who.http.get(place).status_code == 404
        home = who.http.get("/")
        assert (home.status_code, "Done" in home.text) == (200, False)
    assert tables.one("SELECT count(*) FROM sessions WHERE space_id = $1", space) == 0
    assert tables.one("SELECT count(*) FROM members WHERE space_id = $1", space) == 0
    lone = Browser(server.url).sign_in("Lone")
    lone.start_session("Mine")
    own = str(tables.one("SELECT space_id FROM sessions WHERE title = 'Mine'"))
    form = {"name": "Lone’s space"}
    assert lone.http.post(f"/spaces/{own}/delete", data=form, headers=JSON).status_code == 409


@pytest.mark.asyncio
async def test_a_session_is_deleted_while_somebody_speaks(
    make_server_in: MakeServer, make_database: Callable[[], str]
) -> None:
    database = await asyncio.to_thread(make_database)
    server = await asyncio.to_thread(
        make_server_in, DATABASE_URL=database, SPEECH_ENGINE="auto", RATE_LIMIT_FACTOR="100"
    )
    tables = Tables(database)

    def start() -> tuple[Visitor, Visitor, str]:
        host = Browser(server.url).sign_in("Ada Lovelace")
        slug = host.start_session("Spoken")
        return host, Browser(server.url).be_guest(slug, "Guest"), slug

    host, guest, slug = await asyncio.to_thread(start)
    session = await asyncio.to_thread(tables.one, "SELECT id FROM sessions WHERE slug = $1", slug)
    held = (await asyncio.to_thread(host.join, slug))["transcription"]
    page, other = host.page(slug), guest.page(slug)
    await page.connect()
    await other.connect()
    await page.mic(True)
    await page.speak(beckett(), speed=4.0)
    await other.until(lambda: other.finals)
    answer = await asyncio.to_thread(host.http.post, f"/s/{slug}/delete", headers=JSON)
    assert answer.status_code == 204
    assert await page.until_closed() is not None
    assert await other.until_closed() is not None
    with pytest.raises((InvalidStatus, ConnectionClosed)):  # by a pass that it still has
        async with connect(
            held["url"],
            subprotocols=[Subprotocol("sessions.v1"), Subprotocol(held["token"])],
            origin=Origin(server.url),
        ) as socket:
            await socket.send(json.dumps({"type": "hello", "client": "c" * 16, "seq": 0}))
            await socket.recv()
    assert await asyncio.to_thread(tables.one, LEFT, session) == 0
    spent = "SELECT count(*) FROM space_usage WHERE session_id = $1"
    assert await asyncio.to_thread(tables.one, spent, session) == 1, "its minutes stay counted"
    await asyncio.sleep(2.5)  # two looks after sessions, and what would be tried again
    assert " ERROR " not in server.log
    assert await asyncio.to_thread(tables.one, LEFT, session) == 0
