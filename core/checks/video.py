"""LiveKit: our key by a real call, its clock, and the address that browsers connect to.

The server asks by LIVEKIT_API_URL, browsers connect to LIVEKIT_URL. Where the two lead to different
servers, or only one of them works, people see each other's names and hear nothing; so a room is
made by the one, entered by the other, and removed again.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from datetime import timedelta
from urllib.parse import urlencode

import aiohttp
from livekit import api
from livekit.api.twirp_client import ServerError

from core.checks.asking import PATIENCE_S, NoAnswerError, ask, why_not
from core.checks.outcome import Outcome
from core.livekit import TEST_ROOM
from core.settings import Settings
from core.words import N_, Words

TOKEN_LIFETIME = timedelta(minutes=1)
MAX_SKEW_S = 60.0  # seconds; tokens of ten minutes bear more, and who hears of it can mend it
MAX_JOIN = 1 << 20  # bytes of the answer to who joins
UNAUTHORIZED = 401
NO_CALL = N_(
    "There is no call: people neither hear nor see each other, and the room says that video is"
    " away. Captions go on."
)


async def look(settings: Settings) -> list[Outcome]:
    """Look at LiveKit from inside, then from where browsers come."""
    if not settings.calls:
        what = Words(N_("there are no calls (LIVEKIT_URL is off): captions only"))
        return [Outcome("video", "skipped", what)]
    inner = await _inner(settings)
    if inner.state == "failed":
        return [inner]
    return [inner, await _outer(settings)]


async def _inner(settings: Settings) -> Outcome:
    """Make a call of the server's API with our key; the clock is in the answer's head."""
    address, name = settings.livekit_api_url, _name_of_inner(settings)
    try:
        await _asked(settings, api.ListRoomsRequest(names=[f"{TEST_ROOM}none"]))
    except ServerError as problem:
        return _refused(problem, name)
    except (aiohttp.ClientError, OSError, ValueError) as problem:
        return Outcome(
            "video",
            "failed",
            Words(
                N_("LiveKit can't be reached by this server: %(why)s"),
                why=why_not(problem, address),
            ),
            Words(NO_CALL),
            Words(
                N_("Start LiveKit, or correct %(name)s (%(address)s)."), name=name, address=address
            ),
        )
    ahead = await _clock(address)
    facts = {"inner": address, "clock_ahead_s": None if ahead is None else round(ahead, 1)}
    if ahead is not None and abs(ahead) > MAX_SKEW_S:
        return Outcome(
            "video",
            "failed",
            Words(
                N_("LiveKit's clock and this server's are %(seconds)s s apart"),
                seconds=f"{abs(ahead):.0f}",
            ),
            Words(
                N_(
                    "People can't join the call: their passes count from a moment on, and for"
                    " minutes."
                )
            ),
            Words(N_("Set both clocks by NTP (timedatectl set-ntp true).")),
            facts,
        )
    what = Words(N_("LiveKit takes our key at %(address)s"), address=address)
    return Outcome("video", "ok", what, facts=facts)


def _name_of_inner(settings: Settings) -> str:
    same = settings.livekit_api_url == settings.livekit_url
    return "LIVEKIT_URL" if same else "LIVEKIT_API_URL"


def _refused(problem: ServerError, name: str) -> Outcome:
    """Say what a refusal of LiveKit's API means: of the key, or that it isn't LiveKit."""
    if problem.status == UNAUTHORIZED:
        what = Words(N_("LiveKit doesn't take LIVEKIT_API_KEY and LIVEKIT_API_SECRET"))
        todo = Words(
            N_(
                "Set the pair that LiveKit itself has (LIVEKIT_KEYS there, or `keys` of its file);"
                " the two servers' clocks must be right, too."
            )
        )
    else:
        what = Words(
            N_("what answers at %(name)s isn't LiveKit's API (%(status)s)"),
            name=name,
            status=problem.status,
        )
        todo = Words(
            N_("Set %(name)s to the address of LiveKit's server, without /rtc."), name=name
        )
    return Outcome("video", "failed", what, Words(NO_CALL), todo, {"status": problem.status})


async def _clock(address: str) -> float | None:
    """Return by how many seconds LiveKit's clock is ahead; None when it doesn't tell."""
    with suppress(NoAnswerError):
        return (await ask(_http(address))).clock_ahead_s()
    return None


async def _outer(settings: Settings) -> Outcome:
    """Enter a room by the browsers' address, and look for it by ours."""
    address, room = settings.livekit_url, TEST_ROOM + secrets.token_hex(12)
    try:
        await _entered(settings, room)
        rooms = await _asked(settings, api.ListRoomsRequest(names=[room]))
    except aiohttp.WSServerHandshakeError as problem:
        return _not_entered(settings, Words(N_("it answers %(status)s"), status=problem.status))
    except (aiohttp.ClientError, OSError, ValueError, ServerError) as problem:
        return _not_entered(settings, why_not(problem, address))
    finally:
        with suppress(ServerError, aiohttp.ClientError, OSError, ValueError):
            await _asked(settings, api.DeleteRoomRequest(room=room))
    if not rooms.rooms:
        return Outcome(
            "video",
            "failed",
            Words(N_("LIVEKIT_URL and LIVEKIT_API_URL lead to two different LiveKit servers")),
            Words(
                N_("Hosts can't mute or remove anybody in the call, and who leaves isn't noticed.")
            ),
            Words(N_("Set the two to the same server's outer and inner address.")),
        )
    what = Words(N_("browsers can connect to LiveKit at %(address)s"), address=address)
    return Outcome("video", "ok", what, facts={"outer": address})


