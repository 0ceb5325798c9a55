"""What is transcribed of a recording, and in which steps: values, and what an engine offers.

A recording is a file that somebody has made elsewhere. A *track* of it is one speaker's sound: all
of a file, or one of its channels. Nothing of it is heard as it is spoken, so there are no partials,
nobody waits for a caption, and a process may end in the middle and another go on.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from core.speech.engine import Recognition, StreamOptions, Translation

# Of a recording: longer than any meeting, and a day's work of a machine for the local engine.
MAX_SECONDS = 12 * 3600.0
# Of a file: what devices for a table of people record. One of 64 is a mistake, or meant badly.
MAX_CHANNELS = 8
# Letters of `Part.state`: jobs under way at a service, and which stretches were sent to it.
MAX_STATE = 65_536

Unreadable = Literal[
    "not_media",  # not a file of sound that is known here, or so broken that nothing is found in it
    "no_sound",  # a film or picture without any, or a track that doesn't exist
    "too_long",  # than MAX_SECONDS
    "too_many_channels",  # than MAX_CHANNELS
    "too_hard",  # it took more time or memory than any sound recording needs
    "gone",  # the file isn't there any more, or can't be opened
]


class UnreadableError(Exception):
    """A file that can't be transcribed; trying again can't help. `why` is a code, no words."""

    def __init__(self, why: Unreadable) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Track:
    """One speaker's sound: a file, or one of its channels.

    `channel` counts from 0; None: all channels, mixed to one.
    """

    path: Path
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file is: how many seconds it says to last, and how many channels of sound it has.

    A file that was cut off may be shorter than it says, and some don't say: then it was measured.
    """

    seconds: float
    channels: int


@dataclass(frozen=True, slots=True)
class Begun:
    """Where an earlier `transcribe` came to: of its last `Part` that was stored."""

    until: float = 0.0
    state: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """The next of what is heard in a track, to be stored as a whole before the next is asked for.

    Times are seconds of the track. Parts follow each other: no final of a later one ends before
    `until` of an earlier one, and together with `lost` they are all there is to say of the track up
    to `until`. A part may have no words and only move `until`, or `state`.
    """

    # In order of their beginning. An `utterance` is unique within the track, after a restart too.
    finals: tuple[Recognition, ...] = ()
    translations: tuple[Translation, ...] = ()  # of these finals
    # From where to where in the track nothing can be transcribed, though somebody may have spoken.
    lost: tuple[tuple[float, float], ...] = ()
    until: float = 0.0  # of the track is done for good; it never shrinks
    state: str = ""  # at most MAX_STATE letters of JSON, for `Begun` alone
    # Seconds of sound given to the engine for this part, silence left out: what is paid for. Each
    # second of a track is counted once, whatever happens.
    seconds_sent: float = 0.0


class Transcriber(Protocol):
    """What an engine offers for recordings."""

    def transcribe(
        self, track: Track, options: StreamOptions, begun: Begun
    ) -> AsyncGenerator[Part]:
        """Yield what is heard in a track from `begun` on; it ends with the track's last part.

        The next part isn't worked on before it is asked for, so that what was stored and what
        `begun` says are the same. Close the iterator (`contextlib.aclosing`) to give up: what is
        under way here ends then, and a later call with the last stored part goes on from there.

        Of `options`, `speaker`, `since` and `memory` are of no matter. Raises EngineError
        (`retry` says whether it is worth trying again later), NoSlotError (the service takes no
        further job now: try again later) and UnreadableError (never again).
        """

    async def forget(self, begun: Begun) -> None:
        """Give up a track for good: delete what a service may still have of it. Never raises."""
