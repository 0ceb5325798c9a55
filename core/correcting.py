"""Correcting a transcript: the database first, then its room, here and at other nodes.

What a correction makes of lines is core/store/corrections.py's; whether somebody may is asked of
core/access before.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

from core.corrections import (
    MAX_TEXT,
    NAME_LENGTH,
    By,
    Change,
    History,
    NotStoredYetError,
    NoWordsError,
    Seen,
    Target,
    TooLongError,
    UnknownLineError,
)
from core.database import Database, DatabaseAwayError
from core.lines import LineId
from core.model import Utterance
from core.room.commands import Correct
from core.room.rooms import Rooms
from core.store import corrected, corrections, speakers
from core.text import belongs_to_last, display_name, is_drawn, spoken

JOINER = "\u200d"  # of emoji: what follows is drawn on what stands before
_BREAK = re.compile(r"\r\n|\r|\n")
T = TypeVar("T")


class Waiting(Protocol):
    """What waits to be stored: TranscriptWriter."""

    def unstored(self, session_id: str) -> list[Utterance]:
        """Return the finals of a session that wait."""


class Correcting:
    """What members and hosts make of a transcript. Each act raises what its store's does.

    A line that was said a moment ago isn't stored yet: NotStoredYetError.
    """

    def __init__(self, db: Database, rooms: Rooms, waiting: Waiting) -> None:
        self._db = db
        self._rooms = rooms  # which show it at once
        self._waiting = waiting  # beside what rooms haven't handed over

    async def edit(
        self, by: By, run: Sequence[Seen], text: str | None, to: Target | None
    ) -> list[Change]:
        """Give the first of these lines other words, and all of them another speaker.

        No line may be among them twice, and at most MAX_RUN.
        Each line of the text is a line of its own then; None leaves words, or speakers, as they
        are. Raises NoWordsError and TooLongError, too.
        """
        texts = None if text is None else texts_of(text)
        if to is not None and to.name is not None:
            to = Target(name=name_of(to.name))
        done = await self._known(by, run, corrections.edit(self._db, by, run, texts, to))
        await self._show(by.session)
        return done

    async def hide(self, by: By, seen: Seen, *, hidden: bool) -> list[Change]:
        """Hide a line, or show it again."""
        act = corrections.hide(self._db, by, seen, hidden=hidden)
        done = await self._known(by, [seen], act)
        await self._show(by.session)
        return done

    async def join(self, by: By, first: Seen, second: Seen) -> list[Change]:
        """Join a line to the one that follows it."""
        act = corrections.join(self._db, by, first, second)
        done = await self._known(by, [first, second], act)
        await self._show(by.session)
        return done

    async def restore(self, by: By, line: LineId, seen: int) -> list[int]:
        """Have a line as it was heard; return the numbers of the utterances it was made of."""
        act = corrections.restore(self._db, by, line, seen)
        done = await self._known(by, [Seen(line, seen)], act)
        await self._show(by.session)
        return done

    async def rename(self, by: By, speaker: str, seen: int, name: str) -> bool:
        """Have a speaker called so in this session. Raises NoWordsError, too."""
        named = name_of(name)
        done = await speakers.rename(self._db, by, speaker, seen, named)
        await self._show(by.session)
        return done

    async def history(self, session_id: str, line: LineId) -> History:
        """Return how a line came to be as it is. Raises UnknownLineError or NotStoredYetError."""
        try:
            return await corrected.history(self._db, session_id, line)
        except UnknownLineError:
            self._check_stored(session_id, {line.number})
            raise

    async def catch_up(self) -> None:
        """Let rooms show what was corrected at another node, or while they were loaded."""
        await self._catch_up(
            {room.session.id: room.captions.corrected_to for room in self._rooms.all}
        )

    async def _show(self, session_id: str) -> None:
        room = self._rooms.room(session_id)
        if room is not None:
            with suppress(DatabaseAwayError):  # it is caught up with
                await self._catch_up({session_id: room.captions.corrected_to})

    async def _catch_up(self, known: Mapping[str, int]) -> None:
        if known:
            for session_id, news in (await corrected.news(self._db, known)).items():
                self._rooms.tell(session_id, Correct(news))

    async def _known(self, by: By, run: Sequence[Seen], act: Awaitable[T]) -> T:
        try:
            return await act
        except UnknownLineError:
            self._check_stored(by.session, {one.line.number for one in run})
            raise

    def late(self, session_id: str) -> set[int]:
        """Return the numbers of what isn't stored yet, so that it can't be corrected."""
        late = [*self._rooms.unstored(session_id), *self._waiting.unstored(session_id)]
        return {one.seq for one in late}

    def _check_stored(self, session_id: str, seqs: Collection[int]) -> None:
        if not self.late(session_id).isdisjoint(seqs):
            raise NotStoredYetError


def texts_of(text: str) -> list[str]:
    """Return the lines of a text that somebody typed. Raises NoWordsError or TooLongError.

    None begins with what is drawn on the character before it.
    """
    if len(text) > MAX_TEXT:
        raise TooLongError
    lines = list[str]()
    for line in _BREAK.split(text):
        begin = next((i for i, c in enumerate(line) if not belongs_to_last(c)), len(line))
        if lines and lines[-1].endswith(JOINER):
            begin += 1
        if lines:
            lines[-1] += line[:begin]
        lines.append(line[begin:] if lines else line)
    found = [one for one in map(spoken, lines) if is_drawn(one)]
    if not found:
        raise NoWordsError
    return found


def name_of(text: str) -> str:
    """Return what a speaker is to be called. Raises NoWordsError."""
    name = display_name(text, 1, NAME_LENGTH)
    if name is None:
        raise NoWordsError
    return name
