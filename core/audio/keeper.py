"""The keeper: the thread that makes files of the sound of all pages.

Encoding takes a hundredth of a core for each person who speaks, and disks wait as they like:
neither is for the event loop, on which captions are made. It hands over what was said to a queue,
bounded in bytes, and never waits. What the thread is too slow for isn't kept, and said to be
missing.

A file has what one page said within ten minutes at most, so that a line can be heard soon and
little is lost with one file. Silence that nobody transcribed wasn't handed over; where it was
short, it is in the file again, so that a sample's place in its file tells when it was said.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from core.audio.opus import OpusFile
from core.audio.shelf import Label, Shelf, recording_of
from core.audio.tape import Sound, Source, Tape
from core.metrics import SOUND_KEPT, SOUND_NOT_KEPT
from core.model import Page
from core.speech.engine import BYTES_PER_SAMPLE, SAMPLE_RATE
from core.store.recordings import Recording

log = logging.getLogger(__name__)

MAX_WAITING = 16 * 1024 * 1024  # bytes that may wait: five seconds of a hundred people who speak
# Of a file. One that has the first goes on until its page is silent, or has the second.
ENOUGH = 300 * SAMPLE_RATE
MOST = 600 * SAMPLE_RATE
# Silence that is in a file although it wasn't handed over; a longer one begins another. It takes
# as much computing as speech.
FILLED = 20 * SAMPLE_RATE
UNUSED_S = 30.0  # after which a file is closed: its lines can be heard from then on
LOOK_EVERY_S = 5.0
NEWS_EVERY_S = 60.0  # between two notices that sound isn't kept
STOP_WITHIN_S = 1.0

# Told of each recording, and for how many days it is kept; called in the keeper's thread.
Told = Callable[[Recording, int], None]


class Keeper:
    """Keeps what tapes hand over. All its methods are the event loop's, and `close` waits."""

    def __init__(self, shelf: Shelf, told: Told) -> None:
        self._shelf = shelf
        self._told = told
        self._waiting: deque[Sound] = deque()
        self._size = 0  # bytes that wait
        self._closed = False
        self._changed = threading.Condition()  # guards the three above
        self._reels: dict[Tape, _Reel] = {}  # of the thread alone, as what follows
        self._missing: dict[Tape, Sound] = {}  # that isn't told yet, as more may be missing
        self._said_at = -NEWS_EVERY_S
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def tape(self, session_id: str, page: Page, days: int) -> Tape:
        """Tapes: see core.room.ports."""
        return Tape(Source(session_id, *page, days), self._put)

    def close(self) -> bool:
        """Write what waits and close all files; returns whether that was done in time."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(STOP_WITHIN_S)
        return not self._thread.is_alive()

    def _put(self, sound: Sound) -> bool:
        size = len(sound.pcm)
        with self._changed:
            if size and self._size + size > MAX_WAITING:
                return False
            self._waiting.append(sound)
            self._size += size
            self._changed.notify()
        return True

    def _take(self) -> Sound | None:
        """Return what came first; None when nothing comes for a while, or ever."""
        with self._changed:
            if not self._waiting and not self._closed:
                self._changed.wait(LOOK_EVERY_S)
            if not self._waiting:
                return None
            sound = self._waiting.popleft()
            self._size -= len(sound.pcm)
            return sound

    def _run(self) -> None:
        looked_at = time.monotonic()
        while True:
            sound = self._take()
            if sound is not None:
                self._keep(sound)
            elif self._closed:
                break
            now = time.monotonic()
            if now - looked_at >= LOOK_EVERY_S:
                looked_at = now
                self._close_unused(now)
        for tape in {*self._reels, *self._missing}:
            self._end(tape)

    def _keep(self, sound: Sound) -> None:
        tape = sound.tape
        if not sound.pcm:
            if sound.samples:
                self._miss(sound)
            else:
                self._end(tape)
            return
        samples = len(sound.pcm) // BYTES_PER_SAMPLE
        try:
            self._reel(sound).write(sound)
        except Exception as problem:  # a full disk, or whatever: captions go on without it
            self._say(problem)
            self._miss(Sound(tape, sound.first, sound.at, samples=samples))
        else:
            SOUND_KEPT.inc(samples / SAMPLE_RATE)
            self._tell_missing(tape)

    def _reel(self, sound: Sound) -> _Reel:
        """Return the file that this goes into."""
        reel = self._reels.get(sound.tape)
        if reel is not None and not reel.fits(sound):
            self._end(sound.tape)
            reel = None
        if reel is None:
            reel = self._reels[sound.tape] = _Reel(self._shelf, sound)
        return reel

    def _miss(self, sound: Sound) -> None:
        """Note that so much couldn't be kept. The file ends before it: no silence stands for it."""
        SOUND_NOT_KEPT.inc(sound.samples / SAMPLE_RATE)
        reel = self._reels.pop(sound.tape, None)
        if reel is not None:
            self._tell(reel)
        known = self._missing.get(sound.tape)
        if known is not None:
            sound = known._replace(samples=sound.first + sound.samples - known.first)
        self._missing[sound.tape] = sound

    def _end(self, tape: Tape) -> None:
        reel = self._reels.pop(tape, None)
        if reel is not None:
            self._tell(reel)
        self._tell_missing(tape)

    def _tell(self, reel: _Reel) -> None:
        try:
            recording = reel.close()
        except Exception as problem:  # what is in the file can be heard, whatever the end lacks
            self._say(problem)
            return  # its label is unlocked: it is found as after a crash
        if recording is not None:
            self._told(recording, reel.label.days)

    def _tell_missing(self, tape: Tape) -> None:
        missing = self._missing.pop(tape, None)
        if missing is not None:
            label = _label(missing)
            self._told(recording_of(label, missing.samples, 0, ""), label.days)

    def _close_unused(self, now: float) -> None:
        for tape, reel in list(self._reels.items()):
            if now - reel.used_at > UNUSED_S:
                self._end(tape)
        for tape in list(self._missing):
            self._tell_missing(tape)

    def _say(self, problem: Exception) -> None:
        now = time.monotonic()
        if now - self._said_at >= NEWS_EVERY_S:
            self._said_at = now
            log.error("sound can't be kept: %s", problem)


