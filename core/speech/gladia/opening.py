"""What is asked of Gladia, `POST /v2/live` and `/v2/pre-recorded`, and what answers mean. No I/O.

Shapes follow Gladia's OpenAPI document. Whatever a session asks for, a stream must open: what
Gladia would refuse is left out before, and a refusal says what somebody can do about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec

from core.speech.engine import BYTES_PER_SAMPLE, SAMPLE_RATE, StreamOptions
from core.speech.gladia.protocol import UNDECODABLE
from core.speech.reasons import Reason
from core.spoken import CODES, MAX_CHARACTERS, MAX_ENTRIES, MAX_TARGETS, MAX_WORDS

LANGUAGES = CODES - {"wo"}  # what Gladia transcribes
TARGETS = CODES  # what it translates into
# How readily sounds are taken for an entry. Gladia's own 0.5 is often too much, by its documents.
INTENSITY = 0.4
LABEL = "sessions_part"  # the name of a recording's part among its job's `custom_metadata`
_T = TypeVar("_T")


def accepted(options: StreamOptions) -> tuple[StreamOptions, int]:
    """Return what Gladia takes of a session's settings, and how many of them are left out.

    Whatever a session asks for, a stream must open: Gladia refuses all of a body of which it
    dislikes a word.
    """
    # What comes twice after tidying counts once: nobody misses the second.
    asked = list(dict.fromkeys(_language(code) for code in options.languages))
    languages = [code for code in asked if code in LANGUAGES]
    words = [word for word in dict.fromkeys(map(_single_spaced, options.vocabulary)) if word]
    vocabulary = _fitting([(word, len(word)) for word in words if len(word.split()) <= MAX_WORDS])
    # Rules for one word, written with different spaces, are one: a JSON object can't have both.
    rules: dict[str, tuple[str, ...]] = {}
    for written, heard in options.spelling.items():
        name = _single_spaced(written)
        if replaced := _heard((*rules.get(name, ()), *heard)):
            rules[name] = replaced
    rules.pop("", None)
    sized = [(rule, len(rule[0]) + sum(map(len, rule[1]))) for rule in rules.items()]
    spelling = dict(_fitting(sized))
    left_out = len(asked) + len(words) + len(rules)
    left_out -= len(languages) + len(vocabulary) + len(spelling)
    targets = [code for code in dict.fromkeys(map(_language, options.targets)) if code in TARGETS]
    taken = replace(
        options,
        languages=tuple(languages),
        code_switching=options.code_switching and len(languages) > 1,
        vocabulary=tuple(vocabulary),
        spelling=spelling,
        targets=tuple(targets[:MAX_TARGETS]),
    )
    return taken, left_out


def _language(code: str) -> str:
    """Return the language of a tag such as `pt-BR`: Gladia knows no countries."""
    return re.split("[-_]", code.strip(), maxsplit=1)[0].lower()


def _single_spaced(text: str) -> str:
    return " ".join(text.split())


def _heard(spellings: Iterable[str]) -> tuple[str, ...]:
    return tuple(one for one in dict.fromkeys(map(_single_spaced, spellings)) if one)


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
        # Seconds of silence that end an utterance: shorter cuts sentences at a breath, longer keeps
        # people waiting for the final. Who doesn't pause gets one after 15.
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
            "receive_realtime_processing_events": bool(options.targets),
            "receive_post_processing_events": False,
            "receive_acknowledgments": True,
            "receive_errors": True,
            "receive_lifecycle_events": True,
        },
    }
    if extras := _extras(options):
        body["realtime_processing"] = extras
    return body


def job_body(options: StreamOptions, audio_url: str, label: str) -> dict[str, Any]:
    """Return the body of `POST /v2/pre-recorded` for a file with one person's speech.

    No model is named: the service's own is what it has best for the languages. `label` is what the
    job can be found by.
    """
    options, _ = accepted(options)
    languages = {
        "languages": list(options.languages),
        "code_switching": options.code_switching,
    }
    named = {"audio_url": audio_url, "custom_metadata": {LABEL: label}}
    return named | {"language_config": languages} | _extras(options)


def _extras(options: StreamOptions) -> dict[str, Any]:
    """Return words and translations, as both APIs take them."""
    extras: dict[str, Any] = {}
    if options.vocabulary:
        extras["custom_vocabulary"] = True
        extras["custom_vocabulary_config"] = {
            "vocabulary": list(options.vocabulary),
            "default_intensity": INTENSITY,
        }
    if options.spelling:
        extras["custom_spelling"] = True
        dictionary = {written: list(heard) for written, heard in options.spelling.items()}
        extras["custom_spelling_config"] = {"spelling_dictionary": dictionary}
    if options.targets:
        extras["translation"] = True
        extras["translation_config"] = {
            "target_languages": list(options.targets),
            "match_original_utterances": True,  # so that each belongs to a line
        }
    return extras


class InitReply(msgspec.Struct, frozen=True):
    """The 201 of `POST /v2/live`. The URL carries the token: it is never shown."""

    url: str

    def __repr__(self) -> str:
        return "InitReply(url=<secret>)"


def parse_init_reply(content: bytes) -> InitReply | None:
    """Return the reply, or None when it is not one."""
    try:
        reply = msgspec.json.decode(content, type=InitReply)
    except UNDECODABLE:
        return None
    return reply if reply.url.startswith(("ws://", "wss://")) else None


class _HttpError(msgspec.Struct):
    message: str | list[str] | None = None
    validation_errors: list[Any] | None = None


def error_hints(content: bytes) -> str:
    """Return what an HTTP error body says is wrong, on one short line; "" when nothing."""
    try:
        error = msgspec.json.decode(content, type=_HttpError)
    except UNDECODABLE:
        return ""
    said: list[Any] = error.validation_errors or []
    if not said and error.message:
        said = error.message if isinstance(error.message, list) else [error.message]
    return " ".join("; ".join(str(hint) for hint in said).split())[:300]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why `POST /v2/live` was refused, and what may help."""

    reason: Reason
    retry: bool
    busy: bool = False  # no slot: the plan's number of concurrent streams is reached


# Gladia's plans are prepaid since July 2026. What it answers without credit isn't documented: 402
# says so by itself, and the others that may mean it are told by their words.
EMPTY_WALLET = Reason("credit_used_up")
_FOR_GOOD = {
    401: Reason("key_refused"),
    403: Reason("plan_forbids"),
}
_ABOUT_MONEY = re.compile(r"\b(wallet|credits?|balance|billing|payment|top.?up)\b", re.IGNORECASE)


def judge_status(status: int, content: bytes) -> Refusal:
    """Judge an HTTP status other than 2xx that answered `POST /v2/live`."""
    if status == 402 or (status in (403, 429) and _ABOUT_MONEY.search(error_hints(content))):
        return Refusal(EMPTY_WALLET, retry=False)
    if status in _FOR_GOOD:
        return Refusal(_FOR_GOOD[status], retry=False)
    if status == 429:
        return Refusal(Reason("plan_full"), True, busy=True)
    if status in (400, 422):
        return Refusal(Reason("settings_refused", error_hints(content)), retry=False)
    if status >= 500 or status in (408, 413, 425):
        return Refusal(Reason("service_trouble", str(status)), retry=True)
    return Refusal(Reason("not_the_service", str(status)), retry=False)
