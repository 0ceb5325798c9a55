"""Who was here and when, and how sessions end, also by themselves and after a crash."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.json_format import MessageToJson
from livekit.protocol import models
from livekit.protocol.webhook import WebhookEvent

from core.database import Database
from core.store import sessions
from tests.conftest import MakeServer
from tests.emulators.livekit import LiveKitThread
from tests.emulators.livekit.tokens import webhook_token
from tests.support import call
from tests.support.app_server import AppServer
from tests.support.http import outside
from tests.support.tables import Tables
from tests.support.visitors import Visitor
from tests.support.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")

MINUTE = timedelta(minutes=1)
HASTE = """
from datetime import timedelta
from core import lifecycle
lifecycle.PAGES_RETURN_WITHIN = timedelta(seconds=1)
import app
app.serve()
"""


@dataclass(frozen=True)
class Place:
    """A server, its database and its LiveKit."""

    server: AppServer
    tables: Tables
    livekit: LiveKitThread

    def session(self, slug: str) -> dict[str, Any]:
        return dict(self.tables("SELECT * FROM sessions WHERE slug = $1", slug)[0])

    def participant(self, identity: str) -> dict[str, Any]:
        return dict(self.tables("SELECT * FROM participants WHERE identity = $1", identity)[0])

    def is_here(self, identity: str) -> bool:
        one = self.participant(identity)
        return one["joined_at"] is not None and one["left_at"] is None

    def poll_now(self, slug: str) -> None:
        self.tables("UPDATE sessions SET polled_at = NULL WHERE slug = $1", slug)

    def tell(self, body: bytes, **headers: str) -> int:
        """Send what may be a webhook."""
        url = f"{self.server.url}/hooks/livekit"
        sent = {"Content-Type": "application/webhook+json"} | headers
        return outside("POST", url, content=body, headers=sent).status_code

    def tell_event(self, kind: str, slug: str, identity: str, at: datetime, **more: str) -> int:
        event = WebhookEvent(
            event=kind,
            room=models.Room(name=slug),
            participant=models.ParticipantInfo(identity=identity),
            id=more.get("id", uuid4().hex),
            created_at=int(at.timestamp()),
        )
        body = MessageToJson(event).encode()
        return self.tell(body, Authorization=self.sign(body))

    def sign(self, body: bytes, secret: str | None = None) -> str:
        server = self.livekit.server
        return webhook_token(body, server.key, secret or server.secret)


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer, make_database: Callable[[], str]) -> Iterator[Place]:
    url = make_database()
    with LiveKitThread() as livekit:
        server = make_server_in(DATABASE_URL=url, **call.environment(livekit))
        yield Place(server, Tables(url), livekit)


@pytest.fixture
def hooked(place: Place) -> Iterator[Place]:
    """The place, with webhooks that reach it."""
    call.send_webhooks_to(place.livekit, place.server)
    yield place
    call.send_webhooks_to(place.livekit, None)


@pytest.fixture
def ada(place: Place) -> Visitor:
    return Visitor(place.server.url).sign_in("Ada Lovelace")


@pytest.fixture
def slug(ada: Visitor) -> str:
    return ada.start_session("Engines")


def now() -> datetime:
    return datetime.now(UTC)


# What LiveKit tells


def test_a_test_of_a_connection_is_no_session(hooked: Place, ada: Visitor, slug: str) -> None:
    """What LiveKit tells of its rooms isn't even noted, and nobody comes or goes by it."""
    me = ada.join(slug)["you"]["identity"]
    told = {"id": "of-a-test"}
    for kind in ("room_started", "participant_joined", "participant_left", "room_finished"):
        assert hooked.tell_event(kind, "connection-test.0123456789abcdef", me, now(), **told) == 204
    assert hooked.session(slug)["status"] == "CREATED"
    assert not hooked.is_here(me)
    noted = "SELECT count(*) FROM livekit_events WHERE id = $1"
    assert hooked.tables.one(noted, "of-a-test") == 0
    assert hooked.tell_event("room_started", slug, me, now(), id="of-a-session") == 204
    assert hooked.tables.one(noted, "of-a-session") == 1


def test_joining_the_call_makes_a_session_live(hooked: Place, ada: Visitor, slug: str) -> None:
    me = ada.join(slug)["you"]["identity"]
    assert hooked.session(slug)["status"] == "CREATED"
    assert slug in hooked.livekit.server.rooms, "the server makes the room"
    began = now()
    in_call = call.ghost(hooked.livekit, slug, me)
    wait_until(lambda: hooked.session(slug)["status"] == "LIVE")
    one, session = hooked.participant(me), hooked.session(slug)
    assert began <= one["joined_at"] <= now()
    assert began <= session["started_at"] <= now()
    assert one["left_at"] is None
    call.hang_up(hooked.livekit, in_call)
    wait_until(lambda: not hooked.is_here(me))
    left = hooked.participant(me)["left_at"]
    assert one["joined_at"] <= left <= now()
    again = call.ghost(hooked.livekit, slug, me)
    wait_until(lambda: hooked.is_here(me))
    assert hooked.participant(me)["joined_at"] == one["joined_at"], "the first time counts"
    call.hang_up(hooked.livekit, again)
    wait_until(lambda: not hooked.is_here(me))


