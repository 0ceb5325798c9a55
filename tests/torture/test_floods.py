"""Floods of /ws while others are timed: pings, audio, captions. And pages that never read."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import jwt
import pytest

from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.support.app_server import AppServer
from tests.support.attacks import FLOODS, MUTED, Flood, Order, RawSocket, resident
from tests.support.bystanders import Others, others
from tests.support.unread import come_in, fill_chat, seconds_until_gone, still_there
from tests.support.visitors import Visitor

pytestmark = pytest.mark.torture

BEYOND_CALM_MS = 50  # of pings, audio and captions, at p99
CALM_S, FLOOD_S = 1.5, 1.5
TRIES = 3  # the machine may be busy with something else meanwhile
SLOWLY = 250_000  # bytes a second: 2 Mbit/s
PAST, PAGES = 4900, 40
MB_OF_PAGE = 2
GIVEN_UP_AFTER_S, GONE_AFTER_S = 10, 10
CODES = {1003, 1008, 4429}


@pytest.fixture(scope="module")
def gladia() -> Iterator[GladiaEmulator]:
    with GladiaEmulator() as running:
        yield running


@pytest.fixture(scope="module")
def place(gladia: GladiaEmulator, make_server_in: MakeServer) -> AppServer:
    return make_server_in(
        RATE_LIMIT_FACTOR="3", GLADIA_API_KEY=gladia.api_key, GLADIA_API_URL=gladia.url
    )


@asynccontextmanager
async def others_in(place: AppServer, gladia: GladiaEmulator) -> AsyncIterator[Others]:
    host = await asyncio.to_thread(Visitor(place.url).sign_in, "Host")

    def token() -> str:
        passes = host.join(host.start_session())
        return str(passes["transcription"]["token"])

    tokens = await asyncio.to_thread(token), await asyncio.to_thread(token)
    async with others(place.url, tokens, gladia) as both:
        yield both


class Mallory:
    """Attacks a session of their own, each time as another guest at another address."""

    def __init__(self, place: AppServer) -> None:
        self._host = Visitor(place.url).sign_in("Mallory")
        self._slug = self._host.start_session()
        self._numbers = itertools.count(1)

    def flood(self, kind: str, rate: float) -> Flood:
        number = next(self._numbers)
        guest = Visitor(self._host.url).be_guest(self._slug, f"Guest {number}")
        token = guest.join(self._slug)["transcription"]["token"]
        source = f"127.0.3.{number}"
        flood = Flood(Order(kind, guest.url, token, FLOOD_S, rate, source=source))
        if kind == MUTED:
            claims = jwt.decode(token, options={"verify_signature": False})
            self._host.host(self._slug, f"people/{claims['identity']}/mute")
        return flood


async def test_whatever_somebody_sends_others_hardly_notice(
    place: AppServer, gladia: GladiaEmulator
) -> None:
    mallory = await asyncio.to_thread(Mallory, place)
    rates = [(kind, 0.0) for kind in FLOODS] + [("empty pings", SLOWLY), ("hands", SLOWLY)]
    async with others_in(place, gladia) as both:
        for kind, rate in rates:
            beyond: list[dict[str, float]] = []
            while not beyond or (max(beyond[-1].values()) > BEYOND_CALM_MS and len(beyond) < TRIES):
                calm = await both.notice(CALM_S)
                flood = await asyncio.to_thread(mallory.flood, kind, rate)
                meanwhile = await both.notice(FLOOD_S)
                outcome = await asyncio.to_thread(flood.outcome)
                assert outcome.code in CODES, (kind, outcome)
                beyond.append(meanwhile.beyond(calm))
            assert max(beyond[-1].values()) < BEYOND_CALM_MS, (kind, rate, beyond)


async def test_pages_that_never_read_cost_little_and_are_let_go(place: AppServer) -> None:
    host = await asyncio.to_thread(Visitor(place.url).sign_in, "Host")
    slug = await asyncio.to_thread(host.start_session)
    passes = await asyncio.to_thread(host.join, slug)
    claims = jwt.decode(passes["transcription"]["token"], options={"verify_signature": False})
    await fill_chat(place.database_url, slug, claims["identity"], PAST)
    async with host.page(slug) as page:  # which has the room loaded, and the past of it
        before = resident(place.pid)
        clients = await asyncio.to_thread(_sleepers, place, slug)
        await page.until(lambda: len(page.of_type("people")[-1]["people"]) == PAGES + 1)
        grown = resident(place.pid) - before
        seconds = await asyncio.to_thread(
            seconds_until_gone, clients, GIVEN_UP_AFTER_S + GONE_AFTER_S
        )
        assert still_there(clients) == 0, seconds
        await page.until(lambda: len(page.of_type("people")[-1]["people"]) == 1)
    for client in clients:
        client.socket.close()
    assert grown < PAGES * MB_OF_PAGE


def _sleepers(place: AppServer, slug: str) -> list[RawSocket]:
    clients = []
    for number in range(PAGES):
        guest = Visitor(place.url).be_guest(slug, f"Sleeper {number}")
        token = guest.join(slug)["transcription"]["token"]
        clients.append(come_in(place.url, token, "127.0.0.1"))
    return clients
