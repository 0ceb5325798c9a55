"""Lengths of time in words."""

from __future__ import annotations


def how_long(seconds: float) -> str:
    """Return seconds as people say them: "21 s", "2 min", "2 min 5 s"; at least a second."""
    minutes, rest = divmod(max(1, round(seconds)), 60)
    return " ".join([f"{minutes} min"] * bool(minutes) + [f"{rest} s"] * bool(rest))
