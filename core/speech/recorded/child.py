"""Reads one file of sound, in a process of its own: `python -I child.py facts|sound …`.

FFmpeg's demuxers and decoders are hundreds of thousands of lines of C, and here they parse what
strangers made. A thread of the server would be the same address space: what crashes a codec would
end every call, what overruns a buffer would be among keys and logins, and what never returns could
not be stopped. So this program is started for each file, by its path and with nothing of ours
imported. It has no environment, the file is its standard input, and before it looks at a byte of it
it gives up opening anything else (no file and no socket: RLIMIT_NOFILE), writing files, and more
memory and processor time than sound needs. It costs 0.3 s to start and 60 MB while it runs.

It answers on standard output with records: a letter, a number (8 bytes, little-endian), and for
some so many bytes. Samples are 16 kHz mono PCM16.

    F n bytes  what the file is: JSON with `seconds` and `channels`; the first record
    P n bytes  the next samples
    S n        n samples of silence: nothing is there
    L n        n samples that can't be read, or aren't there in this channel
    E n bytes  the end: a code of `Unreadable`, or nothing where the file ends
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import resource
import sys
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

RATE = 16_000
PIECE = 32_000  # bytes of a `P` record: a second
TOLERANCE = RATE * 15 // 100  # samples by which times of frames may be off without meaning it
SHORTEST_LOSS = RATE  # samples; a shorter gap with nothing damaged is a clock's
RATES = range(4_000, 384_001)  # samples a second; others are no sound, and take long to convert
PRIMING = 2 * RATE  # samples that are decoded before the first one wanted: codecs remember
OVERLAP = 2 * RATE  # samples by which a frame may lie in what came before; else clocks began anew
STARTS_ANEW = 64  # times that a demuxer may be asked again after an error, without a frame between
FRUITLESS = 100_000  # packets in a row without any sound: half an hour of them, or a trap
PROBED = 500  # packets among which there must be one that can be decoded
EXTRA_MEMORY = 768 * 1024 * 1024  # bytes of addresses beyond those of the libraries
# Demuxers by FFmpeg's names. None of these opens other files, as playlists and `concat` do; those
# of pictures, subtitles, devices and networks aren't among them.
FORMATS = "wav,w64,aiff,caf,au,mp3,aac,flac,ogg,amr,asf,mov,matroska,webm"
# Decoders. Those of films aren't: of them only the sound is heard.
CODECS = (
    "aac,aac_latm,alac,amrnb,amrwb,flac,libopencore_amrnb,libopencore_amrwb,libopus,libvorbis,mp1,"
    "mp1float,mp2,mp2float,mp3,mp3float,opus,pcm_alaw,pcm_f32be,pcm_f32le,pcm_f64be,pcm_f64le,"
    "pcm_mulaw,pcm_s16be,pcm_s16le,pcm_s24be,pcm_s24le,pcm_s32be,pcm_s32le,pcm_s8,pcm_u8,adpcm_ms,"
    "adpcm_ima_wav,adpcm_ima_qt,gsm,gsm_ms,vorbis,wmav1,wmav2,wmapro"
)
# Whose header says how long the sound is, and whose length is a guess that is of no use.
SAYS_LENGTH, GUESSES = ("wav", "w64", "aiff", "caf", "flac", "mov", "au"), ("aac", "amr")
Samples = npt.NDArray[np.int16]


class UnreadableError(Exception):
    """The file can't be read; its text is the code to say."""


def give_up_rights(cpu_seconds: int) -> None:
    """Bound what this process can do from now on, as far as the system knows how."""
    os.nice(10)  # who speaks now comes first
    wanted = {"RLIMIT_NOFILE": 3, "RLIMIT_FSIZE": 0, "RLIMIT_CORE": 0, "RLIMIT_CPU": cpu_seconds}
    # macOS counts what it maps for everybody, and refuses: there the time is bounded alone.
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        wanted["RLIMIT_AS"] = pages * resource.getpagesize() + EXTRA_MEMORY
    for name, value in wanted.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (value, value))


