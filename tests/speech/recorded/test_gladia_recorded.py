"""Recordings through Gladia's pre-recorded API: words, times, settings, cuts and restarts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.speech.engine import SAMPLE_RATE, StreamOptions
from core.speech.gladia import reading
from core.speech.gladia.cuts import MAX_LOST, MAX_STRETCHES, Bounds, Cut, FlacFile
from core.speech.gladia.engine import GladiaEngine
from core.speech.gladia.jobs import MAX_URL
from core.speech.gladia.progress import MAX_LEFTOVERS, Progress, Sent
from core.speech.recorded.model import MAX_STATE, Begun, Track, UnreadableError
from tests.emulators.wordaudio import DAMAGED, silence, speak, vocabulary
from tests.speech.recorded.gladia_recordings import (
    ENGLISH,
    Stored,
    World,
    a_world,
    read_here,
    recording,
    said_at,
)

LEFT = said_at((1.0, "good morning"), (21.0, "all of you"), end=30)
RIGHT = said_at((8.0, "hello there"))
# Four sentences; by SMALL they are two files.
FOUR = [(1.0, "one two three"), (9.0, "four five six"), (20.0, "seven eight"), (31.0, "nine ten")]
SMALL = Bounds(pause_from_s=3.0, breath_from_s=50.0, most_s=60.0)


def texts_of(stored: Stored) -> list[tuple[str, str, float]]:
    """Return what was said, when to a second, and the ids of it."""
    return [(one.utterance, one.text, round(one.start)) for one in stored.finals]


def names_in(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return [entry.name for entry in folder.iterdir()]


@pytest.fixture
def decoded_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read files without a process for each, where it is begun again and again."""
    monkeypatch.setattr(reading, "sound", read_here)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as made:
        yield made


async def test_each_channel_has_its_words_at_their_times(world: World, tmp_path: Path) -> None:
    path = recording(tmp_path, LEFT, RIGHT)
    left = await world.all_of(Track(path, 0))
    right = await world.all_of(Track(path, 1))
    assert [one.text for one in left.finals] == ["good morning", "all of you"]
    assert [one.start for one in left.finals] == pytest.approx([1.0, 21.0], abs=0.3)
    assert [one.end for one in left.finals] == pytest.approx([1.6, 21.9], abs=0.3)
    assert [(one.text, one.language) for one in right.finals] == [("hello there", "en")]
    assert right.finals[0].start == pytest.approx(8.0, abs=0.3)
    assert (left.begun.until, left.lost) == (30.0, [])
    # Half a minute of silence isn't paid for, and what is, is what was sent.
    assert left.paid + right.paid == pytest.approx(world.gladia.billed_seconds)
    assert left.paid < 10
    # Nothing of it stays there, and no address is asked but those of the API.
    assert (world.gladia.uploads, len(world.gladia.recordings)) == ([], 2)
    assert all(job.is_deleted for job in world.gladia.recordings)
    sent = [job.upload for job in world.gladia.recordings if job.upload is not None]
    assert [(one.codec, one.content_type, len(one.channels)) for one in sent] == [
        ("flac", "audio/flac", 1)
    ] * 2
    assert not [one for one in world.gladia.requests if "/file" in one.path]
    assert names_in(tmp_path) == [path.name]


async def test_all_channels_mixed_are_one_track(world: World, tmp_path: Path) -> None:
    stored = await world.all_of(Track(recording(tmp_path, LEFT, RIGHT)))
    assert [one.text for one in stored.finals] == ["good morning", "hello there", "all of you"]


async def test_what_a_session_asks_for_reaches_the_service(world: World, tmp_path: Path) -> None:
    options = StreamOptions(
        languages=("en-GB", "de", "xx"),
        code_switching=True,
        vocabulary=("Kubernetes", "one two three four five six"),
        spelling={"Morning": ("morning",)},
        targets=("fr", "wo", "xx"),
    )
    stored = await world.all_of(Track(recording(tmp_path, LEFT)), options)
    (job,) = world.gladia.recordings
    body = dict(job.init)
    assert body.pop("audio_url").startswith("http://")
    assert list(body.pop("custom_metadata")) == ["sessions_part"]
    assert body == {
        "language_config": {"languages": ["en", "de"], "code_switching": True},
        "custom_vocabulary": True,
        "custom_vocabulary_config": {"vocabulary": ["Kubernetes"], "default_intensity": 0.4},
        "custom_spelling": True,
        "custom_spelling_config": {"spelling_dictionary": {"Morning": ["morning"]}},
        "translation": True,
        "translation_config": {
            "target_languages": ["fr", "wo"],
            "match_original_utterances": True,
        },
    }
    assert [one.text for one in stored.finals] == ["good Morning", "all of you"]
    of = {one.utterance: one.text for one in stored.finals}
    assert [(one.language, one.text, of[one.utterance]) for one in stored.translations] == [
        ("fr", "[fr] good morning", "good Morning"),
        ("fr", "[fr] all of you", "all of you"),
        ("wo", "[wo] good morning", "good Morning"),
        ("wo", "[wo] all of you", "all of you"),
    ]


