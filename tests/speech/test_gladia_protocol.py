"""What is understood of Gladia's messages, and of the ends of connections."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.speech.gladia.opening import (
    error_hints,
    parse_init_reply,
)
from core.speech.gladia.protocol import (
    AudioAck,
    EndSession,
    ErrorMessage,
    Next,
    Other,
    SpeechEnd,
    SpeechStart,
    StopAck,
    Transcript,
    judge_close,
    judge_handshake,
    parse_message,
)


def message(type_: str, **fields: Any) -> bytes:
    common = {"session_id": "s", "created_at": "2026-01-01T00:00:00.000Z", "type": type_}
    return json.dumps(common | fields).encode()


# Server messages


def test_acknowledgments_in_both_error_shapes() -> None:
    taken = parse_message(
        message("audio_chunk", acknowledged=True, error=None, data={"byte_range": [0, 3200]})
    )
    assert isinstance(taken, AudioAck)
    assert taken.acknowledged
    assert taken.data is not None
    assert taken.data.byte_range == (0, 3200)
    for error in ({"message": "no"}, {"status_code": 400, "exception": "X", "message": "no"}, "no"):
        refused = parse_message(message("audio_chunk", acknowledged=False, error=error, data=None))
        assert isinstance(refused, AudioAck)
        assert not refused.acknowledged
        assert refused.data is None


def test_transcripts_with_extra_missing_and_null_members() -> None:
    utterance = {"text": " Hi.", "start": 1, "end": 1.5, "language": None, "words": [{"word": 1}]}
    data = {"id": "00_1", "is_final": True, "utterance": utterance, "new": {"deep": []}}
    parsed = parse_message(message("transcript", data=data, more=1))
    assert isinstance(parsed, Transcript)
    assert parsed.data is not None
    assert parsed.data.utterance is not None
    assert (parsed.data.utterance.text, parsed.data.utterance.end) == (" Hi.", 1.5)
    null = parse_message(message("transcript", data=None, error={"message": "failed"}))
    assert isinstance(null, Transcript)
    assert null.data is None


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("speech_start", SpeechStart),
        ("speech_end", SpeechEnd),
        ("stop_recording", StopAck),
        ("end_session", EndSession),
        ("error", ErrorMessage),
    ],
)
def test_known_types_do_not_need_data(type_: str, kind: type) -> None:
    assert isinstance(parse_message(message(type_)), kind)
    assert isinstance(parse_message(message(type_, data=None)), kind)


@pytest.mark.parametrize("type_", ["brand_new", "start_recording", "post_transcript"])
def test_other_types_are_passed_over(type_: str) -> None:
    assert parse_message(message(type_, data=None)) == Other(readable=True)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b'{"type":1}',
        b'{"type":"transcript","data":{"id":"\xff"}}',
        b'{"type":"transcript","data":7}',
        b'{"type":"error","data":' + b"[" * 100_000,
    ],
)
def test_rubbish_is_told_from_unknown_types(content: bytes) -> None:
    assert parse_message(content) == Other(readable=False)


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode()))
def test_parsing_never_raises(content: bytes) -> None:
    parse_message(content)
    parse_init_reply(content)
    error_hints(content)


# Ends


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (1000, Next.REPLACE),
        (1001, Next.RESUME),
        (1005, Next.RESUME),
        (1006, Next.RESUME),
        (1009, Next.RESUME),
        (1011, Next.RESUME),
        (4000, Next.RESUME),
        (4399, Next.RESUME),
        (4400, Next.REPLACE),
        (4403, Next.REPLACE),
        (4499, Next.REPLACE),
        (4500, Next.RESUME),
        (4504, Next.RESUME),
    ],
)
def test_close_codes(code: int, what: Next) -> None:
    verdict = judge_close(code, stopped=False)
    assert verdict.next is what
    assert verdict.reason
    wanted = Next.DONE if code == 1000 else what
    assert judge_close(code, stopped=True).next is wanted


@pytest.mark.parametrize(
    ("status", "what"),
    [
        (401, Next.REPLACE),
        (403, Next.REPLACE),
        (404, Next.REPLACE),
        (409, Next.RESUME),
        (429, Next.RESUME),
        (500, Next.RESUME),
        (502, Next.RESUME),
    ],
)
def test_refused_handshakes(status: int, what: Next) -> None:
    assert judge_handshake(status).next is what
