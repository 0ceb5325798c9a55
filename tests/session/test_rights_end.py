"""Rights end when they end: what an attacker kept a copy of is worth nothing afterwards.

Each of these keeps what could be copied, cookie, token of `/ws` and pass to the call, ends the
right, and tries all of it. Two servers share the database: what one of them ends, the other ends.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

import itsdangerous
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from core.process import accounts
from core.settings import Settings
from tests.conftest import MakeServer
from tests.emulators.livekit import LiveKitThread
from tests.support import call, forked
from tests.support.app_server import AppServer
from tests.support.socket_client import SocketClient, said_before_close
from tests.support.tables import Tables
from tests.support.visitors import RoomPage, Visitor, kept_by
from tests.support.waiting import until

SIGNED_OUT, REMOVED = 4403, 4401
SECRET = "one secret for both, as behind one address"


@dataclass(frozen=True)
class Place:
    first: AppServer
    second: AppServer
    tables: Tables
    livekit: LiveKitThread

    def sign_in(self, name: str) -> Visitor:
        return Visitor(self.first.url).sign_in(name)


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer) -> Iterator[Place]:
    with LiveKitThread() as livekit:
        shared = call.environment(livekit) | {"NEXTAUTH_SECRET": SECRET}
        shared["TRANSCRIPTION_JWT_SECRET"] = SECRET
        first = make_server_in(**shared)
        shared["DATABASE_URL"] = first.database_url
        second = make_server_in(**shared)
        call.send_webhooks_to(livekit, first)
        yield Place(first, second, Tables(first.database_url), livekit)
        first.stop()
        second.stop()


@pytest.fixture
def ada(place: Place) -> Visitor:
    return place.sign_in("Ada Lovelace")


def signed_as_before(kept: dict[str, object]) -> str:
    """A cookie of a release that signed with the secret itself."""
    packed = base64.b64encode(json.dumps(kept).encode())
    return itsdangerous.TimestampSigner(SECRET).sign(packed).decode()


def copied(visitor: Visitor, server: AppServer | None = None) -> Visitor:
    """A browser with a copy of another's cookie."""
    thief = Visitor(server.url if server else visitor.url)
    thief.http.cookies.update(visitor.http.cookies)
    return thief


async def worth(place: Place, token: str) -> int:
    """Return what a copy of a token gets: 101 for a socket, or the status of the refusal."""
    client = SocketClient(place.first)
    try:
        socket = await client.open(token)
    except InvalidStatus as refusal:
        return refusal.response.status_code
    await socket.close()
    return 101


def sign_out(visitor: Visitor) -> None:
    assert visitor.http.post("/sign-out").status_code == 303


async def writes(page: RoomPage, text: str) -> bool:
    """Whether a line that this page sends is taken."""
    try:
        await page.send({"type": "chat", "text": text})
        await page.until(
            lambda: page.closed or any(one["text"] == text for one in page.of_type("chat"))
        )
    except ConnectionClosed:
        return False
    return any(one["text"] == text for one in page.of_type("chat"))


async def test_signing_out_ends_sockets_tokens_and_the_call(place: Place, ada: Visitor) -> None:
    slug = ada.start_session()
    thief = copied(ada)
    elsewhere = place.sign_in("Ada Lovelace")  # another browser of the same person
    bob = place.sign_in("Bob")
    passes, bobs = ada.join(slug), bob.join(slug)
    token, me = passes["transcription"]["token"], passes["you"]["identity"]
    others = elsewhere.join(slug)["transcription"]["token"]
    async with ada.page(slug) as page, elsewhere.page(slug) as other, bob.page(slug) as third:
        call.ghost(place.livekit, slug, bobs["you"]["identity"])
        assert await writes(page, "Before.")
        assert await worth(place, token) == 101
        await asyncio.to_thread(sign_out, ada)
        assert await page.until_closed() == SIGNED_OUT
        assert not await writes(page, "After.")
        assert await worth(place, token) == 401
        assert await asyncio.to_thread(lambda: thief.knock(slug)[0]) == 401
        assert await asyncio.to_thread(lambda: thief.host(slug, "mute-all")) == (401, "signed_out")
        # The other browser of the same person, and everybody else, notice nothing.
        assert await worth(place, others) == 101
        assert await writes(other, "I am still here.")
        assert await writes(third, "So am I.")
        assert call.people(place.livekit, slug) == {bobs["you"]["identity"]}
        # With the last login, the call ends as well, and a pass that was kept opens nothing.
        call.ghost(place.livekit, slug, me)
        await asyncio.to_thread(sign_out, elsewhere)
        assert await other.until_closed() == SIGNED_OUT
        await until(lambda: me not in call.people(place.livekit, slug))
        call.ghost(place.livekit, slug, me)  # who comes with the copy of the pass
        await until(lambda: me not in call.people(place.livekit, slug))
        assert bobs["you"]["identity"] in call.people(place.livekit, slug)


