"""Members: roles, removing, leaving, and what that does to rooms that are open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.tables import Tables
from tests.support.visitors import Visitor

HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}
NO_MEMBER = 4404


class Team:
    """A space with two owners and a member, and somebody else."""

    def __init__(self, server: AppServer, tables: Tables, name: str) -> None:
        self.server, self.tables, self.name = server, tables, name
        self.ada, self.bob, self.cyd, self.eve = (
            Browser(server.url).sign_in(f"{who} {name}") for who in ("Ada", "Bob", "Cyd", "Eve")
        )
        answer = self.ada.http.post("/spaces", data={"name": name}, headers=HTML)
        self.address = str(answer.headers["location"])
        self.id = UUID(self.address.rpartition("/")[2])
        for who, role in (("Bob", "OWNER"), ("Cyd", "MEMBER")):
            self.add(who, role)

    def add(self, who: str, role: str = "MEMBER") -> None:
        into = "INSERT INTO members (space_id, user_id, role) VALUES ($1, $2, $3)"
        self.tables(into, self.id, self.user(who), role)

    def user(self, who: str) -> UUID:
        found: UUID = self.tables.one("SELECT id FROM users WHERE name = $1", f"{who} {self.name}")
        return found

    def roles(self) -> dict[str, str]:
        rows = self.tables(
            "SELECT u.name, m.role FROM members m JOIN users u ON u.id = m.user_id"
            " WHERE m.space_id = $1",
            self.id,
        )
        return {row["name"].split()[0]: row["role"] for row in rows}

    def act(self, by: Visitor, what: str, whom: str = "", **form: str) -> int:
        """Do something about a member, or to the space, and return the status."""
        path = f"members/{self.user(whom)}/{what}" if whom else what
        answer = by.http.post(f"{self.address}/{path}", data=form, headers=JSON)
        return int(answer.status_code)


MakeTeam = Callable[[str], Team]


@pytest.fixture(scope="module")
def database(make_database: Callable[[], str]) -> str:
    return make_database()


@pytest.fixture(scope="module")
def make_team(make_server_in: MakeServer, database: str) -> MakeTeam:
    server = make_server_in(DATABASE_URL=database, RATE_LIMIT_FACTOR="100")
    return lambda name: Team(server, Tables(database), name)


def test_owners_decide_who_is_what(make_team: MakeTeam) -> None:
    team = make_team("Roles")
    for by in (team.cyd, team.eve):
        assert team.act(by, "role", "Cyd", role="OWNER") == 404
        assert team.act(by, "remove", "Bob") == 404
        assert team.act(by, "rename", name="Mine", was="Roles") == 404
    assert team.act(team.ada, "role", "Eve", role="OWNER") == 404, "is no member"
    for role in ("", "ADMIN", "owner", "HOST"):
        assert team.act(team.ada, "role", "Cyd", role=role) == 422
    assert team.roles() == {"Ada": "OWNER", "Bob": "OWNER", "Cyd": "MEMBER"}
    html = team.cyd.http.get(team.address).text
    assert "Cyd Roles" in html
    assert "bob.roles@example.com" not in html, "addresses are the owners'"
    for part in ("/role", "/remove", "/rename"):
        assert part not in html
    assert team.act(team.ada, "role", "Cyd", role="OWNER") == 204
    assert team.act(team.cyd, "role", "Ada", role="MEMBER") == 204
    assert team.act(team.ada, "role", "Cyd", role="MEMBER") == 404, "owners once were"
    assert team.act(team.bob, "remove", "Ada") == 204
    assert team.roles() == {"Bob": "OWNER", "Cyd": "OWNER"}
    assert team.ada.http.get(team.address).status_code == 404
    assert "Roles" not in team.ada.http.get("/spaces").text.replace("Ada Roles", "")


def test_a_space_always_has_an_owner(make_team: MakeTeam) -> None:
    team = make_team("Owners")
    assert team.act(team.bob, "leave") == 204
    assert team.act(team.ada, "role", "Ada", role="MEMBER") == 409
    assert team.act(team.ada, "remove", "Ada") == 409
    answer = team.ada.http.post(f"{team.address}/leave", headers=HTML)
    assert answer.status_code == 409
    assert "Make somebody else an owner first" in answer.text
    assert team.act(team.cyd, "leave") == 204
    alone = team.ada.http.post(f"{team.address}/leave", headers=HTML)
    assert alone.status_code == 409
    assert "You are the only member" in alone.text
    assert team.roles() == {"Ada": "OWNER"}
    assert team.act(team.eve, "leave") == 404


def test_two_owners_who_demote_each_other_at_once_leave_one(make_team: MakeTeam) -> None:
    team = make_team("Duel")
    for _ in range(5):
        with ThreadPoolExecutor(4) as pool:
            acts = [
                pool.submit(team.act, team.ada, "role", "Bob", role="MEMBER"),
                pool.submit(team.act, team.bob, "role", "Ada", role="MEMBER"),
            ]
            statuses = sorted(one.result() for one in acts)
        assert statuses in ([204, 404], [204, 409])
        owners = [who for who, role in team.roles().items() if role == "OWNER"]
        assert len(owners) == 1
        team.tables("UPDATE members SET role = 'OWNER' WHERE user_id = $1", team.user("Ada"))
        team.tables("UPDATE members SET role = 'OWNER' WHERE user_id = $1", team.user("Bob"))


def test_who_renames_at_once_loses_nothing(make_team: MakeTeam) -> None:
    team = make_team("Names")
    assert team.act(team.ada, "rename", name="Ada’s idea", was="Names") == 204
    form = {"name": "Bob’s idea", "was": "Names"}
    answer = team.bob.http.post(f"{team.address}/rename", data=form, headers=HTML)
    assert answer.status_code == 409
    assert "<h1>Ada’s idea</h1>" in answer.text
    assert 'value="Bob’s idea"' in answer.text
    assert 'name="was" value="Ada’s idea"' in answer.text, "the next try has it Bob's way"
    assert team.act(team.bob, "rename", name="Bob’s idea", was="Names") == 409
    assert team.act(team.bob, "rename", name="Ada’s idea", was="Names") == 204, "it is so"
    assert team.act(team.bob, "rename", name=" \u202e", was="Ada’s idea") == 422
    assert team.act(team.bob, "rename", name="Bob’s idea", was="Ada’s idea") == 204
    assert "<h1>Bob’s idea</h1>" in team.ada.http.get(team.address).text


async def test_a_removed_member_loses_access_at_once(make_team: MakeTeam) -> None:
    team = await asyncio.to_thread(make_team, "Access")
    slug = await asyncio.to_thread(team.ada.start_session, "Ferries", "KNOCK")
    await asyncio.to_thread(team.cyd.http.post, f"{team.address}/switch")
    own = await asyncio.to_thread(team.cyd.start_session, "Cyd’s own")
    past = await asyncio.to_thread(team.ada.start_session, "Over", "KNOCK")
    async with team.cyd.page(past):
        pass
    await asyncio.to_thread(team.ada.end, past)
    async with team.ada.page(slug), team.cyd.page(slug) as page, team.cyd.page(own) as hosting:
        passes = await asyncio.to_thread(team.cyd.join, slug)
        assert passes["you"]["role"] == "MEMBER"
        assert hosting.welcome["you"]["role"] == "HOST"
        assert await asyncio.to_thread(team.act, team.ada, "remove", "Cyd") == 204
        # The next message of a page that is open.
        assert await page.until_closed() == await hosting.until_closed() == NO_MEMBER
        # The next click, wherever it leads.
        for path in (team.address, f"/s/{past}/transcript.txt", f"/s/{slug}/transcript"):
            answer = await asyncio.to_thread(team.cyd.http.get, path, headers=JSON)
            assert answer.status_code in (403, 404), path
        assert (await asyncio.to_thread(team.cyd.http.get, f"/s/{past}")).status_code == 403
        home = (await asyncio.to_thread(team.cyd.http.get, "/")).text
        for title in ("Ferries", "Cyd’s own", ">Over<"):
            assert title not in home
        status, _ = await asyncio.to_thread(team.cyd.host, own, "settings", title="Still mine")
        assert status == 404, "who started a session hosts it as a member alone"
        # They may knock, as anybody who has the link.
        assert (await asyncio.to_thread(team.cyd.knock, slug))[0] == 202
    await asyncio.to_thread(team.add, "Cyd")
    answer = await asyncio.to_thread(team.cyd.http.get, f"/s/{past}")
    assert answer.status_code == 200, "who is a member again reads again"


async def test_a_removed_member_knocks_where_anyone_could_come_in(make_team: MakeTeam) -> None:
    team = await asyncio.to_thread(make_team, "Anyone")
    slug = await asyncio.to_thread(team.ada.start_session, "Open", "ANYONE")
    other = await asyncio.to_thread(team.ada.start_session, "Open, too", "ANYONE")
    async with team.cyd.page(slug) as page:
        assert await asyncio.to_thread(team.act, team.ada, "remove", "Cyd") == 204
        assert await page.until_closed() == NO_MEMBER
    assert (await asyncio.to_thread(team.cyd.knock, slug))[0] == 202
    assert (await asyncio.to_thread(team.cyd.knock, other))[0] == 200, "they weren't in it"


async def test_roles_change_in_open_rooms(make_team: MakeTeam) -> None:
    team = await asyncio.to_thread(make_team, "Live")
    slug = await asyncio.to_thread(team.ada.start_session, "Ferries", "KNOCK")

    async with team.cyd.page(slug) as cyd, team.bob.page(slug) as bob:
        bobs = bob.welcome["you"]["identity"]
        me = cyd.welcome["you"]["identity"]

        def role(identity: str) -> str:
            people = cyd.of_type("people")[-1]["people"]
            return str(next(one["role"] for one in people if one["identity"] == identity))

        await cyd.until(lambda: bool(cyd.of_type("people")) and role(me) == "MEMBER")
        assert await asyncio.to_thread(team.cyd.host, slug, "mute-all") == (404, "not_found")
        assert await asyncio.to_thread(team.act, team.ada, "role", "Cyd", role="OWNER") == 204
        await cyd.until(lambda: role(me) == "HOST")
        assert (await asyncio.to_thread(team.cyd.host, slug, "mute-all"))[0] in (200, 204)
        # And down again, also for who is a host of sessions that others started.
        assert await asyncio.to_thread(team.act, team.cyd, "role", "Bob", role="MEMBER") == 204
        await cyd.until(lambda: role(bobs) == "MEMBER")
        assert (await asyncio.to_thread(team.bob.host, slug, "mute-all"))[0] == 404


async def test_what_was_done_is_written_down(make_team: MakeTeam) -> None:
    team = await asyncio.to_thread(make_team, "Log")
    await asyncio.to_thread(team.act, team.ada, "rename", name="Log 2", was="Log")
    await asyncio.to_thread(team.act, team.ada, "role", "Cyd", role="OWNER")
    await asyncio.to_thread(team.act, team.ada, "role", "Cyd", role="MEMBER")
    await asyncio.to_thread(team.act, team.ada, "remove", "Cyd")
    await asyncio.to_thread(team.act, team.bob, "leave")
    rows = await asyncio.to_thread(
        team.tables, "SELECT * FROM space_events WHERE space_id = $1 ORDER BY id", team.id
    )
    assert [(row["actor_name"], row["act"], row["subject"], row["detail"]) for row in rows] == [
        ("Ada Log", "space_created", "Log", ""),
        ("Ada Log", "space_renamed", "Log 2", "Log"),
        ("Ada Log", "made_owner", "Cyd Log", ""),
        ("Ada Log", "made_member", "Cyd Log", ""),
        ("Ada Log", "removed", "Cyd Log", ""),
        ("Bob Log", "left", "", ""),
    ]
