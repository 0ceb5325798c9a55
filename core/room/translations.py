"""Translations of what was said in one room: shown to who reads their language, and stored."""

from __future__ import annotations

from collections.abc import Iterable

from core.corrections import CorrectedUtterance
from core.model import MAX_UTTERANCES, Translated
from core.room.fanout import Fanout
from core.room.ports import Writer
from core.room.seat import Seat
from core.room.wire import Batch, Message, TranslationMessage
from core.spoken import MAX_TARGETS
from core.transcript.outbox import Entry

MAX_TRANSLATIONS = MAX_UTTERANCES * MAX_TARGETS  # of one session


class Translations:
    """All of a session's, while its room is in memory."""

    def __init__(
        self, session_id: str, known: Iterable[Translated], fanout: Fanout, writer: Writer
    ) -> None:
        self._session_id = session_id
        self._fanout = fanout  # everybody's pages
        self._writer = writer  # takes them out of memory
        # By language and the id of their utterance, in the order they came, as pages get them.
        self._of: dict[str, dict[str, Message]] = {}
        # Utterances by their id that are shown as something else by now, of which these aren't.
        self._void = set[str]()
        self._count = 0
        for one in known:
            self._put(one)

    def add(self, one: Translated) -> None:
        """Take a translation of a final; the first one of each language counts."""
        message = self._put(one)
        if message is None:
            return
        self._writer.keep_translation(Entry(one))
        if one.key not in self._void:
            self._tell(one.language, message)

    def correct(self, corrected: Iterable[CorrectedUtterance]) -> None:
        """Show no translation of what was corrected, and again that of what was restored.

        Pages let those go that they have of what is told them to be corrected.
        """
        for one in corrected:
            if not one.as_heard:
                self._void.add(one.key)
                continue
            self._void.discard(one.key)
            for language, of in self._of.items():
                if one.key in of:
                    self._tell(language, of[one.key])

    def _tell(self, language: str, message: Message) -> None:
        readers = [seat for seat in self._fanout.seats if seat.reads == language]
        if readers:
            self._fanout.deliver()  # what they are of comes first
            batch = Batch([message])
            for seat in readers:
                seat.listener.send(batch)

    def _put(self, one: Translated) -> Message | None:
        of = self._of.setdefault(one.language, {})
        if one.key in of or self._count >= MAX_TRANSLATIONS:
            return None
        self._count += 1
        of[one.key] = message = Message(TranslationMessage(one.key, one.language, one.text))
        return message

    def replayed(self, seat: Seat, language: str | None) -> list[Message]:
        """Note what a page reads, and return all that there is in that language.

        All, as which of them a page lacks isn't known: each comes later than its final.
        """
        seat.reads = language
        of = self._of.get(language or "", {})
        return [message for key, message in of.items() if key not in self._void]

    def show(self, seat: Seat, language: str | None) -> None:
        """Have a page read this language from now on, and send it what there is."""
        if language == seat.reads or seat not in self._fanout.seats:
            return
        messages = self.replayed(seat, language)
        self._fanout.deliver()
        if messages:
            seat.listener.replay(messages)