def warm_up() -> None:
    """Have the libraries load all they need, as long as they can: they do it when they need it."""
    for name in ("audio", "video", "subtitles"):
        importlib.import_module(f"av.{name}.stream")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((2, 2, 2 * RATE, 0, "NONE", ""))
        writer.writeframes(bytes(RATE))
    file.seek(0)
    container, stream = opened(file)
    facts(container, stream, 1.0, 2)
    sound(container, stream, Track(None, 0, RATE, io.BytesIO()), 1.0, RATE)


def opened(file: BinaryIO) -> tuple[InputContainer, AudioStream]:
    """Return the file as FFmpeg sees it, and its first stream of sound."""
    only = {"format_whitelist": FORMATS, "codec_whitelist": CODECS, "protocol_whitelist": "none"}
    container = av.open(
        file, "r", metadata_errors="ignore", io_open=_nothing_else, container_options=only
    )
    streams = [one for one in container.streams.audio if one.codec_context is not None]
    if not streams:
        raise UnreadableError("no_sound")
    if streams[0].codec_context.name not in CODECS.split(","):
        raise UnreadableError("not_media")
    streams[0].codec_context.thread_count = 1
    return container, streams[0]


def _nothing_else(*_: Any) -> BinaryIO:
    raise OSError("a recording is one file")


def facts(container: InputContainer, stream: AudioStream, most: float, channels: int) -> Any:
    """Return what the file is. Raises UnreadableError; afterwards it is at its beginning."""
    found = stream.codec_context.channels
    if found <= channels:  # who says a hundred isn't asked for one
        frames = (frame for _, frame in decoded(container, stream, PROBED) if frame is not None)
        if (first := next(frames, None)) is None:
            raise UnreadableError("not_media")
        found = first.layout.nb_channels
    if found > channels:
        raise UnreadableError("too_many_channels")
    seconds = said(container, stream)
    if seconds is None:
        container.seek(0)
        seconds = measured(container, stream, most)
    if seconds > most:
        raise UnreadableError("too_long")
    container.seek(0)
    return {"seconds": seconds, "channels": found}


def said(container: InputContainer, stream: AudioStream) -> float | None:
    """Return how many seconds the file says its sound lasts, if it does."""
    if _kind(container) in GUESSES:
        return None
    if stream.duration and stream.time_base and stream.duration > 0:
        return float(stream.duration * stream.time_base)
    if container.duration and container.duration > 0:
        return container.duration / av.time_base
    return None


def measured(container: InputContainer, stream: AudioStream, most: float) -> float:
    """Return how many seconds the file lasts, by its packets, of which none is decoded."""
    base = float(stream.time_base or 0)
    last = counted = 0
    for packet in packets(container, stream):
        counted += packet.duration or 0
        last = max(last, (packet.pts or 0) + (packet.duration or 0))
        if counted * base > most:
            break
    return max(last - (stream.start_time or 0), counted) * base


