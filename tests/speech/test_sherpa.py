"""GigaAM's layouts in their real runtime, with models of a few numbers: see tiny_transducer."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.speech.engine import BYTES_PER_SECOND, Health, StreamOptions
from core.speech.local.engine import LocalEngine
from tests.speech.local_listener import Listener, feed_as_spoken
from tests.speech.test_noises import noise
from tests.support import tiny_transducer
from tests.support.speech_samples import opening


async def heard(engine: LocalEngine, pcm: bytes, *languages: str) -> Listener:
    listener = Listener()
    stream = await engine.open(StreamOptions(languages=languages), listener)
    await feed_as_spoken(stream, pcm)
    await stream.finish()
    return listener


async def started(folder: Path) -> LocalEngine:
    engine = LocalEngine(model=str(folder))
    await engine.start()
    return engine


async def test_a_transducer_hears_and_says_its_language(tmp_path: Path) -> None:
    engine = await started(tiny_transducer.transducer(tmp_path))
    assert engine.languages == {"ru"}, "its tokens are Cyrillic"
    speech = opening()[: 5 * BYTES_PER_SECOND] + bytes(BYTES_PER_SECOND)
    listener = await heard(engine, speech, "en", "ru")
    assert {each.text for each in listener.heard_all} == {tiny_transducer.SAYS}
    assert {each.language for each in listener.heard_all} == {"ru"}
    assert len(listener.heard_all) > len(listener.finals) >= 1
    listener = await heard(engine, noise("typing, laptop", 5))
    assert listener.heard_all == [], (
        "a detector hears that there is no voice; the model would say it"
    )
    await engine.close()


async def test_a_folder_can_say_which_languages_its_model_knows(tmp_path: Path) -> None:
    (tiny_transducer.ctc(tmp_path) / "languages.txt").write_text("uk be\n")
    engine = await started(tmp_path)
    assert engine.languages == {"uk", "be"}
    speech = opening()[: 3 * BYTES_PER_SECOND]
    listener = await heard(engine, speech, "uk")
    assert listener.text.startswith("при")
    assert listener.finals[-1].language == "uk"
    assert (await heard(engine, speech)).finals[-1].language is None
    await engine.close()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: tiny_transducer.transducer(folder, metadata=False), "vocab_size"),
        (lambda folder: (folder / "encoder.int8.onnx").write_bytes(b"<html>"), "Protobuf"),
        (lambda folder: (folder / "tokens.txt").write_text("x\n"), ""),
        (lambda folder: (folder / "joiner.onnx").unlink(), "lacks joiner"),
    ],
    ids=["without its numbers", "a web page", "other tokens", "a part missing"],
)
async def test_a_model_that_ends_its_runtime_doesn_t_end_us(
    tmp_path: Path, damage: object, said: str
) -> None:
    folder = tiny_transducer.transducer(tmp_path)
    damage(folder)  # type: ignore[operator]
    engine = await started(folder)
    health = engine.health()
    assert health.health is Health.OFF
    assert health.reason is not None
    assert health.reason.code == "model_not_loadable"
    assert said in health.reason.detail
    assert engine.languages == frozenset()
    await engine.close()