async def test_who_closes_the_page_has_left_though_the_call_has_not_told_yet(
    hooked: Place, ada: Visitor, slug: str
) -> None:
    async with ada.page(slug) as page:
        me = page.welcome["you"]["identity"]
        await asyncio.to_thread(call.ghost, hooked.livekit, slug, me)
        await asyncio.to_thread(wait_until, lambda: hooked.participant(me)["call_seen_at"])
    await asyncio.to_thread(wait_until, lambda: not hooked.is_here(me))


async def test_who_has_no_page_left_but_is_in_the_call_is_still_here(
    hooked: Place, ada: Visitor, slug: str
) -> None:
    async with ada.page(slug) as page:
        me = page.welcome["you"]["identity"]
        in_call = await asyncio.to_thread(call.ghost, hooked.livekit, slug, me)
        await asyncio.to_thread(wait_until, lambda: hooked.participant(me)["call_seen_at"])
        await page.drop()
    await asyncio.to_thread(wait_until, lambda: hooked.participant(me)["page_seen_at"] is None)
    assert await asyncio.to_thread(hooked.is_here, me)
    async with ada.page(slug):
        call.hang_up(hooked.livekit, in_call)
        await asyncio.to_thread(wait_until, lambda: hooked.participant(me)["call_seen_at"] is None)
        assert await asyncio.to_thread(hooked.is_here, me)
    await asyncio.to_thread(wait_until, lambda: not hooked.is_here(me))


def test_the_same_event_counts_once_and_a_late_one_not_at_all(
    place: Place, ada: Visitor, slug: str
) -> None:
    me = ada.join(slug)["you"]["identity"]
    joined = {"id": f"EV_{slug}"}
    assert place.tell_event("participant_joined", slug, me, now(), **joined) == 204
    assert place.is_here(me)
    assert place.tell_event("participant_left", slug, me, now() - MINUTE) == 204
    assert place.is_here(me), "they have been seen since then"
    assert place.tell_event("participant_left", slug, me, now()) == 204
    assert not place.is_here(me)
    assert place.tell_event("participant_joined", slug, me, now(), **joined) == 204
    assert not place.is_here(me)
    assert place.tell_event("participant_joined", slug, "EG_recorder", now()) == 204
    assert place.tell_event("participant_joined", "another-program", me, now()) == 204
    assert not place.is_here(me)
    assert place.tell_event("participant_joined", slug, me, now()) == 204
    assert place.tell_event("room_finished", slug, "", now()) == 204
    assert not place.is_here(me)


def test_what_livekit_did_not_sign_is_refused(place: Place, ada: Visitor, slug: str) -> None:
    me = ada.join(slug)["you"]["identity"]
    event = WebhookEvent(
        event="participant_joined",
        room=models.Room(name=slug),
        participant=models.ParticipantInfo(identity=me),
        id="EV_forged",
    )
    body = MessageToJson(event).encode()
    signature = place.sign(body)
    pass_to_the_call = ada.join(slug)["video"]["token"]
    assert place.tell(body) == 401
    assert place.tell(body, Authorization="rubbish") == 401
    assert place.tell(body, Authorization=pass_to_the_call) == 401
    assert place.tell(body, Authorization=place.sign(body, "another secret" * 3)) == 401
    assert place.tell(body.replace(b"joined", b"lefts!"), Authorization=signature) == 401
    assert place.tell(b"\xff\xfe", Authorization=place.sign(b"\xff\xfe")) == 401
    huge = b" " * 70_000
    assert place.tell(huge, Authorization=place.sign(huge)) == 413
    assert not place.is_here(me)
    foreign = {"Origin": "https://livekit.example", "Sec-Fetch-Site": "cross-site"}
    assert place.tell(body, Authorization=signature, **foreign) == 204
    assert place.is_here(me)


