"""The rooms of this process: claimed and loaded when the first page comes, forgotten when idle.

PostgreSQL says whose a room is (core.leases). Before a room is loaded it is claimed, and it is
given back only once nothing of it waits to be stored: the next owner reads the numbers there.

Longer than its neighbours: all that changes which rooms there are stands here, because each of
these steps must see what the others left, with no await between looking and acting.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace

from core.bounded import within
from core.database import DatabaseAwayError
from core.leases import RENEW_EVERY_S, RoomElsewhereError
from core.model import Participant, Seated, Utterance
from core.room.commands import Command, SetAudio, obey, sign_out
from core.room.handover import Handover
from core.room.knocks import Knocks
from core.room.ports import Claims, Minutes, Tapes, Writer
from core.room.quota import SocketQuota
from core.room.room import Room
from core.room.seat import Listener, Seat
from core.room.session import RoomSession
from core.room.wire import CLOSE_RESTART, Hello
from core.speech.engine import Engine
from core.speech.memory import AudioBudget, speech_memory
from core.speech.microphone import MicrophoneOptions
from core.speech.resilient import SpeechServices
from core.speech.slots import SlotPool
from core.spoken import UNSAID, Spoken

log = logging.getLogger(__name__)

END_DRAIN_S = 5.0  # that pages wait for the last words when a session ends
# That all rooms have for their last words when the process stops, of which pages that may return
# say anew what doesn't come in time: platforms kill after 10 s, and all is to be written by then.
SHUTDOWN_DRAIN_S = 2.0
SHUTDOWN_ABORT_S = 0.5  # more, for what didn't come in time to be given up
RELEASE_TIMEOUT_S = 0.5  # for the leases then; they run out by themselves


class Rooms:
    """All rooms of the process."""

    def __init__(
        self,
        engine: Engine,
        writer: Writer,
        claims: Claims,
        options: MicrophoneOptions,
        minutes: Minutes | None = None,
        *,
        tapes: Tapes | None = None,
        factor: float = 1.0,
        installation: Spoken = UNSAID,
    ) -> None:
        """`factor` multiplies what may come of one address."""
        self.installation = installation  # what holds where nothing else is said of languages
        self.engine = engine  # which transcribes for all of them
        self.quota = SocketQuota(factor)  # sockets that are open or being opened
        self.decided = 0  # decisions of hosts so far, for who comes in at that moment
        self.knocks = Knocks(factor)
        self._claims = claims  # says which rooms are ours
        self._minutes = minutes  # what a space may have transcribed; None: nobody counts
        self._tapes = tapes  # keep the sound of what is said; None: nobody does
        self._writer = writer  # takes what is said out of memory
        self._options = options  # of all microphones
        # One pool of slots and one of memory, whatever the number of rooms: the plan and the
        # machine are shared by all.
        budget = AudioBudget(speech_memory())
        self.speech = SpeechServices(engine, SlotPool(engine.max_streams), budget)
        # By session. A task, so that all who come while a room is loaded wait for the same one.
        self._rooms: dict[str, asyncio.Task[Room]] = {}
        # Of the last process to us, and of us to the next.
        self._handover = Handover(writer, claims, self._rooms, self._let_go)
        self._tasks: list[asyncio.Task[None]] = []  # what looks after the rooms, until `close`

    def start(self) -> None:
        """Begin to look after the rooms; called once, in the running loop."""
        self._writer.serve(self.room, self._handover.set_aside)
        self._handover.start()
        # Apart: pulses and leases must not wait for each other, nor for what a tick asks of the
        # database.
        loops = (self._tick, self._pulse, self._renew)
        self._tasks = [asyncio.create_task(one()) for one in loops]

    def room(self, session_id: str) -> Room | None:
        """Return a room that is in memory."""
        task = self._rooms.get(session_id)
        return task.result() if task and task.done() and not _failed(task) else None

    @property
    def all(self) -> list[Room]:
        """Those that are in memory."""
        return [room for session_id in self._rooms if (room := self.room(session_id))]

    def tell(self, session_id: str, command: Command) -> None:
        """Tell a room, if it is in memory, what was decided about its session.

        It is counted, so that who comes in at this moment learns of it: see routes/ws.py.
        """
        self.decided += 1
        room = self.room(session_id)
        if room is not None:
            obey(room, command)

    def tell_space(self, space_id: str, command: Command) -> None:
        """Tell all rooms of a space, those in memory, what was decided about it."""
        self.decided += 1
        for room in self.all:
            if room.session.space == space_id:
                obey(room, command)

    def limit_audio(self, space_id: str, days: int) -> None:
        """Have rooms of a space keep their sound for so many days at most; none keeps it longer."""
        self.decided += 1
        for room in self.all:
            if room.session.space == space_id and room.session.audio_days > days:
                obey(room, SetAudio(days))

    def sign_out(self, keys: Collection[bytes]) -> list[tuple[str, str]]:
        """Close the pages that came by keys that count no more; these are their digests.

        Returns who has no other page left, as slug and identity.
        """
        self.decided += 1
        return [(room.session.slug, one) for room in self.all for one in sign_out(room, keys)]

    def knock(self, session_id: str, participant: Participant, address: str) -> None:
        """Show hosts that somebody knocks. Raises TooManyKnocksError."""
        if self.knocks.knock(session_id, participant, address):
            self._show_people(session_id)

    def stop_knocking(self, session_id: str, identity: str) -> None:
        """Note that somebody was answered."""
        if self.knocks.forget(session_id, identity):
            self._show_people(session_id)

    def answered(
        self, session_id: str, identities: Collection[str], denied: list[Participant]
    ) -> None:
        """Note that these don't wait any more, and who is denied now."""
        news = [self.knocks.forget(session_id, identity) for identity in identities]
        if self.knocks.set_denied(session_id, denied) or any(news):
            self._show_people(session_id)

    def _show_people(self, session_id: str) -> None:
        room = self.room(session_id)
        if room is not None:
            room.roster.show()

    def hosts(self, session_id: str) -> int:
        """Return how many hosts have a page open in a session, and so see who knocks."""
        room = self.room(session_id)
        return 0 if room is None else room.roster.hosts()

    def connected(self) -> list[str]:
        """Return the identities of who has a page open, in any room."""
        return list({seat.participant.identity for room in self.all for seat in room.fanout.seats})

    def seated(self) -> set[Seated]:
        """Return who has a page open, in any room, by which key."""
        return {
            Seated(one.identity, seat.key, one.role, one.answer, one.avatar)
            for room in self.all
            for seat in room.fanout.seats
            if not seat.dismissed and (one := seat.participant)
        }

    async def enter(
        self,
        session: RoomSession,
        participant: Participant,
        hello: Hello,
        listener: Listener,
    ) -> Seat:
        """Give a page its place.

        Raises RoomElsewhereError while another node has the room, and what the writer raises when
        the past can't be loaded.
        """
        while True:
            task = self._rooms.get(session.id)
            if task is None or _failed(task):
                task = asyncio.create_task(self._load(session))
                self._rooms[session.id] = task
            room = await asyncio.shield(task)  # a page that gives up must not stop it for others
            # An empty room may have been forgotten between its loading and this line.
            if self._rooms.get(session.id) is task:
                seat = room.enter(participant, hello, listener, self._options)
                if seat.active:  # else its audio isn't taken
                    self._handover.came_back(room, seat.page)
                return seat

    async def _load(self, session: RoomSession) -> Room:
        # First: what the last owner writes until then is in what is read below.
        claim = await self._claims.claim(session.id)
        services = self.speech
        if self._minutes is not None:
            services = replace(services, allowance=self._minutes.of(session.space))
        lines = await self._writer.chat(session.id)
        translated = await self._writer.translations(session.id) if session.spoken.targets else ()
        # Before what is said: each final that it tells of is there. What is corrected meanwhile is
        # caught up with: core.correcting.
        corrections = await self._writer.corrections(session.id)
        # Last: no final may be numbered anew between its being read and the room's having it.
        said = await self._writer.load(session.id, claim.epoch)
        return Room(
            session,
            said,
            lines,
            self._writer,
            services,
            knocks=self.knocks,
            claim=claim,
            translated=translated,
            corrections=corrections,
            tapes=self._tapes,
        )

    def unstored(self, session_id: str) -> list[Utterance]:
        """Return the finals of a session that its pages have seen and that aren't stored yet."""
        room = self.room(session_id)
        return [] if room is None else room.captions.log.unstored

    def still_writing(self, session_id: str) -> bool:
        """Whether words of a session that has ended are still on their way."""
        room = self.room(session_id)
        held = session_id in self._handover.sessions()
        return held or (room is not None and room.microphones.writing)

    async def end(self, session_id: str, reason: str) -> None:
        """End a session that storage already calls ended: last words, then everybody leaves.

        Words that are still on their way then come in later: see `still_writing`.
        """
        self.decided += 1
        # Else they are placed when their time is over, or the room is ours.
        with suppress(DatabaseAwayError, RoomElsewhereError):
            await self._handover.adopt(session_id)
        task = self._rooms.get(session_id)
        if task is None:
            return
        await asyncio.wait([task])
        if _failed(task):
            return
        room = task.result()
        if room.over:
            return
        await room.microphones.last_words(END_DRAIN_S)
        if not room.over:  # else somebody else ended it meanwhile
            room.end(reason)
        if room.idle:
            self._rooms.pop(session_id, None)

    async def flush(self) -> None:
        """Store what waits, for a few seconds at most."""
        await self._writer.flush()

    def forget(self, session_ids: Collection[str]) -> None:
        """Let go of sessions that were deleted, and of what isn't stored of them."""
        self.decided += 1
        for one in session_ids:
            room = self.room(one)
            self._rooms.pop(one, None)
            if room is not None:
                if not room.over:
                    room.end("ADMIN_ENDED")
                room.desert()
        self._handover.forget(session_ids)
        self._writer.forget(session_ids)

    def seats_of(self, identities: Collection[str]) -> set[str]:
        """Return the sessions in which one of these has a page open."""
        return {
            room.session.id
            for room in self.all
            if any(seat.participant.identity in identities for seat in room.fanout.seats)
        }

    async def close(self) -> None:
        """Let every room say its last words, and send the pages to the next process."""
        for task in self._tasks:
            task.cancel()
        rooms = self.all
        await within(SHUTDOWN_DRAIN_S + SHUTDOWN_ABORT_S, self._drain(rooms))
        self._handover.leave(rooms)
        # In this order: the next owner reads what was stored, and pages ask it at once.
        await self._writer.flush()
        try:
            await within(RELEASE_TIMEOUT_S, self._claims.release(self._claims.held))
        except Exception as problem:  # the database is away, or refuses
            log.info("the rooms could not be given back: %s", type(problem).__name__)
        for room in rooms:
            room.fanout.close(CLOSE_RESTART)
        self._rooms.clear()

    async def _drain(self, rooms: list[Room]) -> None:
        drains = [room.drain(SHUTDOWN_DRAIN_S) for room in rooms]
        for problem in await asyncio.gather(*drains, return_exceptions=True):
            if isinstance(problem, Exception):  # the others' words are to be kept all the same
                log.error("a room could not be closed in order", exc_info=problem)

    async def _renew(self) -> None:
        """Keep the leases, and let go of rooms that another node has taken over."""
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            try:
                lost = await self._claims.renew()
            except DatabaseAwayError:  # nobody else can claim them either
                continue
            except Exception as problem:  # this loop must not end: others would follow us
                log.error("leases could not be renewed: %s", type(problem).__name__)
                continue
            for session_id in lost:
                self._let_go(session_id)

    def _let_go(self, session_id: str) -> None:
        """Forget a room that is another node's, or was meanwhile: its pages come again."""
        room = self.room(session_id)
        self._rooms.pop(session_id, None)
        if room is not None:
            log.warning("the room of session %s was taken over by another node", session_id)
            room.desert()

    async def _pulse(self) -> None:
        """Tick for the pulses alone: it waits for nothing else, such as a database."""
        while True:
            await asyncio.sleep(1)
            for room in self.all:
                room.roster.tick()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            if self._handover.due(now):
                await self._handover.adopt_all()
            for session_id in self.knocks.tick(now):
                self._show_people(session_id)
            for session_id in list(self._rooms):
                room = self.room(session_id)
                if room is not None:
                    room.tick(now)
                    # A microphone is remembered as long as its page may come back to this room.
                    if room.idle and (room.over or not room.microphones):
                        self._rooms.pop(session_id, None)
            await self._give_back()

    async def _give_back(self) -> None:
        """Release the rooms that nobody needs any more."""
        done = [
            one
            for one in self._claims.held
            if one not in self._rooms and not self._writer.stores(one)
        ]
        if done:
            with suppress(DatabaseAwayError):
                await self._claims.release(done)


def _failed(task: asyncio.Task[Room]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
