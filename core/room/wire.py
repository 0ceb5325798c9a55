"""The messages of `/ws`, `sessions.v1`, as pure functions: see docs/protocol.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from core.corrections import CorrectedUtterance
from core.model import MAX_AUDIO_DAYS, Consent, Utterance
from core.speech.allowance import Period
from core.speech.engine import BYTES_PER_SAMPLE, SAMPLE_RATE, SpeechState
from core.speech.reasons import Reason

SUBPROTOCOL = "sessions.v1"
# A frame: index and PCM. Shorter ones cost more than they carry, longer ones make captions late.
INDEX_BYTES = 8
MIN_FRAME = INDEX_BYTES + SAMPLE_RATE // 50 * BYTES_PER_SAMPLE  # 20 ms
MAX_FRAME = INDEX_BYTES + SAMPLE_RATE // 10 * BYTES_PER_SAMPLE  # 100 ms
MAX_INDEX = 2**53  # what JavaScript counts exactly; 17,000 years of audio
MAX_TEXT = 32 * 1024  # bytes; a chat line of 2,000 characters, even if each is escaped
MAX_CHAT = 2000  # characters

# How a page is told to go: what each of these asks of it is in docs/protocol.md.

CLOSE_UNSUPPORTED = 1003
CLOSE_POLICY = 1008
CLOSE_RESTART = 1012
CLOSE_TRY_LATER = 1013
CLOSE_TOO_SLOW = 4400
CLOSE_REMOVED = 4401
CLOSE_REPLACED = 4402
CLOSE_SIGNED_OUT = 4403
CLOSE_NO_MEMBER = 4404
CLOSE_ENDED = 4410
CLOSE_TOO_FAST = 4429

ErrorCode = Literal[
    "bad_message",
    "bad_audio",
    "mic_off",
    "mic_too_often",
    "too_fast",
    "too_much",
    "chat_full",
    "words_lost",
    "transcript_full",
    "hello_expected",
    "not_allowed",
]
# A fixed few, so that nobody can put words on everybody's screen that nobody keeps.
Emoji = Literal["👍", "❤️", "😂", "👏", "🎉", "😮"]


class WireError(Exception):
    """What a client sent can't be taken; the code goes back to it with what it should know.

    `detail` is English for whoever writes a client, `seconds` how long to wait before the next try.
    """

    def __init__(self, code: ErrorCode, detail: str = "", seconds: float | None = None) -> None:
        super().__init__(detail or code)
        self.code: ErrorCode = code
        self.detail = detail
        self.seconds = seconds


Code = Annotated[str, msgspec.Meta(pattern=r"\A[a-z]{2,3}\Z")]  # of a language


class Hello(msgspec.Struct, tag_field="type", tag="hello", frozen=True):
    """The first message: which page this is, and the last final that it shows.

    `settled` is what the page was last told by Settled: a server that doesn't know the page
    (it was restarted) takes its audio from there. `chat` is the last chat line that it shows.
    `active` is what the page was last told by Active; a fresh page has been told nothing.
    `beats` promises an answer to every Beat. `clock` is the sample that the page is recording now,
    if it knows: what it sends next may have been said long before. `reads` is what it read last,
    see Read. `corrected` is the highest `number` of a correction that it was told. `audio` is for
    how many days its door said that the sound of what is said is kept; 0 where it said nothing of
    that.
    """

    client: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{8,64}\Z")]
    seq: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0
    settled: Annotated[int, msgspec.Meta(ge=0, le=MAX_INDEX)] = 0
    chat: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0
    active: bool | None = None
    beats: bool = False
    clock: Annotated[int, msgspec.Meta(ge=0, le=MAX_INDEX)] | None = None
    reads: Code | None = None
    corrected: Annotated[int, msgspec.Meta(ge=0, le=MAX_INDEX)] = 0
    audio: Annotated[int, msgspec.Meta(ge=0, le=MAX_AUDIO_DAYS)] = 0


class Mic(msgspec.Struct, tag_field="type", tag="mic", frozen=True):
    """Whether audio is coming."""

    on: bool


class Beat(msgspec.Struct, tag_field="type", tag="beat", frozen=True):
    """The line lives: from the server every 2 s, and the page's answer."""


