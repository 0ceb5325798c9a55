"""Marks words that are translated at the edge, where they are shown: see web/words.py."""


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for it
    """Return English words as they are; `make words` finds them by this name."""
    return text
