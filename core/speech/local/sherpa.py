"""Models in the layouts of sherpa-onnx: transducers and CTC, such as GigaAM for Russian."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal

from core.speech.engine import SAMPLE_RATE
from core.speech.local.made_up import SYLLABLES
from core.speech.local.recognizer import Habits, Spoken, samples

_REST = bytes(SAMPLE_RATE)  # half a second of silence, so that the last word is over


class Sherpa:
    """A transducer or CTC model, for the thread that makes it.

    `files` are those of its layout, in its order. Raises what the runtime does: ImportError,
    RuntimeError, OSError.
    """

    def __init__(
        self,
        kind: Literal["transducer", "ctc"] | str,
        files: Sequence[Path],
        languages: Collection[str],
        threads: int,
    ) -> None:
        from sherpa_onnx import OfflineRecognizer  # noqa: PLC0415 - only where it is asked for

        tokens, *parts = map(str, files)
        self.languages = frozenset(languages)
        self._recognizer: Any
        if kind == "ctc":
            self._recognizer = OfflineRecognizer.from_nemo_ctc(
                model=parts[0], tokens=tokens, num_threads=threads
            )
        else:
            encoder, decoder, joiner = parts
            self._recognizer = OfflineRecognizer.from_transducer(
                encoder=encoder,
                decoder=decoder,
                joiner=joiner,
                tokens=tokens,
                num_threads=threads,
                model_type="nemo_transducer",
            )

    @property
    def habits(self) -> Habits:
        """Recognizer."""
        return SYLLABLES

    def hear(self, pcm: bytes, languages: tuple[str, ...], *, final: bool) -> Spoken:
        """Recognizer. It can't choose: it hears the language that it knows."""
        stream = self._recognizer.create_stream()
        stream.accept_waveform(SAMPLE_RATE, samples(pcm + _REST))
        self._recognizer.decode_stream(stream)
        return Spoken(stream.result.text.strip(), self._language(languages))

    def _language(self, languages: tuple[str, ...]) -> str | None:
        """Return what it is as far as that is known: of several it doesn't find out."""
        known = self.languages.intersection(languages) or self.languages
        return next(iter(known)) if len(known) == 1 else None

    def close(self) -> None:
        """Recognizer."""
        del self._recognizer
