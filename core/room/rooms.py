"""The rooms: rooms, who listens in them, and the order of what was said.

A room is in memory while somebody is connected or words are still on their way. Everything
runs on the event loop's thread, so a connect is one step: register, replay, go live. Nothing
can slip in between and nothing is sent twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import msgspec

from core.access.table import Action, Standing, may, standing
from core.database import DatabaseAwayError
from core.leases import RENEW_EVERY_S, RoomElsewhereError
from core.model import MAX_UTTERANCES, ChatLine, Participant, Role, Utterance
from core.room.chat import ChatLog
from core.room.commands import Change, ChangeRole, Command, LowerHand, Mute, MuteAllBut, Remove
from core.room.holders import Holders
from core.room.knocks import Knocks
from core.room.presence import BEAT_EVERY, Lost, Pulse, who_is_away
from core.room.quota import SocketQuota
from core.room.wire import (
    CLOSE_ENDED,
    CLOSE_REMOVED,
    CLOSE_REPLACED,
    CLOSE_RESTART,
    Active,
    Batch,
    Beat,
    Emoji,
    EngineView,
    Error,
    Hello,
    KnockView,
    Message,
    Muted,
    People,
    PersonView,
    Reaction,
    ServerMessage,
    SessionChanged,
    SessionView,
    Settled,
    Speech,
    UtteranceMessage,
    Welcome,
    WireError,
)
from core.speech.engine import SAMPLE_RATE, Engine, Recognition, SpeechState, StreamOptions
from core.speech.memory import AudioBudget, speech_memory
from core.speech.microphone import Microphone, MicrophoneOptions, Span
from core.speech.resilient import SpeechServices, StreamRecord
from core.speech.slots import SlotPool
from core.text import how_long
from core.transcript.numbers import Numbering
from core.transcript.outbox import Entry

log = logging.getLogger(__name__)

MAX_SPOKEN = MAX_UTTERANCES - 500  # of them; the rest is for gaps
MAX_TOLD = 2_000  # pages whose numbers a room remembers to be its own; others are told more
MICROPHONE_KEPT_S = 120.0  # seconds that a page may be gone and still go on where it stopped
# Seconds without anybody here and without any word, after which speech waits for the engine no
# longer. What is still being transcribed goes on.
ABANDONED = 600.0
PAGE_KEEPS = 300.0  # seconds of audio that a page keeps to send again
END_DRAIN = 5.0  # seconds that pages wait for the last words when a session ends
AFTER_END = 600.0  # seconds in which words may still come after the end of a session
SHUTDOWN_DRAIN = 8.0


class Listener(Protocol):
    """A connected page. Neither method blocks; what can't be sent in time is its own affair."""

    def replay(self, messages: list[Message]) -> None:
        """Queue what was said before; called once, first. It may be longer than any bound."""

    def send(self, batch: Batch) -> None:
        """Queue messages. A full queue drops partials first and then closes with 4400."""

    def close(self, code: int) -> None:
        """Close with this code once everything queued was sent."""


@dataclass(frozen=True, slots=True)
class RoomSession:
    """What the room must know of a session."""

    id: str
    slug: str
    title: str
    status: str
    started_at: datetime
    options: StreamOptions = field(default_factory=StreamOptions)
    admission: str = "KNOCK"
    locked: bool = False


class Keeper(Protocol):
    """Keeps what was said: the room's only way out of memory."""

    async def said(self, session_id: str) -> list[Utterance]:
        """Return the session's finals by seq, those not yet stored included."""

    async def chat(self, session_id: str) -> list[ChatLine]:
        """Return the session's chat lines by id, those not yet stored included."""

    def keep_line(self, line: Entry[ChatLine]) -> None:
        """Take a chat line. Never blocks."""

    def keep(self, said: Entry[Utterance]) -> None:
        """Take a final, and tell it once it can't be lost any more or is lost. Never blocks."""

    def serve(self, find_room: Callable[[str], Numbering | None]) -> None:
        """Learn where a session's room is, if it is in memory: it gives what comes its number."""

    def hold(self, utterances: list[Utterance]) -> None:
        """Have these, and no others, ready for the next process: see `held`.

        They are what a page is expected to say anew, so they aren't part of the transcript.
        """

    def held(self) -> list[Utterance]:
        """Return what the last process gave to `hold`."""

    def stores(self, session_id: str) -> bool:
        """Whether words of this session wait to be stored."""

    async def flush(self) -> None:
        """Store what waits, for a few seconds at most."""

    def account(self, session_id: str, identity: str, record: StreamRecord) -> None:
        """Take the account of an engine stream."""


class Claims(Protocol):
    """Says whether a room is this process's: core.leases."""

    @property
    def held(self) -> list[str]:
        """The sessions whose rooms are ours."""

    async def claim(self, session_id: str) -> int:
        """Claim a room and return its epoch. Raises RoomElsewhereError."""

    async def renew(self) -> set[str]:
        """Renew all leases; return the sessions whose rooms are ours no more."""

    async def release(self, sessions: Collection[str]) -> None:
        """Give rooms back."""