class Take(msgspec.Struct, tag_field="type", tag="take", frozen=True):
    """This page wants its participant's microphone and call: see Active."""


class Say(msgspec.Struct, tag_field="type", tag="chat", frozen=True):
    """A line for the chat; `text` is not tidied yet."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CHAT)]


class Hand(msgspec.Struct, tag_field="type", tag="hand", frozen=True):
    """A hand goes up or down."""

    up: bool


class React(msgspec.Struct, tag_field="type", tag="reaction", frozen=True):
    """A reaction that everybody sees for a moment."""

    emoji: Emoji


class Speak(msgspec.Struct, tag_field="type", tag="speak", frozen=True):
    """Which language the participant speaks from now on; None: as the session has it."""

    language: Code | None


class Read(msgspec.Struct, tag_field="type", tag="read", frozen=True):
    """In which language this page reads what is said; None: in that in which it was said."""

    language: Code | None


class Lost(msgspec.Struct, tag_field="type", tag="lost", frozen=True):
    """Audio that the page let go before it could send it: its samples, the last one not included.

    That is a gap for everybody, unlike a microphone that was off, whose index jumps as well.
    """

    first: Annotated[int, msgspec.Meta(ge=0, le=MAX_INDEX)] = msgspec.field(name="from")
    until: Annotated[int, msgspec.Meta(ge=0, le=MAX_INDEX)]


ClientMessage = Hello | Mic | Beat | Take | Say | Hand | React | Speak | Read | Lost
# One decoder for all: it picks the type by its tag, and checks bounds while it parses.
_messages: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)


def parse_message(text: str) -> ClientMessage:
    """Parse a JSON message of a client. Raises WireError."""
    # In bytes, as it came: characters take up to four.
    if len(text.encode()) > MAX_TEXT:
        raise WireError("bad_message", f"a message has at most {MAX_TEXT} bytes")
    try:
        return _messages.decode(text)
    except (msgspec.DecodeError, RecursionError) as problem:  # a thousand brackets nest too deep
        raise WireError("bad_message", str(problem)) from None


def parse_audio(frame: bytes) -> tuple[int, bytes]:
    """Split an audio frame into the index of its first sample and its PCM. Raises WireError."""
    size = len(frame)
    if not MIN_FRAME <= size <= MAX_FRAME or size % BYTES_PER_SAMPLE:
        raise WireError(
            "bad_audio", "a frame is 8 bytes of sample index and 20 to 100 ms of 16 kHz PCM16"
        )
    index = int.from_bytes(frame[:INDEX_BYTES], "little")
    if index > MAX_INDEX:
        raise WireError("bad_audio", "the sample index is out of range")
    return index, frame[INDEX_BYTES:]


class PersonView(msgspec.Struct, frozen=True):
    """A participant as others see them."""

    identity: str
    name: str
    role: str
    hue: int
    hand: datetime | None = None  # since when it is up
    away: bool = False  # nothing is heard of their pages at the moment
    avatar: str | None = None  # their picture is at /avatars/{avatar}.webp


class KnockView(msgspec.Struct, frozen=True):
    """Somebody who knocks or was denied, as hosts see them."""

    identity: str
    name: str
    hue: int


class SessionView(msgspec.Struct, frozen=True):
    """A session as its room sees it."""

    slug: str
    title: str
    status: str
    started_at: datetime | None
    admission: str = "KNOCK"
    locked: bool = False
    targets: list[str] = []  # into which languages it is translated, as codes


class PauseView(msgspec.Struct, frozen=True):
    """A while in which hosts had nothing transcribed, in seconds since the session started.

    `end` None: it goes on. `by`: the name of who paused, None where it isn't known.
    """

    start: float
    end: float | None
    by: str | None


class ConsentView(msgspec.Struct, frozen=True):
    """What the door of the space asks, and whether one wants to be transcribed, None: not said."""

    asked: Consent
    given: bool | None


class EngineView(msgspec.Struct, frozen=True):
    """The speech engine as the room sees it."""

    name: str
    health: str
    reason: Reason | None


class Welcome(msgspec.Struct, tag_field="type", tag="welcome", frozen=True):
    """The answer to hello; `received` is the index of the next sample wanted."""

    session: SessionView
    you: PersonView
    received: int
    seq: int
    engine: EngineView
    people: list[PersonView]
    active: bool = True
    consent: ConsentView = ConsentView("OFF", None)
    pauses: list[PauseView] = []
    now: float = 0.0  # seconds since the session started
    language: str | None = None  # that the participant speaks: see Spoken
    names: Mapping[str, str | None] = {}  # see Names
    audio: int = 0  # for how many days the sound of this page is kept; 0: it isn't


class UtteranceMessage(msgspec.Struct, tag_field="type", tag="utterance", frozen=True):
    """Partial (`seq` None) or final text; times are seconds since the session started."""

    id: str
    seq: int | None
    identity: str
    name: str
    hue: int
    text: str
    start: float
    end: float
    language: str | None
    final: bool
    # A gap: seconds that could not be transcribed; the text is empty. Others lack it.
    lost: float | msgspec.UnsetType = msgspec.UNSET


class TranslationMessage(msgspec.Struct, tag_field="type", tag="translation", frozen=True):
    """To pages that read this language: a final in it; `id` is that of its utterance."""

    id: str
    language: str
    text: str


class Spoken(msgspec.Struct, tag_field="type", tag="spoken", frozen=True):
    """To a participant's pages: which language they speak; None: as the session has it."""

    language: str | None