def _not_entered(settings: Settings, why: Words) -> Outcome:
    address = settings.livekit_url
    what = Words(
        N_("browsers can't connect to LiveKit at %(address)s: %(why)s"), address=address, why=why
    )
    todo = Words(
        N_(
            "Let the proxy pass WebSockets of that address on to LiveKit, without the path of"
            " LIVEKIT_URL, if it has one."
        )
    )
    return Outcome("video", "failed", what, Words(NO_CALL), todo, {"outer": address})


async def _entered(settings: Settings, room: str) -> None:
    """Join a room as a browser would, hear LiveKit's first word, and leave.

    `GET /rtc?access_token=…` with an upgrade is LiveKit's signalling (its protocol's
    livekit_rtc.proto); the first message says who one is, in Protocol Buffers. The token is for
    this one room, which nobody knows, and for a minute.
    """
    grants = api.VideoGrants(room_join=True, room=room, can_publish=False, can_subscribe=False)
    token = (
        api.AccessToken(settings.livekit_api_key, settings.livekit_api_secret)
        .with_identity("check")
        .with_ttl(TOKEN_LIFETIME)
        .with_grants(grants)
    )
    query = urlencode({"access_token": token.to_jwt(), "protocol": "15", "auto_subscribe": "0"})
    async with (
        asyncio.timeout(PATIENCE_S),
        aiohttp.ClientSession() as client,
        client.ws_connect(f"{settings.livekit_url}/rtc?{query}", max_msg_size=MAX_JOIN) as socket,
    ):
        message = await socket.receive()
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise OSError("LiveKit said nothing")


async def _asked(
    settings: Settings, request: api.ListRoomsRequest | api.DeleteRoomRequest
) -> api.ListRoomsResponse:
    """Ask LiveKit's API. Raises ServerError, aiohttp.ClientError, OSError."""
    key, secret = settings.livekit_api_key, settings.livekit_api_secret
    client = api.LiveKitAPI(
        settings.livekit_api_url,
        key,
        secret,
        failover=False,
        timeout=aiohttp.ClientTimeout(total=PATIENCE_S),
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            if isinstance(request, api.DeleteRoomRequest):
                await client.room.delete_room(request)
                return api.ListRoomsResponse()
            return await client.room.list_rooms(request)
    finally:
        await client.aclose()


def _http(address: str) -> str:
    scheme, _, rest = address.partition("://")
    return f"{scheme.replace('ws', 'http')}://{rest}"
