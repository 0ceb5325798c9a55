"""LiveKit: tokens that let a page join its session's room, and what the server does in rooms.

No admin grant leaves this module: pages get a pass for themselves, and hosts ask the server.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
import warnings
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, TypeVar, get_args

import aiohttp
from jwt.warnings import InsecureKeyLengthWarning
from livekit import api
from livekit.api.twirp_client import ServerError
from livekit.protocol.models import ParticipantInfo, TrackSource
from livekit.protocol.webhook import WebhookEvent

from core.metrics import LIVEKIT_REQUESTS
from core.model import Participant, Role, Session
from core.settings import Settings

# LiveKit's own development secret is six letters; it can't be chosen here.
warnings.filterwarnings("ignore", category=InsecureKeyLengthWarning, module="jwt")

TOKEN_LIFETIME = timedelta(minutes=10)  # LiveKit renews it on an open connection
_ALL = ["microphone", "camera", "screen_share", "screen_share_audio"]
SOURCES: dict[Role, list[str]] = {"HOST": _ALL, "MEMBER": _ALL, "GUEST": _ALL}
API_TIMEOUT_S = 4.0  # seconds for a call to LiveKit's API; its own timeouts never fire
OPEN_ROOM_TIMEOUT_S = 1.5  # seconds that somebody who joins waits for their room to be made
BREATHER = 15.0  # seconds without such waiting after LiveKit did not answer
MUTED_AT_ONCE = 10  # requests to LiveKit side by side when everybody is muted
EVENT_ID = re.compile("[!-~]{0,200}")  # of a webhook: PostgreSQL takes no NUL, and an index 2.7 kB
END_OF_TIME = 2**33  # seconds since 1970 of a webhook, in the year 2242: not all 64 bits are a time
ROOM_KEPT = 30 * 60  # seconds that LiveKit keeps an empty room: a session may pause
# Of a room in which somebody tries their connection. No session is called so: a slug has no dot.
TEST_ROOM = "connection-test."
TEST_ROOM_KEPT = 60, 5  # seconds that LiveKit keeps one in which nobody was, and that all have left
TEST_TOKEN_LIFETIME = timedelta(minutes=2)
TEST_PROBLEM_KEPT_S = 5.0  # seconds for which LiveKit isn't asked again, after it didn't make one

log = logging.getLogger(__name__)
T = TypeVar("T")
CallProblem = Literal["unreachable", "refused", "failed"]
# The ways that sound and picture can take to LiveKit; each is tried under an identity of its own,
# as LiveKit remembers for each which way failed.
Path = Literal["udp", "tcp", "turn-udp", "turn-tls"]
PATHS: Final[tuple[Path, ...]] = get_args(Path)


class CallError(Exception):
    """LiveKit didn't do it. `problem`: it doesn't answer, refuses our key, or failed."""

    def __init__(self, problem: CallProblem) -> None:
        super().__init__(problem)
        self.problem: CallProblem = problem


class BadWebhookError(Exception):
    """What came isn't signed by our LiveKit."""


class OddWebhookError(BadWebhookError):
    """What came is signed, and yet has an id or a time that can't be: it can't be noted."""


@dataclass(frozen=True, slots=True)
class VideoPass:
    """What a page needs to join the call."""

    url: str
    token: str


def video_pass(settings: Settings, session: Session, participant: Participant) -> VideoPass | None:
    """Return a pass for the participant's own identity, without any admin grant.

    None where there are no calls.
    """
    if not settings.calls:
        return None
    grants = api.VideoGrants(
        room_join=True,
        room=session.slug,
        can_subscribe=True,
        can_publish=True,
        can_publish_data=True,
        can_publish_sources=SOURCES[participant.role],
        can_update_own_metadata=False,
    )
    token = (
        api.AccessToken(settings.livekit_api_key, settings.livekit_api_secret)
        .with_identity(participant.identity)
        .with_name(participant.name)
        .with_attributes({"role": participant.role, "hue": str(participant.hue)})
        .with_ttl(TOKEN_LIFETIME)
        .with_grants(grants)
    )
    return VideoPass(settings.livekit_url, token.to_jwt())


