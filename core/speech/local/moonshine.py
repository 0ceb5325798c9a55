"""The one place that touches the `moonshine-voice` package: a stretch of speech in, its text out.

The package's own streams are not used, for three reasons. All streams of a process share
one voice detector that remembers what it heard, so while one person talks, the noise of
another one's silent microphone is taken for speech and turned into words under the wrong
name. Its calls want Python lists, whose conversion would hold up the event loop. And they
transcribe on a fixed beat, while here the beat has to follow how busy the machine is.
Threshold 0 is the package's documented way to leave its voice detector out.

The model's runtime starts one helper thread per core and part of the model, with no option
against it; while a call runs they mostly spin, so it costs twice the processor time of its own
thread on two cores. Don't try to tame that with priorities or by tying threads to a core: a
helper that is stopped in mid-work holds up its caller, measured at up to 19 s, and a calling
thread of low priority is stopped while it holds the interpreter's lock, and the event loop
with it, measured at up to 9 s.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from core.speech.engine import SAMPLE_RATE
from core.speech.local.made_up import ENGLISH
from core.speech.local.recognizer import Habits, Spoken

_STEP = 512  # the package drops what is left over after whole steps of this many samples
_SHORTEST = SAMPLE_RATE // 4


class Moonshine:
    """The English model that comes with its package; it belongs to the thread that makes it.

    Making one takes about half a second and 50 to 300 MB. Raises ImportError, OSError or
    the package's MoonshineError when the package or its model can't be loaded.
    """

    def __init__(self) -> None:
        from moonshine_voice import (  # noqa: PLC0415 - absent on some platforms, slow to load
            ModelArch,
            Transcriber,
            get_model_path,
        )
        from moonshine_voice.errors import check_error  # noqa: PLC0415
        from moonshine_voice.moonshine_api import TranscriptC  # noqa: PLC0415

        self._check = check_error  # raises the package's error for a code of its library
        self._result_type: Any = ctypes.POINTER(TranscriptC)  # where the library puts its answer
        # The model. Vad threshold 0: see the module's text. Its audio isn't wanted back.
        self._transcriber: Any = Transcriber(
            str(get_model_path("tiny-en")),
            ModelArch.TINY,
            options={"vad_threshold": "0", "return_audio_data": "false"},
        )

    languages = frozenset({"en"})
    pace = 0

    @property
    def habits(self) -> Habits:
        """Recognizer."""
        return ENGLISH

    def hear(self, pcm: bytes, languages: tuple[str, ...], *, final: bool) -> Spoken:
        """Recognizer. It knows English only, whatever is asked for.

        Computes for about 30 ms per second of audio. Raises the package's MoonshineError.
        """
        return Spoken(self._text_of(pcm), "en")

    def _text_of(self, pcm: bytes) -> str:
        audio = _floats(pcm)
        result = self._result_type()
        error = self._transcriber._lib.moonshine_transcribe_without_streaming(
            self._transcriber._handle,
            audio.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            len(audio),
            SAMPLE_RATE,
            0,
            ctypes.byref(result),
        )
        self._check(error)
        # The library's own memory, of which nothing may be kept beyond this call: texts are copied.
        lines = result.contents
        texts = (lines.lines[at].text for at in range(lines.line_count))
        return " ".join(
            ctypes.string_at(text).decode("utf-8", errors="replace") for text in texts if text
        )

    def close(self) -> None:
        """Free the model; call it in the thread that made it."""
        self._transcriber.close()


def _floats(pcm: bytes) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    samples = np.frombuffer(pcm, "<i2")
    size = max(len(samples), _SHORTEST)
    audio = np.zeros(size + -size % _STEP, np.float32)
    np.divide(samples, 32768, out=audio[: len(samples)], dtype=np.float32)
    return audio