class Seat:
    """A page's place in a room; what its socket calls."""

    __slots__ = (
        "_room",
        "active",
        "dismissed",
        "listener",
        "microphone",
        "participant",
        "pulse",
        "said",
    )

    def __init__(
        self, room: Room, participant: Participant, microphone: Microphone, to: Listener
    ) -> None:
        self.participant = participant
        self.microphone = microphone  # the page's microphone
        self.listener = to  # the page's socket
        self.active = True  # what the page was last told: see core.room.holders
        self.pulse = Pulse(answers=False)
        self.said = 0  # messages of the page
        self.dismissed = False  # closed by a host: not expected back
        self._room = room

    @property
    def standing(self) -> Standing:
        """What its participant is to the session now: a host may have changed that."""
        if self.dismissed:
            return Standing.REMOVED
        return standing(self.participant.state, self.participant.role)

    def take(self) -> None:
        """Have the participant's microphone and call on this page."""
        self._room.take(self)

    def used(self) -> None:
        """Note that the microphone was turned on."""
        self._room.holders.used(self.participant.identity, self.microphone.client)

    def say(self, text: str) -> None:
        """Write a line into the chat. Raises WireError (too_much)."""
        self._room.say(self.participant, text)

    def hand(self, up: bool) -> None:
        """Raise or lower the participant's hand."""
        self._room.hand(self.participant.identity, up)

    def react(self, emoji: Emoji) -> None:
        """Show a reaction to everybody."""
        self._room.publish(Reaction(self.participant.identity, emoji))

    def leave(self, *, closed: bool) -> bool:
        """Give the place up; `closed`: for good. Returns whether no other page is open."""
        self.microphone.left = closed
        return self._room.leave(self, closed=closed)


