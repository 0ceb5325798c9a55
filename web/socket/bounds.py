"""What one socket may send beside whole messages, and how long it is waited for: docs/limits.md.

What a message says is judged where it is understood, in routes/ws.py and core.speech.microphone.
Here are the bounds of frames, which nobody else sees.
"""

from __future__ import annotations

from core.rate_limit import Allowance

# Frames of one socket per turn of the event loop. A tick of audio from one page has one to three;
# 16 of the most expensive ones take a millisecond. See web.socket.turns.
FRAMES_PER_TURN = 16

# Pings, pongs and fragments. Browsers send a pong every 20 s and no fragments below 64 kB, other
# clients a ping every 20 s. A hundred a second costs 0.2 % of a core; a line that is measured by
# pings stays within that.
ODD_FRAMES_IN_HAND = 1000
ODD_FRAMES_PER_S = 100

# Fragments of one message, which has at most 64 kB: libraries that cut do so at 4 kB or more.
MAX_FRAGMENTS = 100

# Reads of fewer bytes than any network's packets have that end within a frame: each costs as much
# as a frame. A frame of 100 ms of audio that comes byte by byte takes 3,200 of them.
SMALL_READ = 128  # bytes
SMALL_READS_IN_HAND = 10_000
SMALL_READS_PER_S = 500

# After a close that the page hasn't answered yet, what was on its way is read up to here: a socket
# buffer's worth of audio is 80 frames.
LATE_FRAMES = 256

GOODBYE_S = 5.0  # seconds that a page has to take what was sent to it before the close
FLOOD_GOODBYE_S = 2.0  # the same for who sent too much
STOP_GOODBYE_S = 2.0  # the same when the server stops, which must be done within 8


class FrameBounds:
    """Counts what one socket sends beside whole messages."""

    __slots__ = ("_odd", "_small")

    def __init__(self) -> None:
        self._odd = Allowance(ODD_FRAMES_IN_HAND, ODD_FRAMES_PER_S)
        self._small = Allowance(SMALL_READS_IN_HAND, SMALL_READS_PER_S)

    def odd_frame(self, fragments: int, now: float) -> str | None:
        """Count a frame that is no whole message, in one that has so many fragments already.

        Returns the bound that it passes, if any.
        """
        if fragments >= MAX_FRAGMENTS:
            return "fragments"
        return None if self._odd.spend(now) else "frames"

    def small_read(self, now: float) -> str | None:
        """Count a small read that ended within a frame. Returns the bound that it passes."""
        return None if self._small.spend(now) else "pieces"