def passes_to_test(settings: Settings, room: str) -> dict[Path, str]:
    """Return a token for each path to a room of `Calls.open_test_room`, good for two minutes.

    With one a page can be there, and neither send nor show anything to anybody.
    """
    grants = api.VideoGrants(
        room_join=True,
        room=room,
        can_subscribe=True,
        can_publish=False,
        can_publish_data=False,
        can_update_own_metadata=False,
    )

    def token(path: Path) -> str:
        made = api.AccessToken(settings.livekit_api_key, settings.livekit_api_secret)
        made = made.with_identity(path).with_ttl(TEST_TOKEN_LIFETIME)
        return made.with_grants(grants).to_jwt()

    return {path: token(path) for path in PATHS}


def is_test(event: WebhookEvent) -> bool:
    """Whether LiveKit tells of a room in which somebody tries their connection."""
    return event.room.name.startswith(TEST_ROOM)


class Calls:
    """What the server does in LiveKit's rooms; made in the running event loop.

    Every method raises CallError. Who or what isn't there needs nothing done.
    """

    def __init__(self, settings: Settings) -> None:
        key, secret = settings.livekit_api_key, settings.livekit_api_secret
        self._api = api.LiveKitAPI(settings.livekit_api_url, key, secret, failover=False)
        self._webhooks = api.WebhookReceiver(api.TokenVerifier(key, secret))
        self._silent_until = 0.0
        self._test_problem: tuple[float, CallProblem] = (0.0, "failed")  # until when it is known

    async def close(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    async def open_room(self, slug: str) -> None:
        """Make the room; done before, it changes nothing. Quick to give up: somebody waits."""
        if time.monotonic() < self._silent_until:
            raise CallError("unreachable")
        request = api.CreateRoomRequest(
            name=slug, empty_timeout=ROOM_KEPT, departure_timeout=ROOM_KEPT
        )
        try:
            await _asked(self._api.room.create_room(request), OPEN_ROOM_TIMEOUT_S)
        except CallError:
            self._silent_until = time.monotonic() + BREATHER
            raise

    async def open_test_room(self) -> tuple[str, CallProblem | None]:
        """Make a room for a test of somebody's connection; it goes by itself.

        Returns its name, and why LiveKit didn't make it for us, which is worth knowing: what the
        page meets itself tells whether that is the server's fault. Raises nothing.
        """
        room = TEST_ROOM + secrets.token_hex(8)
        until, problem = self._test_problem
        if time.monotonic() < until:
            return room, problem
        unused, left = TEST_ROOM_KEPT
        request = api.CreateRoomRequest(
            name=room, empty_timeout=unused, departure_timeout=left, max_participants=len(PATHS)
        )
        try:
            await _asked(self._api.room.create_room(request))
        except CallError as error:
            self._test_problem = time.monotonic() + TEST_PROBLEM_KEPT_S, error.problem
            return room, error.problem
        return room, None

    async def close_room(self, slug: str) -> None:
        """Close the room with everybody in it."""
        await _asked(self._api.room.delete_room(api.DeleteRoomRequest(room=slug)))

    async def remove(self, slug: str, identity: str) -> None:
        """Throw somebody out. Their pass stays good for minutes: see core.lifecycle."""
        who = api.RoomParticipantIdentity(room=slug, identity=identity)
        await _asked(self._api.room.remove_participant(who))

    async def mute(self, slug: str, identity: str) -> None:
        """Mute somebody's microphone; only they can turn it on again."""
        who = api.RoomParticipantIdentity(room=slug, identity=identity)
        info = await _asked(self._api.room.get_participant(who))
        if info is not None:
            await self._mute(slug, info)

    async def mute_all(self, slug: str, but: set[str]) -> None:
        """Mute the microphones of everybody in the call but some, a few at a time."""
        found = await _asked(
            self._api.room.list_participants(api.ListParticipantsRequest(room=slug))
        )
        few = asyncio.Semaphore(MUTED_AT_ONCE)

        async def one(info: ParticipantInfo) -> None:
            async with few:
                await self._mute(slug, info)

        here = found.participants if found else ()
        muting = [one(info) for info in here if info.identity not in but]
        done = await asyncio.gather(*muting, return_exceptions=True)
        for problem in done:
            if isinstance(problem, BaseException):
                raise problem

    async def _mute(self, slug: str, info: ParticipantInfo) -> None:
        for track in info.tracks:
            if track.source == TrackSource.MICROPHONE and not track.muted:
                await _asked(
                    self._api.room.mute_published_track(
                        api.MuteRoomTrackRequest(
                            room=slug, identity=info.identity, track_sid=track.sid, muted=True
                        )
                    )
                )

    async def tell_role(self, slug: str, identity: str, role: Role) -> None:
        """Let everybody in the call see a participant's new role."""
        await _asked(
            self._api.room.update_participant(
                api.UpdateParticipantRequest(
                    room=slug, identity=identity, attributes={"role": role}
                )
            )
        )

    async def present(self, slugs: list[str]) -> dict[str, set[str]]:
        """Return who is in these rooms, by slug; a room that isn't there is left out."""
        rooms = await _asked(self._api.room.list_rooms(api.ListRoomsRequest(names=slugs)))
        return {room.name: await self._people(room.name) for room in (rooms.rooms if rooms else ())}

    async def _people(self, slug: str) -> set[str]:
        found = await _asked(
            self._api.room.list_participants(api.ListParticipantsRequest(room=slug))
        )
        return {one.identity for one in (found.participants if found else ())}

    def read_webhook(self, body: bytes, authorization: str) -> WebhookEvent:
        """Check a webhook's signature (a JWT with the body's digest). Raises BadWebhookError.

        OddWebhookError is that of one which is signed.
        """
        try:
            event = self._webhooks.receive(body.decode(), authorization)
        except Exception as problem:  # the package raises bare ones
            raise BadWebhookError from problem
        if not EVENT_ID.fullmatch(event.id) or not 0 <= event.created_at < END_OF_TIME:
            raise OddWebhookError
        return event


class NoCalls(Calls):
    """No LiveKit, by choice (LIVEKIT_URL=off): nobody is in a room, so nothing is to be done."""

    def __init__(self) -> None:
        pass

    async def close(self) -> None:
        """There are no connections."""

    async def open_room(self, slug: str) -> None:
        """There are no rooms."""

    async def open_test_room(self) -> tuple[str, CallProblem | None]:
        """There are no rooms."""
        raise CallError("failed")

    async def close_room(self, slug: str) -> None:
        """There are no rooms."""

    async def remove(self, slug: str, identity: str) -> None:
        """Nobody is there."""

    async def mute(self, slug: str, identity: str) -> None:
        """Nobody is there."""

    async def mute_all(self, slug: str, but: set[str]) -> None:
        """Nobody is there."""

    async def tell_role(self, slug: str, identity: str, role: Role) -> None:
        """Nobody is there."""

    async def present(self, slugs: list[str]) -> dict[str, set[str]]:
        """Return no room."""
        return {}

    def read_webhook(self, body: bytes, authorization: str) -> WebhookEvent:
        """Nobody could have signed it."""
        raise BadWebhookError


def calls_of(settings: Settings) -> Calls:
    """Return what there is of LiveKit; made in the running event loop."""
    return Calls(settings) if settings.calls else NoCalls()


async def _asked(call: Awaitable[T], timeout_s: float = API_TIMEOUT_S) -> T | None:
    """Return LiveKit's answer, None when what was asked about isn't there."""
    outcome: Literal["ok"] | CallProblem = "ok"
    try:
        async with asyncio.timeout(timeout_s):
            return await call
    except (aiohttp.ClientError, TimeoutError, OSError) as problem:
        outcome = "unreachable"
        log.warning("LiveKit doesn't answer: %s", type(problem).__name__)
        raise CallError("unreachable") from problem
    except ServerError as problem:
        if problem.code == "not_found":
            return None
        log.warning("LiveKit: %s, status %d", problem.code, problem.status)
        outcome = "refused" if problem.status in (401, 403) else "failed"
        raise CallError(outcome) from problem
    finally:
        LIVEKIT_REQUESTS.labels(outcome).inc()