async def test_one_person_in_two_browsers_has_one_call(place: Place, ada: Visitor) -> None:
    """Who signs out in one browser isn't thrown out of the call that the other one has."""
    slug = ada.start_session()
    elsewhere = place.sign_in("Ada Lovelace")
    async with ada.page(slug) as page, elsewhere.page(slug) as other:
        me = other.welcome["you"]["identity"]
        call.ghost(place.livekit, slug, me)
        await asyncio.to_thread(sign_out, ada)
        assert await page.until_closed() == SIGNED_OUT
        assert await writes(other, "Here.")
        assert me in call.people(place.livekit, slug)


async def test_other_sessions_of_another_person_go_on(place: Place, ada: Visitor) -> None:
    mine, bob = ada.start_session(), place.sign_in("Bob")
    theirs = bob.start_session()
    async with ada.page(mine) as first, ada.page(theirs) as second, bob.page(theirs) as third:
        await asyncio.to_thread(sign_out, ada)
        assert await first.until_closed() == await second.until_closed() == SIGNED_OUT
        assert await writes(third, "All fine.")


async def test_who_signs_out_before_hello_does_not_come_in(place: Place, ada: Visitor) -> None:
    slug = ada.start_session()
    client = SocketClient(place.first)
    place.sign_in("Ada Lovelace")  # another login of hers is no help to this one's socket
    socket = await client.open_as(ada, slug)
    await asyncio.to_thread(sign_out, ada)
    await socket.send('{"type": "hello", "client": "abcdefgh"}')
    assert await said_before_close(socket) == ([], SIGNED_OUT)


async def test_to_delete_an_account_ends_all_of_it_everywhere(place: Place, ada: Visitor) -> None:
    """Her own session ends for everybody; in another one she is nobody any more, at any server."""
    bob = place.sign_in("Bob")
    own, bobs = ada.start_session(), bob.start_session()
    passes = ada.join(bobs)
    token, me = passes["transcription"]["token"], passes["you"]["identity"]
    at_second = copied(ada, place.second)  # which has none of these rooms
    async with bob.page(own) as guest, ada.page(bobs) as page, ada.page(own) as hers:
        call.ghost(place.livekit, bobs, me)
        assert await writes(page, "Before.")
        form = {"confirm": "ada.lovelace@example.com"}
        gone = await asyncio.to_thread(
            lambda: at_second.http.post("/profile/account/delete", data=form)
        )
        assert gone.status_code == 204
        assert await page.until_closed() == SIGNED_OUT
        assert await guest.until_closed() is not None
        assert await hers.until_closed() is not None
        assert await worth(place, token) == 401
        await until(lambda: me not in call.people(place.livekit, bobs))
        call.ghost(place.livekit, bobs, me)  # who comes with the copy of the pass
        await until(lambda: me not in call.people(place.livekit, bobs))
    assert (await asyncio.to_thread(bob.http.get, f"/s/{own}")).status_code == 404


async def test_what_one_server_ends_the_other_ends_within_seconds(
    place: Place, ada: Visitor
) -> None:
    slug = ada.start_session()
    bob = Visitor(place.first.url).be_guest(slug, "Bob")
    at_second = copied(ada, place.second)
    async with ada.page(slug) as page, bob.page(slug) as guest:
        identity = guest.welcome["you"]["identity"]
        # A host is made, then removed, at the server that doesn't have the room.
        made = await asyncio.to_thread(lambda: at_second.host(slug, f"people/{identity}/host")[0])
        assert made in (200, 204)
        await page.until(
            lambda: any(
                one["identity"] == identity and one["role"] == "HOST"
                for one in page.of_type("people")[-1]["people"]
            )
        )
        removed = await asyncio.to_thread(
            lambda: at_second.host(slug, f"people/{identity}/remove")[0]
        )
        assert removed in (200, 204)
        assert await guest.until_closed() == REMOVED
        await asyncio.to_thread(sign_out, at_second)
        assert await page.until_closed() == SIGNED_OUT


@pytest.mark.parametrize("column", ["expires_at", "idle_at"])
async def test_a_login_that_runs_out_in_mid_call_ends_there(
    place: Place, ada: Visitor, column: str
) -> None:
    slug = ada.start_session()
    token = ada.join(slug)["transcription"]["token"]
    async with ada.page(slug) as page:
        await asyncio.to_thread(
            place.tables, f"UPDATE logins SET {column} = now() - interval '1 second'"
        )
        assert await page.until_closed() == SIGNED_OUT
        assert await worth(place, token) == 401


def operate(place: Place, command: str, email: str) -> tuple[int, str]:
    """Run a command as an operator does, beside the servers that run."""
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": place.first.database_url}
    own = place.first.data_dir / "operator"
    own.mkdir(exist_ok=True)
    return forked.run(f"{command} {email}", own, environment | {"DATA_DIR": str(own)})


