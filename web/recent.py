"""The last warnings and errors of this process, for who runs the server: in memory, and bounded.

What stands here stood in the log, as redacted as there, see web/logs.py; what the log leaves out is
counted all the same. Nothing of it is kept over a restart.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

KEPT = 100
KEPT_OF_A_KIND = 25  # so that whoever can cause one kind can't hide all others
MAX_KINDS = 500
MAX_TEXT = 300  # characters


@dataclass(frozen=True, slots=True)
class Trouble:
    """One line of the log."""

    at: datetime
    level: str
    place: str  # the part that tells it, and where it is told in the code
    text: str
    kind: str


class Recent:
    """The ring, and how many there were of each kind since the start."""

    def __init__(self) -> None:
        self._ring: list[Trouble] = []
        self._counts: Counter[str] = Counter()

    def count(self, record: logging.LogRecord) -> bool:
        """Count a record, in the place of a filter that lets all pass."""
        if record.levelno >= logging.WARNING:
            kind = kind_of(record)
            known = kind in self._counts or len(self._counts) < MAX_KINDS
            self._counts[kind if known else ""] += 1
        return True

    def add(self, record: logging.LogRecord, text: str) -> None:
        """Keep a record that was printed; `text` is what it says, without secrets."""
        at, place = datetime.fromtimestamp(record.created, UTC), f"{record.module}:{record.lineno}"
        kind = kind_of(record)
        self._ring.append(
            Trouble(at, record.levelname, f"{record.name} ({place})", text[:MAX_TEXT], kind)
        )
        same = [one for one in self._ring if one.kind == kind]
        if len(same) > KEPT_OF_A_KIND:
            self._ring.remove(same[0])
        del self._ring[:-KEPT]

    def troubles(self) -> list[Trouble]:
        """Return what is kept, the newest first."""
        return self._ring[::-1]

    def counts(self) -> list[tuple[str, int]]:
        """Return how many there were of each kind, the most first."""
        return self._counts.most_common()


def kind_of(record: logging.LogRecord) -> str:
    """Return the kind of a line: an event of the audit log, else its text before its values."""
    before = getattr(record, "template", None)  # as Bounded found it
    return f"{record.name} {getattr(record, 'kind', before or record.msg)}"[:MAX_TEXT]


recent = Recent()  # the log is the process's, and so is this
