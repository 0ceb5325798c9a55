"""Bar charts as SVG, made here: no script, any size, any colour scheme, and they print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 1000.0  # units of the drawing, which is stretched to its place; words stand outside of it
HEIGHT = 100.0
GAP = 0.25  # of a bar's place that is left free


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a drawing, and what is said of it to who points at it."""

    x: float
    y: float
    width: float
    height: float
    said: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with its title and what it shows in a sentence, and words for its edges."""

    title: str
    description: str
    bars: tuple[Bar, ...]
    top: str  # how much the upper edge is
    begin: str  # what the first bar is
    end: str  # and the last


def chart(
    values: Sequence[tuple[float, str]],
    title: str,
    description: str,
    top: str,
    edges: Sequence[str],
) -> Chart:
    """Draw values, each with what is said of it; the highest reaches to the top."""
    most = max((value for value, _ in values), default=0.0) or 1.0
    place = WIDTH / max(1, len(values))
    bars = tuple(
        Bar(
            x=round(place * (at + GAP / 2), 2),
            y=round(HEIGHT * (1 - value / most), 2),
            width=round(place * (1 - GAP), 2),
            height=round(HEIGHT * value / most, 2),
            said=said,
        )
        for at, (value, said) in enumerate(values)
    )
    return Chart(title, description, bars, top, edges[0], edges[-1])
