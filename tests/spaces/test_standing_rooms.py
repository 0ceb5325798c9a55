"""Standing rooms at the server's doors: who makes, enters, changes and deletes them."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.tables import Tables
from tests.support.visitors import Visitor

JSON = {"Accept": "application/json"}
HTML = {"Accept": "text/html"}
NOWHERE = "zzzz-zzzz-zzzz-zzzz"
NEXT_WEEK = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(days=7)
OPEN = """
    SELECT s.* FROM sessions s JOIN standing_rooms r ON r.id = s.standing_room
    WHERE r.slug = $1 AND s.status IN ('CREATED', 'LIVE')
"""
# By who asks: nobody known, a guest, another space's member, a member, who made it, an owner.
PEOPLE = ("anonymous", "guest", "other", "member", "maker", "owner")
ROUTES = {
    ("GET", "/spaces/{space}/rooms/new"): (303, 303, 404, 200, 200, 200),
    ("POST", "/spaces/{space}/rooms"): (401, 401, 404, 303, 303, 303),
    ("GET", "/spaces/{space}/rooms"): (405,) * 6,
    ("GET", "/r/{room}"): (303,) * 6,
    ("POST", "/r/{room}"): (405,) * 6,
    ("GET", "/r/{room}/settings"): (303, 303, 404, 404, 200, 200),
    ("POST", "/r/{room}/settings"): (401, 401, 404, 404, 204, 204),
    ("GET", "/r/{room}/delete"): (405,) * 6,
    ("GET", "/r/{nowhere}"): (404,) * 6,
    ("GET", "/r/{nowhere}/settings"): (303, 303, 404, 404, 404, 404),
    ("POST", "/r/{nowhere}/settings"): (401, 401, 404, 404, 404, 404),
    ("POST", "/r/{nowhere}/delete"): (401, 401, 404, 404, 404, 404),
}


@dataclass
class Place:
    """Two servers of one database, and a browser of everybody who has to do with one space."""

    servers: list[AppServer]
    tables: Tables
    space: str = ""
    people: dict[str, Visitor] = field(default_factory=dict)

    def make(self, who: str = "maker", **form: str) -> str:
        """Make a room as the form does, and return its slug."""
        answer = self.people[who].http.post(
            f"/spaces/{self.space}/rooms", data={"title": "Weekly"} | form
        )
        assert answer.status_code == 303, answer.text
        found = re.fullmatch(r"/r/([a-z0-9-]+)/settings\?made", answer.headers["location"])
        assert found is not None
        return found[1]

    def meeting(self, room: str) -> str:
        """Return the slug of the room's meeting as whoever has its link finds it."""
        answer = Browser(self.servers[0].url).http.get(f"/r/{room}")
        assert answer.status_code == 303
        (row,) = self.tables(OPEN, room)
        assert answer.headers["location"] == f"/s/{row['slug']}"
        return str(row["slug"])


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer, make_database: Callable[[], str]) -> Place:
    url = make_database()
    servers = [make_server_in(DATABASE_URL=url, LIVEKIT_URL="off") for _ in range(2)]
    place = Place(servers, Tables(url))
    names = {"owner": "Owner", "maker": "Maker", "member": "Member", "other": "Other"}
    place.people = {who: Browser(servers[0].url).sign_in(name) for who, name in names.items()}
    slug = place.people["owner"].start_session("Ferries")
    place.people["anonymous"] = Browser(servers[0].url)
    place.people["guest"] = Browser(servers[0].url).be_guest(slug, "Guest")
    space = place.tables.one("SELECT space_id FROM sessions WHERE slug = $1", slug)
    place.space = str(space)
    place.tables(
        "INSERT INTO members (space_id, user_id, role)"
        " SELECT $1, id, 'MEMBER' FROM users WHERE name IN ('Maker', 'Member')",
        space,
    )
    place.tables("UPDATE users SET space_id = $1 WHERE name IN ('Maker', 'Member')", space)
    return place


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_who_gets_where(place: Place, route: tuple[str, str]) -> None:
    method, path = route
    room = place.make()
    address = path.format(space=place.space, room=room, nowhere=NOWHERE)
    form = {"title": "Weekly"} if method == "POST" and "{space}" in path else None
    found = [
        place.people[who].http.request(method, address, data=form, headers=JSON).status_code
        for who in PEOPLE
    ]
    assert found == list(ROUTES[route])


def test_who_deletes_a_room(place: Place) -> None:
    for who, expected in zip(PEOPLE, (401, 401, 404, 404, 303, 303), strict=True):
        room = place.make()
        status = place.people[who].http.post(f"/r/{room}/delete", headers=JSON).status_code
        assert status == expected, who
        there = place.people["anonymous"].http.get(f"/r/{room}").status_code
        assert there == (404 if expected == 303 else 303)


