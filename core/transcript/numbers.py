"""Numbers that were given twice: what is stored keeps its number, what waits gets another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from core.model import ChatLine, Utterance
from core.transcript.outbox import Entry


class Numbering(Protocol):
    """What gives the numbers of a session and shows what has them: a room in memory."""

    def renumber(self, stored: Iterable[Utterance], waiting: Iterable[Entry[Utterance]]) -> None:
        """Bring the order of finals in line with what is stored."""

    def renumber_lines(
        self, stored: Iterable[ChatLine], waiting: Iterable[Entry[ChatLine]]
    ) -> None:
        """Bring the order of chat lines in line with what is stored."""


def renumber_lines(
    stored: Iterable[ChatLine], waiting: Iterable[Entry[ChatLine]], last: int = 0
) -> dict[int, ChatLine]:
    """Give waiting lines whose number is taken the next ones; return all by number.

    `last` is the highest number that was given so far.
    """
    known = {line.id: line for line in stored}
    last = max([*known, last])
    for entry in waiting:
        line = entry.value
        if line.id in known and not _same(known[line.id], line):
            last += 1
            entry.value = replace(line, id=last)
        known[entry.value.id] = entry.value
    return known


def _same(one: ChatLine, other: ChatLine) -> bool:
    """Whether this is a repetition; how its author is shown may have changed meanwhile."""
    return (one.identity, one.sent_at, one.text) == (other.identity, other.sent_at, other.text)
