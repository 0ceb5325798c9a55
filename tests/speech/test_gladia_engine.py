"""The Gladia engine through the wire: opening streams, and words out are words in, once."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest

from core.speech.engine import (
    BYTES_PER_SECOND,
    EngineError,
    Health,
    NoSlotError,
    StreamOptions,
)
from core.speech.gladia.engine import GladiaEngine
from core.speech.reasons import Reason
from tests.emulators.gladia import GladiaEmulator, Switches
from tests.emulators.wordaudio import silence
from tests.speech.gladia_world import (
    ENGLISH,
    FRAME,
    HASTY,
    Listener,
    say,
    until,
    world,
)

# Without faults


async def test_words_come_with_times_partials_and_usage() -> None:
    speech = say(3)
    async with world() as w:
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)
        assert [final.text for final in w.listener.finals] == speech.sentences
        assert all(final.language == "en" for final in w.listener.finals)
        usage = w.listener.usages[0]
        seconds = len(speech.pcm) / BYTES_PER_SECOND
        assert usage.seconds_sent == pytest.approx(seconds)
        assert w.emulator.billed_seconds == pytest.approx(seconds)
        assert usage.finals == 3
        assert usage.partials >= 3
        assert usage.frames == len(w.emulator.sessions[0].frames) - 1
        assert (usage.errors, usage.reconnects) == (0, 0)
        assert w.engine.health().health is Health.OK
        session = w.emulator.sessions[0]
        assert session.audio == speech.pcm
        assert "sec-websocket-extensions" not in session.headers
        await w.emulator.until(lambda: w.emulator.open_slots == 0)


async def test_audio_fed_before_the_socket_is_open_is_sent_first_even_when_finishing() -> None:
    speech = say(2)
    async with world() as w:
        w.faults.slow_handshake(0.2)
        stream = await w.listener.open()
        w.listener._end = len(speech.pcm)
        stream.feed(speech.pcm)
        await w.listener.finish()
        w.listener.assert_all_of(speech)
        assert w.emulator.sessions[0].audio == speech.pcm


async def test_a_minute_at_once_goes_up_in_pieces_below_the_limit() -> None:
    speech = say(12, 4)
    pcm = speech.pcm + silence(60 - len(speech.pcm) / BYTES_PER_SECOND)
    async with world() as w:
        stream = await w.listener.open()
        w.listener._end = len(pcm)
        stream.feed(pcm)
        await w.listener.finish()
        w.listener.assert_all_of(speech)
        assert max(w.emulator.sessions[0].connections[0].frame_sizes) <= 512 * 1024


async def test_settings_reach_the_service_and_what_it_would_refuse_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with world() as w:
        asked = StreamOptions(("en", "de"), vocabulary=("Nyquist",), spelling={"Ada": ("Aida",)})
        (await w.engine.open(asked, w.listener)).abort()
        config = w.emulator.sessions[0].config
        assert config["language_config"] == {"languages": ["en", "de"], "code_switching": False}
        realtime = config["realtime_processing"]
        assert realtime["custom_vocabulary_config"]["vocabulary"] == ["Nyquist"]
        assert realtime["custom_spelling_config"]["spelling_dictionary"] == {"Ada": ["Aida"]}
        assert "left out" not in caplog.text
        many = tuple(f"secret{number}" for number in range(150))
        (await w.engine.open(StreamOptions(("en", "xx"), True, many), w.listener)).abort()
        config = w.emulator.sessions[1].config
        assert config["language_config"] == {"languages": ["en"], "code_switching": False}
        assert len(config["realtime_processing"]["custom_vocabulary_config"]["vocabulary"]) == 100
        assert "51 settings of a session are not for Gladia and left out" in caplog.text
        assert "secret" not in caplog.text


async def test_settings_that_are_refused_all_the_same_are_explained() -> None:
    async with world() as w:
        errors = {"validation_errors": ["languages must be one of the following values: en"]}
        w.faults.refuse_post(400, body=errors)
        with pytest.raises(EngineError, match="languages must be one of") as refused:
            await w.engine.open(ENGLISH, w.listener)
        assert not refused.value.retry


@pytest.mark.parametrize("status", [402, 403])
@pytest.mark.parametrize("code", [None, 4402, 1008, 1011])
async def test_an_empty_wallet_is_told_and_a_top_up_brings_every_word(
    status: int, code: int | None
) -> None:
    speech = say(4)
    switches = Switches(empty_wallet_status=status, empty_wallet_code=code)
    told: list[EngineError] = []
    async with world(switches=switches, timeouts=replace(HASTY, roll_over_s=0.2)) as w:
        w.emulator.credit_seconds = len(speech.pcm) / 4 / BYTES_PER_SECOND
        await w.open()
        for start in range(0, len(speech.pcm), FRAME):
            frame = speech.pcm[start : start + FRAME]
            try:
                await w.listener.feed(frame, pace=0.01)
            except EngineError as problem:
                told.append(problem)
                assert w.engine.health().reason == problem.reason
                w.emulator.credit_seconds = None
                await w.listener.feed(frame)
        await w.listener.finish()
        assert w.listener.words == speech.words
        assert w.engine.health().health is Health.OK
    [empty] = told
    assert empty.reason == Reason("credit_used_up")
    assert not empty.retry


async def test_region_goes_into_the_query() -> None:
    async with GladiaEmulator() as emulator:
        engine = GladiaEngine(emulator.api_key, api_url=emulator.url + "/", region="us-west")
        await engine.start()
        stream = await engine.open(ENGLISH, Listener(engine))
        assert emulator.sessions[0].region == "us-west"
        stream.abort()
        await engine.close()


async def test_a_stream_without_audio_ends_at_once_and_frees_its_slot() -> None:
    async with world() as w:
        stream = await w.listener.open()
        await asyncio.wait_for(stream.finish(), 0.5)
        await w.emulator.until(lambda: w.emulator.open_slots == 0)


async def test_abort_says_nothing_more_and_frees_the_slot() -> None:
    speech = say(2)
    async with world() as w:
        stream = await w.listener.open()
        await w.listener.feed(speech.pcm[: len(speech.pcm) // 2])
        said = len(w.listener.heard_all)
        stream.abort()
        stream.abort()
        stream.feed(speech.pcm)
        await asyncio.wait_for(stream.finish(), 0.1)
        await w.emulator.until(lambda: w.emulator.open_slots == 0)
        assert len(w.listener.heard_all) == said
        assert w.listener.losses == []


# Opening


@pytest.mark.parametrize(
    ("status", "retry", "code"),
    [
        (401, False, "key_refused"),
        (402, False, "credit_used_up"),
        (403, False, "plan_forbids"),
        (422, False, "settings_refused"),
        (500, True, "service_trouble"),
        (503, True, "service_trouble"),
    ],
)
async def test_refusals_are_told_and_health_recovers(status: int, retry: bool, code: str) -> None:
    async with world() as w:
        w.faults.refuse_post(status)
        with pytest.raises(EngineError, match=code) as refused:
            await w.engine.open(ENGLISH, w.listener)
        assert refused.value.retry is retry
        health = w.engine.health()
        assert health.health is Health.DEGRADED
        assert health.since is not None
        assert health.reason is not None
        assert health.reason.code == code
        (await w.engine.open(ENGLISH, w.listener)).abort()
        assert w.engine.health().health is Health.OK


async def test_too_many_streams_is_no_slot() -> None:
    async with world(max_sessions=1) as w:
        first = await w.engine.open(ENGLISH, w.listener)
        with pytest.raises(NoSlotError):
            await w.engine.open(ENGLISH, w.listener)
        assert w.engine.health().health is Health.DEGRADED
        first.abort()
        await w.emulator.until(lambda: w.emulator.open_slots == 0)
        (await w.engine.open(ENGLISH, w.listener)).abort()
        assert w.engine.health().health is Health.OK


async def test_an_unreachable_service_can_be_tried_again() -> None:
    async with world(timeouts=replace(HASTY, post_s=0.2)) as w:
        w.faults.drop_post()
        with pytest.raises(EngineError, match="unreachable") as dropped:
            await w.engine.open(ENGLISH, w.listener)
        w.faults.slow_post(0.5)
        with pytest.raises(EngineError, match="no_answer") as slow:
            await w.engine.open(ENGLISH, w.listener)
        assert dropped.value.retry
        assert slow.value.retry
        first = w.engine.health()
        assert first.health is Health.DEGRADED
        (await w.engine.open(ENGLISH, w.listener)).abort()


async def test_an_outage_in_the_middle_is_survived() -> None:
    speech = say(4)
    async with world() as w:
        await w.listener.open()
        third = len(speech.pcm) // 3 // FRAME * FRAME
        await w.listener.feed(speech.pcm[:third])
        w.emulator.reachable = False
        await w.listener.feed(speech.pcm[third : 2 * third])
        await until(lambda: w.engine.health().health is Health.DEGRADED)
        w.emulator.reachable = True
        await w.listener.feed(speech.pcm[2 * third :])
        await w.listener.finish()
        w.listener.assert_all_of(speech)
        assert w.engine.health().health is Health.OK


async def test_key_and_url_stay_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    speech = say(2)
    texts: list[Any] = []
    async with world() as w:
        for plan in (w.faults.refuse_post, w.faults.drop_post):
            plan()
            with pytest.raises((EngineError, NoSlotError)) as problem:
                await w.engine.open(ENGLISH, w.listener)
            texts += [problem.value, problem.value.__cause__, problem.value.__context__]
        await w.open()
        w.faults.drop(code=None, after_bytes=len(speech.pcm) // 3)
        w.faults.refuse_handshake(302)
        w.faults.refuse_handshake(403)
        await w.listener.feed(speech.pcm)
        texts += [w.engine, w.listener.stream, w.engine.health(), *w.listener.losses]
        await w.listener.finish()
        secrets = [w.emulator.api_key, *(session.token for session in w.emulator.sessions)]
        ours = [r for r in caplog.records if r.name.startswith(("core", "picows", "httpx"))]
        texts += [record.getMessage() for record in ours]
        told = "\n".join(f"{text} {text!r}" for text in texts)
        assert not [secret for secret in secrets if secret in told]
