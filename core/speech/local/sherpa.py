"""Models in the layouts of sherpa-onnx: transducers and CTC, such as GigaAM for Russian."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from core.speech.engine import SAMPLE_RATE
from core.speech.local.catalogue import Kind
from core.speech.local.made_up import SYLLABLES
from core.speech.local.recognizer import Habits, Spoken, samples

_REST = bytes(SAMPLE_RATE)  # half a second of silence, so that the last word is over
# Load a model and have it hear a second of nothing.
_TRIAL = """
import json, sys, sherpa_onnx
way, settings = sys.argv[1:]
recognizer = getattr(sherpa_onnx.OfflineRecognizer, way)(**json.loads(settings))
stream = recognizer.create_stream()
stream.accept_waveform(16_000, [0.0] * 16_000)
recognizer.decode_stream(stream)
"""
_TRIAL_S = 120.0  # a slow disk reads a gigabyte in that time


class Sherpa:
    """A transducer or CTC model, for the thread that makes it.

    `files` are those of its layout, in its order; `languages` are what it knows. Raises what the
    runtime does: ImportError, RuntimeError, OSError, subprocess.SubprocessError.
    """

    def __init__(
        self, kind: Kind, files: Sequence[Path], languages: Collection[str], threads: int
    ) -> None:
        from sherpa_onnx import OfflineRecognizer  # noqa: PLC0415 - only where it is asked for

        way, settings = _way(kind, [str(file) for file in files], threads)
        _try_out(way, settings)
        self._recognizer: Any = getattr(OfflineRecognizer, way)(**settings)
        self.languages = frozenset(languages)

    pace = 2

    @property
    def habits(self) -> Habits:
        """Recognizer."""
        return SYLLABLES

    def hear(self, pcm: bytes, languages: tuple[str, ...], *, final: bool) -> Spoken:
        """Recognizer. It can't choose: it hears what it knows."""
        stream = self._recognizer.create_stream()
        stream.accept_waveform(SAMPLE_RATE, samples(pcm + _REST))
        self._recognizer.decode_stream(stream)
        return Spoken(stream.result.text.strip(), self._language(languages))

    def close(self) -> None:
        """Recognizer."""
        del self._recognizer

    def _language(self, languages: tuple[str, ...]) -> str | None:
        """Return what it is as far as that is known: of several it doesn't find out."""
        known = self.languages.intersection(languages) or self.languages
        return next(iter(known)) if len(known) == 1 else None


def _way(kind: Kind, files: Sequence[str], threads: int) -> tuple[str, dict[str, str | int]]:
    """Return which of the runtime's makers takes such a model, and what it is told."""
    tokens, *parts = files
    shared: dict[str, str | int] = {"tokens": tokens, "num_threads": threads}
    if kind == "ctc":
        return "from_nemo_ctc", {"model": parts[0], **shared}
    names = ("encoder", "decoder", "joiner")
    return "from_transducer", {
        **dict(zip(names, parts, strict=True)),
        "model_type": "nemo_transducer",
        **shared,
    }


def _try_out(way: str, settings: dict[str, str | int]) -> None:
    """Load it in another process first: where a model lacks something, the runtime ends its own.

    Raises RuntimeError with what it says then.
    """
    tried = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", _TRIAL, way, json.dumps(settings)],
        capture_output=True,
        check=False,
        timeout=_TRIAL_S,
        encoding="utf-8",
        errors="replace",
    )
    if tried.returncode:
        said = tried.stderr.strip().rpartition("\n")[2]
        raise RuntimeError(said or f"the runtime ended with {tried.returncode}")
