"""Checks the body of `POST /v2/live` as Gladia's OpenAPI document describes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

_CODES = (
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw "
    "he hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my "
    "ne nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt "
    "uk ur uz vi yi yo zh"
)
LANGUAGES = frozenset(_CODES.split())
TRANSLATION_LANGUAGES = LANGUAGES | {"wo"}
REGIONS = ("us-west", "eu-west")
MAX_METADATA = 2_000
MAX_VOCABULARY = 100
MAX_VOCABULARY_CHARACTERS = 10_000
MAX_ENTRY_WORDS = 5

Json = dict[str, Any]
Check = Callable[[str, Any], tuple[Any, list[str]]]


class Invalid(Exception):  # noqa: N818 - it is an answer, not a failure of ours
    """The body is refused; `errors` are the strings of `validation_errors`."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


def validate_init(body: object, *, reject_unknown: bool = True) -> Json:
    """Return the body with every default filled in, or raise Invalid.

    Gladia OpenAPI: every field is optional and null counts as absent. `region` belongs
    into the query and is refused in the body whatever `reject_unknown` says.
    """
    if not isinstance(body, dict):
        raise Invalid(["body must be an object"])
    config, errors = _Fields(_INIT, reject_unknown)("", body)
    if "region" in body and not reject_unknown:
        errors.append("property region should not exist")
    if not errors:
        errors = _check_bit_depth(body, config)
    if errors:
        raise Invalid(errors)
    return dict(config)


def validate_recorded(body: object, *, reject_unknown: bool = True) -> Json:
    """Return the body of `POST /v2/pre-recorded` with its defaults, or raise Invalid.

    Fields are those of Gladia's SDK 2.2.0; only `audio_url` is required.
    """
    if not isinstance(body, dict):
        raise Invalid(["body must be an object"])
    config, errors = _Fields(_RECORDED, reject_unknown)("", body)
    if errors:
        raise Invalid(errors)
    return dict(config)


def _check_bit_depth(body: Json, config: Json) -> list[str]:
    if config["encoding"] == "wav/pcm":
        return []
    if body.get("bit_depth") not in (None, 8):
        return [f"bit_depth must be 8 when encoding is {config['encoding']}"]
    config["bit_depth"] = 8
    return []


class _Fields:
    """An object: a check and a default for every field; a default of `...` is required."""

    def __init__(self, fields: Mapping[str, tuple[Check, Any]], strict: bool | None = None) -> None:
        self._fields = fields
        self._strict = strict

    def __call__(self, path: str, value: Any, strict: bool = True) -> tuple[Any, list[str]]:
        strict = strict if self._strict is None else self._strict
        if not isinstance(value, dict):
            return None, [f"{path} must be an object"]
        prefix = f"{path}." if path else ""
        unknown = [key for key in value if key not in self._fields]
        errors = [f"property {prefix}{key} should not exist" for key in unknown if strict]
        result: Json = {}
        for name, (check, default) in self._fields.items():
            given = value.get(name)
            if given is None:
                if default is ...:
                    errors.append(f"{prefix}{name} should not be empty")
                result[name] = _default(check, default, strict)
                continue
            inner = prefix + name
            result[name], found = (
                check(inner, given, strict) if isinstance(check, _Fields) else check(inner, given)
            )
            errors += found
        return result, errors


def _default(check: Check, default: Any, strict: bool) -> Any:
    if isinstance(check, _Fields) and default is not None:
        return check("", default, strict)[0]
    return None if default is ... else default


def _one_of(*allowed: object) -> Check:
    listed = ", ".join(str(value) for value in allowed)

    def check(path: str, value: Any) -> tuple[Any, list[str]]:
        good = not isinstance(value, bool) and value in allowed
        return value, [] if good else [f"{path} must be one of the following values: {listed}"]

    return check


def _boolean(path: str, value: Any) -> tuple[Any, list[str]]:
    return value, [] if isinstance(value, bool) else [f"{path} must be a boolean value"]


def _string(path: str, value: Any) -> tuple[Any, list[str]]:
    return value, [] if isinstance(value, str) else [f"{path} must be a string"]


