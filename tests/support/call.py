"""The LiveKit of a test, real or emulated, and people in its rooms who need no browser."""

from __future__ import annotations

import os

import pytest
from livekit.protocol import models

from tests.emulators.livekit import LiveKitThread
from tests.emulators.livekit.participant import Participant
from tests.emulators.livekit.tracks import Track
from tests.support.app_server import AppServer


def environment(livekit: LiveKitThread) -> dict[str, str]:
    """Return what a server must be told to use this LiveKit."""
    server = livekit.server
    return {
        "LIVEKIT_URL": server.ws_url,
        "LIVEKIT_API_KEY": server.key,
        "LIVEKIT_API_SECRET": server.secret,
    }


def real_environment() -> dict[str, str]:
    """Return the same for the real LiveKit that the environment names, or skip the test."""
    url = os.environ.get("LIVEKIT_TEST_URL")
    if not url:
        pytest.skip("no LIVEKIT_TEST_URL")
    return {
        "LIVEKIT_URL": url,
        "LIVEKIT_API_KEY": os.environ.get("LIVEKIT_TEST_KEY", "devkey"),
        "LIVEKIT_API_SECRET": os.environ.get("LIVEKIT_TEST_SECRET", "secret"),
    }


def send_webhooks_to(livekit: LiveKitThread, place: AppServer | None) -> None:
    """Let LiveKit tell this server, or nobody, what happens."""
    livekit.server.webhooks.urls = [f"{place.url}/hooks/livekit"] if place else []


def ghost(livekit: LiveKitThread, slug: str, identity: str) -> Participant:
    """Let somebody be in the call, with a microphone that is on."""

    def haunt() -> Participant:
        one = livekit.server.add_ghost(slug, identity)
        info = models.TrackInfo(
            sid=f"TR_{identity}", type=models.AUDIO, source=models.MICROPHONE, name="microphone"
        )
        one.tracks[info.sid] = Track(info, info.sid, one)
        one.changed()
        return one

    return livekit.do(haunt)


def is_muted(one: Participant) -> bool:
    """Whether a ghost's microphone is muted."""
    return all(track.info.muted for track in one.tracks.values())


def hang_up(livekit: LiveKitThread, one: Participant) -> None:
    """Let somebody leave the call."""
    livekit.call(one.close(models.DisconnectReason.CLIENT_INITIATED))


def people(livekit: LiveKitThread, slug: str) -> set[str]:
    """Return who is in the call."""

    def look() -> set[str]:
        room = livekit.server.rooms.get(slug)
        return set(room.participants) if room else set()

    return livekit.do(look)
