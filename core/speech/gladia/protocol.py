"""What is said to and heard from Gladia's live API v2, without doing any I/O.

Shapes follow Gladia's OpenAPI document of `POST /v2/live` and its WebSocket. Parsing is
tolerant: extra fields, null data and unknown types never stop a stream.
"""

from __future__ import annotations

import random
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, TypeVar, get_args

import msgspec

from core.speech.engine import (
    BYTES_PER_SAMPLE,
    BYTES_PER_SECOND,
    SAMPLE_RATE,
    Recognition,
    StreamOptions,
)

MAX_PIECE = 512 * 1024  # bytes of audio in one message; Gladia closes above 1 MiB
REMEMBERED = 16  # finals that a repetition is recognised by
STOP = '{"type":"stop_recording"}'

_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# --- Opening a session -------------------------------------------------------------------

# What Gladia transcribes (its SDK's generated types, 2.2.1).
_CODES = (
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw "
    "he hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my "
    "ne nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt "
    "uk ur uz vi yi yo zh"
)
LANGUAGES = frozenset(_CODES.split())
# Gladia's bounds of a vocabulary. It names none for spellings: ours are the same.
MAX_ENTRIES = 100
MAX_CHARACTERS = 10_000  # of all entries together
MAX_WORDS = 5  # of one entry
# How readily sounds are taken for an entry. Gladia's own 0.5 is often too much, by its documents.
INTENSITY = 0.4
_T = TypeVar("_T")


def accepted(options: StreamOptions) -> tuple[StreamOptions, int]:
    """Return what Gladia takes of a session's settings, and how many of them are left out.

    Whatever a session asks for, a stream must open: Gladia refuses all of a body of which it
    dislikes a word.
    """
    asked = list(dict.fromkeys(_language(code) for code in options.languages))
    languages = [code for code in asked if code in LANGUAGES]
    words = [word for word in dict.fromkeys(map(_tidy, options.vocabulary)) if word]
    vocabulary = _fitting([(word, len(word)) for word in words if len(word.split()) <= MAX_WORDS])
    rules: dict[str, tuple[str, ...]] = {}
    for written, heard in options.spelling.items():
        name = _tidy(written)
        if replaced := _heard((*rules.get(name, ()), *heard)):
            rules[name] = replaced
    rules.pop("", None)
    sized = [(rule, len(rule[0]) + sum(map(len, rule[1]))) for rule in rules.items()]
    spelling = dict(_fitting(sized))
    left_out = len(asked) + len(words) + len(rules)
    left_out -= len(languages) + len(vocabulary) + len(spelling)
    taken = replace(
        options,
        languages=tuple(languages),
        code_switching=options.code_switching and len(languages) > 1,
        vocabulary=tuple(vocabulary),
        spelling=spelling,
    )
    return taken, left_out


def _language(code: str) -> str:
    """Return the language of a tag such as `pt-BR`: Gladia knows no countries."""
    return re.split("[-_]", code.strip(), maxsplit=1)[0].lower()


def _tidy(text: str) -> str:
    return " ".join(text.split())


def _heard(spellings: Iterable[str]) -> tuple[str, ...]:
    return tuple(one for one in dict.fromkeys(map(_tidy, spellings)) if one)


def _fitting(entries: Iterable[tuple[_T, int]]) -> list[_T]:
    """Return the first of these that are within the bounds; each comes with its characters."""
    taken: list[_T] = []
    left = MAX_CHARACTERS
    for entry, size in entries:
        if len(taken) < MAX_ENTRIES and size <= left:
            taken.append(entry)
            left -= size
    return taken


def init_body(options: StreamOptions) -> dict[str, Any]:
    """Return the body of `POST /v2/live` for one participant of a meeting: see `accepted`.

    One language is fixed. Several are candidates: Gladia tells by the first utterance which one
    it is and stays with it, as a stream is one person's stretch of speech. It looks anew at each
    utterance only with code switching, which costs accuracy and is therefore asked for.
    """
    options, _ = accepted(options)
    body: dict[str, Any] = {
        "encoding": "wav/pcm",
        "sample_rate": SAMPLE_RATE,
        "bit_depth": 8 * BYTES_PER_SAMPLE,
        "channels": 1,
        "endpointing": 0.4,
        "maximum_duration_without_endpointing": 15,
        "language_config": {
            "languages": list(options.languages),
            "code_switching": options.code_switching,
        },
        "messages_config": {
            "receive_partial_transcripts": True,
            "receive_final_transcripts": True,
            "receive_speech_events": True,
            "receive_pre_processing_events": False,
            "receive_realtime_processing_events": False,
            "receive_post_processing_events": False,
            "receive_acknowledgments": True,
            "receive_errors": True,
            "receive_lifecycle_events": True,
        },
    }
    realtime: dict[str, Any] = {}
    if options.vocabulary:
        realtime["custom_vocabulary"] = True
        realtime["custom_vocabulary_config"] = {
            "vocabulary": list(options.vocabulary),
            "default_intensity": INTENSITY,
        }
    if options.spelling:
        realtime["custom_spelling"] = True
        dictionary = {written: list(heard) for written, heard in options.spelling.items()}
        realtime["custom_spelling_config"] = {"spelling_dictionary": dictionary}
    if realtime:
        body["realtime_processing"] = realtime
    return body