def _url(path: str, value: Any) -> tuple[Any, list[str]]:
    good = isinstance(value, str) and value.startswith(("http://", "https://"))
    return value, [] if good else [f"{path} must be a URL address"]


def _any_object(path: str, value: Any) -> tuple[Any, list[str]]:
    return value, [] if isinstance(value, dict) else [f"{path} must be an object"]


def _number(low: float, high: float, *, whole: bool = False) -> Check:
    def check(path: str, value: Any) -> tuple[Any, list[str]]:
        kind = int if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kind):
            return value, [f"{path} must be {'an integer' if whole else 'a'} number"]
        if value < low:
            return value, [f"{path} must not be less than {low:g}"]
        return value, [f"{path} must not be greater than {high:g}"] if value > high else []

    return check


def _list(item: Check, *, at_least: int = 0) -> Check:
    def check(path: str, value: Any) -> tuple[Any, list[str]]:
        if not isinstance(value, list):
            return value, [f"{path} must be an array"]
        errors = (
            [] if len(value) >= at_least else [f"{path} must contain at least {at_least} elements"]
        )
        for entry in value:
            errors += item(f"each value in {path}", entry)[1]
        return value, errors

    return check


def _metadata(path: str, value: Any) -> tuple[Any, list[str]]:
    if not isinstance(value, dict):
        return value, [f"{path} must be an object"]
    too_long = len(json.dumps(value, separators=(",", ":"))) > MAX_METADATA
    return value, [f"{path} must be at most {MAX_METADATA} characters"] if too_long else []


def _spelling(path: str, value: Any) -> tuple[Any, list[str]]:
    if not isinstance(value, dict):
        return value, [f"{path} must be an object"]
    errors: list[str] = []
    for written, heard in value.items():
        errors += _list(_string)(f"{path}.{written}", heard)[1]
    return value, errors


_VOCABULARY_ENTRY = _Fields(
    {
        "value": (_string, ...),
        "intensity": (_number(0, 1), None),
        "pronunciations": (_list(_string), None),
        "language": (_one_of(*sorted(LANGUAGES)), None),
    }
)


def _vocabulary_entry(path: str, value: Any) -> tuple[Any, list[str]]:
    if isinstance(value, str):
        words, errors = value, list[str]()
    else:
        _, errors = _VOCABULARY_ENTRY(path, value)
        words = "" if errors else value["value"]
    if len(words.split()) > MAX_ENTRY_WORDS:
        errors.append(f"{path} must have at most {MAX_ENTRY_WORDS} words")
    return value, errors


def _whole_vocabulary(path: str, value: Any) -> tuple[Any, list[str]]:
    value, errors = _list(_vocabulary_entry)(path, value)
    if errors:
        return value, errors
    if len(value) > MAX_VOCABULARY:
        errors.append(f"{path} must contain no more than {MAX_VOCABULARY} elements")
    if sum(len(one if isinstance(one, str) else one["value"]) for one in value) > (
        MAX_VOCABULARY_CHARACTERS
    ):
        errors.append(f"{path} must have at most {MAX_VOCABULARY_CHARACTERS} characters")
    return value, errors


