"""The targets: `TARGETS` has them by name. Each raises where what must hold doesn't."""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import json
import math
from collections.abc import Callable
from io import BytesIO
from typing import Any

import jwt
import msgspec
from hypothesis import example, given
from hypothesis import strategies as some
from livekit import api
from PIL import Image
from starlette.exceptions import HTTPException
from starlette.requests import Request

from core import tokens
from core.livekit import BadWebhookError, Calls
from core.picture import SIDE, PictureError, square
from core.room import wire
from core.settings import load
from core.speech.engine import BYTES_PER_SECOND, Recognition, Translation
from core.speech.gladia import protocol
from core.speech.gladia.replay import ReplayBuffer
from core.speech.gladia.results import Results
from core.speech.gladia.timeline import Timeline
from core.speech.memory import AudioBudget
from core.speech.reasons import Reason
from core.spoken import CODES
from tests.fuzz.connections import frames, requests
from tests.fuzz.mutation import JSON, mutated
from web import forms
from web.upload import file_of

SECRET = "a secret of the tests, and of no server, as long as HS512 wants it to be"

# --- The page's messages ------------------------------------------------------------------

MESSAGES = [
    b'{"type": "hello", "client": "f3a1c0de99", "seq": 17, "settled": 416000, "chat": 3,'
    b' "active": true, "beats": true}',
    b'{"type": "mic", "on": true}',
    b'{"type": "beat"}',
    b'{"type": "take"}',
    b'{"type": "speak", "language": "ru"}',
    b'{"type": "read", "language": null}',
    b'{"type": "chat", "text": "See \\u00fcber\\n\\ud83d\\udc4d https://example.com/"}',
    b'{"type": "hand", "up": true}',
    b'{"type": "reaction", "emoji": "\xf0\x9f\x91\x8d"}',
    b'{"type": "lost", "from": 416000, "until": 752000}',
]


@given(mutated(MESSAGES) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b'{"type": "beat", "x": ' + b"[" * 2000)
def messages(data: bytes) -> None:
    """A text is one of the protocol's messages, within its bounds, or a WireError."""
    text = data.decode(errors="replace")  # a WebSocket's text is valid UTF-8
    try:
        message = wire.parse_message(text)
    except wire.WireError as refusal:
        assert refusal.code == "bad_message"
        return
    assert wire.parse_message(msgspec.json.encode(message).decode()) == message
    match message:
        case wire.Hello(client, seq, settled, chat):
            assert 8 <= len(client) <= 64
            assert client.isascii()
            assert 0 <= seq < 2**31
            assert 0 <= chat < 2**31
            assert 0 <= settled <= wire.MAX_INDEX
        case wire.Say(said):
            assert 1 <= len(said) <= wire.MAX_CHAT
        case wire.Lost(first, until):
            assert 0 <= first <= wire.MAX_INDEX
            assert 0 <= until <= wire.MAX_INDEX


@given(some.binary(max_size=4000) | some.binary(min_size=648, max_size=700))
def audio(frame: bytes) -> None:
    """A frame is an index and whole samples of 20 to 100 ms, or a WireError."""
    try:
        index, pcm = wire.parse_audio(frame)
    except wire.WireError as refusal:
        assert refusal.code == "bad_audio"
        return
    assert 0 <= index <= wire.MAX_INDEX
    assert 640 <= len(pcm) <= 3200
    assert len(pcm) % 2 == 0
    assert index.to_bytes(8, "little") + pcm == frame


# --- Webhooks -----------------------------------------------------------------------------

HOOKS = [
    b'{"event": "participant_joined", "id": "EV_1", "createdAt": "1767261600",'
    b' "room": {"sid": "RM_1", "name": "abcd-efgh-jkmn-pqrs"},'
    b' "participant": {"sid": "PA_1", "identity": "p_1", "state": "ACTIVE"}}',
    b'{"event": "room_finished", "id": "EV_2", "createdAt": 1767261600, "room": {"name": "x"}}',
]


