"""Transcripts as files that people keep: plain text to read, WebVTT for players."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

SHORTEST_CUE = 0.5  # seconds; players skip cues without a length


@dataclass(frozen=True, slots=True)
class Line:
    """Something said or, with `end` None, written in the chat. Times are session seconds."""

    name: str
    text: str
    start: float
    end: float | None


def as_text(title: str, started_at: datetime | None, lines: Iterable[Line]) -> str:
    """Return a transcript to read: one line per utterance, with its time and speaker."""
    head = [title]
    if started_at is not None:
        head.append(started_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC"))
    body = [f"[{_stamp(one.start)[:-4]}] {_who(one)}: {_flat(one.text)}" for one in lines]
    return "\n".join([*head, "", *body, ""])


def as_vtt(lines: Iterable[Line]) -> str:
    """Return WebVTT (W3C) with a voice span per cue; chat lines become comments."""
    return "\n\n".join(["WEBVTT", *(_cue(one) for one in lines)]) + "\n"


def _cue(one: Line) -> str:
    if one.end is None:
        # A comment ends at an empty line and must not hold an arrow.
        return f"NOTE {_stamp(one.start)} {_who(one)}: {_flat(one.text)}".replace("-->", "→")
    end = max(one.end, one.start + SHORTEST_CUE)
    words = f"<v {_escaped(one.name)}>{_escaped(_flat(one.text))}</v>"
    return f"{_stamp(one.start)} --> {_stamp(end)}\n{words}"


def _who(one: Line) -> str:
    return one.name if one.end is not None else f"{one.name} (chat)"


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
