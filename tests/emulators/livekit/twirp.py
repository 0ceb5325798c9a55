"""The server API: livekit.RoomService over Twirp, in protobuf, with LiveKit's checks and errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web
from google.protobuf.json_format import MessageToJson, Parse
from google.protobuf.message import DecodeError, Message
from livekit.protocol import models
from livekit.protocol import room as api

from .rooms import Room
from .tokens import Grants

if TYPE_CHECKING:
    from .participant import Participant
    from .server import LiveKitServer

PREFIX = "/twirp/livekit.RoomService/"
_STATUS = {
    "bad_route": 404,
    "failed_precondition": 412,
    "malformed": 400,
    "not_found": 404,
    "unauthenticated": 401,
    "unavailable": 503,
}
# What the server answers after waiting in vain for the node that has the room.
_NO_NODE = "no response from servers"


class TwirpError(Exception):
    """An error in Twirp's shape."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class RoomService:
    """The methods this emulator knows; `handle` takes a request.

    Attributes:
        node_timeout: seconds before a call to a room or participant nobody has is given up (3 on
            the real server).
    """

    node_timeout = 0.2

    def __init__(self, server: LiveKitServer) -> None:
        self._server = server
        self._methods: dict[
            str, tuple[type[Message], Callable[[Any, Grants], Awaitable[Message]]]
        ] = {
            "CreateRoom": (api.CreateRoomRequest, self._create_room),
            "ListRooms": (api.ListRoomsRequest, self._list_rooms),
            "DeleteRoom": (api.DeleteRoomRequest, self._delete_room),
            "ListParticipants": (api.ListParticipantsRequest, self._list_participants),
            "GetParticipant": (api.RoomParticipantIdentity, self._get_participant),
            "RemoveParticipant": (api.RoomParticipantIdentity, self._remove_participant),
            "MutePublishedTrack": (api.MuteRoomTrackRequest, self._mute_published_track),
            "UpdateParticipant": (api.UpdateParticipantRequest, self._update_participant),
            "UpdateRoomMetadata": (api.UpdateRoomMetadataRequest, self._update_room_metadata),
            "SendData": (api.SendDataRequest, self._send_data),
        }

    async def handle(self, request: web.Request, grants: Grants) -> web.Response:
        """Answer one call."""
        try:
            return await self._call(request, grants)
        except TwirpError as error:
            return web.json_response(
                {"code": error.code, "msg": error.message}, status=_STATUS[error.code]
            )

    async def _call(self, request: web.Request, grants: Grants) -> web.Response:
        found = self._methods.get(request.match_info["method"])
        if found is None:
            raise TwirpError("bad_route", f'no handler for path "{request.path}"')
        shape, method = found
        as_json = request.content_type == "application/json"
        body = await request.read()
        try:
            message = Parse(body, shape()) if as_json else shape.FromString(body)
        except (DecodeError, ValueError) as error:
            raise TwirpError("malformed", "the request could not be decoded") from error
        answer = await method(message, grants)
        if as_json:
            return web.Response(text=MessageToJson(answer), content_type="application/json")
        return web.Response(body=answer.SerializeToString(), content_type="application/protobuf")

    async def _create_room(self, request: api.CreateRoomRequest, grants: Grants) -> Message:
        _require(grants, "roomCreate")
        return self._server.create_room(
            models.Room(
                name=request.name,
                metadata=request.metadata,
                max_participants=request.max_participants,
                empty_timeout=request.empty_timeout,
                departure_timeout=request.departure_timeout,
            )
        ).to_proto()

    async def _list_rooms(self, request: api.ListRoomsRequest, grants: Grants) -> Message:
        _require(grants, "roomList")
        return api.ListRoomsResponse(
            rooms=[
                room.to_proto()
                for room in self._server.rooms.values()
                if not request.names or room.info.name in request.names
            ]
        )

    async def _delete_room(self, request: api.DeleteRoomRequest, grants: Grants) -> Message:
        _require(grants, "roomCreate")
        await self._room(request.room).close(models.DisconnectReason.ROOM_DELETED)
        return api.DeleteRoomResponse()

    async def _list_participants(
        self, request: api.ListParticipantsRequest, grants: Grants
    ) -> Message:
        _require_admin(grants, request.room)
        room = self._server.rooms.get(request.room)
        people = room.participants.values() if room else ()
        return api.ListParticipantsResponse(participants=[one.info for one in people])

    async def _get_participant(
        self, request: api.RoomParticipantIdentity, grants: Grants
    ) -> Message:
        _require_admin(grants, request.room)
        return self._participant(request.room, request.identity).info

    async def _remove_participant(
        self, request: api.RoomParticipantIdentity, grants: Grants
    ) -> Message:
        _require_admin(grants, request.room)
        participant = self._participant(request.room, request.identity)
        await participant.close(models.DisconnectReason.PARTICIPANT_REMOVED)
        return api.RemoveParticipantResponse()

    async def _mute_published_track(
        self, request: api.MuteRoomTrackRequest, grants: Grants
    ) -> Message:
        _require_admin(grants, request.room)
        room = self._server.rooms.get(request.room)
        participant = room.participants.get(request.identity) if room else None
        if participant is None:
            raise await self._nobody()
        if not request.muted and not self._server.remote_unmute:
            raise TwirpError("failed_precondition", _internal("remote unmute not enabled"))
        track = participant.mute(request.track_sid, request.muted, by_server=True)
        if track is None:
            raise TwirpError("not_found", _internal("track is not found"))
        return api.MuteRoomTrackResponse(track=track)

    async def _update_participant(
        self, request: api.UpdateParticipantRequest, grants: Grants
    ) -> Message:
        _require_admin(grants, request.room)
        participant = self._participant(request.room, request.identity)
        participant.update(
            name=request.name,
            metadata=request.metadata,
            attributes=dict(request.attributes),
            permission=request.permission if request.HasField("permission") else None,
        )
        return participant.info

    async def _update_room_metadata(
        self, request: api.UpdateRoomMetadataRequest, grants: Grants
    ) -> Message:
        _require_admin(grants, request.room)
        room = self._room(request.room)
        room.set_metadata(request.metadata)
        return room.to_proto()

    async def _send_data(self, request: api.SendDataRequest, grants: Grants) -> Message:
        _require_admin(grants, request.room)
        room = self._server.rooms.get(request.room)
        if room is None:
            raise await self._nobody()
        user = models.UserPacket(
            payload=request.data,
            destination_sids=request.destination_sids,
            destination_identities=request.destination_identities,
        )
        if request.HasField("topic"):
            user.topic = request.topic
        packet = models.DataPacket(
            kind=request.kind,
            user=user,
            destination_identities=request.destination_identities,
        )
        room.relay(packet, lossy=request.kind == models.DataPacket.LOSSY)
        return api.SendDataResponse()

    def _room(self, name: str) -> Room:
        room = self._server.rooms.get(name)
        if room is None:
            raise TwirpError("not_found", _internal("requested room does not exist"))
        return room

    def _participant(self, room: str, identity: str) -> Participant:
        found = self._server.rooms.get(room)
        if found is None or identity not in found.participants:
            raise TwirpError("not_found", _internal("participant does not exist"))
        return found.participants[identity]

    async def _nobody(self) -> TwirpError:
        await asyncio.sleep(self.node_timeout)
        return TwirpError("unavailable", _internal(_NO_NODE))


def _require(grants: Grants, permission: str) -> None:
    if not grants.video.get(permission):
        raise TwirpError("unauthenticated", "permissions denied")


def _require_admin(grants: Grants, room: str) -> None:
    _require(grants, "roomAdmin")
    if grants.video.get("room") != room:
        raise TwirpError("unauthenticated", "permissions denied")


def _internal(message: str) -> str:
    # The server wraps the errors of its inner calls like this.
    return f"twirp error unknown: {message}"
