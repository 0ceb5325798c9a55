"""What is said in a file, as Gladia's result has it: on the track's clock, within bounds. No I/O.

Shapes are those of Gladia's SDK 2.2.0 (docs.gladia.io/api-reference/v2/pre-recorded/get). Times are
seconds of the file, from which silence was left out.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from itertools import groupby

import msgspec

from core.speech.engine import SAMPLE_RATE, Recognition, Translation
from core.speech.gladia.cuts import Clock, Cut
from core.speech.gladia.protocol import UNDECODABLE
from core.speech.gladia.results import MAX_LANGUAGE, MAX_TEXT
from core.text import without_controls

MAX_UTTERANCES = 20_000  # of an hour; more is no speech
NEAR = 3  # finals around a translation's time that may be what it is of


class GarbageError(Exception):
    """A result that is none."""


class _Word(msgspec.Struct):
    word: str
    start: float
    end: float


class _Utterance(msgspec.Struct):
    text: str
    start: float
    end: float
    language: str | None = None
    words: list[_Word] | None = None


class _Transcription(msgspec.Struct):
    utterances: list[_Utterance]


class _Translated(msgspec.Struct):
    languages: list[str] = []
    utterances: list[_Utterance] = []


class _Translations(msgspec.Struct):
    results: list[_Translated] | None = None


class _Result(msgspec.Struct):
    transcription: _Transcription
    translation: _Translations | None = None


class _Job(msgspec.Struct):
    result: _Result


def parse(
    answer: bytes, cut: Cut, targets: Iterable[str]
) -> tuple[tuple[Recognition, ...], tuple[Translation, ...]]:
    """Return finals and translations of a job that is done. Raises GarbageError.

    Of the same answer they have the same ids, whenever they are had.
    """
    try:
        result = msgspec.json.decode(answer, type=_Job).result
    except UNDECODABLE:
        raise GarbageError from None
    said = result.transcription.utterances
    translated = (result.translation and result.translation.results) or []
    if max((len(said), *(len(one.utterances) for one in translated))) > MAX_UTTERANCES:
        raise GarbageError
    finals, firsts = _finals(said, cut)
    translations = _translations(translated, finals, firsts, Clock(cut), frozenset(targets))
    return tuple(finals), tuple(translations)


def _finals(said: list[_Utterance], cut: Cut) -> tuple[list[Recognition], list[str | None]]:
    """Return the finals, in order, and of each utterance the id of its first; None: no words."""
    clock = Clock(cut)
    finals: list[Recognition] = []
    firsts: list[str | None] = []
    for number, utterance in enumerate(said):
        first = None
        for part, (words, start, end) in enumerate(_within_stretches(utterance, clock)):
            text = without_controls(words, MAX_TEXT).strip()
            if not text:
                continue
            # From where in the track, and which there: no other part of the track has the same.
            id_ = f"{cut.start * 1000 // SAMPLE_RATE}-{number}" + (f"-{part}" if part else "")
            language = utterance.language and without_controls(utterance.language, MAX_LANGUAGE)
            finals.append(Recognition(id_, text, start, end, final=True, language=language))
            first = first or id_
        firsts.append(first)
    finals.sort(key=lambda final: (final.start, final.end))
    return finals, firsts


def _within_stretches(utterance: _Utterance, clock: Clock) -> list[tuple[str, float, float]]:
    """Return an utterance on the track's clock, cut where silence was left out of the middle.

    Two sentences with a minute between them are next to each other in the file.
    """
    start, end = utterance.start, max(utterance.start, utterance.end)
    first = clock.stretch_at(start)
    # An end exactly where the next stretch begins belongs to the one before it.
    last = max(first, clock.stretch_at(end - 0.001))
    if first == last or not utterance.words:
        return [(utterance.text, clock.seconds(start, first), clock.seconds(end, first))]
    # Words bring their spaces, or there are none in the language.
    as_is = " " not in utterance.text.strip() or any(one.word[:1] == " " for one in utterance.words)

    def stretch_of(word: _Word) -> int:
        return min(max(first, clock.stretch_at((word.start + word.end) / 2)), last)

    parts = []
    for stretch, words in groupby(utterance.words, stretch_of):
        several = list(words)
        text = ("" if as_is else " ").join(one.word for one in several)
        begin = clock.seconds(min(one.start for one in several), stretch)
        until = clock.seconds(max(one.end for one in several), stretch)
        parts.append((text, begin, max(begin, until)))
    return parts


def _translations(
    translated: list[_Translated],
    finals: list[Recognition],
    firsts: list[str | None],
    clock: Clock,
    targets: frozenset[str],
) -> list[Translation]:
    """Return the translations of finals; what is of none is passed over."""
    texts: dict[tuple[str, str], list[str]] = {}
    starts = [final.start for final in finals]
    for one in translated:
        language = next(iter(one.languages), "")
        if language not in targets:
            continue
        in_step = len(one.utterances) == len(firsts)
        for number, utterance in enumerate(one.utterances):
            text = without_controls(utterance.text, MAX_TEXT).strip()
            id_ = firsts[number] if in_step else _of(utterance, finals, starts, clock)
            if text and id_ is not None:
                texts.setdefault((id_, language), []).append(text)
    return [
        Translation(id_, language, " ".join(parts)[:MAX_TEXT])
        for (id_, language), parts in texts.items()
    ]


def _of(
    utterance: _Utterance, finals: list[Recognition], starts: list[float], clock: Clock
) -> str | None:
    """Return the final of which a translation has most of the time."""
    stretch = clock.stretch_at(utterance.start)
    start, end = (clock.seconds(at, stretch) for at in (utterance.start, utterance.end))
    at = bisect.bisect_right(starts, start)
    near = finals[max(0, at - NEAR) : at + NEAR]

    def shared(final: Recognition) -> tuple[float, float]:
        return min(end, final.end) - max(start, final.start), -abs(final.start - start)

    return max(near, key=shared).utterance if near else None
