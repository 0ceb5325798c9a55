"""Deletes sessions and spaces: whoever is there is told first, then what is stored goes at once.

What goes on is ended for everybody as a host ends it, and its last words and minutes are awaited,
so that nothing is written of what isn't there any more. Whether somebody may do it is asked of
core/access before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress

from core.conduct import Conduct
from core.database import Database
from core.model import Person, Session
from core.room.rooms import Rooms
from core.store import deletion

WRITTEN_WITHIN_S = 8.0  # that is waited for: last words take five seconds at most
LOOK_EVERY_S = 0.2


class Deletion:
    """Deletes what others may look at in this moment."""

    def __init__(self, db: Database, rooms: Rooms, conduct: Conduct) -> None:
        self._db = db
        self._rooms = rooms
        self._conduct = conduct

    async def sessions(self, going: Collection[Session], by: Person) -> int:
        """Delete sessions; return how many there were still."""
        ids = [one.id for one in going]
        await self._end([one for one in going if not one.over], by)
        many = await deletion.sessions(self._db, by, ids)
        self._rooms.forget(ids)
        return many

    async def space(self, space_id: str, by: Person, *, last: bool = False) -> None:
        """Delete a space, as `core.store.deletion.space` does, and raises."""
        open_ones = await deletion.going_on(self._db, space_id)
        await self._end(open_ones, by)
        await deletion.space(self._db, space_id, by, last=last)
        self._rooms.forget([one.id for one in open_ones])

    async def _end(self, open_ones: Collection[Session], by: Person) -> None:
        """End these for everybody, and wait until what was said last is written."""
        if not open_ones:
            return
        ending = (self._conduct.end(one, by=by.id, reason="ADMIN_ENDED") for one in open_ones)
        await asyncio.gather(*ending)
        ids = [one.id for one in open_ones]
        with suppress(TimeoutError):
            async with asyncio.timeout(WRITTEN_WITHIN_S):
                while await deletion.any_held(self._db, ids):  # noqa: ASYNC110 - others' too
                    await asyncio.sleep(LOOK_EVERY_S)
                await self._rooms.flush()
