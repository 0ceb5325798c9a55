"""The log of a session: what was said, in its order, and when a final may be stored.

It is in memory where the session's room is, and there alone: so a final has its number before any
database knows of it, and captions go on while that is away. What is shown of an utterance is the
room's affair. The log keeps what the room made of each, encoded once, and knows it by its number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial
from typing import Generic

import msgspec

from core.model import MAX_UTTERANCES, Page, Utterance
from core.transcript.numbers import renumber_finals
from core.transcript.order import Order
from core.transcript.outbox import Entry
from core.transcript.ports import FinalsWriter, LogSink, Shown
from core.transcript.turns import Turns

MAX_SPOKEN = MAX_UTTERANCES - 500  # finals with words; the rest is for gaps, which say what's lost


class TranscriptLog(Generic[Shown]):
    """What was said in one session, while its room is in memory."""

    def __init__(
        self,
        said: list[Utterance],
        writer: FinalsWriter,
        sink: LogSink[Shown],
        *,
        epoch: int,
        first: bool,
    ) -> None:
        self._writer = writer
        self._sink = sink  # the room
        self.epoch = epoch  # of this owner of the room, which its finals carry
        self._order = Order({one.seq: sink.encode(one) for one in said}, ours=first and not said)
        # Of all finals: engines may repeat one after a reconnect, and partials may come late.
        self._places = {one.place for one in said}
        self._partials: dict[str, Shown] = {}  # what is shown of utterances not yet final, by key
        # Finals that have their number and aren't stored yet, by place. The entry is the one that
        # the outbox has or will have: a new number must reach it there.
        self._unstored: dict[tuple[str, str], Entry[Utterance]] = {}
        self._turns = Turns()  # finals that may not be stored yet, and how far a page has come
        # Pages that will say anew to the next owner of the room what isn't stored: see
        # `leave_to_next`. And what was made of that here, in case one doesn't come back.
        self.returning: set[Page] = set()
        self.held: list[Utterance] = []
        for one in said:
            self._turns.note(one)

    @property
    def last_seq(self) -> int:
        """The number of the newest final."""
        return self._order.last

    @property
    def full(self) -> bool:
        """Whether there is no place for more words; there may be for gaps."""
        return len(self._order) >= MAX_SPOKEN

    @property
    def unstored(self) -> list[Utterance]:
        """The finals that aren't stored yet."""
        return [one.value for one in self._unstored.values()]

    def has(self, stream: str, utterance: str) -> bool:
        """Whether this utterance is final."""
        return (stream, utterance) in self._places

    def transcribed(self, page: Page) -> tuple[int, float]:
        """Return the page's sample up to which its audio is final, and when that was said."""
        return self._turns.reached(page)

    def catch_up(self, page: Page, seq: int) -> tuple[int, list[Shown]]:
        """Return what a page lacks that has seen finals up to `seq`, and all open partials.

        First comes the highest number that it may count on: what it has above that, it is to
        forget, as it is shown again.
        """
        newest, missing = self._order.after(page, seq)
        return newest, [*missing, *self._partials.values()]

    def correct(self, seq: int, shown: Shown) -> None:
        """Show a final as corrections have left it, from now on and to who comes later."""
        self._order.replace(seq, shown)
        self._sink.show(shown)

    def trust(self, page: Page) -> None:
        """Note that a page has got what `catch_up` returned, or at least forgot the rest.

        Until then it is told again each time it comes: a line may break before the answer is there.
        """
        self._order.trust(page)

    def open(self, said: Utterance) -> bool:
        """Show a partial, in the place of an earlier one; return whether there was none."""
        is_new = said.key not in self._partials
        self._partials[said.key] = self._show(said)
        return is_new

    def withdraw(self, key: str) -> bool:
        """Forget a partial. Returns whether it was shown."""
        return self._partials.pop(key, None) is not None

    def add(self, said: Utterance, since: int, open_since: float) -> None:
        """Give a final the next number, show it, and have it stored in its turn.

        `since` is where its stretch of speech began, for `open_since` see `turn`. Gaps come this
        way too; without a place for them they are dropped.
        """
        if len(self._order) >= MAX_UTTERANCES:
            return
        if said.page in self.returning:  # its page says it anew: a number would be given twice
            self.held.append(said)
            return
        self._turns.wait(self._place(said, to_page=True), since)
        self.turn(said.page, open_since)

    def turn(self, page: Page, open_since: float) -> None:
        """Hand over the finals of a page that may be stored by now: see Turns.due."""
        for entry in self._turns.due(page, open_since):
            if page in self.returning:  # it overtook what isn't stored, and is said anew with it
                self.held.append(entry.value)
                self._unstored.pop(entry.value.place, None)
            else:
                self._writer.keep(entry)

    def leave_to_next(self, pages: Collection[Page]) -> None:
        """Store no more of what these pages said: the next owner of the room hears it anew.

        A sentence that is being said now would be cut in two, and its beginning be there twice.
        """
        self.returning.update(pages)

    def adopt(self, said: Utterance) -> None:
        """Take over what the last process held for a page that didn't come back."""
        self._writer.keep(self._place(said, to_page=False))

    def renumber(self, stored: Iterable[Utterance], waiting: Iterable[Entry[Utterance]]) -> None:
        """Bring the order in line with what is stored: a number that was given here is taken.

        What is stored stays where it is and is shown; what isn't stored and clashes with it gets
        the next numbers, and is shown again with them. `waiting` is what the writer has of the
        session: of an owner before us too, which the log doesn't know as its own.
        """
        taken = {one.seq: one for one in stored}
        unknown = [one for one in taken.values() if one.place not in self._places]
        # Ours first: they keep the numbers under which pages have them.
        unstored = self._unstored | {one.value.place: one for one in waiting}
        last = max([self.last_seq, *taken])
        clashing = renumber_finals(taken, unstored.values(), last)
        # A number that another of ours keeps isn't gone; nor is that of what was never shown here.
        kept = {one.value.seq for one in self._unstored.values()}
        gone, anew = [seq for seq, _ in clashing if seq not in kept], {}
        for said in [*unknown, *(one.value for _, one in clashing)]:
            self._places.add(said.place)
            self._turns.note(said)
            anew[said.seq] = self._show(said)
        self._order.rearrange(gone, anew, min([last, *gone, *anew]))

    def _place(self, said: Utterance, *, to_page: bool) -> Entry[Utterance]:
        """Give a final the next number and show it; `to_page`: its page is told what becomes of it.

        Shown before it is stored: people read it now, and a database may be away for long.
        """
        said = msgspec.structs.replace(said, seq=self.last_seq + 1, epoch=self.epoch)
        entry = self._unstored[said.place] = Entry(said)
        entry.stored = partial(self._stored, entry, to_page)
        entry.lost = partial(self._lost, entry, to_page)
        self._places.add(said.place)
        self._turns.note(said)
        self._partials.pop(said.key, None)
        self._order.append(said.seq, self._show(said))
        return entry

    def _show(self, said: Utterance) -> Shown:
        shown = self._sink.encode(said)
        self._sink.show(shown)
        return shown

    def _stored(self, entry: Entry[Utterance], to_page: bool) -> None:
        self._unstored.pop(entry.value.place, None)
        if to_page:
            self._sink.stored(entry.value)

    def _lost(self, entry: Entry[Utterance], to_page: bool, refused: bool) -> None:
        """Tell that a final will never be stored: who said it, and all by a gap in its place.

        Where a gap is refused as well, or there is no place for anything, the transcript ends up
        without it; the page that spoke has been told.
        """
        said = entry.value
        self._unstored.pop(said.place, None)
        if said.lost is not None:
            return
        seconds = round(max(said.end - said.start, 0.1), 1)
        if to_page:
            self._sink.refused(said, seconds)
        if refused:
            gap = msgspec.structs.replace(said, text="", language=None, lost=seconds)
            entry.value = gap
            self._unstored[said.place] = entry
            self._order.replace(gap.seq, self._show(gap))
            self._writer.keep(entry)
