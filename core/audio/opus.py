"""Files of Ogg Opus, written and measured with FFmpeg's libopus by PyAV.

libsndfile (soundfile) was tried: 1.3 MB instead of 35, but it encodes with all that libopus can do
and can't be told otherwise, which takes 5 % of a core for each person who speaks. Here it is 1 %.

PyAV is imported where the first file is written, in the thread that does it: it takes 22 MB, which
a server whose spaces keep no sound never needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.speech.engine import BYTES_PER_SAMPLE, SAMPLE_RATE

if TYPE_CHECKING:
    from av.audio.stream import AudioStream

BIT_RATE = 20_000  # a second, of speech: as clear as a good call
# Of 10: half as hard as libopus can try takes 1 % of a core instead of 1.4, and nobody hears it.
COMPLEXITY = 5
# A page of the file has a second: what is lost when the process dies, of which each is written as
# it is full.
OPTIONS = {"page_duration": "1000000", "flush_packets": "1"}
CODEC = {"application": "voip", "compression_level": str(COMPLEXITY)}


class OpusFile:
    """A file that is being written. Every method may wait for the disk, and raises OSError."""

    def __init__(self, path: Path) -> None:
        import av  # noqa: PLC0415 - see the module's text

        self._frame = av.AudioFrame
        self._file = av.open(str(path), "w", format="ogg", options=OPTIONS)
        stream: AudioStream = self._file.add_stream(
            "libopus", rate=SAMPLE_RATE, layout="mono", options=CODEC
        )
        stream.bit_rate = BIT_RATE
        self._stream = stream
        self.samples = 0  # that it has

    def write(self, pcm: bytes) -> None:
        """Add PCM16, 16 kHz, mono; of any length."""
        samples = len(pcm) // BYTES_PER_SAMPLE
        frame = self._frame(format="s16", layout="mono", samples=samples)
        frame.planes[0].update(pcm)
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self.samples
        self.samples += samples
        for packet in self._stream.encode(frame):
            self._file.mux(packet)

    def close(self) -> None:
        """Write the rest."""
        try:
            for packet in self._stream.encode(None):
                self._file.mux(packet)
        finally:
            self._file.close()


def samples_of(path: Path) -> int:
    """Return how many samples of sound a file has, one that was cut off included; 0: none."""
    import av  # noqa: PLC0415 - see the module's text

    try:
        with av.open(str(path)) as file:
            stream = file.streams.audio[0]
            # Nothing is decoded. The end of the last packet that is whole: a file that was cut off
            # doesn't know its own.
            end = max(
                ((one.pts or 0) + (one.duration or 0) for one in file.demux(stream) if one.size),
                default=0,
            )
            return int(end * (stream.time_base or 0) * SAMPLE_RATE)
    except (OSError, ValueError, IndexError, av.FFmpegError):
        return 0
