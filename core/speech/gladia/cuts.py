"""A recording's track cut into files that Gladia takes: speech without long silence, an hour each.

Gladia takes 135 minutes and 1000 MB in a request, recommends files of about an hour, and bills what
they last (docs.gladia.io/chapters/limits-and-specifications/supported-formats). Of a meeting each
person's track is mostly silence, so that silence is left out, as it is of what people say live;
where what is left lay in the track is kept beside the file.

The files are FLAC: nothing is lost that the recording had, a second costs a tenth of what Opus
does, and every sample is where it was, without the padding that codecs add. An hour is 50 MB.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import msgspec

from core.speech.engine import BYTES_PER_SAMPLE, BYTES_PER_SECOND, SAMPLE_RATE
from core.speech.gate import Preroll, VoiceGate

if TYPE_CHECKING:
    from av.audio.stream import AudioStream

    from core.speech.recorded.decoding import Piece

STEP = BYTES_PER_SECOND // 10  # bytes that are decided on at once
STEP_SAMPLES = STEP // BYTES_PER_SAMPLE
TAIL_S = 1.0  # of silence behind speech that is kept: the gate misses what is said very quietly
BREATH_S = 0.3  # of silence within speech: between sentences, not between words
MAX_STRETCHES = 1_200  # of a file; they are kept in `Part.state`
MAX_LOST = 300  # stretches of a file, likewise


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a track may be cut, in seconds of a file. Tests make them small; nothing else does."""

    pause_s: float = 3.0  # of silence; a longer one is left out
    pause_from_s: float = 3000.0  # from here on at such a pause
    breath_from_s: float = 3300.0  # … at the shortest pause between sentences
    most_s: float = 3600.0  # … anywhere: a word that is cut in two may be heard wrong


class Cut(msgspec.Struct, frozen=True):
    """What became a file: from sample `start` to `end` of the track, as far as somebody spoke.

    `stretches` have first samples and lengths of what is in the file, one behind the other; `lost`
    those of what can't be read.
    """

    start: int
    end: int
    stretches: list[tuple[int, int]]
    lost: list[tuple[int, int]]

    @property
    def seconds(self) -> float:
        """How long the file is."""
        return sum(length for _, length in self.stretches) / SAMPLE_RATE


class Clock:
    """Turns a file's times into the track's."""

    def __init__(self, cut: Cut) -> None:
        self._stretches = cut.stretches
        self._begins: list[float] = []  # of stretches, in seconds of the file
        total = 0
        for _, length in cut.stretches:
            self._begins.append(total / SAMPLE_RATE)
            total += length

    def stretch_at(self, time: float) -> int:
        """Return in which stretch a time is; what is in none is in the first, or the last."""
        return max(0, bisect.bisect_right(self._begins, time) - 1)

    def seconds(self, time: float, stretch: int) -> float:
        """Return the track's time of one of the file's, whatever it is kept within a stretch."""
        start, length = self._stretches[stretch]
        within = min(max(0.0, time - self._begins[stretch]), length / SAMPLE_RATE)
        return start / SAMPLE_RATE + within


class FlacFile:
    """A FLAC file that is being written, 16 kHz mono. Methods may wait for the disk."""

    def __init__(self, out: IO[bytes]) -> None:
        import av  # noqa: PLC0415 - 22 MB that a server without recordings never needs

        self._frame = av.AudioFrame
        self._file = av.open(out, "w", format="flac")
        stream: AudioStream = self._file.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        stream.format = "s16"
        self._stream = stream
        self._samples = 0

    def write(self, pcm: bytes) -> None:
        """Add PCM16 of any length."""
        samples = len(pcm) // BYTES_PER_SAMPLE
        frame = self._frame(format="s16", layout="mono", samples=samples)
        frame.planes[0].update(pcm)
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self._samples
        self._samples += samples
        for packet in self._stream.encode(frame):
            self._file.mux(packet)

    def close(self) -> None:
        """Write the rest; the file itself stays open."""
        for packet in self._stream.encode(None):
            self._file.mux(packet)
        self._file.close()