def test_a_removed_person_is_thrown_out_of_the_call_again(hooked: Place, ada: Visitor) -> None:
    slug = ada.start_session("Engines")
    me = ada.join(slug)["you"]["identity"]
    bob = Visitor(hooked.server.url).be_guest(slug, "Bob").join(slug)["you"]["identity"]
    call.ghost(hooked.livekit, slug, me)
    call.ghost(hooked.livekit, slug, bob)
    wait_until(lambda: hooked.is_here(bob))
    assert ada.host(slug, f"people/{bob}/remove") == (204, "")
    assert not hooked.is_here(bob)
    call.ghost(hooked.livekit, slug, bob)
    wait_until(lambda: call.people(hooked.livekit, slug) == {me})
    call.send_webhooks_to(hooked.livekit, None)
    call.ghost(hooked.livekit, slug, bob)
    hooked.poll_now(slug)
    wait_until(lambda: call.people(hooked.livekit, slug) == {me})
    assert not hooked.is_here(bob)


# Where webhooks don't reach us


def test_who_is_in_the_call_is_asked_for(place: Place, ada: Visitor, slug: str) -> None:
    me = ada.join(slug)["you"]["identity"]
    in_call = call.ghost(place.livekit, slug, me)
    place.poll_now(slug)
    wait_until(lambda: place.session(slug)["status"] == "LIVE" and place.is_here(me))
    call.hang_up(place.livekit, in_call)
    place.poll_now(slug)
    wait_until(lambda: not place.is_here(me))


def test_the_end_closes_the_call_now_or_later(place: Place, ada: Visitor) -> None:
    now_slug, later_slug = (ada.start_session("Engines") for _ in range(2))
    for slug in (now_slug, later_slug):
        call.ghost(place.livekit, slug, ada.join(slug)["you"]["identity"])
    ada.end(now_slug)
    assert now_slug not in place.livekit.server.rooms
    place.livekit.server.reject_credentials = True
    ada.end(later_slug)
    place.livekit.server.reject_credentials = False
    assert place.session(later_slug)["status"] == "ENDED"
    assert later_slug in place.livekit.server.rooms
    place.poll_now(later_slug)
    wait_until(lambda: later_slug not in place.livekit.server.rooms)
    wait_until(lambda: not place.session(later_slug)["call_open"])


def test_the_call_of_a_deleted_session_is_closed_too(hooked: Place, ada: Visitor) -> None:
    slugs = [ada.start_session("Engines") for _ in range(2)]
    people = {slug: ada.join(slug)["you"]["identity"] for slug in slugs}
    for slug, me in people.items():
        call.ghost(hooked.livekit, slug, me)
        hooked.livekit.server.reject_credentials = True
        answer = ada.http.post(f"/s/{slug}/delete", headers={"Accept": "application/json"})
        assert answer.status_code == 204, "LiveKit is no reason to keep it"
        hooked.livekit.server.reject_credentials = False
        assert slug in hooked.livekit.server.rooms
    hooked.tables("UPDATE deleted_calls SET polled_at = NULL")
    wait_until(lambda: not hooked.livekit.server.rooms.keys() & people.keys())

    # By a pass that they still have: LiveKit tells of that.
    left, late = slugs
    hooked.tables("UPDATE deleted_calls SET polled_at = now() + interval '1 hour'")
    call.ghost(hooked.livekit, late, people[late])
    wait_until(lambda: late not in hooked.livekit.server.rooms)
    assert hooked.tell_event("room_started", "another-program", "", now()) == 204

    # And once there is none any more, nothing is left of it.
    over = "UPDATE deleted_calls SET deleted_at = now() - interval '16 min', polled_at = NULL"
    hooked.tables(f"{over} WHERE slug = $1", left)
    wait_until(lambda: hooked.tables("SELECT slug FROM deleted_calls") == [(late,)])


def test_a_hanging_livekit_holds_up_a_join_once_and_shortly(place: Place, ada: Visitor) -> None:
    slug = ada.start_session("Engines")
    place.livekit.do(place.livekit.server.hang, "twirp")
    try:
        took = []
        for _ in range(3):
            began = time.monotonic()
            assert ada.join(slug)["transcription"]["token"]
            took.append(time.monotonic() - began)
        assert max(took[1:]) < took[0], "only the first one waits for LiveKit"
        assert ada.end(slug).status_code == 303, "LiveKit never answers, and nobody waits for that"
    finally:
        place.livekit.do(place.livekit.server.unhang)


# By itself


