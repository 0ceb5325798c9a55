"""The chat of a room: lines in order, each with an id that counts from 1."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from core.model import MAX_LINES, ChatLine, Participant
from core.room.wire import Chat, Message, WireError
from core.transcript.numbers import renumber_lines
from core.transcript.outbox import Entry


class ChatLog:
    """All lines of a session, encoded once."""

    def __init__(
        self, session_id: str, lines: list[ChatLine], keep: Callable[[Entry[ChatLine]], None]
    ) -> None:
        self._session_id = session_id  # which its lines are of
        self._keep = keep  # has them stored
        # In step, by id. Encoded for good: whoever comes gets all of them, again and again.
        self._ids = [line.id for line in lines]
        self._messages = [Message(_view(line)) for line in lines]

    def after(self, line_id: int) -> list[Message]:
        """Return the lines above this id; all when it is none of ours."""
        # A page may have seen lines of a process that died before it stored them.
        last = self._ids[-1] if self._ids else 0
        return self._messages[bisect_right(self._ids, line_id if line_id <= last else 0) :]

    def say(self, author: Participant, text: str) -> Message:
        """Give a text its id and place, keep it, and return it for everybody. Raises WireError."""
        if len(self._ids) >= MAX_LINES:
            raise WireError("chat_full")
        line = ChatLine(
            session_id=self._session_id,
            id=self._ids[-1] + 1 if self._ids else 1,
            identity=author.identity,
            name=author.name,
            hue=author.hue,
            role=author.role,
            text=text,
            sent_at=datetime.now(UTC),
        )
        self._keep(Entry(line))
        message = Message(_view(line))
        self._ids.append(line.id)
        self._messages.append(message)
        return message

    def renumber(self, stored: Iterable[ChatLine], waiting: Iterable[Entry[ChatLine]]) -> None:
        """Give lines that wait an id that no stored line has.

        Pages know a line by its id alone, so those that have it keep it as it is; who comes later
        gets all lines.
        """
        # All anew, as ids move about: it happens once in a while, if at all.
        known = renumber_lines(stored, waiting, max(self._ids, default=0))
        self._ids = sorted(known)
        self._messages = [Message(_view(known[one])) for one in self._ids]


def _view(line: ChatLine) -> Chat:
    return Chat(
        id=line.id,
        identity=line.identity,
        name=line.name,
        hue=line.hue,
        role=line.role,
        text=line.text,
        at=line.sent_at,
    )
