"""The parsers take what docs/protocol.md allows, and the encoders say what it shows."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from string import ascii_letters, digits
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from core.room import wire
from core.room.wire import Hello, Message, Mic, WireError, parse_audio, parse_message
from core.speech.reasons import Reason
from tests.support import ROOT

PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
CLIENTS = some.text(ascii_letters + digits + "_-", min_size=8, max_size=64)
INDEXES = some.integers(0, wire.MAX_INDEX)
# Even sizes from 20 to 100 ms.
PCM = some.integers(320, 1600).flatmap(lambda n: some.binary(min_size=2 * n, max_size=2 * n))
# Examples are cheap, but the machine may be busy with other tests.
calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)
ADA = wire.PersonView("p_1", "Ada", "HOST", 4)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def frame(index: int, pcm: bytes) -> bytes:
    return index.to_bytes(8, "little") + pcm


def refused(text: str) -> str:
    with pytest.raises(WireError) as refusal:
        parse_message(text)
    assert str(refusal.value)
    return refusal.value.code


def shown(kind: str) -> list[dict[str, Any]]:
    """Return the documentation's examples of a message."""
    blocks = "".join(re.findall(r"```json\n(.*?)```", PROTOCOL, re.DOTALL))
    messages = json.loads("[" + re.sub(r"\}\n(?=\{)", "},", blocks) + "]")
    return [message for message in messages if message["type"] == kind]


def said(message: wire.ServerMessage) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(Message(message).payload)
    return decoded


@calm
@given(CLIENTS, some.integers(0, 2**31 - 1), INDEXES)
def test_hello_is_understood(client: str, seq: int, settled: int) -> None:
    text = json.dumps({"type": "hello", "client": client, "seq": seq, "settled": settled})
    assert parse_message(text) == Hello(client, seq, settled)


def test_a_first_hello_needs_no_numbers() -> None:
    assert parse_message('{"type": "hello", "client": "abcd1234"}') == Hello("abcd1234", 0, 0)


@calm
@given(some.booleans())
def test_mic_is_understood(on: bool) -> None:
    assert parse_message(json.dumps({"type": "mic", "on": on})) == Mic(on)


def test_the_documented_examples_are_understood() -> None:
    upward = [shown(kind)[0] for kind in ("hello", "mic", "chat", "hand", "reaction", "lost")]
    for example in upward:
        parse_message(json.dumps(example))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "17",
        "{",
        "{}",
        '{"type": "mic"}',
        '{"type": "mic", "on": 1}',
        '{"type": "mic", "on": "yes"}',
        '{"type": "shout", "on": true}',
        '{"type": 5}',
        '{"type": "hello"}',
        '{"type": "hello", "client": "seven77"}',
        '{"type": "hello", "client": "' + "x" * 65 + '"}',
        '{"type": "hello", "client": "with space"}',
        '{"type": "hello", "client": "abcd1234\\n"}',
        '{"type": "hello", "client": 12345678}',
        '{"type": "hello", "client": "abcd1234", "seq": -1}',
        '{"type": "hello", "client": "abcd1234", "seq": 2147483648}',
        '{"type": "hello", "client": "abcd1234", "seq": 1.5}',
        '{"type": "hello", "client": "abcd1234", "settled": -1}',
        '{"type": "hello", "client": "abcd1234", "settled": 9007199254740993}',
        '{"type": "mic", "on": true} {"type": "mic", "on": true}',
        "[" * 4000,
        '{"type": "hello", "client": "\\ud800bcd1234"}',
    ],
)
def test_anything_else_is_a_bad_message(text: str) -> None:
    assert refused(text) == "bad_message"


