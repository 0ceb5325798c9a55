"""A page with livekit-client, and the server that it is tried against."""

from __future__ import annotations

import asyncio
import math
import os
import struct
import wave
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import web
from livekit import api
from livekit.protocol.webhook import WebhookEvent
from playwright.async_api import Page

from tests.emulators.livekit import LiveKitServer
from tests.support import ROOT
from tests.support.browser import Browsers
from tests.support.waiting import WAIT_TIMEOUT_MS, WAIT_TIMEOUT_S

HOOK_PORT = os.environ.get("LIVEKIT_TEST_HOOK_PORT", "0")
CLIENT = ROOT / "static/vendor/livekit-client-2.23.0.umd.js"
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
        await web.TCPSite(self._runner, "127.0.0.1", int(HOOK_PORT)).start()
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
        async with asyncio.timeout(WAIT_TIMEOUT_S):
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


def emulated(server: LiveKitServer) -> Target:
    return Target(server.ws_url, server.key, server.secret, "", server)


async def open_page(browsers: Browsers, target: Target, **options: Any) -> Page:
    page = await browsers.page(**options)
    await page.goto(target.hooks)
    return page


async def join(page: Page, target: Target, identity: str, **grants: Any) -> Any:
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


async def until_true(page: Page, expression: str) -> Any:
    """Wait until the expression is truthy in the page; its value."""
    handle = await page.wait_for_function(f"() => {expression}", timeout=WAIT_TIMEOUT_MS)
    return await handle.json_value()


def tone(path: Path) -> Path:
    """Two seconds of a loud tone."""
    samples = (int(20000 * math.sin(i * 2 * math.pi * 440 / 48000)) for i in range(96000))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(b"".join(struct.pack("<h", one) for one in samples))
    return path
