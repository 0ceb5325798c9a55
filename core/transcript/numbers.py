"""Numbers that were given twice: what is stored keeps its number, what waits gets another.

A session's numbers are given in one room at a time, but an owner that died may have shown some
that were never stored, and somebody may write into the table by hand. Either way two things had
one number, and a page that says "I have all up to 17" may mean another 17.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Protocol

import msgspec

from core.model import MAX_UTTERANCES, ChatLine, Page, Utterance
from core.transcript.outbox import Entry

# Pages whose numbers a room knows to be its own; the oldest is forgotten and told more again.
# Ten times as many as may be connected at once.
MAX_TRUSTED = 2_000


class Numbering(Protocol):
    """What gives the numbers of a session and shows what has them: a room in memory."""

    def renumber(self, stored: Iterable[Utterance], waiting: Iterable[Entry[Utterance]]) -> None:
        """Bring the order of finals in line with what is stored."""

    def renumber_lines(
        self, stored: Iterable[ChatLine], waiting: Iterable[Entry[ChatLine]]
    ) -> None:
        """Bring the order of chat lines in line with what is stored."""


class Trust:
    """How far what a page says it has seen is what has these numbers here.

    Numbers up to a bound mean the same to everybody. Above it, only pages that are known to have
    got theirs here are believed; any other is shown again all that is above. A page that was away
    all the while a room had another owner, and comes when that one's numbers are stored, isn't
    found out: nothing it says tells whose numbers it means.
    """

    __slots__ = ("_sure", "_trusted")

    def __init__(self, sure: int) -> None:
        self._sure = sure  # the bound: a seq; it only ever sinks
        # Pages that have seen nothing above the bound but what was numbered here; the one that
        # was noted last is last.
        self._trusted: dict[Page, None] = {}

    def limit(self, page: Page, seq: int) -> int:
        """Return up to which number a page that has seen `seq` may be believed."""
        if seq <= self._sure:
            # Whatever it sees from now on has its number from here, even if the line breaks
            # before the first of it arrives.
            self.trust(page)
        return MAX_UTTERANCES if page in self._trusted else self._sure

    def trust(self, page: Page) -> None:
        """Note that a page has got what was shown to it again."""
        self._trusted.pop(page, None)
        self._trusted[page] = None
        if len(self._trusted) > MAX_TRUSTED:
            del self._trusted[next(iter(self._trusted))]

    def doubt(self, seq: int) -> None:
        """Note that numbers from this one on are given anew.

        Pages that are connected are shown that, but a line that breaks takes it along: so nobody
        is trusted any more.
        """
        self._sure = min(self._sure, seq - 1)
        self._trusted.clear()


def renumber_finals(
    taken: Mapping[int, Utterance], waiting: Iterable[Entry[Utterance]], last: int
) -> list[tuple[int, Entry[Utterance]]]:
    """Give waiting finals whose number is taken the next ones above `last`.

    What waits of several owners may have one number as well: the first keeps it. What a page said
    after one that got another number gets another, too, so that its words stay in order. Returns
    those that got another, each with the number that it had.
    """
    # What is stored under its own number was only not told yet: it doesn't clash with itself.
    stored = {one.place for one in taken.values()}
    seqs, moved, clashing = set(taken), set[Page](), []
    for one in waiting:
        if one.value.place in stored:
            continue
        if one.value.seq in seqs or one.value.page in moved:
            clashing.append((one.value.seq, one))
            moved.add(one.value.page)
        seqs.add(one.value.seq)
    for seq, (_, entry) in enumerate(clashing, start=last + 1):
        entry.value = msgspec.structs.replace(entry.value, seq=seq)
    return clashing


def renumber_lines(
    stored: Iterable[ChatLine], waiting: Iterable[Entry[ChatLine]], last: int = 0
) -> dict[int, ChatLine]:
    """Give waiting lines whose number is taken the next ones; return all by number.

    `last` is the highest number that was given so far.
    """
    known = {line.id: line for line in stored}
    ids = {_what(line): line.id for line in known.values()}
    last = max([*known, last])
    for entry in waiting:
        line = entry.value
        if _what(line) in ids:  # stored already, under a number that the file doesn't know
            entry.value = replace(line, id=ids[_what(line)])
        elif line.id in known:
            last += 1
            entry.value = replace(line, id=last)
        known[entry.value.id] = entry.value
    return known


def _what(line: ChatLine) -> tuple[str, datetime, str]:
    """Return what makes it this line: how its author is shown may have changed meanwhile."""
    return line.identity, line.sent_at, line.text
