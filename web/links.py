"""Web addresses in what people wrote: found here for pages, in static/js/lib/text.js for the room.

The two find the same; tests/room/links.json holds what both must agree on.
"""

from __future__ import annotations

import re

from markupsafe import Markup

# Only these two schemes: any other (javascript:, data:, file:) stays text. A letter or digit before
# it makes it a part of a word, and a host begins with a letter, a digit or, for IPv6, a bracket.
_ADDRESS = re.compile(r'(?<![A-Za-z0-9])https?://[^\s<>"./?#:@][^\s<>"]*', re.IGNORECASE)
MAX_ADDRESS = 1000  # characters; a longer one stays text. A chat line has at most 2,000
_SENTENCE = ".,;:!?'`*…’”»"  # what ends a sentence or a quotation, not an address
_BRACKETS = {")": "(", "]": "[", "}": "{"}


def pieces(text: str) -> list[tuple[str, bool]]:
    """Return a text in pieces, in order, and whether each is an address: together, the text."""
    found: list[tuple[str, bool]] = []
    done = 0
    for match in _ADDRESS.finditer(text):
        address = _trimmed(match[0])
        if len(address) > MAX_ADDRESS:
            continue
        if match.start() > done:
            found.append((text[done : match.start()], False))
        found.append((address, True))
        done = match.start() + len(address)
    if done < len(text):
        found.append((text[done:], False))
    return found


def _trimmed(address: str) -> str:
    """Return an address without what belongs to the sentence around it: (see https://a.example).

    A bracket that was opened in the address stays: https://a.example/Foo_(bar).
    """
    # Counted once and then kept up: a line of nothing but brackets must not take a square of time.
    extra = {close: address.count(close) - address.count(_BRACKETS[close]) for close in _BRACKETS}
    end = len(address)
    while True:
        last = address[end - 1]
        if last in _BRACKETS and extra[last] > 0:
            extra[last] -= 1
        elif last not in _SENTENCE:
            return address[:end]
        end -= 1


def linked(text: str) -> Markup:
    """Return text as HTML in which addresses are links that tell nothing of the page they are on.

    The link's words are the address itself, from left to right whatever letters stand in it, so
    that none can claim to be another. The browser shows where an international name really leads.
    """
    link = Markup(
        '<a href="{0}" target="_blank" rel="noopener noreferrer nofollow" dir="ltr">{0}</a>'
    )
    return Markup("").join(
        link.format(piece) if is_address else piece for piece, is_address in pieces(text)
    )
