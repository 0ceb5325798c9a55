"""What every model of the local engine looks like to it: a stretch of speech in, its text out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a model heard in a stretch: its text, and the ISO 639-1 code of its language.

    `certainty` is that of the language (0 to 1). `is_doubtful`: the model itself takes it for
    something else than speech.
    """

    text: str
    language: str | None
    certainty: float = 1.0
    is_doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Habits:
    """What a model writes where nobody speaks. Patterns are of lower-case words without marks."""

    made_up: re.Pattern[str]  # words that people say as well: a voice must be there for each
    never_said: re.Pattern[str] | None = None  # what only a film's subtitles end with
    is_latin: bool = False  # whether letters of other scripts come from noise alone


class Recognizer(Protocol):
    """One loaded model; it belongs to the thread that makes it."""

    @property
    def languages(self) -> frozenset[str]:
        """Return the ISO 639-1 codes of what the model knows."""

    @property
    def pace(self) -> int:
        """Return how many times as much must be said between two updates as one takes to compute.

        With 2, what is shown before it is final takes a third of the time at most, however slow
        the model; 0 for one that is quick in any case.
        """

    @property
    def habits(self) -> Habits:
        """Return what the model is known to make up."""

    def hear(self, pcm: bytes, languages: tuple[str, ...], *, final: bool) -> Spoken:
        """Return what is said in 16 kHz mono PCM16 of at most 15 s.

        `languages` are those that it may be, as far as the model knows them: none for any. A text
        that isn't final may cost less and be worse. Computes without holding the interpreter's
        lock. What it raises is told to people as it is.
        """

    def close(self) -> None:
        """Free the model; call it in the thread that made it."""


def samples(pcm: bytes) -> Samples:
    """Return PCM16 as numbers from -1 to 1."""
    return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32_768)
