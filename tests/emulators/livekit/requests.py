"""What a browser asks for over signalling, and what a server answers first of all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from .ids import new_id
from .tokens import Grants
from .tracks import CODECS

if TYPE_CHECKING:
    from .participant import Participant

VERSION = "1.13.0"
_PING_INTERVAL, _PING_TIMEOUT = 5, 15  # seconds, told to browsers


def mute_requested(who: Participant, request: rtc.MuteTrackRequest) -> None:
    if who.mute(request.sid, request.muted, by_server=False) is None:
        who.send(
            request_response=rtc.RequestResponse(reason=rtc.RequestResponse.NOT_FOUND, mute=request)
        )


def subscription(who: Participant, request: rtc.UpdateSubscription) -> None:
    sids = [*request.track_sids]
    for one in request.participant_tracks:
        sids += one.track_sids
    for sid in sids:
        if not request.subscribe:
            who.unsubscribe(sid)
        elif track := who.room.track(sid):
            who.subscribe(track)


def update_metadata(who: Participant, request: rtc.UpdateParticipantMetadata) -> None:
    allowed = bool(who.grants.video.get("canUpdateOwnMetadata"))
    if allowed:
        who.update(
            name=request.name,
            metadata=request.metadata,
            attributes=dict(request.attributes),
        )
    reason = rtc.RequestResponse.OK if allowed else rtc.RequestResponse.NOT_ALLOWED
    who.send(
        request_response=rtc.RequestResponse(
            request_id=request.request_id,
            reason=reason,
            message="" if allowed else "does not have permission to update own metadata",
        )
    )


def ping(who: Participant, timestamp: int) -> None:
    who.send(pong=int(time.time() * 1000))


def ping_request(who: Participant, request: rtc.Ping) -> None:
    who.send(
        pong_resp=rtc.Pong(last_ping_timestamp=request.timestamp, timestamp=int(time.time() * 1000))
    )


def participant_info(grants: Grants) -> models.ParticipantInfo:
    """Return what others know about somebody who is about to join."""
    now = time.time()
    return models.ParticipantInfo(
        sid=new_id("PA_"),
        identity=grants.identity,
        name=grants.name,
        metadata=grants.metadata,
        attributes=grants.attributes,
        state=models.ParticipantInfo.JOINING,
        joined_at=int(now),
        joined_at_ms=int(now * 1000),
        permission=grants.permission(),
        version=1,
    )


def join_response(who: Participant, *, single_peer: bool) -> rtc.JoinResponse:
    return rtc.JoinResponse(
        room=who.room.to_proto(),
        participant=who.info,
        other_participants=[one.info for one in who.room.others(who)],
        server_version=VERSION,
        server_info=server_info(),
        subscriber_primary=not single_peer,
        ping_interval=_PING_INTERVAL,
        ping_timeout=_PING_TIMEOUT,
        enabled_publish_codecs=[models.Codec(mime=mime) for mime in CODECS],
        fast_publish=who.grants.allows("canPublish"),
    )


def server_info() -> models.ServerInfo:
    return models.ServerInfo(
        edition=models.ServerInfo.Edition.Standard, version=VERSION, protocol=16, node_id="ND_1"
    )
