"""Acts on what is spoken in sessions: the database first, then the rooms that are in memory.

But for what somebody says of themselves in a room: that holds there at once, as their next words
are heard by it, and is stored a moment later.
"""

from __future__ import annotations

import asyncio
import logging

from core.access import EndedError
from core.database import Database, DatabaseAwayError
from core.model import Person, Session
from core.problems import ProblemError
from core.room.commands import SetLanguage, SetSpoken
from core.room.rooms import Rooms
from core.spoken import Spoken, together
from core.store import participants, sessions
from core.store import spoken as store

log = logging.getLogger(__name__)

RETRY_S = 2.0  # between two tries to store what people speak, while the database is away


class OverheardError(ProblemError):
    """Somebody else has changed languages or words meanwhile; `now` is what they are."""

    status, code = 409, "changed_meanwhile"

    def __init__(self, now: Spoken) -> None:
        super().__init__()
        self.now = now


class Speaking:
    """What is said of languages and words, by whom it may be."""

    def __init__(self, db: Database, rooms: Rooms) -> None:
        self._db = db
        self._rooms = rooms
        self._unstored: dict[str, str | None] = {}  # what people speak, by identity
        self._storing: asyncio.Task[None] | None = None  # while there is some of that

    async def close(self) -> None:
        """Store no more of what people say they speak."""
        if self._storing is not None:
            self._storing.cancel()

    async def of_session(self, session: Session, spoken: Spoken, was: str) -> Session:
        """Have a session say this; `was` is the state that whoever changes it has seen.

        It holds for who begins to speak from now on. Raises EndedError when it is over, and
        OverheardError where it says something else by now.
        """
        now, done = await store.say_of_session(self._db, session.id, spoken, was)
        found = await sessions.find_by_id(self._db, session.id)
        if found is None or found.over:
            raise EndedError
        if not done:
            raise OverheardError(now)
        self._rooms.tell(session.id, self._news(found))
        return found

    async def of_space(self, space_id: str, by: Person, spoken: Spoken, was: str) -> None:
        """Have a space say this for its sessions likewise, those that go on too.

        Raises OverheardError.
        """
        now, done = await store.say_of_space(self._db, space_id, by, spoken, was)
        if not done:
            raise OverheardError(now)
        for room in self._rooms.all:
            if room.session.space == space_id and not room.over:
                found = await sessions.find_by_id(self._db, room.session.id)
                if found is not None:
                    self._rooms.tell(found.id, self._news(found))

    def _news(self, session: Session) -> SetSpoken:
        said = together(session.spoken, session.space_spoken, self._rooms.installation)
        return SetSpoken(said, session.mark)

    def of_participant(self, session_id: str, identity: str, language: str | None) -> None:
        """Have a participant speak this from now on; None: as the session has it."""
        self._rooms.tell(session_id, SetLanguage(identity, language))
        self._unstored[identity] = language
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store())

    async def _store(self) -> None:
        while self._unstored:
            identity, language = next(iter(self._unstored.items()))
            try:
                await participants.speaks(self._db, identity, language)
            except DatabaseAwayError:
                await asyncio.sleep(RETRY_S)
                continue
            except Exception as problem:  # refused: it holds in the room
                log.error("what somebody speaks isn't stored: %s", type(problem).__name__)
            if self._unstored.get(identity) == language:
                del self._unstored[identity]
