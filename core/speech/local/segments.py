"""Cuts one participant's audio into the stretches in which somebody speaks."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import webrtcvad

from core.speech.engine import BYTES_PER_SECOND

FRAME_MS = 20
FRAME_BYTES = BYTES_PER_SECOND * FRAME_MS // 1000

# Speech has begun when 8 of the last 15 frames had a voice: the detector takes single knocks and
# keys for one, and lets single frames of a word go.
_ONSET_WINDOW = 15
_ONSET_VOICED = 8
_LEAD_BYTES = 30 * FRAME_BYTES  # 0.6 s kept from before that: the window, and a soft first sound
_TAIL_FRAMES = 12  # 0.24 s kept of the pause that ends it: a last sound fades
_MAX_FRAMES = 15_000 // FRAME_MS  # the model takes some 20 s
_CUT_SEARCH_FRAMES = 3_000 // FRAME_MS  # before that bound, among which it is cut at the quietest
# The longer somebody talks, the shorter the pause that may end the segment: a cut in a short
# pause costs less than one in the middle of a word at the length the model can still take.
_PAUSE_MS = ((4_000, 600), (8_000, 400), (12_000, 200), (15_000, 100))
_PAUSES = tuple((ms // FRAME_MS, pause // FRAME_MS) for ms, pause in _PAUSE_MS)


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of speech; `start` is its byte position in the audio that was pushed."""

    index: int
    start: int
    audio: bytes
    complete: bool

    @property
    def end(self) -> int:
        """The byte position after its last sample."""
        return self.start + len(self.audio)


class Segmenter:
    """A voice detector with its own state per stream; not for use from two threads at once.

    Segments never overlap. Each begins up to 0.6 s before the detector was sure, so
    that the first sound is in it. Audio is 16 kHz mono PCM16, in pieces of any size.
    """

    def __init__(self) -> None:
        self._detector = webrtcvad.Vad(2)  # adapts to this stream's noise
        self._rest = bytearray()  # the last audio, less than a frame
        # What may belong to a segment: the open one's, or what may prove to be the next one's lead.
        self._audio = bytearray()
        self._start = 0  # byte position at which `_audio` begins
        self._index = 0  # of the open or the next segment
        # Whether each of the last frames had a voice, while nobody speaks.
        self._recent: deque[bool] = deque(maxlen=_ONSET_WINDOW)
        self._speaking = False  # whether a segment is open
        self._quiet = 0  # frames without a voice at its end

    @property
    def final_until(self) -> int:
        """Everything before this byte position is silence or in a finished segment."""
        return self._start

    def push(self, pcm: bytes) -> list[Segment]:
        """Take the next audio; returns the segments it finished, in order."""
        self._rest += pcm
        usable = len(self._rest) - len(self._rest) % FRAME_BYTES
        frames = bytes(self._rest[:usable])
        del self._rest[:usable]
        finished = (
            self._hear(frames[at : at + FRAME_BYTES]) for at in range(0, usable, FRAME_BYTES)
        )
        return [segment for segment in finished if segment]

    def open(self) -> Segment | None:
        """Return what is being said right now, unfinished."""
        if not self._speaking:
            return None
        return Segment(self._index, self._start, bytes(self._audio), complete=False)

    def flush(self) -> Segment | None:
        """End the speech at hand, if any, as when the audio ends here."""
        self._audio += self._rest
        self._rest.clear()
        if not self._speaking:
            return None
        self._speaking = False
        return self._finish(len(self._audio))

    def skip(self, size: int) -> Segment | None:
        """Go on after `size` bytes that nobody will hear; ends the speech at hand."""
        segment = self.flush()
        self._start += len(self._audio) + size
        self._audio.clear()
        self._recent.clear()
        return segment

    def _hear(self, frame: bytes) -> Segment | None:
        voiced = self._detector.is_speech(frame, BYTES_PER_SECOND // 2)
        self._audio += frame
        if self._speaking:
            return self._go_on(voiced)
        self._recent.append(voiced)
        if sum(self._recent) >= _ONSET_VOICED:
            self._speaking, self._quiet = True, 0
        elif (surplus := len(self._audio) - _LEAD_BYTES) > 0:
            self._forget(surplus)
        return None

    def _go_on(self, voiced: bool) -> Segment | None:
        self._quiet = 0 if voiced else self._quiet + 1
        frames = len(self._audio) // FRAME_BYTES
        if frames >= _MAX_FRAMES:
            # Still speaking: what is behind the cut begins the next segment.
            return self._finish(self._quietest_cut())
        enough = next(pause for limit, pause in _PAUSES if frames < limit)
        if self._quiet < enough:
            return None
        self._speaking = False
        tail = min(_TAIL_FRAMES, self._quiet // 2 + 1)
        return self._finish(len(self._audio) - (self._quiet - tail) * FRAME_BYTES)

    def _quietest_cut(self) -> int:
        def loudness(at: int) -> int:
            samples = memoryview(bytes(self._audio[at : at + FRAME_BYTES])).cast("h")
            return max(samples) - min(samples)

        first = len(self._audio) - _CUT_SEARCH_FRAMES * FRAME_BYTES
        return min(range(first, len(self._audio), FRAME_BYTES), key=loudness)

    def _finish(self, size: int) -> Segment:
        segment = Segment(self._index, self._start, bytes(self._audio[:size]), complete=True)
        self._forget(size)
        self._index += 1
        self._recent.clear()
        return segment

    def _forget(self, size: int) -> None:
        del self._audio[:size]
        self._start += size
