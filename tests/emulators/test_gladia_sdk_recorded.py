"""The Gladia emulator's pre-recorded API is what Gladia's own SDK expects."""

from __future__ import annotations

import dataclasses
import io
import wave
from pathlib import Path
from typing import Any, cast, get_args

import av
import httpx
import numpy as np
import pytest
from av.audio.stream import AudioStream
from gladiaio_sdk.network.http_client import HttpError
from gladiaio_sdk.v2.prerecorded.async_client import PreRecordedV2AsyncClient
from gladiaio_sdk.v2.prerecorded.generated_types import (
    PreRecordedV2InitTranscriptionRequest,
    PreRecordedV2TranscriptionLanguageCode,
    PreRecordedV2TranslationLanguageCode,
)

from tests.emulators.gladia import (
    API_KEY,
    LANGUAGES,
    TRANSLATION_LANGUAGES,
    GladiaEmulator,
    Timings,
)
from tests.emulators.gladia.validation import Invalid, validate_recorded
from tests.emulators.gladia_client import sdk
from tests.emulators.wordaudio import as_wav, silence, speak

LEFT = silence(0.5) + speak("good morning") + silence(2)
RIGHT = silence(1.5) + speak("all of you") + silence(0.28)
URL = "https://example.org/a.wav"


def client_of(emulator: GladiaEmulator, key: str = API_KEY) -> PreRecordedV2AsyncClient:
    return sdk(emulator, key).prerecorded_async()


