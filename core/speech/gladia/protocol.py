"""What is said on a session's WebSocket, and what its ends mean. No I/O.

Shapes follow Gladia's OpenAPI document. Parsing is tolerant: extra fields, null data and unknown
types never stop a stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args

import msgspec

from core.speech.reasons import Reason

MAX_PIECE = 512 * 1024  # bytes of audio in one message; Gladia closes above 1 MiB
STOP = '{"type":"stop_recording"}'

# What decoding may raise for bytes that anybody may have sent.
UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

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


class TranslationData(msgspec.Struct):
    """What a translation is of, as the service has both."""

    utterance_id: str | int = ""
    utterance: Said | None = None
    target_language: str | None = None
    translated_utterance: Said | None = None


class Translated(msgspec.Struct, tag_field="type", tag="translation"):
    """A final in one of the languages asked for; `data` is null when translating failed."""

    data: TranslationData | None = None
    error: ErrorInfo | str | None = None


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


Known = (
    AudioAck
    | StopAck
    | Transcript
    | Translated
    | SpeechStart
    | SpeechEnd
    | EndSession
    | ErrorMessage
)
ServerMessage = Known | Other


class _Typed(msgspec.Struct):
    type: str


# A message with this in it acknowledges audio, and one without may do so too. No text can look
# like it: quotes are escaped within JSON strings.
ACKNOWLEDGED = b'"type":"audio_chunk","acknowledged":true,'

# Two, because one pass can't tell a type nobody knows from something unreadable; the second is for
# the few messages that the first doesn't take.
_decoder = msgspec.json.Decoder(Known)
_type_decoder = msgspec.json.Decoder(_Typed)
_known_types = frozenset(kind.__struct_config__.tag for kind in get_args(Known))
_USELESS = Other(readable=True)
_UNREADABLE = Other(readable=False)


def parse_message(content: bytes) -> ServerMessage:
    """Parse one server message. Never raises."""
    try:
        message: Known = _decoder.decode(content)
    except UNDECODABLE:
        return _parse_unknown(content)
    return message


def _parse_unknown(content: bytes) -> Other:
    try:
        type_ = _type_decoder.decode(content).type
    except UNDECODABLE:
        return _UNREADABLE
    # Of a known type it has a shape we don't know: what it says is missed.
    return _UNREADABLE if type_ in _known_types else _USELESS


# --- Ends of connections -----------------------------------------------------------------


class Next(Enum):
    """What to do after a connection ended or could not be made."""

    RESUME = "resume"  # connect to the same URL again
    REPLACE = "replace"  # the session is over: a new stream goes on
    DONE = "done"  # the end that was asked for


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an end means, and why it came."""

    next: Next
    reason: Reason


def judge_close(code: int, *, stopped: bool) -> Verdict:
    """Judge a WebSocket close code (1006 and 1005: none came).

    Gladia's quickstart: any code but 1000 may be resumed on the same URL. Its SDK and
    others: 4400 to 4499 are final, such as 4403 for a session that is already over.
    """
    if code == 1000:
        # After a stop it is the answer. Before one the service has ended the session by itself, and
        # its URL is no longer good.
        if stopped:
            return Verdict(Next.DONE, Reason("stream_ended"))
        return Verdict(Next.REPLACE, Reason("stream_cut"))
    if 4400 <= code <= 4499:
        return Verdict(Next.REPLACE, Reason("stream_cut", str(code)))
    if code in (1005, 1006):
        return Verdict(Next.RESUME, Reason("connection_lost"))
    return Verdict(Next.RESUME, Reason("connection_lost", str(code)))


def judge_handshake(status: int) -> Verdict:
    """Judge the HTTP status that refused a WebSocket handshake.

    A 4xx says that this URL is no longer good; 408, 409, 425 and 429 pass by themselves.
    """
    reason = Reason("connection_refused", str(status))
    if 400 <= status <= 499 and status not in (408, 409, 425, 429):
        return Verdict(Next.REPLACE, reason)
    return Verdict(Next.RESUME, reason)


class StreamLostError(Exception):
    """A new stream must say anew what has no final yet."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason
