"""The emulated LiveKit server against livekit-client in Chromium: calls, hosts, faults."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from livekit import api
from livekit.api.twirp_client import ServerError
from livekit.protocol.models import DisconnectReason
from playwright.async_api import Page

from tests.emulators.livekit import LiveKitServer
from tests.support.browser import Browsers
from tests.support.livekit_page import Hooks, Target, emulated, join, open_page, tone, until_true

pytestmark = pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")


@pytest.mark.browser
@pytest.mark.parametrize("connections", ["one", "two"])
async def test_a_call(
    target: Target, hooks: Hooks, browsers: Browsers, tmp_path: Path, connections: str
) -> None:
    """Two people see and hear each other, over one connection each and over the older two."""
    options = {"singlePeerConnection": connections == "one"}
    anna, ben = await asyncio.gather(
        open_page(browsers, target, microphone=tone(tmp_path / "tone.wav")),
        open_page(browsers, target),
    )
    assert await join(anna, target, "anna", options=options) == "connected"
    await anna.evaluate("room.localParticipant.setCameraEnabled(true)")
    assert await join(ben, target, "ben", options=options) == "connected"

    # Ben came later and gets the camera that was on; then the microphone that is switched on.
    assert await until_true(anna, "remote('ben')?.name") == "Ben"
    await until_true(ben, "shown('anna', 'camera') > 3")
    before = await ben.evaluate("picture()")
    await until_true(
        ben, f"shown('anna', 'camera') > {await ben.evaluate('shown(`anna`, `camera`)')}"
    )
    await until_true(ben, f"picture() !== `{before}`")  # a frame decoded need not be drawn yet
    await anna.evaluate("room.localParticipant.setMicrophoneEnabled(true)")
    await until_true(ben, "publication('anna', 'microphone')?.audioTrack")
    await until_true(ben, "loudness('anna').then((energy) => energy > 0.01)")
    await until_true(ben, "room.activeSpeakers.some((one) => one.identity === 'anna')")

    # A second picture, and its end.
    await anna.evaluate("room.localParticipant.setScreenShareEnabled(true)")
    await until_true(ben, "shown('anna', 'screen_share') > 3")
    await anna.evaluate("room.localParticipant.setScreenShareEnabled(false)")
    await until_true(ben, "!publication('anna', 'screen_share')")

    # Messages both ways.
    await anna.evaluate(
        "room.localParticipant.publishData(new TextEncoder().encode('hi'), {reliable: true,"
        " topic: 'greeting'})"
    )
    await ben.evaluate("room.localParticipant.sendText('hello '.repeat(9000), {topic: 'chat'})")
    assert await until_true(ben, "received[0]") == ["hi", "anna", "greeting"]
    assert await until_true(anna, "received[0]") == ["hello " * 9000, "ben", "chat"]

    # Muted by herself.
    await anna.evaluate("room.localParticipant.setMicrophoneEnabled(false)")
    await until_true(ben, "publication('anna', 'microphone').isMuted")
    await until_true(ben, "!room.activeSpeakers.length")

    await ben.evaluate("room.disconnect()")
    await until_true(anna, "!remote('ben')")
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
    anna, ben = await asyncio.gather(open_page(browsers, target), open_page(browsers, target))
    assert await join(anna, target, "anna") == "connected"
    assert await join(ben, target, "ben") == "connected"
    await anna.evaluate("room.localParticipant.setMicrophoneEnabled(true)")
    await anna.evaluate("room.localParticipant.setCameraEnabled(true)")
    await until_true(ben, "publication('anna', 'microphone')?.audioTrack")

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
        await until_true(anna, "!room.localParticipant.isMicrophoneEnabled")
        await until_true(ben, "publication('anna', 'microphone').isMuted")
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
        await until_true(ben, "remote('anna').name === 'Anna B' && remote('anna').metadata")
        await client.room.send_data(
            api.SendDataRequest(
                room=target.room, data=b"news", topic="host", destination_identities=["ben"]
            )
        )
        assert await until_true(ben, "received[0]") == ["news", "", "host"]
        assert await anna.evaluate("received.length") == 0
        await client.room.update_room_metadata(
            api.UpdateRoomMetadataRequest(room=target.room, metadata="locked")
        )
        await until_true(ben, "room.metadata === 'locked'")
        only_audio = api.ParticipantPermission(
            can_subscribe=True,
            can_publish=True,
            can_publish_data=True,
            can_publish_sources=[api.TrackSource.MICROPHONE],
        )
        await client.room.update_participant(
            api.UpdateParticipantRequest(room=target.room, identity="anna", permission=only_audio)
        )
        await until_true(ben, "!publication('anna', 'camera')?.videoTrack")

        await client.room.remove_participant(who)
        await until_true(anna, "room.state === 'disconnected'")
        assert await anna.evaluate("last('disconnected')[0]") == 4  # PARTICIPANT_REMOVED
        await until_true(ben, "!remote('anna')")
        await client.room.delete_room(api.DeleteRoomRequest(room=target.room))
        await until_true(ben, "room.state === 'disconnected'")
        assert await ben.evaluate("last('disconnected')[0]") == 5  # ROOM_DELETED
    if target.sends_hooks:
        events = await hooks.until(target, "room_finished")
        left = [event.participant.identity for event in events if event.event == "participant_left"]
        assert left == ["anna", "ben"]
    assert not browsers.errors


@pytest.mark.browser
async def test_who_may_not_come_in(target: Target, browsers: Browsers) -> None:
    page = await open_page(browsers, target)
    wrong = "a-secret-of-somebody-else-entirely"
    refused = ["ConnectionError", "NotAllowed", 401]
    assert await join(page, target, "anna", secret=wrong) == refused
    assert await join(page, target, "anna", ttl=-120) == refused
    assert await join(page, target, "anna", room_join=False) == refused
    assert await join(page, target, "anna", can_publish_sources=["microphone"]) == "connected"
    assert await page.evaluate(
        "room.localParticipant.setCameraEnabled(true).then(() => '', (error) => error.name)"
    )
    # The same identity again: the older one has to go.
    other = await open_page(browsers, target)
    assert await join(other, target, "anna") == "connected"
    await until_true(page, "room.state === 'disconnected'")
    assert await page.evaluate("last('disconnected')[0]") == 2  # DUPLICATE_IDENTITY


async def two_pages(
    emulator: LiveKitServer, hooks: Hooks, browsers: Browsers
) -> tuple[Target, Page, Page]:
    """Return a room of an emulator that may fail, and two pages that can join it."""
    target = emulated(emulator)
    target.hooks = hooks.url
    anna, ben = await asyncio.gather(open_page(browsers, target), open_page(browsers, target))
    return target, anna, ben


@pytest.mark.browser
async def test_a_full_room_of_ghosts(
    emulator: LiveKitServer, hooks: Hooks, browsers: Browsers
) -> None:
    """More pictures than a browser has room for at first: it is asked to make more room."""
    target, anna, ben = await two_pages(emulator, hooks, browsers)
    assert await join(anna, target, "anna") == "connected"
    await anna.evaluate("room.localParticipant.setCameraEnabled(true)")
    await until_true(
        anna, "room.localParticipant.isCameraEnabled && happened('localTrackPublished')"
    )
    emulator.add_ghost(target.room, "quiet", name="Quiet")
    for number in range(4):
        emulator.add_ghost(target.room, f"ghost-{number}", mirror="anna")
    assert await join(ben, target, "ben") == "connected"
    emulator.add_ghost(target.room, "ghost-4", mirror="anna")
    for number in range(5):
        await until_true(ben, f"shown('ghost-{number}', 'camera') > 3")
    assert await ben.evaluate("[remote('quiet').name, remote('quiet').trackPublications.size]") == [
        "Quiet",
        0,
    ]
    await emulator.participant(target.room, "ghost-0").close(DisconnectReason.CLIENT_INITIATED)
    await until_true(ben, "!remote('ghost-0')")
    assert not browsers.errors


@pytest.mark.browser
async def test_browsers_survive_faults(
    emulator: LiveKitServer, hooks: Hooks, browsers: Browsers
) -> None:
    target, anna, ben = await two_pages(emulator, hooks, browsers)
    assert await join(anna, target, "anna") == "connected"
    assert await join(ben, target, "ben") == "connected"
    await anna.evaluate("room.localParticipant.setCameraEnabled(true)")
    await until_true(ben, "shown('anna', 'camera') > 3")

    # Signalling lost: she resumes under the same sid, her picture goes on.
    sid = emulator.participant(target.room, "anna").sid
    emulator.drop_signalling(target.room, "anna")
    await until_true(anna, "happened('signalReconnecting') && happened('reconnected')")
    frames = await ben.evaluate("shown('anna', 'camera')")
    await until_true(ben, f"shown('anna', 'camera') > {frames} + 3")
    assert emulator.participant(target.room, "anna").sid == sid

    # The server is killed and comes back empty: both join anew by themselves.
    await emulator.restart()
    await until_true(anna, "happened('reconnected') === 2")
    await until_true(ben, "happened('reconnected') === 1")
    await until_true(ben, "publication('anna', 'camera')?.videoTrack")
    assert emulator.participant(target.room, "anna").sid != sid

    await emulator.stop(goodbye=True)
    await until_true(ben, "room.state === 'disconnected'")
    assert await ben.evaluate("last('disconnected')[0]") == 3  # SERVER_SHUTDOWN
    assert await join(ben, target, "ben") == ["ConnectionError", "ServerUnreachable", None]
    assert not browsers.errors
