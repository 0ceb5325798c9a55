"""What Gladia's results are taken for: nonsense, what is out of bounds, lines and translations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.speech.engine import EngineError, StreamOptions
from core.speech.recorded.model import Track
from tests.emulators.gladia.recorded_faults import RecordedFaults
from tests.speech.recorded.gladia_recordings import (
    Stored,
    World,
    quick,
    recording,
    said_at,
)

Json = dict[str, Any]


def altered(**changes: Any) -> Any:
    """Return what changes a result's first utterance."""

    def change(result: Json) -> Json:
        result["transcription"]["utterances"][0].update(changes)
        return result

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda result: None,
        lambda result: [],
        lambda result: {"transcription": None},
        lambda result: {"transcription": {"utterances": "none"}},
        lambda result: {"transcription": {"utterances": [None]}},
        altered(text=None),
        altered(text=7),
        altered(start="soon"),
        altered(start=float("nan")),
        altered(end=float("inf")),
        altered(words=[{"word": 1}]),
        lambda result: {
            "transcription": {"utterances": result["transcription"]["utterances"] * 20_001}
        },
    ],
)
async def test_a_result_that_is_none_is_no_result(
    world: World, faults: RecordedFaults, track: Track, change: Any
) -> None:
    world.timeouts = quick(trouble_s=0.1)
    faults.change_result(change, times=None)
    stored = Stored()
    with pytest.raises(EngineError, match="unexpected_answer"):
        await world.run(track, stored)
    assert stored.finals == []


@pytest.mark.parametrize(
    ("change", "text", "times"),
    [
        (altered(start=-5.0), "good morning", (0.5, 1.6)),
        (altered(start=1.0, end=0.2), "good morning", (1.5, 1.5)),
        (altered(start=1e9, end=1e300), "good morning", (2.4, 2.4)),
        (altered(text=" a\x00b\x1bc\n ", words=None), "a b c", (1.0, 1.6)),
        (altered(language="x" * 999), "good morning", (1.0, 1.6)),
        (altered(text="y" * 30_000), "y" * 20_000, (1.0, 1.6)),
    ],
)
async def test_what_comes_back_is_kept_within_bounds(
    *,
    world: World,
    faults: RecordedFaults,
    track: Track,
    change: Any,
    text: str,
    times: tuple[float, float],
) -> None:
    faults.change_result(change)
    stored = await world.all_of(track)
    (final,) = stored.finals
    assert final.text == text
    assert (final.start, final.end) == pytest.approx(times, abs=0.4)
    assert len(final.language or "") <= 35


async def test_what_is_apart_in_the_recording_is_apart_in_the_transcript(
    world: World, faults: RecordedFaults, tmp_path: Path
) -> None:
    def one(result: Json) -> Json:
        """Make one utterance of all, as of two sentences between which silence was left out."""
        first, second = result["transcription"]["utterances"]
        first |= {"end": second["end"], "text": first["text"] + second["text"]}
        first["words"] += second["words"]
        result["transcription"]["utterances"] = [first]
        (target,) = result["translation"]["results"]
        target["utterances"][0]["text"] = "bonjour à tous"
        del target["utterances"][1:]
        return result

    faults.change_result(one)
    path = recording(tmp_path, said_at((1.0, "good morning"), (60.0, "all of you")))
    stored = await world.all_of(Track(path), StreamOptions(targets=("fr",)))
    assert [(final.text, round(final.start)) for final in stored.finals] == [
        ("good morning", 1),
        ("all of you", 60),
    ]
    (translation,) = stored.translations
    first = stored.finals[0].utterance
    assert (translation.utterance, translation.text) == (first, "bonjour à tous")


async def test_translations_find_their_lines_by_time(
    world: World, faults: RecordedFaults, tmp_path: Path
) -> None:
    def split(result: Json) -> Json:
        """Cut the second translation in two, add one in a language that nobody asked for."""
        (target,) = result["translation"]["results"]
        second = target["utterances"][1]
        middle = (second["start"] + second["end"]) / 2
        parts = [second | {"end": middle, "text": "vous"}, second | {"start": middle, "text": "x"}]
        target["utterances"][1:] = [*parts, {"text": "", "start": 0, "end": 1}]
        result["translation"]["results"].append(target | {"languages": ["de"]})
        return result

    faults.change_result(split)
    path = recording(tmp_path, said_at((1.0, "good morning"), (3.0, "all of you"), (9.0, "bye")))
    stored = await world.all_of(Track(path), StreamOptions(targets=("fr",)))
    of = {final.utterance: final.text for final in stored.finals}
    assert [(of[one.utterance], one.text, one.language) for one in stored.translations] == [
        ("good morning", "[fr] good morning", "fr"),
        ("all of you", "vous x", "fr"),
    ]
