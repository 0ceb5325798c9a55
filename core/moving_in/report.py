"""What moving in has done: counts for each kind of row, and what could not be moved or was mended.

Codes and numbers only; web/moving_in.py has the words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "users", "spaces", "members", "sessions", "participants", "utterances", "usage", "analyses"
]
EXAMPLES = 5  # ids that are shown of each


@dataclass(slots=True)
class Count:
    """Of one kind: the rows there, those added now, and those that are here already."""

    found: int = 0
    added: int = 0
    before: int = 0


@dataclass(slots=True)
class Note:
    """Something about rows of one kind: how many, and the ids of a few."""

    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """What came of it."""

    counts: dict[Kind, Count] = field(default_factory=dict)
    left: dict[str, Note] = field(default_factory=dict)  # by reason: rows that can't be moved
    mended: dict[str, Note] = field(default_factory=dict)  # by what was done: rows that were
    cost: float = 0.0  # of all usage that was added, as the old product reckoned it
    guests: int = 0  # speakers that had to be made, as nobody knows whose words they are

    def count(self, kind: Kind) -> Count:
        """Return the count of a kind."""
        return self.counts.setdefault(kind, Count())

    def leave(self, why: str, ids: Iterable[str | None]) -> None:
        """Note rows that aren't moved, and why."""
        _note(self.left, why, ids)

    def mend(self, how: str, ids: Iterable[str | None]) -> None:
        """Note rows that are moved though something about them can't be as it was."""
        _note(self.mended, how, ids)


def _note(notes: dict[str, Note], code: str, ids: Iterable[str | None]) -> None:
    for one in ids:
        note = notes.setdefault(code, Note())
        note.count += 1
        if len(note.examples) < EXAMPLES:
            note.examples.append(one or "")
