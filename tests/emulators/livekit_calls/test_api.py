"""The emulated LiveKit server against livekit-api: rooms, grants, tokens, and its ways to fail."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from livekit import api
from livekit.api.twirp_client import ServerError

from tests.emulators.livekit import LiveKitServer, LiveKitThread
from tests.support.livekit_page import Hooks, Target, emulated

pytestmark = pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")


# --- the server API ---------------------------------------------------------------------------


async def test_api_manages_rooms(target: Target, hooks: Hooks) -> None:
    async with target.client() as client:
        made = await client.room.create_room(
            api.CreateRoomRequest(name=target.room, metadata="first", empty_timeout=60)
        )
        again = await client.room.create_room(
            api.CreateRoomRequest(name=target.room, metadata="second")
        )
        changed = await client.room.update_room_metadata(
            api.UpdateRoomMetadataRequest(room=target.room, metadata="third")
        )
        listed = await client.room.list_rooms(api.ListRoomsRequest(names=[target.room]))
        people = await client.room.list_participants(api.ListParticipantsRequest(room=target.room))
        await client.room.delete_room(api.DeleteRoomRequest(room=target.room))
        after = await client.room.list_rooms(api.ListRoomsRequest(names=[target.room]))

    assert made.sid.startswith("RM_") and made.empty_timeout == 60
    assert again.sid == made.sid and again.metadata == "first"
    assert changed.metadata == "third"
    assert [room.sid for room in listed.rooms] == [made.sid]
    assert not people.participants and not after.rooms
    if target.sends_hooks:
        events = await hooks.until(target, "room_started", "room_finished")
        assert [event.event for event in events] == ["room_started", "room_finished"]
        assert {kind for _, _, kind in hooks.requests} == {"application/webhook+json"}
        assert len({event.id for event in events}) == 2


async def test_api_errors_have_livekits_shape(target: Target) -> None:
    nobody = api.RoomParticipantIdentity(room=target.room, identity="nobody")
    async with target.client() as client:
        for call in (
            client.room.get_participant(nobody),
            client.room.remove_participant(nobody),
            client.room.update_participant(
                api.UpdateParticipantRequest(room=target.room, identity="nobody")
            ),
            client.room.update_room_metadata(api.UpdateRoomMetadataRequest(room=target.room)),
            client.room.delete_room(api.DeleteRoomRequest(room=target.room)),
        ):
            with pytest.raises(ServerError) as missing:
                await call
            assert (missing.value.code, missing.value.status) == ("not_found", 404)
            assert "does not exist" in missing.value.message
        with pytest.raises(ServerError) as unserved:
            await client.room.mute_published_track(
                api.MuteRoomTrackRequest(room=target.room, identity="nobody", track_sid="TR_1")
            )
        assert (unserved.value.code, unserved.value.status) == ("unavailable", 503)
    # A wrong secret is answered in plain text, so the client has no code to tell.
    async with target.client("a-secret-of-somebody-else-entirely") as stranger:
        with pytest.raises(ServerError) as refused:
            await stranger.room.list_rooms(api.ListRoomsRequest())
        assert (refused.value.code, refused.value.status) == ("unknown", 401)


async def test_api_wants_the_right_grant(target: Target) -> None:
    url = target.url.replace("ws", "http", 1) + "/twirp/livekit.RoomService/"
    headers = {"Authorization": f"Bearer {target.token('anna')}"}
    async with aiohttp.ClientSession() as http:
        for method, authorization in (("ListRooms", headers), ("ListRooms", {})):
            async with http.post(url + method, json={}, headers=authorization) as answer:
                assert answer.status == 401
                assert await answer.json() == {
                    "code": "unauthenticated",
                    "msg": "permissions denied",
                }
        elsewhere = target.token("anna", room_admin=True, room="elsewhere")
        headers = {"Authorization": f"Bearer {elsewhere}"}
        body = {"room": target.room}
        async with http.post(url + "ListParticipants", json=body, headers=headers) as answer:
            assert answer.status == 401
        async with http.post(url + "Nothing", json={}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, "bad_route")


async def test_endpoints_without_a_token(target: Target) -> None:
    url = target.url.replace("ws", "http", 1)
    expired = target.token("anna", ttl=-120)
    cases = {
        "": (401, "no permissions to access the room"),
        "?access_token=garbage": (401, "invalid authorization token"),
        f"?access_token={expired}": (401, "invalid token"),
        f"?access_token={target.token('anna', room_join=False)}": (401, "permissions denied"),
        f"?access_token={target.token('anna')}": (200, "success"),
    }
    async with aiohttp.ClientSession() as http:
        async with http.get(url) as answer:
            assert (answer.status, await answer.text()) == (200, "OK")
        async with http.head(url) as answer:
            assert answer.status == 200
        for query, (status, text) in cases.items():
            async with http.get(f"{url}/rtc/validate{query}") as answer:
                assert answer.status == status
                assert (await answer.text()).startswith(text)
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
        async with http.get(f"{url}/rtc/v1/validate?access_token={target.token('a')}") as answer:
            assert (answer.status, await answer.text()) == (400, "join_request is required")


# --- faults -----------------------------------------------------------------------------------


async def test_a_hung_server_answers_when_released(emulator: LiveKitServer) -> None:
    emulator.hang("twirp")
    async with emulated(emulator).client() as client:
        call = asyncio.ensure_future(client.room.list_rooms(api.ListRoomsRequest()))
        done, _ = await asyncio.wait([call], timeout=0.3)
        assert not done
        emulator.unhang()
        assert not (await call).rooms


async def test_stop_and_restart_keep_the_port_and_forget_the_rooms(
    emulator: LiveKitServer,
) -> None:
    async with emulated(emulator).client() as client:
        await client.room.create_room(api.CreateRoomRequest(name="before"))
        url = emulator.url
        await emulator.stop()
        with pytest.raises(aiohttp.ClientError):
            await client.room.list_rooms(api.ListRoomsRequest())
        await emulator.start()
        assert emulator.url == url
        assert not (await client.room.list_rooms(api.ListRoomsRequest())).rooms
        emulator.reject_credentials = True
        with pytest.raises(ServerError) as refused:
            await client.room.list_rooms(api.ListRoomsRequest())
        assert refused.value.status == 401


async def test_rooms_nobody_comes_to_end(emulator: LiveKitServer, hooks: Hooks) -> None:
    target = emulated(emulator)
    emulator.webhooks.urls.append(f"{hooks.url}/hook")
    async with target.client() as client:
        await client.room.create_room(api.CreateRoomRequest(name=target.room, empty_timeout=1))
    await hooks.until(target, "room_started", "room_finished")
    assert not emulator.rooms


def test_on_a_thread() -> None:
    with LiveKitThread(secret="another-secret-that-is-long-enough") as livekit:

        async def rooms() -> int:
            async with emulated(livekit.server).client() as client:
                await client.room.create_room(api.CreateRoomRequest(name="one"))
                return len((await client.room.list_rooms(api.ListRoomsRequest())).rooms)

        assert asyncio.run(rooms()) == 1
        livekit.do(livekit.server.hang, "twirp")
        with pytest.raises(TimeoutError):
            asyncio.run(asyncio.wait_for(rooms(), 0.3))
