"""A room: what is live of a session. Who comes and goes, and what each of them is shown.

Everything runs on the event loop's thread, so a connect is one step: register, replay, go live.
Nothing can slip in between and nothing is sent twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace

from core.corrections import UNCORRECTED, Corrections
from core.leases import Claim
from core.metrics import PAGES_BACK
from core.model import Answer, ChatLine, Consent, Page, Participant, Pause, Translated, Utterance
from core.room.active import ActivePages
from core.room.captions import Captions
from core.room.chat import ChatLog
from core.room.fanout import Fanout
from core.room.knocks import Knocks
from core.room.microphones import Microphones
from core.room.ports import Tapes, Writer
from core.room.presence import Pulse
from core.room.roster import Roster
from core.room.seat import Listener, Seat
from core.room.session import RoomSession
from core.room.translations import Translations
from core.room.warnings import Warnings
from core.room.wire import (
    CLOSE_ENDED,
    CLOSE_REPLACED,
    CLOSE_RESTART,
    Batch,
    ConsentChanged,
    ConsentView,
    Hello,
    Message,
    Names,
    Pauses,
    SessionChanged,
    Welcome,
)
from core.room.wire import Spoken as SpokenMessage
from core.speech.microphone import Microphone, MicrophoneOptions
from core.speech.resilient import SpeechServices
from core.spoken import Spoken
from core.transcript.outbox import Entry

# Seconds without anybody here and without any word, after which speech waits for the engine no
# longer. What is still being transcribed goes on.
ABANDONED_AFTER_S = 600.0
AFTER_END_S = 600.0  # in which words may still come after the end of a session


class Room:
    """One session's room while it is in memory: while somebody is here or words are on their way.

    Its parts know each other by what they are handed here; this class is where they meet.
    """

    def __init__(
        self,
        session: RoomSession,
        said: list[Utterance],
        lines: list[ChatLine],
        writer: Writer,
        services: SpeechServices,
        *,
        knocks: Knocks,
        claim: Claim,
        translated: Iterable[Translated] = (),
        corrections: Corrections = UNCORRECTED,
        tapes: Tapes | None = None,
    ) -> None:
        self.session = session  # as hosts have changed it last
        self.fanout = Fanout()  # seats, and what all of them are told
        # Known to three parts: who is heard, who may be, and what is shown of it.
        microphones: dict[Page, Microphone] = {}
        self.translations = Translations(session.id, translated, self.fanout, writer)
        self.translations.correct(corrections.utterances)
        self.captions = Captions(
            session,
            said,
            self.fanout,
            writer,
            microphones,
            translations=self.translations,
            claim=claim,
            corrections=corrections,
        )
        self._names = corrections.names or {}  # of who is called otherwise in the transcript
        self.captions.withheld.set((one.start, one.end) for one in session.pause_views())
        self.microphones = Microphones(microphones, self.captions, services, tapes)
        self.active = ActivePages(self.fanout, microphones)
        self.roster = Roster(session, self.fanout, knocks)
        self._warnings = Warnings(self.fanout, services.allowance)
        # What people have said here that they speak: it may not be stored yet when they come back.
        self._speak: dict[str, str | None] = {}
        self._chat = ChatLog(session.id, lines, writer.keep_line)
        self._alive_at = time.monotonic()  # when somebody was here last, as of the last tick
        self._ended: Message | None = None  # what everybody is told of the end, and who is late
        self._ended_at = 0.0  # when that was, a monotonic time

    @property
    def over(self) -> bool:
        """Whether the session has ended here; words that were said before may still come."""
        return self._ended is not None

    @property
    def idle(self) -> bool:
        """Whether nobody is here and no words are on their way."""
        return not self.fanout.seats and not self.microphones.writing

    def enter(
        self, participant: Participant, hello: Hello, listener: Listener, how: MicrophoneOptions
    ) -> Seat:
        """Register a page, replay what it lacks, and tell the others."""
        self.fanout.deliver()  # to those who were here before
        language = self._speak.get(participant.identity, participant.language)
        participant = replace(participant, language=language)
        page = participant.identity, hello.client
        known = page in self.microphones
        microphone = self.microphones.of(participant, hello, how, self.session)
        seat = Seat(self, participant, microphone, listener)
        if self._ended is not None:  # between this page's check and its coming in
            listener.send(Batch([self._ended]))
            listener.close(CLOSE_ENDED)
            return seat
        for other in self.fanout.at(page):
            other.listener.close(CLOSE_REPLACED)
            self._take_away(other)
        if known:
            PAGES_BACK.inc()
        seat.pulse = Pulse(answers=hello.beats)
        self.fanout.seats.append(seat)
        self.roster.found(participant.identity)
        seat.microphone.detached_at = None
        seat.microphone.left = False
        seat.microphone.heed(participant.answer, self.session.heard_from(participant))
        seat.microphone.speaks(language)
        seat.active = self.active.came(page, hello.active, known=known)
        self.active.tell(participant.identity)
        self._replay(seat, hello)
        self._warnings.tell()
        self.roster.show()  # to the new page as well: hosts learn from it who knocks
        return seat

    def _replay(self, seat: Seat, hello: Hello) -> None:
        """Send what a page lacks, with what it may not count on of what it has."""
        newest, said = self.captions.log.catch_up(seat.page, hello.seq)
        welcome = Welcome(
            session=self.session.view(),
            you=self.roster.view(seat.participant),
            received=seat.microphone.received,
            seq=newest,
            engine=self.microphones.engine,
            people=self.roster.people(),
            active=seat.active,
            consent=ConsentView(self.session.consent, seat.participant.consent),
            pauses=self.session.pause_views(),
            now=self._now(),
            language=seat.participant.language,
            names=self._names,
            audio=self.microphones.audio_days(seat.page, self.session),
        )
        # First what was corrected of what the page has, by number: where the line breaks, it says
        # the last number that it was told, and nothing before that is missing.
        new = set(map(id, said))
        since = self.captions.corrected_since(hello.corrected)
        said = [*(one for one in since if id(one) not in new), *said]
        lines, states = self._chat.after(hello.chat), self.captions.states
        translated = self.translations.replayed(seat, hello.reads)
        seat.listener.replay([Message(welcome), *lines, *said, *translated, *states])

    def set_asked(self, asked: Consent) -> None:
        """Let the door of the space ask this: who hasn't answered is transcribed, or not."""
        self.session = replace(self.session, consent=asked)
        self.roster.asked = asked
        for identity, answer in self.microphones.answers.items():
            self._heed(identity, answer)
        self.roster.show()

    def set_audio(self, days: int) -> None:
        """Keep the sound of what is said from now on for so many days, and tell whose it is."""
        self.session = replace(self.session, audio_days=days)
        self.microphones.keep(self.session)
        for seat in self.fanout.seats:
            kept = self.microphones.audio_days(seat.page, self.session)
            self.fanout.send_to([seat], SessionChanged(self.session.status, audio=kept))

    def _heed(self, identity: str, answer: Answer | None) -> None:
        self.microphones.heed(identity, answer, self.session)
        self.fanout.deliver()
        told = ConsentChanged(self.session.consent, None if answer is None else answer.given)
        self.fanout.send_to(self.fanout.of(identity), told)

    def set_answer(self, identity: str, answer: Answer | None) -> None:
        """Transcribe a participant or not, as they want it: it holds from now on."""
        for seat in self.fanout.of(identity):
            seat.participant = replace(seat.participant, answer=answer)
        self._heed(identity, answer)
        self.roster.show()

    def set_spoken(self, spoken: Spoken, mark: str) -> None:
        """Ask this of the engine for who begins to speak from now on."""
        before, self.session = self.session, replace(self.session, spoken=spoken, mark=mark)
        self.captions.spoken = spoken
        if spoken.targets != before.spoken.targets:
            targets = list(spoken.targets or ())
            self.fanout.publish(SessionChanged(self.session.status, targets=targets))

    def set_language(self, identity: str, language: str | None) -> None:
        """Transcribe a participant in this language from now on, and tell their pages so."""
        self._speak[identity] = language
        seats = self.fanout.of(identity)
        for seat in seats:
            seat.participant = replace(seat.participant, language=language)
        self.microphones.speaks(identity, language)
        self.fanout.send_to(seats, SpokenMessage(language))

    def set_pauses(self, pauses: tuple[Pause, ...]) -> None:
        """Pause, or go on: from these times on, whenever this is heard here."""
        self.session = replace(self.session, pauses=pauses)
        views = self.session.pause_views()
        self.captions.withheld.set((one.start, one.end) for one in views)
        self.fanout.publish(Pauses(views, self._now()))
        for identity in {one for one, _ in self.microphones.pages}:
            self.captions.show_state(identity)

    def correct(self, corrections: Corrections) -> None:
        """Show what was said as corrections have left it, and who spoke as they are called now."""
        is_news = self.captions.correct(corrections)
        self.translations.correct(corrections.utterances)
        if is_news and corrections.names is not None:
            self._names = corrections.names
            self.fanout.publish(Names(corrections.names))

    def _now(self) -> float:
        return round(time.monotonic() - self.captions.began, 3)

    def take(self, seat: Seat) -> None:
        """Give a page its participant's microphone and call; their other pages lose them."""
        if seat in self.fanout.seats:  # else it was replaced or removed while it asked
            self.active.take(seat.page)

    def leave(self, seat: Seat, *, closed: bool) -> bool:
        """Remove a page; `closed`: for good. Returns whether its participant has no other."""
        if seat not in self.fanout.seats:
            return False
        self._take_away(seat)
        seat.microphone.detached_at = time.monotonic()
        others = self.fanout.of(seat.participant.identity)
        if closed:
            self.active.left(seat.page, others[-1].page if others else None)
        elif not others and seat.pulse.answers and not (seat.dismissed or seat.pulse.away):
            self.roster.expect_back(seat.participant)
        self.roster.show()
        return not others

    def _take_away(self, seat: Seat) -> None:
        """Remove a seat; its page's numbers are ours if it can have taken in the welcome.

        A page says nothing before that, and what it has seen since came from here.
        """
        self.fanout.seats.remove(seat)
        if seat.in_step and seat.said:
            self.captions.log.trust(seat.page)

    def say(self, author: Participant, text: str) -> None:
        """Give a chat line its place, keep it and send it to everybody. Raises WireError."""
        self.fanout.send(self._chat.say(author, text))

    def renumber(self, stored: Iterable[Utterance], waiting: Iterable[Entry[Utterance]]) -> None:
        """Numbering: see TranscriptLog.renumber."""
        for seat in self.fanout.seats:
            seat.in_step = False
        self.captions.log.renumber(stored, waiting)

    def renumber_lines(
        self, stored: Iterable[ChatLine], waiting: Iterable[Entry[ChatLine]]
    ) -> None:
        """Numbering: see ChatLog.renumber."""
        self._chat.renumber(stored, waiting)

    def tick(self, now: float) -> None:
        """Once a second: pass on places, finish what went silent, forget who is gone for good."""
        self.active.tick()
        self._warnings.tell()
        if self.fanout.seats:
            self._alive_at = now
        if self.over and now - self._ended_at > AFTER_END_S:
            self.microphones.give_up("the session ended long ago")
        elif now - max(self._alive_at, self.captions.alive_at) > ABANDONED_AFTER_S:
            self.microphones.give_up("everybody left long ago and no word has come since")
        for identity in self.microphones.tick(now):
            if not self.fanout.of(identity):
                self.roster.forget(identity)
                self.active.forget(identity)

    async def drain(self, seconds: float) -> None:
        """Have the last words said before the process stops; pages may come back to the next."""
        await self.microphones.drain(seconds, to_next=not self.over)

    def desert(self) -> None:
        """Close every page and drop what is underway: the room is another node's.

        Nothing of it is lost: pages say anew what isn't stored.
        """
        self.microphones.desert()
        self.fanout.close(CLOSE_RESTART)

    def end(self, reason: str) -> None:
        """Tell every page that the session is over, and close it. Words may still come."""
        self._ended_at = time.monotonic()
        self._ended = self.fanout.publish(SessionChanged("ENDED", reason=reason))
        self.fanout.close(CLOSE_ENDED)
