"""The pace of one page's audio: nobody speaks faster than time passes.

What is faster is a broken or hostile client, which would cost as much as it can send. It is the
generic cell rate algorithm: https://www.itu.int/rec/T-REC-I.371, annex A.
"""

from __future__ import annotations

import time
from typing import Literal

from core.speech.engine import SAMPLE_RATE

# Seconds of audio that may come faster than real time: a resent backlog. A page keeps 600, and what
# a stalled line holds comes at once, too.
PACE_ALLOWANCE = 660.0


class AudioError(Exception):
    """What a page sent can't be taken as audio; `detail` is for whoever wrote the page."""

    def __init__(self, code: Literal["mic_off", "too_fast", "bad_message"], detail: str) -> None:
        super().__init__(detail)
        self.code: Literal["mic_off", "too_fast", "bad_message"] = code
        self.detail = detail
        self.seconds: float | None = None


class Pace:
    """Counts the audio that comes of one page."""

    __slots__ = ("_spoken_at",)

    def __init__(self) -> None:
        # When the audio so far was spoken at the earliest, if no more than the allowance was spoken
        # before it came. A monotonic time.
        self._spoken_at = time.monotonic() - PACE_ALLOWANCE

    def keep(self, samples: int, now: float) -> None:
        """Count so many samples that come at the monotonic time `now`. Raises AudioError."""
        spoken_at = self._spoken_at + samples / SAMPLE_RATE
        if spoken_at > now:
            raise AudioError("too_fast", "audio comes faster than it can have been spoken")
        earliest = now - PACE_ALLOWANCE
        self._spoken_at = spoken_at if spoken_at > earliest else earliest
