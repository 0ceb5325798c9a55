"""What becomes of recordings by themselves: the database learns of them, they move into the bucket,
their time runs out, and what is deleted is deleted for good.

All of it is decided by rows that go to one process each, so any number of processes may run this. A
database, a bucket or a disk that is away only makes it later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial

from core.audio.bucket import Bucket, BucketError
from core.audio.keeper import Keeper
from core.audio.shelf import Shelf
from core.database import Database, DatabaseAwayError
from core.repeating import again_and_again
from core.store import recordings
from core.store.recordings import Discarded, Recording

log = logging.getLogger(__name__)

TICK_S = 2.0
EXPIRE_EVERY_S = 10.0
LOOK_EVERY_S = 60.0  # for files that a process has left behind
AGAIN_AFTER = timedelta(minutes=1)  # what couldn't be moved or deleted
AT_ONCE = 100  # rows of one statement
MOVE_S = 45.0  # for one file, which has 1.5 MB: well within AGAIN_AFTER, see recordings.will_move
MOVED_AT_ONCE = 8  # files that are on their way to the bucket one after the other
NEWS_EVERY_S = 300.0  # between two notices of the same trouble
MOST_NEWS = 10  # in that time


class Rounds:
    """Looks after the recordings of a shelf, of a bucket, and of the database. Made in the loop."""

    def __init__(self, db: Database, shelf: Shelf, bucket: Bucket | None) -> None:
        self._db = db
        self.shelf = shelf
        self.bucket = bucket  # where recordings go; None: they stay on the shelf
        self.keeper = Keeper(shelf, self._told)
        self._loop = asyncio.get_running_loop()
        self._finished: asyncio.Queue[tuple[Recording, int]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._said: dict[str, float] = {}  # news, and when

    def start(self) -> None:
        """Begin; called once, in the running loop."""
        self.keeper.start()
        jobs: list[tuple[Callable[[], Awaitable[None]], float]] = [
            (self._expire, EXPIRE_EVERY_S),
            (self._discard, TICK_S),
            (self._look_for_left, LOOK_EVERY_S),
        ]
        if self.bucket is not None:
            jobs.append((partial(self._move, self.bucket), TICK_S))
        self._tasks = [asyncio.create_task(again_and_again(*job)) for job in jobs]
        self._tasks.append(asyncio.create_task(self._register()))

    async def close(self) -> None:
        """Close all files, and have the database know them if it is there.

        What it doesn't know then has its label, by which the next process finds it.
        """
        await asyncio.to_thread(self.keeper.close)
        await asyncio.sleep(0)  # what the thread has told comes in
        with suppress(DatabaseAwayError):
            while not self._finished.empty():
                await self._know(*self._finished.get_nowait())
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self.bucket is not None:
            await self.bucket.close()

    @property
    def places(self) -> list[str]:
        """Where we reach files."""
        return [self.shelf.place, *([self.bucket.place] if self.bucket else [])]

    def _told(self, recording: Recording, days: int) -> None:
        """Take what the keeper has finished, from its thread."""
        with suppress(RuntimeError):  # the loop is over: the file has its label
            self._loop.call_soon_threadsafe(self._finished.put_nowait, (recording, days))

    async def _register(self) -> None:
        while True:
            recording, days = await self._finished.get()
            while True:
                try:
                    await self._know(recording, days)
                    break
                except DatabaseAwayError:
                    await asyncio.sleep(TICK_S)
                except Exception:
                    log.exception("a recording could not be noted: it is tried again with others")
                    break

    async def _know(self, recording: Recording, days: int) -> None:
        known = await recordings.add(self._db, recording, days)
        if not recording.bytes:
            return
        if not known:  # its session was deleted meanwhile
            await asyncio.to_thread(self.shelf.remove, recording.session_id, recording.id)
        await asyncio.to_thread(self.shelf.known, recording.id)

    async def _look_for_left(self) -> None:
        left = await asyncio.to_thread(lambda: list(self.shelf.left_behind()))
        for label, recording in left:
            if recording is not None:
                await self._know(recording, label.days)

    async def _expire(self) -> None:
        while await recordings.expire(self._db, AT_ONCE) == AT_ONCE:
            pass

    async def _discard(self) -> None:
        """Delete the files of recordings that are no more."""
        claimed = await recordings.claim_discarded(self._db, self.places, AGAIN_AFTER, AT_ONCE)
        gone, away = list[Discarded](), False
        for one in claimed:
            if away and one.place != self.shelf.place:
                continue  # nobody waits for it once for each file
            if await self._deleted(one):
                gone.append(one)
            elif one.place != self.shelf.place:
                away = True
        if gone:
            await recordings.gone(self._db, gone)

    async def _deleted(self, one: Discarded) -> bool:
        try:
            if one.place == self.shelf.place:
                await asyncio.to_thread(self.shelf.remove, one.session_id, one.id)
            elif self.bucket is not None:
                await self.bucket.delete(key_of(one.session_id, one.id))
        except (OSError, BucketError) as problem:
            self._say("a recording can't be deleted yet: %s", problem)
            return False
        return True

    async def _move(self, bucket: Bucket) -> None:
        """Take recordings from the shelf to the bucket."""
        claimed = await recordings.claim_moves(
            self._db, self.shelf.place, AGAIN_AFTER, MOVED_AT_ONCE
        )
        for one in claimed:
            path = self.shelf.path(one.session_id, one.id)
            try:
                data = await asyncio.to_thread(path.read_bytes)
            except OSError as problem:  # this one's own trouble: others go on
                self._say("a recording can't be moved into the bucket: %s", problem)
                continue
            await recordings.will_move(self._db, one, bucket.place)
            try:
                async with asyncio.timeout(MOVE_S):
                    await bucket.put(key_of(one.session_id, one.id), data)
            except (TimeoutError, BucketError) as problem:
                news = "recordings wait in DATA_DIR, as the bucket can't be used: %s"
                self._say(news, problem)
                return
            await recordings.moved(self._db, one, bucket.place)

    def _say(self, news: str, problem: Exception) -> None:
        now = asyncio.get_running_loop().time()
        self._said = {one: at for one, at in self._said.items() if now - at < NEWS_EVERY_S}
        why = (isinstance(problem, OSError) and problem.strerror) or str(problem)
        text = news % (why or type(problem).__name__)
        if text not in self._said and len(self._said) < MOST_NEWS:
            self._said[text] = now
            log.warning("%s", text)


def key_of(session_id: str, recording: str) -> str:
    """Return the name of a recording's object in a bucket."""
    return f"{session_id}/{recording}.opus"
