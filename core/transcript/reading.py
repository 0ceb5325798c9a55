"""Reads what was said: what is stored, what waits for that, and what a room hasn't handed over yet.

Everything that shows a transcript reads it here, so that the last words are in it right after the
end. What is on its way moves from the room to the writer and from there to the database; each is
asked before the next, so that nothing slips past between two questions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from core import lines
from core.database import Database
from core.lines import BEGIN, Key, Line, LineId
from core.model import Session, Utterance
from core.store import lines as stored
from core.store import pauses, translations, uploads
from core.transcript.writer import TranscriptWriter
from core.waiting_line import WaitingLine

AT_ONCE = 1_000  # lines of one read where all are wanted: some milliseconds of the loop

Side = Literal["after", "before"]


class Unfinished(Protocol):
    """What is underway in this process: its rooms."""

    def still_writing(self, session_id: str) -> bool:
        """Whether words are still being transcribed or held for a page."""

    def unstored(self, session_id: str) -> list[Utterance]:
        """Return the finals that pages have seen and that aren't stored yet."""


@dataclass(frozen=True, slots=True)
class Window:
    """Some lines of a transcript, in order. `whole`: there are no more on the side asked for."""

    lines: list[Line]
    whole: bool


def zero_of(session: Session) -> datetime:
    """Return when a session's second 0 was, from which the times of its lines count."""
    return session.started_at or session.created_at


class TranscriptReader:
    """Transcripts of this process's rooms and of the database."""

    def __init__(self, db: Database, rooms: Unfinished, writer: TranscriptWriter) -> None:
        self._db = db
        self._rooms = rooms  # what isn't handed over yet, as it waits for older words
        self._writer = writer  # what isn't stored yet
        self.line = WaitingLine()  # for who wants all of a transcript, which may be a day's

    def is_growing(self, session_id: str) -> bool:
        """Whether words are still being transcribed, held for a page or on their way to storage.

        To be asked before what is read: what has come until then is in it.
        """
        return self._rooms.still_writing(session_id) or self._writer.stores(session_id)

    async def grows(self, session: Session) -> bool:
        """Whether there will be more of a transcript: its session goes on, or it is growing."""
        if not session.over or self.is_growing(session.id):
            return True
        return session.uploaded_at is not None and await uploads.is_underway(self._db, session.id)

    async def window(
        self,
        session: Session,
        side: Side,
        key: Key,
        most: int,
        *,
        speaker: str | None = None,
        hidden: bool = False,
        written: bool = True,
    ) -> Window:
        """Return the lines nearest to a place on this side of it, with the pauses among them.

        About `most` of them: what isn't stored yet comes in addition. `speaker` is whose alone are
        wanted, without pauses; `hidden` shows what was hidden, too, and `written` the chat.
        """
        zero = zero_of(session)
        # Asked first, in this order: what moves on meanwhile is found where it comes to.
        late = {one.place: one for one in self._unstored(session.id)}
        chat_lines = self._writer.unstored_chat(session.id) if written else []
        known = await stored.known(self._db, session.id, late) if late else set[stored.Place]()
        found = await stored.window(
            self._db,
            session.id,
            zero,
            side,
            key,
            most=most + 1,
            speaker=speaker,
            hidden=hidden,
            written=written,
        )
        said = [one for place, one in late.items() if place not in known | found.places]
        chat = {one.key.number for one in found.lines if one.kind == "chat"}
        whole = len(found.lines) <= most  # one more was asked for, to know that
        read = found.lines[:most] if side == "after" else found.lines[-most:]
        more: list[Line] = []
        if said or chat_lines:
            renamed = await stored.speakers(self._db, session.id)
            more += [lines.of_utterance(one, renamed) for one in said]
            more += [lines.of_chat(one, zero, renamed) for one in chat_lines if one.id not in chat]
        if speaker is None:
            more += lines.of_pauses(await pauses.of_session(self._db, session.id), zero)
        else:
            more = [one for one in more if one.speaker is not None and one.speaker.id == speaker]
        # What stands beyond the last line that was read is in the next window.
        edge = None if whole else read[-1 if side == "after" else 0].key
        among = [one for one in more if _is_between(one.key, side, key, edge)]
        return Window(sorted([*read, *among], key=lambda one: one.key), whole)

    async def all(
        self, session: Session, *, hidden: bool = False, written: bool = True
    ) -> AsyncIterator[list[Line]]:
        """Give all lines of a session in order, some at a time: a day's need no memory."""
        key = BEGIN
        while True:
            window = await self.window(
                session, "after", key, AT_ONCE, hidden=hidden, written=written
            )
            yield window.lines
            if window.whole or not window.lines:
                return
            key = window.lines[-1].key

    async def translated(
        self, session: Session, said: list[Line], language: str | None
    ) -> list[Line]:
        """Return lines in a language, as far as there are translations of them; None: as they are.

        What isn't stored yet has none.
        """
        numbers = [one.key.number for one in said if one.kind == "speech"]
        if language is None or not numbers:
            return said
        found = await translations.of_lines(self._db, session.id, language, numbers)
        return [_in_language(one, found, language) for one in said]

    async def key_of(self, session: Session, line: LineId) -> Key | None:
        """Return where a line is; None where there is none of this name."""
        for one in self._unstored(session.id):
            if line == LineId(lines.SPEECH, one.seq):
                return Key(one.start, lines.SPEECH, one.seq)
        return await stored.key_of(self._db, session.id, zero_of(session), line)

    def _unstored(self, session_id: str) -> list[Utterance]:
        return [*self._rooms.unstored(session_id), *self._writer.unstored(session_id)]


def _in_language(one: Line, found: Mapping[int, tuple[str, str]], language: str) -> Line:
    heard, text = found.get(one.key.number, ("", "")) if one.kind == "speech" else ("", "")
    return one.translated(text, language) if text and heard == one.text else one


def _is_between(key: Key, side: Side, begin: Key, edge: Key | None) -> bool:
    if side == "after":
        return key > begin and (edge is None or key <= edge)
    return key < begin and (edge is None or key >= edge)
