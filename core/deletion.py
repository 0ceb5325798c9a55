"""Deletes sessions, spaces and accounts: whoever is there is told first, then all goes at once.

What goes on is ended for everybody as a host ends it, and its last words and minutes are awaited,
so that nothing is written of what isn't there any more. Whether somebody may do it is asked of
core/access before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress

from core.access import SignedOutError, Succession, administers, succession
from core.conduct import Conduct
from core.database import Database
from core.model import Person, Session
from core.room.rooms import Rooms
from core.settings import Settings
from core.store import account, deletion
from core.store.account import AccountContents
from core.store.members import LastOwnerError

WRITTEN_WITHIN_S = 8.0  # that is waited for: last words take five seconds at most
LOOK_EVERY_S = 0.2


class ChangedError(Exception):
    """Something else would go than what was shown to who deletes it."""


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

    async def look_at_account(
        self, settings: Settings, person: Person
    ) -> tuple[AccountContents, Succession]:
        """Return what goes with an account, and who administers the server then.

        Raises LastAdministratorError.
        """
        contents = await account.look(self._db, person.id)
        others = await account.others(self._db, person.id, settings.admin_emails)
        return contents, succession(settings, person, others)

    async def account(self, settings: Settings, person: Person, seen: str | None) -> int:
        """Delete an account and the spaces in which nobody else is; return how many those were.

        `seen`: what they were shown, as `AccountContents.seen`. All of it goes in one transaction,
        which asks everything anew; what goes on in those spaces is ended before. Raises
        LastOwnerError, LastAdministratorError, ChangedError, and SignedOutError for who is gone.
        """
        contents = await self._may_go(settings, person, seen)
        open_ones = [
            session
            for space in contents.of_fate("goes")
            for session in await deletion.going_on(self._db, space.id)
        ]
        await self._end(open_ones, person)
        async with self._db.transaction():
            administering = administers(settings, person)
            if not await account.locked(self._db, person, administering=administering):
                raise SignedOutError
            contents = await self._may_go(settings, person, contents.seen)
            gone = await account.delete(self._db, person, contents)
        self._rooms.forget([one.id for one in open_ones])
        for session_id, identity in gone.knocking:
            self._rooms.stop_knocking(session_id, identity)
        await self._conduct.closed(gone.keys, gone.here)
        for user_id in gone.invited:
            await self._conduct.uninvite(settings, user_id)
        return len(contents.of_fate("goes"))

    async def _may_go(
        self, settings: Settings, person: Person, seen: str | None
    ) -> AccountContents:
        contents, _ = await self.look_at_account(settings, person)
        if contents.of_fate("blocks"):
            raise LastOwnerError
        if seen is not None and seen != contents.seen:
            raise ChangedError
        return contents

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
