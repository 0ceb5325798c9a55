"""Somebody who has the link and many addresses, against a session that takes anyone."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from core.room.quota import GUESTS_OF_ADDRESS, KEPT_FOR_HOSTS, PER_PERSON, PER_SESSION
from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.visitors import Visitor

pytestmark = pytest.mark.torture

NAMES = 520  # more than a session may have people
GUESTS = 25  # with as many sockets as one may have, at each address
ADDRESSES = 3


def guest_at(site: AppServer, address: str) -> Visitor:
    visitor = Visitor(site.url)
    visitor.http.headers["X-Forwarded-For"] = address
    return visitor


async def attempt(site: AppServer, token: str, address: str) -> ClientConnection | int:
    try:
        socket = await connect(
            site.url.replace("http", "ws") + "/ws",
            subprotocols=[Subprotocol("sessions.v1"), Subprotocol(token)],
            additional_headers={"X-Forwarded-For": address},
            compression=None,
            max_queue=None,  # nobody reads here
        )
    except InvalidStatus as refusal:
        return refusal.response.status_code
    await socket.send(json.dumps({"type": "hello", "client": secrets.token_hex(8)}))
    return socket


@pytest.fixture(scope="module")
def site(make_server_in: MakeServer) -> AppServer:
    return make_server_in(RATE_LIMIT_FACTOR="1")


async def test_names_and_sockets_lock_out_no_host(site: AppServer) -> None:
    ada = Visitor(site.url).sign_in("Ada Lovelace")
    slug = ada.start_session("Engines", "ANYONE")

    def give_names() -> Counter[int]:
        answers = (
            guest_at(site, f"10.1.{number // 50}.1").http.post(
                f"/s/{slug}/guest", data={"name": f"Nobody {number}"}
            )
            for number in range(NAMES)
        )
        return Counter(answer.status_code for answer in answers)

    assert await asyncio.to_thread(give_names) == {303: NAMES}
    await asyncio.to_thread(ada.join, slug)

    def token_of(address: str, number: int) -> str:
        guest = guest_at(site, address).be_guest(slug, f"Crowd {number}")
        return str(guest.join(slug)["transcription"]["token"])

    opened: list[ClientConnection] = []
    try:
        for n in range(ADDRESSES):
            address, before = f"192.0.2.{n}", len(opened)
            for number in range(GUESTS):
                token = await asyncio.to_thread(token_of, address, number)
                for _ in range(PER_PERSON):
                    found = await attempt(site, token, address)
                    if isinstance(found, int):
                        assert found == 429
                    else:
                        opened.append(found)
            assert len(opened) - before <= GUESTS_OF_ADDRESS
        assert len(opened) == PER_SESSION - KEPT_FOR_HOSTS
        async with ada.page(slug) as page:  # who is in, and can remove them
            assert page.welcome["you"]["role"] == "HOST"
    finally:
        for socket in opened:
            socket.transport.abort()
