"""Noises give nobody words, and voices that are hard to hear keep theirs: the real engine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio

from benchmarks.noises import NOISES, far, pcm_of, quiet, samples_of, typing, whispered
from core.speech.engine import BYTES_PER_SECOND
from core.speech.local.engine import LocalEngine
from core.speech.local.made_up import ENGLISH
from core.speech.local.segments import Segment
from core.speech.local.voicing import VoiceMeter, Voicing
from tests.speech.local_listener import feed_as_spoken, open_stream
from tests.support.speech_samples import BECKETT, beckett, words, words_in_order
from tests.support.visitors import Visitor

# Each brought words or partials before there was a voice detector, "You" most of them.
LOUD = {
    "typing, laptop": 10,
    "ring tone, two tones": 4,
    "ring tone, marimba": 4,
    "ring-back tone": 4,
    "beeps of machines": 10,
    "knocks": 8,
    "music, piano": 8,
}
BEGINNING, BEGINS = beckett()[: 6 * BYTES_PER_SECOND], BECKETT[: BECKETT.index("Fail")]


def noise(name: str, seconds: float) -> bytes:
    return pcm_of(NOISES[name](np.random.default_rng(list(NOISES).index(name)), seconds))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[LocalEngine]:
    engine = LocalEngine(max_streams=4)
    await engine.start()
    yield engine
    await engine.close()


async def captions(engine: LocalEngine, pcm: bytes) -> tuple[str, list[str]]:
    """Return what became final, and every text that was shown meanwhile."""
    stream, listener = await open_stream(engine)
    await feed_as_spoken(stream, pcm)
    await stream.finish()
    return listener.text, [each.text for each in listener.heard_all if each.text]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", LOUD)
async def test_a_noise_gives_no_words_not_even_for_a_moment(engine: LocalEngine, name: str) -> None:
    assert await captions(engine, noise(name, LOUD[name])) == ("", [])


@pytest.mark.asyncio(loop_scope="module")
async def test_a_whisper_is_written_down(engine: LocalEngine) -> None:
    """Without a sound of the vocal cords, by which voices were told from noise before."""
    whisper = whispered(np.random.default_rng(4), samples_of(BEGINNING))
    text, _ = await captions(engine, pcm_of(whisper))
    assert words_in_order(BEGINS, text) >= 0.75, text


@pytest.mark.asyncio(loop_scope="module")
async def test_voices_that_are_quiet_far_or_among_keys_keep_their_words(
    engine: LocalEngine,
) -> None:
    voice, random = samples_of(BEGINNING), np.random.default_rng(5)
    keys = typing(0.8, 0.7, 0.14)(random, len(voice) / 16_000)
    for sound in (quiet(voice, 30), far(random, voice), voice + 0.5 * keys[: len(voice)]):
        text, _ = await captions(engine, pcm_of(sound))
        assert words_in_order(BEGINS, text) >= 0.6, text


@pytest.mark.asyncio(loop_scope="module")
async def test_two_words_alone_are_heard_even_quietly(engine: LocalEngine) -> None:
    alone = beckett()[int(2.9 * BYTES_PER_SECOND) // 2 * 2 : int(4.2 * BYTES_PER_SECOND) // 2 * 2]
    for decibels in (0, 25):
        pcm = pcm_of(quiet(samples_of(bytes(16_000) + alone + bytes(32_000)), decibels))
        text, _ = await captions(engine, pcm)
        assert words(text) == ["no", "matter"], text


def test_what_models_make_up_is_kept_only_when_a_voice_says_it() -> None:
    said, among_keys = Voicing(0.89, 0.58, length=1.5), Voicing(0.98, 0.58, length=7)
    played, unsure = Voicing(0.83, 0.54, length=9.7), Voicing(0.5, 0.3, length=4)
    assert said.vouches_for("Thank you.", ENGLISH)
    assert among_keys.vouches_for("Thank you.", ENGLISH)
    assert Voicing(0.94, 0.38, length=1.2).vouches_for("You?", ENGLISH)
    assert not played.vouches_for("Thank you.", ENGLISH)
    assert not played.vouches_for("Thank you for watching!", ENGLISH)
    assert played.vouches_for("No matter.", ENGLISH)
    assert unsure.is_voice
    assert unsure.vouches_for("Fail again.", ENGLISH)
    assert not unsure.vouches_for("You", ENGLISH)
    assert not unsure.vouches_for("2-3ตวบนลาง 01/00/2565", ENGLISH)
    assert not unsure.vouches_for(
        "The first one is the first one. The first one is the first.", ENGLISH
    )
    assert not Voicing(0.3, 0.2, length=3).is_voice


def test_a_segment_measured_piece_by_piece_measures_the_same() -> None:
    meter, pcm = VoiceMeter(), beckett()[: 5 * BYTES_PER_SECOND]
    once = meter.measure(Segment(0, 0, pcm, complete=True))
    for size in (20_000, 30_002, 90_000):
        meter.measure(Segment(1, 0, pcm[:size], complete=False))
    assert meter.measure(Segment(1, 0, pcm, complete=True)) == once
    assert once.certainty > 0.9
    # What came before leaves nothing behind.
    silent = meter.measure(Segment(2, 0, bytes(2 * BYTES_PER_SECOND), complete=True))
    assert silent.certainty < 0.1


async def test_who_types_and_rings_says_nothing_in_the_room(ada: Visitor) -> None:
    """Through the door: the first words under Ada's name are the ones that she says."""
    rackets = ("ring tone, two tones", "knocks", "ring-back tone")
    async with ada.page(ada.start_session("Noises")) as page:
        await page.mic(True)
        for name in rackets:
            await page.speak(noise(name, 5) + bytes(2 * BYTES_PER_SECOND))
        await page.speak(beckett() + bytes(2 * BYTES_PER_SECOND))
        await page.mic(False)
        await page.until(lambda: words(page.text)[-1:] == ["better"])
        shown = [message["text"] for message in page.of_type("utterance") if message["text"]]
        assert words(shown[0])[0] == "ever", shown
        assert words_in_order(BECKETT, page.text) >= 0.7
        assert len(words(page.text)) <= len(words(BECKETT)) + 2
