"""Recordings through the local engine: real files, its model, and people who speak meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from core.speech.engine import (
    BYTES_PER_SECOND,
    Engine,
    EngineError,
    Recognition,
    StreamOptions,
)
from core.speech.engines import OffEngine
from core.speech.local import worker as worker_module
from core.speech.local.ear import Heard
from core.speech.local.engine import LocalEngine
from core.speech.local.recognizer import Recognizer
from core.speech.local.worker import NOTICED_S, Worker
from core.speech.reasons import Reason
from core.speech.recorded.model import Begun, Part, Track, Transcriber, UnreadableError
from tests.speech.local_listener import Listener, feed_as_spoken
from tests.support.media import damaged, write_media
from tests.support.speech_samples import (
    BECKETT,
    OPENING,
    TWO_CITIES,
    beckett,
    opening,
    two_cities,
    words_in_order,
)

SILENCE = bytes(BYTES_PER_SECOND)


def of(engine: LocalEngine) -> Transcriber:
    """Return what transcribes recordings."""
    transcriber = engine.recorded()
    assert transcriber is not None
    return transcriber


async def parts_of(
    engine: LocalEngine,
    track: Track,
    begun: Begun = Begun(),  # noqa: B008 - a value
    *,
    most: int = 10_000,
) -> list[Part]:
    """Return the parts of a track, or the first of them as if the process ended then."""
    parts: list[Part] = []
    async with aclosing(of(engine).transcribe(track, StreamOptions(), begun)) as coming:
        async for part in coming:
            parts.append(part)
            if len(parts) == most:
                break
    return parts


def finals_of(parts: Sequence[Part]) -> list[Recognition]:
    """Return all finals; parts follow each other, and each final is in its part."""
    until = 0.0
    for part in parts:
        assert part.until >= until
        assert all(until - 0.01 <= one.start < one.end <= part.until for one in part.finals)
        assert all(one.final and one.text for one in part.finals)
        until = part.until
    return [one for part in parts for one in part.finals]


def text_of(parts: Sequence[Part]) -> str:
    """Return what was said in all of them."""
    return " ".join(one.text for one in finals_of(parts))


def sent(parts: Sequence[Part]) -> float:
    """Return how many seconds the engine got in all."""
    return sum(part.seconds_sent for part in parts)


async def test_each_channel_is_one_speaker_with_their_words_and_times(
    engine: LocalEngine, tmp_path: Path
) -> None:
    """A call as telephones record it: one is left, and one right, who speaks later."""
    path = write_media(tmp_path / "call.mp3", opening(), 15 * SILENCE + beckett())
    left, right = [await parts_of(engine, Track(path, channel)) for channel in (0, 1)]
    assert words_in_order(OPENING, text_of(left)) > 0.9
    assert words_in_order(BECKETT, text_of(right)) > 0.8
    assert 12 < sent(left) <= 15.1
    assert 4 < sent(right) < 10  # the quarter of a minute before it isn't paid for
    assert left[-1].until == right[-1].until == pytest.approx(25, abs=0.2)
    # The same man in a call, where times are tried against the sound: what a file adds is nothing.
    listener = Listener()
    stream = await engine.open(StreamOptions(), listener)
    await feed_as_spoken(stream, beckett())
    await stream.finish()
    spoken = [one.start + 15 for one in listener.finals]
    assert [one.start for one in finals_of(right)] == pytest.approx(spoken, abs=0.1)
    both = await parts_of(engine, Track(path))
    assert words_in_order(OPENING + BECKETT, text_of(both)) > 0.8


async def test_a_restart_in_the_middle_loses_and_repeats_nothing(
    engine: LocalEngine, tmp_path: Path
) -> None:
    path = write_media(tmp_path / "long.m4a", two_cities() + 3 * SILENCE + beckett())
    whole = await parts_of(engine, Track(path))
    assert len(whole) > 2
    parts: list[Part] = []
    begun = Begun()
    while more := await parts_of(engine, Track(path), begun, most=1):
        parts += more
        if more[-1].until == begun.until:
            break
        begun = Begun(more[-1].until, more[-1].state)
    assert words_in_order(TWO_CITIES + BECKETT, text_of(parts)) > 0.85
    assert abs(len(text_of(parts)) - len(text_of(whole))) < 60
    assert sent(parts) == pytest.approx(sent(whole), abs=2)
    names = [one.utterance for one in finals_of(parts)]
    assert len(set(names)) == len(names)
    assert begun.until == pytest.approx(whole[-1].until, abs=0.01)


async def test_what_is_damaged_is_lost_and_said_to_be(engine: LocalEngine, tmp_path: Path) -> None:
    path = damaged(write_media(tmp_path / "bad.flac", two_cities()), 0.5, 0.6)
    parts = await parts_of(engine, Track(path))
    (gap,) = [lost for part in parts for lost in part.lost]
    assert 18 < gap[0] < gap[1] < 32
    finals = finals_of(parts)
    assert not [one for one in finals if one.start < gap[1] - 0.1 and one.end > gap[0] + 0.1]
    assert [one for one in finals if one.start > gap[1]]
    assert words_in_order(TWO_CITIES, text_of(parts)) > 0.6


async def test_what_cannot_be_heard_is_refused(engine: LocalEngine, tmp_path: Path) -> None:
    path = tmp_path / "none.wav"
    path.write_bytes(b"RIFF")
    with pytest.raises(UnreadableError):
        await parts_of(engine, Track(path))
    off: Engine = OffEngine(Reason("switched_off"))
    assert off.recorded() is None
    fine = write_media(tmp_path / "fine.wav", beckett())
    transcriber = of(engine)
    reading = asyncio.create_task(parts_of(engine, Track(fine)))
    await asyncio.sleep(0)
    await engine.close()
    with pytest.raises(EngineError) as refused:
        await reading
    assert refused.value.retry
    assert engine.recorded() is None
    with pytest.raises(EngineError):
        async for _ in transcriber.transcribe(Track(fine), StreamOptions(), Begun()):
            pass
    await engine.start()  # as the fixture's end expects it


async def test_hours_of_silence_cost_seconds(engine: LocalEngine, tmp_path: Path) -> None:
    path = write_media(tmp_path / "empty.ogg", 300 * SILENCE + beckett())
    began = time.process_time()
    parts = await parts_of(engine, Track(path))
    assert time.process_time() - began < 15
    assert words_in_order(BECKETT, text_of(parts)) > 0.8
    assert min(one.start for one in finals_of(parts)) > 300


async def test_a_recording_takes_no_slot_and_people_do_not_wait_for_it(
    engine: LocalEngine, tmp_path: Path
) -> None:
    path = write_media(tmp_path / "long.wav", two_cities())
    reading = asyncio.create_task(parts_of(engine, Track(path)))
    opened = [await engine.open(StreamOptions(), Listener()) for _ in range(engine.max_streams)]
    listeners = [Listener(), Listener()]
    for stream in opened:
        stream.abort()
    streams = [await engine.open(StreamOptions(), one) for one in listeners]
    await asyncio.gather(*(feed_as_spoken(stream, opening()) for stream in streams))
    await asyncio.gather(*(stream.finish() for stream in streams))
    for listener in listeners:
        assert words_in_order(OPENING, listener.text) > 0.9
    assert words_in_order(TWO_CITIES, text_of(await reading)) > 0.9


class Turns:
    """A model that takes as long as it is told, and what it was asked for in which order."""

    languages = frozenset({"en"})

    def close(self) -> None:
        pass


class Speaker:
    """Waiting: somebody who always has something to say."""

    speaker = "ann"
    since = 0.0

    def __init__(self, worker: Worker, order: list[str], turns: int) -> None:
        self._worker, self._order, self.left = worker, order, turns

    @property
    def ready(self) -> bool:
        return self.left > 0

    def drop_waiting(self, size: int) -> bool:
        return False

    def begin_turn(self):  # type: ignore[no-untyped-def]
        self.left -= 1
        self._order.append("ann")
        return lambda recognizer: Heard([], 0)

    def end_turn(self, heard: Heard) -> None:
        pass

    def failed(self, reason: Reason) -> None:
        raise AssertionError(reason)


async def test_turns_of_recordings_come_after_all_of_people_and_seldom_while_they_speak(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order: list[str] = []
    worker = Worker(Turns)  # type: ignore[arg-type]
    await worker.start()

    def work(name: str, seconds: float):  # type: ignore[no-untyped-def]
        def do(recognizer: Recognizer) -> Heard:
            order.append(name)
            time.sleep(seconds)
            return Heard([], 0)

        return do

    first = asyncio.create_task(worker.hear_patiently(work("first", 0.1)))
    second = asyncio.create_task(worker.hear_patiently(work("second", 0.0)))
    await asyncio.sleep(0)
    ann = Speaker(worker, order, 3)
    worker.add(ann)
    worker.wake(ann)
    await first
    began = time.monotonic()
    await second
    assert order == ["first", "ann", "ann", "ann", "second"]
    assert 0.6 < time.monotonic() - began < 5  # nine times what the first one took
    worker.remove(ann)
    monkeypatch.setattr(worker_module, "PATIENCE", 0)
    # With a model so slow that people would notice, it waits until nobody speaks.
    await worker.hear_patiently(work("slow", NOTICED_S + 0.1))
    worker.add(ann)
    waiting = asyncio.create_task(worker.hear_patiently(work("third", 0.0)))
    await asyncio.sleep(1.0)
    assert not waiting.done()
    worker.remove(ann)
    await waiting
    # Who gives up is passed over, and what fails is told.
    given_up = asyncio.create_task(worker.hear_patiently(work("given up", 0.0)))
    failing = asyncio.create_task(worker.hear_patiently(lambda recognizer: 1 / 0))  # type: ignore[arg-type, return-value]
    given_up.cancel()
    with pytest.raises(EngineError) as refused:
        await failing
    assert refused.value.retry
    await worker.close()
    with pytest.raises(EngineError):
        await worker.hear_patiently(work("late", 0.0))