_OFF: tuple[Check, Any] = (_boolean, False)
_ON: tuple[Check, Any] = (_boolean, True)
_LANGUAGE = _Fields({"languages": (_list(_one_of(*sorted(LANGUAGES))), []), "code_switching": _OFF})
_PRE_PROCESSING = _Fields({"audio_enhancer": _OFF, "speech_threshold": (_number(0, 1), 0.6)})
_TRANSLATION = _Fields(
    {
        "target_languages": (_list(_one_of(*sorted(TRANSLATION_LANGUAGES)), at_least=1), ...),
        "model": (_one_of("base", "batch", "enhanced"), "base"),
        "match_original_utterances": _ON,
        "lipsync": _ON,
        "context_adaptation": _ON,
        "context": (_string, None),
        "informal": _OFF,
    }
)
_VOCABULARY = _Fields(
    {"vocabulary": (_whole_vocabulary, ...), "default_intensity": (_number(0, 1), None)}
)
_REALTIME = _Fields(
    {
        "custom_vocabulary": _OFF,
        "custom_vocabulary_config": (_VOCABULARY, None),
        "custom_spelling": _OFF,
        "custom_spelling_config": (_Fields({"spelling_dictionary": (_spelling, ...)}), None),
        "translation": _OFF,
        "translation_config": (_TRANSLATION, None),
        "named_entity_recognition": _OFF,
        "sentiment_analysis": _OFF,
    }
)
_SUMMARY = _Fields({"type": (_one_of("general", "bullet_points", "concise"), "general")})
_POST_PROCESSING = _Fields(
    {"summarization": _OFF, "summarization_config": (_SUMMARY, None), "chapterization": _OFF}
)
_MESSAGES = _Fields(
    {
        "receive_partial_transcripts": _OFF,
        "receive_final_transcripts": _ON,
        "receive_speech_events": _ON,
        "receive_pre_processing_events": _ON,
        "receive_realtime_processing_events": _ON,
        "receive_post_processing_events": _ON,
        "receive_acknowledgments": _ON,
        "receive_errors": _ON,
        "receive_lifecycle_events": _OFF,
    }
)
_CALLBACK = _Fields(
    {
        "url": (_string, None),
        "receive_partial_transcripts": _OFF,
        "receive_final_transcripts": _ON,
        "receive_speech_events": _OFF,
        "receive_pre_processing_events": _ON,
        "receive_realtime_processing_events": _ON,
        "receive_post_processing_events": _ON,
        "receive_acknowledgments": _OFF,
        "receive_errors": _OFF,
        "receive_lifecycle_events": _ON,
    }
)
_INIT: Mapping[str, tuple[Check, Any]] = {
    "encoding": (_one_of("wav/pcm", "wav/alaw", "wav/ulaw"), "wav/pcm"),
    "bit_depth": (_one_of(8, 16, 24, 32), 16),
    "sample_rate": (_one_of(8000, 16000, 32000, 44100, 48000), 16000),
    "channels": (_number(1, 8, whole=True), 1),
    "model": (_one_of("solaria-1"), "solaria-1"),
    "endpointing": (_number(0.01, 10), 0.05),
    "maximum_duration_without_endpointing": (_number(5, 60), 5),
    "language_config": (_LANGUAGE, {}),
    "pre_processing": (_PRE_PROCESSING, {}),
    "realtime_processing": (_REALTIME, {}),
    "post_processing": (_POST_PROCESSING, {}),
    "messages_config": (_MESSAGES, {}),
    "callback": _OFF,
    "callback_config": (_CALLBACK, None),
    "custom_metadata": (_metadata, None),
}
_RECORDED: Mapping[str, tuple[Check, Any]] = {
    "audio_url": (_url, ...),
    "language_config": (_LANGUAGE, {}),
    "custom_vocabulary": _OFF,
    "custom_vocabulary_config": (_VOCABULARY, None),
    "custom_spelling": _OFF,
    "custom_spelling_config": (_Fields({"spelling_dictionary": (_spelling, ...)}), None),
    "translation": _OFF,
    "translation_config": (_TRANSLATION, None),
    "custom_metadata": (_metadata, None),
    "model": (_one_of("solaria-1", "solaria-3", "solaria-fusion"), None),
    "punctuation_enhanced": _OFF,
    "callback": _OFF,
    "callback_url": (_url, None),
    "callback_config": (_any_object, None),
    "subtitles": _OFF,
    "subtitles_config": (_any_object, None),
    "diarization": _OFF,
    "diarization_config": (_any_object, None),
    "summarization": _OFF,
    "summarization_config": (_SUMMARY, None),
    "named_entity_recognition": _OFF,
    "sentiment_analysis": _OFF,
    "audio_to_llm": _OFF,
    "audio_to_llm_config": (_any_object, None),
    "pii_redaction": _OFF,
    "pii_redaction_config": (_any_object, None),
    "sentences": _OFF,
}
