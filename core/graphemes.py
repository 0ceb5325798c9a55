"""Graphemes: what a reader takes for one character, of however many code points it is made.

After the rules of Unicode's UAX 29, as far as `unicodedata` tells what they ask: marks, joiners,
emoji with their modifiers, flags, Hangul syllables, and Indic consonants that a virama joins. It
never divides more than they do, but for letters that stand before what they belong to (Prepend).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

_JOINER = "\u200d"
_REGIONAL = range(0x1F1E6, 0x1F200)
_SKIN = range(0x1F3FB, 0x1F400)
_TAGS = range(0xE0020, 0xE0080)
_LEADING, _VOWELS, _TRAILING = range(0x1100, 0x1160), range(0x1160, 0x11A8), range(0x11A8, 0x1200)
_SYLLABLES = range(0xAC00, 0xD7A4)
_VIRAMA = 9  # the combining class


def graphemes(text: str) -> Iterator[str]:
    """Yield the graphemes of a text in turn."""
    if text.isascii():
        yield from text
        return
    start, flags = 0, 0
    for at in range(1, len(text)):
        before, after = text[at - 1], text[at]
        flags = flags + 1 if ord(before) in _REGIONAL else 0
        if _belongs(before, after, flags):
            continue
        yield text[start:at]
        start = at
    if text:
        yield text[start:]


def _belongs(before: str, after: str, flags: int) -> bool:
    """Whether one code point belongs to the one before, after so many halves of flags."""
    code = ord(after)
    if code < 0x300 and before != _JOINER:
        return False
    if _extends(after) or before == _JOINER:
        return True
    if code in _REGIONAL:
        return flags % 2 == 1
    if unicodedata.combining(before) == _VIRAMA:
        return unicodedata.category(after) == "Lo"
    return _is_syllable(ord(before), code)


def _extends(letter: str) -> bool:
    code = ord(letter)
    if code in _SKIN or code in _TAGS or letter == _JOINER:
        return True
    return unicodedata.category(letter) in ("Mn", "Mc", "Me")


def _is_syllable(before: int, code: int) -> bool:
    if code in _VOWELS:
        closed = before in _SYLLABLES and (before - 0xAC00) % 28 != 0
        return before in _LEADING or before in _VOWELS or (before in _SYLLABLES and not closed)
    if code in _TRAILING:
        return before in _VOWELS or before in _TRAILING or before in _SYLLABLES
    return before in _LEADING and (code in _LEADING or code in _SYLLABLES)