class InitReply(msgspec.Struct, frozen=True):
    """The 201 of `POST /v2/live`. The URL carries the token: it is never shown."""

    url: str

    def __repr__(self) -> str:
        return "InitReply(url=<secret>)"


def parse_init_reply(content: bytes) -> InitReply | None:
    """Return the reply, or None when it is not one."""
    try:
        reply = msgspec.json.decode(content, type=InitReply)
    except _UNDECODABLE:
        return None
    return reply if reply.url.startswith(("ws://", "wss://")) else None


class _HttpError(msgspec.Struct):
    message: str | list[str] | None = None
    validation_errors: list[Any] | None = None


def error_hints(content: bytes) -> str:
    """Return what an HTTP error body says is wrong, on one short line; "" when nothing."""
    try:
        error = msgspec.json.decode(content, type=_HttpError)
    except _UNDECODABLE:
        return ""
    said: list[Any] = error.validation_errors or []
    if not said and error.message:
        said = error.message if isinstance(error.message, list) else [error.message]
    return " ".join("; ".join(str(hint) for hint in said).split())[:300]


# --- What the server says ----------------------------------------------------------------


class ErrorInfo(msgspec.Struct):
    """An `error` member: `{message}` (OpenAPI) or with two more fields (AsyncAPI)."""

    message: str | None = None
    status_code: int | None = None
    exception: str | None = None


class AckData(msgspec.Struct):
    """Which bytes of the session an acknowledgment is about; the end is exclusive."""

    byte_range: tuple[int, int] | None = None


class AudioAck(msgspec.Struct, tag_field="type", tag="audio_chunk"):
    """A chunk was taken, or refused with an error and without data."""

    acknowledged: bool = False
    data: AckData | None = None
    error: ErrorInfo | str | None = None


class StopData(msgspec.Struct):
    """How many seconds of audio the session has counted."""

    recording_duration: float | None = None


class StopAck(msgspec.Struct, tag_field="type", tag="stop_recording"):
    """`stop_recording` was understood, or refused (without data) because it came before."""

    acknowledged: bool = False
    data: StopData | None = None


class Said(msgspec.Struct):
    """An utterance; times are seconds of audio the session has received."""

    text: str | None = None
    start: float = 0.0
    end: float = 0.0
    language: str | None = None


class TranscriptData(msgspec.Struct):
    """A partial or final."""

    id: str | int = ""
    is_final: bool = False
    utterance: Said | None = None


class Transcript(msgspec.Struct, tag_field="type", tag="transcript"):
    """Recognised text; `data` is null when processing failed."""

    data: TranscriptData | None = None


class SpeechStart(msgspec.Struct, tag_field="type", tag="speech_start"):
    """Somebody began to speak."""


class SpeechEnd(msgspec.Struct, tag_field="type", tag="speech_end"):
    """Somebody stopped speaking."""


class EndSession(msgspec.Struct, tag_field="type", tag="end_session"):
    """Nothing follows any more."""


class ErrorMessage(msgspec.Struct, tag_field="type", tag="error"):
    """Something went wrong; the shape of `data` is not documented."""

    data: Any = None
    error: ErrorInfo | str | None = None


class Other(msgspec.Struct, frozen=True):
    """Anything else: a type this client has no use for, or something unreadable."""

    readable: bool


Known = AudioAck | StopAck | Transcript | SpeechStart | SpeechEnd | EndSession | ErrorMessage
ServerMessage = Known | Other


class _Typed(msgspec.Struct):
    type: str


# A message with this in it acknowledges audio, and one without may do so too. No text can look
# like it: quotes are escaped within JSON strings.
ACKNOWLEDGED = b'"type":"audio_chunk","acknowledged":true,'

_decoder = msgspec.json.Decoder(Known)
_type_decoder = msgspec.json.Decoder(_Typed)
_known_types = frozenset(kind.__struct_config__.tag for kind in get_args(Known))
_USELESS = Other(readable=True)
_UNREADABLE = Other(readable=False)


def parse_message(content: bytes) -> ServerMessage:
    """Parse one server message. Never raises."""
    try:
        message: Known = _decoder.decode(content)
    except _UNDECODABLE:
        return _parse_unknown(content)
    return message


