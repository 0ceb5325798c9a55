"""The outbox of finals: under which number each is stored, and as whose.

A session's numbers are given in its room, one at a time, but what waits may be of several owners of
the room: of this one, of one before, or of a process that died and left a file. The database has
the last word: what it has keeps its number, and refuses what an owner wrote who had been followed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from core.database import Database
from core.model import MAX_UTTERANCES, Utterance
from core.store import transcripts
from core.transcript.numbers import Numbering, renumber_finals
from core.transcript.outbox import Entry, Outbox
from core.transcript.spool import Spool
from core.transcript.turns import furthest, is_said_anew

log = logging.getLogger(__name__)

MAX_RENUMBERINGS = 3  # of one batch at once; after that it is tried again later


class Finals(Outbox[Utterance]):
    """Finals that wait, and those that are stored."""

    def __init__(self, db: Database, spool: Spool[Utterance]) -> None:
        super().__init__("an utterance", spool, self._store_rows)
        self._db = db
        # Set by `serve`, once rooms are there: the file of the last process is taken up before.
        self._find_room: Callable[[str], Numbering | None] = lambda _: None
        self._set_aside: Callable[[list[Utterance]], None] = lambda _: None

    def serve(
        self,
        find_room: Callable[[str], Numbering | None],
        set_aside: Callable[[list[Utterance]], None],
    ) -> None:
        """Writer of core.room.ports."""
        self._find_room, self._set_aside = find_room, set_aside

    async def said(self, session_id: str) -> list[Utterance]:
        """Return a session's finals by seq, those that still wait included."""
        # Asked first: what is stored while the statement runs may be in neither otherwise.
        waiting = self.waiting_of(session_id)
        stored = await self._stored(session_id)
        return self._together(session_id, stored, waiting)

    async def load(self, session_id: str, epoch: int) -> list[Utterance]:
        """Return the same for who has just claimed the room, which takes over what waits here."""
        waiting = self.waiting_of(session_id)
        stored = await self._stored(session_id)
        # No await from here on: what is told is what there is.
        self._take_over(session_id, stored, epoch)
        said = self._together(session_id, stored, waiting)
        if len({one.seq for one in said}) < len(said):
            self._number_anew(session_id, stored)
            said = self._together(session_id, stored, waiting)
        return said

    def _together(
        self, session_id: str, stored: list[Utterance], waiting: list[Entry[Utterance]]
    ) -> list[Utterance]:
        """Return what is stored and what waits, by seq; `waiting` is what did when it was asked."""
        known = {one.place: one for one in stored}
        for entry in [*waiting, *self.waiting_of(session_id)]:
            if not entry.gone:  # with the number that it has by now
                known.setdefault(entry.value.place, entry.value)
        return sorted(known.values(), key=lambda one: one.seq)

    def _take_over(self, session_id: str, stored: list[Utterance], epoch: int) -> None:
        """Let what waits of owners before count as this one's, unless its page said it anew.

        That may have been to an owner between, or to this one; else it would be refused as late.
        """
        reached = furthest(stored)
        for entry in self.waiting_of(session_id):
            if entry.value.epoch >= epoch:
                continue
            if is_said_anew(entry.value, reached.get(entry.value.page, 0)):
                log.info("a final that waited was said anew meanwhile")
                self.take([entry])
            else:
                entry.value = msgspec.structs.replace(entry.value, epoch=epoch)

    def waiting_of(self, session_id: str) -> list[Entry[Utterance]]:
        """Return what waits of a session, the oldest first."""
        return [one for one in self.entries if one.value.session_id == session_id]

    async def _stored(self, session_id: str) -> list[Utterance]:
        return await transcripts.of_session(self._db, session_id, limit=MAX_UTTERANCES)

    async def _store_rows(self, batch: list[Entry[Utterance]]) -> Iterable[Entry[Utterance]]:
        # The clash may be with any row of the batch, and another writer may go on meanwhile.
        for _ in range(MAX_RENUMBERINGS):
            sent = [one.value for one in batch]
            try:
                fenced = await transcripts.add(self._db, [_row(one) for one in sent])
            except transcripts.SeqTakenError:
                for session_id in {one.value.session_id for one in batch}:
                    self._number_anew(session_id, await self._stored(session_id))
            else:
                return self._without(fenced, batch, sent)
        raise transcripts.SeqTakenError

    def _without(
        self,
        fenced: set[tuple[str, str, str]],
        batch: list[Entry[Utterance]],
        sent: list[Utterance],
    ) -> list[Entry[Utterance]]:
        """Set aside what came after another node had claimed the room: pages say it anew there.

        They aren't told that it is stored, so that they send it again. Of pages that don't come
        there it is all there is.
        """
        if not fenced:
            return batch
        late = {
            entry: said
            for entry, said in zip(batch, sent, strict=True)
            if (said.session_id, *said.place) in fenced
        }
        # What was taken over while the statement ran is tried again under its new epoch.
        aside = [entry for entry, said in late.items() if entry.value.epoch == said.epoch]
        if aside:
            log.warning("%d finals came too late: another node has their room", len(aside))
            self._set_aside([one.value for one in aside])
            self.take(aside)
        return [one for one in batch if one not in late]

    def _number_anew(self, session_id: str, stored: list[Utterance]) -> None:
        """Give finals that wait another place where the database has given theirs away.

        A session's numbers are given in one room at a time, so this is rare: somebody has written
        into the table, or words waited in a file while another process went on.
        """
        waiting = self.waiting_of(session_id)
        log.warning("finals of a session are numbered anew: their numbers were taken")
        room = self._find_room(session_id)
        if room is not None:
            room.renumber(stored, waiting)
            return
        # Without a room there is nobody to show it to: any number that is free will do.
        taken = {one.seq: one for one in stored}
        renumber_finals(taken, waiting, max([*taken, *(one.value.seq for one in waiting)]))


def _row(one: Utterance) -> dict[str, Any]:
    return {column: getattr(one, column) for column in transcripts.COLUMNS}
