"""What the local engine makes of noises and of difficult voices: `python -m benchmarks.noises`.

Noises are made here, with a fixed seed: one minute each, through the engine's own streams. It
prints how many false finals and partials a minute of each brings; for each voice how much of
what is said comes out, in its order; and the processor time of both. Voices are the recordings
that the engine's package carries, also quiet, far away, whispered and with noise around them, and
the programs espeak-ng and flite where this machine has them.

Names of noises and voices, or parts of them, choose some. Another checkout's engine is measured
with `PYTHONPATH=FOLDER python benchmarks/noises.py`: for that, all of it is in one file.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from core.speech.engine import (
    BYTES_PER_SECOND,
    SAMPLE_RATE,
    Recognition,
    StreamOptions,
    Translation,
)
from core.speech.local.engine import LocalEngine, local_engine_available
from core.speech.reasons import Reason
from tests.support.speech_samples import BECKETT, TWO_CITIES, beckett, two_cities, words_in_order

SECONDS = 60
FULL = 32_767.0
SENTENCE = "Good morning. I think we should move the meeting to Thursday, because Anna is away."
TWO_CITIES_BEGINNING = TWO_CITIES[: TWO_CITIES.index(", we\nhad everything")]
# Words that the model also makes up: said by somebody, they must come through.
SHORT = ("Yes.", "You.", "Thank you.", "Bye.", "Okay.", "No, thank you.", "Thank you for watching.")

Samples = npt.NDArray[np.float64]  # -1 to 1 at 16 kHz
Random = np.random.Generator


# Building blocks


def seconds_of(duration: float) -> Samples:
    """Return the time of each sample of `duration` seconds."""
    return np.arange(int(duration * SAMPLE_RATE)) / SAMPLE_RATE


def coloured(random: Random, duration: float, low: float, high: float, slope: float = 0) -> Samples:
    """Return noise from `low` to `high` Hz that falls with frequency to the power `slope`."""
    size = int(duration * SAMPLE_RATE)
    spectrum = np.fft.rfft(random.normal(size=size))
    pitch = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 1)
    edge = 1 / (1 + (low / pitch) ** 6) / (1 + (pitch / high) ** 6)
    sound = np.fft.irfft(spectrum * edge * pitch**-slope, size)
    return np.asarray(sound / np.abs(sound).max())


def tone(pitch: float, duration: float, partials: tuple[float, ...] = (1.0,)) -> Samples:
    """Return a tone with the given loudness of each of its harmonics."""
    time_ = seconds_of(duration)
    waves = (
        loud * np.sin(2 * np.pi * pitch * (at + 1) * time_) for at, loud in enumerate(partials)
    )
    sound: Samples = np.sum([*waves], axis=0)
    return sound / sum(partials)


def fading(duration: float, half: float) -> Samples:
    """Return a fall from 1 that halves every `half` seconds, after 2 ms of rise."""
    time_ = seconds_of(duration)
    return np.minimum(1, time_ / 0.002) * 0.5 ** (time_ / half)


def swelling(duration: float) -> Samples:
    """Return a rise and fall."""
    return np.hanning(int(duration * SAMPLE_RATE))


def placed(duration: float, events: Iterator[tuple[float, Samples]]) -> Samples:
    """Return `duration` seconds with each sound added at its second, until one is past the end."""
    out = np.zeros(int(duration * SAMPLE_RATE))
    for at, sound in events:
        start = int(at * SAMPLE_RATE)
        if start >= len(out):
            break
        out[start : start + len(sound)] += sound[: len(out) - start]
    return out


def spaced(
    make: Callable[[], Samples], gap: Callable[[], float], first: float = 0.3
) -> Iterator[tuple[float, Samples]]:
    """Yield sounds with a gap between their beginnings, for ever."""
    at = first
    while True:
        yield at, make()
        at += gap()


# Noises: each gives a minute, or whatever was asked for


def key(random: Random, brightness: float, thump: float) -> Samples:
    """One key: the click of its way down, the thump of its bottom, the click of its way up."""
    held = random.uniform(0.05, 0.12)
    click = coloured(random, 0.03, 1_200, 3_500 * brightness) * fading(0.03, 0.004)
    bottom = coloured(random, 0.06, 90, 500) * fading(0.06, 0.012) * thump
    up = coloured(random, 0.02, 1_800, 4_500 * brightness) * fading(0.02, 0.003) * 0.5
    sound = np.zeros(int(0.25 * SAMPLE_RATE))
    for at, part in ((0.0, click), (0.004, bottom), (held, up)):
        start = int(at * SAMPLE_RATE)
        sound[start : start + len(part)] += part
    return sound * random.uniform(0.5, 1)


def typing(brightness: float, thump: float, pace: float) -> Callable[[Random, float], Samples]:
    """Return a typist: words of some keys, `pace` seconds each, and pauses for thought."""

    def made(random: Random, duration: float) -> Samples:
        def gap() -> float:
            if random.random() < 0.04:
                return float(random.uniform(0.6, 2.5))
            return float(pace * random.lognormal(0, 0.35))

        keys = spaced(lambda: key(random, brightness, thump), gap)
        return placed(duration, keys) * 0.35

    return made


def clicks(random: Random, duration: float) -> Samples:
    """A mouse: two clicks, some time apart."""

    def click() -> Samples:
        one = coloured(random, 0.02, 1_500, 6_000) * fading(0.02, 0.002)
        return np.concatenate([one, np.zeros(int(0.09 * SAMPLE_RATE)), one * 0.6])

    return placed(duration, spaced(click, lambda: random.choice([0.2, 0.5, 1.4, 3.0]))) * 0.3


def marimba(random: Random, duration: float) -> Samples:
    """A phone's marimba, a phrase again and again."""
    phrase = [(random.choice([0, 3, 5, 7, 10, 12, 15]), random.choice([1, 1, 2])) for _ in range(9)]

    def bar(step: int) -> Samples:
        pitch = 392 * 2 ** (step / 12)
        sound = tone(pitch, 0.5) * fading(0.5, 0.07)
        for ratio, loud, half in ((3.93, 0.3, 0.03), (9.2, 0.12, 0.012)):
            sound += loud * tone(pitch * ratio, 0.5) * fading(0.5, half)
        return sound

    def notes() -> Iterator[tuple[float, Samples]]:
        at = 0.3
        while True:
            for step, beats in phrase:
                yield at, bar(step)
                at += 0.14 * beats
            at += random.choice([0.3, 1.0])

    return placed(duration, notes()) * 0.3


