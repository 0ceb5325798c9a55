"""What comes back of a stream's audio: Gladia's transcripts, on their way to recognitions.

While a connection holds they are reported as they come. A drop makes three things uncertain, and
each is a reason to hold transcripts back or to have a new stream say everything anew:

- Audio whose acknowledgment was lost is sent again. If it had arrived, the service counts it twice,
  its later times are off, and words in it come twice.
- Results that were sent while the connection was down are lost. If there was speech before the next
  result, its final is missing.
- Finals may overtake each other: one is kept until that of an utterance which began before it.

Everything is decided here, from the audio that is still kept and the positions the service tells.
"""

from __future__ import annotations

from core.speech.engine import BYTES_PER_SECOND, Recognition, StreamSink, Translation
from core.speech.gate import has_speech
from core.speech.gladia.protocol import (
    Next,
    SpeechEnd,
    SpeechStart,
    StopAck,
    StreamLostError,
    Transcript,
    Translated,
)
from core.speech.gladia.replay import ReplayBuffer
from core.speech.gladia.timeline import Timeline
from core.speech.gladia.utterances import Utterances
from core.speech.reasons import Reason
from core.spoken import CODES
from core.text import without_controls

MARGIN = int(0.3 * BYTES_PER_SECOND)  # around a final; Gladia's and our edges of words differ
ROUNDING = BYTES_PER_SECOND // 50  # durations are told to a hundredth of a second
ROUNDING_UP_S = 1.0  # by which a word may end behind what was sent
# Of what the service says; all of it is kept and shown, and it may say anything.
MAX_DURATION_S = 1e6  # seconds, eleven days
MAX_ID = 100  # characters; it is part of a key of the database
MAX_TEXT = 20_000  # characters; a minute of speech has a thousand
MAX_EARLY = 32  # translations that wait for their finals
MAX_LANGUAGE = 35  # characters, as in the longest names of BCP 47


