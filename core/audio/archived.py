"""Recordings as what they hold, wherever they are: for who hears one, and for a space's archive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial

from core.access import NotFoundError
from core.archive import Extra
from core.audio.bucket import NOT_THERE, Bucket, BucketError
from core.audio.hearing import SoundAwayError, pieces
from core.audio.rounds import Rounds, key_of
from core.database import Database
from core.model import Session
from core.store import recordings
from core.store.recordings import Recording
from core.transcript.exports.names import plain_name

Reading = Callable[[int, int], AsyncGenerator[bytes]]  # from one byte to another, which counts


async def reading(sound: Rounds, found: Recording) -> Reading | None:
    """Return what reads a recording; None where there is none, or not at a place of ours."""
    if sound.bucket is not None and found.place == sound.bucket.place:
        return partial(_from_bucket, sound.bucket, key_of(found.session_id, found.id))
    if found.place != sound.shelf.place:
        return None
    path = sound.shelf.path(found.session_id, found.id)
    return partial(pieces, path) if await asyncio.to_thread(path.exists) else None


async def _from_bucket(bucket: Bucket, key: str, first: int, last: int) -> AsyncGenerator[bytes]:
    """Yield it. Raises SoundAwayError; NotFoundError where a bucket that is there hasn't it."""
    try:
        async with aclosing(bucket.get(key, first, last)) as some:
            async for piece in some:
                yield piece
    except BucketError as problem:
        if problem.status == NOT_THERE and problem.code != "NoSuchBucket":
            raise NotFoundError from problem
        raise SoundAwayError from problem


class Recordings:
    """The sound of sessions, as files of an archive: the second they begin at, and who it is."""

    def __init__(self, db: Database, sound: Rounds) -> None:
        self._db = db
        self._sound = sound

    async def __call__(self, session: Session) -> AsyncIterator[Extra]:
        """Yield them by when they begin; one that is deleted meanwhile isn't there."""
        async for one, name in recordings.of_session(self._db, session.id):
            read = await reading(self._sound, one)
            if read is None:
                continue
            async with aclosing(read(0, one.bytes - 1)) as some:
                try:
                    first = await anext(some, b"")
                except (NotFoundError, FileNotFoundError):
                    continue
                called = f"audio/{one.start:09.3f} {plain_name(name)} {one.id[:8]}.ogg"
                yield Extra(called, _whole(first, some, one.bytes), huge=False)


async def _whole(first: bytes, some: AsyncGenerator[bytes], size: int) -> AsyncIterator[bytes]:
    """Yield a file. Raises SoundAwayError where it ends too early, so that nobody is misled."""
    size -= len(first)
    yield first
    async for piece in some:
        size -= len(piece)
        yield piece
    if size:
        raise SoundAwayError
