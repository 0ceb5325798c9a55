"""How many sockets there may be, and for whom places are kept."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from core.room.quota import (
    GUESTS_OF_ADDRESS,
    KEPT_FOR_HOSTS,
    PER_PERSON,
    PER_SESSION,
    Place,
    SocketQuota,
)
from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.visitors import Visitor


def fill(quota: SocketQuota, number: int, guest_at: str | None, prefix: str = "p") -> list[Place]:
    """Take so many places in session `one`, each for another person."""
    found = [quota.acquire("one", f"{prefix}_{index}", guest_at) for index in range(number)]
    return [place for place in found if place is not None]


def test_sockets_are_bounded_per_person_and_per_session() -> None:
    quota = SocketQuota()
    places = fill(quota, PER_SESSION + 1, None)
    assert len(places) == PER_SESSION
    assert quota.acquire("other", "p_late", None)
    quota.release(places[0])
    assert quota.acquire("one", "p_late", None)
    for _ in range(PER_PERSON - 1):
        assert quota.acquire("other", "p_late", None)
    assert not quota.acquire("other", "p_late", None)


def test_places_are_kept_for_hosts_and_members() -> None:
    quota = SocketQuota()
    guests = [fill(quota, 100, at, at) for at in ("a", "b", "c")]
    assert [len(some) for some in guests] == [GUESTS_OF_ADDRESS, GUESTS_OF_ADDRESS, 0]
    assert len(fill(quota, 50, None, "host")) == KEPT_FOR_HOSTS
    quota.release(guests[0][0])
    assert not quota.acquire("one", "p_b", "b"), "whose address has its share"
    assert quota.acquire("one", "p_c", "c")


def test_hosts_leave_guests_what_they_dont_take() -> None:
    quota = SocketQuota()
    assert len(fill(quota, 150, None, "member")) == 150
    assert len(fill(quota, 99, "a")) == PER_SESSION - 150
    assert not quota.acquire("one", "p_late", None)


def test_what_is_given_back_is_forgotten() -> None:
    quota = SocketQuota(factor=0.01)
    places = fill(quota, 3, "a") + fill(quota, 3, None, "host")
    assert len(places) == 1 + 3
    for place in places:
        quota.release(place)
    counters = [value for value in vars(quota).values() if isinstance(value, Counter)]
    assert len(counters) == 4
    assert not any(counters)


# On a server where an address may have a tenth of what it usually may.

OFFICE, HOME = "192.0.2.7", "198.51.100.9"


@pytest.fixture(scope="module")
def small(make_server_in: MakeServer) -> AppServer:
    return make_server_in(RATE_LIMIT_FACTOR="0.1")


class Line:
    """A socket that somebody tries to open from an address, and its status."""

    def __init__(self, server: AppServer) -> None:
        self._url = server.url.replace("http", "ws") + "/ws"
        self.opened: list[ClientConnection] = []

    async def open(self, token: str, address: str) -> int:
        """Return the status of the answer."""
        try:
            socket = await connect(
                self._url,
                subprotocols=[Subprotocol("sessions.v1"), Subprotocol(token)],
                additional_headers={"X-Forwarded-For": address},
                compression=None,
            )
        except InvalidStatus as refusal:
            return refusal.response.status_code
        self.opened.append(socket)
        return 101

    async def close(self) -> None:
        await asyncio.gather(*(socket.close() for socket in self.opened))


def token_of(who: Visitor, slug: str) -> str:
    return str(who.join(slug)["transcription"]["token"])


async def test_guests_of_one_address_leave_places_to_others(small: AppServer) -> None:
    ada = Browser(small.url).sign_in("Ada Lovelace")
    slug = ada.start_session("Engines")

    def guest(number: int, address: str) -> str:
        # Names are given at many addresses, as each may give few.
        named = {"X-Forwarded-For": f"203.0.113.{number // 5}"}
        return token_of(Browser(small.url, **named).be_guest(slug, f"Guest {number}"), slug)

    most = round(GUESTS_OF_ADDRESS * 0.1)
    tokens = await asyncio.to_thread(lambda: [guest(number, OFFICE) for number in range(most + 1)])
    line = Line(small)
    try:
        assert [await line.open(token, OFFICE) for token in tokens] == [101] * most + [429]
        assert "audit limited why=too_many_connections address=192.0.2.7" in small.log
        assert await line.open(tokens[-1], HOME) == 101
        host = await asyncio.to_thread(token_of, ada, slug)
        assert await line.open(host, OFFICE) == 101, "a host in the same office"
    finally:
        await line.close()
