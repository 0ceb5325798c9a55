"""Names and lines as people write and read them."""

from __future__ import annotations

import hashlib
import unicodedata

HUES = 12
# Embeddings, overrides and isolates of Unicode's bidirectional algorithm.
_TURNING = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
BLANK_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"  # Hangul fillers and the empty braille cell


def initials(name: str) -> str:
    """Return the first letters of the first and last word that have any.

    Ada King Lovelace → AL, Dora (Firefox) → DF. A name without letters has its first character.
    """
    words = name.split()
    letters = [found for word in words if (found := next(filter(str.isalnum, word), ""))]
    ends = letters[:1] + letters[1:][-1:]
    return ("".join(ends) or name.strip()[:1]).upper()


def hue_of(text: str) -> int:
    """Return the colour number of a person, the same for the same text."""
    return hashlib.sha256(text.lower().encode()).digest()[0] % HUES


def one_line(text: str, limit: int) -> str:
    """Return text as one line of at most `limit` characters without control characters.

    Names and titles are shown to others, so invisible characters that reorder or hide
    text (Unicode category C) are left out, and so are letters that are drawn as nothing.
    """
    visible = "".join(c if c.isprintable() and c not in BLANK_LETTERS else " " for c in text)
    return " ".join(visible.split())[:limit].strip()


def display_name(text: str, shortest: int, longest: int) -> str | None:
    """Return what somebody wants to be called, as `one_line` has it; None when it can't be a name.

    That is when it has fewer or more characters than allowed, or none that is drawn by itself:
    marks alone, such as accents and variation selectors, are seen on another letter or not at all.
    """
    name = one_line(text, longest + 1)
    seen = any(unicodedata.category(c)[0] in "LNPS" for c in name)
    return name if seen and shortest <= len(name) <= longest else None


def several_lines(text: str, limit: int) -> str:
    """Return text of several lines, each as `one_line` has it, without empty ones at the ends."""
    lines = [one_line(line, limit) for line in text.splitlines()]
    return "\n".join(lines).strip()[:limit].strip()


def spoken(text: str) -> str:
    """Return what somebody says was said, as one line.

    Marks that join letters or turn their direction stay, as words need them, but none that turns
    all that follows.
    """
    plain = without_controls(text, len(text)).translate(_TURNING)
    return " ".join(plain.split())


def is_drawn(text: str) -> bool:
    """Whether there is anything in it that is drawn by itself."""
    return any(unicodedata.category(c)[0] in "LNPS" and c not in BLANK_LETTERS for c in text)


def belongs_to_last(character: str) -> bool:
    """Whether this is drawn on what stands before it, so that it can't begin a line."""
    return (
        unicodedata.category(character) in ("Mn", "Me", "Mc")
        or character in "\u200c\u200d"
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # the colour of a hand
    )


def without_controls(text: str, limit: int) -> str:
    """Return text of at most `limit` characters, with spaces for control characters.

    PostgreSQL keeps no NUL. Unlike in `one_line`, marks that join letters stay: words need them.
    """
    text = text[:limit]
    if text.isprintable():
        return text
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)


def matches(text: str, wanted: str) -> list[tuple[int, int]]:
    """Return where `wanted` stands in a text, in whatever case, and Russian ё and ye alike.

    Each is a span of characters; none begins within the one before.
    """
    needle, found = _alike(" ".join(wanted.split())), list[tuple[int, int]]()
    if not needle:
        return found
    alike, end = _alike(text), 0
    while (start := alike.find(needle, end)) >= 0:
        end = start + len(needle)
        found.append((start, end))
    return found


def _alike(text: str) -> str:
    """Return a text of the same length in which letters that are to match are the same."""
    lower = text.lower()
    if len(lower) != len(text):  # İ becomes two characters
        lower = "".join(c if len(c.lower()) > 1 else c.lower() for c in text)
    return lower.replace("\u0451", "\u0435")  # many write no dots on ё
