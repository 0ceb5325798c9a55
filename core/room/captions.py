"""Captions: what a room's microphones hear, on its way to the log and to everybody's pages."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from core.corrections import UNCORRECTED, Corrections
from core.leases import Claim
from core.metrics import FINAL, FIRST_PARTIAL
from core.model import Page, Participant, Translated, Utterance
from core.room.fanout import Fanout
from core.room.ports import Writer
from core.room.session import RoomSession
from core.room.translations import Translations
from core.room.wire import (
    Error,
    Message,
    Settled,
    Speech,
    corrected_message,
    utterance_message,
)
from core.speech.engine import (
    SAMPLE_RATE,
    Recognition,
    SpeechState,
    StreamOptions,
    Translation,
)
from core.speech.hearing import Span
from core.speech.microphone import Microphone
from core.speech.reasons import Reason
from core.speech.resilient import StreamRecord
from core.speech.withheld import Withheld
from core.spoken import MAX_ENTRIES, names_among
from core.transcript.log import TranscriptLog

log = logging.getLogger(__name__)

# Samples of silence after which its page is told that it need not keep them: 5 s, so that there is
# one short message to a hundred frames.
SETTLE_EVERY = 5 * SAMPLE_RATE
# Of several pages of a person, the first of these states is shown: what needs attention is.
_GRAVITY = ("failed", "delayed", "listening", "ready", "paused")


class Captions:
    """What is said in one room, and what becomes of it: MicrophoneSink and LogSink."""

    def __init__(
        self,
        session: RoomSession,
        said: list[Utterance],
        fanout: Fanout,
        writer: Writer,
        microphones: Mapping[Page, Microphone],
        *,
        translations: Translations,
        claim: Claim,
        corrections: Corrections = UNCORRECTED,
    ) -> None:
        self.space, self.slug = session.space, session.slug  # whose slots the streams take
        self.spoken = session.spoken  # of languages and words, by which the engine is asked
        self.withheld = Withheld()  # when hosts paused; the room sets it
        self.alive_at = time.monotonic()  # when some words came last, or the room was made
        # What was corrected, by seq: before the log, which has each final encoded once.
        self._corrected: dict[int, tuple[int, Message]] = {
            one.seq: (one.number, Message(corrected_message(one))) for one in corrections.utterances
        }
        self.corrected_to = corrections.number  # the newest correction that is known here
        self.log: TranscriptLog[Message] = TranscriptLog(
            said, writer, self, epoch=claim.epoch, first=claim.first
        )
        self._session_id = session.id
        self._fanout = fanout  # everybody's pages
        self._writer = writer  # takes accounts of streams
        self._translations = translations
        self._microphones = microphones  # the room's: of several, who speaks shows one state
        # MicrophoneSink. The session may have started in an earlier process; and a wall clock that
        # is set back must not put what is said now before what was said before.
        self.began = time.monotonic() - (datetime.now(UTC) - session.started_at).total_seconds()
        # What everybody was last told of a participant's speech: to compare, and for who comes.
        self._states: dict[str, tuple[SpeechState, Reason | None]] = {}
        self._shown: dict[str, Message] = {}

    @property
    def states(self) -> list[Message]:
        """What becomes of each participant's speech, for a page that comes."""
        return list(self._shown.values())

    def options(self, speaker: Participant) -> StreamOptions:
        """MicrophoneSink: names of who is here have their places in the vocabulary."""
        said, own = self.spoken, speaker.language
        names = names_among(seat.participant.name for seat in self._fanout.seats)
        return StreamOptions(
            languages=(own,) if own else said.languages or (),
            code_switching=said.code_switching and not own,
            vocabulary=(*said.vocabulary[: MAX_ENTRIES - len(names)], *names),
            spelling=said.spelling,
            targets=said.targets or (),
        )

    def heard(
        self, microphone: Microphone, stream: str, recognition: Recognition, when: Span
    ) -> None:
        """MicrophoneSink: give the text its place and show it to everybody."""
        self.alive_at = time.monotonic()
        if self.log.has(stream, recognition.utterance):  # said once more after a reconnect
            return
        if not recognition.text:
            self.withdrawn(microphone, stream, recognition.utterance)
        elif not recognition.final:
            if self.log.open(self._utterance(microphone, stream, recognition, when)):
                FIRST_PARTIAL.observe(microphone.age(when.until))
        elif self.log.full:
            self._tell(microphone.page, Error("transcript_full"))
            microphone.not_kept(when)
        else:
            said = self._utterance(microphone, stream, recognition, when)
            self.log.add(said, when.since, microphone.open_since)
            FINAL.observe(microphone.age(when.until))

    def translated(self, microphone: Microphone, stream: str, translation: Translation) -> None:
        """MicrophoneSink: show it to who reads this language, and have it stored.

        What isn't final is no line that anybody has: its page says it anew elsewhere.
        """
        if not self.log.has(stream, translation.utterance):
            return
        who = microphone.participant.identity
        self._translations.add(
            Translated(
                self._session_id,
                stream,
                translation.utterance,
                who,
                translation.language,
                translation.text,
            )
        )

    def missed(self, microphone: Microphone, gap: str, seconds: float, when: Span) -> None:
        """MicrophoneSink: show a gap to everybody, in its place among what was said."""
        log.warning("%.2f s of speech were lost", seconds)
        stream, utterance = gap.rsplit("-", 1)
        nothing = Recognition(utterance, "", when.start, when.end, final=True)
        said = self._utterance(microphone, stream, nothing, when)
        said = msgspec.structs.replace(said, lost=round(seconds, 1))
        self.log.add(said, when.since, microphone.open_since)

    def withdrawn(self, microphone: Microphone, stream: str, utterance: str) -> None:
        """MicrophoneSink: take a partial off the pages that show it."""
        # Pages know it by its id: a partial without a text takes it away.
        nothing = Recognition(utterance, "", 0.0, 0.0, final=False)
        gone = self._utterance(microphone, stream, nothing, Span(0.0, 0.0, 0, 0))
        if self.log.withdraw(gone.key):
            self.show(self.encode(gone))

    def stretch_over(self, microphone: Microphone) -> None:
        """MicrophoneSink: what had to wait for these words may be stored."""
        self.log.turn(microphone.page, microphone.open_since)

    def settle_silence(self) -> None:
        """Tell pages that were silent for a while: they keep what may be wanted once more.

        All that was said before must be stored, as for a page there is one sample up to which it
        need not say anything anew.
        """
        due = [
            microphone
            for microphone in self._microphones.values()
            if microphone.silent_until - microphone.settled >= SETTLE_EVERY
        ]
        said = self.log
        waiting = said.returning | {one.page for one in said.unstored} if due else set()
        for microphone in due:
            if microphone.page not in waiting:
                self._settle(microphone.page, microphone.silent_until)

    def state_changed(self, microphone: Microphone) -> None:
        """MicrophoneSink: tell everybody what becomes of this participant's speech."""
        self.show_state(microphone.participant.identity)

    def show_state(self, identity: str) -> None:
        """Tell everybody what becomes of a participant's speech, if that has changed."""
        states = [one.state for page, one in self._microphones.items() if page[0] == identity]
        gone: tuple[SpeechState, Reason | None] = ("paused", None)
        state, reason = min(states, key=lambda one: _GRAVITY.index(one[0]), default=gone)
        if self._states.get(identity) == (state, reason):
            return
        self._states[identity] = (state, reason)
        self._shown[identity] = self._fanout.publish(
            Speech(identity, state, reason, datetime.now(UTC))
        )

    def words_lost(self, microphone: Microphone, seconds: float) -> None:
        """MicrophoneSink: tell the page that spoke."""
        self._tell_lost(microphone.page, seconds)

    def stream_closed(self, microphone: Microphone, record: StreamRecord) -> None:
        """MicrophoneSink: hand the account on."""
        self._writer.account(self._session_id, microphone.participant.identity, record)

    def encode(self, said: Utterance) -> Message:
        """LogSink: once for all pages, those that come later too."""
        if said.seq in self._corrected:
            return self._corrected[said.seq][1]
        return Message(utterance_message(said))

    def correct(self, corrections: Corrections) -> bool:
        """Show what was corrected as it is now. Returns whether any of it was news.

        It may have been read before something that is known already: that stays.
        """
        for one in sorted(corrections.utterances, key=lambda one: one.number):
            known, _ = self._corrected.get(one.seq, (0, None))
            if one.number > known:
                shown = Message(corrected_message(one))
                self._corrected[one.seq] = one.number, shown
                self.log.correct(one.seq, shown)
        is_news = corrections.number > self.corrected_to
        self.corrected_to = max(corrections.number, self.corrected_to)
        return is_news

    def corrected_since(self, number: int) -> list[Message]:
        """Return what was corrected after this correction, in the order in which it was."""
        late = [one for one in self._corrected.values() if one[0] > number]
        return [shown for _, shown in sorted(late, key=lambda one: one[0])]

    def show(self, shown: Message) -> None:
        """LogSink."""
        self._fanout.send(shown)

    def stored(self, said: Utterance) -> None:
        """LogSink."""
        self._settle(said.page, said.until)

    def refused(self, said: Utterance, seconds: float) -> None:
        """LogSink."""
        self._tell_lost(said.page, seconds)

    def _utterance(
        self, microphone: Microphone, stream: str, recognition: Recognition, when: Span
    ) -> Utterance:
        who = microphone.participant
        return Utterance(
            session_id=self._session_id,
            stream=stream,
            utterance=recognition.utterance,
            seq=0,  # until it is final
            identity=who.identity,
            name=who.name,
            hue=who.hue,
            text=recognition.text,
            start=round(when.start, 2),
            end=round(when.end, 2),
            language=recognition.language,
            client=microphone.client,
            until=when.until,
            role=who.role,
        )

    def _settle(self, page: Page, until: int) -> None:
        microphone = self._microphones.get(page)
        if microphone is not None:
            microphone.settled = max(microphone.settled, until)
        self._tell(page, Settled(until))

    def _tell_lost(self, page: Page, seconds: float) -> None:
        if page in self.log.returning:  # it says anew what we give up, to the next process
            return
        log.warning("a page is told that %.2f s of its speech were lost", seconds)
        self._tell(page, Error("words_lost", seconds))

    def _tell(self, page: Page, what: Error | Settled) -> None:
        self._fanout.send_to(self._fanout.at(page), what)