def two_tone(random: Random, duration: float) -> Samples:
    """A desk phone: two tones that take turns 12 times a second, 1.2 s on, 1.8 s off."""

    def ring() -> Samples:
        turns = [tone(pitch, 0.042, (1, 0.4, 0.3)) for pitch in (880, 1_110)] * 14
        return np.concatenate(turns)

    return placed(duration, spaced(ring, lambda: 3.0)) * random.uniform(0.2, 0.3)


def old_bell(random: Random, duration: float) -> Samples:
    """The American ring-back tone: 440 and 480 Hz, 2 s on, 4 s off."""

    def ring() -> Samples:
        return tone(440, 2.0) + tone(480, 2.0)

    return placed(duration, spaced(ring, lambda: 6.0)) * random.uniform(0.1, 0.2)


def melody(random: Random, duration: float) -> Samples:
    """A ring tone with a tune in a reedy tone with vibrato, over a bass."""
    scale = (0, 2, 4, 5, 7, 9, 11, 12, 14, 16)

    def note() -> Samples:
        length = float(random.choice([0.18, 0.36, 0.54]))
        pitch = 523 * 2 ** (random.choice(scale) / 12)
        time_ = seconds_of(length)
        phase = 2 * np.pi * pitch * time_ + 0.5 * np.sin(2 * np.pi * 6 * time_)
        reed = sum(np.sin(part * phase) / part for part in (1, 2, 3, 4, 5))
        bass = tone(pitch / 4, length, (1, 0.5, 0.2)) * 0.6
        return (np.asarray(reed) * 0.5 + bass) * np.minimum(1, (length - time_) / 0.03)

    return placed(duration, spaced(note, lambda: random.choice([0.18, 0.36, 0.54]))) * 0.25


