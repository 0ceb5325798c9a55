"""What the page of the connection test is given: a room of its own, and what the server knows."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jwt
import pytest

from core.livekit import PATHS, TEST_PROBLEM_KEPT_S
from tests.conftest import MakeServer
from tests.emulators.livekit import LiveKitThread
from tests.support import call
from tests.support.app_server import AppServer
from tests.support.visitors import Visitor
from tests.support.waiting import wait_until


@dataclass
class Place:
    """A server and its LiveKit."""

    server: AppServer
    livekit: LiveKitThread

    def begin(self, who: Visitor, path: str = "/connection") -> dict[str, Any]:
        """Return what the page is given for LiveKit."""
        answer = who.http.post(path, headers={"Accept": "application/json"})
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        given: dict[str, Any] = answer.json()["call"]
        return given


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer) -> Iterator[Place]:
    with LiveKitThread() as livekit:
        yield Place(make_server_in(**call.environment(livekit)), livekit)


@pytest.fixture
def ada(place: Place) -> Visitor:
    return Visitor(place.server.url).sign_in("Ada Lovelace")


def test_a_room_of_its_own_in_which_nothing_can_be_sent(place: Place, ada: Visitor) -> None:
    slug = ada.start_session(admission="KNOCK")
    guest = Visitor(place.server.url).be_guest(slug, "Bob")
    began = time.time()
    given = place.begin(guest, f"/s/{slug}/connection")
    assert given["server"] == "ok"
    assert given["url"] == place.livekit.server.ws_url
    assert [*given["tokens"]] == [*PATHS]
    rooms = set()
    for path, token in given["tokens"].items():
        claims = jwt.decode(token, place.livekit.server.secret, algorithms=["HS256"])
        assert claims["sub"] == path
        assert claims["exp"] - began < 122
        rooms.add(claims["video"].pop("room"))
        assert claims["video"] == {
            "roomJoin": True,
            "canSubscribe": True,
            "canPublish": False,
            "canPublishData": False,
            "canUpdateOwnMetadata": False,
        }
    (room,) = rooms
    assert re.fullmatch(r"connection-test\.[0-9a-f]{16}", room)
    assert slug not in place.livekit.server.rooms, "nobody is in the session's call"
    info = place.livekit.server.rooms[room].info
    assert (info.empty_timeout, info.departure_timeout, info.max_participants) == (60, 5, 4)
    assert room not in str(place.begin(guest, f"/s/{slug}/connection")), "another one each time"


def test_a_guest_who_knocks_is_noted_nowhere_for_it(place: Place, ada: Visitor) -> None:
    slug = ada.start_session(admission="KNOCK")
    stranger = Visitor(place.server.url).sign_in("Eve")
    place.begin(stranger, f"/s/{slug}/connection")
    assert stranger.http.get(f"/s/{slug}/connection").status_code == 200
    assert "waits" not in ada.http.get("/").text


def test_what_the_server_meets_is_told_and_kept_for_a_moment(place: Place, ada: Visitor) -> None:
    livekit = place.livekit
    livekit.do(setattr, livekit.server, "reject_credentials", True)
    assert place.begin(ada)["server"] == "refused"
    livekit.do(setattr, livekit.server, "reject_credentials", False)
    rooms = len(livekit.server.rooms)
    given = place.begin(ada)
    assert given["server"] == "refused", "LiveKit isn't asked again at once"
    assert len(livekit.server.rooms) == rooms
    assert given["tokens"], "the page may get further than the server"
    began = time.monotonic()
    wait_until(lambda: place.begin(ada)["server"] == "ok")
    assert time.monotonic() - began > TEST_PROBLEM_KEPT_S / 2
    livekit.call(livekit.server.stop())
    try:
        assert place.begin(ada)["server"] == "unreachable"
    finally:
        livekit.call(livekit.server.start())