class Results:
    """The results of one stream, over all its connections. Methods may raise StreamLostError."""

    __slots__ = (
        "_doubt",
        "_early",
        "_event_at",
        "_held",
        "_held_since",
        "_mark",
        "_mark_at",
        "_ring",
        "_sink",
        "_speaking",
        "_timeline",
        "_utterances",
        "errors",
        "finals",
        "is_over",
        "partials",
    )

    def __init__(
        self, ring: ReplayBuffer, timeline: Timeline, sink: StreamSink, now: float
    ) -> None:
        self.partials = self.finals = 0  # reported so far, for the account
        self.errors = 0  # transcripts that came without text or data, for the account
        # Set by the stream once nothing is reported any more, which the sink may cause within
        # any report.
        self.is_over = False
        self._ring = ring  # the stream's audio, to look for speech in; finals let go of it
        self._timeline = timeline  # the stream's, to turn the service's times into ours
        self._sink = sink
        self._utterances = Utterances()
        # Byte position of ours up to which audio was sent before the last drop: results of audio
        # before it may have been missed. 0 once it is clear that none were.
        self._doubt = 0
        # Transcripts in the order they came that can't be reported yet, and since when, on the
        # loop's clock: until it is clear what was counted twice, or an earlier final comes.
        self._held: list[Transcript] = []
        self._held_since = now
        # Translations whose finals haven't been reported, by utterance and language, oldest first.
        self._early: dict[tuple[str, str], Translated] = {}
        self._speaking = False  # between the service's speech_start and speech_end
        self._event_at = now  # when a transcript or one of those two last came
        # Our acknowledged position, and when it was taken down: if nothing is said of what is
        # before it for a while, it was silence.
        self._mark = 0
        self._mark_at = now

    @property
    def in_pause(self) -> bool:
        """Whether nobody speaks, so that a stream may end here without cutting a word."""
        return not self._speaking and not self._utterances.any_open

    # What the service says

    def voice(self, message: SpeechStart | SpeechEnd, now: float) -> None:
        """Take note that somebody began or stopped speaking."""
        self._event_at = now
        self._speaking = isinstance(message, SpeechStart)

    def said(self, message: Transcript | Translated, now: float) -> None:
        """Take what was said, as it was said or in another language."""
        if isinstance(message, Transcript):
            self.transcribed(message, now)
        else:
            self.translated(message)

    def transcribed(self, message: Transcript, now: float) -> None:
        """Take a transcript now, or once it is clear what the service got twice."""
        self._event_at = now
        if self._held:
            # Behind others, so that nothing overtakes them.
            self._held.append(message)
            if not self._timeline.uncertain:
                self._report_held()
        elif self._timeline.uncertain or not self._transcript(message):
            self._held_since = now
            self._held.append(message)

    def translated(self, message: Translated) -> None:
        """Report a translation, or keep it until its final was; what is of none is passed over.

        One that is lost leaves the final as it is, so a drop has nothing said anew for it.
        """
        data = message.data
        if data is None or data.utterance is None or data.translated_utterance is None:
            self.errors += 1  # translating failed at the service's
            return
        id_ = without_controls(str(data.utterance_id), MAX_ID)
        text = without_controls(data.translated_utterance.text or "", MAX_TEXT).strip()
        language = data.target_language or ""
        if language not in CODES or not text:
            return
        start, end = (
            self._timeline.seconds(self._counted(at))
            for at in (data.utterance.start, data.utterance.end)
        )
        is_final, name = self._utterances.final_of(id_, start, end)
        if name is not None:
            self._sink.translated(Translation(name, language, text))
        elif not is_final:
            self._early[id_, language] = message
            if len(self._early) > MAX_EARLY:
                del self._early[next(iter(self._early))]

    def _report_translations(self) -> None:
        """Report what came before its final, which has come now."""
        early, self._early = self._early, {}
        for message in early.values():
            if not self.is_over:
                self.translated(message)

    def acknowledged(self, doubled: int) -> None:
        """Go on with what waited for an acknowledgment, which told of `doubled` bytes."""
        if doubled:
            self._check_doubled(doubled)
        if self._held:
            self._report_held()

    def stop_acknowledged(self, message: StopAck) -> None:
        """Compare totals: the last acknowledgments may have been lost in a drop."""
        if message.data is not None and message.data.recording_duration is not None:
            self._timeline.uncertain = 0
            counted = to_position(min(message.data.recording_duration, MAX_DURATION_S))
            extra = counted - self._timeline.sent - self._timeline.shift
            if extra > ROUNDING:
                self._check_doubled(extra)
        self.resolve()

    def disconnected(self) -> None:
        """Doubt what was sent. What was held goes: it counts as missed, and is said anew."""
        self._doubt = max(self._doubt, self._timeline.sent)
        self._held.clear()

    def _check_doubled(self, size: int) -> None:
        """Have words said anew that were sent again although they had arrived.

        Silence that was counted twice does no harm, and is most of what is.
        """
        first = max(0, self._timeline.resumed_from - MARGIN)
        last = self._timeline.resumed_from + size + MARGIN
        if has_speech(self._ring.read(first, last - first), steps=1):
            raise StreamLostError(Reason("words_twice"))

    def _report_held(self) -> None:
        """Report transcripts; a final waits for that of an utterance which began before it."""
        held, self._held = self._held, []
        for message in held:
            if not self.is_over and not self._transcript(message):
                self._held.append(message)

    def _transcript(self, message: Transcript) -> bool:
        """Report a transcript; False if it comes too early and must be taken again later."""
        if message.data is None or message.data.utterance is None:
            self.errors += 1  # processing failed at the service's: there is nothing to report
            return True
        said, final = message.data.utterance, message.data.is_final
        id_ = without_controls(str(message.data.id), MAX_ID)
        start, end = self._counted(said.start), self._counted(said.end)
        if self._timeline.shift:
            start, end = self._timeline.seconds(start), self._timeline.seconds(end)
        # The first result after a drop: whatever was said before it should have had its final.
        if self._doubt > self._ring.final_until and self._missed_before(to_position(start)):
            raise StreamLostError(Reason("results_missed"))
        # A final lets go of all audio before its end, of which a replay would need the words of an
        # utterance that is still open.
        if final and self._utterances.open_before(id_, start):
            return False
        text = without_controls(said.text or "", MAX_TEXT)
        language = said.language and without_controls(said.language, MAX_LANGUAGE)
        recognition = self._utterances.take(id_, text, start, end, final=final, language=language)
        if final:
            self._ring.mark_final(min(to_position(end), self._timeline.sent))
        if recognition is not None:
            self._report(recognition)
        if final and self._early:
            self._report_translations()
        return True

    def _counted(self, time: float) -> float:
        """Return a time of the service's within what it can have counted: its start, its end."""
        sent = self._timeline.sent + self._timeline.shift
        return min(max(0.0, time), sent / BYTES_PER_SECOND + ROUNDING_UP_S)

    def _report(self, recognition: Recognition) -> None:
        if recognition.final:
            self.finals += 1
        else:
            self.partials += 1
        self._sink.heard(recognition)

    # What does not come

    def resolve(self) -> None:
        """Wait no longer to learn what was counted twice, or for a final that does not come."""
        if self._timeline.uncertain:
            # Nobody says that it was: all that was sent again is taken to be.
            self._check_doubled(self._timeline.uncertain)
            self._timeline.uncertain = 0
        if self._held and not self.is_over:
            self._report_held()

    def close_open(self) -> None:
        """Let partials stand for finals that never came."""
        if self.is_over:
            return
        for recognition in self._utterances.close_open():
            self._ring.mark_final(min(to_position(recognition.end), self._timeline.sent))
            self._report(recognition)
        self._report_held()
        if self._early:
            self._report_translations()

    def check(self, now: float, opened_at: float, wait_s: float) -> None:
        """Notice results that got lost in a drop, and silence that needs no replay.

        `opened_at` is when the present connection opened; `wait_s` is how long results may take.
        """
        if self._held:
            if now - self._held_since > wait_s:
                self.resolve()
                self.close_open()
        elif self._doubt > self._ring.final_until:
            # The service has had its time since the reconnect and since it last said something.
            if now - max(opened_at, self._event_at) > wait_s:
                if self._missed_before(self._doubt + MARGIN):
                    raise StreamLostError(Reason("results_missed"))
                self._doubt = 0
        elif not self.in_pause or self._event_at > self._mark_at:
            # Something is being said: what is acknowledged from here on is looked at anew.
            self._mark_at, self._mark = now, self._ring.acknowledged
        elif now - self._mark_at > wait_s:
            self._ring.mark_final(self._mark)
            self._mark_at, self._mark = now, self._ring.acknowledged

    def are_missing(self, end: Next) -> bool:
        """Whether there was speech without its final when the stream ended so."""
        if end is Next.DONE:
            # All that was sent on this connection has been worked off; before it is doubtful.
            return self._missed_before(self._doubt + MARGIN)
        first = self._ring.final_until + MARGIN
        return self._ring.start > first or has_speech(self._ring.tail(first))

    def _missed_before(self, position: int) -> bool:
        """Whether there was speech before `position` whose final got lost in a drop."""
        first = self._ring.final_until + MARGIN
        last = min(position - MARGIN, self._doubt)
        if last <= first:
            return False
        # What was let go for want of memory may have been speech.
        return self._ring.start > first or has_speech(self._ring.read(first, last - first))


def to_position(seconds: float) -> int:
    """Return the byte position of a time, at a whole sample."""
    return int(seconds * BYTES_PER_SECOND) & ~1
