"""Every message that a page may send in /ws, for somebody of every standing: docs/routes.md."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from core.room import wire
from tests.conftest import MakeServer
from tests.emulators.wordaudio import silence
from tests.support import ROOT
from tests.support.sign_in import LOGIN_SECRET
from tests.support.standings import GUESTS, STANDINGS, TOKENS, Stage, World, key_of, token_of
from tests.support.tables import Tables
from tests.support.waiting import WAIT_TIMEOUT_S

FRAME = (0).to_bytes(8, "little") + silence(0.04)
# Each message as a page says it, and which answer shows that it was heard, if there is one.
MESSAGES: dict[str, tuple[dict[str, Any] | bytes, Callable[[dict[str, Any]], Any] | None]] = {
    "hello": ({"client": "abcdefgh"}, lambda one: one["type"] == "welcome"),
    "mic": ({"on": True}, lambda one: one.get("state") == "ready"),
    "audio": (FRAME, None),
    "lost": ({"from": 640, "until": 1280}, None),
    "beat": ({}, None),
    "take": ({}, None),
    "chat": ({"text": "Hello."}, lambda one: one.get("text") == "Hello."),
    "hand": ({"up": True}, lambda one: any(who["hand"] for who in one.get("people", []))),
    "speak": ({"language": None}, lambda one: one["type"] == "spoken"),
    "read": ({"language": None}, None),
    "reaction": ({"emoji": "👏"}, lambda one: one.get("emoji") == "👏"),
}
TABLE = {
    name: dict(zip(STANDINGS, cells.split(" | "), strict=True))
    for name, cells in re.findall(
        r"^\| `(\w+)` \| ((?:yes|–)[^\n]*) \|$", (ROOT / "docs/routes.md").read_text(), re.MULTILINE
    )
}


@pytest.fixture(scope="module")
def world(make_server_in: MakeServer, make_database: Callable[[], str]) -> World:
    url = make_database()
    server = make_server_in(
        DATABASE_URL=url, LIVEKIT_URL="ws://localhost:9", NEXTAUTH_SECRET=LOGIN_SECRET
    )
    return World(server, Tables(url))


@pytest.mark.parametrize("who", STANDINGS)
def test_who_is_heard(world: World, who: str) -> None:
    heard = asyncio.run(_heard(world, world.stage(), who))
    assert heard == {name for name, cells in TABLE.items() if cells[who] == "yes"}


def test_every_message_has_a_row() -> None:
    tags = {str(one.__struct_config__.tag) for one in get_args(wire.ClientMessage)}
    assert set(TABLE) == set(MESSAGES) == tags | {"audio"}


def _pass(world: World, stage: Stage, who: str) -> str:
    """Return a token for /ws as no page could have it: well signed, for whoever asks.

    Who is nobody in the session says to be the member, by a key of their own.
    """
    slug = stage.slug if who in GUESTS else ""
    digest = hashlib.sha256(key_of(who, slug).encode()).digest()
    present = who in GUESTS or who in ("owner", "member", "removed")
    now, identity = datetime.now(UTC), stage.identity(who if present else "member")
    claims = {
        "iss": "sessions",
        "aud": "sessions:ws",
        "sub": identity,
        "sid": base64.urlsafe_b64encode(digest).decode(),
        "sessionId": stage.session,
        "sessionSlug": stage.slug,
        "identity": identity,
        "iat": now,
        "exp": now + timedelta(minutes=5),
    }
    return jwt.encode(claims, world.server.secret, algorithm="HS256")


async def _opened(world: World, who: str, token: str) -> int:
    """Return the status with which /ws answers whoever has this pass; programs show theirs, too."""
    url = world.server.url.replace("http", "ws") + "/ws"
    offered = [Subprotocol("sessions.v1"), Subprotocol(token)]
    try:
        shown = {"Authorization": f"Bearer {token_of(who)}"} if who in TOKENS else {}
        async with connect(url, subprotocols=offered, compression=None, additional_headers=shown):
            return 101
    except InvalidStatus as refusal:
        return refusal.response.status_code


async def _heard(world: World, stage: Stage, who: str) -> set[str]:
    """Say everything, each followed by a line that shows that it was read; return what counted."""
    # A program has the owner's own pass, and still isn't let in.
    token, heard = _pass(world, stage, "owner" if who in TOKENS else who), set[str]()
    if (status := await _opened(world, who, token)) != 101:
        assert status in ((403,) if who in TOKENS else (401, 404)), status
        return heard
    url = world.server.url.replace("http", "ws") + "/ws"
    offered = [Subprotocol("sessions.v1"), Subprotocol(token)]
    async with (
        connect(url, subprotocols=offered, compression=None) as socket,
        asyncio.timeout(WAIT_TIMEOUT_S),
    ):
        for name, (message, shows) in MESSAGES.items():
            said = message if isinstance(message, bytes) else json.dumps({"type": name} | message)
            await socket.send(said)
            if name != "hello":
                await socket.send(json.dumps({"type": "chat", "text": f"After {name}."}))
            shown, read = shows is None, name == "hello"
            while not (shown and read):
                one = json.loads(await socket.recv())
                if one["type"] == "error":
                    break
                shown = shown or bool(shows and shows(one))
                read = read or one.get("text") == f"After {name}."
            else:
                heard.add(name)
    return heard
