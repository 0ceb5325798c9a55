"""The spectrum that Whisper listens to: how loud each band of a mel scale is, every 10 ms."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from core.speech.engine import SAMPLE_RATE
from core.speech.local.recognizer import Samples

HOP = SAMPLE_RATE // 100  # samples from one frame to the next
_WIDTH = 400  # samples of a frame, 25 ms
_FLOOR, _RANGE = 1e-10, 8.0  # what counts as silence; decades below the loudest that are kept
_LINEAR_TO, _LINEAR_STEP = 1000.0, 200 / 3  # Slaney's mel scale: Hz up to there, then by ratio
_RATIO = np.log(6.4) / 27


def spectrum(audio: Samples, bands: int, frames: int) -> npt.NDArray[np.float32]:
    """Return `bands` × `frames` numbers for 10 ms each; what is missing at the end is silence."""
    heard = np.zeros(frames * HOP, np.float32)
    heard[: len(audio)] = audio[: len(heard)]
    edged = np.pad(heard, _WIDTH // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(edged, _WIDTH)[::HOP][:frames]
    power = np.abs(np.fft.rfft(windows * _window(), axis=1)) ** 2
    loudness = np.log10(np.maximum(_bands(bands) @ power.T, _FLOOR))
    loudness = np.maximum(loudness, loudness.max() - _RANGE)
    return np.asarray((loudness + 4) / 4, np.float32)


@cache
def _window() -> npt.NDArray[np.float64]:
    return np.hanning(_WIDTH + 1)[:-1]


@cache
def _bands(count: int) -> npt.NDArray[np.float64]:
    """Return how much of each frequency each band hears: triangles of the same area."""
    top = _to_mel(SAMPLE_RATE / 2)
    edges = np.array([_to_hertz(mel) for mel in np.linspace(0, top, count + 2)])
    apart = edges[:, None] - np.fft.rfftfreq(_WIDTH, 1 / SAMPLE_RATE)
    rising = -apart[:-2] / np.diff(edges)[:-1, None]
    falling = apart[2:] / np.diff(edges)[1:, None]
    weights = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(weights * (2 / (edges[2:] - edges[:-2]))[:, None])


def _to_mel(hertz: float) -> float:
    if hertz < _LINEAR_TO:
        return hertz / _LINEAR_STEP
    return float(_LINEAR_TO / _LINEAR_STEP + np.log(hertz / _LINEAR_TO) / _RATIO)


def _to_hertz(mel: float) -> float:
    bend = _LINEAR_TO / _LINEAR_STEP
    if mel < bend:
        return mel * _LINEAR_STEP
    return float(_LINEAR_TO * np.exp(_RATIO * (mel - bend)))
