"""The opening of a session: what Gladia is asked for, and what its refusals mean."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.speech.engine import StreamOptions
from core.speech.gladia.opening import (
    LANGUAGES,
    TARGETS,
    accepted,
    error_hints,
    init_body,
    judge_status,
    parse_init_reply,
)
from tests.emulators.gladia import LANGUAGES as EMULATED_LANGUAGES
from tests.emulators.gladia.validation import TRANSLATION_LANGUAGES as EMULATED_TARGETS
from tests.emulators.gladia.validation import validate_init


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


def test_translations_are_asked_for_with_their_messages_and_within_bounds() -> None:
    options = StreamOptions(targets=("de", "xx", "fr-FR", "de", "wo", "ru"))
    config = validate_init(init_body(options))
    realtime = config["realtime_processing"]
    assert realtime["translation"] is True
    assert realtime["translation_config"]["target_languages"] == ["de", "fr", "wo"]
    assert realtime["translation_config"]["match_original_utterances"] is True
    assert config["messages_config"]["receive_realtime_processing_events"] is True
    assert TARGETS == EMULATED_TARGETS


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


@pytest.mark.parametrize(
    ("status", "retry", "reason"),
    [
        (400, False, "settings_refused (endpointing must be a number)"),
        (401, False, "key_refused"),
        (402, False, "credit_used_up"),
        (403, False, "plan_forbids"),
        (404, False, "not_the_service (404)"),
        (422, False, "settings_refused (endpointing must be a number)"),
        (408, True, "service_trouble (408)"),
        (429, True, "plan_full"),
        (500, True, "service_trouble (500)"),
        (503, True, "service_trouble (503)"),
    ],
)
def test_http_statuses(status: int, retry: bool, reason: str) -> None:
    content = json.dumps({"validation_errors": ["endpointing must be a number"]}).encode()
    refusal = judge_status(status, content)
    assert (refusal.retry, refusal.busy) == (retry, status == 429)
    assert str(refusal.reason) == reason


@pytest.mark.parametrize("status", [402, 403, 429])
@pytest.mark.parametrize("message", ["Insufficient credits", "Your wallet is empty: top-up now"])
def test_an_empty_wallet_is_told_whatever_its_status(status: int, message: str) -> None:
    refusal = judge_status(status, json.dumps({"message": message}).encode())
    assert refusal.reason.code == "credit_used_up"
    assert (refusal.retry, refusal.busy) == (False, False)


def test_hints_are_taken_from_any_shape() -> None:
    assert error_hints(b'{"message":"no such language"}') == "no such language"
    assert error_hints(b'{"message":["a","b"]}') == "a; b"
    assert error_hints(b'{"validation_errors":[{"field":"x"}]}') == "{'field': 'x'}"
    assert error_hints(b"<html>Bad Gateway</html>") == ""
    assert len(error_hints(json.dumps({"message": "x" * 9_999}).encode())) <= 300
