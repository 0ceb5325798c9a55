"""Reads what was said: what is stored, what waits for that, and what a room hasn't handed over yet.

Everything that shows a transcript reads it here, so that the last words are in it right after the
end. What is on its way moves from the room to the writer and from there to the database; each is
asked before the next, so that nothing slips past between two questions.
"""

from __future__ import annotations

from typing import Protocol

from core.model import ChatLine, Utterance
from core.transcript.writer import TranscriptWriter
from core.waiting_line import WaitingLine


class Unfinished(Protocol):
    """What is underway in this process: its rooms."""

    def still_writing(self, session_id: str) -> bool:
        """Whether words are still being transcribed or held for a page."""

    def unstored(self, session_id: str) -> list[Utterance]:
        """Return the finals that pages have seen and that aren't stored yet."""


class TranscriptReader:
    """Transcripts of this process's rooms and of the database."""

    def __init__(self, rooms: Unfinished, writer: TranscriptWriter) -> None:
        self._rooms = rooms  # what isn't handed over yet, as it waits for older words
        self._writer = writer  # what isn't stored yet, and the database
        self.line = WaitingLine()  # for who wants all of a transcript, which may be a day's

    def is_growing(self, session_id: str) -> bool:
        """Whether words are still being transcribed, held for a page or on their way to storage.

        To be asked before `said`: what has come until then is in it.
        """
        return self._rooms.still_writing(session_id) or self._writer.stores(session_id)

    async def said(self, session_id: str) -> list[Utterance]:
        """Return the finals of a session by seq."""
        # Asked first: what the room hands over meanwhile is in what the writer tells.
        in_the_room = self._rooms.unstored(session_id)
        said = await self._writer.said(session_id)
        known = {one.place for one in said}
        # One that has another number by now is there with that.
        missing = [one for one in in_the_room if one.place not in known]
        return sorted([*said, *missing], key=lambda one: one.seq)

    async def chat(self, session_id: str) -> list[ChatLine]:
        """Return the chat lines of a session by id."""
        return await self._writer.chat(session_id)
