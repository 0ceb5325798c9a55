"""A track that somebody publishes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from .forwarding import Uplink
from .ids import new_id

if TYPE_CHECKING:
    from .participant import Participant

CODECS = ("audio/opus", "video/VP8")
STREAMS = {
    models.CAMERA: "camera",
    models.MICROPHONE: "camera",
    models.SCREEN_SHARE: "screen_share",
    models.SCREEN_SHARE_AUDIO: "screen_share",
}


@dataclass
class Track:
    """A track somebody publishes or is about to.

    Attributes:
        info: as told to everybody.
        cid: the publishing browser's own id of it.
        uplink: its media; None until the browser negotiated it.
    """

    info: models.TrackInfo
    cid: str
    publisher: Participant
    uplink: Uplink | None = None
    heard_of: bool = field(default=False)


def track_info(request: rtc.AddTrackRequest) -> models.TrackInfo:
    """Return what everybody is told of a track that a browser is about to publish."""
    audio = request.type == models.TrackType.AUDIO
    info = models.TrackInfo(
        sid=new_id("TR_AM" if audio else "TR_VC"),
        type=request.type,
        name=request.name,
        source=request.source,
        muted=request.muted,
        width=request.width,
        height=request.height,
        stream=request.stream or STREAMS.get(request.source, ""),
        layers=request.layers,
        disable_dtx=request.disable_dtx,
        mime_type=CODECS[0 if audio else 1],
        audio_features=request.audio_features,
    )
    info.codecs.add(mime_type=info.mime_type, cid=request.cid, layers=request.layers)
    return info