def test_a_link_that_never_changes_leads_to_meeting_after_meeting(place: Place) -> None:
    maker, server = place.people["maker"], place.servers[0]
    form = {"planned": f"{NEXT_WEEK:%Y-%m-%dT%H:%M}", "agenda": "1. Tides", "recurs": "Mondays"}
    room = place.make(title="<Tides>", admission="ANYONE", **form)
    first = place.meeting(room)
    guest = Visitor(server.url).be_guest(first, "Bob")
    lobby = guest.http.get(f"/s/{first}").text
    for said in ("&lt;Tides&gt;", "1. Tides", "Repeats: Mondays", f"/s/{first}/session.ics"):
        assert said in lobby
    calendar = guest.http.get(f"/s/{first}/session.ics").text
    assert f"URL:{server.url}/r/{room}\r\n" in calendar, "not that of one meeting"

    async def meet() -> None:
        async with maker.page(first), guest.page(first):
            row = rooms_row(await asyncio.to_thread(maker.http.get, "/"), room)
            assert "Live now" in row
            assert "2 people here" in row

    asyncio.run(meet())
    assert f'id="session-{first}"' in maker.http.get("/").text, "a meeting like any other"
    assert maker.end(first).status_code == 303
    second = place.meeting(room)
    assert second != first
    assert f'id="session-{second}"' not in maker.http.get("/").text, "it hasn't begun"
    ended = guest.http.get(f"/s/{first}").text
    assert f'href="/r/{room}"' in ended
    stranger = Browser(server.url).http.get(f"/s/{first}")
    assert stranger.status_code == 403
    assert room not in stranger.text, "who wasn't there isn't led on"
    assert "1. Tides" in Browser(server.url).http.get(f"/s/{second}").text


def test_a_time_at_which_nobody_came_is_forgotten_and_the_room_is_not(place: Place) -> None:
    room = place.make(planned=f"{NEXT_WEEK:%Y-%m-%dT%H:%M}")
    maker, meeting = place.people["maker"], place.meeting(room)
    shown = "Planned for"
    assert shown in rooms_row(maker.http.get("/"), room)
    back = (
        "UPDATE sessions SET planned_at = now() - $2::interval, created_at = now() - $2::interval"
    )
    place.tables(f"{back} WHERE slug = $1", meeting, timedelta(days=2))
    assert place.meeting(room) == meeting
    assert shown not in rooms_row(maker.http.get("/"), room)
    assert shown not in maker.http.get(f"/s/{meeting}").text
    assert "data-utc" not in maker.http.get(f"/r/{room}/settings").text


def rooms_row(answer: object, room: str) -> str:
    (row,) = re.findall(rf'<li class="room-row" id="room-{room}">.*?</li>', answer.text, re.S)  # type: ignore[attr-defined]
    return str(row)


def test_rooms_stand_on_top_of_the_list_for_members(place: Place) -> None:
    room = place.make(title="Top of the list")
    link = f'data-copy="{place.servers[0].url}/r/{room}"'
    for who in ("maker", "member", "owner"):
        row = rooms_row(place.people[who].http.get("/"), room)
        assert link in row
        assert "Top of the list" in row
        assert (f'href="/r/{room}/settings"' in row) is (who != "member")
        part = place.people[who].http.get("/sessions", headers={"HX-Request": "true"})
        assert rooms_row(part, room) == row
    assert room not in place.people["other"].http.get("/").text


def test_two_tabs_of_two_servers_end_a_meeting_once(place: Place) -> None:
    room = place.make()
    tabs = [Visitor(server.url).sign_in("Maker") for server in place.servers]
    seen = set()
    with ThreadPoolExecutor(4) as threads:
        for _ in range(5):
            meeting = place.meeting(room)
            seen.add(meeting)
            ends = [threads.submit(tab.end, meeting) for tab in tabs * 2]
            assert [one.result().status_code for one in ends] == [303] * 4
    assert place.meeting(room) not in seen
    made = "SELECT count(*) FROM sessions s JOIN standing_rooms r ON r.id = standing_room"
    assert place.tables.one(f"{made} WHERE r.slug = $1", room) == 6


