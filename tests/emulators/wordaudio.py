"""Sound that says words exactly, for tests that must know which audio reached an engine.

`speak` turns words into bursts of 16 kHz mono PCM16 that a voice detector takes for
speech, and `WordDecoder` turns them back into the same words, so audio that was lost,
doubled, swapped or damaged on its way shows up as wrong text: a word that did not
arrive whole is heard as `DAMAGED`.

One word is a chirp, then one 20 ms symbol per byte: length, the word in UTF-8, CRC-16,
and filler up to the shortest duration. A symbol carries a byte as two tones, one of 16
between 400 and 1900 Hz and one of 16 between 2000 and 3500 Hz.
"""

from __future__ import annotations

import binascii
import io
import random
import wave
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
BYTES_PER_SECOND = SAMPLE_RATE * 2
DAMAGED = "<?>"
GAP = 0.04
MAX_WORD_BYTES = 48

_SYMBOL = 320
_MIN_SYMBOLS = 12
_OVERHEAD = 4  # chirp, length and two bytes of CRC
_LOW_BIN, _HIGH_BIN = 4, 20  # of a 10 ms window: 100 Hz each
_TONE_PEAK = 6_000
_LOUD = 400
_QUIET_RUN = 320
_LOOKBACK = 96
_LONGEST_DAMAGE = SAMPLE_RATE * 2 // 5

Samples = NDArray[np.int16]
Wave = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word found in the audio; `start` and `end` are samples from the beginning."""

    text: str
    start: int
    end: int


def speak(words: str | Iterable[str], *, gap: float = GAP, gain: float = 1.0) -> bytes:
    """Return PCM16 saying `words` (a sentence is split at spaces), `gap` seconds after each.

    A word is any text of 1 to 48 UTF-8 bytes without spaces; up to 12 letters take 240
    to 320 ms. Raises ValueError for anything else.
    """
    pause = silence(gap)
    return b"".join(_word_pcm(word, gain) + pause for word in _split(words))


def silence(seconds: float) -> bytes:
    """Return digital silence, `seconds` long."""
    return bytes(2 * round(seconds * SAMPLE_RATE))


def seconds(pcm: bytes) -> float:
    """Return how long `pcm` lasts."""
    return len(pcm) / BYTES_PER_SECOND


def vocabulary(count: int, *, seed: int = 0) -> list[str]:
    """Return `count` different pronounceable words, always the same for a seed."""
    source = random.Random(seed)
    words: dict[str, None] = {}
    while len(words) < count:
        syllables = source.randint(2, 4)
        word = "".join(
            source.choice("bdfgklmnprstvz") + source.choice("aeiou") for _ in range(syllables)
        )
        words[word] = None
    return list(words)


def decode(pcm: bytes, *, exact: bool = True) -> list[str]:
    """Return the words in a whole recording."""
    decoder = WordDecoder(exact=exact)
    return [word.text for word in decoder.feed(pcm) + decoder.finish()]


def as_wav(pcm: bytes) -> bytes:
    """Wrap PCM16 mono in a WAV file, e.g. as a browser's pretended microphone."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        writer.writeframes(pcm)
    return file.getvalue()