@calm
@given(some.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        parse_message(text)
    except WireError as refusal:
        assert refusal.code == "bad_message"


@pytest.mark.parametrize("filler", ["x", "é", "語"])
def test_a_message_is_bounded_in_bytes(filler: str) -> None:
    def padded(size: int) -> str:
        head, tail = '{"type": "mic", "on": true, "more": "', '"}'
        room = size - len(head) - len(tail)
        wide = filler * (room // len(filler.encode()))
        return head + wide + "x" * (room - len(wide.encode())) + tail

    assert parse_message(padded(wire.MAX_TEXT)) == Mic(on=True)
    assert refused(padded(wire.MAX_TEXT + 1)) == "bad_message"


@calm
@given(INDEXES, PCM)
def test_audio_is_split_into_index_and_samples(index: int, pcm: bytes) -> None:
    assert parse_audio(frame(index, pcm)) == (index, pcm)


@calm
@given(some.binary(max_size=4000))
def test_audio_has_the_documented_sizes(data: bytes) -> None:
    allowed = 648 <= len(data) <= 3208 and len(data) % 2 == 0
    index = int.from_bytes(data[:8], "little")
    if allowed and index <= wire.MAX_INDEX:
        assert parse_audio(data) == (index, data[8:])
    else:
        with pytest.raises(WireError) as refusal:
            parse_audio(data)
        assert refusal.value.code == "bad_audio"


@pytest.mark.parametrize("size", [0, 7, 8, 646, 647, 649, 3207, 3209, 3210, 65_536])
def test_frames_just_outside_the_bounds_are_refused(size: int) -> None:
    with pytest.raises(WireError) as refusal:
        parse_audio(bytes(size))
    assert refusal.value.code == "bad_audio"


@pytest.mark.parametrize("index", [2**53 + 1, 2**63, 2**64 - 1])
def test_an_index_that_javascript_cannot_count_is_refused(index: int) -> None:
    with pytest.raises(WireError):
        parse_audio(frame(index, bytes(640)))


def test_the_encoders_say_what_the_documentation_shows() -> None:
    started = datetime(2026, 1, 1, 10, tzinfo=UTC)
    welcome = wire.Welcome(
        session=wire.SessionView("…", "…", "LIVE", started, "KNOCK", locked=False, targets=["de"]),
        you=wire.PersonView("p_…", "Ada", "HOST", 4),
        received=48000,
        seq=19,
        engine=wire.EngineView("local", "ok", None),
        people=[wire.PersonView("p_…", "Ada", "HOST", 4)],
        consent=wire.ConsentView("REQUIRED", True),
        pauses=[wire.PauseView(61.2, 95.0, "Ada")],
        now=120.5,
        names={"p_…": "Ada Lovelace"},
        audio=7,
    )
    pauses = wire.Pauses([*welcome.pauses, wire.PauseView(130.4, None, "Ada")], 130.5)
    utterance = wire.UtteranceMessage(
        "s1-3", 18, "p_…", "Ada", 4, "Good morning.", 12.4, 13.6, "en", final=True
    )
    late = wire.Speech("p_…", "delayed", Reason("busy"), started)
    people = wire.People(
        [wire.PersonView("p_…", "Ada", "HOST", 4, started, avatar="…")],
        [wire.KnockView("p_…", "Bob", 7)],
        [wire.KnockView("p_…", "Mallory", 2)],
        ["p_…"],
    )
    chat = wire.Chat(7, "p_…", "Ada", 4, "HOST", "Hello.", started)
    assert [said(welcome)] == shown("welcome")
    gap = wire.UtteranceMessage(
        "s1.gap-1", 19, "p_…", "Ada", 4, "", 14.1, 35.1, None, final=True, lost=21.0
    )
    assert [said(utterance), said(gap)] == shown("utterance")
    part = wire.PartView(0, "Good morning!", 12.4, 13.6, "p_…", "Ada", 4)
    assert [said(wire.Corrected(13, 18, "s1-3", [part]))] == shown("corrected")
    assert [said(wire.Names({"p_…": "Ada Lovelace", "x_…": None}))] == shown("names")
    assert [said(late)] == shown("speech")
    assert [said(people)] == shown("people")
    assert said(chat) in shown("chat")
    assert said(wire.Reaction("p_…", "👍")) in shown("reaction")
    assert [said(wire.Muted())] == shown("muted")
    assert [said(wire.Active(on=False))] == shown("active")
    assert said(wire.Beat()) in shown("beat")
    assert [
        said(wire.SessionChanged("LIVE", title="…", admission="ANYONE", locked=True)),
        said(wire.SessionChanged("LIVE", audio=0)),
        said(wire.SessionChanged("ENDED", reason="ADMIN_ENDED")),
    ] == shown("session")
    assert [said(wire.ConsentChanged("REQUIRED", given=False))] == shown("consent")
    assert [said(pauses)] == shown("pauses")
    assert [said(wire.Settled(416000))] == shown("settled")
    assert [said(wire.Error("bad_message", 2.5, "…"))] == shown("error")


@calm
@given(some.text(), some.text())
def test_any_text_is_encoded_so_that_it_comes_back(name: str, text: str) -> None:
    utterance = wire.UtteranceMessage(
        "s-1", None, "p_1", name, 0, text, 0.0, 0.5, None, final=False
    )
    assert (said(utterance)["name"], said(utterance)["text"]) == (name, text)


def test_only_a_partial_with_words_may_be_missed() -> None:
    def droppable(text: str, *, final: bool) -> bool:
        return Message(
            wire.UtteranceMessage("s-1", None, "p_1", "Ada", 0, text, 0.0, 0.5, None, final=final)
        ).droppable

    assert droppable("Good mor", final=False)
    assert not droppable("", final=False), "a withdrawal is the last word on its utterance"
    assert not droppable("Good morning.", final=True)
    assert not Message(wire.People([ADA])).droppable
    assert not Message(wire.Speech("p_1", "ready", None, NOON)).droppable


def test_every_close_code_and_limit_is_documented() -> None:
    codes = [value for name, value in vars(wire).items() if name.startswith("CLOSE_")]
    assert all(f"| {code} |" in PROTOCOL for code in codes)
    assert f"{wire.MIN_FRAME} to {wire.MAX_FRAME:,} bytes" in PROTOCOL