def wav_file(folder: Path, *channels: bytes) -> Path:
    path = folder / "call.wav"
    most = max(map(len, channels))
    samples = [np.frombuffer(one.ljust(most, b"\0"), "<i2") for one in channels]
    with wave.open(str(path), "wb") as file:
        file.setparams((len(channels), 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.stack(samples, axis=1).tobytes())
    return path


def encoded(pcm: bytes, codec: str, container: str, rate: int) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream = cast(AudioStream, file.add_stream(codec, rate=rate, layout="mono"))
        frame = av.AudioFrame.from_ndarray(
            np.frombuffer(pcm, "<i2").reshape(1, -1), format="s16", layout="mono"
        )
        frame.sample_rate = 16_000
        resampler = av.AudioResampler(stream.format, "mono", rate)
        for one in (frame, None):
            for part in resampler.resample(one):
                file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return out.getvalue()


async def test_the_async_sdk_uploads_transcribes_and_deletes(
    emulator: GladiaEmulator, tmp_path: Path
) -> None:
    client = client_of(emulator)
    options = {
        "language_config": {"languages": ["fr"]},
        "translation": True,
        "translation_config": {"target_languages": ["de", "en"]},
        "custom_spelling": True,
        "custom_spelling_config": {"spelling_dictionary": {"Morning": ["morning"]}},
        "custom_metadata": {"of": "x"},
    }
    done = await client.transcribe(wav_file(tmp_path, LEFT, RIGHT), options, interval=0.02)
    assert (done.status, done.kind, done.error_code) == ("done", "pre-recorded", None)
    assert done.file is not None
    assert (done.file.filename, done.file.number_of_channels) == ("call.wav", 2)
    result = done.result
    assert result is not None
    assert result.transcription is not None
    said = result.transcription.utterances
    assert [(one.text, one.channel, one.language) for one in said] == [
        (" good Morning", 0, "fr"),
        (" all of you", 1, "fr"),
    ]
    assert [one.start for one in said] == pytest.approx([0.5, 1.5], abs=0.03)
    assert [word.word for word in said[1].words] == [" all", " of", " you"]
    assert result.metadata.number_of_distinct_channels == 2
    assert result.metadata.billing_time == pytest.approx(2 * result.metadata.audio_duration)
    assert emulator.billed_seconds == pytest.approx(result.metadata.billing_time)
    assert result.translation is not None
    assert result.translation.results is not None
    texts = [[one.text for one in each.utterances] for each in result.translation.results]
    assert texts == [[f" [{code}] good morning", f" [{code}] all of you"] for code in ("de", "en")]

    (found,) = (await client.list({"custom_metadata": {"of": "x"}, "status": ["done"]})).items
    assert found.id == done.id
    assert (await client.list({"custom_metadata": {"of": "y"}})).items == []
    assert await client.get_file(done.id) == emulator.uploads[0].data
    assert await client.delete(done.id)
    assert (emulator.uploads, emulator.recordings[0].is_deleted) == ([], True)
    with pytest.raises(HttpError) as gone:
        await client.get(done.id)
    assert gone.value.status == 404


def test_the_sync_sdk_waits_through_every_status(tmp_path: Path) -> None:
    timings = Timings(recorded_queue=0.3, recorded_work=0.3)
    with GladiaEmulator(timings=timings) as emulator:
        client = sdk(emulator).prerecorded()
        uploaded = client.upload_file(wav_file(tmp_path, LEFT, LEFT))
        about = uploaded.audio_metadata
        assert (about.extension, about.number_of_channels) == ("wav", 2)
        assert about.audio_duration == pytest.approx(len(LEFT) / 32_000)
        job = client.create({"audio_url": uploaded.audio_url})
        seen = [client.get(job.id).status]
        with pytest.raises(HttpError) as early:
            client.delete(job.id)
        assert early.value.status == 403
        emulator.wait_until(lambda: emulator.recordings[0].status == "processing")
        seen.append(client.get(job.id).status)
        done = client.poll(job.id, interval=0.02)
        assert [*seen, done.status] == ["queued", "processing", "done"]
        assert done.result is not None
        # Channels that are the same are one.
        assert done.result.metadata.billing_time == pytest.approx(len(LEFT) / 32_000)
        assert done.result.transcription is not None
        assert done.result.transcription.full_transcript == "good morning"


@pytest.mark.parametrize(
    ("codec", "container", "rate"),
    [("flac", "flac", 16_000), ("libopus", "ogg", 48_000), ("libmp3lame", "mp3", 44_100)],
)
async def test_words_are_heard_through_codecs(
    emulator: GladiaEmulator, codec: str, container: str, rate: int
) -> None:
    file = io.BytesIO(encoded(LEFT, codec, container, rate))
    done = await client_of(emulator).transcribe(file, interval=0.02)
    assert done.result is not None
    assert done.result.transcription is not None
    assert done.result.transcription.full_transcript == "good morning"
    assert done.result.transcription.utterances[0].start == pytest.approx(0.5, abs=0.1)


async def test_the_sdk_is_told_what_is_wrong(emulator: GladiaEmulator, tmp_path: Path) -> None:
    path = wav_file(tmp_path, LEFT)
    client = client_of(emulator)
    uploaded = await client.upload_file(path)
    for body, hint in (
        ({"audio_url": uploaded.audio_url, "colour": 1}, "property colour should not exist"),
        ({"audio_url": "file:///etc/passwd"}, "audio_url must be a URL address"),
        ({}, "audio_url should not be empty"),
        ({"audio_url": uploaded.audio_url, "region": "eu-west"}, "region should not exist"),
    ):
        with pytest.raises(HttpError) as refused:
            await client.create(body)
        assert refused.value.status == 400
        assert hint in str(refused.value)
    with pytest.raises(HttpError) as stranger:
        await client_of(emulator, "wrong").upload_file(path)
    assert stranger.value.status == 401
    with pytest.raises(HttpError) as noise:
        await client.upload_file(io.BytesIO(b"no sound at all" * 100))
    assert noise.value.status == 400
    # What can't be had from an address, and what is too long, fails as a job.
    with pytest.raises(Exception, match="failed with error code: 400"):
        await client.transcribe("https://example.org/a.wav", interval=0.02)
    emulator.faults.recorded.fail_job(503)
    with pytest.raises(Exception, match="failed with error code: 503"):
        await client.transcribe(path, interval=0.02)
    emulator.credit_seconds = 0
    with pytest.raises(HttpError) as empty:
        await client.create({"audio_url": uploaded.audio_url})
    assert empty.value.status == 402


async def test_a_form_must_be_right(emulator: GladiaEmulator) -> None:
    sound = as_wav(LEFT)
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:

        async def status(**options: Any) -> int:
            headers = {"x-gladia-key": API_KEY, "connection": "close"}
            answer = await client.post(f"{emulator.url}/v2/upload", headers=headers, **options)
            return answer.status_code

        assert await status(files={"audio": ("a.wav", sound, "audio/wav")}) == 200
        assert await status(files={"file": ("a.wav", sound, "audio/wav")}) == 400
        assert await status(files={"audio": (None, sound)}) == 400
        assert await status(files={"audio": ("a.wav", sound)}, data={"more": "1"}) == 400
        assert await status(content=sound) == 400
        assert await status(json={"audio_url": URL}) == 400
        headers = {"x-gladia-key": API_KEY, "content-type": "text/plain"}
        url = f"{emulator.url}/v2/pre-recorded"
        refused = await client.post(url, headers=headers, content=b'{"audio_url": "http://a"}')
        assert refused.status_code == 400
    assert len(emulator.uploads) == 1


def test_fields_and_codes_are_those_of_the_sdk() -> None:
    assert set(get_args(PreRecordedV2TranscriptionLanguageCode)) == LANGUAGES
    assert set(get_args(PreRecordedV2TranslationLanguageCode)) == TRANSLATION_LANGUAGES
    fields = {one.name for one in dataclasses.fields(PreRecordedV2InitTranscriptionRequest)}
    assert set(validate_recorded({"audio_url": URL})) == fields - {"_unknown_fields"}
    with pytest.raises(Invalid):
        validate_recorded({"audio_url": URL, "language_config": {"languages": ["xx"]}})