def fake_microphone(every: float) -> Callable[[Random, float], Samples]:
    """Return Chromium's fake microphone: a square wave of 400 Hz, as its processing leaves it."""

    def made(random: Random, duration: float) -> Samples:
        time_ = seconds_of(0.09)
        sagging = 0.5 ** ((time_ * 800 % 1) * 1.5)
        beep = np.sign(tone(400, 0.09) + 1e-9) * sagging * fading(0.09, 0.03)
        return placed(duration, spaced(lambda: beep, lambda: every)) * 0.9

    return made


def beeps(random: Random, duration: float) -> Samples:
    """Machines: microwave, till, truck, one after the other."""

    def beep() -> Samples:
        length = float(random.choice([0.08, 0.15, 0.4, 1.0]))
        sound = tone(float(random.choice([660, 1_000, 2_000, 3_100])), length, (1, 0.3, 0.2))
        return sound * np.minimum(1, (length - seconds_of(length)) / 0.01)

    return placed(duration, spaced(beep, lambda: random.choice([0.3, 0.6, 1.5]))) * 0.3


def breath(random: Random, duration: float) -> Samples:
    """Breathing close to the microphone: in through the nose, out into it."""

    def one() -> Samples:
        inwards = coloured(random, 1.0, 700, 5_000, 0.5) * swelling(1.0) * 0.5
        outwards = coloured(random, 1.3, 120, 2_500, 1) * swelling(1.3)
        return np.concatenate([inwards, np.zeros(4_000), outwards])

    return placed(duration, spaced(one, lambda: random.uniform(3, 4.5))) * 0.3


def coughs(random: Random, duration: float) -> Samples:
    """Coughs: a burst, a rough middle with some voice in it, and a close."""

    def one() -> Samples:
        burst = coloured(random, 0.06, 300, 5_000) * fading(0.06, 0.03)
        time_ = seconds_of(0.22)
        pitch = random.uniform(140, 320)
        rough = np.sign(np.sin(2 * np.pi * pitch * time_ + 3 * random.normal(size=len(time_))))
        middle = (coloured(random, 0.22, 300, 3_000) + 0.15 * rough) * fading(0.22, 0.07)
        close = coloured(random, 0.12, 200, 1_800) * swelling(0.12) * 0.4
        return np.concatenate([burst, middle, close])

    return placed(duration, spaced(one, lambda: random.choice([0.45, 0.6, 4.0]))) * 0.5


def knocks(random: Random, duration: float) -> Samples:
    """Knuckles on a door."""

    def one() -> Samples:
        modes = [
            random.uniform(0.3, 1)
            * tone(pitch * random.uniform(0.97, 1.03), 0.25)
            * fading(0.25, h)
            for pitch, h in ((95, 0.05), (170, 0.04), (310, 0.02), (620, 0.01), (1_300, 0.004))
        ]
        return np.asarray(np.sum(modes, axis=0))

    return placed(duration, spaced(one, lambda: random.choice([0.22, 0.25, 0.28, 3.0]))) * 0.25


