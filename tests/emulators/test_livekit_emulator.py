"""The emulated LiveKit server against the real clients: livekit-api and livekit-client in Chromium.

With `LIVEKIT_TEST_URL` set (and `LIVEKIT_TEST_KEY`, `LIVEKIT_TEST_SECRET` where they are not the
development ones) everything that is not about faults runs against that server too, so that both are
held to the same behaviour; with `LIVEKIT_TEST_HOOK_PORT` its webhooks too, where it is configured
to send them to `http://127.0.0.1:<port>/hook`.
"""

from __future__ import annotations

import asyncio
import math
import os
import struct
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from livekit import api
from livekit.api.twirp_client import ServerError
from livekit.protocol.models import DisconnectReason
from livekit.protocol.webhook import WebhookEvent
from playwright.async_api import Page

from tests.emulators.livekit import LiveKitServer, LiveKitThread
from tests.support.browser import Browsers, browsers
from tests.support.call import real_environment
from tests.support.waiting import PATIENCE_MS, PATIENCE_S

__all__ = ["browsers"]
pytestmark = pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")

_HOOK_PORT = os.environ.get("LIVEKIT_TEST_HOOK_PORT", "0")
CLIENT = Path(__file__).parent.parent.parent / "static/vendor/livekit-client-2.23.0.umd.js"
PAGE = """<!doctype html><title>LiveKit</title><link rel="icon" href="data:,">
<script src="/client.js"></script><video autoplay muted playsinline></video>
<script>
const {Room, RoomEvent} = LivekitClient;
const events = [];
const received = [];
let room;
async function join(url, token, options) {
  room = new Room({adaptiveStream: true, dynacast: true, ...options});
  for (const name of Object.values(RoomEvent))
    room.on(name, (...args) => events.push([name, args]));
  room.on('dataReceived', (bytes, who, kind, topic) =>
    received.push([new TextDecoder().decode(bytes), who?.identity ?? '', topic]));
  room.registerTextStreamHandler('chat', async (reader, who) =>
    received.push([await reader.readAll(), who.identity, 'chat']));
  try {
    await room.connect(url, token);
    return 'connected';
  } catch (error) {
    return [error.name, LivekitClient.ConnectionErrorReason[error.reason], error.status];
  }
}
const remote = (identity) => room.remoteParticipants.get(identity);
const publication = (identity, source) => remote(identity)?.getTrackPublication(source);
const video = document.querySelector('video');
const showing = [];
function shown(identity, source) {
  const track = publication(identity, source)?.videoTrack;
  if (!track) return false;
  if (!track.attachedElements.includes(video)) {
    for (const other of showing.splice(0)) other.detach(video);
    track.attach(video);
    showing.push(track);
  }
  return video.videoWidth > 0 && video.getVideoPlaybackQuality().totalVideoFrames;
}
function picture() {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height).data.join();
}
async function loudness(identity) {
  const stats = await publication(identity, 'microphone').audioTrack.getRTCStatsReport();
  return Math.max(...[...stats.values()].map((one) => one.totalAudioEnergy ?? 0));
}
const happened = (name) => events.filter(([event]) => event === name).length;
const last = (name) => events.findLast(([event]) => event === name)?.[1];
</script>"""


@dataclass
class Target:
    """The server under test, emulated or real."""

    url: str
    key: str
    secret: str
    hooks: str
    emulator: LiveKitServer | None = None
    sends_hooks: bool = True
    room: str = field(default_factory=lambda: f"room-{uuid4().hex[:8]}")

    def token(self, identity: str, *, ttl: int = 600, secret: str = "", **grants: Any) -> str:
        """A participant's token for the room of this test."""
        everything: dict[str, Any] = {"room_join": True, "room": self.room} | grants
        video = api.VideoGrants(**everything)
        token = api.AccessToken(self.key, secret or self.secret).with_identity(identity)
        token = token.with_name(identity.title()).with_ttl(timedelta(seconds=ttl))
        return token.with_grants(video).to_jwt()

    def client(self, secret: str = "") -> api.LiveKitAPI:
        """livekit-api; belongs in `async with`."""
        return api.LiveKitAPI(self.url, self.key, secret or self.secret)


