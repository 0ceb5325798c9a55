"""Transcripts as files that people keep: plain text to read, WebVTT for players."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

SHORTEST_CUE = 0.5  # seconds; players skip cues without a length
MAX_TITLE = 150  # bytes of it in a file's name, which most systems end at 255
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")
_NOT_IN_NAMES = re.compile(r'[/\\:*?"<>|%]')  # separators, and what Windows and headers refuse


@dataclass(frozen=True, slots=True)
class Line:
    """Something said or, with `end` None, written in the chat. Times are session seconds."""

    name: str
    text: str
    start: float
    end: float | None
    is_gap: bool = False  # nobody said it: it tells how much could not be transcribed


def zone_of(name: str) -> tzinfo:
    """Return the time zone of this name, such as Europe/Berlin; UTC where nobody knows it.

    Systems without a time zone database, as Windows, know none.
    """
    if not _ZONE.fullmatch(name):  # it is a path in the database's folder
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no zone, or a folder
        return UTC


def file_name(title: str, day: datetime, ending: str, untitled: str) -> str:
    """Return what a session's file is called: 2026-11-24 Weekly call.txt.

    `untitled` stands for a title that leaves no letter.

    The date comes first, so that files sort by it, and so that no title makes a name that Windows
    keeps for devices (CON, NUL) or a hidden file.
    """
    visible = "".join(c if c.isprintable() else " " for c in _NOT_IN_NAMES.sub(" ", title))
    short = _flat(visible).encode()[:MAX_TITLE].decode(errors="ignore").rstrip(" .")
    return f"{day:%Y-%m-%d} {short or untitled}.{ending}"


def as_text(
    title: str, started_at: datetime | None, lines: Iterable[Line], zone: tzinfo = UTC
) -> str:
    """Return a transcript to read: one line per utterance, with its time and speaker.

    Times of lines count from the session's start, which stands above them in `zone`.
    """
    head = [title]
    if started_at is not None:
        head.append(_moment(started_at.astimezone(zone)))
    body = [f"[{_stamp(one.start)[:-4]}] {one.name}: {_words(one)}" for one in lines]
    return "\n".join([*head, "", *body, ""])


def _moment(local: datetime) -> str:
    """Return 2026-11-24 11:00 Europe/Berlin (UTC+01:00), or 2026-11-24 10:00 UTC."""
    name = str(local.tzinfo)
    offset = "" if name == "UTC" else f" (UTC{local.isoformat()[-6:]})"
    return f"{local:%Y-%m-%d %H:%M} {name}{offset}"


def as_vtt(lines: Iterable[Line]) -> str:
    """Return WebVTT (W3C) with a voice span per cue; chat lines become comments."""
    return "\n\n".join(["WEBVTT", *(_cue(one) for one in lines)]) + "\n"


def _cue(one: Line) -> str:
    # A gap is a comment, too: nobody said it, and players would show it over what others say.
    if one.end is None or one.is_gap:
        # A comment ends at an empty line and must not hold an arrow.
        return f"NOTE {_stamp(one.start)} {one.name}: {_words(one)}".replace("-->", "→")
    end = max(one.end, one.start + SHORTEST_CUE)
    words = f"<v {_escaped(one.name)}>{_escaped(_flat(one.text))}</v>"
    return f"{_stamp(one.start)} --> {_stamp(end)}\n{words}"


def _words(one: Line) -> str:
    return f"({_flat(one.text)})" if one.is_gap else _flat(one.text)


def _flat(text: str) -> str:
    return " ".join(text.split())


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _stamp(seconds: float) -> str:
    """Return seconds as 01:02:45.250."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest:02}.{thousandths:03}"