class WordDecoder:
    """Finds words in a stream of PCM16 that comes in pieces of any size.

    `exact` also compares each symbol with what was sent, which reveals a single missing
    sample; without it, sound that went through a resampler or a codec is understood too.
    """

    def __init__(self, *, exact: bool = True) -> None:
        self._exact = exact
        self._buffer: Samples = np.zeros(0, dtype="<i2")
        self._odd = b""
        self._offset = 0
        self._damage_from: int | None = None
        self._last_loud = 0

    @property
    def position(self) -> int:
        """Samples fed so far."""
        return self._offset + len(self._buffer)

    @property
    def last_loud(self) -> int:
        """The sample after the last one that was not quiet, as far as decided."""
        return self._last_loud

    @property
    def undecided_from(self) -> int | None:
        """Where the sound begins that is not yet a word, or None in silence."""
        if self._damage_from is not None:
            return self._damage_from
        loud = _loud(self._buffer)
        return self._offset + int(loud[0]) if len(loud) else None

    def feed(self, pcm: bytes) -> list[HeardWord]:
        """Take the next audio and return the words that are now complete."""
        pcm = self._odd + pcm
        whole = len(pcm) & ~1
        self._odd = pcm[whole:]
        self._buffer = np.concatenate([self._buffer, np.frombuffer(pcm[:whole], dtype="<i2")])
        return self._advance(last=False)

    def finish(self) -> list[HeardWord]:
        """Return what is left when no more audio comes."""
        return self._advance(last=True)

    def _advance(self, *, last: bool) -> list[HeardWord]:
        heard: list[HeardWord] = []
        while self._skip_silence():
            step = self._damage(last) if self._damage_from is not None else self._word(last)
            if step is None:
                break
            heard.extend(step)
        return heard

    def _skip_silence(self) -> bool:
        if self._damage_from is not None:
            return len(self._buffer) > 0
        loud = _loud(self._buffer)
        sound = int(loud[0]) if len(loud) else len(self._buffer)
        # A word fades in: its first samples are quiet and must stay in reach.
        self._drop(max(0, sound - _LOOKBACK))
        return len(loud) > 0

    def _word(self, last: bool) -> list[HeardWord] | None:
        """Decode the word at the front; None when more audio is needed."""
        if len(self._buffer) < _LOOKBACK + 2 * _SYMBOL and not last:
            return None
        start = self._sync(self._buffer[: 2 * _LOOKBACK + _SYMBOL])
        if start is None:
            return self._begin_damage()
        self._drop(start)
        length = self._length()
        size = _symbols(length) * _SYMBOL if length else 2 * _SYMBOL
        if len(self._buffer) < size:
            return self._begin_damage() if last else None
        text = _understand(self._buffer[:size], length, self._exact) if length else None
        if text is None:
            return self._begin_damage()
        word = HeardWord(text, self._offset, self._offset + size)
        self._drop(size)
        self._last_loud = word.end
        return [word]

    def _length(self) -> int:
        """Read the length symbol; 0 when it is not there yet or makes no sense."""
        if len(self._buffer) < 2 * _SYMBOL:
            return 0
        length = int(_bytes_of(self._buffer[_SYMBOL : 2 * _SYMBOL])[0])
        return length if length <= MAX_WORD_BYTES else 0

    def _begin_damage(self) -> list[HeardWord]:
        self._damage_from = self._offset + int(_loud(self._buffer)[0])
        return []

    def _damage(self, last: bool) -> list[HeardWord] | None:
        """Skip to the silence or the word behind damaged sound; None: more is needed."""
        begin = self._damage_from
        assert begin is not None
        here = begin - self._offset
        loud = _loud(self._buffer[here:]) + here
        breaks = np.flatnonzero(np.diff(np.append(loud, len(self._buffer))) > _QUIET_RUN)
        end = int(loud[breaks[0]]) + 1 if len(breaks) else None
        searched = self._buffer[here + 1 : end]
        next_word = self._sync(searched, first=True) if len(searched) > _SYMBOL else None
        if next_word is not None:
            end = here + 1 + next_word
        longest = here + _LONGEST_DAMAGE
        if end is None and not last and len(self._buffer) < longest:
            return None
        end = min(len(self._buffer) if end is None else end, longest)
        word = HeardWord(DAMAGED, begin, self._offset + end)
        self._drop(end)
        self._damage_from = None
        self._last_loud = word.end
        return [word]

    def _sync(self, samples: Samples, *, first: bool = False) -> int | None:
        """Return where a chirp begins: the best place, or the first good one."""
        if len(samples) < _SYMBOL:
            return None
        signal = samples.astype(np.float64)
        chirp = _chirp()
        match = np.correlate(signal, chirp, "valid")
        energy = np.convolve(signal**2, np.ones(_SYMBOL), "valid")
        score = match / np.sqrt(np.maximum(energy, 1.0) * float(np.sum(chirp**2)))
        good = np.flatnonzero(score > (0.97 if self._exact else 0.6))
        if not len(good):
            return None
        if not first:
            return int(np.argmax(score))
        near = good[good < good[0] + _SYMBOL]
        return int(near[np.argmax(score[near])])

    def _drop(self, count: int) -> None:
        self._buffer = self._buffer[count:]
        self._offset += count


