"""Whisper models, by CTranslate2: a hundred languages, of which one is found out or given.

Whisper was made for recordings. Three things make it fit for people who talk: it gets the
stretch alone and two seconds of silence, where its own tools give it half a minute whatever there
is to hear (a fourth of the time); what it repeats in a loop is heard again as it was made to, and
then cut; and the words of films, which it writes into noise, are known (see `voicing`).
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from core.speech.engine import BYTES_PER_SECOND
from core.speech.local.made_up import FILMS
from core.speech.local.mel import spectrum
from core.speech.local.recognizer import Habits, Samples, Spoken, samples

_WHOLE = 3_000  # frames of 10 ms: what the model was trained on
_SHORTEST, _REST = 700, 200  # frames: shorter ones make it repeat itself; silence behind the speech
_BEAM = 5  # ways that are followed to a final; a partial has one. It costs a tenth more
_MOST_TOKENS = 224  # half of what the model can write, as its own tools have it
_TOKENS_PER_SECOND, _TOKENS_BESIDE = 20, 32  # nobody says more; letters of some scripts take three
# As the model's own tools have them: more than this repeats itself; less is believed by nobody.
_LOOPED, _UNBELIEVED, _NO_SPEECH = 2.4, -1.0, 0.6
_LOOP = re.compile(r"(.{2,80}?)(?:\s*\1){2,}")
_ASIDE = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|♪[^♪]*♪?")  # [Music], (applause), *laughs*


class Whisper:
    """A Whisper model in CTranslate2's layout, with 8-bit weights; for the thread that makes it.

    Takes up to a second and 1.1 to 1.9 times the size of its file. Raises what the runtime does:
    ImportError, RuntimeError, OSError, ValueError.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        import ctranslate2  # noqa: PLC0415 - only where it is asked for

        self._array: Any = ctranslate2.StorageView.from_array
        self._model: Any = ctranslate2.models.Whisper(
            str(folder), device="cpu", compute_type="int8", intra_threads=threads
        )
        self._words = _vocabulary(folder)
        # Tokens from here on are marks, none are letters.
        self._marks = self._words.index("<|endoftext|>")
        known = _languages(self._words) if self._model.is_multilingual else ["en"]
        self.languages = frozenset(known)

    pace = 2

    @property
    def habits(self) -> Habits:
        """Recognizer."""
        return FILMS

    def hear(self, pcm: bytes, languages: tuple[str, ...], *, final: bool) -> Spoken:
        """Recognizer. Of languages that it doesn't know, it hears any."""
        audio = samples(pcm)
        beside = _TOKENS_PER_SECOND * len(pcm) // BYTES_PER_SECOND + _TOKENS_BESIDE
        tokens = min(_MOST_TOKENS, beside)
        frames = min(_WHOLE, max(_SHORTEST, len(audio) // 160 + _REST))
        spoken = self._hear(audio, frames, languages, tokens, _BEAM if final else 1)
        if is_looped(spoken.text) and final and frames < _WHOLE:
            spoken = self._hear(audio, _WHOLE, languages, tokens, _BEAM)
        text = _ASIDE.sub(" ", unlooped(spoken.text)).strip()
        return Spoken(text, spoken.language, spoken.certainty, spoken.is_doubtful)

    def close(self) -> None:
        """Recognizer."""
        self._model.unload_model()

    def _hear(
        self, audio: Samples, frames: int, languages: Sequence[str], tokens: int, beam: int
    ) -> Spoken:
        heard = spectrum(audio, self._model.n_mels, frames)
        encoded = self._model.encode(self._array(np.ascontiguousarray(heard[None])))
        language, certainty = self._language(encoded, languages)
        task = [f"<|{language}|>", "<|transcribe|>"]
        prompt = ["<|startoftranscript|>", *(task if self._model.is_multilingual else [])]
        (result,) = self._model.generate(
            encoded,
            [[*prompt, "<|notimestamps|>"]],
            beam_size=beam,
            max_length=tokens + len(prompt) + 1,
            return_scores=True,
            return_no_speech_prob=True,
        )
        believed = result.scores[0] > _UNBELIEVED or result.no_speech_prob < _NO_SPEECH
        return Spoken(self._text(result.sequences_ids[0]), language, certainty, not believed)

    def _language(self, encoded: Any, languages: Sequence[str]) -> tuple[str, float]:
        """Return which of the languages it is, and how certainly (0 to 1) of these."""
        known = [one for one in languages if one in self.languages] or list(self.languages)
        if len(known) == 1:
            return known[0], 1.0
        (found,) = self._model.detect_language(encoded)
        likely = {_code(token): share for token, share in found}
        best = max(known, key=lambda one: likely.get(one, 0.0))
        whole = sum(likely.get(one, 0.0) for one in known)
        return best, likely.get(best, 0.0) / whole if whole else 0.0

    def _text(self, tokens: Sequence[int]) -> str:
        letters = "".join(self._words[one] for one in tokens if one < self._marks)
        return bytes(_bytes()[one] for one in letters).decode("utf-8", errors="ignore").strip()


def is_looped(text: str) -> bool:
    """Whether a text repeats itself more than people do."""
    letters = text.encode()
    return len(letters) > _LOOPED * len(zlib.compress(letters))


def unlooped(text: str) -> str:
    """Return a text in which what is said over and over stands once, if anything is."""
    if not is_looped(text):
        return text
    cut = _LOOP.sub(r"\1", text)
    return "" if is_looped(cut) else cut


def _vocabulary(folder: Path) -> list[str]:
    """Return the model's tokens by number, of either of the two files that models have."""
    file = folder / "vocabulary.json"
    if file.exists():
        words = json.loads(file.read_text("utf-8"))
        if not (isinstance(words, list) and all(isinstance(one, str) for one in words)):
            raise ValueError("vocabulary.json is no list of tokens")
        return words
    return (folder / "vocabulary.txt").read_text("utf-8").split("\n")


def _languages(words: Sequence[str]) -> list[str]:
    """Return the codes of what a model knows: the tokens between the first mark and its tasks."""
    first, last = words.index("<|startoftranscript|>") + 1, words.index("<|translate|>")
    return [_code(word) for word in words[first:last]]


def _code(token: str) -> str:
    return token.removeprefix("<|").removesuffix("|>")


@cache
def _bytes() -> dict[str, int]:
    """Return which byte each letter of a token stands for (GPT-2's table).

    Bytes that are visible in Latin-1 stand for themselves, the others for letters from 256 on.
    """
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {
        chr(256 + place): byte for place, byte in enumerate(hidden)
    }