def rustle(random: Random, duration: float) -> Samples:
    """Paper and clothes on the microphone."""

    def one() -> Samples:
        length = random.uniform(0.1, 0.7)
        grain = np.repeat(random.random(int(length * 120) + 1), SAMPLE_RATE // 100)
        sound = coloured(random, length, 400, 7_000, 0.5)
        return sound * swelling(length) * grain[: len(sound)]

    return placed(duration, spaced(one, lambda: random.uniform(0.3, 1.5))) * 0.4


def hum(random: Random, duration: float) -> Samples:
    """The mains in a bad cable, 50 Hz."""
    sound = tone(50, duration, (1, 0.5, 0.6, 0.2, 0.3, 0.1, 0.2))
    return 0.15 * sound + 0.004 * random.normal(size=len(sound))


def fan(random: Random, duration: float) -> Samples:
    """A laptop's fan that speeds up and slows down."""
    time_ = seconds_of(duration)
    speed = 190 + 40 * np.sin(2 * np.pi * time_ / 17)
    blades = np.sin(2 * np.pi * np.cumsum(speed) / SAMPLE_RATE)
    return 0.2 * coloured(random, duration, 80, 4_000, 0.7) + 0.02 * blades


def music(random: Random, duration: float) -> Samples:
    """A song without words: drums, bass, chords and a lead that sings."""
    beat = 60 / 108
    chords = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))

    def bar(at: int) -> Samples:
        steps = chords[at % 4]
        length = 4 * beat
        time_ = seconds_of(length)
        sound = np.zeros(len(time_))
        for step in steps:
            sound += 0.15 * tone(220 * 2 ** (step / 12), length, (1, 0.6, 0.4, 0.25, 0.1))
        sound += 0.3 * tone(55 * 2 ** (steps[0] / 12), length, (1, 0.5, 0.3))
        for place in range(8):
            start = int(place * beat / 2 * SAMPLE_RATE)
            hat = coloured(random, 0.06, 5_000, 8_000) * fading(0.06, 0.015) * 0.15
            sound[start : start + len(hat)] += hat[: len(sound) - start]
            if place % 4 == 2:
                snare = coloured(random, 0.15, 200, 5_000) * fading(0.15, 0.03) * 0.5
                sound[start : start + len(snare)] += snare
            if place % 4 == 0:
                drop = seconds_of(0.2)
                kick = np.sin(2 * np.pi * (50 * drop - 4 * np.exp(-drop * 30)))
                sound[start : start + len(kick)] += kick * fading(0.2, 0.06) * 0.6
        at_sample = 0
        while at_sample < len(sound):
            size = int(random.choice([0.5, 1, 1.5]) * beat * SAMPLE_RATE)
            pitch = 440 * 2 ** (random.choice([*steps, steps[0] + 12]) / 12)
            span = seconds_of(size / SAMPLE_RATE)
            phase = 2 * np.pi * pitch * span + 0.8 * np.sin(2 * np.pi * 5.5 * span)
            lead = sum(np.sin(part * phase) / part for part in (1, 2, 3))
            piece = 0.25 * np.asarray(lead) * np.minimum(1, span / 0.02)
            sound[at_sample : at_sample + size] += piece[: len(sound) - at_sample]
            at_sample += size
        return sound

    bars = [bar(at) for at in range(int(duration / beat / 4) + 1)]
    return np.concatenate(bars)[: int(duration * SAMPLE_RATE)] * 0.35


def piano(random: Random, duration: float) -> Samples:
    """A piano: broken chords."""

    def note() -> Samples:
        pitch = 130.8 * 2 ** (random.choice([0, 4, 7, 12, 16, 19, 24, 28]) / 12)
        return tone(pitch, 1.5, (1, 0.6, 0.35, 0.2, 0.1)) * fading(1.5, 0.25)

    return placed(duration, spaced(note, lambda: random.choice([0.22, 0.44, 0.9]))) * 0.25


NOISES: dict[str, Callable[[Random, float], Samples]] = {
    "silence": lambda random, duration: np.zeros(int(duration * SAMPLE_RATE)),
    "a quiet room": lambda random, duration: (
        0.001 * random.normal(size=int(duration * SAMPLE_RATE))
    ),
    "typing, laptop": typing(0.8, 0.7, 0.14),
    "typing, clicky keys": typing(1.8, 0.3, 0.12),
    "typing, hard and slow": typing(1.0, 1.5, 0.3),
    "mouse": clicks,
    "ring tone, marimba": marimba,
    "ring tone, two tones": two_tone,
    "ring tone, melody": melody,
    "ring-back tone": old_bell,
    "Chromium's beep, 1 a second": fake_microphone(1.0),
    "Chromium's beep, 2 a second": fake_microphone(0.5),
    "beeps of machines": beeps,
    "breath": breath,
    "coughs": coughs,
    "knocks": knocks,
    "rustling": rustle,
    "white noise": lambda random, duration: 0.1 * random.normal(size=int(duration * SAMPLE_RATE)),
    "pink noise": lambda random, duration: 0.4 * coloured(random, duration, 40, 7_500, 0.5),
    "hum": hum,
    "fan": fan,
    "music, a band": music,
    "music, piano": piano,
}


# Voices


def samples_of(pcm: bytes) -> Samples:
    """Return PCM16 as samples."""
    return np.frombuffer(pcm, "<i2").astype(np.float64) / FULL


