"""The handover: what the last process heard of pages that were still speaking when it stopped.

Such a page comes back and says it anew, from where its audio was stored. So what was made of it
isn't part of the transcript; but if the page doesn't come back, it is all there will ever be.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping

import msgspec

from core.leases import RoomElsewhereError, SessionGoneError
from core.model import Page, Utterance
from core.room.microphones import MICROPHONE_KEPT_S
from core.room.ports import Claims, Writer
from core.room.room import Room
from core.speech.engine import SAMPLE_RATE
from core.transcript.outbox import Entry
from core.transcript.turns import furthest, is_said_anew

log = logging.getLogger(__name__)

ASK_AGAIN_S = 60.0  # after another node still had a room for which something is held
PAGE_KEEPS_S = 600.0  # seconds of audio that a page keeps to send again


class Handover:
    """What is held for pages, of all sessions, until they come back or their time is over."""

    def __init__(
        self,
        writer: Writer,
        claims: Claims,
        rooms: Mapping[str, asyncio.Task[Room]],
        let_go: Callable[[str], None],
    ) -> None:
        self._writer = writer  # which has it in a file all the while: we may crash, too
        self._claims = claims  # words are placed only in a room that is ours
        self._rooms = rooms  # those in memory or being loaded, by session
        self._let_go = let_go  # of a room that another node had meanwhile
        self._held: list[Utterance] = []  # in the order in which it was said
        self._until = 0.0  # when no page is expected any more, a monotonic time

    def start(self) -> None:
        """Take over from the last process."""
        self._held = self._writer.held()
        # As long as a page may be gone in a running room and still go on where it stopped.
        self._until = time.monotonic() + MICROPHONE_KEPT_S

    def sessions(self) -> set[str]:
        """Return the sessions for which something is held."""
        return {one.session_id for one in self._held}

    def due(self, now: float) -> bool:
        """Whether what is held should stand now, as its pages didn't come back."""
        return bool(self._held) and now > self._until

    def came_back(self, room: Room, page: Page) -> None:
        """Forget what was held for a page that is back and says it anew.

        It keeps `PAGE_KEEPS_S` seconds: what is older stands as it is held.
        """
        own = [one for one in self._held if (one.session_id, one.page) == (room.session.id, page)]
        if not own:
            return
        oldest = max(one.until for one in own) - int(PAGE_KEEPS_S * SAMPLE_RATE)
        for one in own:
            if (old := _until(one, oldest)) is not None and not room.captions.log.has(*old.place):
                room.captions.log.adopt(old)
        self._held = [one for one in self._held if one not in own]
        self._writer.hold(self._held)

    async def adopt(self, session_id: str) -> None:
        """Let what is held for pages of a session stand: they didn't come back.

        Raises RoomElsewhereError or DatabaseAwayError, and then changes nothing.
        """
        if session_id not in self.sessions():
            return
        claim = await self._claims.claim(session_id)
        task = self._rooms.get(session_id)
        room = await asyncio.shield(task) if task is not None else None
        said = await self._writer.load(session_id, claim.epoch)
        # No await from here on: a room that is loaded later finds what is kept now.
        if room is None and session_id in self._rooms:
            return  # it is being loaded since: the next second tries again
        if room is not None and room.captions.log.epoch != claim.epoch:
            self._let_go(
                session_id
            )  # another node had it between: its numbers aren't ours any more
            room = None
        places, reached = {one.place for one in said}, furthest(said)
        last_seq = said[-1].seq if said else 0
        for one in [one for one in self._held if one.session_id == session_id]:
            if one.place in places or is_said_anew(one, reached.get(one.page, 0)):
                continue
            last_seq += 1
            if room is not None:
                room.captions.log.adopt(one)
            else:
                said_here = msgspec.structs.replace(one, seq=last_seq, epoch=claim.epoch)
                self._writer.keep(Entry(said_here))
        self._held = [one for one in self._held if one.session_id != session_id]
        self._writer.hold(self._held)

    async def adopt_all(self) -> None:
        """Let all of it stand, as far as that is possible now."""
        for session_id in self.sessions():
            try:
                await self.adopt(session_id)
            except SessionGoneError:  # deleted at another node, or while no process had it
                self.forget([session_id])
            except RoomElsewhereError:  # which its owner gives back once nobody is there
                self._until = time.monotonic() + ASK_AGAIN_S
            except Exception as problem:  # the database is away: the next second tries again
                log.warning("held words can't be placed yet: %s", type(problem).__name__)

    def set_aside(self, utterances: list[Utterance]) -> None:
        """Hold what came too late to be stored, as another node has the room.

        Its pages say it anew there. Once the room is ours, what wasn't said anew may stand.
        """
        self._held += utterances
        self._until = max(self._until, time.monotonic() + MICROPHONE_KEPT_S)
        self._writer.hold(self._held)

    def forget(self, session_ids: Collection[str]) -> None:
        """Let go of what is held for sessions that were deleted."""
        if self.sessions().intersection(session_ids):
            self._held = [one for one in self._held if one.session_id not in session_ids]
            self._writer.hold(self._held)

    def leave(self, rooms: list[Room]) -> None:
        """Hand over to the next process what rooms didn't store, and what is still held here."""
        for room in rooms:
            self._held += room.captions.log.held
        self._writer.hold(self._held)


def _until(said: Utterance, sample: int) -> Utterance | None:
    """Return what was said until a sample; of a gap, the part until there. None without any."""
    if said.until <= sample:
        return said
    # Words can't be cut: the page says all of them anew. A gap has no words.
    late = (said.until - sample) / SAMPLE_RATE
    if said.lost is None or said.end - late <= said.start:
        return None
    end = round(said.end - late, 2)
    lost = min(said.lost, round(end - said.start, 1))
    return msgspec.structs.replace(said, until=sample, end=end, lost=lost)
