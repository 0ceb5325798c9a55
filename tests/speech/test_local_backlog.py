"""The local engine when it can't keep up: what is kept, what is dropped, and whose turn it is."""

from __future__ import annotations

import asyncio

import pytest

from core.speech.engine import (
    BYTES_PER_SECOND,
    Recognition,
    StreamOptions,
)
from core.speech.local.engine import LocalEngine
from core.speech.memory import AudioBudget
from tests.speech.local_listener import (
    Listener,
    open_stream,
)
from tests.support.speech_samples import (
    BECKETT,
    OPENING,
    TWO_CITIES,
    beckett,
    opening,
    two_cities,
    words_in_order,
)
from tests.support.waiting import until


async def test_audio_beyond_the_bound_is_dropped_oldest_first_and_counted(
    engine: LocalEngine,
) -> None:
    listener, memory = Listener(), AudioBudget(40 * BYTES_PER_SECOND)
    stream = await engine.open(StreamOptions(memory=memory), listener)
    stream.feed(bytes(30 * BYTES_PER_SECOND) + opening())
    assert stream.pending_seconds == pytest.approx(40)
    assert stream.dropped_seconds == pytest.approx(5, abs=0.2)
    await stream.finish()
    assert listener.finals[0].start == pytest.approx(30.7, abs=0.5)
    assert words_in_order(OPENING, listener.text) >= 0.85
    assert listener.losses == []
    assert memory.reserve(40 * BYTES_PER_SECOND), "everything was given back"


async def test_of_one_person_s_stretches_the_oldest_speech_is_dropped_for_want_of_memory(
    engine: LocalEngine,
) -> None:
    memory = AudioBudget(60 * BYTES_PER_SECOND)
    pcm = bytes(40 * BYTES_PER_SECOND)
    listeners = [Listener(), Listener()]
    streams = [
        await engine.open(StreamOptions(speaker="ada", since=since, memory=memory), listener)
        for since, listener in enumerate(listeners)
    ]
    for stream in streams:
        stream.feed(pcm)
    # Of the first, a piece of 5 s is being transcribed already, whose place is given up as well.
    assert 15 <= listeners[0].dropped_seconds <= 20
    assert listeners[1].dropped_seconds == 0
    for stream in streams:
        stream.abort()
    assert memory.reserve(60 * BYTES_PER_SECOND)


async def test_what_others_fill_the_memory_with_is_not_taken_from_them(
    engine: LocalEngine,
) -> None:
    whole = AudioBudget(30 * BYTES_PER_SECOND)
    ada, bob = Listener(), Listener()
    first, second = [
        await engine.open(StreamOptions(memory=AudioBudget(whole=whole)), one) for one in (ada, bob)
    ]
    first.feed(bytes(30 * BYTES_PER_SECOND))
    second.feed(bytes(3 * BYTES_PER_SECOND))
    assert ada.dropped_seconds == 0
    assert bob.dropped_seconds == pytest.approx(3)
    assert second.end == 3 * BYTES_PER_SECOND, "what comes later keeps its time"
    first.abort()
    second.feed(beckett())
    await second.finish()
    assert bob.finals[0].start >= 3
    assert words_in_order(BECKETT, bob.text) > 0.7
    assert whole.reserve(30 * BYTES_PER_SECOND)


async def test_a_backlog_outlives_the_end_of_its_stream_and_blocks_nobody() -> None:
    """Whoever falls silent lets the machine catch up: nothing that was said is thrown away."""
    engine = LocalEngine(max_streams=1)
    await engine.start()
    try:
        stream, listener = await open_stream(engine)
        stream.feed(two_cities())
        ending = asyncio.create_task(stream.finish())
        await until(lambda: stream.is_ending)
        other, heard = await open_stream(engine)
        other.feed(beckett())
        await other.finish()
        assert words_in_order(BECKETT, heard.text) > 0.7
        assert not ending.done(), "who speaks now takes turns with the backlog of who spoke before"
        await ending
        assert words_in_order(TWO_CITIES, listener.text) >= 0.85
        assert listener.dropped_seconds == stream.dropped_seconds == 0
    finally:
        await engine.close()


async def test_stretches_of_one_person_are_heard_in_the_order_in_which_they_were_said(
    engine: LocalEngine,
) -> None:
    order: list[str] = []

    class Noting(Listener):
        def __init__(self, name: str) -> None:
            super().__init__()
            self._name = name

        def heard(self, recognition: Recognition) -> None:
            order.append(self._name)

    pcm = opening()[: 12 * BYTES_PER_SECOND]
    # The younger stretch got its stream first, as when the older one's was lost and replaced.
    streams = [
        await engine.open(StreamOptions(speaker="ada", since=since), Noting(name))
        for name, since in (("second", 2.0), ("first", 1.0))
    ]
    for stream in streams:
        stream.feed(pcm)
    await asyncio.gather(*(stream.finish() for stream in reversed(streams)))
    first_of_second = order.index("second")
    assert first_of_second <= 1, "the younger one may have had a piece in the thread already"
    rest = order[first_of_second + 1 :]
    assert rest == sorted(rest), order
