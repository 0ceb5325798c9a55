"""The Gladia emulator is what Gladia's own SDK expects, and tells what it was told."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import time
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, get_args

import httpx
import pytest
from gladiaio_sdk import GladiaClient, LiveV2InitRequest
from gladiaio_sdk.network.http_client import HttpError
from gladiaio_sdk.v2.live.async_session import LiveV2AsyncSession
from gladiaio_sdk.v2.live.generated_types import (
    LiveV2TranscriptionLanguageCode,
    LiveV2TranslationLanguageCode,
)
from gladiaio_sdk.v2.live.session import LiveV2Session
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.emulators.gladia import (
    API_KEY,
    LANGUAGES,
    TRANSLATION_LANGUAGES,
    GladiaEmulator,
    Switches,
    Timings,
)
from tests.emulators.gladia.faults import LastChunk
from tests.emulators.gladia.recognizers import Event
from tests.emulators.wordaudio import DAMAGED, silence, speak, vocabulary
from tests.support.waiting import PATIENCE_S, wait_until

Json = dict[str, Any]

CHUNK = 3_200
# The SDK connects in a way newer releases of websockets advise against.
SYNC_SDK = pytest.mark.filterwarnings("ignore:connect.. must be used:DeprecationWarning")
ALL_MESSAGES = {
    "receive_partial_transcripts": True,
    "receive_final_transcripts": True,
    "receive_speech_events": True,
    "receive_realtime_processing_events": True,
    "receive_post_processing_events": True,
    "receive_acknowledgments": True,
    "receive_lifecycle_events": True,
}
INIT: Json = {
    "encoding": "wav/pcm",
    "sample_rate": 16_000,
    "bit_depth": 16,
    "channels": 1,
    "endpointing": 0.3,
    "language_config": {"languages": ["en"], "code_switching": False},
    "messages_config": ALL_MESSAGES,
}
SPEECH = silence(0.2) + speak("good morning") + silence(0.5) + speak("all of you") + silence(0.5)


@pytest.fixture
async def emulator() -> AsyncIterator[GladiaEmulator]:
    async with GladiaEmulator() as running:
        yield running


@pytest.fixture
def threaded() -> Iterator[GladiaEmulator]:
    with GladiaEmulator() as running:
        yield running


def chunks(audio: bytes, size: int = CHUNK) -> list[bytes]:
    return [audio[at : at + size] for at in range(0, len(audio), size)]


class Heard:
    """Collects what an SDK session emits."""

    def __init__(self, session: LiveV2AsyncSession | LiveV2Session) -> None:
        self.session = session
        self.messages: list[Any] = []
        self.errors: list[Exception] = []
        self.ended: list[Any] = []
        self.connected = 0
        session.on("message", self.messages.append)
        session.on("error", self.errors.append)
        session.on("ended", self.ended.append)
        session.on("connected", self._connected)

    def types(self) -> list[str]:
        return [message.type for message in self.messages]

    def of(self, *types: str) -> list[Any]:
        return [message for message in self.messages if message.type in types]

    def finals(self) -> list[str]:
        return [m.data.utterance.text for m in self.of("transcript") if m.data.is_final]

    def partials(self) -> list[str]:
        return [m.data.utterance.text for m in self.of("transcript") if not m.data.is_final]

    async def until(self, condition: Callable[[], bool]) -> None:
        await asyncio.to_thread(self.wait_until, condition)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        wait_until(condition)

    def _connected(self, _: object) -> None:
        self.connected += 1


def sdk(emulator: GladiaEmulator, key: str = API_KEY) -> GladiaClient:
    # Without it the SDK leaves its connections to the garbage collector.
    once = {"connection": "close"}
    return GladiaClient(api_key=key, api_url=emulator.url, http_headers=once)


async def begin(emulator: GladiaEmulator, key: str = API_KEY, **changes: Any) -> Heard:
    return Heard(sdk(emulator, key).live_v2_async().start_session(INIT | changes))


async def start(emulator: GladiaEmulator, **changes: Any) -> Heard:
    heard = await begin(emulator, **changes)
    await heard.until(lambda: heard.connected > 0)
    return heard


async def post(emulator: GladiaEmulator, body: Any = None, **options: Any) -> httpx.Response:
    options.setdefault("headers", {"x-gladia-key": API_KEY})
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        return await client.post(
            f"{emulator.url}/v2/live", json=INIT if body is None else body, **options
        )


async def call(emulator: GladiaEmulator, method: str, path: str, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        return await client.request(
            method, f"{emulator.url}/v2/live{path}", headers={"x-gladia-key": API_KEY}, **options
        )


async def open_session(emulator: GladiaEmulator, **changes: Any) -> tuple[str, str]:
    answer = (await post(emulator, INIT | changes)).json()
    return answer["id"], answer["url"]


async def read_until(socket: ClientConnection, *types: str) -> list[Json]:
    """Return the messages up to the first of these types."""
    messages: list[Json] = []
    async with asyncio.timeout(PATIENCE_S):
        while True:
            messages.append(json.loads(await socket.recv()))
            if messages[-1]["type"] in types:
                return messages


async def read_to_the_end(socket: ClientConnection) -> list[Json]:
    messages: list[Json] = []
    async with asyncio.timeout(PATIENCE_S):
        try:
            while True:
                messages.append(json.loads(await socket.recv()))
        except ConnectionClosed:
            return messages


async def close_code(socket: ClientConnection) -> int | None:
    await read_to_the_end(socket)
    return socket.close_code


def words_of(messages: list[Json]) -> list[str]:
    final = [m["data"]["utterance"]["text"] for m in messages if is_final(m)]
    return " ".join(final).split()


def is_final(message: Json) -> bool:
    return message["type"] == "transcript" and message["data"]["is_final"] is True


# With the official SDK


async def test_the_async_sdk_goes_from_start_to_the_last_message(emulator: GladiaEmulator) -> None:
    heard = await start(emulator)
    for chunk in chunks(SPEECH):
        heard.session.send_audio(chunk)
    await heard.until(lambda: len(heard.finals()) == 2)
    heard.session.stop_recording()
    await heard.until(lambda: bool(heard.ended))

    assert heard.errors == []
    assert heard.finals() == [" good morning", " all of you"]
    assert heard.partials() == [" good", " good morning", " all", " all of", " all of you"]
    finals = [m.data for m in heard.of("transcript") if m.data.is_final]
    assert [data.id for data in finals] == ["00_00000000", "00_00000001"]
    assert finals[0].utterance.start == 0.2
    assert finals[0].utterance.words[1].word == " morning"
    speech = [(m.type, m.data.channel) for m in heard.of("speech_start", "speech_end")]
    assert speech == [("speech_start", 0), ("speech_end", 0)] * 2
    order = [t for t in heard.types() if t not in ("audio_chunk", "transcript")]
    assert order[:2] == ["start_session", "start_recording"]
    assert order[-5:] == [
        "stop_recording",
        "end_recording",
        "post_transcript",
        "post_final_transcript",
        "end_session",
    ]
    result = heard.of("post_final_transcript")[0].data
    assert result.transcription.full_transcript == "good morning all of you"
    assert result.metadata.billing_time == pytest.approx(len(SPEECH) / 32_000)
    assert (heard.ended[0].code, emulator.sessions[0].stops) == (1000, 1)
    assert emulator.sessions[0].audio == SPEECH
    assert emulator.sessions[0].headers["x-gladia-version"].startswith("SdkPython/")


@SYNC_SDK
def test_the_sync_sdk_goes_from_start_to_the_last_message(threaded: GladiaEmulator) -> None:
    session = sdk(threaded).live_v2().start_session(LiveV2InitRequest.from_dict(INIT))
    heard = Heard(session)
    heard.wait_until(lambda: heard.connected > 0)
    for chunk in chunks(SPEECH):
        session.send_audio(chunk)
    heard.wait_until(lambda: len(heard.finals()) == 2)
    session.stop_recording()
    heard.wait_until(lambda: bool(heard.ended))
    assert heard.errors == []
    assert heard.finals() == [" good morning", " all of you"]
    assert heard.types()[-1] == "end_session"
    assert threaded.sessions[0].audio == SPEECH


async def test_the_async_sdk_resumes_without_loss_or_doubling(emulator: GladiaEmulator) -> None:
    codes: tuple[int | None, ...] = (None, 1005, 1012, 4500)
    audio = speak(vocabulary(30)) + silence(0.5)
    part = len(audio) // 5 & ~1
    heard = await start(emulator)
    record = emulator.sessions[0]
    for number in range(5):
        for chunk in chunks(audio[number * part : (number + 1) * part if number < 4 else None]):
            heard.session.send_audio(chunk)
        # The SDK forgets messages it has not read when the socket closes: let it read first.
        await heard.until(lambda: record.acknowledgments[-1:] != [] and not unacknowledged(heard))
        if number < 4:
            emulator.faults.drop(code=codes[number])
            await heard.until(partial(connections, heard, number + 2))
    heard.session.stop_recording()
    await heard.until(lambda: bool(heard.ended))
    assert record.audio == audio
    assert record.text.split() == vocabulary(30)
    assert len(record.connections) == 5
    assert [c.close_code for c in record.connections] == [1006, 1005, 1012, 4500, 1000]
    assert heard.errors == []


def connections(heard: Heard, count: int) -> bool:
    return heard.connected == count


def unacknowledged(heard: Heard) -> bytes:
    return bytes(heard.session._audio_buffer)


async def test_audio_that_never_arrived_is_sent_again_by_the_sdk(emulator: GladiaEmulator) -> None:
    emulator.faults.drop(after_bytes=4 * CHUNK, code=1011, last_chunk="lost", delay=0.05)
    heard = await start(emulator)
    for chunk in chunks(SPEECH)[:4]:
        heard.session.send_audio(chunk)
    await heard.until(lambda: heard.connected == 2)
    for chunk in chunks(SPEECH)[4:]:
        heard.session.send_audio(chunk)
    await heard.until(lambda: len(heard.finals()) == 2)
    assert emulator.sessions[0].audio == SPEECH
    assert emulator.sessions[0].lost_bytes == CHUNK
    heard.session.stop_recording()
    await heard.until(lambda: bool(heard.ended))
    assert heard.errors == []


async def test_a_lost_acknowledgment_doubles_audio(emulator: GladiaEmulator) -> None:
    emulator.faults.drop(after_bytes=6 * CHUNK, last_chunk="unacked", delay=0.05)
    heard = await start(emulator)
    for chunk in chunks(SPEECH)[:6]:
        heard.session.send_audio(chunk)
    await heard.until(lambda: heard.connected == 2)
    for chunk in chunks(SPEECH)[6:]:
        heard.session.send_audio(chunk)
    await heard.until(lambda: len(heard.finals()) == 2)
    record = emulator.sessions[0]
    assert len(record.audio) == len(SPEECH) + CHUNK
    assert DAMAGED in record.text
    assert emulator.billed_seconds == pytest.approx((len(SPEECH) + CHUNK) / 32_000)
    heard.session.stop_recording()
    await heard.until(lambda: bool(heard.ended))


@SYNC_SDK
def test_the_sync_sdk_resumes(threaded: GladiaEmulator) -> None:
    session = sdk(threaded).live_v2().start_session(INIT)
    heard = Heard(session)
    heard.wait_until(lambda: heard.connected == 1)
    for chunk in chunks(SPEECH)[:7]:
        session.send_audio(chunk)
    heard.wait_until(lambda: not session._audio_buffer)
    threaded.faults.drop(code=1013)
    heard.wait_until(lambda: heard.connected == 2)
    for chunk in chunks(SPEECH)[7:]:
        session.send_audio(chunk)
    heard.wait_until(lambda: len(heard.finals()) == 2)
    session.stop_recording()
    heard.wait_until(lambda: bool(heard.ended))
    threaded.wait_until(lambda: threaded.sessions[0].status == "done")
    assert threaded.sessions[0].audio == SPEECH
    assert heard.errors == []


async def test_the_sdk_reads_all_add_ons(emulator: GladiaEmulator) -> None:
    heard = await start(
        emulator,
        realtime_processing={
            "translation": True,
            "translation_config": {"target_languages": ["fr", "de"]},
            "named_entity_recognition": True,
            "sentiment_analysis": True,
        },
        post_processing={"summarization": True, "chapterization": True},
    )
    emulator.faults.null_data("sentiment_analysis")
    heard.session.send_audio(speak("room 42") + silence(0.5))
    await heard.until(lambda: bool(heard.of("sentiment_analysis")))
    heard.session.stop_recording()
    await heard.until(lambda: bool(heard.ended))
    assert heard.errors == []
    translations = [m.data for m in heard.of("translation")]
    assert [t.target_language for t in translations] == ["fr", "de"]
    assert translations[0].translated_utterance.text == " [fr] room 42"
    assert heard.of("named_entity_recognition")[0].data.results[0].text == "42"
    failed = heard.of("sentiment_analysis")[0]
    assert (failed.data, failed.error.message) == (None, "processing failed")
    assert heard.of("post_summarization")[0].data.results == "Summary: room 42"
    assert len(heard.of("post_chapterization")) == 1


async def test_messages_no_client_knows_pass_through_the_sdk(emulator: GladiaEmulator) -> None:
    heard = await start(emulator)
    emulator.faults.unknown_message()
    emulator.faults.error_message()
    await heard.until(lambda: len(heard.of("brand_new_event", "error")) == 2)
    assert heard.errors == []
    emulator.faults.send_raw("this is no JSON")
    await heard.until(lambda: len(heard.errors) == 1)
    heard.session.stop_recording()
    await heard.until(lambda: bool(heard.ended))


async def test_the_sdk_understands_the_jobs() -> None:
    async with GladiaEmulator(timings=Timings(job_done=2.0)) as emulator:
        await check_jobs(emulator)


async def check_jobs(emulator: GladiaEmulator) -> None:
    heard = await start(emulator, custom_metadata={"team": "a"})
    heard.session.send_audio(SPEECH)
    heard.session.stop_recording()
    await heard.until(lambda: bool(heard.ended))
    client = sdk(emulator).live_v2_async()
    job = emulator.sessions[0].id
    assert (await client.get(job)).status == "processing"
    with pytest.raises(HttpError) as refused:
        await client.delete(job)
    assert refused.value.status == 403
    await emulator.until(lambda: emulator.sessions[0].status == "done")
    done = await client.get(job)
    assert done.result is not None
    assert done.result.transcription is not None
    assert done.result.transcription.full_transcript == "good morning all of you"
    assert "end_session" in [json.loads(message)["type"] for message in done.result.messages or []]
    listed = await client.list({"status": ["done"], "custom_metadata": {"team": "a"}})
    assert [item.id for item in listed.items] == [job]
    assert (await client.list({"custom_metadata": {"team": "b"}})).items == []
    with wave.open(io.BytesIO(await client.get_file(job))) as recording:
        assert recording.readframes(recording.getnframes()) == SPEECH
    assert (await call(emulator, "PATCH", f"/{job}", json={"note": 1})).status_code == 204
    assert (await call(emulator, "PATCH", f"/{job}", json="x" * 100_001)).status_code == 413
    assert await client.delete(job)
    assert (await call(emulator, "GET", f"/{job}")).status_code == 404


async def test_the_sdk_reports_http_errors(emulator: GladiaEmulator) -> None:
    heard = await begin(emulator, "wrong")
    await heard.until(lambda: bool(heard.ended))
    assert status_of(heard) == 401
    heard = await begin(emulator, sample_rate=24_000)
    await heard.until(lambda: bool(heard.ended))
    assert status_of(heard) == 400
    assert "sample_rate must be one of" in str(heard.errors[0])
    emulator.max_sessions = 0
    heard = await begin(emulator)
    await heard.until(lambda: bool(heard.ended))
    assert status_of(heard) == 429
    assert [r.status for r in emulator.requests] == [401, 400, 429, 429]
    assert emulator.sessions == []


def status_of(heard: Heard) -> int | None:
    error = heard.errors[0]
    assert isinstance(error, HttpError)
    return error.status


async def test_the_sdk_survives_one_429_and_refused_handshakes(emulator: GladiaEmulator) -> None:
    emulator.faults.refuse_post(429)
    emulator.faults.refuse_handshake(502)
    heard = await start(emulator)
    assert [r.status for r in emulator.requests] == [429, 201]
    assert emulator.sessions[0].refused_handshakes == [502]
    heard.session.stop_recording()
    await heard.until(lambda: bool(heard.ended))
    assert heard.errors == []


def test_language_codes_are_those_of_the_sdk() -> None:
    assert set(get_args(LiveV2TranscriptionLanguageCode)) == LANGUAGES
    assert set(get_args(LiveV2TranslationLanguageCode)) == TRANSLATION_LANGUAGES


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
    async with asyncio.timeout(PATIENCE_S):
        try:
            while True:
                await socket.send(chunk)
                await asyncio.sleep(0.02)
        except ConnectionClosed:
            return socket.close_code


# What is not documented


async def ranges(emulator: GladiaEmulator, *connections: list[int]) -> list[list[int]]:
    """Send chunks of these sizes over one connection after the other; return the acks."""
    _, url = await open_session(emulator, messages_config={})
    found: list[list[int]] = []
    for number, sizes in enumerate(connections):
        async with connect(url, proxy=None) as socket:
            for size in sizes:
                await socket.send(bytes(size))
            if number + 1 < len(connections):
                await asyncio.sleep(0.05)
                emulator.faults.drop(code=4500)
            else:
                await socket.send('{"type": "stop_recording"}')
            messages = await read_to_the_end(socket)
            found += [m["data"]["byte_range"] for m in messages if m["type"] == "audio_chunk"]
    return found


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        (Switches(), [[0, 8], [8, 16], [16, 20]]),
        (Switches(inclusive_ranges=True), [[0, 7], [8, 15], [16, 19]]),
        (Switches(ranges_restart_on_reconnect=True), [[0, 8], [8, 16], [0, 4]]),
        (Switches(acknowledge_every=2), [[0, 16]]),
        (Switches(acknowledge_empty=True), [[0, 8], [8, 16], [16, 16], [16, 20]]),
        (Switches(deduplicate=True), [[0, 8], [8, 16], [16, 20]]),
    ],
)
async def test_ranges_follow_the_switches(switches: Switches, expected: list[list[int]]) -> None:
    async with GladiaEmulator(switches=switches) as emulator:
        empty = [0] if switches.acknowledge_empty else []
        assert await ranges(emulator, [8, 8, *empty], [4]) == expected


async def test_duplicates_may_be_recognised() -> None:
    async with GladiaEmulator(switches=Switches(deduplicate=True)) as emulator:
        emulator.faults.drop(after_bytes=6 * CHUNK, last_chunk="unacked", code=1011)
        _, url = await open_session(emulator)
        for part in (chunks(SPEECH)[:6], chunks(SPEECH)[5:]):
            async with connect(url, proxy=None) as socket:
                for chunk in part:
                    await socket.send(chunk)
                if part[0] != SPEECH[:CHUNK]:
                    await socket.send('{"type": "stop_recording"}')
                await read_to_the_end(socket)
        record = emulator.sessions[0]
        assert record.audio == SPEECH
        assert record.billed_seconds == pytest.approx((len(SPEECH) + CHUNK) / 32_000)


@pytest.mark.parametrize("replay", [False, True])
async def test_messages_missed_while_away(replay: bool) -> None:
    switches, timings = Switches(replay=replay), Timings(final=0.1)
    async with GladiaEmulator(switches=switches, timings=timings) as emulator:
        _, url = await open_session(emulator)
        async with connect(url, proxy=None) as socket:
            emulator.faults.drop(on="speech_end", code=1012)
            await socket.send(SPEECH)
            await read_to_the_end(socket)
        await emulator.until(lambda: len(emulator.sessions[0].texts) == 2)
        async with connect(url, proxy=None) as socket:
            await socket.send('{"type": "stop_recording"}')
            messages = await read_to_the_end(socket)
    assert words_of(messages) == (["good", "morning", "all", "of", "you"] if replay else [])
    assert len([m for m in emulator.sessions[0].missed if is_final(m)]) == 2


async def test_second_connections() -> None:
    async with GladiaEmulator(switches=Switches(second_connection="refuse")) as emulator:
        _, url = await open_session(emulator)
        async with connect(url, proxy=None):
            with pytest.raises(InvalidStatus, match="409"):
                await connect(url, proxy=None)
    async with GladiaEmulator() as emulator:
        _, url = await open_session(emulator)
        async with connect(url, proxy=None) as first, connect(url, proxy=None) as second:
            assert await close_code(first) == 4409
            await second.send(bytes(320))
            await read_until(second, "audio_chunk")


async def test_the_smaller_switches() -> None:
    switches = Switches(
        start_session_on_socket=True,
        repeat_start_recording=True,
        refuse_unaligned=True,
        asyncapi_errors=True,
        slot_taken="connect",
        compression=True,
    )
    async with GladiaEmulator(switches=switches) as emulator:
        _, url = await open_session(emulator)
        assert emulator.open_slots == 0
        async with connect(url, proxy=None) as socket:
            first = await read_until(socket, "start_recording")
            assert [m["type"] for m in first] == ["start_session", "start_recording"]
            assert emulator.open_slots == 1
            assert "permessage-deflate" in str(socket.response and socket.response.headers)
            await socket.send(bytes(3))
            refused = (await read_until(socket, "audio_chunk"))[-1]
            assert refused["error"].keys() == {"status_code", "exception", "message"}
            await socket.close(1001)
        await emulator.until(lambda: emulator.open_slots == 0)
        async with connect(url, proxy=None) as socket:
            await read_until(socket, "start_recording")


# Faults


async def send_all(emulator: GladiaEmulator, audio: bytes) -> list[Json]:
    """A careful client: 100 ms chunks, resumes from the last acknowledged byte, then stops."""
    _, url = await open_session(emulator)
    messages: list[Json] = []
    acknowledged = 0
    while "end_session" not in [m["type"] for m in messages[-1:]]:
        async with connect(url, proxy=None) as socket:
            sender = asyncio.create_task(send_from(socket, audio[acknowledged:]))
            messages += await read_to_the_end(socket)
            await sender
        ends = [m["data"]["byte_range"][1] for m in messages if m["type"] == "audio_chunk"]
        acknowledged = max(ends, default=0)
    return messages


async def send_from(socket: ClientConnection, audio: bytes) -> None:
    try:
        for chunk in chunks(audio):
            await socket.send(chunk)
            await asyncio.sleep(0.001)
        await socket.send('{"type": "stop_recording"}')
    except ConnectionClosed:
        return


@pytest.mark.parametrize("seed", [1, 2])
async def test_random_drops_lose_and_double_nothing(seed: int) -> None:
    audio = speak(vocabulary(80, seed=seed)) + silence(0.4)
    positions = []
    for _ in range(2):
        async with GladiaEmulator(timings=Timings(final=0)) as emulator:
            chaos = emulator.faults.chaos(
                seed=seed, mean_bytes=60_000, codes=(1005, 1011, 1012, 1013, 4500)
            )
            await send_all(emulator, audio)
            record = emulator.sessions[0]
            assert record.text.split() == vocabulary(80, seed=seed)
            assert record.audio == audio
            assert chaos.fired == len(record.connections) - 1 > 3
            positions.append([(c.close_code, c.closed_by) for c in record.connections])
    assert positions[0] == positions[1]


@pytest.mark.parametrize(("fate", "counted"), [("acked", 4), ("unacked", 4), ("lost", 3)])
async def test_the_last_chunk_before_a_drop(
    emulator: GladiaEmulator, fate: LastChunk, counted: int
) -> None:
    fault = emulator.faults.drop(after_bytes=4 * 320, code=None, last_chunk=fate)
    _, url = await open_session(emulator)
    async with connect(url, proxy=None) as socket:
        for _ in range(4):
            await socket.send(bytes(320))
        assert await close_code(socket) == 1006
    record = emulator.sessions[0]
    assert len(record.audio) == counted * 320
    assert len(record.acknowledgments) == (4 if fate == "acked" else 3)
    assert fault.fired == 1
    assert record.connections[0].close_code == 1006


async def test_acknowledgments_may_stall_fail_and_get_lost(emulator: GladiaEmulator) -> None:
    emulator.faults.stall_acknowledgments(0.2, after_bytes=320)
    emulator.faults.refuse_audio(after_bytes=640)
    emulator.faults.lose_acknowledgments(after_bytes=960)
    _, url = await open_session(emulator, messages_config={})
    async with connect(url, proxy=None) as socket:
        began = time.monotonic()
        for _ in range(5):
            await socket.send(bytes(320))
        acks = [(await read_until(socket, "audio_chunk"))[-1] for _ in range(4)]
        assert time.monotonic() - began >= 0.15
    assert sum(a["acknowledged"] for a in acks) == 3
    ends = [a["data"]["byte_range"] for a in acks if a["acknowledged"]]
    assert ends == [[0, 320], [320, 640], [960, 1280]]


async def test_a_stalled_socket_reads_and_sends_nothing(emulator: GladiaEmulator) -> None:
    _, url = await open_session(emulator)
    async with connect(url, proxy=None) as socket:
        await read_until(socket, "start_recording")
        emulator.faults.stall_socket(0.25)
        await asyncio.sleep(0.05)
        await socket.send(bytes(320))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.1)
        assert emulator.sessions[0].audio == b""
        await read_until(socket, "audio_chunk")


async def test_faulty_handshakes(emulator: GladiaEmulator) -> None:
    _, url = await open_session(emulator)
    for status in (403, 502):
        emulator.faults.refuse_handshake(status)
        with pytest.raises(InvalidStatus, match=str(status)):
            await connect(url, proxy=None)
    emulator.faults.hang_handshake(5)
    with pytest.raises(TimeoutError):
        await connect(url, proxy=None, open_timeout=0.1)
    emulator.faults.slow_handshake(0.1)
    loop = emulator.faults.accept_then_close(1013, times=3)
    for _ in range(3):
        async with connect(url, proxy=None) as socket:
            assert await close_code(socket) == 1013
    assert loop.fired == 3
    async with connect(url, proxy=None) as socket:
        await socket.send(bytes(320))
        await read_until(socket, "audio_chunk")


async def test_a_final_may_come_late(emulator: GladiaEmulator) -> None:
    emulator.faults.late_finals()
    emulator.faults.drop(on="speech_end", code=1011, delay=0.1)
    _, url = await open_session(emulator)
    async with connect(url, proxy=None) as socket:
        await socket.send(speak("too late") + silence(0.5))
        assert words_of(await read_to_the_end(socket)) == []
    async with connect(url, proxy=None) as socket:
        assert words_of(await read_until(socket, "transcript")) == ["too", "late"]


async def test_moments_and_targets(emulator: GladiaEmulator) -> None:
    early = emulator.faults.drop(after_seconds=0.1, code=1012, session=1)
    stop = emulator.faults.drop(on="stop", code=1011, session=0)
    never = emulator.faults.error_message(after_bytes=1)
    never.cancel()
    repeated = emulator.faults.error_message(every_bytes=640, times=2)
    urls = [(await open_session(emulator))[1] for _ in range(2)]
    async with connect(urls[0], proxy=None) as first, connect(urls[1], proxy=None) as second:
        assert await close_code(second) == 1012
        for _ in range(8):
            await first.send(bytes(320))
        await first.send('{"type": "stop_recording"}')
        messages = await read_to_the_end(first)
        assert first.close_code == 1011
    assert [m["type"] for m in messages].count("error") == 2
    assert [fault.fired for fault in (early, stop, never, repeated)] == [1, 1, 0, 2]


async def test_a_message_may_be_bigger_than_clients_expect(emulator: GladiaEmulator) -> None:
    _, url = await open_session(emulator)
    async with connect(url, proxy=None) as socket:
        emulator.faults.oversized_message()
        await read_to_the_end(socket)
    await emulator.until(lambda: emulator.sessions[0].connections[0].close_code == 1009)
    async with connect(url, proxy=None, max_size=None) as socket:
        emulator.faults.oversized_message()
        await read_until(socket, "post_transcript")


class Broken:
    slow = False

    def feed(self, pcm: bytes) -> list[Event]:
        raise ZeroDivisionError

    def finish(self) -> list[Event]:
        return []


async def test_its_own_failures_are_not_hidden() -> None:
    with pytest.raises(BaseExceptionGroup) as failed:
        async with GladiaEmulator(recognizer=lambda _: Broken()) as emulator:
            _, url = await open_session(emulator)
            async with connect(url, proxy=None) as socket:
                await socket.send(bytes(320))
                await read_until(socket, "audio_chunk")
    assert isinstance(failed.value.exceptions[0], ZeroDivisionError)


async def test_swapped_audio_shows_in_the_text(emulator: GladiaEmulator) -> None:
    _, url = await open_session(emulator)
    pieces = chunks(speak("one two three"), 6_400)
    pieces[0], pieces[1] = pieces[1], pieces[0]
    async with connect(url, proxy=None) as socket:
        for piece in pieces:
            await socket.send(piece)
        await socket.send('{"type": "stop_recording"}')
        words = words_of(await read_to_the_end(socket))
    assert words != ["one", "two", "three"]
    assert DAMAGED in words
