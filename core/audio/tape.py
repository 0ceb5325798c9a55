"""A tape: the sound of one page on its way to the keeper, a second at a time.

The microphone hands over each frame as it feeds its stretch; a queue of frames would cost the event
loop more than all else about them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from core.speech.engine import BYTES_PER_SAMPLE, SAMPLE_RATE

BLOCK = SAMPLE_RATE * BYTES_PER_SAMPLE  # bytes that are handed over at once


class Source(NamedTuple):
    """Whose sound it is, and for how many days it is kept."""

    session_id: str
    identity: str
    client: str
    days: int


class Sound(NamedTuple):
    """PCM16 from the sample `first` of its page on, which is at the second `at` of the session.

    Without any it is `samples` that couldn't be handed over, or the end where those are 0, too.
    """

    tape: Tape
    first: int
    at: float
    pcm: bytes = b""
    samples: int = 0


class Tape:
    """Takes the sound of one page: see core.speech.hearing.Tape. On the event loop's thread."""

    __slots__ = ("_at", "_blocks", "_first", "_missed", "_next", "_put", "_size", "source")

    def __init__(self, source: Source, put: Callable[[Sound], bool]) -> None:
        self.source = source
        self._put = put  # takes what is full; False: it has no place for it
        self._blocks: list[bytes] = []  # what isn't handed over yet
        self._size = 0  # its bytes
        self._first = 0  # its first sample
        self._at = 0.0  # and when that was spoken, in seconds of the session
        self._next = 0  # the sample behind all that was taken
        self._missed: Sound | None = None  # what the keeper had no place for, not told yet

    def take(self, first: int, pcm: bytes, at: float) -> None:
        """Tape: see there."""
        if first < self._next:  # a stretch begins with what the one before had, too
            again = self._next - first
            pcm = pcm[again * BYTES_PER_SAMPLE :]
            first, at = self._next, at + again / SAMPLE_RATE
        if not pcm:
            return
        if first != self._next:
            self._hand_over()
        if not self._blocks:
            self._first, self._at = first, at
        self._blocks.append(pcm)
        self._size += len(pcm)
        self._next = first + len(pcm) // BYTES_PER_SAMPLE
        if self._size >= BLOCK:
            self._hand_over()

    def finish(self) -> None:
        """Tape: see there."""
        self._hand_over()
        self._tell_missed()
        self._put(Sound(self, self._next, self._at))

    def _hand_over(self) -> None:
        if not self._blocks:
            return
        sound = Sound(self, self._first, self._at, b"".join(self._blocks))
        self._blocks, self._size = [], 0
        # First what was missed: the file ends there.
        if (self._missed is None or self._tell_missed()) and self._put(sound):
            return
        self._miss(sound)

    def _miss(self, sound: Sound) -> None:
        samples, missed = len(sound.pcm) // BYTES_PER_SAMPLE, self._missed
        if missed is None:
            self._missed = Sound(self, sound.first, sound.at, samples=samples)
        else:
            whole = sound.first + samples - missed.first
            self._missed = missed._replace(samples=whole)

    def _tell_missed(self) -> bool:
        if self._missed is not None and self._put(self._missed):
            self._missed = None
        return self._missed is None
