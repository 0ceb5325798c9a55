"""Connections that drop, and results that get lost: words out are words in, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from core.speech.engine import (
    BYTES_PER_SECOND,
)
from core.speech.reasons import Reason
from tests.emulators.gladia import Faults, Switches, Timings
from tests.emulators.wordaudio import silence
from tests.speech.gladia_world import (
    FRAME,
    HASTY,
    MISSED,
    Speech,
    World,
    say,
    world,
)

DROPS: dict[str, Callable[[Faults, int], object]] = {
    "tcp abort": lambda faults, at: faults.drop(code=None, after_bytes=at),
    "no code": lambda faults, at: faults.drop(code=1005, after_bytes=at),
    "1001": lambda faults, at: faults.drop(code=1001, after_bytes=at),
    "1011": lambda faults, at: faults.drop(code=1011, after_bytes=at),
    "1012": lambda faults, at: faults.drop(code=1012, after_bytes=at),
    "1013": lambda faults, at: faults.drop(code=1013, after_bytes=at),
    "4500": lambda faults, at: faults.drop(code=4500, after_bytes=at),
    "chunk never came": lambda faults, at: faults.drop(last_chunk="lost", after_bytes=at),
    "lost ack, then drop": lambda faults, at: faults.drop(last_chunk="unacked", after_bytes=at),
    "1000 unasked": lambda faults, at: faults.drop(code=1000, after_bytes=at),
    "4403": lambda faults, at: faults.drop(code=4403, after_bytes=at),
    "4408": lambda faults, at: faults.drop(code=4408, after_bytes=at),
    "4499": lambda faults, at: faults.drop(code=4499, after_bytes=at),
    "refused audio": lambda faults, at: faults.refuse_audio(after_bytes=at),
    "lost ack": lambda faults, at: faults.lose_acknowledgments(after_bytes=at),
    "error message": lambda faults, at: faults.error_message(after_bytes=at),
    "unknown type": lambda faults, at: faults.unknown_message(after_bytes=at),
    "not json": lambda faults, at: faults.send_raw("{oops", after_bytes=at),
    "over 1 MiB": lambda faults, at: faults.oversized_message(after_bytes=at),
    "drop on a partial": lambda faults, _: faults.drop(code=1011, on="partial"),
    "drop on a final": lambda faults, _: faults.drop(code=1011, on="final"),
    "null partial": lambda faults, _: faults.null_data("partial"),
    "null final": lambda faults, _: faults.null_data("final"),
    "null speech event": lambda faults, _: faults.null_data("speech_start"),
}


@pytest.mark.parametrize("fault", DROPS)
async def test_every_word_survives(fault: str) -> None:
    speech = say(3, seed=3)
    async with world() as w:
        in_second_sentence = int((speech.times[1][0] + 0.35) * BYTES_PER_SECOND)
        DROPS[fault](w.faults, in_second_sentence)
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)
        assert all(len(session.audio) % 2 == 0 for session in w.emulator.sessions)


async def test_a_drop_is_resumed_on_the_same_url_without_doubled_audio() -> None:
    speech = say(4)
    timeouts = replace(HASTY, backoff_max_s=0.02)
    async with world(timings=Timings(final=0.0), timeouts=timeouts) as w:
        for start, _ in speech.times[::2]:
            w.faults.drop(code=1012, after_bytes=int((start + 0.4) * BYTES_PER_SECOND))
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)
        assert w.listener.losses == []
        assert w.emulator.sessions[0].audio == speech.pcm
        usage = w.listener.usages[0]
        assert usage.reconnects == 2
        sent = sum(len(session.received) for session in w.emulator.sessions)
        assert usage.seconds_sent * BYTES_PER_SECOND >= sent


@pytest.mark.parametrize("seed", range(6))
async def test_drops_at_random_places(seed: int) -> None:
    speech = say(5, seed=seed)
    async with world() as w:
        w.faults.chaos(
            seed=seed,
            mean_bytes=len(speech.pcm) / 5,
            codes=(1005, 1001, 1011, 1012, 1013, 4500, 4403),
            last_chunks=("acked", "lost", "unacked"),
            times=8,
        )
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)


async def test_audio_counted_twice_in_silence_only_shifts_times_back() -> None:
    speech = say(4)
    in_pause = int((speech.times[0][1] + 0.35) * BYTES_PER_SECOND)
    async with world() as w:
        w.faults.drop(last_chunk="unacked", after_bytes=in_pause - in_pause % FRAME + 2)
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)
        assert w.listener.losses == []
        assert len(w.emulator.sessions[0].audio) == len(speech.pcm) + FRAME
        for final, (start, end) in zip(w.listener.finals, speech.times, strict=True):
            assert (final.start, final.end) == pytest.approx((start, end), abs=0.05)


async def test_words_counted_twice_are_said_again_on_a_new_stream() -> None:
    speech = say(3)
    in_word = int((speech.times[1][0] + 0.4) * BYTES_PER_SECOND)
    async with world() as w:
        w.faults.drop(last_chunk="unacked", after_bytes=in_word - in_word % FRAME + 2)
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)
        assert w.listener.losses == [Reason("words_twice")]


async def miss_the_first_final(w: World, speech: Speech) -> None:
    """Speak, and lose the connection when the first sentence has just been closed."""
    at = int((speech.times[0][1] + 0.45) * BYTES_PER_SECOND)
    w.faults.drop(code=1011, after_bytes=at)
    await w.open()
    w.faults.slow_handshake(0.3)  # its final is said to nobody meanwhile
    await w.listener.feed(speech.pcm)


async def test_a_final_that_was_missed_while_away_is_recovered() -> None:
    speech = say(3)
    async with world(timings=Timings(final=0.15)) as w:
        await miss_the_first_final(w, speech)
        await w.listener.finish()
        w.listener.assert_all_of(speech)
        assert w.emulator.sessions[0].missed
        assert w.listener.losses == [MISSED]


async def test_a_missed_final_is_noticed_without_further_speech() -> None:
    speech = say(1)
    async with world(timings=Timings(final=0.15)) as w:
        await miss_the_first_final(w, speech)
        for _ in range(100):
            if w.listener.losses:
                break
            await w.listener.feed(silence(0.05), pace=0.02)
        assert w.listener.losses == [MISSED]
        await w.listener.finish()
        w.listener.assert_all_of(speech)


async def test_late_finals_count_once() -> None:
    speech = say(3)
    async with world() as w:
        w.faults.late_finals()
        w.faults.drop(code=1011, after_bytes=int((speech.times[1][0] + 0.3) * BYTES_PER_SECOND))
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)


async def test_a_final_that_never_comes_is_replaced_by_its_last_partial_in_order() -> None:
    speech = say(3)
    async with world() as w:
        w.faults.change("final", lambda message: None)
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)
        heard = [recognition.text for recognition in w.listener.heard_all if recognition.final]
        assert heard == speech.sentences
        assert w.listener.losses == []


async def test_lost_acknowledgments_at_the_very_end_are_told_by_the_total() -> None:
    speech = say(1, 6, pause=0.0)
    async with world(switches=Switches(acknowledge_every=50)) as w:
        w.faults.drop(code=1011, last_chunk="acked", after_bytes=len(speech.pcm) - 4 * FRAME)
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)
        assert w.listener.losses == [Reason("words_twice")]


async def test_a_session_that_is_gone_is_replaced() -> None:
    speech = say(3)
    async with world() as w:
        await w.open()
        w.faults.drop(code=None, after_bytes=len(speech.pcm) // 2)
        w.faults.refuse_handshake(403)
        await w.listener.feed(speech.pcm)
        await w.listener.finish()
        w.listener.assert_all_of(speech)
        assert len(w.emulator.sessions) == 2
        assert w.listener.losses == [Reason("connection_refused", "403")]
