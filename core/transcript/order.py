"""The finals of a session by number, as they are shown, and which of them a page still lacks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping
from typing import Generic

from core.model import MAX_UTTERANCES, Page
from core.transcript.numbers import Trust
from core.transcript.ports import Shown


class Order(Generic[Shown]):
    """What is shown of each final, by seq.

    Numbers have no holes, except where a row was lost to a damaged database, or an owner of the
    room died before it stored one.
    """

    def __init__(self, finals: Mapping[int, Shown], *, ours: bool) -> None:
        # In step: numbers, rising, and what is shown of each.
        self._seqs = list(finals)
        self._shown = list(finals.values())
        # Whose numbers are ours. Somebody who had the room before, also this process before it
        # crashed, may have shown more than it could store: the same numbers are given again here.
        self._trust = Trust(MAX_UTTERANCES if ours else self.last)

    def __len__(self) -> int:
        return len(self._seqs)

    @property
    def last(self) -> int:
        """The number of the newest, 0 without any."""
        return self._seqs[-1] if self._seqs else 0

    def append(self, seq: int, shown: Shown) -> None:
        """Add one behind the last."""
        self._seqs.append(seq)
        self._shown.append(shown)

    def replace(self, seq: int, shown: Shown) -> None:
        """Show another thing under a number, if there is such a one."""
        place = bisect_left(self._seqs, seq)
        if place < len(self._seqs) and self._seqs[place] == seq:
            self._shown[place] = shown

    def rearrange(self, gone: Collection[int], anew: Mapping[int, Shown], first: int) -> None:
        """Take numbers away, then set others; from `first` on, no page's numbers are believed."""
        shown = dict(zip(self._seqs, self._shown, strict=True))
        for seq in gone:
            shown.pop(seq, None)  # an owner before us may have had it, and shown it elsewhere
        shown.update(anew)
        self._seqs = sorted(shown)
        self._shown = [shown[seq] for seq in self._seqs]
        self._trust.doubt(first)

    def after(self, page: Page, seq: int) -> tuple[int, list[Shown]]:
        """Return what a page lacks that has seen finals up to `seq`; see TranscriptLog.catch_up."""
        limit = self._trust.limit(page, seq)
        seen = min(seq if seq <= self.last else 0, limit)
        return min(self.last, limit), self._shown[bisect_right(self._seqs, seen) :]

    def trust(self, page: Page) -> None:
        """Believe a page whatever it says that it has seen."""
        self._trust.trust(page)
