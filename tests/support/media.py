"""Recordings as people upload them: speech in files of all kinds, whole and damaged."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream

from core.speech.engine import BYTES_PER_SAMPLE, BYTES_PER_SECOND, SAMPLE_RATE

# By a file's ending: FFmpeg's muxer, its encoder, and the rate that it is written in.
KINDS = {
    ".wav": ("wav", "pcm_s16le", 44_100),
    ".mp3": ("mp3", "mp3", 44_100),
    ".m4a": ("ipod", "aac", 44_100),
    ".aac": ("adts", "aac", 44_100),
    ".mp4": ("mp4", "aac", 48_000),
    ".flac": ("flac", "flac", 48_000),
    ".ogg": ("ogg", "libopus", 48_000),
    ".webm": ("webm", "libopus", 48_000),
    ".mkv": ("matroska", "aac", 48_000),
}
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def write_media(path: Path, *channels: bytes, film: bool = False) -> Path:
    """Write PCM16 of each channel (16 kHz) to a file of the kind that its name says.

    Channels are filled up to the longest with silence. `film`: with a picture beside it.
    """
    muxer, encoder, rate = KINDS[path.suffix]
    layout = LAYOUTS[len(channels)]
    longest = max(map(len, channels))
    filled = [np.frombuffer(one.ljust(longest, b"\0"), "<i2") for one in channels]
    said = np.stack(filled, axis=1)
    with av.open(str(path), "w", format=muxer) as file:
        sound = cast(AudioStream, file.add_stream(encoder, rate=rate, layout=layout))
        picture = file.add_stream("mpeg4", rate=5) if film else None
        if picture is not None:
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        resampler = av.AudioResampler(sound.codec_context.format, layout, rate)
        for at in range(0, len(said), SAMPLE_RATE):
            part = said[at : at + SAMPLE_RATE]
            frame = av.AudioFrame(format="s16", layout=layout, samples=len(part))
            frame.planes[0].update(part.astype("<i2").tobytes().ljust(frame.planes[0].buffer_size))
            frame.sample_rate, frame.pts = SAMPLE_RATE, at
            for one in resampler.resample(frame):
                file.mux(sound.encode(one))
            for _ in range(5 if picture is not None else 0):
                file.mux(picture.encode(av.VideoFrame(64, 48, "yuv420p")) if picture else [])
        for one in resampler.resample(None):
            file.mux(sound.encode(one))
        file.mux(sound.encode(None))
        if picture is not None:
            file.mux(picture.encode(None))
    return path


def damaged(path: Path, first: float, last: float) -> Path:
    """Write noise into a file from one part of its bytes to another (0 to 1)."""
    data = bytearray(path.read_bytes())
    noise = random.Random(1)
    for at in range(int(first * len(data)), int(last * len(data))):
        data[at] = noise.randrange(256)
    path.write_bytes(data)
    return path


def cut_off(path: Path, share: float) -> Path:
    """Leave the first part of a file's bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    return path


def wav(channels: int = 1, rate: int = SAMPLE_RATE, *, says: int | None = None) -> bytes:
    """Return a second of a WAV file whose header says what it likes."""
    data = bytes(2 * 16_000)
    size = len(data) if says is None else says
    per_second = rate * channels * 2 & 0xFFFF_FFFF
    form = struct.pack("<IHHIIHH", 16, 1, channels, rate, per_second, channels * 2 & 0xFFFF, 16)
    head = b"RIFF" + struct.pack("<I", min(0xFFFF_FFFF, 36 + size)) + b"WAVEfmt " + form
    return head + b"data" + struct.pack("<I", size) + data


def mixed(*channels: bytes) -> bytes:
    """Return what PCM16 of these sounds like together, at the level that a mix has."""
    longest = max(map(len, channels))
    filled = [np.frombuffer(one.ljust(longest, b"\0"), "<i2").astype(int) for one in channels]
    return (sum(filled) // len(channels)).astype("<i2").tobytes()  # type: ignore[union-attr]


def later(pcm: bytes, other: bytes) -> float:
    """Return by how many seconds `pcm` is later than `other`, which it sounds like."""
    size = 1 << (max(len(pcm), len(other)) // BYTES_PER_SAMPLE).bit_length() + 1
    one, two = (np.fft.rfft(np.frombuffer(each, "<i2"), size) for each in (pcm, other))
    likeness = np.fft.irfft(one * np.conj(two), size)
    at = int(np.argmax(likeness))
    return (at - size if at > size // 2 else at) / SAMPLE_RATE


def seconds(pieces: Sequence[bytes]) -> float:
    """Return how long these are together."""
    return sum(map(len, pieces)) / BYTES_PER_SECOND
