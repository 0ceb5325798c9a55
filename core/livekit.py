"""LiveKit: tokens that let a page join its session's room, and nothing else."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import timedelta

from jwt.warnings import InsecureKeyLengthWarning
from livekit import api

from core.people import Participant
from core.settings import Settings
from core.store.sessions import Session

# LiveKit's own development secret is six letters; it can't be chosen here.
warnings.filterwarnings("ignore", category=InsecureKeyLengthWarning, module="jwt")

TOKEN_LIFETIME = timedelta(minutes=10)  # LiveKit renews it on an open connection
SOURCES = ["microphone", "camera", "screen_share", "screen_share_audio"]


@dataclass(frozen=True, slots=True)
class VideoPass:
    """What a page needs to join the call."""

    url: str
    token: str


def video_pass(settings: Settings, session: Session, participant: Participant) -> VideoPass:
    """Return a pass for the participant's own identity, without any admin grant."""
    grants = api.VideoGrants(
        room_join=True,
        room=session.slug,
        can_subscribe=True,
        can_publish=True,
        can_publish_data=True,
        can_publish_sources=SOURCES,
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