def packets(container: InputContainer, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
    """Yield all packets of a stream, past what the demuxer stumbles over."""
    anew = 0
    while anew < STARTS_ANEW:
        try:
            for packet in container.demux(stream):
                anew = 0 if packet.size else anew
                yield packet
            return
        except EOFError:
            return
        except (av.FFmpegError, OSError, ValueError):
            anew += 1


def decoded(
    container: InputContainer,
    stream: AudioStream,
    fruitless: int = FRUITLESS,
    passes: Callable[[Packet[AudioStream]], bool] = lambda packet: False,
) -> Iterator[tuple[Packet[AudioStream], AudioFrame | None]]:
    """Yield packets with each frame of theirs, but those that pass; None: can't be decoded."""
    empty = 0
    for packet in packets(container, stream):
        if passes(packet):
            continue
        try:
            frames = packet.decode()
        except (av.FFmpegError, OSError, ValueError):
            frames = []
            if packet.size:
                yield packet, None
        empty = 0 if frames else empty + 1
        if empty > fruitless:
            return
        for frame in frames:
            if frame.samples > 0:
                yield packet, frame if frame.sample_rate in RATES else None


class Track:
    """One channel's samples, or all mixed, on the file's own time; written as records."""

    def __init__(self, channel: int | None, start: int, most: int, out: BinaryIO) -> None:
        self._channel = channel  # None: all
        self._start = start  # of the first sample that is wanted
        self._most = most  # samples; a file that goes on is too long
        self._out = out
        self._resampler: av.AudioResampler | None = None  # of frames of this shape
        self._shape: tuple[Any, ...] = ()
        self._owed = 0  # samples that the resampler has got and not returned
        self._buffer = bytearray()
        self.position = 0  # samples that came out, wanted or not

    @property
    def taken(self) -> int:
        """Samples that were put in."""
        return self.position + self._owed

    def passes(self, clock: Clock, packet: Packet[AudioStream]) -> bool:
        """Whether a packet comes so early that nobody wants it, nor what is decoded behind it."""
        if self._resampler or not packet.duration or self.position > self._start - PRIMING:
            return False
        until = clock.at(packet.pts, self.position) + clock.lasts(packet)
        if until <= self._start - PRIMING:
            self.position = until
        return until == self.position

    def put(self, frame: AudioFrame, skip: int) -> None:
        """Take a frame, without the first `skip` samples of what comes of it."""
        shape = (frame.format.name, frame.layout.name, frame.layout.nb_channels, frame.sample_rate)
        if self._resampler is None or shape != self._shape:
            self.flush()
            self._shape = shape
            self._resampler = av.AudioResampler("s16", frame.layout, RATE)
        frame.pts = None  # times are kept here
        self._owed += frame.samples * RATE // frame.sample_rate
        for out in self._resampler.resample(frame):
            skip = self._take(out, skip)

    def flush(self) -> None:
        """Let out what the resampler still has, and what is gathered."""
        if self._resampler is not None:
            for out in self._resampler.resample(None):
                self._take(out, 0)
        self._resampler, self._shape, self._owed = None, (), 0
        self._write()

    def gap(self, samples: int, *, lost: bool) -> None:
        """Go on so many samples later."""
        self.flush()
        self._pass_by(samples, b"L" if lost else b"S")

    def _take(self, frame: AudioFrame, skip: int) -> int:
        """Take what comes from the resampler, without so many; returns how many are left of them"""
        channels = frame.layout.nb_channels
        held = bytes(frame.planes[0])[: frame.samples * channels * 2]  # it may be padded
        samples: Samples = np.frombuffer(held, np.int16).reshape(-1, channels)
        self._owed = max(0, self._owed - len(samples))
        kept = samples[skip:]
        skip -= len(samples) - len(kept)
        if self._channel is not None and self._channel >= kept.shape[1]:
            self._write()
            self._pass_by(len(kept), b"L")
            return skip
        wanted = kept[max(0, self._start - self.position) :]
        self.position += len(kept)
        self._buffer += self._mono(wanted).astype("<i2").tobytes()
        if len(self._buffer) >= PIECE:
            self._write()
        self._bound()
        return skip

    def _pass_by(self, samples: int, kind: bytes) -> None:
        before = max(0, self._start - self.position)
        self.position += samples
        if samples > before:
            record(self._out, kind, samples - before)
        self._bound()

    def _mono(self, samples: Samples) -> Samples:
        if self._channel is not None:
            return samples[:, self._channel]
        mixed: Samples = (samples.sum(axis=1, dtype=np.int32) // samples.shape[1]).astype(np.int16)
        return mixed

    def _write(self) -> None:
        if self._buffer:
            record(self._out, b"P", len(self._buffer), self._buffer)
            self._buffer.clear()

    def _bound(self) -> None:
        if self.position > self._most:
            self._write()
            raise UnreadableError("too_long")


class Clock:
    """The file's own time, in samples. Where another clock begins, it goes on from what came."""

    def __init__(self, container: InputContainer, stream: AudioStream, end: int) -> None:
        self._base = float(stream.time_base or 0)
        begins = (container.start_time or 0) / av.time_base  # a picture may begin before its sound
        self._origin = begins if abs(begins) < 3600 else 0.0
        self._end = end  # nothing is later than this

    def at(self, pts: int | None, expected: int) -> int:
        """Return when something is that was expected then."""
        if pts is None:
            return expected
        at = round((pts * self._base - self._origin) * RATE)
        if expected - OVERLAP < at <= expected + TOLERANCE or expected < at < self._end:
            return at
        self._origin += (at - expected) / RATE
        return expected

    def lasts(self, packet: Packet[AudioStream]) -> int:
        """Return how many samples a packet says to have."""
        return round((packet.duration or 0) * self._base * RATE)


def sound(
    container: InputContainer, stream: AudioStream, track: Track, seconds: float, most: int
) -> None:
    """Write a track, in step with the times of its frames. Raises UnreadableError."""
    bad_until = 0  # samples up to which packets since the last frame couldn't be decoded
    end = min(most, round((seconds + 5) * RATE))
    clock = Clock(container, stream, end)
    for packet, frame in decoded(container, stream, passes=lambda one: track.passes(clock, one)):
        at = clock.at(packet.pts if frame is None else frame.pts, track.taken)
        if frame is None:
            bad_until = max(bad_until, at + clock.lasts(packet))
            continue
        ahead = at - track.taken
        if ahead > TOLERANCE:
            # Before the first sound there is a film that began earlier.
            lost = bad_until > 0 or (ahead > SHORTEST_LOSS and track.taken > 0)
            track.gap(ahead, lost=lost)
        track.put(frame, -ahead if ahead < -TOLERANCE else 0)
        bad_until = 0
    track.flush()
    _finish(container, stream, track, min(bad_until, end))


def _finish(container: InputContainer, stream: AudioStream, track: Track, bad_until: int) -> None:
    """Say what is missing at the end: damaged packets, or all that a file was cut off from."""
    if track.position == 0:
        raise UnreadableError("not_media")
    until = bad_until
    if _kind(container) in SAYS_LENGTH:
        promised = round((said(container, stream) or 0.0) * RATE)
        if promised - track.position > max(2 * RATE, promised // 100):
            until = max(until, promised)
    if until > track.position:
        track.gap(until - track.position, lost=True)


def _kind(container: InputContainer) -> str:
    return container.format.name.split(",")[0]


def record(out: BinaryIO, kind: bytes, number: int, data: bytes | bytearray = b"") -> None:
    """Write one record."""
    out.write(kind + number.to_bytes(8, "little") + data)
    out.flush()


def main(what: str, most: float, channels: int, *numbers: int) -> None:
    """Read standard input, of at most so many seconds and channels; see decoding.py."""
    cpu, channel, start = numbers  # seconds, -1 for all, a sample
    out = sys.stdout.buffer
    av.logging.set_level(None)
    warm_up()
    give_up_rights(cpu)
    why = b""
    try:
        container, stream = opened(os.fdopen(0, "rb"))
        known = facts(container, stream, most, channels)
        about = json.dumps(known).encode()
        record(out, b"F", len(about), about)
        if channel >= known["channels"]:
            raise UnreadableError("no_sound")
        if what == "sound":
            samples = round(most * RATE)
            track = Track(None if channel < 0 else channel, start, samples, out)
            sound(container, stream, track, known["seconds"], samples)
    except (UnreadableError, MemoryError) as problem:
        why = str(problem).encode() or b"too_hard"
    except BrokenPipeError:  # nobody wants it any more
        os._exit(0)
    except Exception:  # whatever a library makes of such a file
        why = b"not_media"
    record(out, b"E", len(why), why)
    os._exit(0)  # libraries that were fed nonsense are better not asked to tidy up


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), *map(int, sys.argv[3:]))
