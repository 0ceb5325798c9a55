"""Who spoke how long and when, as a page draws it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from core.model import Participant
from core.store.lines import Talked
from core.text import initials
from routes.turns import name_of

PARTS = 60  # of a session, side by side; a bar each where somebody spoke
STEP, WIDTH, HEIGHT = 10, 8, 24  # of a bar in the drawing, and of all of it
LOWEST = 3  # of a bar: a word in an hour is seen


def of(talked: Sequence[Talked], people: Iterable[Participant]) -> list[dict[str, Any]]:
    """Return who spoke, in the order they began, and then who was there and said nothing.

    `share` is the part of all talk in per cent, `path` the bars of an SVG that is `PARTS * STEP`
    wide and `HEIGHT` high; who said nothing has none.
    """
    together = sum(one.seconds for one in talked) or 1.0
    most = max((part for one in talked for part in one.when), default=0.0) or 1.0
    spoke = [
        {
            "id": one.speaker.id,
            "name": name_of(one.speaker),
            "hue": one.speaker.hue,
            "initials": one.speaker.initials,
            "seconds": one.seconds,
            "share": round(100 * one.seconds / together),
            "path": _bars(one.when, most),
        }
        for one in talked
    ]
    known = {one.speaker.id for one in talked}
    silent = [
        {"id": None, "name": one.name, "hue": one.hue, "initials": initials(one.name), "path": ""}
        for one in people
        if one.identity not in known
    ]
    return [*spoke, *silent]


def _bars(when: Sequence[float], most: float) -> str:
    """Return a path of bars that stand at the bottom, each as high as its part of the most."""
    bars = []
    for number, seconds in enumerate(when):
        if seconds > 0:
            height = max(LOWEST, round(HEIGHT * seconds / most))
            bars.append(f"M{number * STEP} {HEIGHT}v-{height}h{WIDTH}v{height}z")
    return "".join(bars)
