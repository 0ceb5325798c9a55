"""The Gladia emulator: how sessions begin, and what their sockets take and say."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.emulators.gladia import (
    GladiaEmulator,
    Switches,
    Timings,
)
from tests.emulators.gladia_client import (
    ALL_MESSAGES,
    SPEECH,
    call,
    chunks,
    close_code,
    is_final,
    open_session,
    post,
    read_to_the_end,
    read_until,
    start,
)
from tests.emulators.wordaudio import silence, speak, vocabulary
from tests.support.waiting import WAIT_TIMEOUT_S

# Starting a session


def vocabulary_of(entries: list[Any]) -> dict[str, Any]:
    return {"realtime_processing": {"custom_vocabulary_config": {"vocabulary": entries}}}


async def test_a_vocabulary_within_its_bounds_is_taken(emulator: GladiaEmulator) -> None:
    entries = ["a b c d e", {"value": "w" * 900}, *(["w" * 90] * 98)]
    assert (await post(emulator, vocabulary_of(entries))).status_code == 201


async def test_an_empty_wallet_ends_what_is_open_and_opens_nothing(
    emulator: GladiaEmulator,
) -> None:
    emulator.credit_seconds = 0.5
    heard = await start(emulator)
    heard.session.send_audio(silence(0.6))
    await heard.until(lambda: bool(heard.ended))
    assert emulator.sessions[0].end_code == 4402
    answer = await post(emulator, {})
    assert (answer.status_code, answer.json()["message"]) == (402, "Insufficient credits")
    emulator.credit_seconds = 1.5
    assert (await post(emulator, {})).status_code == 201


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"region": "eu-west"}, "property region should not exist"),
        ({"surprise": 1}, "property surprise should not exist"),
        ({"encoding": "mp3"}, "encoding must be one of"),
        ({"encoding": "wav/alaw", "bit_depth": 16}, "bit_depth must be 8"),
        ({"sample_rate": "16000"}, "sample_rate must be one of"),
        ({"channels": 9}, "channels must not be greater than 8"),
        ({"channels": True}, "channels must be an integer number"),
        ({"model": "solaria-3"}, "model must be one of"),
        ({"endpointing": 0}, "endpointing must not be less than 0.01"),
        ({"maximum_duration_without_endpointing": 61}, "must not be greater than 60"),
        ({"language_config": {"languages": ["xx"]}}, "language_config.languages must be one of"),
        ({"language_config": []}, "language_config must be an object"),
        ({"messages_config": {"receive_all": True}}, "messages_config.receive_all should not"),
        ({"messages_config": {"receive_errors": 1}}, "receive_errors must be a boolean"),
        (
            {"realtime_processing": {"translation_config": {"target_languages": []}}},
            "target_languages must contain at least 1",
        ),
        (
            {"realtime_processing": {"custom_vocabulary_config": {}}},
            "custom_vocabulary_config.vocabulary should not be empty",
        ),
        (vocabulary_of(["w"] * 101), "vocabulary must contain no more than 100 elements"),
        (vocabulary_of(["w" * 10_001]), "vocabulary must have at most 10000 characters"),
        (vocabulary_of(["a b c d e f"]), "each value in realtime_processing"),
        (vocabulary_of([{"value": "a b c d e f"}]), "must have at most 5 words"),
        (vocabulary_of([{"intensity": 0.4}]), "value should not be empty"),
        ({"custom_metadata": {"a": "x" * 2_000}}, "custom_metadata must be at most 2000"),
        ([1], "body must be an object"),
    ],
)
async def test_bodies_are_checked(emulator: GladiaEmulator, body: Any, error: str) -> None:
    answer = await post(emulator, body)
    assert answer.status_code == 400
    assert answer.json().keys() >= {"timestamp", "path", "request_id", "statusCode", "message"}
    assert any(error in found for found in answer.json()["validation_errors"])


async def test_keys_regions_and_unknown_routes(emulator: GladiaEmulator) -> None:
    for headers, message in [
        ({}, "no gladia key provided"),
        ({"x-gladia-key": ""}, "gladia key not found"),
        ({"x-gladia-key": "nobody"}, "gladia user not found"),
    ]:
        answer = await post(emulator, headers=headers)
        assert (answer.status_code, answer.json()["message"]) == (401, message)
    assert (await post(emulator, params={"region": "mars"})).status_code == 400
    answer = await post(emulator, {}, params={"region": "eu-west"})
    assert answer.status_code == 201
    assert answer.json().keys() == {"id", "created_at", "url"}
    record = emulator.sessions[0]
    assert (record.region, record.init, record.config["endpointing"]) == ("eu-west", {}, 0.05)
    assert (await call(emulator, "PUT", "")).json()["message"] == "Cannot PUT /v2/live"


async def test_unknown_fields_may_be_let_through_but_never_region() -> None:
    async with GladiaEmulator(switches=Switches(reject_unknown_fields=False)) as emulator:
        assert (await post(emulator, {"words_accurate_timestamps": True})).status_code == 201
        assert (await post(emulator, {"region": "eu-west"})).status_code == 400


@pytest.mark.parametrize("freed", ["close", "done"])
async def test_slots_are_counted_and_freed(freed: Any) -> None:
    switches, timings = Switches(slot_freed=freed), Timings(job_done=0.2)
    async with GladiaEmulator(max_sessions=2, switches=switches, timings=timings) as emulator:
        _, url = await open_session(emulator)
        await open_session(emulator)
        assert (await post(emulator)).status_code == 429
        async with connect(url, proxy=None) as socket:
            await socket.send('{"type": "stop_recording"}')
            await read_to_the_end(socket)
        await emulator.until(lambda: emulator.sessions[0].ended is not None)
        assert emulator.open_slots == (1 if freed == "close" else 2)
        await emulator.until(lambda: emulator.sessions[0].status == "done")
        assert (emulator.open_slots, emulator.peak_slots) == (1, 2)
        assert (await post(emulator)).status_code == 201


async def test_slow_and_dropped_posts(emulator: GladiaEmulator) -> None:
    emulator.faults.slow_post(0.15)
    began = time.monotonic()
    assert (await post(emulator)).status_code == 201
    assert time.monotonic() - began >= 0.15
    emulator.faults.drop_post()
    with pytest.raises(httpx.RemoteProtocolError):
        await post(emulator)
    emulator.reachable = False
    with pytest.raises(httpx.TransportError):
        await post(emulator)
    emulator.reachable = True
    assert (await post(emulator)).status_code == 201


# The socket


async def test_binary_and_json_audio_are_acknowledged_alike(emulator: GladiaEmulator) -> None:
    _, url = await open_session(emulator)
    async with connect(url, proxy=None) as socket:
        assert (await read_until(socket, "start_recording"))[-1].keys() == {
            "session_id",
            "created_at",
            "type",
        }
        await socket.send(bytes(3_200))
        chunk = base64.b64encode(bytes(1_600)).decode()
        await socket.send(json.dumps({"type": "audio_chunk", "data": {"chunk": chunk}}))
        await socket.send(json.dumps({"type": "audio_chunk", "data": {"chunk": ""}}))
        await socket.send(b"")
        first = (await read_until(socket, "audio_chunk"))[-1]
        second = (await read_until(socket, "audio_chunk"))[-1]
        assert first["acknowledged"] is True
        assert first["error"] is None
        assert first["data"] == {"byte_range": [0, 3_200], "time_range": [0.0, 0.1]}
        assert second["data"] == {"byte_range": [3_200, 4_800], "time_range": [0.1, 0.15]}
        await socket.send(json.dumps({"type": "audio_chunk", "data": {"chunk": "%%%"}}))
        refused = (await read_until(socket, "audio_chunk"))[-1]
        assert (refused["acknowledged"], refused["data"]) == (False, None)
        await socket.send("nonsense")
        assert (await read_until(socket, "error"))[-1]["data"]["code"] == "invalid_message"
    frames = emulator.sessions[0].frames
    assert [frame.audio_bytes for frame in frames] == [3_200, 1_600, 0, 0, 0, 0]
    assert len(emulator.sessions[0].protocol_errors) == 2


async def test_messages_are_gated(emulator: GladiaEmulator) -> None:
    _, url = await open_session(emulator, messages_config={})
    async with connect(url, proxy=None) as socket:
        await socket.send(SPEECH)
        await socket.send('{"type": "stop_recording"}')
        types = {m["type"] for m in await read_to_the_end(socket)}
    assert types == {
        "audio_chunk",
        "speech_start",
        "speech_end",
        "transcript",
        "stop_recording",
        "post_transcript",
        "post_final_transcript",
    }
    off = dict.fromkeys(ALL_MESSAGES, False)
    _, url = await open_session(emulator, messages_config=off)
    async with connect(url, proxy=None) as socket:
        await socket.send(SPEECH)
        await socket.send('{"type": "stop_recording"}')
        assert await read_to_the_end(socket) == []
        assert socket.close_code == 1000
    assert emulator.sessions[1].text == "good morning all of you"


async def test_channels_are_heard_apart_and_billed_together(emulator: GladiaEmulator) -> None:
    left, right = speak("left side"), silence(0.1) + speak("right side")
    size = max(len(left), len(right)) + 32_000
    sides = zip(
        *(chunks(side.ljust(size, b"\0"), 2) for side in (left, right)),
        strict=True,
    )
    _, url = await open_session(emulator, channels=2)
    async with connect(url, proxy=None) as socket:
        await socket.send(b"".join(a + b for a, b in sides))
        await socket.send('{"type": "stop_recording"}')
        finals = [m["data"] for m in await read_to_the_end(socket) if is_final(m)]
    heard = sorted((f["utterance"]["channel"], f["utterance"]["text"], f["id"]) for f in finals)
    assert heard == [(0, " left side", "00_00000000"), (1, " right side", "01_00000000")]
    assert emulator.billed_seconds == pytest.approx(2 * size / 32_000)


async def test_utterances_depend_on_audio_time_only(emulator: GladiaEmulator) -> None:
    audio = speak(vocabulary(30)) + silence(0.2) + speak("one more") + silence(0.4) + speak("end")
    for size in (640, len(audio)):
        _, url = await open_session(emulator)
        async with connect(url, proxy=None) as socket:
            for chunk in chunks(audio, size):
                await socket.send(chunk)
            await socket.send('{"type": "stop_recording"}')
            await read_to_the_end(socket)
    assert emulator.sessions[0].texts == emulator.sessions[1].texts
    assert emulator.sessions[0].text.split() == [*vocabulary(30), "one", "more", "end"]
    # Five seconds without a pause close an utterance, and so does the pause of 0.4 s.
    assert len(emulator.sessions[0].texts) == 3


async def test_a_second_stop_is_refused_and_late_audio_ignored(emulator: GladiaEmulator) -> None:
    _, url = await open_session(emulator)
    async with connect(url, proxy=None) as socket:
        await socket.send('{"type": "stop_recording"}')
        await socket.send(bytes(3_200))
        await socket.send('{"type": "stop_recording"}')
        stops = [m for m in await read_to_the_end(socket) if m["type"] == "stop_recording"]
    assert stops[0]["data"] == {"recording_duration": 0.0, "recording_left_to_process": 0.0}
    assert (stops[1]["acknowledged"], stops[1]["data"]) == (False, None)
    assert (emulator.sessions[0].late_bytes, emulator.sessions[0].audio) == (3_200, b"")


async def test_a_client_may_end_with_1000_but_not_with_1001(emulator: GladiaEmulator) -> None:
    for code in (1000, 1001):
        _, url = await open_session(emulator)
        socket = await connect(url, proxy=None)
        await socket.send(SPEECH)
        await read_until(socket, "audio_chunk")
        await socket.close(code)
    await emulator.until(lambda: emulator.sessions[0].status == "done")
    assert emulator.sessions[0].text == "good morning all of you"
    assert emulator.sessions[1].ended is None
    assert emulator.open_slots == 1
    async with connect(url, proxy=None) as socket:
        await socket.send('{"type": "stop_recording"}')
        assert await close_code(socket) == 1000


async def test_after_the_end_a_connect_is_closed_with_4403(emulator: GladiaEmulator) -> None:
    _, url = await open_session(emulator)
    async with connect(url, proxy=None) as socket:
        await socket.send('{"type": "stop_recording"}')
        await read_to_the_end(socket)
    async with connect(url, proxy=None) as socket:
        assert await close_code(socket) == 4403
    with pytest.raises(InvalidStatus, match="403"):
        await connect(f"{url}x", proxy=None)


async def test_big_frames_are_closed_with_1009_and_then_refused(emulator: GladiaEmulator) -> None:
    _, url = await open_session(emulator)
    async with connect(url, proxy=None) as socket:
        await socket.send(bytes(2**20))
        await read_until(socket, "audio_chunk")
        await socket.close(4000)  # 1000 would end the session
    for _ in range(3):
        async with connect(url, proxy=None) as socket:
            await socket.send(bytes(2**20 + 2))
            assert await close_code(socket) == 1009
    with pytest.raises(InvalidStatus, match="403"):
        await connect(url, proxy=None)
    assert len(emulator.sessions[0].audio) == 2**20


async def test_clocks_run_out() -> None:
    timings = Timings(session=3_600).scaled(0.005)
    async with GladiaEmulator(timings=timings) as emulator:
        _, url = await open_session(emulator)
        async with connect(url, proxy=None) as socket:
            assert await close_code(socket) == 4408
        async with connect(url, proxy=None) as socket:
            assert await close_code(socket) == 4403
        _, url = await open_session(emulator)
        async with connect(url, proxy=None) as socket:
            assert await closed_while_sending(socket, bytes(640)) == 4504
        async with connect(url, proxy=None) as socket:
            await socket.send(bytes(640))
    opened, closed = emulator.sessions[0].connections[0].opened, emulator.sessions[0].ended
    assert closed is not None
    assert 0.14 <= closed - opened < 3
    async with GladiaEmulator(timings=Timings(session=0.15)) as emulator:
        _, url = await open_session(emulator)
        async with connect(url, proxy=None) as socket:
            assert await closed_while_sending(socket, bytes(640)) == 4408


async def closed_while_sending(socket: ClientConnection, chunk: bytes) -> int | None:
    async with asyncio.timeout(WAIT_TIMEOUT_S):
        try:
            while True:
                await socket.send(chunk)
                await asyncio.sleep(0.02)
        except ConnectionClosed:
            return socket.close_code