def _parse_unknown(content: bytes) -> Other:
    try:
        type_ = _type_decoder.decode(content).type
    except _UNDECODABLE:
        return _UNREADABLE
    return _UNREADABLE if type_ in _known_types else _USELESS


# --- Ends of connections -----------------------------------------------------------------


class Next(Enum):
    """What to do after a connection ended or could not be made."""

    RESUME = "resume"  # connect to the same URL again
    REPLACE = "replace"  # the session is over: a new stream goes on
    DONE = "done"  # the end that was asked for


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an end means; `reason` is a sentence for people."""

    next: Next
    reason: str


def judge_close(code: int, *, stopped: bool) -> Verdict:
    """Judge a WebSocket close code (1006 and 1005: none came).

    Gladia's quickstart: any code but 1000 may be resumed on the same URL. Its SDK and
    others: 4400 to 4499 are final, such as 4403 for a session that is already over.
    """
    if code == 1000:
        if stopped:
            return Verdict(Next.DONE, "the stream has ended")
        return Verdict(Next.REPLACE, "the speech service ended the stream unasked")
    if 4400 <= code <= 4499:
        return Verdict(Next.REPLACE, f"the speech service ended the stream (code {code})")
    if code in (1005, 1006):
        return Verdict(Next.RESUME, "the connection to the speech service broke")
    return Verdict(Next.RESUME, f"the speech service closed the connection (code {code})")


def judge_handshake(status: int) -> Verdict:
    """Judge the HTTP status that refused a WebSocket handshake.

    A 4xx says that this URL is no longer good; 408, 409, 425 and 429 pass by themselves.
    """
    reason = f"the speech service refused the connection (status {status})"
    if 400 <= status <= 499 and status not in (408, 409, 425, 429):
        return Verdict(Next.REPLACE, reason)
    return Verdict(Next.RESUME, reason)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why `POST /v2/live` was refused, as a sentence for people, and what may help."""

    reason: str
    retry: bool
    busy: bool = False  # no slot: the plan's number of concurrent streams is reached


# Gladia's plans are prepaid since July 2026. What it answers without credit isn't documented: 402
# says so by itself, and the others that may mean it are told by their words.
EMPTY_WALLET = "the Gladia credit is used up: captions go on after a top-up at app.gladia.io"
_FOR_GOOD = {
    401: "the Gladia key was refused: check GLADIA_API_KEY",
    403: "the Gladia plan doesn't allow this: see app.gladia.io",
}
_ABOUT_MONEY = re.compile(r"\b(wallet|credits?|balance|billing|payment|top.?up)\b", re.IGNORECASE)


def judge_status(status: int, content: bytes) -> Refusal:
    """Judge an HTTP status other than 2xx that answered `POST /v2/live`."""
    if status == 402 or (status in (403, 429) and _ABOUT_MONEY.search(error_hints(content))):
        return Refusal(EMPTY_WALLET, retry=False)
    if status in _FOR_GOOD:
        return Refusal(_FOR_GOOD[status], retry=False)
    if status == 429:
        return Refusal("the Gladia plan allows no further stream at the moment", True, busy=True)
    if status in (400, 422):
        hints = error_hints(content)
        reason = f"Gladia refused the settings: {hints}" if hints else "Gladia refused the settings"
        return Refusal(reason, retry=False)
    if status >= 500 or status in (408, 413, 425):
        return Refusal(f"Gladia has trouble at the moment (status {status})", retry=True)
    return Refusal(f"Gladia answered with status {status}: check GLADIA_API_URL", retry=False)


