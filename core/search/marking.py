"""Marks what was found in a text, and cuts out of a long one where that is.

PostgreSQL's ts_headline does the same by its own parser, which takes “ for a letter in some locales
and writes HTML into what people said. Here words are cut as search_words in schema.sql cuts them;
what they are compared by comes from there as well, for the few that begin like one that is looked
for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.search.query import MIN_PREFIX, Term, Words

SNIPPET = 240  # characters
LEAD = 60  # of them before what is marked first
# What stands between words, and letters of scripts that write no spaces: as in schema.sql.
BETWEEN = (
    r"\u0001-/:-@\[-`{-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u037e\u0387"
    r"\u055a-\u055f\u0589\u058a\u05be\u05c0\u05c3\u05c6\u05f3\u05f4\u0600-\u060f\u061b-\u061f"
    r"\u066a-\u066d\u06d4\u0700-\u070d\u0964\u0965\u0970\u0e3f\u1360-\u1368\u17d4-\u17db"
    r"\u1800-\u180e\u2000-\u2bff\u2e00-\u3004\u3008-\u3020\u3030\u303d-\u303f\u30a0\u30fb"
    r"\ufe10-\ufe1f\ufe30-\ufe6f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
    r"\uffe0-\uffff\U0001f000-\U0001faff"
)
ALONE = r"\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(f"[{ALONE}]|[^{ALONE}{BETWEEN}]+")

Span = tuple[int, int]  # of characters, from the first to before the last


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a snippet."""

    text: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What PostgreSQL makes of a word: in small letters, by its stem and as it is."""

    word: str
    stems: frozenset[str]
    plain: frozenset[str]


class Marker:
    """Finds in texts what was looked for: first `unknown`, then `pieces`."""

    def __init__(self, terms: Sequence[Term], words: Sequence[Words]) -> None:
        self._wanted = [one for one in zip(terms, words, strict=True) if not one[0].negated]
        found = [w for _, one in self._wanted for w in (*one.words, *(s for s, _ in one.stems))]
        self._begin = frozenset(word[:1] for word in found)

    def unknown(self, texts: Iterable[str]) -> list[str]:
        """Return the words of these texts that PostgreSQL must be asked about."""
        found = {text[begin:end] for text in texts for begin, end in _words(text)}
        return sorted(one for one in found if _folded(one)[:1] in self._begin)

    def pieces(self, text: str, known: Mapping[str, Known], *, stemmed: bool) -> list[Piece]:
        """Return a text, or some of a long one, as pieces of which some are marked."""
        words = list(_words(text))
        marks: set[int] = set()
        at = [known.get(text[begin:end]) for begin, end in words]
        for term, one in self._wanted:
            for first, last in _places(term, one, at, stemmed=stemmed):
                marks.update(range(first, last + 1))
        spans = [words[one] for one in sorted(marks)]
        begin, end = _cut(text, spans[0][0] if spans else 0)
        return list(_pieces(text, spans, begin, end))


def _words(text: str) -> Iterator[Span]:
    return (found.span() for found in _WORD.finditer(text))


def _folded(word: str) -> str:
    return unicodedata.normalize("NFKC", word).lower().replace("ё", "е")  # noqa: RUF001


def _places(
    term: Term, words: Words, at: Sequence[Known | None], *, stemmed: bool
) -> Iterator[Span]:
    """Yield the first and the last word of each place where a term is."""
    wanted = [(one, place) for one, place in (words.stems if stemmed else words.plain)]
    last = words.words[-1] if words.words else ""
    begun = term.prefix and len(last) >= MIN_PREFIX
    if begun:
        wanted = [one for one in wanted if one[1] < len(words.words)]
        wanted.append(("", len(words.words)))  # where any may be that begins so
    if not wanted:
        return
    endings = frozenset(words.endings if stemmed else ())

    def fits(place: int, lexeme: str) -> bool:
        word = at[place] if place < len(at) else None
        if word is None:
            return False
        found = word.stems if stemmed else word.plain
        if lexeme:
            return lexeme in found
        return word.word.startswith(last) or not found.isdisjoint(endings)

    first = wanted[0][1]
    for start in range(len(at)):
        if all(fits(start + place - first, lexeme) for lexeme, place in wanted):
            yield start, start + wanted[-1][1] - first


def _cut(text: str, first: int) -> Span:
    """Return where a snippet begins and ends: at spaces, as far as there are some."""
    if len(text) <= SNIPPET:
        return 0, len(text)
    begin = max(0, min(first - LEAD, len(text) - SNIPPET))
    if begin:
        space = text.find(" ", begin, first)
        begin = space + 1 if space >= 0 else begin
    end = min(len(text), begin + SNIPPET)
    if end < len(text):
        space = text.rfind(" ", max(first, begin + SNIPPET // 2), end)
        end = space if space >= 0 else end
    return begin, end


def _pieces(text: str, spans: Sequence[Span], begin: int, end: int) -> Iterator[Piece]:
    at = begin
    if begin:
        yield Piece("… ", marked=False)
    for first, last in spans:
        if first < at or last > end:
            continue
        if first > at:
            yield Piece(text[at:first], marked=False)
        yield Piece(text[first:last], marked=True)
        at = last
    if at < end:
        yield Piece(text[at:end], marked=False)
    if end < len(text):
        yield Piece(" …", marked=False)
