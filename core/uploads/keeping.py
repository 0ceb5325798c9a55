"""The sound of an upload, where its space has it kept: files as of what is said in a session.

They are made once all is transcribed, each of ten minutes of a speaker at most, and known to the
database one by one: so a process that ends in the middle is followed by one that goes on there.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from uuid import uuid4

from core.audio.keeper import MOST
from core.audio.opus import OpusFile
from core.audio.rounds import Rounds
from core.audio.shelf import Label, Shelf
from core.database import Database
from core.metrics import SOUND_KEPT, SOUND_NOT_KEPT
from core.speech.engine import BYTES_PER_SAMPLE, SAMPLE_RATE
from core.speech.recorded.decoding import Piece, sound
from core.speech.recorded.model import Track, UnreadableError
from core.store import recordings, upload_work
from core.store.upload_work import Work, WorkTrack

log = logging.getLogger(__name__)

TOGETHER = 10 * SAMPLE_RATE  # samples that are encoded in one go: a tenth of a second of a core


async def keep_sound(
    db: Database, rounds: Rounds, work: Work, track: WorkTrack, place: Track
) -> None:
    """Keep the sound of a track, from where it isn't kept yet. Raises GoneError.

    What can't be kept isn't: words don't depend on it.
    """
    first = await upload_work.recorded(db, work, track)
    try:
        async with aclosing(sound(place, first / SAMPLE_RATE)) as pieces:
            while await _keep_file(db, rounds, work, track, pieces):
                pass
    except (OSError, UnreadableError) as problem:
        SOUND_NOT_KEPT.inc(max(0.0, track.seconds - first / SAMPLE_RATE))
        log.error("the sound of an upload can't be kept: %s", problem)
    await upload_work.keep(db, work, track)


async def _keep_file(
    db: Database,
    rounds: Rounds,
    work: Work,
    track: WorkTrack,
    pieces: AsyncGenerator[Piece],
) -> bool:
    """Make the next file; False at the end of the track. Silence before the first sound is none."""
    reel: _Reel | None = None
    last = True
    try:
        async for piece in pieces:
            if reel is None:
                if not piece.pcm:
                    continue
                reel = await asyncio.to_thread(_Reel, rounds.shelf, _label(work, track, piece))
            reel.add(piece.pcm or bytes(piece.samples * BYTES_PER_SAMPLE))
            if reel.waiting >= TOGETHER:
                await asyncio.to_thread(reel.write)
            if reel.samples >= MOST:
                last = False
                break
        if reel is not None:
            await _finish(db, rounds, reel)
    finally:
        if reel is not None:
            reel.leave()
    return not last


async def _finish(db: Database, rounds: Rounds, reel: _Reel) -> None:
    recording = await asyncio.to_thread(reel.close)
    if recording is None:
        return
    SOUND_KEPT.inc(recording.seconds)
    if not await recordings.add(db, recording, reel.label.days):  # its session was deleted
        await asyncio.to_thread(rounds.shelf.remove, recording.session_id, recording.id)
    await asyncio.to_thread(rounds.shelf.known, recording.id)


def _label(work: Work, track: WorkTrack, piece: Piece) -> Label:
    return Label(
        id=str(uuid4()),
        session_id=work.session_id,
        identity=track.identity,
        client=track.stream,
        first=piece.start,
        start=piece.start / SAMPLE_RATE,
        days=work.audio_days,
        created_at=datetime.now(UTC),
    )


class _Reel:
    """A file that is being written. Methods but `add` and `leave` wait for the disk."""

    def __init__(self, shelf: Shelf, label: Label) -> None:
        self.label = label
        self.waiting = 0  # samples that aren't encoded yet
        self.samples = 0
        self._shelf = shelf
        self._pcm = bytearray()
        self._lock: int | None = shelf.begin(label)
        self._file = OpusFile(shelf.path(label.session_id, label.id))

    def add(self, pcm: bytes) -> None:
        """Take what comes next."""
        self._pcm += pcm
        self.waiting += len(pcm) // BYTES_PER_SAMPLE
        self.samples += len(pcm) // BYTES_PER_SAMPLE

    def write(self) -> None:
        """Encode what waits."""
        pcm, self._pcm, self.waiting = bytes(self._pcm), bytearray(), 0
        self._file.write(pcm)

    def close(self) -> recordings.Recording | None:
        """End it, and return what it has become."""
        if self.waiting:
            self.write()
        self._file.close()
        return self._shelf.finished(self.label, self.samples)

    def leave(self) -> None:
        """Let go of it: what wasn't ended is found as after a crash."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
