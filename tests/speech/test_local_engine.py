"""The local engine with its real model and real speech."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time

import numpy as np
import pytest

from core.speech.engine import (
    BYTES_PER_SECOND,
    EngineError,
    Health,
    NoSlotError,
    StreamOptions,
)
from core.speech.local.ear import punctuate
from core.speech.local.engine import LocalEngine, local_engine_available
from core.speech.local.moonshine import Moonshine
from core.speech.local.recognizer import Spoken
from core.speech.reasons import Reason
from tests.speech.local_listener import (
    Listener,
    assert_sound,
    feed_as_spoken,
    open_stream,
)
from tests.support.speech_samples import (
    BECKETT,
    OPENING,
    beckett,
    opening,
    two_cities,
    words,
    words_in_order,
)
from tests.support.waiting import until


async def test_speech_that_is_kept_up_with_shows_partials_then_one_final(
    engine: LocalEngine,
) -> None:
    stream, listener = await open_stream(engine)
    await feed_as_spoken(stream, opening())
    await stream.finish()
    assert_sound(listener, 15)
    assert listener.delays == []
    assert stream.pending_seconds == stream.dropped_seconds == 0
    first = [each for each in listener.heard_all if each.utterance == listener.finals[0].utterance]
    assert len(first) >= 3
    assert not any(each.final for each in first[:-1])
    texts = [each.text for each in first[:-1]]
    assert all(one != two for one, two in itertools.pairwise(texts))
    assert 0.3 < first[-1].start < 1.4
    assert 4 < first[-1].end < 9


async def test_a_burst_of_speech_is_delayed_caught_up_with_and_complete(
    engine: LocalEngine,
) -> None:
    stream, listener = await open_stream(engine)
    pcm = opening()
    ticks: list[float] = []
    ticker = asyncio.create_task(_tick(ticks))
    began = time.perf_counter()
    for at in range(0, len(pcm), 1_600):
        stream.feed(pcm[at : at + 1_600])
    assert (time.perf_counter() - began) < 1
    assert engine.health().health is Health.DEGRADED
    await until(lambda: len(listener.delays) == 2)
    assert listener.delays == [
        (True, Reason("too_slow")),
        (False, None),
    ]
    assert engine.health().health is Health.OK
    await stream.finish()
    ticker.cancel()
    assert_sound(listener, 15)
    assert words_in_order(OPENING, listener.text) >= 0.85
    assert len(words(listener.text)) <= 1.1 * len(words(OPENING))
    assert np.percentile(ticks, 99) < 0.25


async def _tick(late: list[float]) -> None:
    while True:
        due = time.perf_counter() + 0.005
        await asyncio.sleep(0.005)
        late.append(time.perf_counter() - due)


async def test_finish_in_the_middle_of_a_sentence_hands_over_its_last_words(
    engine: LocalEngine,
) -> None:
    stream, listener = await open_stream(engine)
    stream.feed(opening()[: int(4.6 * BYTES_PER_SECOND)])
    await stream.finish()
    assert words(listener.text)[-4:] == ["the", "worst", "of", "times"]
    before = len(listener.heard_all)
    stream.feed(beckett())
    await stream.finish()
    assert len(listener.heard_all) == before


async def test_an_aborted_stream_falls_silent_at_once_and_frees_its_place() -> None:
    engine = LocalEngine(max_streams=1)
    await engine.start()
    try:
        stream, listener = await open_stream(engine)
        with pytest.raises(NoSlotError):
            await open_stream(engine)
        stream.feed(opening())
        await until(lambda: listener.heard_all)
        stream.abort()
        stream.abort()
        before = len(listener.heard_all)
        other, heard = await open_stream(engine)
        other.feed(beckett())
        await other.finish()
        assert words_in_order(BECKETT, heard.text) > 0.7
        assert len(listener.heard_all) == before
        assert listener.losses == []
    finally:
        await engine.close()


async def test_people_who_talk_at_once_are_kept_apart_and_a_silent_microphone_says_nothing(
    engine: LocalEngine,
) -> None:
    noise = np.random.default_rng(1).normal(0, 65, 10 * BYTES_PER_SECOND // 2)
    sounds = [opening()[: 10 * BYTES_PER_SECOND], beckett(), noise.astype("<i2").tobytes()]
    streams = [await open_stream(engine) for _ in sounds]
    for at in range(0, 10 * BYTES_PER_SECOND, BYTES_PER_SECOND // 2):
        for (stream, _), pcm in zip(streams, sounds, strict=True):
            stream.feed(pcm[at : at + BYTES_PER_SECOND // 2])
        await until(lambda: all(stream.pending_seconds < 0.5 for stream, _ in streams))
    await asyncio.gather(*(stream.finish() for stream, _ in streams))
    reader, actor, silent = (listener for _, listener in streams)
    assert words_in_order(" ".join(words(OPENING)[:28]), reader.text) > 0.85
    assert words_in_order(BECKETT, actor.text) > 0.7
    assert not {"tried", "failed", "matter"} & set(words(reader.text))
    assert not {"best", "wisdom", "epoch"} & set(words(actor.text))
    assert silent.heard_all == []


async def test_a_stream_that_gives_way_hands_back_what_has_no_final(engine: LocalEngine) -> None:
    pcm = beckett()
    stream, listener = await open_stream(engine)
    fed = 0
    while not listener.finals:
        stream.feed(pcm[fed : fed + 16_000])
        fed += 16_000
        await until(lambda: stream.pending_seconds < 0.5)
    stream.feed(pcm[fed : fed + 16_000])  # which is being heard
    fed += 16_000
    position, audio = stream.surrender()
    assert audio == pcm[position:fed]
    await stream.wait_over()
    said = len(listener.heard_all)
    again, rest = await open_stream(engine)
    again.feed(audio + pcm[fed:])
    await again.finish()
    assert len(listener.heard_all) == said, "it says nothing more"
    assert words_in_order(BECKETT, f"{listener.text} {rest.text}") > 0.7
    assert len(words(f"{listener.text} {rest.text}")) < 1.2 * len(words(BECKETT))


async def test_a_failing_library_loses_the_stream_but_no_word(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = Moonshine.hear
    failed = False

    def fail_once(
        recognizer: Moonshine, pcm: bytes, languages: tuple[str, ...], *, final: bool
    ) -> Spoken:
        nonlocal failed
        if listener.finals and not failed:
            failed = True
            raise RuntimeError("unknown error")
        return working(recognizer, pcm, languages, final=final)

    monkeypatch.setattr(Moonshine, "hear", fail_once)
    pcm = opening()
    stream, listener = await open_stream(engine)
    fed = 0
    while not listener.losses:
        stream.feed(pcm[fed : fed + 16_000])
        fed += 16_000
        await until(lambda: listener.losses or stream.pending_seconds < 0.5)
    health = engine.health()
    assert health.health is Health.DEGRADED
    assert health.reason is not None
    assert health.reason.code == "engine_failed"
    assert "unknown error" in health.reason.detail
    [(_, position)] = listener.losses
    assert position > 0
    assert stream.tail(position) == pcm[position:fed]
    again, rest = await open_stream(engine)
    again.feed(stream.tail(position) + pcm[fed:])
    await again.finish()
    both = f"{listener.text} {rest.text}"
    assert words_in_order(OPENING, both) > 0.85
    assert len(words(both)) < 50
    assert engine.health().health is Health.OK


async def test_without_the_package_the_engine_is_off_and_says_what_helps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "moonshine_voice", None)
    engine = LocalEngine()
    await engine.start()
    health = engine.health()
    assert health.health is Health.OFF
    assert health.reason == local_engine_available()
    assert health.reason == Reason("no_package")
    with pytest.raises(EngineError, match="no_package") as refusal:
        await engine.open(StreamOptions(), Listener())
    assert not refusal.value.retry
    await engine.close()


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        (" In short,, the period ", "In short, the period"),
        ("Well, , yes", "Well, yes"),
        ("One; two: three, four... five?!", "One; two: three, four... five?!"),
        ("5!", "5!"),
        ("♪ ♪ ♪ ?", ""),
        ("...", ""),
    ],
)
def test_only_doubled_commas_outer_space_and_what_is_no_word_are_tidied(
    raw: str, clean: str
) -> None:
    assert punctuate(raw) == clean


async def test_noise_and_breath_become_no_words(engine: LocalEngine) -> None:
    """The model alone puts words into both: "You can use the same as the same as…"."""
    loud = np.random.default_rng(1).normal(0, 3000, 3 * 16_000)
    noise = np.clip(loud, -32768, 32767).astype("<i2").tobytes()
    breath = two_cities()[42 * BYTES_PER_SECOND :]
    for pcm in (noise, breath):
        stream, listener = await open_stream(engine)
        await feed_as_spoken(stream, pcm)
        await stream.finish()
        assert listener.text == ""


async def test_music_becomes_no_notes(engine: LocalEngine) -> None:
    time_ = np.arange(4 * 16_000) / 16_000
    chord = sum(3000 * np.sin(2 * np.pi * pitch * time_) for pitch in (261.6, 329.6, 392.0))
    stream, listener = await open_stream(engine)
    await feed_as_spoken(stream, np.asarray(chord).astype("<i2").tobytes())
    await stream.finish()
    assert all("♪" not in heard.text for heard in listener.heard_all)
