"""Cuts what was said into subtitles that can be read: two short lines for some seconds.

A cut comes where a sentence ends rather than a clause, a clause rather than a word, and within a
word only where that is longer than a line, never within a grapheme. Nobody tells when a word was
said, so the time of an utterance is divided by length.
"""

# ruff: noqa: RUF001 - marks of many scripts, of which some look alike

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from core.graphemes import graphemes

COLUMNS = 42  # of a line; what broadcasters have for letters
LINES = 2
LONGEST, SHORTEST = 7.0, 1.0  # seconds
WIDE = 2.5  # columns of a character of Chinese, Japanese or Korean: 16 to a line

# How good a place to cut comes after a piece.
_SENTENCE, _CLAUSE, _WORD, _BETWEEN, _WITHIN = 4, 3, 2, 1, 0
_ENDS = {_SENTENCE: ".!?…。！？؟۔।", _CLAUSE: ",;:—–،؛、，；："}
_CLOSING = "\"'’”»)]}」』）】》〉"
_NOT_FIRST = (
    f"{_CLOSING}{_ENDS[_SENTENCE]}{_ENDS[_CLAUSE]}ーぁぃぅぇぉっゃゅょァィゥェォッャュョ々%"
)
_NOT_LAST = "([{“«「『（【《〈"


@dataclass(frozen=True, slots=True)
class Cue:
    """A subtitle. Times are seconds of the session."""

    start: float
    end: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """What no cut goes through; `space`: whether one comes before it, in a line."""

    text: str
    width: float
    space: bool
    quality: int  # of a cut after it


def cut(text: str, start: float, end: float, lead: float = 0.0) -> Iterator[Cue]:
    """Yield the cues of an utterance whose text is one line, in turn.

    `lead` is how many columns the first line of each must leave, for a name.
    """
    pieces = list(_pieces(text, COLUMNS - lead))
    total = sum(one.width + one.space for one in pieces)
    if not pieces:
        return
    length = max(0.0, end - start)
    # Who speaks slowly has less in a cue.
    most = min(LINES * float(COLUMNS), LONGEST * total / length) if length else float("inf")
    at, done = 0, 0.0
    while at < len(pieces):
        until = _until(pieces, at, most, lead)
        width = sum(one.width + one.space for one in pieces[at:until])
        begun, done = start + length * done / total, done + width
        over = start + length * done / total
        yield Cue(begun, min(over, begun + LONGEST), _in_lines(pieces[at:until], lead))
        at = until


def _until(pieces: list[_Piece], at: int, most: float, lead: float) -> int:
    """Return behind which piece the cue that begins with this one ends."""
    furthest = _room(pieces, at, most, lead)
    if furthest == len(pieces):
        return furthest
    # What is left after it fits into one more: neither of them shall be a word alone.
    last = _room(pieces, furthest, most, lead) == len(pieces)
    best, worth = furthest, float("-inf")
    whole = _width(pieces[at:] if last else pieces[at:furthest])
    so_far, fits = 0.0, not last
    for cut in range(at + 1, furthest + 1):
        so_far += pieces[cut - 1].width + pieces[cut - 1].space
        # Once the rest fits, less of it does, too.
        fits = fits or _room(pieces, cut, most, lead) == len(pieces)
        if not fits:
            continue
        share = so_far / whole
        # Of a pair, halves are best; of more, a full one.
        fill = -2 * abs(share - 0.5) if last else share
        value = pieces[cut - 1].quality + 4 * fill
        if value >= worth:
            best, worth = cut, value
    return best


def _room(pieces: list[_Piece], at: int, most: float, lead: float) -> int:
    """Return behind which piece a cue is full that begins with this one; one fits always."""
    line, line_no, width = lead, 1, 0.0
    for number in range(at, len(pieces)):
        one = pieces[number]
        first = number == at
        step = one.width + (one.space and not first)
        if not first and width + step > most:
            return number
        if line + step > COLUMNS and not (first and line == lead):
            line_no, line = line_no + 1, 0.0
            step = one.width
            if line_no > LINES:
                return number
        line += step
        width += step
    return len(pieces)


def _in_lines(pieces: list[_Piece], lead: float) -> tuple[str, ...]:
    """Return a cue's text in one line, or in two that are about as long and end where it's good."""
    whole = _width(pieces)
    if whole + lead <= COLUMNS:
        return (_joined(pieces),)
    best, worth, so_far = len(pieces), float("-inf"), pieces[0].width
    for cut in range(1, len(pieces)):
        if cut > 1:
            so_far += pieces[cut - 1].width + pieces[cut - 1].space
        above, below = so_far + lead, whole - so_far - pieces[cut].space
        if above > COLUMNS or below > COLUMNS:
            continue
        value = 3 * pieces[cut - 1].quality - abs(above - below)
        if value > worth:
            best, worth = cut, value
    return tuple(_joined(some) for some in (pieces[:best], pieces[best:]) if some)


def _joined(pieces: list[_Piece]) -> str:
    return "".join(" " * one.space + one.text for one in pieces).strip()


def _width(pieces: list[_Piece]) -> float:
    whole = sum(one.width + one.space for one in pieces)
    return whole - (pieces[0].space if pieces else 0)


def _pieces(text: str, longest: float) -> Iterator[_Piece]:
    for number, word in enumerate(text.split()):
        space = number > 0
        if word.isascii() and len(word) <= longest:
            yield _Piece(word, len(word), space, _quality(word))
            continue
        parts = list(_parts(word, longest))
        for part, quality in parts[:-1]:
            yield _Piece(part, max(1.0, columns(part)), space, quality)
            space = False
        part, _ = parts[-1]
        yield _Piece(part, max(1.0, columns(part)), space, _quality(part))


def _parts(word: str, longest: float) -> Iterator[tuple[str, int]]:
    """Divide a word where Chinese and Japanese may be, and any where a line would be too short."""
    part, width = "", 0.0
    for one in graphemes(word):
        wide = columns(one)
        quality = _between(part, one) if part else None
        if part and (quality is not None or width + wide > longest):
            yield part, _WITHIN if quality is None else quality
            part, width = "", 0.0
        part += one
        width += wide
    yield part, _WITHIN


def _between(part: str, after: str) -> int | None:
    """Return how good a cut is between two graphemes; None: there may be none."""
    if after[0] in _NOT_FIRST or part[-1] in _NOT_LAST:
        return None
    if not (_is_wide(part[-1]) or _is_wide(after[0])):
        return None
    return max(_BETWEEN, _quality(part)) if part[-1] in _NOT_FIRST else _BETWEEN


def _quality(word: str) -> int:
    ending = word.rstrip(_CLOSING)[-1:]
    if ending:
        for quality, marks in _ENDS.items():
            if ending in marks:
                return quality
    return _WORD


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF" and unicodedata.category(letter) != "So"


def columns(text: str) -> float:
    """Return how wide text is, where a letter is 1: marks are nothing, Chinese more."""
    if text.isascii():
        return len(text)
    width = 0.0
    for letter in text:
        if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
            continue
        width += WIDE if unicodedata.east_asian_width(letter) in "WF" else 1
    return width