class Room:
    """One session's room while it is in memory."""

    def __init__(
        self,
        session: RoomSession,
        said: list[Utterance],
        lines: list[ChatLine],
        keeper: Keeper,
        services: SpeechServices,
        *,
        knocks: Knocks,
        epoch: int = 0,
    ) -> None:
        self.session = session
        self.epoch = epoch  # of this owner of the room, which its finals carry
        self.slug = session.slug
        self.options = session.options
        self.seats: list[Seat] = []
        self.microphones: dict[tuple[str, str], Microphone] = {}
        self.holders = Holders()
        self._lost = Lost()
        self._pulses = 0
        self._keeper = keeper
        self._services = services
        self._knocks = knocks
        self._chat = ChatLog(lines)
        self._hands: dict[str, datetime] = {}
        self._epoch = time.monotonic() - (datetime.now(UTC) - session.started_at).total_seconds()
        self._finals = [Message(_utterance(one)) for one in said]
        self._final_keys = {one.place for one in said}
        # Finals that have their place here and aren't stored yet, by `place`.
        self._unstored: dict[tuple[str, str], Entry[Utterance]] = {}
        # Sequence numbers have no holes, except where a row was lost to a damaged database.
        self._seqs = [one.seq for one in said]
        # By participant and page: how far its audio is transcribed, and when the last of it was
        # said. A page may know less, when the connection went before `settled` came.
        self._settled: dict[tuple[str, str], tuple[int, float]] = {}
        # Up to here every page's numbers are right. Above, only those of pages in `_told`: others
        # may have seen finals under numbers that others have now, see `renumber`.
        self._sure_seq = MAX_UTTERANCES
        self._told: dict[tuple[str, str], None] = {}  # (identity, client), the latest last
        for one in said:
            self._settle(one)
        self._partials: dict[str, Message] = {}
        self._states: dict[str, tuple[str, str | None]] = {}
        self._speech: dict[str, Message] = {}
        self._ended: Message | None = None
        self._outbox: list[Message] = []  # for everybody, at the loop's next turn
        self._loop = asyncio.get_running_loop()
        self._alive_at = time.monotonic()  # when somebody was here or some words came
        self._ended_at = 0.0
        # While the process stops: the pages that will come back to the next one, and what was
        # made of their last audio, which they will send anew.
        self._returning: set[Microphone] = set()
        self.unsettled: list[Utterance] = []

    @property
    def over(self) -> bool:
        """Whether the session has ended here; words that were said before may still come."""
        return self._ended is not None

    @property
    def idle(self) -> bool:
        """Whether nobody is here and no words are on their way."""
        return not self.seats and not self.writing

    @property
    def writing(self) -> bool:
        """Whether words that were said are still on their way."""
        return any(microphone.busy for microphone in self.microphones.values())

    @property
    def last_seq(self) -> int:
        """The sequence number of the newest final."""
        return self._seqs[-1] if self._seqs else 0

    @property
    def unstored(self) -> list[Utterance]:
        """The finals that aren't stored yet."""
        return [one.value for one in self._unstored.values()]

    def session_time(self) -> float:
        """Return seconds since the session started."""
        return time.monotonic() - self._epoch

    def enter(
        self,
        participant: Participant,
        hello: Hello,
        listener: Listener,
        how: MicrophoneOptions,
    ) -> Seat:
        """Register a page, replay what it lacks, and tell the others."""
        self._deliver()  # to those who were here before
        known = (participant.identity, hello.client) in self.microphones
        microphone = self._microphone(participant, hello, how)
        if self._ended is not None:  # between this page's check and its coming in
            listener.send(Batch([self._ended]))
            listener.close(CLOSE_ENDED)
            return Seat(self, participant, microphone, listener)
        for other in [seat for seat in self.seats if seat.microphone is microphone]:
            other.listener.close(CLOSE_REPLACED)
            self.seats.remove(other)
        seat = Seat(self, participant, microphone, listener)
        seat.pulse = Pulse(answers=hello.beats)
        self.seats.append(seat)
        self._lost.forget(participant.identity)
        microphone.detached_at = None
        microphone.left = False
        held = hello.active
        if known and held is None:  # a client that doesn't tell: it is what it was
            held = self.holders.is_active(participant.identity, hello.client)
        self.holders.came(participant.identity, hello.client, held)
        seat.active = self.holders.is_active(participant.identity, hello.client)
        if not (seat.active or known):  # nothing says when its audio was spoken
            microphone.stand_by(0.0)
        self._tell_active(participant.identity)
        self._replay(seat, hello)
        self.show_people()
        return seat

    def _microphone(
        self, participant: Participant, hello: Hello, how: MicrophoneOptions
    ) -> Microphone:
        key = (participant.identity, hello.client)
        microphone = self.microphones.get(key)
        if microphone is None:
            known, at = self._settled.get(key, (0, 0.0))
            microphone = Microphone(
                self,
                participant,
                self._services,
                how,
                client=hello.client,
                settled=max(hello.settled, known),
                settled_at=at,
            )
            self.microphones[key] = microphone
        return microphone

    def _replay(self, seat: Seat, hello: Hello) -> None:
        """Send what a page lacks. What it may not count on, it forgets: see `_sure_seq`."""
        key = (seat.participant.identity, hello.client)
        seen = hello.seq if hello.seq <= self.last_seq else 0
        newest = self.last_seq
        if hello.seq > self._sure_seq and key not in self._told:
            seen = newest = self._sure_seq
        self._told.pop(key, None)
        self._told[key] = None
        if len(self._told) > MAX_TOLD:
            del self._told[next(iter(self._told))]
        health = self._services.engine.health()
        session = self.session
        welcome = Welcome(
            session=SessionView(
                slug=self.slug,
                title=session.title,
                status=session.status,
                started_at=session.started_at,
                admission=session.admission,
                locked=session.locked,
            ),
            you=self._view(seat.participant),
            received=seat.microphone.received,
            seq=newest,
            engine=EngineView(self._services.engine.name, health.health.value, health.reason),
            people=self.people(),
            active=seat.active,
        )
        missing = self._finals[bisect_right(self._seqs, seen) :]
        now = [*self._partials.values(), *self._speech.values()]
        seat.listener.replay([Message(welcome), *self._chat.after(hello.chat), *missing, *now])

    def take(self, seat: Seat) -> None:
        """Give a page its participant's microphone and call; their other pages lose them."""
        identity = seat.participant.identity
        if seat in self.seats:
            self.holders.take(identity, seat.microphone.client)
            self._tell_active(identity)

    def _tell_active(self, identity: str) -> None:
        """Let the pages of a participant know which of them is active, where it has changed."""
        for (who, client), microphone in self.microphones.items():
            if who == identity and self.holders.is_active(identity, client):
                microphone.go_on()
            elif who == identity:
                microphone.stand_by()
        for seat in self._seats_of(identity):
            active = self.holders.is_active(identity, seat.microphone.client)
            if active != seat.active:
                seat.active = active
                self._send_to([seat], Active(active))

    def leave(self, seat: Seat, *, closed: bool) -> bool:
        """Remove a page; `closed`: for good. Returns whether its participant has no other."""
        if seat not in self.seats:
            return False
        self.seats.remove(seat)
        seat.microphone.detached_at = time.monotonic()
        identity = seat.participant.identity
        others = self._seats_of(identity)
        if closed:
            heir = others[-1].microphone.client if others else None
            self.holders.left(identity, seat.microphone.client, heir)
            self._tell_active(identity)
        elif not others and seat.pulse.answers and not (seat.dismissed or seat.pulse.away):
            self._lost.add(seat.participant)
        self.show_people()
        return not others

    def people(self) -> list[PersonView]:
        """Return who is here, each once, in the order they came."""
        away = who_is_away(self.seats)
        here = {
            seat.participant.identity: self._view(
                seat.participant, away=seat.participant.identity in away
            )
            for seat in self.seats
        }
        lost = [self._view(one, away=away) for one, away in self._lost.people()]
        return [*here.values(), *lost]

    def _view(self, one: Participant, *, away: bool = False) -> PersonView:
        hand = self._hands.get(one.identity)
        return PersonView(one.identity, one.name, one.role, one.hue, hand, away)

    def show_people(self) -> None:
        """Tell every page who is here, and hosts who waits."""
        waiting = _knock_views(self._knocks.of(self.session.id))
        denied = _knock_views(self._knocks.denied(self.session.id))
        people = self.people()
        for_all = for_hosts = Batch([Message(People(people))])
        if waiting or denied:
            for_hosts = Batch([Message(People(people, waiting, denied))])
        self._deliver()
        for seat in self.seats:
            seat.listener.send(for_hosts if may(seat.standing, Action.SEE_WAITING) else for_all)

    def hosts(self) -> int:
        """Return how many people here are shown who knocks, those whose line just broke too."""
        here = {seat.participant.identity: seat.standing for seat in self.seats}
        lost = {one.identity: standing(one.state, one.role) for one, _ in self._lost.people()}
        return sum(may(one, Action.SEE_WAITING) for one in (lost | here).values())

    def say(self, author: Participant, text: str) -> None:
        """Give a chat line its place, keep it and send it to everybody. Raises WireError."""
        if self._chat.full:
            raise WireError("too_much", "this session's chat is full")
        line, message = self._chat.add(self.session.id, author, text, datetime.now(UTC))
        self._keeper.keep_line(Entry(line))
        self._send(message)

    def renumber_lines(
        self, stored: Iterable[ChatLine], waiting: Iterable[Entry[ChatLine]]
    ) -> None:
        """Numbering: see ChatLog.renumber."""
        self._chat.renumber(stored, waiting)

    def hand(self, identity: str, up: bool) -> None:
        """Raise or lower a hand; it is shown while its person is here."""
        if up == (identity in self._hands):
            return
        if up:
            self._hands[identity] = datetime.now(UTC)
        else:
            del self._hands[identity]
        self.show_people()

    def obey(self, command: Command) -> None:
        """Do what was decided outside: see core.room.commands."""
        match command:
            case Mute(identity):
                self.mute(identity)
            case MuteAllBut(identities):
                for person in self.people():
                    if person.identity not in identities:
                        self.mute(person.identity)
            case LowerHand(identity):
                self.hand(identity, up=False)
            case Remove(identity):
                self.remove(identity)
            case ChangeRole(identity, role):
                self.change_role(identity, role)
            case Change(title, admission, locked):
                self.change(title=title, admission=admission, locked=locked)

    def mute(self, identity: str) -> None:
        """Take no more audio from a participant's pages until they turn the microphone on."""
        seats = self._seats_of(identity)
        for seat in seats:
            seat.microphone.mute()
        self._send_to(seats, Muted())

    def change_role(self, identity: str, role: Role) -> None:
        """Let a participant be something else from now on."""
        for seat in self._seats_of(identity):
            seat.participant = replace(seat.participant, role=role)
        self.show_people()

    def change(self, *, title: str, admission: str, locked: bool) -> None:
        """Tell every page what a host has changed."""
        self.session = replace(self.session, title=title, admission=admission, locked=locked)
        status = self.session.status
        self.publish(SessionChanged(status, title=title, admission=admission, locked=locked))

    def _seats_of(self, identity: str) -> list[Seat]:
        return [seat for seat in self.seats if seat.participant.identity == identity]

    def publish(self, message: ServerMessage) -> Message:
        """Send a message to every page."""
        encoded = Message(message)
        self._send(encoded)
        return encoded

    def _send(self, message: Message) -> None:
        """Send a message to every page, with one write for all that comes in a turn of the loop."""
        if not self._outbox:
            self._loop.call_soon(self._deliver)
        self._outbox.append(message)

    def _send_to(self, seats: Collection[Seat], message: ServerMessage) -> None:
        """Send a message to some pages, after what all are to get."""
        self._deliver()
        batch = Batch([Message(message)])
        for seat in seats:
            seat.listener.send(batch)

    def _deliver(self) -> None:
        """Send what waits for the turn's end; before a page comes or goes."""
        if self._outbox:
            batch, self._outbox = Batch(self._outbox), []
            for seat in self.seats:
                seat.listener.send(batch)

    def _pass_on(self) -> None:
        pages: dict[str, list[str]] = {}
        for seat in self.seats:
            pages.setdefault(seat.participant.identity, []).append(seat.microphone.client)
        for identity in self.holders.tick(pages):
            self._tell_active(identity)

    def tick(self, now: float) -> None:
        """Once a second: finish what went silent, forget pages that are gone for good."""
        self._pass_on()
        if self.seats:
            self._alive_at = now
        if self.over and now - self._ended_at > AFTER_END:
            self._give_up("the session ended long ago")
        elif now - self._alive_at > ABANDONED:
            self._give_up("everybody left long ago and no word has come since")
        for key, microphone in list(self.microphones.items()):
            microphone.tick(now)
            gone = (
                microphone.detached_at is not None
                and now - microphone.detached_at > MICROPHONE_KEPT_S
            )
            if gone and not microphone.busy:
                del self.microphones[key]
                self._show_state(microphone.participant.identity)
                if not self._seats_of(microphone.participant.identity):
                    self._hands.pop(microphone.participant.identity, None)
                    self._forget_holder(microphone.participant.identity)

    def pulse(self) -> None:
        """Once a second: send beats, and show who doesn't answer them."""
        self._pulses += 1
        changed = self._lost.tick()
        for seat in self.seats:
            changed |= seat.pulse.tick(seat.said, seat.microphone.received)
            if seat.pulse.answers and self._pulses % BEAT_EVERY == 0:
                seat.listener.send(_BEAT)
        if changed:
            self.show_people()

    def _forget_holder(self, identity: str) -> None:
        if not any(who == identity for who, _ in self.microphones):
            self.holders.forget(identity)

    def _give_up(self, why: str) -> None:
        """Drop what the engine didn't take; the relays log how much that is."""
        for microphone in self.microphones.values():
            if microphone.busy:
                log.warning("%s, and speech still waits: it is given up", why)
                microphone.abort()

    async def last_words(self, seconds: float) -> bool:
        """Take no more audio and wait for the last words. Returns whether they came in time."""
        microphones = list(self.microphones.values())
        for microphone in microphones:
            microphone.close()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(microphone.wait_closed() for microphone in microphones))
        except TimeoutError:
            return False
        return True

    async def drain(self, seconds: float) -> None:
        """Take no more audio, wait for the last words, and give up what doesn't come in time.

        Pages that come back send to the next process what isn't settled, so nothing more of
        theirs is: a sentence that is being said now would be cut in two, its beginning would be
        there twice. For those that don't come back after all, `unsettled` has it.
        """
        if not self.over:
            self._returning = {one for one in self.microphones.values() if one.may_return}
        if not await self.last_words(seconds):
            log.warning("the last words of a session did not arrive in time")
        for microphone in list(self.microphones.values()):
            microphone.abort()
            await microphone.wait_closed()  # which hands over what waited for its turn

    def close(self, code: int) -> None:
        """Close every page."""
        self._deliver()
        for seat in self.seats:
            seat.listener.close(code)
        self.seats.clear()

    def desert(self) -> None:
        """Close every page and drop what is underway: the room is another node's.

        Nothing of it is lost: pages say anew what isn't settled.
        """
        for microphone in self.microphones.values():
            self._returning.add(microphone)
            microphone.close()
            microphone.abort()
        self.close(CLOSE_RESTART)

    def end(self, reason: str) -> None:
        """Tell every page that the session is over, and close it. Words may still come."""
        self._ended_at = time.monotonic()
        self._ended = self.publish(SessionChanged("ENDED", reason=reason))
        self.close(CLOSE_ENDED)

    def remove(self, identity: str) -> None:
        """Close every page of one participant. What they had said is still transcribed."""
        self._deliver()
        for seat in self._seats_of(identity):
            seat.microphone.close()
            seat.dismissed = True
            seat.listener.close(CLOSE_REMOVED)
        self._lost.forget(identity)

    def heard(
        self, microphone: Microphone, stream: str, recognition: Recognition, when: Span
    ) -> None:
        """MicrophoneSink: give the text its place, keep it if final, and send it to everybody."""
        self._alive_at = time.monotonic()
        if (stream, recognition.utterance) in self._final_keys:
            return
        if not recognition.text:
            self.withdrawn(microphone, stream, recognition.utterance)
        elif not recognition.final:
            shown = _partial(microphone, stream, recognition, when)
            self._partials[shown.id] = self.publish(shown)
        elif len(self._finals) >= MAX_SPOKEN:
            self._tell(microphone, Error("words_lost", "This session’s transcript is full."))
            microphone.not_kept(when)
        else:
            self._take(microphone, self._said(microphone, stream, recognition, when), when)

    def _take(self, microphone: Microphone, said: Utterance, when: Span) -> None:
        """Give a final its place and have it kept in its turn."""
        if microphone in self._returning:
            self.unsettled.append(said)
            return
        entry = self._add(msgspec.structs.replace(said, seq=self.last_seq + 1))
        entry.stored = partial(self._stored, entry, microphone)
        entry.lost = partial(self._not_stored, entry, microphone)
        microphone.in_turn(when, partial(self._keep, microphone, entry))

    def _keep(self, microphone: Microphone, entry: Entry[Utterance]) -> None:
        if microphone in self._returning:  # it overtook what isn't settled
            self.unsettled.append(entry.value)
            self._unstored.pop(entry.value.place, None)
        else:
            self._keeper.keep(entry)

    def _stored(self, entry: Entry[Utterance], microphone: Microphone | None = None) -> None:
        self._unstored.pop(entry.value.place, None)
        if microphone is not None:
            self._tell(microphone, Settled(entry.value.until))

    def _not_stored(
        self, entry: Entry[Utterance], microphone: Microphone | None, refused: bool
    ) -> None:
        """Tell that a final will never be stored: who said it, and all by a gap in its place.

        Where a gap is refused as well, or there is no place for anything, the transcript ends up
        without it; the page that spoke has been told.
        """
        said = entry.value
        self._unstored.pop(said.place, None)
        if said.lost is not None:
            return
        seconds = round(max(said.end - said.start, 0.1), 1)
        if microphone is not None:
            self.words_lost(microphone, seconds)
        if refused:
            gap = msgspec.structs.replace(said, text="", language=None, lost=seconds)
            entry.value = gap
            self._unstored[said.place] = entry
            self._finals[bisect_left(self._seqs, gap.seq)] = self.publish(_utterance(gap))
            self._keeper.keep(entry)

    def adopt(self, said: Utterance) -> None:
        """Take over what the last process held for a page that didn't come back."""
        said = msgspec.structs.replace(said, seq=self.last_seq + 1, epoch=self.epoch)
        entry = self._add(said)
        entry.stored = partial(self._stored, entry)
        entry.lost = partial(self._not_stored, entry, None)
        self._keeper.keep(entry)

    def renumber(self, stored: Iterable[Utterance], waiting: Iterable[Entry[Utterance]]) -> None:
        """Bring the order in line with what is stored: a place that was given here is taken.

        What is stored stays where it is and is shown; what isn't stored and clashes with it gets
        the next numbers, and is sent again with them.
        """
        taken = {one.seq: one for one in stored}
        known = {one.place for one in taken.values()}
        unstored = {one.value.place: one for one in waiting} | self._unstored
        clashing = [
            one
            for one in unstored.values()
            if one.value.seq in taken and one.value.place not in known
        ]
        finals = dict(zip(self._seqs, self._finals, strict=True))
        first = last = max([self.last_seq, *taken])
        for entry in clashing:
            first = min(first, entry.value.seq)
            finals.pop(entry.value.seq, None)
            last += 1
            entry.value = msgspec.structs.replace(entry.value, seq=last)
        unknown = [one for one in taken.values() if one.place not in self._final_keys]
        for said in [*unknown, *(one.value for one in clashing)]:
            first = min(first, said.seq)
            self._final_keys.add(said.place)
            self._settle(said)
            finals[said.seq] = self.publish(_utterance(said))
        self._seqs = sorted(finals)
        self._finals = [finals[seq] for seq in self._seqs]
        self._sure_seq = min(self._sure_seq, first - 1)
        here = [(seat.participant.identity, seat.microphone.client) for seat in self.seats]
        self._told = dict.fromkeys(here)

    def _add(self, said: Utterance) -> Entry[Utterance]:
        """Give a final its place in the room and send it to everybody."""
        self._final_keys.add(said.place)
        entry = self._unstored[said.place] = Entry(said)
        self._seqs.append(said.seq)
        self._settle(said)
        self._partials.pop(said.key, None)
        self._finals.append(self.publish(_utterance(said)))
        return entry

    def _settle(self, said: Utterance) -> None:
        key = (said.identity, said.client)
        self._settled[key] = max((said.until, said.start), self._settled.get(key, (0, 0.0)))

    def _said(
        self, microphone: Microphone, stream: str, recognition: Recognition, when: Span
    ) -> Utterance:
        return Utterance(
            session_id=self.session.id,
            stream=stream,
            utterance=recognition.utterance,
            seq=0,
            identity=microphone.participant.identity,
            name=microphone.participant.name,
            hue=microphone.participant.hue,
            text=recognition.text,
            start=round(when.start, 2),
            end=round(when.end, 2),
            language=recognition.language,
            client=microphone.client,
            until=when.until,
            role=microphone.participant.role,
            epoch=self.epoch,
        )

    def withdrawn(self, microphone: Microphone, stream: str, utterance: str) -> None:
        """MicrophoneSink: take a partial off the pages that show it."""
        key = f"{stream}-{utterance}"
        if self._partials.pop(key, None) is not None:
            nothing = Recognition(utterance, "", 0.0, 0.0, final=False)
            self.publish(_partial(microphone, stream, nothing, Span(0.0, 0.0, 0, 0)))

    def state_changed(self, microphone: Microphone) -> None:
        """MicrophoneSink: tell everybody what becomes of this participant's speech."""
        self._show_state(microphone.participant.identity)

    def _show_state(self, identity: str) -> None:
        states = [c.state for (who, _), c in self.microphones.items() if who == identity]
        gone: tuple[SpeechState, str | None] = ("paused", None)
        state, reason = min(states, key=lambda s: _GRAVITY.index(s[0]), default=gone)
        if self._states.get(identity) == (state, reason):
            return
        self._states[identity] = (state, reason)
        self._speech[identity] = self.publish(Speech(identity, state, reason, datetime.now(UTC)))

    def words_lost(self, microphone: Microphone, seconds: float) -> None:
        """MicrophoneSink: tell the page that spoke."""
        log.warning("a page is told that %.2f s of its speech were lost", seconds)
        told = f"{how_long(seconds)} of what you said could not be transcribed."
        self._tell(microphone, Error("words_lost", told))

    def missed(self, microphone: Microphone, gap: str, seconds: float, when: Span) -> None:
        """MicrophoneSink: show a gap to everybody and keep it in its place."""
        log.warning("%.2f s of speech were lost", seconds)
        if len(self._finals) >= MAX_UTTERANCES:
            return
        stream, utterance = gap.rsplit("-", 1)
        nothing = Recognition(utterance, "", when.start, when.end, final=True)
        said = self._said(microphone, stream, nothing, when)
        self._take(microphone, msgspec.structs.replace(said, lost=round(seconds, 1)), when)

    def _tell(self, microphone: Microphone, what: ServerMessage) -> None:
        self._send_to([seat for seat in self.seats if seat.microphone is microphone], what)

    def stream_closed(self, microphone: Microphone, record: StreamRecord) -> None:
        """MicrophoneSink: hand the account on."""
        self._keeper.account(self.session.id, microphone.participant.identity, record)