def pcm_of(samples: Samples) -> bytes:
    """Return samples as PCM16."""
    return np.clip(np.rint(samples * FULL), -32_768, 32_767).astype("<i2").tobytes()


def quiet(samples: Samples, decibels: float) -> Samples:
    """Return a voice more quietly."""
    return np.asarray(samples * 10 ** (-decibels / 20))


def far(random: Random, samples: Samples) -> Samples:
    """Return a voice from the other end of a room that rings for 0.5 s, 20 dB down, and its air."""
    time_ = seconds_of(0.5)
    room = random.normal(size=len(time_)) * 10 ** (-3 * time_ / 0.5) * 0.05
    room[0] = 1
    size = len(samples) + len(room)
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(room, size), size)
    air = coloured(random, size / SAMPLE_RATE, 50, 6_000, 0.8) * 0.002
    return quiet(wet / np.abs(wet).max() * np.abs(samples).max(), 20) + air[:size]


def whispered(random: Random, samples: Samples) -> Samples:
    """Return a voice whose vocal cords stand still: its mouth's resonances, filled with air.

    In windows of 20 ms linear prediction finds the resonances; noise as loud as what it leaves
    over goes through them. A whisper has little below 300 Hz and is quieter than a voice.
    """
    order, size, step = 18, 512, 256
    window = np.hanning(size + 1)[:-1]
    out = np.zeros(len(samples) + size)
    for start in range(0, len(samples) - size, step):
        frame = samples[start : start + size] * window
        heard = np.array([frame[: size - lag] @ frame[lag:] for lag in range(order + 1)])
        heard[0] += 1e-7 + heard[0] * 1e-4
        grid = np.abs(np.subtract.outer(np.arange(order), np.arange(order)))
        prediction = np.linalg.solve(heard[grid], heard[1:])
        left = max(heard[0] - prediction @ heard[1:], 0.0)
        shape = np.fft.rfft(np.concatenate([[1.0], -prediction]), size)
        air = np.fft.rfft(random.normal(size=size)) * np.sqrt(left / size)
        out[start : start + size] += np.fft.irfft(air / shape, size) * window
    spectrum = np.fft.rfft(out)
    pitch = np.maximum(np.fft.rfftfreq(len(out), 1 / SAMPLE_RATE), 1)
    thin = np.fft.irfft(spectrum / (1 + (300 / pitch) ** 4), len(out))
    return np.asarray(0.2 * thin / np.abs(thin).max())[: len(samples)]


