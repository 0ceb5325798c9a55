"""Lines of a transcript as a page shows them: in turns, with what is found in them marked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, pairwise
from typing import Any

from markupsafe import Markup, escape

from core.lines import Line, Speaker
from core.store.recordings import Heard
from core.text import matches
from web.links import linked
from web.render import not_transcribed, paused
from web.words import gettext

Shown = dict[str, Any]


def name_of(speaker: Speaker) -> str:
    """Return a speaker's name, or what several people in one room are called."""
    return speaker.name or gettext("Several people")


def turns(
    lines: Iterable[Line], found: str = "", sound: Mapping[int, Heard] | None = None
) -> list[Shown]:
    """Group lines, which are in order, into turns of one person; pauses stand between them.

    `found` is marked in what was said and written. `sound`: where utterances can be heard.
    """
    groups = groupby(lines, key=lambda one: (one.kind == "chat", _whose(one)))
    return [_turn(list(group), found, sound or {}) for _, group in groups]


def _heard(one: Line, sound: Mapping[int, Heard]) -> str:
    """Return a line's recording, and from where to where in it the line is; "" for none."""
    where = sound.get(one.key.number) if one.kind == "speech" else None
    span = where.span(one.start, one.end or one.start) if where else None
    return f"{where.recording} {span[0]:.2f} {span[1]:.2f}" if where and span else ""


def _whose(one: Line) -> str:
    return one.speaker.id if one.speaker is not None else one.id


def _turn(lines: list[Line], found: str, sound: Mapping[int, Heard]) -> Shown:
    first = lines[0]
    who: Shown = {}
    if (speaker := first.speaker) is not None:
        who = {
            "speaker": speaker.id,
            "name": name_of(speaker),
            "hue": speaker.hue,
            "is_guest": speaker.role == "GUEST",
        }
    return {
        "kind": "speech" if first.kind == "gap" else first.kind,
        **who,
        "start": first.start,
        "lines": [
            {
                "id": one.id,
                "start": one.start,
                "words": _words(one, found),
                "language": one.language,
                "original": one.original,
                "original_language": one.original_language,
                "timed": timed,
                "is_gap": one.kind == "gap",
                "is_hidden": one.hidden,
                "revision": one.revision,
                "sound": _heard(one, sound),
            }
            for one, timed in zip(lines, _timed(lines), strict=True)
        ],
    }


def _words(one: Line, found: str) -> Markup | str:
    if one.kind == "pause":
        return paused(one.by, one.start, one.end)
    if one.lost is not None:
        return not_transcribed(one.lost)
    if found:
        return Markup("").join(_marked(one.text, found))
    return linked(one.text) if one.kind == "chat" else one.text


def _marked(text: str, found: str) -> Iterator[Markup]:
    """Give a text with everything in it marked that matches."""
    end = 0
    for start, after in matches(text, found):
        yield escape(text[end:start])
        yield Markup("<mark>{}</mark>").format(text[start:after])
        end = after
    yield escape(text[end:])


def _timed(lines: list[Line]) -> list[bool]:
    """Return whether each one shows its time: the first of a turn, and the first of a minute.

    The others show it when somebody points at them. The room has the same rule, in transcript.js.
    """
    minutes = [int(one.start // 60) for one in lines]
    return [True, *(one != before for before, one in pairwise(minutes))]