def _loud(samples: Samples) -> NDArray[np.intp]:
    return np.flatnonzero(np.abs(samples.astype(np.int32)) > _LOUD)


def _split(words: str | Iterable[str]) -> list[str]:
    return words.split() if isinstance(words, str) else list(words)


def _symbols(length: int) -> int:
    return max(_MIN_SYMBOLS, length + _OVERHEAD)


@lru_cache(maxsize=4096)
def _word_pcm(word: str, gain: float) -> bytes:
    return (_word_wave(word) * gain).round().clip(-32768, 32767).astype("<i2").tobytes()


@lru_cache(maxsize=4096)
def _word_wave(word: str) -> Wave:
    payload = word.encode()
    if not 1 <= len(payload) <= MAX_WORD_BYTES or word.split() != [word]:
        raise ValueError(f"a word has 1 to {MAX_WORD_BYTES} bytes and no spaces: {word!r}")
    check = binascii.crc_hqx(payload, len(payload)).to_bytes(2, "big")
    data = bytes([len(payload)]) + payload + check
    # Filler differs from its neighbours, so a repeated or missing piece of it is noticed.
    filler = bytes(
        (check[1] + 37 * i) & 0xFF for i in range(_symbols(len(payload)) - len(data) - 1)
    )
    return np.concatenate([_chirp(), *(_symbol(byte) for byte in data + filler)])


@lru_cache(maxsize=1)
def _envelope() -> Wave:
    shape = np.ones(_SYMBOL)
    ramp = np.hanning(64)
    shape[:32], shape[-32:] = ramp[:32], ramp[32:]
    return shape


@lru_cache(maxsize=1)
def _chirp() -> Wave:
    time = np.arange(_SYMBOL) / SAMPLE_RATE
    sweep = 300 * time + (3600 - 300) / (2 * _SYMBOL / SAMPLE_RATE) * time**2
    return np.asarray(2 * _TONE_PEAK * _envelope() * np.sin(2 * np.pi * sweep), dtype=np.float64)


@lru_cache(maxsize=256)
def _symbol(byte: int) -> Wave:
    time = np.arange(_SYMBOL) / SAMPLE_RATE
    low, high = 100 * (_LOW_BIN + (byte >> 4)), 100 * (_HIGH_BIN + (byte & 15))
    tones = np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time)
    return np.asarray(_TONE_PEAK * _envelope() * tones, dtype=np.float64)


def _bytes_of(samples: Samples) -> NDArray[np.uint8]:
    """Read whole symbols; only their middle half counts, away from both neighbours."""
    middle = samples.reshape(-1, _SYMBOL)[:, 80:240]
    spectrum = np.abs(np.fft.rfft(middle, axis=1))
    low = spectrum[:, _LOW_BIN : _LOW_BIN + 16].argmax(axis=1)
    high = spectrum[:, _HIGH_BIN : _HIGH_BIN + 16].argmax(axis=1)
    return np.asarray(low * 16 + high, dtype=np.uint8)


def _understand(samples: Samples, length: int, exact: bool) -> str | None:
    data = _bytes_of(samples[_SYMBOL:]).tobytes()
    payload, check = data[1 : 1 + length], data[1 + length : 3 + length]
    if binascii.crc_hqx(payload, length).to_bytes(2, "big") != check:
        return None
    try:
        word = payload.decode()
        sent = _word_wave(word)
    except ValueError:
        return None
    return word if not exact or _same(samples, sent) else None


def _same(samples: Samples, sent: Wave) -> bool:
    got = samples.astype(np.float64).reshape(-1, _SYMBOL)
    want = sent.reshape(-1, _SYMBOL)
    power = np.sqrt((got**2).sum(axis=1) * (want**2).sum(axis=1))
    likeness = (got * want).sum(axis=1) / np.maximum(power, 1.0)
    return bool(likeness.min() > 0.97)
