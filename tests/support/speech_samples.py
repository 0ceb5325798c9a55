"""Real speech for tests: recordings that the local engine's package carries, and their words."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import shutil
import subprocess
import wave
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from core.speech.engine import BYTES_PER_SAMPLE, BYTES_PER_SECOND, SAMPLE_RATE

TWO_CITIES = """
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of
foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season of
Light, it was the season of Darkness, it was the spring of hope, it was the winter of despair, we
had everything before us, we had nothing before us, we were all going direct to Heaven, we were
all going direct the other way: in short, the period was so far like the present period, that some
of its noisiest authorities insisted on its being received, for good or for evil, in the
superlative degree of comparison only.
"""
OPENING = TWO_CITIES[: TWO_CITIES.index("it was the season of Darkness")]
BECKETT = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."
# What espeak-ng says in Russian, so that even a small model understands its machine's voice.
RUSSIAN = "Добрый день. Меня зовут Анна. Я живу в Москве и работаю в школе. Сегодня хорошая погода."
_CUTOFF = 0.46 * SAMPLE_RATE
_HALF_TAPS = 240


@cache
def two_cities() -> bytes:
    """Return 44 s of one man reading `TWO_CITIES`, as 16 kHz mono PCM16."""
    return _speech("two_cities.wav")


def opening() -> bytes:
    """Return its first 15 s, up to a pause: `OPENING`, which is enough for most tests."""
    return two_cities()[: 15 * BYTES_PER_SECOND]


@cache
def beckett() -> bytes:
    """Return 10 s of another man saying `BECKETT`, as 16 kHz mono PCM16."""
    return _speech("beckett.wav")


@cache
def russian() -> bytes:
    """Return 9 s of espeak-ng saying `RUSSIAN`. Skips where it isn't installed, but in CI."""
    program = shutil.which("espeak-ng")
    if program is None and not os.environ.get("CI"):
        pytest.skip("espeak-ng isn't installed")
    assert program is not None, "espeak-ng isn't installed"
    command = (program, "-v", "ru+m3", "-s", "120", "-g", "3", "--stdout", RUSSIAN)
    made = subprocess.run(command, capture_output=True, check=True).stdout
    rate = int.from_bytes(made[24:28], "little")
    at = made.index(b"data") + 8  # what is piped has no true length in its header
    said = np.frombuffer(made[at : len(made) - (len(made) - at) % 2], "<i2")
    size = len(said) * SAMPLE_RATE // rate
    spectrum = np.fft.rfft(said)[: size // 2 + 1]
    resampled = np.fft.irfft(spectrum, size) * size / len(said)
    return np.clip(np.rint(resampled), -32_768, 32_767).astype("<i2").tobytes()


def wav_bytes(pcm: bytes, rate: int = SAMPLE_RATE) -> bytes:
    """Wrap mono PCM16 in a WAV file, as Chromium's fake microphone wants it."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(BYTES_PER_SAMPLE)
        out.setframerate(rate)
        out.writeframes(pcm)
    return file.getvalue()


def words(text: str) -> list[str]:
    """Return the words of a text without case and punctuation."""
    return re.findall(r"[a-zа-я0-9']+", text.lower().replace("’", "'").replace("ё", "е"))


def words_in_order(reference: str, heard: str) -> float:
    """Return the share of the reference's words that were heard, in its order (0 to 1)."""
    wanted, got = words(reference), words(heard)
    best = [0] * (len(got) + 1)
    for word in wanted:
        diagonal = 0
        for column, other in enumerate(got, start=1):
            above = best[column]
            best[column] = diagonal + 1 if word == other else max(above, best[column - 1])
            diagonal = above
    return best[-1] / len(wanted)


def _speech(name: str) -> bytes:
    package = importlib.util.find_spec("moonshine_voice")
    assert package is not None, "moonshine-voice is not installed"
    assert package.origin is not None
    with wave.open(str(Path(package.origin).parent / "assets" / name), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, BYTES_PER_SAMPLE)
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
    resampled = samples if rate == SAMPLE_RATE else _to_16k(samples, rate)
    return np.clip(np.rint(resampled), -32768, 32767).astype("<i2").tobytes()


def _to_16k(samples: npt.NDArray[np.float64], rate: int) -> npt.NDArray[np.float64]:
    assert rate % SAMPLE_RATE == 0, "only whole multiples of 16 kHz can be decimated"
    taps = np.arange(-_HALF_TAPS, _HALF_TAPS + 1)
    low_pass = np.sinc(2 * _CUTOFF / rate * taps) * np.blackman(len(taps))
    low_pass /= low_pass.sum()
    return np.convolve(samples, low_pass, mode="same")[:: rate // SAMPLE_RATE]