async def test_an_account_is_disabled_while_in_a_meeting(place: Place, ada: Visitor) -> None:
    slug, grace = ada.start_session(), place.sign_in("Grace Hopper")
    token = grace.join(slug)["transcription"]["token"]
    form = {"name": "Grace Hopper", "email": "grace.hopper@example.com"}
    async with grace.page(slug) as page, ada.page(slug) as other:
        code, told = await asyncio.to_thread(operate, place, "disable", "Grace.Hopper@example.com")
        assert (code, "signed out everywhere" in told) == (0, True)
        assert await page.until_closed() == SIGNED_OUT
        assert await worth(place, token) == 401
        assert await asyncio.to_thread(lambda: grace.knock(slug)[0]) == 401
        again = await asyncio.to_thread(lambda: grace.http.post("/sign-in/dev", data=form))
        assert again.status_code == 403
        assert "Your account is disabled." in again.text
        assert await writes(other, "Where is Grace?")
    settings = Settings(database_url=place.first.database_url)
    for email, changed in (("grace.hopper@example.com", 1), ("nobody@example.com", 0)):
        found = await asyncio.to_thread(accounts.set_disabled, settings, email, disabled=False)
        assert found == changed
    assert grace.knock(slug)[0] == 401, "what was signed in before stays signed out"
    assert grace.sign_in("Grace Hopper").knock(slug)[0] == 200


# Guests


def forget(visitor: Visitor, slug: str) -> None:
    answer = visitor.http.post(f"/s/{slug}/forget")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_a_guest_leaves_for_good(place: Place, ada: Visitor) -> None:
    slug, other = ada.start_session(), ada.start_session()
    bob = Visitor(place.first.url).be_guest(slug, "Bob").be_guest(other, "Bob")
    thief = copied(bob)
    passes = bob.join(slug)
    token, identity = passes["transcription"]["token"], passes["you"]["identity"]
    async with bob.page(slug) as page, ada.page(slug) as host, bob.page(other) as elsewhere:
        assert ada.host(slug, f"people/{identity}/host")[0] in (200, 204)
        call.ghost(place.livekit, slug, identity)
        assert await asyncio.to_thread(lambda: thief.host(slug, "settings", locked="off")[0]) == 204
        for path, words in ((f"/s/{slug}", "Forget this name here"), (f"/s/{slug}/left", "Leave")):
            page_of_form = bob.http.get(path).text
            assert f'method="post" action="/s/{slug}/forget"' in page_of_form
            assert words in page_of_form
        await asyncio.to_thread(forget, bob, slug)
        assert await page.until_closed() == SIGNED_OUT
        assert await worth(place, token) == 401
        assert await asyncio.to_thread(lambda: thief.knock(slug)[0]) == 401
        assert await asyncio.to_thread(lambda: thief.host(slug, "settings", locked="on")) == (
            401,
            "signed_out",
        )
        assert thief.http.get(f"/s/{slug}/transcript").status_code == 404
        await until(lambda: identity not in call.people(place.livekit, slug))
        # The same browser's other session, and everybody else, go on.
        assert await writes(elsewhere, "Still Bob.")
        assert await writes(host, "Bye, Bob.")
    gate = bob.http.get(f"/s/{slug}").text
    assert "What name should stand next to your words?" in gate
    assert slug not in kept_by(bob)["guests"]


async def test_who_signs_out_or_in_is_no_guest_any_more(place: Place, ada: Visitor) -> None:
    slug = ada.start_session()
    for end in (sign_out, lambda one: one.sign_in("Grace Hopper")):
        bob = Visitor(place.first.url).be_guest(slug, "Bob")
        thief = copied(bob)
        async with bob.page(slug) as page:
            await asyncio.to_thread(end, bob)
            assert await page.until_closed() == SIGNED_OUT
        assert thief.knock(slug)[0] == 401


def test_a_key_is_no_guest_of_another_session(place: Place, ada: Visitor) -> None:
    slug, other = ada.start_session(), ada.start_session()
    bob = Visitor(place.first.url).be_guest(slug, "Bob")
    key = kept_by(bob)["guests"][slug]
    digests = place.tables("SELECT key_digest FROM guest_keys")
    assert key.encode() not in [row["key_digest"] for row in digests], "the key itself isn't kept"
    assert bob.knock(other)[0] == 401
    identity = place.tables.one("SELECT identity FROM participants WHERE name = 'Bob'")
    assert identity not in str(kept_by(bob)), "an identity, which all others see, proves nothing"


def test_an_older_guest_stays_who_they_are_and_can_leave_for_good(
    place: Place, ada: Visitor
) -> None:
    """Their cookie holds their identity, which the upgrade makes their key."""
    slug = ada.start_session()
    bob = Visitor(place.first.url).be_guest(slug, "Bob")
    identity = bob.join(slug)["you"]["identity"]
    old = Visitor(place.first.url)
    old.http.cookies.set(
        "sessions_login", signed_as_before({"guests": {slug: identity}}), domain="localhost.local"
    )
    assert old.knock(slug)[0] == 401, "of a guest of today, the identity is no key"
    place.tables.script("DROP VIEW open_keys; DROP TABLE guest_keys")  # a database of before
    place.second.stop()
    place.second.start()  # a start applies the schema
    assert old.join(slug)["you"]["identity"] == identity
    thief = copied(old)
    forget(old, slug)
    assert thief.knock(slug)[0] == 401
    place.second.stop()
    place.second.start()
    assert thief.knock(slug)[0] == 401, "another start gives nothing back"
