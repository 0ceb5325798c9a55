"""Words that are translated at the edge, where they are shown: see web/words.py.

A message's code is its English, as gettext has it, and its parameters go with it.
"""

from __future__ import annotations


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for it
    """Return English words as they are; `make words` finds them by this name."""
    return text


class Words(str):
    """English words that know what they were made of, so that others can be made of it."""

    __slots__ = ("text", "values")

    text: str
    values: dict[str, object]

    def __new__(cls, text: str, **values: object) -> Words:
        """Fill in the values for their `%(name)s`."""
        made = super().__new__(cls, text % values if values else text)
        made.text, made.values = text, values
        return made
