"""The Gladia emulator is what Gladia's own SDK expects."""

from __future__ import annotations

import io
import json
import wave
from functools import partial
from typing import get_args

import pytest
from gladiaio_sdk import LiveV2InitRequest
from gladiaio_sdk.network.http_client import HttpError
from gladiaio_sdk.v2.live.generated_types import (
    LiveV2TranscriptionLanguageCode,
    LiveV2TranslationLanguageCode,
)

from tests.emulators.gladia import (
    LANGUAGES,
    TRANSLATION_LANGUAGES,
    GladiaEmulator,
    Timings,
)
from tests.emulators.gladia_client import (
    CHUNK,
    INIT,
    SPEECH,
    SYNC_SDK,
    Heard,
    begin,
    call,
    chunks,
    sdk,
    start,
)
from tests.emulators.wordaudio import DAMAGED, silence, speak, vocabulary


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
