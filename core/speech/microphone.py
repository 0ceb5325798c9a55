"""A microphone: one page's audio on its way in: clock, pace, voice gate, streams."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass, replace

from core.metrics import LOST_BY_PAGE, RECEIVED
from core.model import Answer, Page, Participant
from core.speech.clock import PageClock
from core.speech.engine import (
    BYTES_PER_SAMPLE,
    BYTES_PER_SECOND,
    SAMPLE_RATE,
    Health,
    Recognition,
    SpeechState,
    Translation,
)
from core.speech.gate import Preroll, VoiceGate
from core.speech.hearing import MicrophoneSink, Span, Tape
from core.speech.memory import MAX_SPEECH_OF_PAGE, AudioBudget
from core.speech.missing import SHORT_GAP, Missing
from core.speech.pace import PACE_ALLOWANCE, AudioError, Pace
from core.speech.reasons import Reason
from core.speech.resilient import ResilientStream, SpeechServices, StreamRecord
from core.speech.wanted import Wanted

LETTING_GO = 1.0  # seconds of silence after which a stream is finished if others wait for a slot
ABSENCE = 10.0  # seconds without audio after which a stream is finished
# Seconds that who has said that they speak another language may go on without a pause, in which the
# next stretch begins with that: it would else begin within a word.
TURNS_WITHIN = 20.0
PAUSED = 1.0  # likewise while a host pauses: what was said before has come by then, or comes late


@dataclass(frozen=True, slots=True)
class MicrophoneOptions:
    """How audio is treated on its way: see VOICE_GATE and STREAM_IDLE_SECONDS."""

    gated: bool = True
    idle_seconds: float = 8.0


class Microphone:
    """One page's microphone. It outlives the page's socket, so that a reconnect goes on in it."""

    __slots__ = (
        "_budget",
        "_clock",
        "_closed",
        "_gate",
        "_last_audio",
        "_missing",
        "_muted",
        "_options",
        "_pace",
        "_preroll",
        "_received",
        "_refused",
        "_services",
        "_sink",
        "_speaker",
        "_stretch",
        "_stretches",
        "_tape",
        "_turn_by",
        "_wanted",
        "client",
        "detached_at",
        "left",
        "mic_on",
        "participant",
        "settled",
    )

    def __init__(
        self,
        sink: MicrophoneSink,
        participant: Participant,
        services: SpeechServices,
        options: MicrophoneOptions,
        *,
        client: str = "",
        resume_at: int = 0,
        resume_time: float = 0.0,
        tape: Tape | None = None,
    ) -> None:
        self.participant = participant  # who speaks
        self.client = client  # the page's own name for itself, the same over its reconnects
        # When the page's socket went, a monotonic time in seconds; None while it is connected.
        self.detached_at: float | None = None
        # The sample before which its page knows that nothing waits to be text.
        self.settled = 0
        self.left = False  # the page said goodbye: it will never come back
        self.mic_on = False  # what the page said last, unless it was muted or closed since
        self._sink = sink  # the room
        self._services = services  # engine, slots and memory, shared by all microphones
        self._speaker = secrets.token_hex(6)  # this page, to the engine
        self._options = options  # gate and idle time, the same for all
        # Index of the page's next sample that is wanted; None until the first frame, which may
        # begin anywhere, unless the page's audio was transcribed up to `resume_at` before this
        # microphone was made: in another process, or in this room long ago.
        self._received: int | None = resume_at or None
        self._clock = PageClock(resume_at, resume_time)  # samples → session seconds
        self._wanted = Wanted(self._clock, sink.withheld)  # which of them are to be text
        self._gate = VoiceGate()  # hears all that comes, also without a stretch
        self._preroll = Preroll()  # of which the next stretch begins
        self._stretch: ResilientStream | None = None  # that takes audio now; None in silence
        # All that aren't over, oldest first: the finished ones still wait for their finals. With
        # the sample at which each began.
        self._stretches: dict[ResilientStream, int] = {}
        self._pace = Pace()  # of what comes
        self._last_audio = 0.0  # when the last frame came, a monotonic time
        self._budget = AudioBudget(MAX_SPEECH_OF_PAGE, services.budget)  # of all its stretches
        self._missing = Missing(self, sink, self._clock, self._speaker)  # what won't be text
        # Until when the stretch must end as its person speaks another language from now on, a
        # monotonic time; None while it needn't.
        self._turn_by: float | None = None
        self._closed = False  # for good: removed, or the session is over
        # Why the space has no minutes left, as of the last tick; None while it has some.
        self._refused: Reason | None = None
        self._muted = False  # by a host, and the page has said nothing since
        self._tape = tape  # which keeps what its stretches are fed; None: it isn't kept

    @property
    def received(self) -> int:
        """Index of the next sample wanted from the page."""
        return self._received or 0

    @property
    def page(self) -> Page:
        """Whose microphone it is: identity and client."""
        return self.participant.identity, self.client

    @property
    def open_since(self) -> float:
        """Sample at which the oldest stretch began that may still have words; else infinity."""
        return min(self._stretches.values(), default=math.inf)

    @property
    def silent_until(self) -> int:
        """The sample before which no speech waits for its text here; 0 while some does."""
        if self._stretches or self._missing.growing:
            return 0
        return max(0, self.received - self._preroll.size // BYTES_PER_SAMPLE)

    def age(self, sample: int) -> float:
        """Return about how long ago the audio before this sample came, in seconds.

        It is counted back at real time from the newest frame, as a page sends while it speaks. What
        it sends faster, since its line was gone, came later than that.
        """
        since = time.monotonic() - self._last_audio
        return max(0.0, since + (self.received - sample) / SAMPLE_RATE)

    @property
    def muted(self) -> bool:
        """Whether a host has turned the microphone off, and the page has said nothing since."""
        return self._muted

    @property
    def may_return(self) -> bool:
        """Whether its page may still come and say anew what isn't stored."""
        return not self.left and not self._closed

    @property
    def busy(self) -> bool:
        """Whether a stretch still carries audio of this page."""
        return bool(self._stretches)

    @property
    def state(self) -> tuple[SpeechState, Reason | None]:
        """What becomes of the speech, and why: the worst of all stretches, else of the switch."""
        if self._refused is not None and self.mic_on:
            return "failed", self._refused
        for state in ("failed", "delayed", "listening"):
            for stretch in self._stretches:
                if stretch.state == state and (
                    stretch.state != "listening" or not stretch.finishing
                ):
                    return stretch.state, stretch.reason
        return ("ready" if self.mic_on and not self._wanted.nothing_now else "paused"), None

    def mic(self, on: bool) -> None:
        """Note that audio comes or stops. Stopping finishes the stream."""
        self.mic_on = on and not self._closed
        self._muted = False
        if not on:
            self._stop()
        self._sink.state_changed(self)

    def mute(self) -> None:
        """Take no more audio until the page says `mic` again; what is on its way is dropped."""
        self.mic(False)
        self._muted = True

    def heed(self, answer: Answer | None, since: float) -> None:
        """Take what its person says from this session time on, and nothing of before it.

        They want it so by their `answer`. Infinity is for nothing at all, minus infinity for
        whatever they say. What was taken before is still transcribed.
        """
        self.participant = replace(self.participant, answer=answer)
        barred = self._wanted.barred
        self._wanted.hear_from(since, self._session_time())
        if self._wanted.barred is barred:
            return
        if not barred:
            self._stop()
        self._sink.state_changed(self)

    def speaks(self, language: str | None) -> None:
        """Have what is said after the next pause heard in this language; None: as the session has.

        What was said before ends as it is.
        """
        if language == self.participant.language:
            return
        self.participant = replace(self.participant, language=language)
        if self._stretch is not None and not self._options.gated:
            self._end_stretch()
        elif self._stretch is not None:
            self._turn_by = time.monotonic() + TURNS_WITHIN

    def stand_by(self, at: float | None = None) -> None:
        """Take no audio that was spoken after this session time, by default now.

        What was spoken before is still on its way, perhaps for minutes if the line is gone.
        """
        self._wanted.stand_by(self._session_time() if at is None else at)

    def go_on(self) -> None:
        """Take audio again: this is the active page."""
        self._wanted.go_on()

    def told_clock(self, sample: int) -> None:
        """Note which sample the page is recording now: what comes may have been said long ago."""
        self._clock.told(sample, self._session_time())

    def audio(self, index: int, pcm: bytes) -> None:
        """Take a frame whose first sample has this index. Raises AudioError (mic_off, too_fast)."""
        if not self.mic_on and not (self._closed or self._muted):
            raise AudioError("mic_off", "audio came while the microphone was said to be off")
        now = time.monotonic()
        samples = len(pcm) // BYTES_PER_SAMPLE
        self._pace.keep(samples, now)
        RECEIVED.samples += samples
        if not self.mic_on:  # not the page's mistake: it doesn't know yet that a host has muted it
            return
        end = index + samples
        if self._wanted.refuses(index, end):
            self._pass_over(end)
            return
        if index != self._received and self._received is not None:
            if end <= self._received:
                return
            pcm = self._join(index, self._received, pcm)
        self._received = end
        self._last_audio = now
        # Before the audio is fed: an engine may answer at once, and its words need a time.
        self._clock.arrived(index, end, now - self._sink.began)
        if self._options.gated:
            self._pass_gate(pcm)
        elif self._stretch is not None:
            self._feed(self._stretch, pcm)
        elif self._engine_on:
            self._begin_stretch([pcm], samples)

    def pass_by(self, pcm: bytes) -> None:
        """Count a frame that isn't taken as if it were. Raises AudioError (too_fast)."""
        self._pace.keep(len(pcm) // BYTES_PER_SAMPLE, time.monotonic())

    def _session_time(self) -> float:
        return time.monotonic() - self._sink.began

    def _pass_over(self, end: int) -> None:
        """Drop a frame: its page doesn't know yet that another one is active, of a pause, a no."""
        self._received = max(end, self.received)  # which it isn't to send again, once it is
        self._stop()

    def lost(self, first: int, until: int) -> None:
        """Note that the page let these samples go before it could send them.

        Those that are here already aren't lost. Raises AudioError (bad_message) for more audio
        than a page can have recorded.
        """
        if self._closed:
            return
        first = max(first, self.received)
        if (until - first) / SAMPLE_RATE > self._session_time() + PACE_ALLOWANCE:
            raise AudioError("bad_message", "what was lost is longer than the session")
        if until <= first:
            return
        wanted = self._wanted.of(first, until)
        if not wanted:
            self._pass_over(until)
            return
        # What comes next doesn't continue what came before: words across the gap would be invented.
        self._stop()
        self._received = until
        for begin, end in wanted:
            LOST_BY_PAGE.inc((end - begin) / SAMPLE_RATE)
            self._missing.lose(begin, end, since=begin)

    def tick(self, now: float) -> None:
        """Finish the stream of a page that went silent without a word (once a second)."""
        absence = PAUSED if self._sink.withheld.now else ABSENCE
        if self._stretch is not None and now - self._last_audio > absence:
            self._stop()
        if self._turn_by is not None and now > self._turn_by:
            self._stop()
        if self._refused != self._services.allowance.used_up:
            self._refused = self._services.allowance.used_up
            self._end_stretch()
            self._sink.state_changed(self)
        self._missing.tick(now)

    def close(self) -> None:
        """Take no more audio; stretches finish what they have."""
        self._closed = True
        self.mic_on = False
        self._stop()
        self.keep(None)
        if not self._stretches:
            self._missing.finish()

    def abort(self) -> None:
        """Drop all stretches."""
        for stretch in list(self._stretches):
            stretch.abort()

    async def wait_closed(self) -> None:
        """Return when all stretches have closed."""
        for stretch in list(self._stretches):
            await stretch.wait_closed()

    def _stop(self) -> None:
        """End the stretch of speech for good: what comes next doesn't continue it."""
        self._preroll.clear()
        self._end_stretch()

    def _join(self, index: int, expected: int, pcm: bytes) -> bytes:
        """Return what is new of a frame that doesn't begin where the last one ended."""
        if index < expected:
            return pcm[(expected - index) * BYTES_PER_SAMPLE :]
        gap = index - expected
        self._preroll.clear()
        if gap > SHORT_GAP:  # what comes next is another stretch of speech; else it was silence
            self._end_stretch()
        elif self._stretch is not None:
            self._stretch.feed(bytes(gap * BYTES_PER_SAMPLE))
        return pcm

    def _pass_gate(self, pcm: bytes) -> None:
        heard = self._gate.hear(pcm)
        # Kept while a stream is open, too: a word that begins as it ends is whole in the next one.
        self._preroll.add(pcm)
        stretch = self._stretch
        if stretch is not None:
            self._feed(stretch, pcm)
            if self._may_let_go(stretch):
                self._end_stretch()
        elif heard and self._engine_on:
            self._begin_stretch(self._preroll.frames, len(pcm) // BYTES_PER_SAMPLE)

    def _feed(self, stretch: ResilientStream, pcm: bytes) -> None:
        """Have a stretch go on with this, which came last."""
        stretch.feed(pcm)
        if self._tape is not None:
            self._keep(self._tape, pcm)

    def _keep(self, tape: Tape, pcm: bytes) -> None:
        first = self.received - len(pcm) // BYTES_PER_SAMPLE
        tape.take(first, pcm, self._clock.time_of(first))

    def keep(self, tape: Tape | None) -> None:
        """Keep what is said from now on with this; None: keep it no more."""
        if self._tape is not None:
            self._tape.finish()
        self._tape = tape

    @property
    def _engine_on(self) -> bool:
        return self._services.engine.health().health is not Health.OFF

    def _may_let_go(self, stretch: ResilientStream) -> bool:
        silent = self._gate.silent_for
        if silent < LETTING_GO or self._gate.undecided:
            return False
        # A slot that others wait for is given up in any pause, else only after a long one: silence
        # is billed too while a stream is open, but captions wait while another one is opened.
        turning = self._turn_by is not None
        return turning or stretch.in_the_way or silent >= self._options.idle_seconds

    def _begin_stretch(self, audio: Collection[bytes], new: int) -> None:
        """Begin with these frames, of which the last `new` samples came now."""
        if self._services.allowance.used_up is not None:
            # Everybody reads of the gap, and why in the state.
            self._preroll.clear()
            self._missing.refuse(self.received - new, self.received)
            return
        options = replace(self._sink.options(self.participant), speaker=self._speaker)
        stretch = ResilientStream(
            self._services,
            options,
            self,
            self._budget,
            space=self._sink.space,
            room=self._sink.slug,
            person=self.participant.identity,
        )
        self._stretch = stretch
        self._stretches[stretch] = self.received - sum(map(len, audio)) // BYTES_PER_SAMPLE
        for pcm in audio:
            stretch.feed(pcm)
        if self._tape is not None:
            self._keep(self._tape, b"".join(audio))
        self._sink.state_changed(self)

    def _end_stretch(self) -> None:
        self._turn_by = None
        if self._stretch is not None:
            self._stretch.finish()
            self._stretch = None
            self._sink.state_changed(self)

    def heard(self, stretch: ResilientStream, stream: str, recognition: Recognition) -> None:
        """ResilientSink: put the text on the session's clock."""
        since = self._stretches[stretch]
        first, until = (
            since + round(at * SAMPLE_RATE) for at in (recognition.start, recognition.end)
        )
        final = recognition.final and bool(recognition.text)
        start, end = self._clock.place(first, until, for_good=final)
        self._sink.heard(self, stream, recognition, Span(start, end, until, since))

    def translated(self, stream: str, translation: Translation) -> None:
        """ResilientSink."""
        self._sink.translated(self, stream, translation)

    def withdrawn(self, stretch: ResilientStream, stream: str, utterance: str) -> None:
        """ResilientSink."""
        self._sink.withdrawn(self, stream, utterance)

    def state_changed(self, stretch: ResilientStream) -> None:
        """ResilientSink."""
        self._sink.state_changed(self)

    def drop_oldest(self) -> int:
        """ResilientSink: stretches are kept in the order in which their audio was spoken."""
        return next((size for stretch in self._stretches if (size := stretch.drop_oldest())), 0)

    def words_lost(self, stretch: ResilientStream, start: int, end: int) -> None:
        """ResilientSink: tell the page and, a little later, everybody."""
        since = self._stretches[stretch]
        first, until = (since + at // BYTES_PER_SAMPLE for at in (start, end))
        self._missing.lose_words(first, until, since, (end - start) / BYTES_PER_SECOND)

    def not_kept(self, when: Span) -> None:
        """Note that there was no place for words; they are lost like audio."""
        self._missing.lose_text(when)

    def closed(self, stretch: ResilientStream) -> None:
        """ResilientSink."""
        del self._stretches[stretch]
        if stretch is self._stretch:  # it closed by itself: the space's minutes are used up
            self._stretch = None
            self._preroll.clear()  # which is told to be lost
        if not self._stretches:
            self._missing.finish()
        self._sink.stretch_over(self)
        self._sink.state_changed(self)

    def stream_closed(self, record: StreamRecord) -> None:
        """ResilientSink."""
        self._sink.stream_closed(self, record)