_BEAT = Batch([Message(Beat())])
_GRAVITY = ("failed", "delayed", "listening", "ready", "paused")


def _partial(
    microphone: Microphone, stream: str, recognition: Recognition, when: Span
) -> UtteranceMessage:
    who = microphone.participant
    return UtteranceMessage(
        id=f"{stream}-{recognition.utterance}",
        seq=None,
        identity=who.identity,
        name=who.name,
        hue=who.hue,
        text=recognition.text,
        start=round(when.start, 2),
        end=round(when.end, 2),
        language=recognition.language,
        final=False,
    )


def _knock_views(people: list[Participant]) -> list[KnockView]:
    return [KnockView(one.identity, one.name, one.hue) for one in people]


def _utterance(said: Utterance) -> UtteranceMessage:
    return UtteranceMessage(
        id=said.key,
        seq=said.seq,
        identity=said.identity,
        name=said.name,
        hue=said.hue,
        text=said.text,
        start=said.start,
        end=said.end,
        language=said.language,
        final=True,
        lost=msgspec.UNSET if said.lost is None else said.lost,
    )


def _until(said: Utterance, sample: int) -> Utterance | None:
    """Return what was said until a sample; of a gap, the part until there. None without any."""
    if said.until <= sample:
        return said
    late = (said.until - sample) / SAMPLE_RATE
    if said.lost is None or said.end - late <= said.start:
        return None
    end = round(said.end - late, 2)
    lost = min(said.lost, round(end - said.start, 1))
    return msgspec.structs.replace(said, until=sample, end=end, lost=lost)