class Backoff:
    """Waits between attempts: full jitter up to a bound that doubles from first to most."""

    def __init__(self, first: float = 0.25, most: float = 8.0) -> None:
        self._first = first
        self._most = most
        self._failures = 0

    def next(self) -> float:
        """Return how many seconds to wait now."""
        bound: float = min(self._most, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return random.uniform(0, bound)  # noqa: S311 - only spreads attempts

    def reset(self) -> None:
        """Begin again with the shortest wait: a connection was stable."""
        self._failures = 0


# --- Audio and its positions -------------------------------------------------------------


class Timeline:
    """Where the service's count of received audio stands against ours.

    Both count bytes. When an acknowledgment was lost with the connection, its audio is sent
    again and counted twice: from there on the service's positions and times run ahead of
    ours by `shift` bytes.
    """

    __slots__ = ("_base", "_counted", "_first", "_shifts", "resumed_from", "sent", "uncertain")

    def __init__(self) -> None:
        self.sent = 0  # our position up to which audio was given to the present connection
        self.resumed_from = 0  # where in our audio the present connection began
        self.uncertain = 0  # bytes sent again of which it is not clear yet if they had arrived
        self._first = False  # whether its first acknowledgment is due, which tells the shift
        self._base = 0  # where the service's ranges begin to count
        self._counted = [0]  # service positions from which on ...
        self._shifts = [0]  # ... these shifts hold

    @property
    def shift(self) -> int:
        """Bytes by which the service is ahead now."""
        return self._shifts[-1]

    def connected(self, position: int) -> None:
        """Note that a connection is open on which audio is sent from our `position` on."""
        self._first = self.sent > 0
        self.uncertain = self.sent - position
        self.resumed_from = self.sent = position

    def acknowledged(self, start: int, end: int) -> int:
        """Take an acknowledged range; return our position before which all has arrived."""
        end += end % BYTES_PER_SAMPLE  # an odd end is the last byte, not the one behind it
        if self._first:
            self._first = False
            self.uncertain = 0
            self._align(start)
        ours = self._base + end - self.shift
        if ours > self.sent:
            self._move(self._base + end, ours - self.sent)
            return self.sent
        return max(0, ours)

    def seconds(self, time: float) -> float:
        """Turn seconds on the service's clock into seconds of audio that we fed."""
        counted = int(time * BYTES_PER_SECOND)
        shift = self._shifts[bisect_right(self._counted, counted) - 1]
        return max(0.0, time - shift / BYTES_PER_SECOND)

    def _align(self, start: int) -> None:
        expected = self.resumed_from + self.shift
        if start == 0 and expected > 0:
            self._base = expected
        elif self._base + start > expected:
            self._move(self._base + start, self._base + start - expected)

    def _move(self, counted: int, by: int) -> None:
        self._counted.append(counted)
        self._shifts.append(self.shift + by)


# --- Utterances --------------------------------------------------------------------------


class Utterances:
    """Turns transcripts into recognitions, each utterance once and its partials before it.

    Gladia's ids are opaque. They become names that are unique within the stream even if the
    service counts anew after a reconnect.
    """

    __slots__ = ("_finals", "_open", "_recent", "_renamed")

    def __init__(self) -> None:
        self._open: dict[str, Recognition] = {}  # the last partial by Gladia's id
        self._finals: dict[str, float] = {}  # end by Gladia's id
        self._recent: list[Recognition] = []  # the last finals, at most REMEMBERED
        self._renamed = 0

    @property
    def any_open(self) -> bool:
        """Whether a partial waits for its final."""
        return bool(self._open)

    def take(
        self,
        id_: str,
        text: str,
        start: float,
        end: float,
        *,
        final: bool,
        language: str | None = None,
    ) -> Recognition | None:
        """Return what to report of a transcript, or None when there is nothing new in it.

        Times are seconds of audio fed. What is returned as a partial without text withdraws its
        utterance. A partial with the text of the last one says nothing new.
        """
        text = text.strip()
        if id_ in self._finals and start < self._finals[id_]:
            return None
        known = self._open.get(id_)
        name = self._name(id_) if known is None else known.utterance
        said = Recognition(name, text, start, max(start, end), final, language)
        if not final:
            if text:
                self._open[id_] = said
            is_new = text and (known is None or text != known.text)
            return said if is_new else None
        self._open.pop(id_, None)
        self._finals[id_] = said.end
        if text and not self._repeats(said):
            self._remember([said])
            return said
        return msgspec.structs.replace(said, text="", final=False) if known else None

    def open_before(self, id_: str, start: float) -> bool:
        """Whether another utterance that began before `start` seconds waits for its final."""
        return any(partial.start < start for other, partial in self._open.items() if other != id_)

    def close_open(self) -> list[Recognition]:
        """Return finals made of the last partials of what is open."""
        closed = [msgspec.structs.replace(one, final=True) for one in self._open.values()]
        self._finals.update({id_: partial.end for id_, partial in self._open.items()})
        self._remember(closed)
        self._open.clear()
        return closed

    def _name(self, id_: str) -> str:
        if id_ not in self._finals:
            return id_
        self._renamed += 1
        return f"{id_}+{self._renamed}"

    def _remember(self, finals: list[Recognition]) -> None:
        self._recent = [*self._recent, *finals][-REMEMBERED:]

    def _repeats(self, said: Recognition) -> bool:
        return any(_is_repetition(said, earlier) for earlier in self._recent)


def _is_repetition(said: Recognition, earlier: Recognition) -> bool:
    """Whether both say the same about audio that is mostly the same."""
    shared = min(said.end, earlier.end) - max(said.start, earlier.start)
    shorter = min(said.end - said.start, earlier.end - earlier.start)
    return shared > shorter / 2 and said.text.casefold() == earlier.text.casefold()