@given(mutated(HOOKS) | JSON.map(lambda value: json.dumps(value).encode()), some.booleans())
def webhooks(body: bytes, signed: bool) -> None:
    """A body is an event when LiveKit's secret has signed it and it can be read, else refused."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    signature = api.AccessToken("key", SECRET if signed else SECRET[::-1]).with_sha256(digest)
    try:
        event = _calls().read_webhook(body, signature.to_jwt())
    except BadWebhookError:
        return
    assert signed
    assert isinstance(event.event, str)


@functools.cache
def _calls() -> Calls:
    async def make() -> Calls:
        calls = Calls(load({"LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": SECRET}))
        await calls.close()  # nothing is asked of LiveKit here
        return calls

    return asyncio.run(make())


# --- Gladia's messages --------------------------------------------------------------------

SPOKEN = [
    b'{"type":"audio_chunk","acknowledged":true,"data":{"byte_range":[0,32000]}}',
    b'{"type":"transcript","data":{"id":"00_1","is_final":false,'
    b'"utterance":{"text":"good","start":0.1,"end":0.4,"language":"en"}}}',
    b'{"type":"transcript","data":{"id":"00_1","is_final":true,'
    b'"utterance":{"text":"good morning","start":0.1,"end":0.9,"language":"en"}}}',
    b'{"type":"transcript","data":{"id":2,"is_final":true,'
    b'"utterance":{"text":"all","start":1.1,"end":1.4}}}',
    b'{"type":"speech_start"}',
    b'{"type":"speech_end"}',
    b'{"type":"stop_recording","acknowledged":true,"data":{"recording_duration":2.5}}',
    b'{"type":"end_session"}',
    b'{"type":"translation","error":null,"data":{"utterance_id":"00_1","utterance":'
    b'{"text":" good","start":0.1,"end":0.9},"target_language":"de",'
    b'"translated_utterance":{"text":" gut","start":0.1,"end":0.9}}}',
    b'{"type":"error","data":null,"error":{"message":"no"}}',
]
SENT_S = 4  # seconds of audio that the service was sent


class _Heard:
    """A sink that looks at what is reported."""

    def __init__(self) -> None:
        self.finals: set[str] = set()

    def heard(self, said: Recognition) -> None:
        """Each utterance has one final, with times of what was sent and text that can be kept."""
        assert said.utterance not in self.finals
        if said.final:
            self.finals.add(said.utterance)
        assert 0 <= said.start <= said.end <= SENT_S + 1, said
        assert math.isfinite(said.end)
        for text in (said.utterance, said.text, said.language or ""):
            assert "\0" not in text
        assert len(said.utterance) <= 200, "the index of a database takes 2.7 kB"

    def translated(self, translation: Translation) -> None:
        """Each is of a final that was reported, with text that can be kept."""
        assert translation.utterance in self.finals
        assert translation.language in CODES
        assert "\0" not in translation.text

    def delayed(self, is_delayed: bool, reason: Reason | None = None) -> None:
        """Nothing to look at."""

    def dropped(self, start: float, end: float) -> None:
        """Nothing to look at."""

    def lost(self, reason: Reason, replay_from: int) -> None:
        """Nothing to look at."""


@given(some.lists(mutated(SPOKEN), max_size=12), some.booleans())
@example(spoken=[SPOKEN[2].replace(b"0.1", b"-5").replace(b"0.9", b"1e308")], broken=False)
@example(spoken=[SPOKEN[2].replace(b"good", b"\\u0000").replace(b"00_1", b"9" * 5000)], broken=True)
@example(spoken=[SPOKEN[6].replace(b"2.5", b"1e308")], broken=True)
def gladia(spoken: list[bytes], broken: bool) -> None:
    """Whatever the service says, what is reported can be stored, and a stream is lost in words."""
    ring, timeline, sink = ReplayBuffer(AudioBudget(10**7)), Timeline(), _Heard()
    results = Results(ring, timeline, sink, now=0.0)
    timeline.connected(0)
    ring.append(bytes(SENT_S * BYTES_PER_SECOND))
    timeline.sent = SENT_S * BYTES_PER_SECOND
    try:
        for number, content in enumerate(spoken):
            if broken and number == len(spoken) // 2:
                results.disconnected()
                timeline.connected(ring.acknowledged)
                timeline.sent = ring.end
            _take(results, ring, timeline, protocol.parse_message(content), float(number))
        results.resolve()
        results.close_open()
    except protocol.StreamLostError:
        pass


def _take(
    results: Results,
    ring: ReplayBuffer,
    timeline: Timeline,
    message: protocol.ServerMessage,
    now: float,
) -> None:
    match message:
        case protocol.Transcript():
            results.transcribed(message, now)
        case protocol.Translated():
            results.translated(message)
        case protocol.AudioAck(True, protocol.AckData((start, end))):
            before = timeline.shift
            ring.acknowledge(timeline.acknowledged(start, end))
            results.acknowledged(max(0, timeline.shift - before))
        case protocol.SpeechStart() | protocol.SpeechEnd():
            results.voice(message, now)
        case protocol.StopAck():
            results.stop_acknowledged(message)


# --- Tokens -------------------------------------------------------------------------------

NAMES = ["sub", "sessionId", "sessionSlug", "identity", "iat", "exp", "nbf", "aud", "iss", "sid"]
GOOD = {
    "iss": "sessions",
    "aud": "sessions:ws",
    "sid": "AAAA",
    "sub": "p_1",
    "sessionId": "84fc180b-7879-4556-9de1-a6a16c0b5be0",
    "sessionSlug": "abcd-efgh-jkmn-pqrs",
    "identity": "p_1",
    "iat": 1767261600,
    "exp": 4102444800,
}
TOKENS = [
    jwt.encode(GOOD, SECRET, "HS256").encode(),
    jwt.encode(GOOD, SECRET[::-1], "HS256").encode(),
    jwt.encode(GOOD, "", "none").encode(),
    b"",
    b"a.b.c",
]


@given(mutated(TOKENS))
def tokens_(token: bytes) -> None:
    """A token is one that we signed, or refused: whoever changes a letter of it is nobody."""
    text = token.decode("latin-1")  # as of a header
    try:
        tokens.read(SECRET, text)
    except tokens.BadTokenError:
        return
    assert jwt.decode(text, SECRET, ["HS256"], options={"verify_aud": False})


@given(some.dictionaries(some.sampled_from(NAMES), JSON), some.sampled_from(["HS256", "HS512"]))
def claims(odd: dict[str, Any], algorithm: str) -> None:
    """Claims of any type that our secret has signed are what they should be, or refused."""
    try:
        token = jwt.encode(GOOD | odd, SECRET, algorithm)
    except (TypeError, ValueError, jwt.PyJWTError):
        return  # nobody can sign that
    try:
        read = tokens.read(SECRET, token)
    except tokens.BadTokenError:
        return
    assert algorithm == "HS256"
    for value in (read.session_id, read.slug, read.identity):
        assert isinstance(value, str)
    assert isinstance(read.key, bytes)


# --- Forms --------------------------------------------------------------------------------

FORMS = [
    b"name=Ada+Lovelace",
    b"title=%C3%BCber&admission=ANYONE&locked=on",
    b"email=ada%40example.com&name=Ada&next=%2Fs%2Fx",
    b"a=b;c=d&=&&e",
]


@given(mutated(FORMS))
def forms_(body: bytes) -> None:
    """A body is at most 30 fields of text, or a ValueError, which is answered with 400."""
    try:
        fields = forms.parse(body)
    except ValueError:
        return
    assert len(fields) <= forms.MAX_FIELDS
    for name, value in fields.items():
        (name + value).encode()  # no half of a character


# --- Uploads ------------------------------------------------------------------------------


def _drawn(kind: str) -> bytes:
    out = BytesIO()
    Image.linear_gradient("L").resize((40, 30)).convert("P").save(out, kind)
    return out.getvalue()


PICTURES = [_drawn(kind) for kind in ("PNG", "GIF", "WEBP")]
UPLOADS = [
    b'--x\r\nContent-Disposition: form-data; name="picture"; filename="me.png"\r\n'
    b"Content-Type: image/png\r\n\r\n\x89PNG\r\n--\r\n--x--\r\n"
]


@given(mutated(UPLOADS))
def uploads(body: bytes) -> None:
    """A body is a form with one file, which stands in it as it is, or it is refused."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    kind = (b"content-type", b"multipart/form-data; boundary=x")
    asked = Request({"type": "http", "method": "POST", "headers": [kind]}, receive)
    try:
        file = asyncio.run(file_of(asked))
    except HTTPException as refusal:
        assert refusal.status_code == 400
        return
    assert file in body


@given(mutated(PICTURES))
def pictures(file: bytes) -> None:
    """Of any file comes a small square, or a PictureError."""
    try:
        made = Image.open(BytesIO(square(file)))
    except PictureError:
        return
    assert (made.format, made.size) == ("WEBP", (SIDE, SIDE))


TARGETS: dict[str, Callable[[], None]] = {
    "uploads": uploads,
    "pictures": pictures,
    "messages": messages,
    "audio": audio,
    "webhooks": webhooks,
    "gladia": gladia,
    "tokens": tokens_,
    "claims": claims,
    "forms": forms_,
    "requests": requests,
    "frames": frames,
}