class Cutter:
    """Writes one file of a track, from sample `start` on. It computes: call it in a thread."""

    def __init__(self, out: IO[bytes], start: int, bounds: Bounds) -> None:
        self._bounds = bounds
        self._out = out
        self._file: FlacFile | None = None  # once there is something to write
        self._gate = VoiceGate()
        self._preroll = Preroll()
        self._quiet = bytearray()  # what came since TAIL_S of silence, within a stretch
        self._is_open = False  # within a stretch
        self._start = self._position = start
        self._stretches: list[tuple[int, int]] = []
        self._lost: list[tuple[int, int]] = []
        self._written = 0  # samples
        self.is_full = False

    def take(self, piece: Piece) -> int:
        """Take what comes next; return how many of its samples, fewer once the file is full."""
        before = self._position
        taken = 0
        while taken < piece.samples and not self.is_full:
            if not piece.pcm and not self._is_open:
                # Nothing to hear, however long: hours of it cost nothing.
                self._preroll.clear()
                self._position += piece.samples - taken
                taken = piece.samples
                break
            samples = min(STEP_SAMPLES, piece.samples - taken)
            first = taken * BYTES_PER_SAMPLE
            size = samples * BYTES_PER_SAMPLE
            self._hear(piece.pcm[first : first + size] if piece.pcm else bytes(size))
            taken += samples
        if piece.is_lost and taken:
            self._lose(before, taken)
        return taken

    def close(self) -> Cut:
        """Finish the file."""
        if self._file is not None:
            self._file.close()
        return Cut(self._start, self._position, self._stretches, self._lost)

    def _hear(self, pcm: bytes) -> None:
        speech = self._gate.hear(pcm)
        silent = self._gate.silent_for
        self._position += len(pcm) // BYTES_PER_SAMPLE
        if not self._is_open:
            self._preroll.add(pcm)
            if speech:
                self._open()
        elif silent >= self._bounds.pause_s and not self._gate.undecided:
            self._close()
            self._preroll.add(pcm)
        elif silent > TAIL_S:
            self._quiet += pcm
        else:
            self._write(bytes(self._quiet) + pcm)
            self._quiet.clear()
        self._look(silent)

    def _open(self) -> None:
        """Begin a stretch, with what came shortly before the gate knew."""
        pcm = b"".join(self._preroll.frames)
        self._preroll.clear()
        self._is_open = True
        first = self._position - len(pcm) // BYTES_PER_SAMPLE
        self._stretches.append((first, 0))
        self._write(pcm)

    def _close(self) -> None:
        self._is_open = False
        for first in range(0, len(self._quiet), STEP):
            self._preroll.add(bytes(self._quiet[first : first + STEP]))
        self._quiet.clear()

    def _write(self, pcm: bytes) -> None:
        if self._file is None:
            self._file = FlacFile(self._out)
        self._file.write(pcm)
        samples = len(pcm) // BYTES_PER_SAMPLE
        start, length = self._stretches[-1]
        self._stretches[-1] = (start, length + samples)
        self._written += samples

    def _look(self, silent: float) -> None:
        """Find out whether this is the place to end the file."""
        seconds = self._written / SAMPLE_RATE
        if not self._is_open:
            full = seconds >= self._bounds.pause_from_s or len(self._stretches) >= MAX_STRETCHES
        else:
            full = seconds >= self._bounds.most_s
            full = full or (seconds >= self._bounds.breath_from_s and silent >= BREATH_S)
        # Only where nobody speaks, so that the preroll of a word isn't left in neither file.
        self.is_full = full and (self._is_open or not self._gate.undecided)

    def _lose(self, position: int, samples: int) -> None:
        if self._lost and sum(self._lost[-1]) == position:
            start, length = self._lost[-1]
            self._lost[-1] = (start, length + samples)
        else:
            self._lost.append((position, samples))
        self.is_full = self.is_full or len(self._lost) >= MAX_LOST
