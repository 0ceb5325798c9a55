"""What is said to and understood of Gladia, byte positions and times: no I/O."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.speech.engine import BYTES_PER_SECOND, Recognition, StreamOptions
from core.speech.gladia.protocol import (
    LANGUAGES,
    AudioAck,
    Backoff,
    EndSession,
    ErrorMessage,
    Next,
    Other,
    SpeechEnd,
    SpeechStart,
    StopAck,
    Timeline,
    Transcript,
    Utterances,
    accepted,
    error_hints,
    init_body,
    judge_close,
    judge_handshake,
    judge_status,
    parse_init_reply,
    parse_message,
)
from tests.emulators.gladia import LANGUAGES as EMULATED_LANGUAGES
from tests.emulators.gladia.validation import validate_init

CHUNK = 1_600


def message(type_: str, **fields: Any) -> bytes:
    common = {"session_id": "s", "created_at": "2026-01-01T00:00:00.000Z", "type": type_}
    return json.dumps(common | fields).encode()


# The init body


@pytest.mark.parametrize(
    ("languages", "sent"),
    [
        ((), []),
        (("de",), ["de"]),
        (("ru", "en", "ru"), ["ru", "en"]),
        (("en-US", "en-GB"), ["en"]),
        (("zh_Hans", " PT-br "), ["zh", "pt"]),
    ],
)
@pytest.mark.parametrize("switching", [False, True])
def test_several_languages_are_candidates_and_switching_is_asked_for(
    languages: tuple[str, ...], sent: list[str], switching: bool
) -> None:
    options = StreamOptions(languages, code_switching=switching)
    config = init_body(options)["language_config"]
    assert config == {"languages": sent, "code_switching": switching and len(sent) > 1}


def test_language_codes_are_those_of_the_emulator() -> None:
    """And so those of Gladia's SDK, with which the emulator's are compared."""
    assert LANGUAGES == EMULATED_LANGUAGES


def test_body_passes_strict_validation_and_asks_for_what_is_used() -> None:
    options = StreamOptions(
        ("en",),
        vocabulary=("Nyquist", "Sessions"),
        spelling={"Gorgias": ("Gorgious", "gorgeous"), "Ada": ("Aida",)},
    )
    config = validate_init(init_body(options))
    assert (config["sample_rate"], config["bit_depth"], config["channels"]) == (16_000, 16, 1)
    realtime = config["realtime_processing"]
    assert realtime["custom_vocabulary"] is True
    assert realtime["custom_vocabulary_config"] == {
        "vocabulary": ["Nyquist", "Sessions"],
        "default_intensity": 0.4,
    }
    assert realtime["custom_spelling"] is True
    assert realtime["custom_spelling_config"] == {
        "spelling_dictionary": {"Gorgias": ["Gorgious", "gorgeous"], "Ada": ["Aida"]}
    }
    for name in ("translation", "named_entity_recognition", "sentiment_analysis"):
        assert realtime[name] is False
    wanted = {name for name, value in config["messages_config"].items() if value}
    assert wanted == {
        "receive_partial_transcripts",
        "receive_final_transcripts",
        "receive_speech_events",
        "receive_acknowledgments",
        "receive_errors",
        "receive_lifecycle_events",
    }
    assert "realtime_processing" not in init_body(StreamOptions())
    only_spelling = init_body(StreamOptions(spelling={"Ada": ("Aida",)}))["realtime_processing"]
    assert "custom_vocabulary" not in only_spelling, "what is heard right is no vocabulary"


texts = st.text(st.sampled_from("aé \t-'"), max_size=40)


@given(
    languages=st.lists(st.sampled_from(["en", "ru", "xx", "", "pt-BR", "klingon"])),
    switching=st.booleans(),
    vocabulary=st.lists(texts, max_size=130),
    more=st.tuples(st.integers(0, 130), st.integers(1, 400)),
    spelling=st.dictionaries(texts, st.lists(texts, max_size=4).map(tuple), max_size=20),
)
def test_no_setting_of_a_session_can_make_gladia_refuse_a_stream(
    languages: list[str],
    switching: bool,
    vocabulary: list[str],
    more: tuple[int, int],
    spelling: dict[str, tuple[str, ...]],
) -> None:
    words = vocabulary + [f"{number} {'x' * more[1]}" for number in range(more[0])]
    options = StreamOptions(tuple(languages), switching, tuple(words), spelling)
    validate_init(init_body(options))
    taken, left_out = accepted(options)
    assert accepted(taken) == (taken, 0)
    asked = {" ".join(word.split()) for word in words} - {""}
    if len(asked) <= 100 and sum(map(len, asked)) <= 10_000 and set(languages) <= {"en", "ru"}:
        short = {word for word in asked if len(word.split()) <= 5}
        assert (set(taken.vocabulary), left_out) == (short, len(asked - short))


def test_what_gladia_would_refuse_is_counted() -> None:
    many = tuple(f"word{number}" for number in range(101))
    long = ("one two three four five", "one two three four five six")
    for options, expected in [
        (StreamOptions(("en", "xx", "en-US")), 1),
        (StreamOptions(vocabulary=many), 1),
        (StreamOptions(vocabulary=long), 1),
        (StreamOptions(vocabulary=("x" * 6_000, "y" * 6_000, "z")), 1),
        (StreamOptions(spelling=dict.fromkeys(many, ("w",))), 1),
        (StreamOptions(vocabulary=(" ", "a  b", "a b"), spelling={"": ("x",), "y": ()}), 0),
    ]:
        assert accepted(options)[1] == expected, options


def test_init_reply_is_read_and_never_shown() -> None:
    reply = parse_init_reply(b'{"id":"x","created_at":"y","url":"wss://h/v2/live?token=4a39"}')
    assert reply is not None
    assert reply.url.endswith("token=4a39")
    assert "4a39" not in repr(reply)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"id":"x"}', b'{"url":"http://x"}'])
def test_what_is_no_init_reply_is_noticed(content: bytes) -> None:
    assert parse_init_reply(content) is None


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


@pytest.mark.parametrize(
    "type_", ["brand_new", "translation", "start_recording", "post_transcript"]
)
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


@pytest.mark.parametrize(
    ("status", "retry", "words"),
    [
        (400, False, "endpointing must be a number"),
        (401, False, "key was refused"),
        (402, False, "credit is used up"),
        (403, False, "plan doesn't allow"),
        (404, False, "GLADIA_API_URL"),
        (422, False, "endpointing must be a number"),
        (408, True, "trouble"),
        (429, True, "no further stream"),
        (500, True, "trouble"),
        (503, True, "trouble"),
    ],
)
def test_http_statuses(status: int, retry: bool, words: str) -> None:
    content = json.dumps({"validation_errors": ["endpointing must be a number"]}).encode()
    refusal = judge_status(status, content)
    assert (refusal.retry, refusal.busy) == (retry, status == 429)
    assert words in refusal.reason


@pytest.mark.parametrize("status", [402, 403, 429])
@pytest.mark.parametrize("message", ["Insufficient credits", "Your wallet is empty: top-up now"])
def test_an_empty_wallet_is_told_whatever_its_status(status: int, message: str) -> None:
    refusal = judge_status(status, json.dumps({"message": message}).encode())
    assert "credit is used up" in refusal.reason
    assert "top-up" in refusal.reason
    assert (refusal.retry, refusal.busy) == (False, False)


def test_hints_are_taken_from_any_shape() -> None:
    assert error_hints(b'{"message":"no such language"}') == "no such language"
    assert error_hints(b'{"message":["a","b"]}') == "a; b"
    assert error_hints(b'{"validation_errors":[{"field":"x"}]}') == "{'field': 'x'}"
    assert error_hints(b"<html>Bad Gateway</html>") == ""
    assert len(error_hints(json.dumps({"message": "x" * 9_999}).encode())) <= 300


def test_backoff_doubles_to_its_bound_and_begins_again() -> None:
    random.seed(5)
    backoff = Backoff(0.25, 8.0)
    for bound in (0.25, 0.5, 1, 2, 4, 8, 8, 8):
        assert 0 <= backoff.next() <= bound
    waits = [backoff.next() for _ in range(300)]
    assert 3 < sum(waits) / len(waits) < 5
    assert max(waits) <= 8
    backoff.reset()
    assert backoff.next() <= 0.25


# Positions and times


class CountingService:
    """Counts bytes as Gladia does, and acknowledges with ranges over the whole session."""

    def __init__(self) -> None:
        self.counted = 0

    def take(self, size: int) -> tuple[int, int]:
        start, self.counted = self.counted, self.counted + size
        return start, self.counted


def test_lost_acknowledgments_shift_later_times_back() -> None:
    service, timeline = CountingService(), Timeline()
    timeline.connected(0)
    timeline.sent += 3 * CHUNK
    assert timeline.acknowledged(*service.take(CHUNK)) == CHUNK
    service.take(CHUNK)
    service.take(CHUNK)  # both counted, both acknowledgments lost with the connection
    timeline.connected(CHUNK)
    assert timeline.uncertain == 2 * CHUNK
    timeline.sent += 2 * CHUNK
    assert timeline.acknowledged(*service.take(2 * CHUNK)) == 3 * CHUNK
    assert timeline.shift == 2 * CHUNK
    assert timeline.uncertain == 0
    second = CHUNK / BYTES_PER_SECOND
    assert timeline.seconds(2 * second) == pytest.approx(2 * second)
    assert timeline.seconds(4 * second) == pytest.approx(2 * second)
    assert timeline.seconds(5 * second) == pytest.approx(3 * second)


def test_inclusive_ends_and_ranges_that_begin_anew() -> None:
    timeline = Timeline()
    timeline.connected(0)
    timeline.sent += 2 * CHUNK
    assert timeline.acknowledged(0, CHUNK - 1) == CHUNK
    timeline.connected(CHUNK)
    timeline.sent += 3 * CHUNK
    assert timeline.acknowledged(0, CHUNK) == 2 * CHUNK
    assert timeline.acknowledged(CHUNK, 3 * CHUNK) == 4 * CHUNK
    assert timeline.shift == 0


def test_more_acknowledged_than_sent_is_a_shift_too() -> None:
    timeline = Timeline()
    timeline.connected(0)
    timeline.sent += CHUNK
    assert timeline.acknowledged(0, 3 * CHUNK) == CHUNK
    assert timeline.shift == 2 * CHUNK


@given(
    st.lists(st.tuples(st.integers(1, 8), st.integers(0, 3), st.integers(0, 3)), max_size=12),
)
def test_any_number_of_drops_leaves_positions_and_times_right(
    rounds: list[tuple[int, int, int]],
) -> None:
    """Each round: chunks acknowledged, then counted without acknowledgment, then never come."""
    service, timeline = CountingService(), Timeline()
    acknowledged = 0
    timeline.connected(0)
    for taken, silently, lost in rounds:
        for _ in range(taken):
            timeline.sent += CHUNK
            begin = service.counted
            acknowledged = timeline.acknowledged(*service.take(CHUNK))
            assert acknowledged == timeline.sent
            middle = (begin + CHUNK / 2) / BYTES_PER_SECOND
            fed = (timeline.sent - CHUNK / 2) / BYTES_PER_SECOND
            assert timeline.seconds(middle) == pytest.approx(fed, abs=1e-3)
        for _ in range(silently):
            timeline.sent += CHUNK
            service.take(CHUNK)
        timeline.sent += lost * CHUNK
        timeline.connected(acknowledged)
    assert timeline.shift == sum(silently for _, silently, _ in rounds[:-1]) * CHUNK


# Utterances


def take(
    utterances: Utterances, id_: str, text: str, start: float, end: float, *, final: bool = True
) -> Recognition | None:
    return utterances.take(id_, text, start, end, final=final)


def test_partials_come_trimmed_and_never_after_their_final() -> None:
    utterances = Utterances()
    partial = take(utterances, "0", " good ", 0.1, 0.4, final=False)
    assert partial == Recognition("0", "good", 0.1, 0.4, False)
    waiting = utterances.any_open
    final = take(utterances, "0", " good morning", 0.1, 0.8)
    assert final == Recognition("0", "good morning", 0.1, 0.8, True)
    assert (waiting, utterances.any_open) == (True, False)
    assert take(utterances, "0", " good", 0.1, 0.4, final=False) is None
    assert take(utterances, "0", " good morning", 0.1, 0.8) is None


def test_a_partial_is_reported_when_its_text_changes_and_counts_to_its_end_anyway() -> None:
    utterances = Utterances()
    texts = ["good", "good ", "good morning", " good morning", "", "good", "good"]
    reported = [
        take(utterances, "0", text, 0, 1 + number / 5, final=False)
        for number, text in enumerate(texts)
    ]
    assert [one.text for one in reported if one] == ["good", "good morning", "good"]
    assert utterances.close_open() == [Recognition("0", "good", 0, 2.2, True)]


def test_a_final_without_text_withdraws_its_partials_only() -> None:
    utterances = Utterances()
    assert take(utterances, "0", "  ", 0, 1) is None
    assert take(utterances, "1", "", 1, 2, final=False) is None
    take(utterances, "2", "hm", 2, 3, final=False)
    assert take(utterances, "2", " ", 2, 3) == Recognition("2", "", 2, 3, False)
    assert not utterances.any_open


def test_a_last_partial_stands_for_a_final_that_never_comes() -> None:
    utterances = Utterances()
    take(utterances, "0", "one", 0, 1, final=False)
    take(utterances, "1", "two", 2, 3, final=False)
    assert utterances.open_before("1", 2)
    assert not utterances.open_before("0", 0)
    assert not utterances.open_before("0", 2)
    closed = utterances.close_open()
    assert closed == [Recognition("0", "one", 0, 1, True), Recognition("1", "two", 2, 3, True)]
    assert take(utterances, "0", "one", 0, 1) is None
    assert utterances.close_open() == []


def test_ids_that_begin_anew_get_new_names() -> None:
    utterances = Utterances()
    spoken = [("0", "one", 0, 1), ("1", "two", 1, 2), ("0", "three", 3, 4), ("1", "four", 4, 5)]
    names = []
    for id_, text, start, end in spoken:
        partial = take(utterances, id_, text, start, end - 0.5, final=False)
        final = take(utterances, id_, text, start, end)
        assert partial is not None
        assert final is not None
        assert partial.utterance == final.utterance
        names.append(final.utterance)
    assert len(set(names)) == 4


def test_the_same_words_of_the_same_audio_are_one_utterance() -> None:
    utterances = Utterances()
    assert take(utterances, "0", "yes", 1.0, 1.3) is not None
    assert take(utterances, "5", "Yes", 1.05, 1.35) is None
    assert take(utterances, "6", "yes", 1.4, 1.7) is not None
    assert take(utterances, "7", "no", 1.0, 1.3) is not None


def test_the_partials_of_a_repetition_are_withdrawn() -> None:
    utterances = Utterances()
    take(utterances, "0", "yes", 1.0, 1.3)
    partial = take(utterances, "5", "yes", 1.0, 1.3, final=False)
    assert partial is not None
    withdrawn = take(utterances, "5", "yes", 1.0, 1.3)
    assert withdrawn == Recognition(partial.utterance, "", 1.0, 1.3, False)


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.booleans(), st.sampled_from(["", "a", "b"])), max_size=40
    )
)
def test_nothing_follows_a_final_of_its_name(steps: list[tuple[int, bool, str]]) -> None:
    utterances = Utterances()
    said = [
        utterances.take(str(id_), text, at * 0.3, at * 0.3 + 0.7, final=final)
        for at, (id_, final, text) in enumerate(steps)
    ]
    reported = [recognition for recognition in said if recognition is not None]
    for index, recognition in enumerate(reported):
        if recognition.final:
            assert all(later.utterance != recognition.utterance for later in reported[index + 1 :])
    finals = [recognition for recognition in reported if recognition.final]
    assert all(first.start < second.start for first, second in pairwise(finals))
