"""`/ws`, docs/protocol.md: who is refused before a socket is accepted."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from core.room.quota import PER_PERSON
from tests.support.socket_client import Claims, SocketClient, claims_of, guest
from tests.support.visitors import Visitor


async def test_a_token_is_needed(client: SocketClient) -> None:
    assert await client.attempt(None) == (401, "bad_token")
    assert await client.attempt("rubbish") == (401, "bad_token")
    assert await client.attempt(None, query="?token=") == (401, "bad_token")


async def test_a_forged_token_is_refused(client: SocketClient, host: Visitor, slug: str) -> None:
    claims = claims_of(host, slug)
    forged = jwt.encode(claims, "another secret, as long as the real one is", algorithm="HS256")
    assert await client.attempt(forged) == (401, "bad_token")
    unsigned = jwt.encode(claims, "", algorithm="none")
    assert await client.attempt(unsigned) == (401, "bad_token")
    other_hash = jwt.encode(claims, client.place.secret, algorithm="HS512")
    assert await client.attempt(other_hash) == (401, "bad_token")


Change = Callable[[Claims], object]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c: c.update(exp=datetime.now(UTC) - timedelta(1)), id="expired"),
        pytest.param(lambda c: c.update(iat=datetime.now(UTC) + timedelta(1)), id="not yet"),
        pytest.param(lambda c: c.pop("exp"), id="without exp"),
        pytest.param(lambda c: c.pop("iat"), id="without iat"),
        pytest.param(lambda c: c.pop("sub"), id="without sub"),
        pytest.param(lambda c: c.pop("identity"), id="without identity"),
        pytest.param(lambda c: c.pop("sessionId"), id="without session"),
        pytest.param(lambda c: c.pop("sessionSlug"), id="without slug"),
        pytest.param(lambda c: c.update(sessionId="17"), id="no session id"),
        pytest.param(lambda c: c.update(identity=17), id="no identity"),
        pytest.param(lambda c: c.pop("iss"), id="without issuer"),
        pytest.param(lambda c: c.update(iss="somebody"), id="of another issuer"),
        pytest.param(lambda c: c.pop("aud"), id="without audience"),
        pytest.param(lambda c: c.update(aud="sessions:mail"), id="for something else"),
        pytest.param(lambda c: c.pop("sid"), id="without key"),
    ],
)
async def test_a_token_with_wrong_claims_is_refused(
    client: SocketClient, host: Visitor, slug: str, change: Change
) -> None:
    claims = claims_of(host, slug)
    change(claims)
    token = jwt.encode(claims, client.place.secret, algorithm="HS256")
    assert await client.attempt(token) == (401, "bad_token")


async def test_nobody_speaks_in_a_session_that_is_not_theirs(
    client: SocketClient, host: Visitor, slug: str
) -> None:
    other = claims_of(host, host.start_session("Other"))
    mixed = claims_of(host, slug) | {"identity": other["identity"]}
    assert await client.attempt(jwt.encode(mixed, client.place.secret)) == (404, "not_found")
    nowhere = other | {"sessionId": str(uuid.uuid4())}
    assert await client.attempt(jwt.encode(nowhere, client.place.secret)) == (404, "not_found")


async def test_an_ended_session_takes_nobody(
    client: SocketClient, host: Visitor, slug: str
) -> None:
    token = host.join(slug)["transcription"]["token"]
    host.end(slug)
    assert await client.attempt(token) == (403, "ended")


async def test_a_foreign_page_is_refused(client: SocketClient, host: Visitor, slug: str) -> None:
    token = host.join(slug)["transcription"]["token"]
    for origin in ("https://evil.example", "null", host.url.replace("http", "https")):
        assert await client.attempt(token, origin=origin) == (403, "foreign_origin")
    assert await client.attempt(token, origin=host.url) == (101, "")
    assert await client.attempt(token) == (101, ""), "a client that is no browser sends no Origin"


async def test_the_subprotocol_is_answered(client: SocketClient, host: Visitor, slug: str) -> None:
    assert (await client.open_as(host, slug)).subprotocol == "sessions.v1"


async def test_a_token_in_the_address_works_and_is_not_logged(
    client: SocketClient, host: Visitor, slug: str
) -> None:
    token = host.join(slug)["transcription"]["token"]
    socket = await client.open(None, query=f"?token={token}")
    assert socket.subprotocol is None
    await socket.send('{"type": "hello", "client": "abcdefgh"}')
    assert json.loads(await socket.recv())["type"] == "welcome"
    assert token.rsplit(".", 1)[1] not in client.place.log


async def test_one_person_has_a_bounded_number_of_sockets(
    client: SocketClient, host: Visitor, slug: str
) -> None:
    token = host.join(slug)["transcription"]["token"]
    attempts = [client.attempt(token) for _ in range(PER_PERSON + 3)]
    statuses = sorted(status for status, _ in await asyncio.gather(*attempts))
    assert statuses == [101] * PER_PERSON + [429] * 3
    assert await client.attempt(token) == (429, "too_many_connections")
    other = guest(host, slug, "Bob").join(slug)["transcription"]["token"]
    assert (await client.attempt(other))[0] == 101
    await client.opened[0].close()
    assert (await eventually(lambda: client.attempt(token)))[0] == 101


async def eventually(act: Callable[[], Awaitable[tuple[int, str]]]) -> tuple[int, str]:
    for _ in range(40):
        status = await act()
        if status[0] == 101:
            break
        await asyncio.sleep(0.05)
    return status
