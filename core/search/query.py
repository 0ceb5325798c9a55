"""What somebody looks for: read from what they typed, and put into words that PostgreSQL compares.

    budget “next year” -draft harb*

Words and phrases are all to be there, `-` says which must not, `OR` between two that either is
enough, and `*` that more letters may follow; of what is still being typed, they always may. Nothing
that was typed reaches PostgreSQL's own parser of queries: that is given words which its parser of
text has made of it, each in quotes.

A line has its words by their stems, or as they are, by its language (search_vector in schema.sql).
Each query is made for both, and asks each of those lines in its own way: so `-meetings` means the
same in an English line as `-Besprechungen` in a German one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from core.text import without_controls

MAX_TYPED = 200  # characters
MAX_TERMS = 16
MIN_PREFIX = 2  # letters of a word that may go on: fewer are in every line

_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»″", '"'))
_TERM = re.compile(r'(?P<sign>-?)"(?P<phrase>[^"]*)(?P<closed>"?)|(?P<minus>-?)(?P<word>[^\s"]+)')
_OR = frozenset({"OR", "ИЛИ", "|"})
# What English words end in. A word that is half typed is found by its stem as well, which may be
# shorter than what is there of it: of “meeti”, as the beginning of “meeting”, that is “meet”.
ENDINGS = ("e", "ed", "er", "es", "ing", "ings", "ion", "ation", "ity", "ly", "ment", "ness", "s")
_LEXEME = re.compile(r"[^\s'\\A-Z]+")

Refusal = Literal["nothing", "only_exclusions", "too_common"]


@dataclass(frozen=True, slots=True)
class Term:
    """A word or phrase. `either`: this or the term before it is enough."""

    text: str
    negated: bool = False
    prefix: bool = False  # the last word may go on
    either: bool = False


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed, as terms; `cut`: there were more than are looked for."""

    terms: tuple[Term, ...]
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """What PostgreSQL makes of a term: its words, and those of them that count, by their places.

    `stems` are those of Russian and English, without the most common words, `plain` all as they
    are. `endings` is what the last word may be a beginning of, by stems.
    """

    words: tuple[str, ...]
    stems: tuple[tuple[str, int], ...]
    plain: tuple[tuple[str, int], ...]
    endings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A query of PostgreSQL for each kind of line, as text; None where no such line can fit.

    `loose` finds more than that: what an index finds before phrases and exclusions are looked at.
    """

    stems: str | None
    plain: str | None
    loose: str

    def within(self, spaces: Sequence[str]) -> str:
        """Return what finds lines of these spaces, by the marks that search_vector gives them."""
        return f"({_any([_mark(one) for one in spaces])}) & ({self.everywhere})"

    @property
    def everywhere(self) -> str:
        """What finds lines of all spaces."""
        if self.stems == self.plain and self.stems is not None:
            return self.stems
        kinds = (("STEMS", self.stems), ("PLAIN", self.plain))
        return _any([f"'{mark}' & ({query})" for mark, query in kinds if query is not None])


def read(typed: str) -> Typed:
    """Read what somebody typed. It is cut to MAX_TYPED characters and MAX_TERMS terms."""
    text = unicodedata.normalize("NFC", without_controls(typed, MAX_TYPED)).translate(_QUOTES)
    terms: list[Term] = []
    either = False
    for found in _TERM.finditer(text):
        if found["phrase"] is not None:
            ends = bool(found["closed"]) or found["phrase"].endswith(" ")
            term = Term(found["phrase"], bool(found["sign"]))
        elif found["word"] in _OR and not found["minus"]:
            either = bool(terms)
            continue
        else:
            ends = False
            term = Term(found["word"].rstrip("*"), bool(found["minus"]))
            term = replace(term, prefix=found["word"].endswith("*"))
        if not ends and found.end() == len(text):
            term = replace(term, prefix=term.prefix or not term.negated)
        if any(map(str.isalnum, term.text)):
            terms.append(replace(term, either=either and not term.negated))
            either = False
    return Typed(tuple(terms[:MAX_TERMS]), len(typed) > MAX_TYPED or len(terms) > MAX_TERMS)


def compiled(terms: Sequence[Term], words: Sequence[Words]) -> Query | Refusal:
    """Return the query for these terms, of which PostgreSQL has made these words."""
    if not terms:
        return "nothing"
    if all(one.negated for one in terms):
        return "only_exclusions"
    both = list(zip(terms, words, strict=True))
    stems, plain = (_query(both, stemmed=stemmed) for stemmed in (True, False))
    if stems is None and plain is None:
        return "nothing"
    if stems is None:
        return "too_common"
    loose = [one for one in (_query(both, stemmed=s, loose=True) for s in (True, False)) if one]
    return Query(stems, plain, _any(list(dict.fromkeys(loose))))


def _query(both: Sequence[tuple[Term, Words]], *, stemmed: bool, loose: bool = False) -> str | None:
    """Return the query for lines of one kind; None where nothing is left that must be there."""
    wanted: list[list[str]] = []
    unwanted: list[str] = []
    for term, words in both:
        part = _part(term, words, stemmed=stemmed, loose=loose)
        if part is None:
            continue
        if term.negated:
            unwanted.append(f"!({part})")
        elif term.either and wanted:
            wanted[-1].append(part)
        else:
            wanted.append([part])
    if not wanted:
        return None
    return " & ".join([f"({_any(one)})" for one in wanted] + ([] if loose else unwanted))


def _part(term: Term, words: Words, *, stemmed: bool, loose: bool) -> str | None:
    """Return what finds one term; None where it has only words that nobody looks for."""
    places = [(_quoted(one), at) for one, at in (words.stems if stemmed else words.plain)]
    last = words.words[-1] if words.words else ""
    if term.prefix and len(last) >= MIN_PREFIX:
        ends = [f"{_quoted(last)}:*"]
        shorter = [one for one in words.endings if stemmed and not one.startswith(last)]
        ends += map(_quoted, shorter)
        at = len(words.words)
        places = [one for one in places if one[1] < at] + [(f"({_any(ends)})", at)]
    if not places:
        return None
    if loose:
        return " & ".join(one for one, _ in places)
    found, before = places[0]
    for one, at in places[1:]:
        found, before = f"{found} <{at - before}> {one}", at
    return found


def _any(parts: Sequence[str]) -> str:
    return " | ".join(parts)


def _quoted(lexeme: str) -> str:
    """Return a word as a query has it. Raises ValueError for what can't be one of our words."""
    if not _LEXEME.fullmatch(lexeme):
        raise ValueError("no word that is looked for")
    return f"'{lexeme}'"


def _mark(space: str) -> str:
    return f"'S{space.replace('-', '')[:16].upper()}'"