def test_a_room_is_changed_for_its_next_meeting(place: Place) -> None:
    room = place.make()
    going_on = place.meeting(room)
    maker, owner = place.people["maker"], place.people["owner"]

    async def change_meanwhile() -> None:
        async with maker.page(going_on):
            form = {"title": "Monthly", "admission": "MEMBERS", "agenda": "New"}
            answer = await asyncio.to_thread(
                owner.http.post, f"/r/{room}/settings", data=form, headers=HTML
            )
            assert answer.headers["location"] == f"/r/{room}/settings?saved"

    asyncio.run(change_meanwhile())
    lobby = maker.http.get(f"/s/{going_on}").text
    assert ">Weekly</h1>" in lobby
    maker.end(going_on)
    following = place.meeting(room)
    assert ">Monthly</h1>" in maker.http.get(f"/s/{following}").text
    assert place.tables(OPEN, room)[0]["admission"] == "MEMBERS"
    # What is said of a meeting that is to begin is said of the room.
    answer = maker.http.get(f"/s/{following}/plan")
    assert answer.headers["location"] == f"/r/{room}/settings"
    assert maker.host(following, "plan", agenda="Other") == (422, "invalid")


def test_who_changes_a_room_at_once_with_others_overwrites_nothing_unseen(place: Place) -> None:
    room = place.make(agenda="First")
    maker, address = place.people["maker"], f"/r/{room}/settings"

    def was(page: str) -> str:
        (found,) = re.findall(r'name="was" value="([^"]*)"', page)
        return html.unescape(found)

    seen = was(maker.http.get(address).text)
    theirs = {"title": "Theirs", "agenda": "Second", "was": seen}
    assert place.people["owner"].http.post(address, data=theirs, headers=JSON).status_code == 204
    mine = {"title": "Mine", "agenda": "Third", "was": seen}
    refused = maker.http.post(address, data=mine, headers=JSON)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "changed_meanwhile")
    page = maker.http.post(address, data=mine, headers=HTML)
    assert page.status_code == 409
    for said in (">Theirs</dd>", ">Second</dd>", 'value="Mine"', ">Third</textarea>"):
        assert said in page.text
    knowing = mine | {"was": was(page.text)}
    assert maker.http.post(address, data=knowing, headers=HTML).status_code == 303
    assert place.tables(OPEN, room)[0]["title"] == "Mine"


@pytest.mark.parametrize(
    "form",
    [
        {"title": ""},
        {"title": " \u200b\u202e "},
        {},
        {"title": "Weekly", "admission": "EVERYBODY"},
        {"title": "Weekly", "planned": "9999-12-31T23:59"},
        {"title": "Weekly", "agenda": "x" * 4001},
    ],
)
def test_what_cant_be_a_room_is_none(place: Place, form: dict[str, str]) -> None:
    count = "SELECT count(*) FROM standing_rooms"
    before = place.tables.one(count)
    address = f"/spaces/{place.space}/rooms"
    answer = place.people["owner"].http.post(address, data=form, headers=JSON)
    assert answer.status_code == 422
    assert place.tables.one(count) == before
    if form.get("admission") != "EVERYBODY":
        page = place.people["owner"].http.post(address, data=form, headers=HTML)
        assert (page.status_code, "problem" in page.text) == (422, True)


def test_a_room_that_goes_leaves_its_past(place: Place) -> None:
    room = place.make(title="Gone soon")
    maker, past = place.people["maker"], place.meeting(room)

    async def be_there() -> None:
        async with maker.page(past):
            pass

    asyncio.run(be_there())
    maker.end(past)
    waiting = place.meeting(room)
    foreign = {"Origin": "https://elsewhere.example"}
    assert maker.http.post(f"/r/{room}/delete", headers=foreign).status_code == 403
    assert maker.http.post(f"/r/{room}/delete").headers["location"] == "/"
    assert maker.http.get(f"/r/{room}").status_code == 404
    assert maker.http.get(f"/s/{waiting}").status_code == 404
    page = maker.http.get(f"/s/{past}")
    assert page.status_code == 200
    assert room not in page.text
    said = "SELECT act FROM space_events WHERE subject = 'Gone soon' ORDER BY id"
    acts = [row["act"] for row in place.tables(said)]
    assert acts == ["standing_room_made", "standing_room_deleted"]


def test_who_was_removed_from_the_space_gets_nowhere_with_its_rooms(place: Place) -> None:
    room = place.make("member")
    member = place.people["member"]
    user = place.tables.one("SELECT id FROM users WHERE name = 'Member'")
    role = "DELETE FROM members WHERE user_id = $1 AND space_id = $2 RETURNING role"
    gone = place.tables.one(role, user, UUID(place.space))
    try:
        assert member.http.get(f"/r/{room}/settings").status_code == 404
        assert member.http.post(f"/r/{room}/settings", headers=JSON).status_code == 404
        assert member.http.post(f"/r/{room}/delete", headers=JSON).status_code == 404
        assert room not in member.http.get("/").text
        place.people["owner"].end(place.meeting(room))
        assert place.tables(OPEN, room)[0]["created_by"] is None, "they host no further meeting"
    finally:
        back = "INSERT INTO members (space_id, user_id, role) VALUES ($1, $2, $3)"
        place.tables(back, UUID(place.space), user, gone)