async def test_a_plain_session_asks_for_nothing_more(world: World, tmp_path: Path) -> None:
    await world.all_of(Track(recording(tmp_path, RIGHT)), StreamOptions())
    (job,) = world.gladia.recordings
    assert set(job.init) == {"audio_url", "language_config", "custom_metadata"}
    assert job.init["language_config"] == {"languages": [], "code_switching": False}


async def test_a_long_track_is_cut_where_nobody_speaks(world: World, tmp_path: Path) -> None:
    world.bounds = SMALL
    stored = await world.all_of(Track(recording(tmp_path, said_at(*FOUR, end=40))))
    assert stored.text == " ".join(sentence for _, sentence in FOUR)
    starts = [one.start for one in stored.finals]
    assert starts == pytest.approx([second for second, _ in FOUR], abs=0.3)
    assert len(world.gladia.recordings) == 2
    assert stored.begun.until == 40.0


@pytest.mark.parametrize(
    ("bounds", "gap"),
    [
        (Bounds(pause_from_s=4.0, breath_from_s=5.0, most_s=60.0), 0.5),
        (Bounds(pause_from_s=4.0, breath_from_s=5.0, most_s=6.0), 0.04),
    ],
)
async def test_who_hardly_pauses_is_cut_at_a_breath_or_at_last_anywhere(
    world: World, tmp_path: Path, bounds: Bounds, gap: float
) -> None:
    world.bounds = bounds
    words = vocabulary(60)
    sound = b"".join(speak(words[at : at + 5]) + silence(gap) for at in range(0, 60, 5))
    stored = await world.all_of(Track(recording(tmp_path, sound + silence(1))))
    files = [job.upload.seconds for job in world.gladia.recordings if job.upload is not None]
    assert len(files) >= 3
    heard = stored.text.split()
    if gap > 0.3:
        assert heard == words
        assert max(files) < 8
    else:
        assert max(files) == pytest.approx(6.0, abs=0.1)
        # A word that is cut in two is heard wrong, on both sides of the cut; no other is.
        assert [word for word in heard if word in words] == [w for w in words if w in heard]
        assert len(set(words) - set(heard)) <= len(files) - 1


@pytest.mark.usefixtures("decoded_here")
async def test_dying_before_a_step_is_stored_loses_nothing_and_pays_nothing_twice(
    world: World, tmp_path: Path
) -> None:
    world.bounds = SMALL
    track = Track(recording(tmp_path, said_at(*FOUR, end=40)))
    whole = await world.all_of(track)
    for step in range(1, 7):  # two files: uploaded, job made, result
        before = len(world.gladia.recordings), world.gladia.billed_seconds
        stored = Stored()
        assert not await world.run(track, stored, until=step, loses_last=True)
        assert await world.run(track, stored)
        assert texts_of(stored) == texts_of(whole), step
        # A tenth more or less of the silence around speech is as it happens.
        assert stored.paid == pytest.approx(whole.paid, abs=0.5), step
        assert len(world.gladia.recordings) - before[0] == 2, step
        assert world.gladia.billed_seconds - before[1] == pytest.approx(stored.paid), step
        assert all(job.is_deleted for job in world.gladia.recordings), step
    # An upload that was never told of can't be found again: see core/speech/gladia/recorded.py.
    assert len(world.gladia.uploads) == 2


