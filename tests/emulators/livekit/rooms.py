"""A room: who is in it, who publishes what, and when it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from .ids import new_id
from .participant import Participant
from .tracks import Track

if TYPE_CHECKING:
    from .server import LiveKitServer

_SPEAKERS_EVERY = 0.4  # seconds


class Room:
    """A room and its participants.

    Attributes:
        participants: by identity.
        info: name, sid, metadata, limits.
    """

    def __init__(self, server: LiveKitServer, info: models.Room) -> None:
        self.server = server
        self.participants: dict[str, Participant] = {}
        self.info = info
        self.info.sid = new_id("RM_")
        now = time.time()
        self.info.creation_time = int(now)
        self.info.creation_time_ms = int(now * 1000)
        self._speaking: dict[str, float] = {}
        self._ticks = 0
        self._empty_since: float | None = now
        self._ever_joined = False
        self._task = asyncio.create_task(self._watch())
        server.webhooks.emit("room_started", self.to_proto())

    def to_proto(self) -> models.Room:
        """The room as the API tells it."""
        room = models.Room()
        room.CopyFrom(self.info)
        room.num_participants = sum(one.active for one in self.participants.values())
        room.num_publishers = sum(bool(one.tracks) for one in self.participants.values())
        return room

    def others(self, participant: Participant) -> Iterator[Participant]:
        """Everybody else."""
        return (one for one in [*self.participants.values()] if one is not participant)

    def track(self, sid: str) -> Track | None:
        """A published track by its sid."""
        for participant in self.participants.values():
            if sid in participant.tracks:
                return participant.tracks[sid]
        return None

    def add(self, participant: Participant) -> None:
        """Let somebody in."""
        self.participants[participant.identity] = participant
        self._empty_since = None
        self._ever_joined = True

    def became_active(self, participant: Participant) -> None:
        """Somebody's media connected: from now on they count as joined."""
        self.server.webhooks.emit("participant_joined", self.to_proto(), _copy(participant.info))

    def remove(self, participant: Participant, was_active: bool) -> None:
        """Somebody is gone: their tracks end, everybody is told."""
        if self.participants.get(participant.identity) is not participant:
            return
        del self.participants[participant.identity]
        for track in participant.tracks.values():
            self.track_unpublished(track)
        participant.info.state = models.ParticipantInfo.DISCONNECTED
        participant.tracks.clear()
        participant.changed()
        event = "participant_left" if was_active else "participant_connection_aborted"
        self.server.webhooks.emit(event, self.to_proto(), _copy(participant.info))
        if not self.participants:
            self._empty_since = time.time()

    def track_published(self, track: Track) -> None:
        """A new track: everybody gets it."""
        for other in self.others(track.publisher):
            other.auto_subscribe(track)
        self._track_event("track_published", track)

    def track_unpublished(self, track: Track) -> None:
        """A track ended."""
        for other in self.others(track.publisher):
            other.unsubscribe(track.info.sid)
        self._track_event("track_unpublished", track)

    def relay(
        self, packet: models.DataPacket, *, lossy: bool, sender: Participant | None = None
    ) -> None:
        """Pass on a data packet, to the named participants or to everybody else."""
        names = {*packet.destination_identities}
        sids: set[str] = set()
        if packet.WhichOneof("value") == "user":
            names |= {*packet.user.destination_identities}
            sids = {*packet.user.destination_sids}
        for one in self.participants.values():
            wanted = one.identity in names or one.sid in sids or not (names or sids)
            if wanted and one is not sender:
                one.receive_data(packet, lossy)

    def set_metadata(self, metadata: str) -> None:
        """Change the room's metadata and tell everybody."""
        self.info.metadata = metadata
        for one in self.participants.values():
            one.send(room_update=rtc.RoomUpdate(room=self.to_proto()))

    async def close(self, reason: models.DisconnectReason, *, goodbye: bool = True) -> None:
        """End the room for everybody."""
        self.server.rooms.pop(self.info.name, None)
        for one in [*self.participants.values()]:
            await one.close(reason, goodbye=goodbye)
        if goodbye:
            self.server.webhooks.emit("room_finished", self.to_proto())
        if asyncio.current_task() is not self._task:
            self._task.cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_SPEAKERS_EVERY)
            self._ticks += 1
            self._tell_speakers()
            if self._ticks % round(self.server.quality_every / _SPEAKERS_EVERY) == 0:
                self.tell_quality()
            await self._drop_lost()
            if self._expired():
                await self.close(models.DisconnectReason.ROOM_CLOSED)
                return

    def tell_quality(self) -> None:
        """Send everybody's connection quality, as it is in `participant.quality`."""
        update = rtc.ConnectionQualityUpdate(
            updates=[
                rtc.ConnectionQualityInfo(participant_sid=one.sid, quality=one.quality, score=5)
                for one in self.participants.values()
            ]
        )
        for one in self.participants.values():
            one.send(connection_quality=update)

    def _tell_speakers(self) -> None:
        now: dict[str, float] = {}
        for one in self.participants.values():
            levels = [
                track.uplink.take_level()
                for track in one.tracks.values()
                if track.uplink and track.uplink.kind == "audio" and not track.info.muted
            ]
            if level := max(levels, default=0.0):
                now[one.sid] = level
        changes = [
            models.SpeakerInfo(sid=sid, level=now.get(sid, 0.0), active=sid in now)
            for sid in now.keys() | self._speaking.keys()
        ]
        if changes and now != self._speaking:
            for one in self.participants.values():
                one.send(speakers_changed=rtc.SpeakersChanged(speakers=changes))
        self._speaking = now

    async def _drop_lost(self) -> None:
        grace = self.server.resume_grace
        for one in [*self.participants.values()]:
            lost = one.signalling_lost_at
            if lost is not None and time.monotonic() - lost > grace and one.silent_for() > grace:
                await one.close(models.DisconnectReason.CONNECTION_TIMEOUT, goodbye=False)

    def _expired(self) -> bool:
        if self._empty_since is None:
            return False
        timeout = self.info.departure_timeout if self._ever_joined else self.info.empty_timeout
        return time.time() - self._empty_since > timeout

    def _track_event(self, event: str, track: Track) -> None:
        publisher = track.publisher.info
        room = models.Room(sid=self.info.sid, name=self.info.name)
        participant = models.ParticipantInfo(sid=publisher.sid, identity=publisher.identity)
        info = models.TrackInfo()
        info.CopyFrom(track.info)
        self.server.webhooks.emit(event, room, participant, info)


def _copy(info: models.ParticipantInfo) -> models.ParticipantInfo:
    copy = models.ParticipantInfo()
    copy.CopyFrom(info)
    return copy