class Hooks:
    """A web server that takes webhooks and serves the test page."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str]] = []
        app = web.Application()
        app.router.add_post("/hook", self._hook)
        app.router.add_get("/", self._page)
        app.router.add_get("/client.js", self._client)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._came = asyncio.Event()
        self.url = ""

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", int(_HOOK_PORT)).start()
        self.url = "http://{}:{}".format(*self._runner.addresses[0])

    async def stop(self) -> None:
        await self._runner.cleanup()

    def events(self, target: Target) -> list[WebhookEvent]:
        """What was accepted by livekit-api's own receiver, for this test's room."""
        receiver = api.WebhookReceiver(api.TokenVerifier(target.key, target.secret))
        events = [receiver.receive(body, token) for body, token, _ in self.requests]
        return [event for event in events if event.room.name == target.room]

    async def until(self, target: Target, *names: str) -> list[WebhookEvent]:
        """Wait until these events came, in any number and order."""
        async with asyncio.timeout(PATIENCE_S):
            while not {*names} <= {event.event for event in self.events(target)}:
                self._came.clear()
                await self._came.wait()
        return self.events(target)

    async def _hook(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "")
        self.requests.append((await request.text(), token, request.content_type))
        self._came.set()
        return web.Response()

    async def _page(self, request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def _client(self, request: web.Request) -> web.Response:
        return web.Response(text=CLIENT.read_text(), content_type="text/javascript")


@pytest.fixture
async def hooks() -> AsyncIterator[Hooks]:
    served = Hooks()
    await served.start()
    yield served
    await served.stop()


@pytest.fixture(params=["emulator", pytest.param("real", marks=pytest.mark.livekit)])
async def target(request: pytest.FixtureRequest, hooks: Hooks) -> AsyncIterator[Target]:
    if request.param == "real":
        url, key, secret = real_environment().values()
        yield Target(url, key, secret, hooks.url, sends_hooks=_HOOK_PORT != "0")
        return
    async with LiveKitServer(webhook_urls=[f"{hooks.url}/hook"]) as server:
        yield Target(server.ws_url, server.key, server.secret, hooks.url, server)


@pytest.fixture
async def emulator() -> AsyncIterator[LiveKitServer]:
    async with LiveKitServer() as server:
        yield server


def _emulated(server: LiveKitServer) -> Target:
    return Target(server.ws_url, server.key, server.secret, "", server)


async def _page(browsers: Browsers, target: Target, **options: Any) -> Page:
    page = await browsers.page(**options)
    await page.goto(target.hooks)
    return page


async def _join(page: Page, target: Target, identity: str, **grants: Any) -> Any:
    options: dict[str, Any] = grants.pop("options", {})
    token = target.token(identity, **grants)
    return await page.evaluate(
        "([url, token, options]) => join(url, token, options)",
        [
            target.url,
            token,
            options,
        ],
    )


async def _until(page: Page, expression: str) -> Any:
    """Wait until the expression is truthy in the page; its value."""
    handle = await page.wait_for_function(f"() => {expression}", timeout=PATIENCE_MS)
    return await handle.json_value()


def _tone(path: Path) -> Path:
    """Two seconds of a loud tone."""
    samples = (int(20000 * math.sin(i * 2 * math.pi * 440 / 48000)) for i in range(96000))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(b"".join(struct.pack("<h", one) for one in samples))
    return path


# --- the server API ---------------------------------------------------------------------------


async def test_api_manages_rooms(target: Target, hooks: Hooks) -> None:
    async with target.client() as client:
        made = await client.room.create_room(
            api.CreateRoomRequest(name=target.room, metadata="first", empty_timeout=60)
        )
        again = await client.room.create_room(
            api.CreateRoomRequest(name=target.room, metadata="second")
        )
        changed = await client.room.update_room_metadata(
            api.UpdateRoomMetadataRequest(room=target.room, metadata="third")
        )
        listed = await client.room.list_rooms(api.ListRoomsRequest(names=[target.room]))
        people = await client.room.list_participants(api.ListParticipantsRequest(room=target.room))
        await client.room.delete_room(api.DeleteRoomRequest(room=target.room))
        after = await client.room.list_rooms(api.ListRoomsRequest(names=[target.room]))

    assert made.sid.startswith("RM_") and made.empty_timeout == 60
    assert again.sid == made.sid and again.metadata == "first"
    assert changed.metadata == "third"
    assert [room.sid for room in listed.rooms] == [made.sid]
    assert not people.participants and not after.rooms
    if target.sends_hooks:
        events = await hooks.until(target, "room_started", "room_finished")
        assert [event.event for event in events] == ["room_started", "room_finished"]
        assert {kind for _, _, kind in hooks.requests} == {"application/webhook+json"}
        assert len({event.id for event in events}) == 2


async def test_api_errors_have_livekits_shape(target: Target) -> None:
    nobody = api.RoomParticipantIdentity(room=target.room, identity="nobody")
    async with target.client() as client:
        for call in (
            client.room.get_participant(nobody),
            client.room.remove_participant(nobody),
            client.room.update_participant(
                api.UpdateParticipantRequest(room=target.room, identity="nobody")
            ),
            client.room.update_room_metadata(api.UpdateRoomMetadataRequest(room=target.room)),
            client.room.delete_room(api.DeleteRoomRequest(room=target.room)),
        ):
            with pytest.raises(ServerError) as missing:
                await call
            assert (missing.value.code, missing.value.status) == ("not_found", 404)
            assert "does not exist" in missing.value.message
        with pytest.raises(ServerError) as unserved:
            await client.room.mute_published_track(
                api.MuteRoomTrackRequest(room=target.room, identity="nobody", track_sid="TR_1")
            )
        assert (unserved.value.code, unserved.value.status) == ("unavailable", 503)
    # A wrong secret is answered in plain text, so the client has no code to tell.
    async with target.client("a-secret-of-somebody-else-entirely") as stranger:
        with pytest.raises(ServerError) as refused:
            await stranger.room.list_rooms(api.ListRoomsRequest())
        assert (refused.value.code, refused.value.status) == ("unknown", 401)


async def test_api_wants_the_right_grant(target: Target) -> None:
    url = target.url.replace("ws", "http", 1) + "/twirp/livekit.RoomService/"
    headers = {"Authorization": f"Bearer {target.token('anna')}"}
    async with aiohttp.ClientSession() as http:
        for method, authorization in (("ListRooms", headers), ("ListRooms", {})):
            async with http.post(url + method, json={}, headers=authorization) as answer:
                assert answer.status == 401
                assert await answer.json() == {
                    "code": "unauthenticated",
                    "msg": "permissions denied",
                }
        elsewhere = target.token("anna", room_admin=True, room="elsewhere")
        headers = {"Authorization": f"Bearer {elsewhere}"}
        body = {"room": target.room}
        async with http.post(url + "ListParticipants", json=body, headers=headers) as answer:
            assert answer.status == 401
        async with http.post(url + "Nothing", json={}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, "bad_route")


async def test_endpoints_without_a_token(target: Target) -> None:
    url = target.url.replace("ws", "http", 1)
    expired = target.token("anna", ttl=-120)
    cases = {
        "": (401, "no permissions to access the room"),
        "?access_token=garbage": (401, "invalid authorization token"),
        f"?access_token={expired}": (401, "invalid token"),
        f"?access_token={target.token('anna', room_join=False)}": (401, "permissions denied"),
        f"?access_token={target.token('anna')}": (200, "success"),
    }
    async with aiohttp.ClientSession() as http:
        async with http.get(url) as answer:
            assert (answer.status, await answer.text()) == (200, "OK")
        async with http.head(url) as answer:
            assert answer.status == 200
        for query, (status, text) in cases.items():
            async with http.get(f"{url}/rtc/validate{query}") as answer:
                assert answer.status == status
                assert (await answer.text()).startswith(text)
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
        async with http.get(f"{url}/rtc/v1/validate?access_token={target.token('a')}") as answer:
            assert (answer.status, await answer.text()) == (400, "join_request is required")


# --- faults -----------------------------------------------------------------------------------


async def test_a_hung_server_answers_when_released(emulator: LiveKitServer) -> None:
    emulator.hang("twirp")
    async with _emulated(emulator).client() as client:
        call = asyncio.ensure_future(client.room.list_rooms(api.ListRoomsRequest()))
        done, _ = await asyncio.wait([call], timeout=0.3)
        assert not done
        emulator.unhang()
        assert not (await call).rooms


async def test_stop_and_restart_keep_the_port_and_forget_the_rooms(
    emulator: LiveKitServer,
) -> None:
    async with _emulated(emulator).client() as client:
        await client.room.create_room(api.CreateRoomRequest(name="before"))
        url = emulator.url
        await emulator.stop()
        with pytest.raises(aiohttp.ClientError):
            await client.room.list_rooms(api.ListRoomsRequest())
        await emulator.start()
        assert emulator.url == url
        assert not (await client.room.list_rooms(api.ListRoomsRequest())).rooms
        emulator.reject_credentials = True
        with pytest.raises(ServerError) as refused:
            await client.room.list_rooms(api.ListRoomsRequest())
        assert refused.value.status == 401


async def test_rooms_nobody_comes_to_end(emulator: LiveKitServer, hooks: Hooks) -> None:
    target = _emulated(emulator)
    emulator.webhooks.urls.append(f"{hooks.url}/hook")
    async with target.client() as client:
        await client.room.create_room(api.CreateRoomRequest(name=target.room, empty_timeout=1))
    await hooks.until(target, "room_started", "room_finished")
    assert not emulator.rooms


def test_on_a_thread() -> None:
    with LiveKitThread(secret="another-secret-that-is-long-enough") as livekit:

        async def rooms() -> int:
            async with _emulated(livekit.server).client() as client:
                await client.room.create_room(api.CreateRoomRequest(name="one"))
                return len((await client.room.list_rooms(api.ListRoomsRequest())).rooms)

        assert asyncio.run(rooms()) == 1
        livekit.do(livekit.server.hang, "twirp")
        with pytest.raises(TimeoutError):
            asyncio.run(asyncio.wait_for(rooms(), 0.3))


# --- browsers ---------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize("connections", ["one", "two"])
async def test_a_call(
    target: Target, hooks: Hooks, browsers: Browsers, tmp_path: Path, connections: str
) -> None:
    """Two people see and hear each other, over one connection each and over the older two."""
    options = {"singlePeerConnection": connections == "one"}
    anna, ben = await asyncio.gather(
        _page(browsers, target, microphone=_tone(tmp_path / "tone.wav")),
        _page(browsers, target),
    )
    assert await _join(anna, target, "anna", options=options) == "connected"
    await anna.evaluate("room.localParticipant.setCameraEnabled(true)")
    assert await _join(ben, target, "ben", options=options) == "connected"

    # Ben came later and gets the camera that was on; then the microphone that is switched on.
    assert await _until(anna, "remote('ben')?.name") == "Ben"
    await _until(ben, "shown('anna', 'camera') > 3")
    before = await ben.evaluate("picture()")
    await _until(ben, f"shown('anna', 'camera') > {await ben.evaluate('shown(`anna`, `camera`)')}")
    await _until(ben, f"picture() !== `{before}`")  # a frame decoded need not be drawn yet
    await anna.evaluate("room.localParticipant.setMicrophoneEnabled(true)")
    await _until(ben, "publication('anna', 'microphone')?.audioTrack")
    await _until(ben, "loudness('anna').then((energy) => energy > 0.01)")
    await _until(ben, "room.activeSpeakers.some((one) => one.identity === 'anna')")

    # A second picture, and its end.
    await anna.evaluate("room.localParticipant.setScreenShareEnabled(true)")
    await _until(ben, "shown('anna', 'screen_share') > 3")
    await anna.evaluate("room.localParticipant.setScreenShareEnabled(false)")
    await _until(ben, "!publication('anna', 'screen_share')")

    # Messages both ways.
    await anna.evaluate(
        "room.localParticipant.publishData(new TextEncoder().encode('hi'), {reliable: true,"
        " topic: 'greeting'})"
    )
    await ben.evaluate("room.localParticipant.sendText('hello '.repeat(9000), {topic: 'chat'})")
    assert await _until(ben, "received[0]") == ["hi", "anna", "greeting"]
    assert await _until(anna, "received[0]") == ["hello " * 9000, "ben", "chat"]

    # Muted by herself.
    await anna.evaluate("room.localParticipant.setMicrophoneEnabled(false)")
    await _until(ben, "publication('anna', 'microphone').isMuted")
    await _until(ben, "!room.activeSpeakers.length")

    await ben.evaluate("room.disconnect()")
    await _until(anna, "!remote('ben')")
    if target.sends_hooks:
        await hooks.until(target, "participant_left")
        events = {(event.event, event.participant.identity) for event in hooks.events(target)}
        assert events >= {
            ("room_started", ""),
            ("participant_joined", "anna"),
            ("participant_joined", "ben"),
            ("participant_left", "ben"),
            ("track_published", "anna"),
            ("track_unpublished", "anna"),
        }
    assert not browsers.errors


@pytest.mark.browser
async def test_a_host_acts_from_the_server(
    target: Target, hooks: Hooks, browsers: Browsers
) -> None:
    anna, ben = await asyncio.gather(_page(browsers, target), _page(browsers, target))
    assert await _join(anna, target, "anna") == "connected"
    assert await _join(ben, target, "ben") == "connected"
    await anna.evaluate("room.localParticipant.setMicrophoneEnabled(true)")
    await anna.evaluate("room.localParticipant.setCameraEnabled(true)")
    await _until(ben, "publication('anna', 'microphone')?.audioTrack")

    async with target.client() as client:
        listed = await client.room.list_participants(api.ListParticipantsRequest(room=target.room))
        assert {one.identity for one in listed.participants} == {"anna", "ben"}
        who = api.RoomParticipantIdentity(room=target.room, identity="anna")
        info = await client.room.get_participant(who)
        sid = next(one.sid for one in info.tracks if one.source == api.TrackSource.MICROPHONE)

        # Muted by the host: she and he see it; the server does not unmute.
        mute = api.MuteRoomTrackRequest(
            room=target.room, identity="anna", track_sid=sid, muted=True
        )
        assert (await client.room.mute_published_track(mute)).track.muted
        await _until(anna, "!room.localParticipant.isMicrophoneEnabled")
        await _until(ben, "publication('anna', 'microphone').isMuted")
        mute.muted = False
        with pytest.raises(ServerError) as refused:
            await client.room.mute_published_track(mute)
        assert (refused.value.code, refused.value.status) == ("failed_precondition", 412)

        # Name, metadata, data and permissions.
        await client.room.update_participant(
            api.UpdateParticipantRequest(
                room=target.room, identity="anna", name="Anna B", metadata='{"hand":1}'
            )
        )
        await _until(ben, "remote('anna').name === 'Anna B' && remote('anna').metadata")
        await client.room.send_data(
            api.SendDataRequest(
                room=target.room, data=b"news", topic="host", destination_identities=["ben"]
            )
        )
        assert await _until(ben, "received[0]") == ["news", "", "host"]
        assert await anna.evaluate("received.length") == 0
        await client.room.update_room_metadata(
            api.UpdateRoomMetadataRequest(room=target.room, metadata="locked")
        )
        await _until(ben, "room.metadata === 'locked'")
        only_audio = api.ParticipantPermission(
            can_subscribe=True,
            can_publish=True,
            can_publish_data=True,
            can_publish_sources=[api.TrackSource.MICROPHONE],
        )
        await client.room.update_participant(
            api.UpdateParticipantRequest(room=target.room, identity="anna", permission=only_audio)
        )
        await _until(ben, "!publication('anna', 'camera')?.videoTrack")

        await client.room.remove_participant(who)
        await _until(anna, "room.state === 'disconnected'")
        assert await anna.evaluate("last('disconnected')[0]") == 4  # PARTICIPANT_REMOVED
        await _until(ben, "!remote('anna')")
        await client.room.delete_room(api.DeleteRoomRequest(room=target.room))
        await _until(ben, "room.state === 'disconnected'")
        assert await ben.evaluate("last('disconnected')[0]") == 5  # ROOM_DELETED
    if target.sends_hooks:
        events = await hooks.until(target, "room_finished")
        left = [event.participant.identity for event in events if event.event == "participant_left"]
        assert left == ["anna", "ben"]
    assert not browsers.errors


@pytest.mark.browser
async def test_who_may_not_come_in(target: Target, browsers: Browsers) -> None:
    page = await _page(browsers, target)
    wrong = "a-secret-of-somebody-else-entirely"
    refused = ["ConnectionError", "NotAllowed", 401]
    assert await _join(page, target, "anna", secret=wrong) == refused
    assert await _join(page, target, "anna", ttl=-120) == refused
    assert await _join(page, target, "anna", room_join=False) == refused
    assert await _join(page, target, "anna", can_publish_sources=["microphone"]) == "connected"
    assert await page.evaluate(
        "room.localParticipant.setCameraEnabled(true).then(() => '', (error) => error.name)"
    )
    # The same identity again: the older one has to go.
    other = await _page(browsers, target)
    assert await _join(other, target, "anna") == "connected"
    await _until(page, "room.state === 'disconnected'")
    assert await page.evaluate("last('disconnected')[0]") == 2  # DUPLICATE_IDENTITY


@pytest.mark.browser
async def test_a_full_room_of_ghosts(
    emulator: LiveKitServer, hooks: Hooks, browsers: Browsers
) -> None:
    """More pictures than a browser has room for at first: it is asked to make more room."""
    target = _emulated(emulator)
    target.hooks = hooks.url
    anna, ben = await asyncio.gather(_page(browsers, target), _page(browsers, target))
    assert await _join(anna, target, "anna") == "connected"
    await anna.evaluate("room.localParticipant.setCameraEnabled(true)")
    await _until(anna, "room.localParticipant.isCameraEnabled && happened('localTrackPublished')")
    emulator.add_ghost(target.room, "quiet", name="Quiet")
    for number in range(4):
        emulator.add_ghost(target.room, f"ghost-{number}", mirror="anna")
    assert await _join(ben, target, "ben") == "connected"
    emulator.add_ghost(target.room, "ghost-4", mirror="anna")
    for number in range(5):
        await _until(ben, f"shown('ghost-{number}', 'camera') > 3")
    assert await ben.evaluate("[remote('quiet').name, remote('quiet').trackPublications.size]") == [
        "Quiet",
        0,
    ]
    await emulator.participant(target.room, "ghost-0").close(DisconnectReason.CLIENT_INITIATED)
    await _until(ben, "!remote('ghost-0')")
    assert not browsers.errors


@pytest.mark.browser
async def test_browsers_survive_faults(
    emulator: LiveKitServer, hooks: Hooks, browsers: Browsers
) -> None:
    target = _emulated(emulator)
    target.hooks = hooks.url
    anna, ben = await asyncio.gather(_page(browsers, target), _page(browsers, target))
    assert await _join(anna, target, "anna") == "connected"
    assert await _join(ben, target, "ben") == "connected"
    await anna.evaluate("room.localParticipant.setCameraEnabled(true)")
    await _until(ben, "shown('anna', 'camera') > 3")

    # Signalling lost: she resumes under the same sid, her picture goes on.
    sid = emulator.participant(target.room, "anna").sid
    emulator.drop_signalling(target.room, "anna")
    await _until(anna, "happened('signalReconnecting') && happened('reconnected')")
    frames = await ben.evaluate("shown('anna', 'camera')")
    await _until(ben, f"shown('anna', 'camera') > {frames} + 3")
    assert emulator.participant(target.room, "anna").sid == sid

    # The server is killed and comes back empty: both join anew by themselves.
    await emulator.restart()
    await _until(anna, "happened('reconnected') === 2")
    await _until(ben, "happened('reconnected') === 1")
    await _until(ben, "publication('anna', 'camera')?.videoTrack")
    assert emulator.participant(target.room, "anna").sid != sid

    await emulator.stop(goodbye=True)
    await _until(ben, "room.state === 'disconnected'")
    assert await ben.evaluate("last('disconnected')[0]") == 3  # SERVER_SHUTDOWN
    assert await _join(ben, target, "ben") == ["ConnectionError", "ServerUnreachable", None]
    assert not browsers.errors
