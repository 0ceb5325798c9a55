"""Invitations: made, copied, accepted, counted, revoked; and whom they let sign in."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.database import Database
from core.signed_links import (
    INVITATIONS,
    account_link,
    invitation_path,
    owner_link,
    read_invitation,
)
from core.store import invitations
from core.store.invitations import MAX_OPEN
from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.sign_in import is_signed_in
from tests.support.tables import Tables
from tests.support.visitors import Visitor

HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}


@dataclass
class Hall:
    """A server that takes example.com alone, and whom an invitation lets in."""

    server: AppServer
    tables: Tables

    def owner(self, name: str) -> tuple[Browser, str]:
        """Return the owner of a space of this name, and its address."""
        owner = Browser(self.server.url)
        owner.sign_in(f"Owner {name}")
        answer = owner.http.post("/spaces", data={"name": name}, headers=HTML)
        return owner, str(answer.headers["location"])

    def sign_in(self, email: str, target: str = "/") -> tuple[Browser, int, str]:
        """Sign in with this address; return the status, and where that leads."""
        browser = Browser(self.server.url)
        form = {"name": email.partition("@")[0].title(), "email": email, "next": target}
        answer = browser.http.post("/sign-in/dev", data=form, headers=HTML)
        return browser, answer.status_code, answer.headers.get("location", "")


@pytest.fixture(scope="module")
def hall(make_server_in: MakeServer, make_database: Callable[[], str]) -> Hall:
    server = make_server_in(
        DATABASE_URL=(database := make_database()),
        ALLOWED_EMAIL_DOMAINS="example.com",
        INVITED_MAY_SIGN_IN="on",
        RATE_LIMIT_FACTOR="100",
    )
    return Hall(server, Tables(database))


def invite(owner: Visitor, space: str, **form: str) -> str:
    """Make an invitation, and return the path of its link."""
    form = {"for": "link", "uses": "10", "days": "7"} | form
    answer = owner.http.post(f"{space}/invitations", data=form, headers=HTML)
    assert answer.status_code == 303, answer.text
    return links(owner, space)[0]


def links(owner: Visitor, space: str) -> list[str]:
    """Return the paths of the links that an owner sees."""
    html = owner.http.get(space).text
    return re.findall(r'value="http://[^"/]+(/invitations/[^"]+)"', html)


def members(owner: Visitor, space: str) -> list[str]:
    """Return who the page of a space shows."""
    return re.findall(r'class="name hue-\d+">([^<]+)<', owner.http.get(space).text)


def accept(who: Visitor, link: str) -> int:
    return int(who.http.post(link, headers=JSON).status_code)


def test_who_has_the_link_becomes_a_member(hall: Hall) -> None:
    owner, space = hall.owner("Ferries")
    slug = owner.start_session("Timetables", admission="MEMBERS")
    link = invite(owner, space)
    stranger = Browser(hall.server.url)
    html = stranger.http.get(link).text
    assert "You’re invited to “Ferries”." in html
    assert "Owner Ferries invites you" in html
    assert f'name="next" value="{link}"' in html
    for secret in ("Timetables", slug, "owner.ferries@example.com", space):
        assert secret not in html, "the link says who and where, no more"
    assert stranger.http.post(link, headers=JSON).status_code == 401
    bob, status, target = hall.sign_in("bob@example.com", link)
    assert (status, target) == (303, link)
    assert (
        hall.tables.one(
            "SELECT count(*) FROM members m JOIN users u ON u.id = m.user_id"
            " WHERE u.email = 'bob@example.com'"
        )
        == 0
    ), "no space of their own"
    assert bob.knock(slug)[0] == 403
    assert "Accept the invitation" in bob.http.get(link).text
    answer = bob.http.post(link, headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    home = bob.http.get("/").text
    assert "Timetables" in home
    assert 'class="space-menu-name">Ferries<' in home
    assert bob.join(slug)["you"]["role"] == "MEMBER"
    assert members(owner, space) == ["Owner Ferries", "Bob"]
    assert "9 uses left" in owner.http.get(space).text
    # Once more is no use, and works there again.
    assert "You are in “Ferries”." in bob.http.get(link).text
    assert accept(bob, link) == 204
    assert "9 uses left" in owner.http.get(space).text
    assert "/invitations" not in bob.http.get(space).text, "members don't see them"


def test_of_two_at_the_last_use_one_wins(hall: Hall) -> None:
    owner, space = hall.owner("Last use")
    people = [hall.sign_in(f"racer{n}@example.com")[0] for n in range(6)]
    link = invite(owner, space, uses="2")
    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(lambda one: accept(one, link), people))
    assert statuses == [204, 204, 410, 410, 410, 410]
    assert len(members(owner, space)) == 3
    answer = Browser(hall.server.url).http.get(link, headers=HTML)
    assert answer.status_code == 410
    assert "This invitation has been used." in answer.text
    assert "Last use" not in answer.text


async def test_what_ends_in_the_moment_it_is_used_is_not_used(hall: Hall) -> None:
    """As between the look at an invitation and its use, by whoever is quicker."""

    def prepare() -> list[UUID]:
        owner, space = hall.owner("Moments")
        for form in ({}, {}, {}, {"for": "email", "email": "zoe@example.com"}):
            invite(owner, space, **form)
        rows = hall.tables(
            "SELECT id FROM invitations WHERE space_id = $1 ORDER BY email NULLS FIRST",
            UUID(space.rpartition("/")[2]),
        )
        return [row["id"] for row in rows]

    revoked, expired, good, hers = await asyncio.to_thread(prepare)
    end = "UPDATE invitations SET {} = now() - interval '1 s' WHERE id = $1"
    await asyncio.to_thread(hall.tables, end.format("revoked_at"), revoked)
    await asyncio.to_thread(hall.tables, end.format("expires_at"), expired)
    db = Database(hall.tables.url)
    await db.connect()
    try:
        used = [
            await invitations.use(db, str(one), "bob@example.com")
            for one in (revoked, expired, hers, good)
        ]
        assert used == [False, False, False, True]
        assert await invitations.use(db, str(hers), "Zoe@example.com")
    finally:
        await db.disconnect()


def test_what_can_not_be_used_says_so(hall: Hall) -> None:
    owner, space = hall.owner("Closed")
    bob, _, _ = hall.sign_in("closed@example.com")
    link = invite(owner, space)
    which = read_id(hall, space)
    path = f"{space}/invitations/{which}/revoke"
    assert bob.http.post(path, headers=JSON).status_code == 404
    assert Browser(hall.server.url).http.post(path, headers=JSON).status_code == 401
    assert owner.http.post(path, headers={"Origin": "https://evil.example"}).status_code == 403
    assert owner.http.post(path, headers=JSON).status_code == 204
    assert owner.http.post(path, headers=JSON).status_code == 404
    assert bob.http.post(link, headers=HTML).status_code == 410
    assert "This invitation was revoked." in bob.http.get(link, headers=HTML).text
    assert links(owner, space) == []
    link = invite(owner, space)
    hall.tables("UPDATE invitations SET expires_at = now() WHERE id = $1", read_id(hall, space))
    assert "This invitation has run out." in bob.http.get(link, headers=HTML).text
    assert accept(bob, link) == 410
    for forged in (link[:-1], link[:-3] + "AAA", INVITATIONS + "A" * 43, f"{link}=", f"{link}A"):
        assert bob.http.get(forged, headers=HTML).status_code == 404, forged
        assert accept(bob, forged) == 404, forged
    assert members(owner, space) == ["Owner Closed"]


def read_id(hall: Hall, space: str) -> UUID:
    """Return the id of the newest invitation of a space."""
    newest = "SELECT id FROM invitations WHERE space_id = $1 ORDER BY created_at DESC LIMIT 1"
    found: UUID = hall.tables.one(newest, UUID(space.rpartition("/")[2]))
    return found


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"uses": "0"}, "Type how many people"),
        ({"uses": "1001"}, "Type how many people"),
        ({"uses": "-1"}, "Type how many people"),
        ({"uses": "٣"}, "Type how many people"),
        ({"days": "2"}, "Choose how long"),
        ({"days": ""}, "Choose how long"),
        ({"for": "email", "email": "nobody"}, "Type an e-mail address"),
        ({"for": "email", "email": "a b@example.com"}, "Type an e-mail address"),
        ({"for": "email", "email": "a" * 300 + "@example.com"}, "Type an e-mail address"),
    ],
)
def test_an_invitation_has_bounds(hall: Hall, form: dict[str, str], said: str) -> None:
    owner, space = hall.owner("Bounds")
    whole = {"for": "link", "uses": "10", "days": "7"} | form
    answer = owner.http.post(f"{space}/invitations", data=whole, headers=HTML)
    assert answer.status_code == 422
    assert said in answer.text
    assert owner.http.post(f"{space}/invitations", data=whole, headers=JSON).status_code == 422
    assert links(owner, space) == []


def test_a_space_has_so_many_open_ones(hall: Hall) -> None:
    owner, space = hall.owner("Many")
    hall.tables(
        "INSERT INTO invitations (space_id, max_uses, expires_at)"
        " SELECT $1, 1, now() + interval '1 day' FROM generate_series(1, $2)",
        UUID(space.rpartition("/")[2]),
        MAX_OPEN,
    )
    form = {"for": "link", "uses": "1", "days": "1"}
    answer = owner.http.post(f"{space}/invitations", data=form, headers=HTML)
    assert answer.status_code == 409
    assert "Revoke one that is no longer needed" in answer.text


def test_an_address_claims_its_invitation_as_it_signs_in(hall: Hall) -> None:
    owner, space = hall.owner("By mail")
    link = invite(owner, space, **{"for": "email", "email": "  Dora@Example.COM "})
    assert "dora@example.com" in owner.http.get(space).text
    eve, _, _ = hall.sign_in("eve@example.com")
    html = eve.http.get(link).text
    assert "for another e-mail address" in html
    assert "dora@example.com" not in html
    answer = eve.http.post(link, headers=HTML)
    assert answer.status_code == 403
    assert "dora@example.com" not in answer.text
    dora, _, _ = hall.sign_in("DORA@example.com")
    home = dora.http.get("/").text
    assert 'class="space-menu-name">By mail<' in home
    assert "Dora’s space" not in home
    assert members(owner, space) == ["Owner By mail", "Dora"]
    assert links(owner, space) == []
    # Who has an account is a member at the next sign-in, and goes on working where they were.
    other, another = hall.owner("By mail, too")
    invite(other, another, **{"for": "email", "email": "eve@example.com"})
    again, _, _ = hall.sign_in("eve@example.com")
    home = again.http.get("/").text
    assert 'class="space-menu-name">Eve’s space<' in home
    assert "By mail, too" in home


def test_an_invitation_lets_outsiders_in_as_long_as_they_are_members(hall: Hall) -> None:
    owner, space = hall.owner("Outside")
    assert hall.sign_in("max@elsewhere.test")[1] == 403
    assert hall.tables.one("SELECT count(*) FROM users WHERE email = 'max@elsewhere.test'") == 0
    link = invite(owner, space, uses="1")
    forged = link[:-3] + "AAA"
    assert hall.sign_in("max@elsewhere.test", forged)[1] == 403
    outsider, status, target = hall.sign_in("max@elsewhere.test", link)
    assert (status, target) == (303, "/welcome")  # the steps of a first sign-in
    assert members(owner, space) == ["Owner Outside", "Max"]
    # A space of their own doesn't keep them, and they let in nobody else.
    own = str(outsider.http.post("/spaces", data={"name": "Own"}, headers=HTML).headers["location"])
    assert hall.sign_in("moritz@elsewhere.test", invite(outsider, own))[1] == 403
    page = outsider.http.get(own).text
    assert "Own" in page
    whom = hall.tables.one("SELECT id FROM users WHERE email = 'max@elsewhere.test'")
    assert is_signed_in(outsider)
    assert owner.http.post(f"{space}/members/{whom}/remove", headers=JSON).status_code == 204
    assert not is_signed_in(outsider)
    assert hall.sign_in("max@elsewhere.test")[1] == 403
    assert hall.sign_in("max@elsewhere.test", link)[1] == 403, "it is used up"


def test_without_the_setting_an_invitation_lets_nobody_in(
    make_server: MakeServer, make_database: Callable[[], str]
) -> None:
    database = make_database()
    hall = Hall(
        make_server(
            DATABASE_URL=database, INVITED_MAY_SIGN_IN="on", ALLOWED_EMAIL_DOMAINS="example.com"
        ),
        Tables(database),
    )
    owner, space = hall.owner("Setting")
    outsider, _, _ = hall.sign_in("max@elsewhere.test", invite(owner, space))
    assert is_signed_in(outsider)
    hall.server.stop()
    strict = make_server(
        DATABASE_URL=database, ALLOWED_EMAIL_DOMAINS="example.com", data_dir=hall.server.data_dir
    )
    hall = Hall(strict, hall.tables)
    owner = Browser(strict.url)
    owner.sign_in("Owner Setting")
    link = invite(owner, space)
    _, status, _ = hall.sign_in("max@elsewhere.test", link)
    assert status == 403, "let in before, and the setting says otherwise since"
    form = {"for": "email", "email": "erika@elsewhere.test", "days": "1"}
    assert owner.http.post(f"{space}/invitations", data=form, headers=HTML).status_code == 303
    assert "doesn’t let this address sign in" in owner.http.get(space).text
    assert hall.sign_in("erika@elsewhere.test")[1] == 403


def test_who_was_removed_does_not_come_back_by_a_link(hall: Hall) -> None:
    owner, space = hall.owner("Removed")
    link = invite(owner, space)
    bob, _, _ = hall.sign_in("removed@example.com", link)
    assert accept(bob, link) == 204
    whom = hall.tables.one("SELECT id FROM users WHERE email = 'removed@example.com'")
    assert owner.http.post(f"{space}/members/{whom}/remove", headers=JSON).status_code == 204
    assert accept(bob, link) == 410
    assert bob.http.get(space).status_code == 404


async def test_a_guest_who_accepts_is_a_member_in_the_open_room(hall: Hall) -> None:
    owner, space = await asyncio.to_thread(hall.owner, "Rooms")
    slug = await asyncio.to_thread(owner.start_session, "Open", "ANYONE")
    link = await asyncio.to_thread(invite, owner, space)
    bob, _, _ = await asyncio.to_thread(hall.sign_in, "guest@example.com")
    async with bob.page(slug) as page:
        assert page.welcome["you"]["role"] == "GUEST"
        assert await asyncio.to_thread(accept, bob, link) == 204
        me = page.welcome["you"]["identity"]
        await page.until(
            lambda: any(
                one["identity"] == me and one["role"] == "MEMBER"
                for told in page.of_type("people")[-1:]
                for one in told["people"]
            )
        )


@given(st.uuids(), st.text(min_size=1, max_size=60))
def test_only_what_was_signed_is_read(which: UUID, secret: str) -> None:
    path = invitation_path(secret, str(which))
    assert read_invitation(secret, path) == str(which)
    assert read_invitation(f"{secret}.", path) is None
    assert re.fullmatch(r"/invitations/[A-Za-z0-9_-]{43}", path)


@given(st.uuids(), st.integers(0, 42), st.sampled_from("AQgw-_9z"))
def test_no_other_token_is_read_as_the_same(which: UUID, place: int, letter: str) -> None:
    path = invitation_path("secret", str(which))
    at = len(INVITATIONS) + place
    changed = path[:at] + letter + path[at + 1 :]
    assert (read_invitation("secret", changed) is None) is (changed != path)


@given(st.text(max_size=100) | st.binary(max_size=64).map(lambda one: one.decode("latin1")))
def test_any_text_is_no_invitation(text: str) -> None:
    assert read_invitation("secret", text) is None
    assert read_invitation("secret", INVITATIONS + text) is None


def test_other_links_of_the_same_secret_are_no_invitations() -> None:
    for link in (owner_link("secret", "", 0), account_link("secret", "", str(UUID(int=1)), 0)):
        token = link.partition("token=")[2]
        assert read_invitation("secret", INVITATIONS + token) is None