@pytest.mark.usefixtures("decoded_here")
async def test_it_may_die_at_every_single_step(world: World, tmp_path: Path) -> None:
    world.bounds = SMALL
    track = Track(recording(tmp_path, said_at(*FOUR, end=40)))
    stored = Stored()
    runs = 1
    while not await world.run(track, stored, until=1):
        runs += 1
    assert stored.text == " ".join(sentence for _, sentence in FOUR)
    # Two files of three steps, and the silence behind them.
    assert (runs, len(world.gladia.recordings)) == (8, 2)
    assert stored.paid == pytest.approx(world.gladia.billed_seconds)
    assert world.gladia.uploads == []


@pytest.mark.usefixtures("decoded_here")
async def test_times_that_were_stored_rounded_make_no_difference(
    world: World, tmp_path: Path
) -> None:
    world.bounds = SMALL
    track = Track(recording(tmp_path, said_at(*FOUR, end=40)))
    stored = Stored()
    await world.run(track, stored, until=3)
    stored.begun = Begun(round(stored.begun.until, 1), stored.begun.state)
    stored.begun = Begun(stored.begun.until - 0.04, stored.begun.state)
    parts = world.transcriber().transcribe(track, ENGLISH, stored.begun)
    words = [final.text async for part in parts for final in part.finals]
    assert [*(one.text for one in stored.finals), *words] == [sentence for _, sentence in FOUR]


@pytest.mark.usefixtures("decoded_here")
async def test_a_state_of_another_engine_is_no_state(world: World, tmp_path: Path) -> None:
    track = Track(recording(tmp_path, said_at(*FOUR, end=40)))
    for state in ("{}", "no JSON", '{"position": "x"}', '{"sent": {"cut": 1}}', "[" * 3000):
        stored = Stored(begun=Begun(16.0, state))
        assert await world.run(track, stored)
        assert stored.text == "seven eight nine ten", state


async def test_where_nobody_speaks_nothing_is_sent(world: World, tmp_path: Path) -> None:
    stored = await world.all_of(Track(recording(tmp_path, silence(90))))
    assert (stored.finals, stored.begun.until, stored.paid) == ([], 90.0, 0.0)
    assert world.gladia.requests == []


async def test_what_is_no_sound_is_told_as_that(world: World, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"no sound" * 999)
    with pytest.raises(UnreadableError):
        await world.all_of(Track(path))
    with pytest.raises(UnreadableError):
        await world.all_of(Track(recording(tmp_path, LEFT), 3))
    with pytest.raises(UnreadableError):
        await world.all_of(Track(tmp_path / "not there"))
    with pytest.raises(UnreadableError):
        await world.all_of(Track(tmp_path / "not" / "there"))
    assert world.gladia.requests == []


async def test_what_a_file_lacks_is_told_as_lost(world: World, tmp_path: Path) -> None:
    path = tmp_path / "cut off.flac"
    with path.open("w+b") as out:
        file = FlacFile(out)
        file.write(said_at(*FOUR, end=40))
        file.close()
        out.truncate(out.tell() // 2)
    stored = await world.all_of(Track(path))
    text = stored.text.removesuffix(f" {DAMAGED}")  # the word at the end of what there is
    assert text
    assert "one two three four five six seven eight nine ten".startswith(text)
    assert stored.begun.until == pytest.approx(40.0, abs=0.1)
    ((start, end),) = stored.lost
    assert stored.finals[-1].end - 1 < start < 31
    assert end == pytest.approx(40.0, abs=0.1)


async def test_the_engine_offers_it(world: World, tmp_path: Path) -> None:
    engine = GladiaEngine(world.gladia.api_key, api_url=world.gladia.url + "/", region="eu-west")
    await engine.start()
    try:
        stored = Stored()
        track = Track(recording(tmp_path, RIGHT))
        async for part in engine.recorded().transcribe(track, ENGLISH, stored.begun):
            stored.take(part)
    finally:
        await engine.close()
    assert stored.text == "hello there"
    assert all(one.query == {} for one in world.gladia.requests)


def test_the_most_there_is_to_keep_can_be_kept() -> None:
    far = 12 * 3600 * SAMPLE_RATE
    most = [(far, 3600 * SAMPLE_RATE)]
    cut = Cut(far, far, most * MAX_STRETCHES, most * (MAX_LOST + 1))
    sent = Sent(cut, "u" * MAX_URL, 1e10 + 0.123456, job="j" * 100)
    progress = Progress(far, sent, far, 5, ["j" * 100] * MAX_LEFTOVERS)
    assert len(progress.text()) <= MAX_STATE
