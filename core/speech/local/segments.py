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
_SOFT_FRAMES = 5  # 0.1 s before the first one with a voice, and after the last: a soft sound
_MAX_FRAMES = 15_000 // FRAME_MS  # the model takes some 20 s
_CUT_SEARCH_FRAMES = 3_000 // FRAME_MS  # before that bound, among which it is cut at the quietest
# The longer somebody talks, the shorter the pause that may end the segment: a cut in a short
# pause costs less than one in the middle of a word at the length the model can still take.
_PAUSE_MS = ((4_000, 600), (8_000, 400), (12_000, 200), (15_000, 100))
_PAUSES = tuple((ms // FRAME_MS, pause // FRAME_MS) for ms, pause in _PAUSE_MS)


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of speech; `start` is its byte position in the audio that was pushed.

    Of its bytes `lead` come before anybody is heard, and `tail` after that.
    """

    index: int
    start: int
    audio: bytes
    complete: bool
    lead: int = 0
    tail: int = 0

    @property
    def voice(self) -> tuple[int, int]:
        """The byte positions from which to which somebody is heard."""
        return self.start + self.lead, self.end - self.tail

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
        self._lead = 0  # bytes of it before its first voice
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
        return self._segment(self._quiet, len(self._audio), complete=False)

    def flush(self) -> Segment | None:
        """End the speech at hand, if any, as when the audio ends here."""
        self._audio += self._rest
        self._rest.clear()
        if not self._speaking:
            return None
        self._speaking = False
        return self._finish_in_pause()

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
            voice = len(self._recent) - self._recent.index(True) + _SOFT_FRAMES
            self._lead = max(0, len(self._audio) - voice * FRAME_BYTES)
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
        return self._finish_in_pause()

    def _finish_in_pause(self) -> Segment:
        tail = min(_TAIL_FRAMES, self._quiet // 2 + 1, self._quiet)
        return self._finish(len(self._audio) - (self._quiet - tail) * FRAME_BYTES, tail)

    def _quietest_cut(self) -> int:
        def loudness(at: int) -> int:
            samples = memoryview(bytes(self._audio[at : at + FRAME_BYTES])).cast("h")
            return max(samples) - min(samples)

        first = len(self._audio) - _CUT_SEARCH_FRAMES * FRAME_BYTES
        return min(range(first, len(self._audio), FRAME_BYTES), key=loudness)

    def _finish(self, size: int, quiet: int = 0) -> Segment:
        segment = self._segment(quiet, size, complete=True)
        self._forget(size)
        self._index += 1
        self._lead = 0
        self._recent.clear()
        return segment

    def _segment(self, quiet: int, size: int, *, complete: bool) -> Segment:
        """Return one of so many bytes; `quiet` frames at its end are without a voice."""
        audio, tail = bytes(self._audio[:size]), max(0, quiet - _SOFT_FRAMES) * FRAME_BYTES
        return Segment(self._index, self._start, audio, complete, self._lead, tail)

    def _forget(self, size: int) -> None:
        del self._audio[:size]
        self._start += size
