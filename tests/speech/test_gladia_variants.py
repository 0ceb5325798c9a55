"""What Gladia's documents leave open, the ends of streams, and their age."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from core.speech.engine import (
    BYTES_PER_SECOND,
    Health,
)
from core.speech.reasons import Reason
from tests.emulators.gladia import Switches, Timings
from tests.emulators.wordaudio import silence
from tests.speech.gladia_world import (
    FRAME,
    HASTY,
    say,
    until,
    world,
)

# Variants of the service

SWITCHES: dict[str, Switches] = {
    "inclusive ranges": Switches(inclusive_ranges=True),
    "ranges begin anew": Switches(ranges_restart_on_reconnect=True),
    "deduplicates": Switches(deduplicate=True),
    "replays": Switches(replay=True),
    "acknowledges every fourth": Switches(acknowledge_every=4),
    "acknowledges empty chunks": Switches(acknowledge_empty=True),
    "asyncapi errors": Switches(asyncapi_errors=True),
    "start_session": Switches(start_session_on_socket=True, repeat_start_recording=True),
    "refuses second connections": Switches(second_connection="refuse"),
    "slow recognition": Switches(recognition_speed=40.0),
    "compression offered": Switches(compression=True),
}


@pytest.mark.parametrize("variant", SWITCHES)
async def test_open_questions_may_be_answered_either_way(variant: str) -> None:
    speech = say(4, seed=8)
    async with world(switches=SWITCHES[variant]) as w:
        w.faults.chaos(
            seed=4,
            mean_bytes=len(speech.pcm) / 3,
            codes=(1011, 4500),
            last_chunks=("acked", "lost"),
        )
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)


async def test_lifelike_waits() -> None:
    speech = say(3)
    timings = Timings(answer=0.05, acknowledgment=0.03, partial=0.05, final=0.2)
    async with world(timings=timings) as w:
        w.faults.drop(code=1011, after_bytes=len(speech.pcm) // 2)
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)


# Finishing


@pytest.mark.parametrize("code", [None, 1011, 4500])
async def test_a_drop_after_the_stop_loses_no_final(code: int | None) -> None:
    speech = say(1, 6, pause=0.1)
    async with world(timings=Timings(final=0.1, post_processing=0.2)) as w:
        w.faults.drop(code=code, on="stop")
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)


async def test_finishing_is_bounded_and_hands_unfinished_speech_back() -> None:
    speech = say(1, 6, pause=0.1)
    async with world(drain_seconds=0.2, timings=Timings(final=0.5)) as w:
        await w.listener.open()
        await w.listener.feed(speech.pcm)
        assert w.listener.stream is not None
        await asyncio.wait_for(w.listener.stream.finish(), 0.6)
        assert w.listener.losses == [Reason("unfinished")]
        w.engine.drain_seconds = 3.0
        await w.listener.finish()
        w.listener.assert_all_of(speech)


async def test_finishing_while_the_connection_is_away() -> None:
    speech = say(1, 6, pause=0.1)
    async with world() as w:
        w.faults.drop(code=1011, after_bytes=len(speech.pcm) - FRAME)
        await w.open()
        w.faults.refuse_handshake(502, times=2)
        await w.listener.feed(speech.pcm)
        await w.listener.finish()
        w.listener.assert_all_of(speech)


# Age


async def test_an_old_stream_is_replaced_in_a_pause() -> None:
    speech = say(2)
    async with world(timeouts=replace(HASTY, roll_over_s=0.1)) as w:
        await w.listener.open()
        await w.listener.feed(speech.pcm, pace=0.01)
        await w.listener.finish()
        w.listener.assert_all_of(speech)
        assert set(w.listener.losses) == {Reason("too_old")}
        assert all(usage.errors == 0 for usage in w.listener.usages)
        assert w.engine.health().health is Health.OK


async def test_a_very_old_stream_is_replaced_in_mid_sentence() -> None:
    speech = say(1, 12)
    async with world(timeouts=replace(HASTY, roll_over_s=0.1, roll_over_at_last_s=0.12)) as w:
        await w.listener.open()
        half = len(speech.pcm) // 2
        await w.listener.feed(speech.pcm[: half - half % FRAME], pace=0.005)
        assert w.listener.losses
        w.engine.timeouts = HASTY
        await w.listener.feed(speech.pcm[half - half % FRAME :])
        await w.listener.finish()
        w.listener.assert_all_of(speech)


async def test_finals_come_and_audio_is_let_go_although_no_more_follows() -> None:
    speech = say(2)
    async with world() as w:
        stream = await w.listener.open()
        await w.listener.feed(speech.pcm, pace=0.002)
        await w.listener.feed(silence(2), pace=0.002)
        await until(lambda: [final.text for final in w.listener.finals] == speech.sentences)
        await until(lambda: len(stream.tail(0)) < 0.3 * BYTES_PER_SECOND)


async def test_silence_is_not_kept() -> None:
    async with world(timeouts=replace(HASTY, missed_s=0.1)) as w:
        stream = await w.listener.open()
        await w.listener.feed(silence(5))
        await until(lambda: len(stream.tail(0)) < 0.3 * BYTES_PER_SECOND)
