"""The words people read, in the language of whoever reads them.

English stands in the code and in the templates, as gettext has it; `locale/` has the others, and
`make words` keeps them in step. The core says codes and parameters. What they are in words is
said here at the edge, and in the page's modules by static/js/lib/words.js in the same way.
"""

from __future__ import annotations

import gettext as catalogues
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Final, Literal, TypeGuard, get_args

from core.words import Words

Language = Literal["en", "ru"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
# What they call themselves: who looks for theirs can't read the other.
NAMES: Final[Mapping[Language, str]] = {"en": "English", "ru": "Русский"}
DOMAIN = "sessions"
FOLDER = Path(__file__).parent.parent / "locale"
MAX_ACCEPTED = 20  # languages of a header that are looked at; browsers send a handful

# Each request is a task of its own, and so has its own.
_language: ContextVar[Language] = ContextVar("language", default="en")


def is_language(value: object) -> TypeGuard[Language]:
    """Whether it is the code of a language that pages can be in."""
    return value in LANGUAGES


def language() -> Language:
    """Return the language of whoever is answered at the moment."""
    return _language.get()


def speak(chosen: Language) -> None:
    """Answer in this language from now on, in the request or command that is under way."""
    _language.set(chosen)


@contextmanager
def speaking(chosen: Language) -> Iterator[None]:
    """Speak this language inside, and after it the one from before."""
    before = _language.set(chosen)
    try:
        yield
    finally:
        _language.reset(before)


def of_environment(environ: Mapping[str, str]) -> Language:
    """Return the command line's language: the first of ours in gettext's order of variables."""
    names = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    wanted = next((environ[name] for name in names if environ.get(name)), "")
    codes = (re.split("[_.@]", one.lower())[0] for one in wanted.split(":"))
    return next((code for code in codes if is_language(code)), "en")


def gettext(text: str, **values: object) -> str:
    """Return words in the reader's language, with values for their `%(name)s`."""
    return unfilled(text) % values


def ngettext(one: str, many: str, count: int, **values: object) -> str:
    """Return the words for so many of something; `%(num)s` is the count, as in templates."""
    return unfilled_plural(one, many, count) % {"num": count, **values}


def said(words: str) -> str:
    """Return words of the core in the reader's language, and a text that isn't words as it is."""
    if not isinstance(words, Words) or not words:
        return words
    values = {name: _said(value) for name, value in words.values.items()}
    return gettext(words.text, **values) if values else unfilled(words.text)


def _said(value: object) -> object:
    return said(value) if isinstance(value, Words) else value


@cache
def _catalogue(code: Language) -> catalogues.NullTranslations:
    if code == "en":
        return catalogues.NullTranslations()
    return catalogues.translation(DOMAIN, FOLDER, [code])


def unfilled(text: str) -> str:
    """Return words in the reader's language; Jinja fills in the values itself."""
    return _catalogue(language()).gettext(text)


def unfilled_plural(one: str, many: str, count: int) -> str:
    """Return the words for so many of something likewise."""
    return _catalogue(language()).ngettext(one, many, count)


def accepted(header: str) -> Language:
    """Return the language that Accept-Language (RFC 9110, section 12.5.4) wants most.

    English where it names none of ours, and where it can't be read.
    """
    best: tuple[float, Language] = (0.0, "en")
    for item in header.split(",")[:MAX_ACCEPTED]:
        tag, _, parameter = item.strip().partition(";")
        code = tag.strip().lower().partition("-")[0]
        weight = _weight(parameter)
        if is_language(code) and weight > best[0]:
            best = weight, code
    return best[1]


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        weight = float(value) if name.strip().lower() == "q" else 0.0
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
