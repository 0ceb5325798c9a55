"""The server: its endpoints (HTTP, WebSocket, UDP), its rooms, and the ways it can fail."""

from __future__ import annotations

import asyncio
import base64
import binascii
import gzip
from collections.abc import Awaitable, Callable
from typing import Literal, cast

from aiohttp import web
from google.protobuf.message import DecodeError
from livekit.protocol import models, rtc

from .ice import UdpMux
from .participant import Participant
from .rooms import Room
from .tokens import Grants, Refused, verify
from .twirp import PREFIX, RoomService
from .webhooks import Webhooks

Endpoint = Literal["rtc", "twirp", "http"]
_BEARER = "Bearer "
_EMPTY_TIMEOUT, _DEPARTURE_TIMEOUT = 300, 20  # seconds


class LiveKitServer:
    """A LiveKit server as browsers and livekit-api see it, inside this process.

    `async with LiveKitServer() as server:` or `await server.start()` / `await server.stop()`. All
    methods belong to the event loop it was started on (`LiveKitThread` is for code without one).

    Attributes:
        url, ws_url: `http://…` and `ws://…` of the server, once started.
        key, secret: the one pair of API credentials.
        rooms: by name.
        webhooks: where events go and which were sent.
        reject_credentials: answer every token with 401, as after a changed key.
        auto_create: False refuses to join rooms the API has not created (404).
        remote_unmute: True lets the API unmute people.
        quality_every: seconds between two reports of everybody's connection quality.
        resume_grace: seconds a participant without signalling and without media is kept.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        key: str = "devkey",
        secret: str = "secret-of-the-emulated-livekit-server",
        webhook_urls: list[str] | None = None,
        auto_create: bool = True,
        remote_unmute: bool = False,
        quality_every: float = 5.0,
        resume_grace: float = 10.0,
    ) -> None:
        self.host, self.port = host, port
        self.key, self.secret = key, secret
        self.rooms: dict[str, Room] = {}
        self.mux = UdpMux()
        self.webhooks = Webhooks(webhook_urls or [], key, secret)
        self.reject_credentials = False
        self.auto_create = auto_create
        self.remote_unmute = remote_unmute
        self.quality_every = quality_every
        self.resume_grace = resume_grace
        self._service = RoomService(self)
        self._runner: web.AppRunner | None = None
        self._connections: set[asyncio.BaseTransport] = set()
        self._hanging: set[Endpoint] = set()
        self._released = asyncio.Event()

    async def __aenter__(self) -> LiveKitServer:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """For livekit-api."""
        return f"http://{self.host}:{self.port}"

    @property
    def ws_url(self) -> str:
        """For browsers."""
        return f"ws://{self.host}:{self.port}"

    # --- life -----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen; after a stop, on the same port and with no memory of before."""
        await self.mux.open()
        self.webhooks.start()
        app = web.Application(middlewares=[self._middleware])
        app.router.add_get("/", self._health)
        for path in ("/rtc", "/rtc/v1"):
            app.router.add_get(path, self._rtc)
            app.router.add_get(f"{path}/validate", self._validate)
        app.router.add_post(PREFIX + "{method}", self._twirp)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self, *, goodbye: bool = False) -> None:
        """Stop listening: like a killed process, or with goodbye like one told to end."""
        self.unhang()
        for room in [*self.rooms.values()]:
            await room.close(models.DisconnectReason.SERVER_SHUTDOWN, goodbye=goodbye)
        for connection in [*self._connections]:
            cast(asyncio.Transport, connection).abort()
        if self._runner:
            await self._runner.cleanup()
            self._runner = None
        self.mux.close()
        await self.webhooks.stop()

    async def restart(self) -> None:
        """Be killed and come back at once on the same port, with no rooms."""
        await self.stop()
        await self.start()

    # --- faults ---------------------------------------------------------------------------------

    def hang(self, *endpoints: Endpoint) -> None:
        """Accept requests and never answer them: `rtc`, `twirp`, `http` (the rest), or all."""
        self._hanging = {*endpoints} or {"rtc", "twirp", "http"}

    def unhang(self) -> None:
        """Answer again, also what was left waiting."""
        self._hanging = set()
        self._released.set()
        self._released = asyncio.Event()

    def drop_signalling(self, room: str, identity: str) -> None:
        """Cut one participant's WebSocket without goodbye; their media and their place stay."""
        self.participant(room, identity).drop_signalling()

    def drop_media(self, room: str, identity: str) -> None:
        """Ignore one participant's media path from now on; their signalling stays."""
        participant = self.participant(room, identity)
        for peer in filter(None, (participant.publisher, participant.subscriber)):
            self.mux.unregister(peer.link)

    async def forget(self, room: str, identity: str) -> None:
        """Lose one participant, who finds out when they try to come back."""
        participant = self.participant(room, identity)
        await participant.close(models.DisconnectReason.UNKNOWN_REASON, goodbye=False)

    # --- rooms ----------------------------------------------------------------------------------

    def participant(self, room: str, identity: str) -> Participant:
        """Somebody who is in a room.

        Raises:
            KeyError: they are not.
        """
        return self.rooms[room].participants[identity]

    def create_room(self, info: models.Room) -> Room:
        """The room of this name, made if it is not there yet."""
        if info.name not in self.rooms:
            info.empty_timeout = info.empty_timeout or _EMPTY_TIMEOUT
            info.departure_timeout = info.departure_timeout or _DEPARTURE_TIMEOUT
            self.rooms[info.name] = Room(self, info)
        return self.rooms[info.name]

    def add_ghost(
        self, room: str, identity: str, *, name: str = "", metadata: str = "", mirror: str = ""
    ) -> Participant:
        """Somebody without a browser, to fill a room cheaply.

        Args:
            mirror: identity of a participant whose tracks of this moment the ghost publishes as its
                own (nothing by default).
        """
        grants = Grants(identity, name or identity, metadata)
        there = self.create_room(models.Room(name=room))
        ghost = Participant(there, grants, single_peer=True, auto_subscribe=False)
        there.add(ghost)
        tracks = there.participants[mirror].tracks if mirror else {}
        ghost.haunt([*tracks.values()])
        return ghost

    # --- endpoints ------------------------------------------------------------------------------

    @web.middleware
    async def _middleware(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        connection = request.transport
        if connection:
            self._connections.add(connection)
        try:
            while _endpoint(request.path) in self._hanging:
                await self._released.wait()
            response = await handler(request)
        except Refused as refused:
            response = web.Response(status=refused.status, text=refused.message)
        finally:
            if connection:
                self._connections.discard(connection)
        if not response.prepared:
            response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _validate(self, request: web.Request) -> web.Response:
        self._admit(request)
        return web.Response(text="success")

    async def _twirp(self, request: web.Request) -> web.Response:
        return await self._service.handle(request, self._grants(request))

    async def _rtc(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise Refused(404, "")
        grants, join = self._admit(request)
        ws = web.WebSocketResponse(max_msg_size=1 << 20)
        try:
            await ws.prepare(request)
        except ConnectionResetError:  # the browser gave up while the server hung
            return ws
        if join.reconnect:
            await self._resume(request, ws, grants, join)
        else:
            await self._join(request, ws, grants, join)
        return ws

    async def _join(
        self,
        request: web.Request,
        ws: web.WebSocketResponse,
        grants: Grants,
        join: rtc.JoinRequest,
    ) -> None:
        room = self.create_room(models.Room(name=grants.video["room"]))
        if before := room.participants.get(grants.identity):
            await before.close(models.DisconnectReason.DUPLICATE_IDENTITY)
        single = request.path.startswith("/rtc/v1")
        participant = Participant(room, grants, single, join.connection_settings.auto_subscribe)
        room.add(participant)
        await participant.join(request, ws, join.publisher_offer)

    async def _resume(
        self,
        request: web.Request,
        ws: web.WebSocketResponse,
        grants: Grants,
        join: rtc.JoinRequest,
    ) -> None:
        room = self.rooms.get(grants.video["room"])
        participant = room.participants.get(grants.identity) if room else None
        if participant is None or participant.sid != join.participant_sid:
            leave = rtc.LeaveRequest(
                reason=models.DisconnectReason.STATE_MISMATCH,
                action=rtc.LeaveRequest.Action.RECONNECT,
            )
            await ws.send_bytes(rtc.SignalResponse(leave=leave).SerializeToString())
            await ws.close()
            return
        await participant.resume(request, ws)

    def _admit(self, request: web.Request) -> tuple[Grants, rtc.JoinRequest]:
        grants = self._grants(request)
        if not grants.video:
            raise Refused(401, "no permissions to access the room")
        join = _join_request(request)
        if not grants.video.get("roomJoin"):
            raise Refused(401, "permissions denied")
        if not grants.identity:
            raise Refused(400, "identity cannot be empty")
        if not grants.video.get("room"):
            raise Refused(400, "no room name")
        if not self.auto_create and grants.video["room"] not in self.rooms:
            raise Refused(404, "requested room does not exist")
        return grants, join

    def _grants(self, request: web.Request) -> Grants:
        header = request.headers.get("Authorization", "")
        if header and not header.startswith(_BEARER):
            raise Refused(401, f"invalid authorization header. Must start with {_BEARER}")
        token = header.removeprefix(_BEARER) or request.query.get("access_token", "")
        if not token:
            return Grants()
        if self.reject_credentials:
            raise Refused(401, f"invalid API key: {self.key}")
        return verify(token, self.key, self.secret)


def _endpoint(path: str) -> Endpoint:
    if path.startswith("/rtc"):
        return "rtc"
    return "twirp" if path.startswith("/twirp") else "http"


def _join_request(request: web.Request) -> rtc.JoinRequest:
    """What a browser says about itself when it connects, in either version's form."""
    query = request.query
    wrapped = query.get("join_request", "")
    if not wrapped:
        if request.path.startswith("/rtc/v1"):
            raise Refused(400, "join_request is required")
        return rtc.JoinRequest(
            reconnect=query.get("reconnect") in ("1", "true"),
            participant_sid=query.get("sid", ""),
            connection_settings=rtc.ConnectionSettings(
                auto_subscribe=query.get("auto_subscribe", "1") in ("1", "true")
            ),
        )
    try:
        outer = rtc.WrappedJoinRequest.FromString(base64.urlsafe_b64decode(wrapped))
        data = outer.join_request
        if outer.compression == rtc.WrappedJoinRequest.Compression.GZIP:
            data = gzip.decompress(data)
        return rtc.JoinRequest.FromString(data)
    except (binascii.Error, DecodeError, OSError, EOFError):
        raise Refused(400, "cannot unmarshal join request") from None