class Rooms:
    """All rooms of the process."""

    def __init__(
        self, engine: Engine, keeper: Keeper, claims: Claims, options: MicrophoneOptions
    ) -> None:
        self.engine = engine
        self._claims = claims
        self.places = SocketQuota()
        self.decided = 0  # decisions of hosts so far, for who comes in at that moment
        self._knocks = Knocks()
        self._keeper = keeper
        self._options = options
        budget = AudioBudget(speech_memory())
        self._services = SpeechServices(engine, SlotPool(engine.max_streams), budget)
        self._rooms: dict[str, asyncio.Task[Room]] = {}
        self._ticker: asyncio.Task[None] | None = None
        self._pulse: asyncio.Task[None] | None = None
        self._renewal: asyncio.Task[None] | None = None
        # What the last process held for pages, until they come back or their time is over.
        self._held: list[Utterance] = []
        self._held_until = 0.0

    def start(self) -> None:
        """Begin to look after the rooms; called once, in the running loop."""
        self._keeper.serve(self.room)
        self._held = self._keeper.held()
        self._held_until = time.monotonic() + MICROPHONE_KEPT_S
        self._ticker = asyncio.create_task(self._tick())
        self._pulse = asyncio.create_task(self._beat())
        self._renewal = asyncio.create_task(self._renew())

    def room(self, session_id: str) -> Room | None:
        """Return a room that is in memory."""
        task = self._rooms.get(session_id)
        return task.result() if task and task.done() and not _failed(task) else None

    def tell(self, session_id: str, command: Command) -> None:
        """Tell a room, if it is in memory, what was decided about its session.

        It is counted, so that who comes in at this moment learns of it: see routes/ws.py.
        """
        self.decided += 1
        room = self.room(session_id)
        if room is not None:
            room.obey(command)

    def knock(self, session_id: str, participant: Participant) -> None:
        """Show hosts that somebody knocks."""
        if self._knocks.knock(session_id, participant):
            self._show_people(session_id)

    def stop_knocking(self, session_id: str, identity: str) -> None:
        """Note that somebody was answered."""
        if self._knocks.forget(session_id, identity):
            self._show_people(session_id)

    def waiting(self, session_id: str) -> int:
        """Return how many people knock at a session."""
        return len(self._knocks.of(session_id))

    def hosts(self, session_id: str) -> int:
        """Return how many hosts have a page open in a session, and so see who knocks."""
        room = self.room(session_id)
        return 0 if room is None else room.hosts()

    def who_waits(self, session_id: str) -> list[str]:
        """Return the identities of who knocks."""
        return [one.identity for one in self._knocks.of(session_id)]

    def answered(
        self, session_id: str, identities: Collection[str], denied: list[Participant]
    ) -> None:
        """Note that these don't wait any more, and who is denied now."""
        news = [self._knocks.forget(session_id, identity) for identity in identities]
        if self._knocks.set_denied(session_id, denied) or any(news):
            self._show_people(session_id)

    def _show_people(self, session_id: str) -> None:
        room = self.room(session_id)
        if room is not None:
            room.show_people()

    async def enter(
        self,
        session: RoomSession,
        participant: Participant,
        hello: Hello,
        listener: Listener,
    ) -> Seat:
        """Give a page its place.

        Raises RoomElsewhereError while another node has the room, and what the keeper raises when
        the past can't be loaded.
        """
        while True:
            task = self._rooms.get(session.id)
            if task is None or _failed(task):
                task = asyncio.create_task(self._load(session))
                self._rooms[session.id] = task
            room = await asyncio.shield(task)
            # An empty room may have been forgotten between its loading and this line.
            if self._rooms.get(session.id) is task:
                seat = room.enter(participant, hello, listener, self._options)
                if seat.active:  # else its audio isn't taken
                    self._release_held(room, participant.identity, hello.client)
                return seat

    def _release_held(self, room: Room, identity: str, client: str) -> None:
        """Forget what was held for a page that is back and says it anew.

        It keeps `PAGE_KEEPS` seconds: what is older stands as it is held.
        """
        key = (room.session.id, identity, client)
        own = [one for one in self._held if (one.session_id, one.identity, one.client) == key]
        if not own:
            return
        oldest = max(one.until for one in own) - int(PAGE_KEEPS * SAMPLE_RATE)
        for one in own:
            if (old := _until(one, oldest)) is not None:
                room.adopt(old)
        self._held = [one for one in self._held if one not in own]
        self._keeper.hold(self._held)

    async def _adopt_held(self, session_id: str) -> None:
        """Let what was held for pages of a session stand: they didn't come back."""
        if not any(one.session_id == session_id for one in self._held):
            return
        epoch = await self._claims.claim(session_id)
        said = await self._keeper.said(session_id)
        task = self._rooms.get(session_id)
        room = await asyncio.shield(task) if task is not None else None
        # No await from here on: a room that is loaded later finds what is kept now.
        last = said[-1].seq if said else 0
        for one in [one for one in self._held if one.session_id == session_id]:
            last += 1
            if room is not None:
                room.adopt(one)
            else:
                self._keeper.keep(Entry(msgspec.structs.replace(one, seq=last, epoch=epoch)))
        self._held = [one for one in self._held if one.session_id != session_id]
        self._keeper.hold(self._held)

    async def _adopt_all_held(self) -> None:
        for session_id in {one.session_id for one in self._held}:
            try:
                await self._adopt_held(session_id)
            except RoomElsewhereError:  # which its owner gives back once nobody is there
                pass
            except Exception as problem:  # the database is away: the next second tries again
                log.warning("held words can't be placed yet: %s", type(problem).__name__)

    def connected(self) -> list[str]:
        """Return the identities of who has a page open, in any room."""
        rooms = [room for sid in self._rooms if (room := self.room(sid))]
        return list({seat.participant.identity for room in rooms for seat in room.seats})

    async def _load(self, session: RoomSession) -> Room:
        # First: what the last owner writes until then is in what is read below.
        epoch = await self._claims.claim(session.id)
        lines = await self._keeper.chat(session.id)
        # Last: no final may be numbered anew between its being read and the room's having it.
        said = await self._keeper.said(session.id)
        return Room(
            session, said, lines, self._keeper, self._services, knocks=self._knocks, epoch=epoch
        )

    async def end(self, session_id: str, reason: str) -> None:
        """End a session that storage already calls ended: last words, then everybody leaves.

        Words that are still on their way then come in later: see `still_writing`.
        """
        self.decided += 1
        # Else they are placed when their time is over, or the room is ours.
        with suppress(DatabaseAwayError, RoomElsewhereError):
            await self._adopt_held(session_id)
        task = self._rooms.get(session_id)
        if task is None:
            return
        await asyncio.wait([task])
        if _failed(task):
            return
        room = task.result()
        if room.over:
            return
        await room.last_words(END_DRAIN)
        if not room.over:
            room.end(reason)
        if room.idle:
            self._forget(session_id)

    def unstored(self, session_id: str) -> list[Utterance]:
        """Return the finals of a session that its pages have seen and that aren't stored yet."""
        room = self.room(session_id)
        return [] if room is None else room.unstored

    def still_writing(self, session_id: str) -> bool:
        """Whether words of a session that has ended are still on their way."""
        room = self.room(session_id)
        held = any(one.session_id == session_id for one in self._held)
        return held or (room is not None and room.writing)

    def _forget(self, session_id: str) -> None:
        self._rooms.pop(session_id, None)

    async def close(self) -> None:
        """Let every room say its last words, and send the pages to the next process."""
        if self._ticker is not None:
            self._ticker.cancel()
        if self._pulse is not None:
            self._pulse.cancel()
        if self._renewal is not None:
            self._renewal.cancel()
        rooms = [room for sid in list(self._rooms) if (room := self.room(sid))]
        await asyncio.gather(*(room.drain(SHUTDOWN_DRAIN) for room in rooms))
        for room in rooms:
            self._held += room.unsettled
        self._keeper.hold(self._held)
        # In this order: the next owner reads what was stored, and pages ask it at once.
        await self._keeper.flush()
        with suppress(DatabaseAwayError):
            await self._claims.release(self._claims.held)
        for room in rooms:
            room.close(CLOSE_RESTART)
        self._rooms.clear()

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
                self._leave_to_another(session_id)

    def _leave_to_another(self, session_id: str) -> None:
        """Send a room's pages to its new owner, to whom they say anew what isn't settled."""
        room = self.room(session_id)
        self._forget(session_id)
        if room is not None:
            log.warning("the room of session %s was taken over by another node", session_id)
            room.desert()

    async def _give_back(self) -> None:
        """Release the rooms that nobody needs any more."""
        done = [
            one
            for one in self._claims.held
            if one not in self._rooms and not self._keeper.stores(one)
        ]
        if done:
            with suppress(DatabaseAwayError):
                await self._claims.release(done)

    async def _beat(self) -> None:
        """Tick for the pulses alone: it waits for nothing else, such as a database."""
        while True:
            await asyncio.sleep(1)
            for session_id in list(self._rooms):
                room = self.room(session_id)
                if room is not None:
                    room.pulse()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            if self._held and now > self._held_until:
                await self._adopt_all_held()
            for session_id in self._knocks.tick(now):
                self._show_people(session_id)
            for session_id in list(self._rooms):
                room = self.room(session_id)
                if room is not None:
                    room.tick(now)
                    if room.idle and (room.over or not room.microphones):
                        self._forget(session_id)
            await self._give_back()


def _failed(task: asyncio.Task[Room]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