def test_what_nobody_is_in_ends_and_what_nobody_joined_expires(place: Place, ada: Visitor) -> None:
    slugs = {name: ada.start_session(name) for name in ("empty", "pause", "busy", "old", "new")}
    people = {name: ada.join(slugs[name])["you"]["identity"] for name in ("empty", "pause", "busy")}
    for name, identity in people.items():
        assert place.tell_event("participant_joined", slugs[name], identity, now()) == 204
        assert place.tell_event("participant_left", slugs[name], identity, now()) == 204
    assert place.tell_event("participant_joined", slugs["busy"], people["busy"], now()) == 204
    left = now() - 31 * MINUTE
    set_left = "UPDATE participants SET joined_at = $2, left_at = $2 WHERE identity = $1"
    place.tables(set_left, people["empty"], left)
    place.tables(set_left, people["pause"], left + 2 * MINUTE)
    created = "UPDATE sessions SET created_at = $2 WHERE slug = $1"
    place.tables(created, slugs["old"], now() - timedelta(hours=24, minutes=1))
    place.tables(created, slugs["new"], now() - timedelta(hours=23, minutes=59))
    started = "UPDATE sessions SET started_at = $2 WHERE slug = $1"
    for name in people:
        place.tables(started, slugs[name], left - 10 * MINUTE)

    wait_until(lambda: place.session(slugs["empty"])["status"] == "ENDED")
    wait_until(lambda: place.session(slugs["old"])["status"] == "EXPIRED")
    ended = place.session(slugs["empty"])
    assert (ended["end_reason"], ended["ended_at"]) == ("AUTO_EMPTY_ROOM", left)
    assert place.session(slugs["old"])["end_reason"] == "EXPIRED_NO_JOIN"
    assert place.session(slugs["pause"])["status"] == "LIVE"
    assert place.session(slugs["busy"])["status"] == "LIVE"
    assert place.session(slugs["new"])["status"] == "CREATED"
    wait_until(lambda: slugs["empty"] not in place.livekit.server.rooms)
    assert ada.http.get(f"/s/{slugs['old']}").status_code == 404
    assert "10 min" in ada.http.get(f"/s/{slugs['empty']}").text


async def test_after_a_crash_everybody_left_when_they_were_last_seen(
    make_server: MakeServer, make_database: Callable[[], str]
) -> None:
    url = await asyncio.to_thread(make_database)
    first = await asyncio.to_thread(make_server, DATABASE_URL=url, LIVEKIT_URL="ws://localhost:9")
    tables = Tables(url)
    ada = Visitor(first.url).sign_in("Ada Lovelace")
    slug = ada.start_session("Engines")
    async with ada.page(slug) as page:
        first.kill()
        await page.until_closed()
    open_ones = "SELECT count(*) FROM participants WHERE left_at IS NULL AND joined_at IS NOT NULL"
    assert await asyncio.to_thread(tables.one, open_ones) == 1
    seen = now() - 40 * MINUTE
    earlier = "UPDATE participants SET joined_at = $1, page_seen_at = $1"
    await asyncio.to_thread(tables, earlier, seen)
    await asyncio.to_thread(first.start)
    # Pages have time to come back, with all that was said meanwhile.
    other = await asyncio.to_thread(ada.start_session, "Looked after, once more")
    old = "UPDATE sessions SET created_at = now() - interval '2 days' WHERE slug = $1"
    await asyncio.to_thread(tables, old, other)
    expired = "SELECT 1 FROM sessions WHERE status = 'EXPIRED'"
    await asyncio.to_thread(wait_until, lambda: tables(expired))
    await page.connect()
    await page.leave()
    # And those who don't left when they were last seen.
    await asyncio.to_thread(first.kill)
    await asyncio.to_thread(tables, earlier + ", left_at = NULL", seen)
    hasty = [sys.executable, "-c", HASTE]
    await asyncio.to_thread(
        make_server, command=hasty, DATABASE_URL=url, LIVEKIT_URL="ws://localhost:9"
    )
    ended = "SELECT ended_at FROM sessions WHERE end_reason = 'AUTO_EMPTY_ROOM'"
    await asyncio.to_thread(wait_until, lambda: tables(ended))
    assert await asyncio.to_thread(tables.one, ended) == seen
    assert await asyncio.to_thread(tables.one, "SELECT left_at FROM participants") == seen


async def test_processes_share_the_work(make_database: Callable[[], str]) -> None:
    url = await asyncio.to_thread(make_database)
    databases = [Database(url) for _ in range(3)]
    for one in databases:
        await one.connect()
    try:
        await databases[0].execute("INSERT INTO spaces (name) VALUES ('S');")
        await databases[0].execute(
            "INSERT INTO sessions (slug, title, space_id, status, started_at)"
            " SELECT 's' || n, 'T', id, 'LIVE', now() - interval '1 hour'"
            " FROM spaces, generate_series(1, 40) n"
        )
        earlier = now() - MINUTE
        claims = [sessions.claim_calls(one, earlier, now(), 20) for one in databases]
        claimed = [one.slug for share in await asyncio.gather(*claims) for one in share]
        assert sorted(claimed) == sorted(set(claimed))
        assert len(claimed) == 40
        ends = [sessions.end_empty(one, now(), now()) for one in databases]
        ended = [one.slug for share in await asyncio.gather(*ends) for one in share]
        assert sorted(ended) == sorted(claimed)
    finally:
        for one in databases:
            await one.disconnect()
