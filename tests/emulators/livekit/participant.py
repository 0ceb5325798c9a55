"""One participant: the signalling of one browser and its place in the room."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web
from google.protobuf.message import DecodeError
from livekit.protocol import models, rtc

from . import requests
from .forwarding import Downlink
from .ids import new_id
from .media import LOSSY, RELIABLE, Peer
from .signalling import Signalling
from .tokens import Grants, refreshed
from .tracks import STREAMS, Track, track_info

if TYPE_CHECKING:
    from .rooms import Room


class Participant(Signalling):
    """Somebody in a room.

    Attributes:
        info: what others know about them; `tracks` in it are the published ones.
        tracks: published tracks by sid.
        data: data packets received from their browser, newest last.
    """

    def __init__(self, room: Room, grants: Grants, single_peer: bool, auto_subscribe: bool) -> None:
        super().__init__()
        self.room = room
        self.grants = grants
        self.tracks: dict[str, Track] = {}
        self.data: list[models.DataPacket] = []
        self.quality = models.EXCELLENT
        self.info = requests.participant_info(grants)
        self.closed = False
        self._single = single_peer
        self._auto_subscribe = auto_subscribe
        self._pending: dict[str, Track] = {}
        self._downlinks: dict[str, Downlink] = {}
        self._asked = [0, 0]  # audio and video sections asked for and not offered yet
        self._offering = False
        self._offer_again = False
        self._offer_id = 0
        self._last_sequence = 0
        mux = room.server.mux
        self.publisher = Peer(mux, self._publisher_connected, self._data_received)
        self.subscriber = None if single_peer else Peer(mux, self._active, self._data_received)

    @property
    def identity(self) -> str:
        """Unique in the room."""
        return self.info.identity

    @property
    def sid(self) -> str:
        """Unique among all visits."""
        return self.info.sid

    @property
    def active(self) -> bool:
        """Whether media is connected."""
        return bool(self.info.state == models.ParticipantInfo.ACTIVE)

    # --- the connection -------------------------------------------------------------------------

    async def join(
        self,
        request: web.Request,
        ws: web.WebSocketResponse,
        offer: rtc.SessionDescription | None,
    ) -> None:
        """Serve a new signalling connection until it ends."""
        self._attach(request, ws)
        self.send(join=requests.join_response(self, single_peer=self._single))
        self._set_state(models.ParticipantInfo.JOINED)
        self._refresh_token()
        if offer and offer.sdp:
            self._offer(offer)
        if self.subscriber:
            self._negotiate()
        await self._serve(ws)

    async def resume(self, request: web.Request, ws: web.WebSocketResponse) -> None:
        """Serve the connection of a browser that lost its signalling and kept its media."""
        self._attach(request, ws)
        # What was on its way over the old connection is lost.
        self._offering = self._offer_again = False
        self._asked = [0, 0]
        self.send(
            reconnect=rtc.ReconnectResponse(
                server_info=requests.server_info(), last_message_seq=self._last_sequence
            )
        )
        self._refresh_token()
        others = [one.info for one in self.room.others(self)]
        self.send(update=rtc.ParticipantUpdate(participants=[self.info, *others]))
        if self.subscriber:
            self.subscriber.link.restart()
            self._negotiate()
        await self._serve(ws)

    def haunt(self, tracks: list[Track]) -> None:
        """Be in the room without a browser, publishing what somebody else does."""
        self._set_state(models.ParticipantInfo.ACTIVE)
        self.room.became_active(self)
        for original in tracks:
            info = models.TrackInfo()
            info.CopyFrom(original.info)
            info.sid = new_id("TR_")
            self._publish(Track(info, info.sid, self, original.uplink))

    async def close(self, reason: models.DisconnectReason, *, goodbye: bool = True) -> None:
        """Take them out of the room.

        With goodbye the browser is told why; without, it finds out by itself.
        """
        if self.closed:
            return
        self.closed = True
        was_active = self.active
        self.info.disconnect_reason = reason
        self.room.remove(self, was_active)
        if goodbye:
            self.send(
                leave=rtc.LeaveRequest(reason=reason, action=rtc.LeaveRequest.Action.DISCONNECT)
            )
            await self._flush()
            if self._ws:
                await self._ws.close()
        else:
            self.drop_signalling()
        for peer in filter(None, (self.publisher, self.subscriber)):
            await peer.close(goodbye)

    # --- what others do to this participant -----------------------------------------------------

    def subscribe(self, track: Track) -> None:
        """Send them a track of somebody else, where their token and their wishes allow."""
        if (
            track.uplink is None
            or track.info.sid in self._downlinks
            or not self.active
            or not self.grants.allows("canSubscribe")
        ):
            return
        publisher = track.publisher.info.sid
        stream = f"{publisher}|{STREAMS.get(track.info.source, track.info.sid)}"
        downlink = Downlink(track.uplink, stream, track.info.sid)
        self._downlinks[track.info.sid] = downlink
        self._receiving.want(downlink)
        self._negotiate()
        if not track.heard_of:
            track.heard_of = True
            track.publisher.send(track_subscribed=rtc.TrackSubscribed(track_sid=track.info.sid))

    def unsubscribe(self, sid: str) -> None:
        """Stop sending them a track."""
        if downlink := self._downlinks.pop(sid, None):
            self._receiving.drop(downlink)
            self._negotiate()

    def auto_subscribe(self, track: Track) -> None:
        """A new track is there: send it unless they asked to choose for themselves."""
        if self._auto_subscribe:
            self.subscribe(track)

    def mute(self, sid: str, muted: bool, *, by_server: bool) -> models.TrackInfo | None:
        """Mute or unmute one of their tracks and tell everybody; None where there is none."""
        track = self.tracks.get(sid) or next(
            (one for one in self._pending.values() if one.info.sid == sid), None
        )
        if track is None:
            return None
        if by_server:
            self.send(mute=rtc.MuteTrackRequest(sid=sid, muted=muted))
        if track.info.muted != muted:
            track.info.muted = muted
            self.changed(to_self=by_server)
        return track.info

    def update(
        self,
        *,
        name: str = "",
        metadata: str = "",
        attributes: dict[str, str] | None = None,
        permission: models.ParticipantPermission | None = None,
    ) -> None:
        """Change what is given (empty = as it was) and tell everybody, themselves included."""
        self.info.name = self.grants.name = name or self.info.name
        self.info.metadata = self.grants.metadata = metadata or self.info.metadata
        for key, value in (attributes or {}).items():
            if value:
                self.info.attributes[key] = value
            else:
                self.info.attributes.pop(key, None)
        self.grants.attributes = dict(self.info.attributes)
        if permission is not None:
            self._permit(permission)
        self.changed(to_self=True)

    def changed(self, *, to_self: bool = False) -> None:
        """Tell the room that `info` is new."""
        self.info.version += 1
        del self.info.tracks[:]
        self.info.tracks.extend(track.info for track in self.tracks.values())
        self.info.is_publisher = bool(self.tracks)
        update = rtc.ParticipantUpdate(participants=[self.info])
        for other in self.room.others(self):
            other.send(update=update)
        if to_self:
            self.send(update=update)

    def receive_data(self, packet: models.DataPacket, lossy: bool) -> None:
        """Send a data packet to their browser."""
        peer = self._receiving
        peer.send_data(LOSSY if lossy else RELIABLE, packet.SerializeToString())

    def silent_for(self) -> float:
        """Seconds since their browser last showed a sign of life on the media path."""
        peers = filter(None, (self.publisher, self.subscriber))
        return time.monotonic() - max(peer.link.last_check for peer in peers)

    # --- signalling -----------------------------------------------------------------------------

    async def handle(self, request: rtc.SignalRequest) -> None:
        """Do what the browser asks for."""
        kind = request.WhichOneof("message") or ""
        if kind == "leave":
            await self.close(models.DisconnectReason.CLIENT_INITIATED)
            return
        handlers: dict[str, Callable[[Any], None]] = {
            "offer": self._offer,
            "answer": self._answer,
            "add_track": self._add_track,
            "mute": partial(requests.mute_requested, self),
            "subscription": partial(requests.subscription, self),
            "track_setting": self._track_setting,
            "update_metadata": partial(requests.update_metadata, self),
            "ping": partial(requests.ping, self),
            "ping_req": partial(requests.ping_request, self),
        }
        if handler := handlers.get(kind):
            handler(getattr(request, kind))

    def _offer(self, offer: rtc.SessionDescription) -> None:
        answer = self.publisher.answer(offer.sdp)
        self._asked = [0, 0]
        self.send(
            answer=rtc.SessionDescription(
                type="answer",
                sdp=answer,
                id=offer.id,
                mid_to_track_id=self.publisher.tracks_by_mid() if self._single else {},
            )
        )
        self._match_tracks()
        if self._single and self.publisher.waiting:
            self._negotiate()

    def _answer(self, answer: rtc.SessionDescription) -> None:
        if not self.subscriber:
            return
        self.subscriber.accept(answer.sdp)
        self._offering = False
        if self._offer_again:
            self._negotiate()

    def _add_track(self, request: rtc.AddTrackRequest) -> None:
        if not self.grants.allows_source(request.source):
            self.send(
                request_response=rtc.RequestResponse(
                    reason=rtc.RequestResponse.NOT_ALLOWED, add_track=request
                )
            )
            return
        info = track_info(request)
        self._pending[request.cid] = Track(info, request.cid, self)
        self.send(track_published=rtc.TrackPublishedResponse(cid=request.cid, track=info))
        self._match_tracks()

    def _track_setting(self, request: rtc.UpdateTrackSettings) -> None:
        for sid in request.track_sids:
            if downlink := self._downlinks.get(sid):
                downlink.pause(request.disabled)

    # --- tracks and state -----------------------------------------------------------------------

    @property
    def _receiving(self) -> Peer:
        return self.subscriber or self.publisher

    def _publisher_connected(self) -> None:
        if self._single:
            self._active()

    def _active(self) -> None:
        if self.closed or self.active:
            return
        self._set_state(models.ParticipantInfo.ACTIVE)
        self.room.became_active(self)
        self._match_tracks()
        for other in self.room.others(self):
            for track in other.tracks.values():
                self.auto_subscribe(track)

    def _set_state(self, state: models.ParticipantInfo.State) -> None:
        self.info.state = state
        self.changed()

    def _match_tracks(self) -> None:
        if not self.active:
            return
        uplinks = {uplink.cid: uplink for uplink in self.publisher.uplinks.values()}
        for cid in self._pending.keys() & uplinks.keys():
            track = self._pending.pop(cid)
            track.uplink = uplinks[cid]
            self._publish(track)
        for track in [*self.tracks.values()]:
            if track.uplink not in uplinks.values():
                self._unpublish(track)

    def _publish(self, track: Track) -> None:
        self.tracks[track.info.sid] = track
        self.changed()
        self.room.track_published(track)

    def _unpublish(self, track: Track) -> None:
        del self.tracks[track.info.sid]
        self.changed()
        self.room.track_unpublished(track)

    def _permit(self, permission: models.ParticipantPermission) -> None:
        self.grants.replace_permission(permission)
        self.info.permission.CopyFrom(self.grants.permission())
        for track in [*self.tracks.values()]:
            if not self.grants.allows_source(track.info.source):
                self._unpublish(track)
                self.send(track_unpublished=rtc.TrackUnpublishedResponse(track_sid=track.info.sid))
        if not self.grants.allows("canSubscribe"):
            for sid in [*self._downlinks]:
                self.unsubscribe(sid)

    def _negotiate(self) -> None:
        if self.subscriber:
            self._offer_again = self._offering
            if not self._offering:
                self._send_offer(self.subscriber)
            return
        missing = self.publisher.missing()
        more = [max(0, count - asked) for count, asked in zip(missing, self._asked, strict=True)]
        self._asked = [asked + new for asked, new in zip(self._asked, more, strict=True)]
        self.send(
            media_sections_requirement=rtc.MediaSectionsRequirement(
                num_audios=more[0], num_videos=more[1]
            )
        )

    def _send_offer(self, subscriber: Peer) -> None:
        self._offering = True
        self._offer_id += 1
        offer = subscriber.offer()
        self.send(
            offer=rtc.SessionDescription(
                type="offer",
                sdp=offer,
                id=self._offer_id,
                mid_to_track_id=subscriber.tracks_by_mid(),
            )
        )

    def _data_received(self, label: str, data: bytes) -> None:
        if not self.grants.allows("canPublishData"):
            return
        with contextlib.suppress(DecodeError):
            packet = models.DataPacket.FromString(data)
            lossy = label == LOSSY
            packet.participant_sid = self.sid
            packet.participant_identity = self.identity
            packet.kind = models.DataPacket.LOSSY if lossy else models.DataPacket.RELIABLE
            if packet.WhichOneof("value") == "user":
                packet.user.participant_sid = self.sid
                packet.user.participant_identity = self.identity
            self._last_sequence = max(self._last_sequence, packet.sequence)
            self.data.append(packet)
            self.room.relay(packet, lossy=lossy, sender=self)

    def _refresh_token(self) -> None:
        server = self.room.server
        self.send(refresh_token=refreshed(self.grants, server.key, server.secret))
