"""A browser that vanishes says no goodbye: others see within seconds that it doesn't answer."""

from __future__ import annotations

from typing import Any

import pytest

from core.model import Participant
from core.room.presence import AWAY_AFTER, LOST_AFTER, LOST_KEPT, Lost, Pulse
from tests.support.app_server import AppServer
from tests.support.visitors import RoomPage, Visitor


@pytest.fixture(scope="module")
def place(server: AppServer) -> AppServer:
    return server


def seen(page: RoomPage, name: str) -> dict[str, Any] | None:
    """Return how a page sees somebody now; None when they aren't here."""
    people = page.of_type("people")[-1]["people"] if page.of_type("people") else []
    return next((one for one in people if one["name"] == name), None)


def meet(place: AppServer) -> tuple[Visitor, str, RoomPage]:
    """Return Ada, the slug of her session, and a page of Bob's that promises to answer beats."""
    ada = Visitor(place.url).sign_in("Ada Lovelace")
    slug = ada.start_session()
    bob = Visitor(place.url).be_guest(slug, "Bob").page(slug)
    bob.beats = True
    return ada, slug, bob


async def is_away(page: RoomPage, name: str, away: bool) -> None:
    await page.until(lambda: (seen(page, name) or {}).get("away") is away)


async def test_who_does_not_answer_is_away_until_heard_again(place: AppServer) -> None:
    ada, slug, bob = meet(place)
    async with ada.page(slug) as page:
        await bob.connect()
        await is_away(page, "Bob", False)
        await bob.until(lambda: bob.of_type("beat"))
        await is_away(page, "Bob", True)
        assert (seen(page, "Ada Lovelace") or {})["away"] is False, (
            "who promised nothing owes nothing"
        )
        await bob.send({"type": "beat"})
        await is_away(page, "Bob", False)
        # Its line breaks: it is expected back for a while, and marked.
        await bob.drop()
        await is_away(page, "Bob", True)
        await bob.connect()
        await is_away(page, "Bob", False)
        await bob.leave()
        await page.until(lambda: seen(page, "Bob") is None)
        assert not page.of_type("beat")


async def test_who_is_removed_is_not_expected_back(place: AppServer) -> None:
    ada, slug, bob = meet(place)
    async with ada.page(slug) as page:
        await bob.connect()
        await is_away(page, "Bob", False)
        identity = bob.welcome["you"]["identity"]
        assert ada.host(slug, f"people/{identity}/remove")[0] in (200, 204)
        assert await bob.until_closed() == 4401
        await bob.drop()
        await page.until(lambda: seen(page, "Bob") is None)


# What takes longer than a test should


def test_one_lost_beat_is_no_loss() -> None:
    pulse = Pulse(answers=True)
    for second in range(40):  # every second beat is answered
        assert not pulse.tick(1 + second // 4, 0)
    assert any(pulse.tick(10, 0) for _ in range(AWAY_AFTER))
    assert pulse.away
    assert pulse.tick(10, 640)
    assert not pulse.away


def test_who_promised_no_answer_is_never_away() -> None:
    pulse = Pulse(answers=False)
    assert not any(pulse.tick(0, 0) for _ in range(100))


def test_who_vanished_is_expected_for_a_while() -> None:
    bob = Participant("p_bob", "session", "Bob", 2, "GUEST")
    lost = Lost()
    lost.add(bob)
    assert list(lost.people()) == [(bob, False)]
    assert [lost.tick() for _ in range(LOST_AFTER)] == [False] * (LOST_AFTER - 1) + [True]
    assert list(lost.people()) == [(bob, True)]
    assert [lost.tick() for _ in range(LOST_KEPT)].count(True) == 1
    assert list(lost.people()) == []
