"""What is said of the languages and words of sessions: by an installation, a space and a session.

Pure values and decisions, without words for people. What a session doesn't say holds as its space
has it, and what that doesn't say as the installation has it; vocabulary and spellings of all three
count together. What comes of it is asked of the speech engine: core.speech.engine.StreamOptions.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from core.text import one_line

# What people may be said to speak, or read: all that an engine of ours knows (Gladia's SDK, 2.2.1).
_CODES = (
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw "
    "he hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my "
    "ne nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt "
    "uk ur uz vi wo yi yo zh"
)
CODES = frozenset(_CODES.split())
# Of several languages an engine finds out which one is spoken: with more it errs more.
MAX_LANGUAGES = 5
MAX_TARGETS = 3  # each is a message, and a text to keep, for every sentence
# Gladia's bounds of a vocabulary; it names none for spellings: ours are the same.
MAX_ENTRIES = 100
MAX_CHARACTERS = 10_000  # of all entries together
MAX_WORDS = 5  # of one entry
MAX_NAMES = 30  # of participants, that are added by themselves: more are rarely spoken of
MAX_TYPED = 20_000  # characters of a field that are looked at

_ENTRIES = re.compile(r"[\n,;]")


class Mistake(Enum):
    """What is wrong with what somebody typed."""

    UNKNOWN = "unknown"  # a code that the engine doesn't know
    TOO_MANY = "too_many"
    TOO_LONG = "too_long"  # all entries together
    TOO_MANY_WORDS = "too_many_words"  # in one entry
    NO_RULE = "no_rule"  # a spelling without what it replaces


class MistakeError(ValueError):
    """Something that was typed can't be taken; `about` is the part of it, "" for all."""

    def __init__(self, mistake: Mistake, about: str = "") -> None:
        super().__init__(mistake.value)
        self.mistake = mistake
        self.about = about


@dataclass(frozen=True, slots=True)
class Spoken:
    """Languages and words, as far as something is said of them.

    `languages`: ISO 639-1 codes of what may be spoken: one is certain, of several each stretch of
    speech is found to be one, () is any; None: nothing is said. `code_switching`, whether a speaker
    may go from one to another within a stretch, counts with `languages` only. `targets`: into which
    languages it is translated, None as for `languages`. `vocabulary`: names and terms as they are
    written. `spelling`: right spellings, each with the wrong ones that it replaces.
    """

    languages: tuple[str, ...] | None = None
    code_switching: bool = False
    vocabulary: tuple[str, ...] = ()
    spelling: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    targets: tuple[str, ...] | None = None

    @property
    def state(self) -> str:
        """A digest of all of it: what a form has shown, to whom somebody else may have changed."""
        spelling = sorted(self.spelling.items())
        said = (self.languages, self.code_switching, self.vocabulary, spelling, self.targets)
        return hashlib.sha256(repr(said).encode()).hexdigest()[:32]


UNSAID = Spoken()


def together(*levels: Spoken) -> Spoken:
    """Return what holds of what several say: of two that say something, the first counts."""
    voiced = next((one for one in levels if one.languages is not None), Spoken(languages=()))
    spelling = {written: heard for one in reversed(levels) for written, heard in _rules(one)}
    return Spoken(
        voiced.languages,
        voiced.code_switching,
        tuple(dict.fromkeys(entry for one in levels for entry in one.vocabulary)),
        spelling,
        next((one.targets for one in levels if one.targets is not None), ()),
    )


def _rules(one: Spoken) -> Iterable[tuple[str, tuple[str, ...]]]:
    return one.spelling.items()


def codes_of(typed: Iterable[str], known: Collection[str], most: int) -> tuple[str, ...]:
    """Return the codes among these, each once. Raises MistakeError."""
    codes = list(dict.fromkeys(code for one in typed if (code := one.strip().lower()[:12])))
    for code in codes:
        if code not in known:
            raise MistakeError(Mistake.UNKNOWN, one_line(code, 12))
    if len(codes) > most:
        raise MistakeError(Mistake.TOO_MANY)
    return tuple(codes)


def vocabulary_of(typed: str) -> tuple[str, ...]:
    """Return what stands on the lines of a field, or between its commas. Raises MistakeError."""
    tidied = (one_line(one, len(one)) for one in _ENTRIES.split(_bounded(typed)))
    entries = tuple(dict.fromkeys(entry for entry in tidied if entry))
    _check(entries)
    if len(entries) > MAX_ENTRIES:
        raise MistakeError(Mistake.TOO_MANY)
    return entries


def spelling_of(typed: str) -> dict[str, tuple[str, ...]]:
    """Return rules, one a line, such as `Gorgias = gorgeous, gorgious`. Raises MistakeError."""
    rules: dict[str, tuple[str, ...]] = {}
    for line in _bounded(typed).splitlines():
        written, _, rest = line.partition("=")
        right = one_line(written, len(written))
        wrong = tuple(one for one in (one_line(part, len(part)) for part in rest.split(",")) if one)
        if not right and not wrong:
            continue
        if not right or not wrong:
            raise MistakeError(Mistake.NO_RULE, one_line(line, 60))
        rules[right] = tuple(dict.fromkeys((*rules.get(right, ()), *wrong)))
    if len(rules) > MAX_ENTRIES:
        raise MistakeError(Mistake.TOO_MANY)
    _check([*rules, *(one for wrong in rules.values() for one in wrong)])
    return rules


def _bounded(typed: str) -> str:
    if len(typed) > MAX_TYPED:
        raise MistakeError(Mistake.TOO_LONG)
    return typed


def _check(entries: Collection[str]) -> None:
    for entry in entries:
        if len(entry.split()) > MAX_WORDS:
            raise MistakeError(Mistake.TOO_MANY_WORDS, one_line(entry, 60))
    if sum(map(len, entries)) > MAX_CHARACTERS:
        raise MistakeError(Mistake.TOO_LONG)


def names_among(people: Iterable[str]) -> tuple[str, ...]:
    """Return names of participants that may be spoken, without addresses, each once; bounded."""
    fit = (one for one in people if "@" not in one and len(one.split()) <= MAX_WORDS)
    return tuple(dict.fromkeys(fit))[:MAX_NAMES]