class _Reel:
    """A file that is being written."""

    def __init__(self, shelf: Shelf, sound: Sound) -> None:
        """Begin one for this. Raises OSError and what FFmpeg raises."""
        self.label = _label(sound)
        self.used_at = 0.0  # a monotonic time
        self._shelf = shelf
        self._lock = shelf.begin(self.label)
        try:
            self._file = OpusFile(shelf.path(self.label.session_id, self.label.id))
        except BaseException:
            os.close(self._lock)
            shelf.finished(self.label, 0)
            raise

    @property
    def _next(self) -> int:
        return self.label.first + self._file.samples

    def fits(self, sound: Sound) -> bool:
        """Whether this goes on in the same file."""
        silence = sound.first - self._next
        if not 0 <= silence <= FILLED:
            return False
        return self._file.samples < (ENOUGH if silence else MOST)

    def write(self, sound: Sound) -> None:
        """Add this, behind the silence before it. Raises as the making does."""
        self.used_at = time.monotonic()
        silence = sound.first - self._next
        if silence:
            self._file.write(bytes(silence * BYTES_PER_SAMPLE))
        self._file.write(sound.pcm)

    def close(self) -> Recording | None:
        """End it, and return what it has become; None where nothing is in it."""
        try:
            self._file.close()
            return self._shelf.finished(self.label, self._file.samples)
        finally:
            os.close(self._lock)


def _label(sound: Sound) -> Label:
    session_id, identity, client, days = sound.tape.source
    begin = (sound.first, sound.at)
    return Label(
        str(uuid4()), session_id, identity, client, *begin, days, created_at=datetime.now(UTC)
    )