class PartView(msgspec.Struct, frozen=True):
    """A part of what was said, as corrections have left it. `name` is the speaker's own.

    `speaker` is an identity, or the id of somebody who has no microphone of their own; a `name` of
    null is several people in one room.
    """

    part: int
    text: str
    start: float
    end: float
    speaker: str
    name: str | None
    hue: int


class Corrected(msgspec.Struct, tag_field="type", tag="corrected", frozen=True):
    """All that is shown of a final from now on, in place of it; nothing of one that is hidden.

    `number` rises with each correction of a session.
    """

    number: int
    seq: int
    id: str
    parts: list[PartView]


class Names(msgspec.Struct, tag_field="type", tag="names", frozen=True):
    """What speakers are called in this session, all who have another name than their own."""

    names: Mapping[str, str | None]


class Speech(msgspec.Struct, tag_field="type", tag="speech", frozen=True):
    """What becomes of a participant's speech at the moment."""

    identity: str
    state: SpeechState
    reason: Reason | None
    since: datetime


class People(msgspec.Struct, tag_field="type", tag="people", frozen=True):
    """Who is connected now, and to hosts who knocks and whom they denied.

    `untranscribed`, to hosts: identities of who isn't, as they want it or haven't said.
    """

    people: list[PersonView]
    waiting: list[KnockView] = []
    denied: list[KnockView] = []  # newest first
    untranscribed: list[str] = []


class Chat(msgspec.Struct, tag_field="type", tag="chat", frozen=True):
    """A chat line. `id` counts from 1 in every session."""

    id: int
    identity: str
    name: str
    hue: int
    role: str
    text: str
    at: datetime


class Reaction(msgspec.Struct, tag_field="type", tag="reaction", frozen=True):
    """Somebody reacted; nothing of it is kept."""

    identity: str
    emoji: Emoji


class Muted(msgspec.Struct, tag_field="type", tag="muted", frozen=True):
    """To a page whose microphone a host has turned off; it may be turned on again."""


class Active(msgspec.Struct, tag_field="type", tag="active", frozen=True):
    """To a page: whether it has its participant's microphone and call from now on."""

    on: bool


