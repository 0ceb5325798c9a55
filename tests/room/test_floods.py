"""Whoever floods /ws is closed with a code and slowed down; others go on."""

from __future__ import annotations

import asyncio
import itertools
import re

import jwt
import pytest

from core.slow_down import (
    ADDRESS_FIRST_S,
    ADDRESS_LONGEST_S,
    FIRST_S,
    FLOODS_OF_ADDRESS,
    FORGIVEN,
    LONGEST_S,
    MEMORY_S,
    SlowDown,
)
from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.attacks import CUT, FLOODS, MUTED, Order, Outcome, RawSocket, attack
from tests.support.bystanders import victim
from tests.support.visitors import Visitor
from tests.support.waiting import until

# What each of them passes first, as the audit log tells.
BOUNDS = {
    "empty pings": "frames",
    "125-byte pings": "frames",
    "pongs": "frames",
    "empty fragments": "fragments",
    "audio in fragments": "frames",
    "hands": "too_much",
    "reactions": "too_much",
    "take": "too_much",
    "mic on and off": "mic_too_often",
    "mic off": "messages",
    "beats": "messages",
}
CODES = {"audio while off": 1003, "audio faster than real time": 4429, MUTED: 4429}
_sources = (f"127.0.1.{number}" for number in itertools.count(1))


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer) -> AppServer:
    """Sessions with the limits that it has by default."""
    return make_server_in(RATE_LIMIT_FACTOR="1")


@pytest.fixture(scope="module")
def ada(place: AppServer) -> Visitor:
    return Visitor(place.url).sign_in("Ada Lovelace")


@pytest.fixture(scope="module")
def slug(ada: Visitor) -> str:
    return ada.start_session()


class Mallory:
    """A guest with an address of their own."""

    def __init__(self, ada: Visitor, slug: str, source: str | None = None) -> None:
        guest = Visitor(ada.url).be_guest(slug, "Mallory")
        self.source = source or next(_sources)
        self.url = ada.url
        self.token: str = guest.join(slug)["transcription"]["token"]
        claims = jwt.decode(self.token, options={"verify_signature": False})
        self.identity: str = claims["identity"]
        self._ada, self._slug = ada, slug

    def flood(self, kind: str) -> Outcome:
        """Send as fast as it goes until closed."""
        order = Order(kind, self.url, self.token, 60, until_closed=True, source=self.source)
        return attack(order, self._mute if kind == MUTED else lambda: None)

    def _mute(self) -> None:
        self._ada.host(self._slug, f"people/{self.identity}/mute")

    def try_again(self) -> tuple[int, str]:
        """Return the status and head of the answer to another handshake."""
        client = RawSocket(self.url, self.token, self.source)
        client.socket.close()
        return client.status, client.head.lower()


@pytest.fixture
def mallory(ada: Visitor, slug: str) -> Mallory:
    return Mallory(ada, slug)


@pytest.mark.parametrize("kind", [kind for kind in FLOODS if kind != CUT])
async def test_a_flood_is_closed_and_others_are_answered(
    place: AppServer, ada: Visitor, slug: str, mallory: Mallory, kind: str
) -> None:
    token = ada.join(slug)["transcription"]["token"]
    async with victim(ada.url, token) as other:
        flood = asyncio.create_task(asyncio.to_thread(mallory.flood, kind))
        pings = await other.measure(0.1)
        outcome = await flood
    assert outcome.code == CODES.get(kind, 1008)
    if kind in BOUNDS:
        noted = f"flood_closed participant={mallory.identity} bound={BOUNDS[kind]} "
        await until(lambda: noted in place.log)
    assert pings.at(1) < 10_000


def test_nothing_is_read_after_a_flood_was_closed(mallory: Mallory) -> None:
    order = Order("empty pings", mallory.url, mallory.token, 60, source=mallory.source)
    outcome = attack(order)
    assert outcome.code == 1008
    assert outcome.ended_after is not None, "it is ended although its client goes on"
    assert outcome.sent < 50_000_000, "what the kernels hold is all that was taken"


def test_who_floods_may_not_come_back_at_once_but_others_may(
    ada: Visitor, slug: str, mallory: Mallory
) -> None:
    assert mallory.flood("empty pings").code == 1008
    status, head = mallory.try_again()
    assert status == 429
    wait = re.search(r"retry-after: (\d+)", head)
    assert wait is not None
    assert FIRST_S / 2 < int(wait[1]) <= FIRST_S
    assert Mallory(ada, slug, mallory.source).try_again()[0] == 101, "a colleague comes in"


def test_an_address_is_slowed_after_several_floods(ada: Visitor, slug: str) -> None:
    source = next(_sources)
    for _ in range(int(FLOODS_OF_ADDRESS) + 1):
        assert Mallory(ada, slug, source).flood("empty pings").code == 1008
    assert Mallory(ada, slug, source).try_again()[0] == 429
    assert Mallory(ada, slug).try_again()[0] == 101, "at another address"


def test_a_participant_is_refused_longer_each_time_but_not_for_ever() -> None:
    slow, now = SlowDown(), 1e6
    waits = []
    for number in range(8):
        slow.flooded(f"address {number}", "p", now)
        waits.append(slow.refused_for("another", "p", now))
        now += 1
    assert waits == [min(LONGEST_S, FIRST_S * 2**number) for number in range(8)]
    assert slow.refused_for("address 0", "somebody else", now) == 0
    now += MEMORY_S + 1
    slow.flooded("address", "p", now)
    assert slow.refused_for("another", "p", now) == FIRST_S, "what was long ago is forgotten"


def test_an_address_is_never_refused_for_more_than_half_of_the_time() -> None:
    slow, refused, longest, spell = SlowDown(), 0, 0, 0
    for second in range(4000):
        now = 1e6 + second
        slow.flooded("office", f"name {second}", now)
        closed = slow.refused_for("office", "colleague", now) > 0
        refused += closed
        spell = spell + 1 if closed else 0
        longest = max(longest, spell)
    assert longest == ADDRESS_LONGEST_S
    assert refused <= 2000 + ADDRESS_LONGEST_S
    assert ADDRESS_FIRST_S < ADDRESS_LONGEST_S


def test_mistakes_are_forgiven_twice() -> None:
    slow = SlowDown()
    for _ in range(FORGIVEN):
        slow.mistaken("address", "p", 1e6)
    assert slow.refused_for("address", "p", 1e6) == 0
    slow.mistaken("address", "p", 1e6)
    assert slow.refused_for("address", "p", 1e6) == FIRST_S