def spoken_by(program: str, text: str) -> Samples | None:
    """Return what a speech program makes of a text; None where this machine hasn't got it."""
    path = shutil.which(program)
    if path is None:
        return None
    command = {
        "espeak-ng": [path, "-v", "en-us", "-s", "150", "--stdout", text],
        "flite": [path, "-voice", "slt", "-t", text, "-o", "/dev/stdout"],
    }[program]
    made = subprocess.run(command, capture_output=True, check=True).stdout
    at = made.index(b"data") + 8  # what is piped has no true length in its header
    with wave.open(io.BytesIO(made)) as file:
        rate = file.getframerate()
    heard = np.frombuffer(made[at : len(made) - (len(made) - at) % 2], "<i2") / FULL
    size = int(len(heard) / rate * SAMPLE_RATE)
    spectrum = np.fft.rfft(heard)[: size // 2 + 1]
    resampled = np.fft.irfft(spectrum, size) * size / len(heard)
    rest = np.zeros(SAMPLE_RATE // 2)
    return np.concatenate([rest, 0.5 * resampled / np.abs(resampled).max(), rest, rest])


def voices(random: Random) -> Iterator[tuple[str, str, Samples]]:
    """Yield name, words and sound of each voice."""
    long = samples_of(two_cities()[: 21 * BYTES_PER_SECOND])
    short = samples_of(beckett())
    said = TWO_CITIES_BEGINNING
    yield "a man who reads", said, long
    yield "another man", BECKETT, short
    for name, text, sound in (("a man who reads", said, long), ("another man", BECKETT, short)):
        yield f"{name}, 30 dB down", text, quiet(sound, 30)
        yield f"{name}, far", text, far(random, sound)
        yield f"{name}, whispering", text, whispered(random, sound)
        keys = typing(0.8, 0.7, 0.14)(random, len(sound) / SAMPLE_RATE)
        yield f"{name}, typing", text, sound + keys[: len(sound)] * 0.5
        band = music(random, len(sound) / SAMPLE_RATE + 1)[: len(sound)]
        yield f"{name}, music 15 dB below", text, sound + band * np.std(sound) / np.std(band) * 0.18
    for program in ("espeak-ng", "flite"):
        sound_ = spoken_by(program, SENTENCE)
        if sound_ is None:
            print(f"{program} isn't on this machine: left out")
            continue
        yield f"{program}", SENTENCE, sound_
        yield f"{program}, 30 dB down", SENTENCE, quiet(sound_, 30)
        yield f"{program}, far", SENTENCE, far(random, sound_)
        for text in SHORT:
            word = spoken_by(program, text)
            assert word is not None
            yield f"{program}: {text}", text, word
            yield f"{program}, 30 dB down: {text}", text, quiet(word, 30)


# Measuring


@dataclass
class Captions:
    """A sink that keeps the finals and the texts of partials."""

    finals: list[str] = field(default_factory=list)
    partials: list[str] = field(default_factory=list)

    def heard(self, recognition: Recognition) -> None:
        """Sink."""
        (self.finals if recognition.final else self.partials).append(recognition.text)

    def translated(self, translation: Translation) -> None:
        """Sink."""

    def delayed(self, is_delayed: bool, reason: Reason | None = None) -> None:
        """Sink."""

    def dropped(self, start: float, end: float) -> None:
        """Sink."""
        raise AssertionError("the engine did not keep up")

    def lost(self, reason: Reason, replay_from: int) -> None:
        """Sink."""
        raise AssertionError(reason)


async def main() -> None:
    """Run and print everything; takes some minutes."""
    if reason := local_engine_available():
        raise SystemExit(str(reason))
    chosen = sys.argv[1:]
    engine = LocalEngine()
    await engine.start()
    minutes = SECONDS / 60
    print(f"{'noise':44} {'finals a min':>12} {'partials a min':>14} {'CPU s per s':>11}  texts")
    finals = partials = total = 0.0
    for at, (name, make) in enumerate(NOISES.items()):
        if chosen and not any(part in name for part in chosen):
            continue
        pcm = pcm_of(make(np.random.default_rng(at), SECONDS))
        captions, spent = await _listen(engine, pcm)
        ghosts = [text for text in captions.partials if text]
        finals, partials, total = finals + len(captions.finals), partials + len(ghosts), total + 1
        texts = sorted(set(captions.finals), key=captions.finals.count, reverse=True)[:3]
        print(
            f"{name:44} {len(captions.finals) / minutes:12.0f} {len(ghosts) / minutes:14.0f} "
            f"{spent:11.3f}  {'; '.join(texts)[:70]}"
        )
    if total:
        print(f"{'mean':44} {finals / total / minutes:12.2f} {partials / total / minutes:14.2f}")
    print(f"\n{'voice':44} {'recall':>12} {'CPU s per s':>26}  text")
    for name, text, sound in voices(np.random.default_rng(99)):
        if chosen and not any(part in name for part in chosen):
            continue
        captions, spent = await _listen(engine, pcm_of(sound))
        said = " ".join(captions.finals)
        print(f"{name:44} {words_in_order(text, said):12.2f} {spent:26.3f}  {said[:70]}")
    await engine.close()


async def _listen(engine: LocalEngine, pcm: bytes) -> tuple[Captions, float]:
    captions = Captions()
    stream = await engine.open(StreamOptions(), captions)
    spent = time.process_time()
    for start in range(0, len(pcm), BYTES_PER_SECOND // 2):
        stream.feed(pcm[start : start + BYTES_PER_SECOND // 2])
        while stream.pending_seconds >= 0.5:  # noqa: ASYNC110 - audio has no event, it has a clock
            await asyncio.sleep(0.002)
    await stream.finish()
    return captions, (time.process_time() - spent) / (len(pcm) / BYTES_PER_SECOND)


if __name__ == "__main__":
    asyncio.run(main())
