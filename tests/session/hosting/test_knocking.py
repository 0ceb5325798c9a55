"""Coming in: who knocks, who is admitted or denied, and what hosts see of it."""

from __future__ import annotations

import time

import pytest

from core.model import Participant
from core.room.knocks import KNOCK_TIMEOUT_S, Knocks
from tests.support.app_server import AppServer
from tests.support.hosting import guest, knocked, waiting
from tests.support.visitors import RoomPage, Visitor

pytestmark = pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")


async def test_a_guest_knocks_and_a_host_lets_them_in(
    place: AppServer, ada: Visitor, slug: str
) -> None:
    bob = guest(place, slug)
    async with ada.page(slug) as ada_page:
        identity = await knocked(ada_page, bob, slug, "Bob")
        told = len(ada_page.of_type("people"))
        assert bob.knock(slug)[0] == 202
        assert ada.host(slug, f"people/{identity}/admit") == (204, "")
        await ada_page.until(lambda: waiting(ada_page) == [])
        assert len(ada_page.of_type("people")) == told + 1, "asking again is no news"
        assert bob.join(slug)["you"]["identity"] == identity
        async with bob.page(slug) as bob_page:
            await knocked(ada_page, guest(place, slug, "Eve"), slug, "Eve")
            async with ada.page(slug) as second:
                await second.until(lambda: second.of_type("people"))
                assert waiting(second) == ["Eve"], "also who came before the host is shown"
            await bob_page.until(lambda: len(bob_page.of_type("people")) >= 3)
            assert all(one["waiting"] == [] for one in bob_page.of_type("people"))


async def test_who_is_denied_is_told_so_until_a_host_thinks_better_of_it(
    place: AppServer, ada: Visitor, slug: str
) -> None:
    bob = guest(place, slug)
    async with ada.page(slug) as ada_page:
        identity = await knocked(ada_page, bob, slug, "Bob")
        assert ada.host(slug, f"people/{identity}/deny") == (204, "")
        await ada_page.until(lambda: waiting(ada_page) == [])
    status, answer = bob.knock(slug)
    assert (status, answer["error"]["code"]) == (403, "denied")
    again = bob.http.post(f"/s/{slug}/guest", data={"name": "Not Bob"})
    assert again.status_code == 403, "another name is no way around it"
    assert ada.host(slug, f"people/{identity}/admit") == (204, "")
    assert bob.knock(slug)[0] == 200
    assert ada.host(slug, f"people/{identity}/deny") == (404, "not_found"), "they are in"


def denied(page: RoomPage) -> list[str]:
    told = page.of_type("people")
    return [one["name"] for one in told[-1]["denied"]] if told else []


async def test_hosts_see_whom_they_denied_and_who_asks_again(
    place: AppServer, ada: Visitor, slug: str
) -> None:
    bob, eve = guest(place, slug), guest(place, slug, "Eve")
    member = guest(place, slug, "Gus")
    async with ada.page(slug) as ada_page:
        gus = await knocked(ada_page, member, slug, "Gus")
        assert ada.host(slug, f"people/{gus}/admit") == (204, "")
        async with member.page(slug) as gus_page:
            for who, name in ((bob, "Bob"), (eve, "Eve")):
                identity = await knocked(ada_page, who, slug, name)
                assert ada.host(slug, f"people/{identity}/deny") == (204, "")
            await ada_page.until(lambda: denied(ada_page) == ["Eve", "Bob"])
            assert bob.knock(slug)[0] == 403
            await ada_page.until(lambda: denied(ada_page) == ["Bob", "Eve"])
            # Also who comes later, and also what was decided before a restart, as it is stored.
            async with ada.page(slug) as second:
                await second.until(lambda: denied(second) == ["Bob", "Eve"])
            bobs = ada_page.of_type("people")[-1]["denied"][0]["identity"]
            assert ada.host(slug, f"people/{bobs}/admit") == (204, "")
            await ada_page.until(lambda: denied(ada_page) == ["Eve"])
            assert bob.knock(slug)[0] == 200
            told = gus_page.of_type("people")
            assert all(one["denied"] == [] and one["waiting"] == [] for one in told)


async def test_all_who_knock_are_admitted_at_once(
    place: AppServer, ada: Visitor, slug: str
) -> None:
    people = {name: guest(place, slug, name) for name in ("Bob", "Eve", "Mallory")}
    async with ada.page(slug) as ada_page:
        for name, who in people.items():
            identity = await knocked(ada_page, who, slug, name)
        assert ada.host(slug, f"people/{identity}/deny") == (204, "")
        assert people["Bob"].host(slug, "admit-all") == (404, "not_found")
        assert ada.host(slug, "admit-all") == (204, "")
        await ada_page.until(lambda: waiting(ada_page) == [])
        assert denied(ada_page) == ["Mallory"]
    statuses = {name: who.knock(slug)[0] for name, who in people.items()}
    assert statuses == {"Bob": 200, "Eve": 200, "Mallory": 403}


def test_who_stops_knocking_is_forgotten() -> None:
    knocks, bob = Knocks(), Participant("p_1", "s", "Bob", 3, "GUEST", "WAITING")
    assert knocks.knock("s", bob, "192.0.2.1")
    assert not knocks.knock("s", bob, "192.0.2.1")
    now = time.monotonic()
    assert knocks.tick(now + KNOCK_TIMEOUT_S - 1) == []
    assert knocks.tick(now + KNOCK_TIMEOUT_S + 1) == ["s"]
    assert knocks.of("s") == []
    assert not knocks.forget("s", "p_1")


def test_each_choice_of_admission(place: AppServer, ada: Visitor, slug: str) -> None:
    stranger = Visitor(place.url).sign_in("Other Person")
    assert stranger.knock(slug)[0] == 202, "a member of another space knocks, too"
    bob = guest(place, slug)
    assert ada.host(slug, "settings", admission="MEMBERS") == (204, "")
    for one in (stranger, bob):
        status, answer = one.knock(slug)
        assert (status, answer["error"]["code"]) == (403, "members_only")
    assert ada.join(slug)["session"]["admission"] == "MEMBERS"
    assert ada.host(slug, "settings", admission="ANYONE") == (204, "")
    assert bob.join(slug)["you"]["role"] == stranger.join(slug)["you"]["role"] == "GUEST"
    assert ada.host(slug, "settings", admission="MEMBERS") == (204, "")
    assert bob.knock(slug)[0] == 200, "who was let in once may come back"


def test_a_locked_session_takes_nobody_new(place: AppServer, ada: Visitor) -> None:
    slug = ada.start_session("Engines", admission="ANYONE")
    bob, eve = guest(place, slug), guest(place, slug, "Eve")
    bob.join(slug)
    assert ada.host(slug, "settings", locked="on") == (204, "")
    assert ada.join(slug)["session"]["locked"] is True
    assert bob.knock(slug)[0] == 200
    status, answer = eve.knock(slug)
    assert (status, answer["error"]["code"]) == (403, "locked")
    assert ada.host(slug, "settings", locked="off") == (204, "")
    assert eve.knock(slug)[0] == 200


def test_new_sessions_let_guests_knock(place: AppServer, ada: Visitor) -> None:
    made = ada.http.post("/sessions", data={"title": "Plain"})
    slug = made.headers["location"].removeprefix("/s/")
    assert guest(place, slug).knock(slug)[0] == 202