class Minutes(msgspec.Struct, tag_field="type", tag="minutes", frozen=True):
    """To hosts: in which period the space has used up most of its minutes; None: in none any more.

    Once they are used up, Speech says so to everybody.
    """

    near: Period | None


class ConsentChanged(msgspec.Struct, tag_field="type", tag="consent", frozen=True):
    """To a participant's pages: see ConsentView, which it is."""

    asked: Consent
    given: bool | None


class Pauses(msgspec.Struct, tag_field="type", tag="pauses", frozen=True):
    """All pauses of the session, and what time of it is now: a host has paused or gone on."""

    pauses: list[PauseView]
    now: float


class SessionChanged(
    msgspec.Struct, tag_field="type", tag="session", frozen=True, omit_defaults=True
):
    """What a host has changed, or that the session ended and why."""

    status: str
    title: str | None = None
    reason: str | None = None
    admission: str | None = None
    locked: bool | None = None
    targets: list[str] | None = None
    audio: int | None = None  # as `welcome` says it, to a page of which it has changed


class Settled(msgspec.Struct, tag_field="type", tag="settled", frozen=True):
    """To the page that spoke: what text there is of its audio before this sample is stored."""

    index: int


class Error(msgspec.Struct, tag_field="type", tag="error", frozen=True, omit_defaults=True):
    """Something the client did, or something its person must know: the page has the words.

    `seconds`: of speech that was lost (`words_lost`), or to wait (`too_much`, `mic_too_often`).
    """

    code: ErrorCode
    seconds: float | None = None
    detail: str = ""  # English, for whoever writes a client; never for people


ServerMessage = (
    Welcome
    | UtteranceMessage
    | TranslationMessage
    | Spoken
    | Corrected
    | Names
    | Speech
    | People
    | Chat
    | Reaction
    | Muted
    | Active
    | Beat
    | Minutes
    | ConsentChanged
    | Pauses
    | SessionChanged
    | Settled
    | Error
)


def utterance_message(said: Utterance) -> UtteranceMessage:
    """Return what pages are told of an utterance; it is a partial as long as its `seq` is 0."""
    return UtteranceMessage(
        id=said.key,
        seq=said.seq or None,
        identity=said.identity,
        name=said.name,
        hue=said.hue,
        text=said.text,
        start=said.start,
        end=said.end,
        language=said.language,
        final=said.seq > 0,
        lost=msgspec.UNSET if said.lost is None else said.lost,
    )


def corrected_message(one: CorrectedUtterance) -> Corrected:
    """Return what pages are told of an utterance that was corrected."""
    parts = [PartView(**asdict(part)) for part in one.parts]
    return Corrected(number=one.number, seq=one.seq, id=one.key, parts=parts)


_encoder = msgspec.json.Encoder()  # one for all: msgspec advises to keep it


class Message:
    """An encoded server message: made once, sent to every listener of a room.

    `droppable` messages (partials) are superseded by later ones, so that a listener that
    can't keep up may miss them. A withdrawal isn't: nothing comes after it.
    """

    __slots__ = ("droppable", "payload")  # thousands of these are kept: a session's finals

    def __init__(self, message: ServerMessage) -> None:
        self.payload: bytes = _encoder.encode(message)  # JSON, without a socket's framing
        self.droppable = (
            type(message) is UtteranceMessage and not message.final and message.text != ""
        )


class Batch:
    """Messages that go to listeners together: what a socket makes of them is made once."""

    __slots__ = ("_frames", "messages")

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = messages  # in the order in which pages are to get them
        self._frames: bytes | None = None  # all of them, made for the first socket that asks

    def framed(self, encode: Callable[[bytes], bytes]) -> bytes:
        """Return the messages as a socket sends them; `encode` makes a frame of a payload."""
        if self._frames is None:
            self._frames = b"".join([encode(message.payload) for message in self.messages])
        return self._frames
