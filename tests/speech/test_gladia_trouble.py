"""A service that is away, refuses or stalls, and speech that has no place in memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from core.speech.engine import (
    BYTES_PER_SECOND,
    EngineError,
    Health,
)
from core.speech.reasons import Reason
from tests.emulators.wordaudio import silence
from tests.speech.gladia_world import (
    ENGLISH,
    FRAME,
    HASTY,
    say,
    until,
    world,
)
from tests.support.waiting import WAIT_TIMEOUT_S


async def test_speech_without_a_place_in_memory_is_lost_only_if_it_is_needed_again() -> None:
    speech = say(3)
    async with world(memory=0) as w:
        await w.open()
        await w.listener.feed(speech.pcm)
        await w.listener.finish()
        w.listener.assert_all_of(speech)
        assert w.listener.losses == []


async def test_speech_that_had_no_place_in_memory_and_is_needed_again_is_told_as_lost() -> None:
    speech = say(3)
    half = len(speech.pcm) // 2
    async with world(memory=BYTES_PER_SECOND // 4) as w:
        w.listener.gaps = []
        await w.open()
        w.faults.drop(code=None, after_bytes=half)
        w.faults.refuse_handshake(403)
        await w.listener.feed(speech.pcm)
        await w.listener.finish()
        assert 0 < sum(w.listener.gaps) < 3
        assert w.listener.words[-1] == speech.words[-1]
        last, (start, _) = w.listener.finals[-1], speech.times[-1]
        assert last.start == pytest.approx(start, abs=0.3), "what is lost moves nothing in time"


async def test_speech_lost_for_want_of_memory_before_it_was_sent_is_told_too() -> None:
    speech = say(3)
    async with world(memory=BYTES_PER_SECOND // 4) as w:
        w.listener.gaps = []
        await w.listener.open()
        w.faults.slow_handshake(0.3)
        await w.listener.feed(speech.pcm)
        await w.listener.finish()
        assert sum(w.listener.gaps) > 0
        assert w.listener.losses[0] == Reason("no_memory")
        heard = set(w.listener.words) - {"<?>"}  # a word that the gap cut
        assert heard < set(speech.words)


async def test_the_whole_way_through_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = tmp_path / "authority.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    speech = say(3)
    async with world(authority=authority) as w:
        await w.open()
        w.faults.drop(code=None, after_bytes=len(speech.pcm) // 2)
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)
        assert w.listener.usages[0].reconnects == 1


async def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    async with world(authority=tmp_path / "authority.pem") as w:
        with pytest.raises(EngineError, match="unreachable"):
            await w.engine.open(ENGLISH, w.listener)
        assert w.emulator.sessions == []


async def test_handshakes_that_fail_for_a_while_are_tried_again_and_people_are_told() -> None:
    speech = say(3)
    async with world() as w:
        w.faults.refuse_handshake(502)
        w.faults.hang_handshake(0.3)
        w.faults.refuse_handshake(503, times=2)
        await w.listener.open()
        await w.listener.feed(speech.pcm)
        await until(lambda: len(w.listener.delays) == 2)  # who finishes at once isn't told the end
        await w.listener.finish()
        w.listener.assert_all_of(speech)
        assert len(w.emulator.sessions) == 1
        told = [delayed for delayed, _ in w.listener.delays]
        assert told == [True, False]
        assert w.listener.delays[0][1] is not None
        assert w.engine.health().health is Health.OK


async def test_handshake_that_never_answers_times_out() -> None:
    speech = say(2)
    timeouts = replace(HASTY, connect_s=0.15)
    async with world(timeouts=timeouts) as w:
        w.faults.hang_handshake(0.6)
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)


async def test_a_server_that_accepts_and_closes_is_not_hammered() -> None:
    async with world(timeouts=replace(HASTY, give_up_s=0.6)) as w:
        w.faults.accept_then_close(1011)
        await w.listener.open()
        await w.listener.feed(silence(0.5))
        await until(lambda: w.listener.losses)
        assert w.listener.losses == [Reason("connection_lost", "1011")]
        assert w.engine.health().health is Health.DEGRADED
        assert 1 < len(w.emulator.sessions[0].connections) < 30


async def test_a_stalled_socket_is_left_and_nothing_is_lost() -> None:
    speech = say(4)
    async with world() as w:
        w.faults.stall_socket(after_bytes=len(speech.pcm) // 3)
        await w.listener.open()
        await w.listener.feed(speech.pcm, pace=0.01)
        await w.listener.finish()
        assert (True, Reason("no_reaction")) in w.listener.delays
        assert w.listener.words == speech.words


async def test_a_service_that_stops_taking_bytes_makes_us_stop_writing() -> None:
    async with world(timeouts=replace(HASTY, silent_s=60.0, slow_s=0.2)) as w:
        w.faults.stall_socket(after_bytes=FRAME)
        stream = await w.listener.open()
        await w.listener.feed(silence(0.1))
        fed = 0
        while not w.listener.losses and fed < 600:  # far more than the kernel takes
            w.listener._end += BYTES_PER_SECOND
            stream.feed(silence(1))
            fed += 1
            await asyncio.sleep(0.02)
        assert w.listener.losses == [Reason("falls_behind")]
        assert 2 * 1024 * 1024 / BYTES_PER_SECOND < fed < 600


async def test_a_long_backlog_is_given_the_time_it_takes() -> None:
    """What waited for minutes comes at once: being far behind then is no sign of trouble."""
    speech = say(3)
    pcm = silence(200) + speech.pcm
    speech = replace(speech, times=[(start + 200, end + 200) for start, end in speech.times])
    timeouts = replace(HASTY, silent_s=WAIT_TIMEOUT_S, slow_s=0.2)
    async with world(timeouts=timeouts, drain_seconds=WAIT_TIMEOUT_S) as w:
        w.faults.stall_acknowledgments()
        # Fed in the same step of the loop, as the relay does: what it begins with is its backlog.
        stream = await w.listener.open()
        w.listener._end = len(pcm)
        stream.feed(pcm)
        await until(lambda: (True, Reason("no_reaction")) in w.listener.delays)
        w.faults.resume_acknowledgments()
        await w.listener.finish()
        w.listener.assert_all_of(speech)
        assert w.listener.losses == []


async def test_missing_acknowledgments_lead_to_a_new_connection() -> None:
    speech = say(2)
    async with world() as w:
        pcm = speech.pcm + silence(1.5)
        w.faults.stall_acknowledgments(1.4, after_bytes=len(speech.pcm) - FRAME)
        await w.listener.open()
        await w.listener.feed(pcm, pace=0.01)
        await until(lambda: len(w.emulator.sessions[0].connections) > 1)
        await w.listener.finish()
        w.listener.assert_all_of(speech)
