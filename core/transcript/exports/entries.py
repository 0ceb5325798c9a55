"""Entries: lines of a transcript in the words of a file, clean enough for any format."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Protocol

from core.lines import Kind, Line
from core.model import Session

# Control characters, of which XML and subtitles allow none; those that turn the direction of all
# that follows; halves of characters, and what is none.
_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_ISOLATE, _ISOLATED = "\u2068", "\u2069"


class Wording(Protocol):
    """What files say in the language of who saves them."""

    def several(self) -> str:
        """Return what several people in one room are called."""

    def host(self) -> str:
        """Return what a host is called who was never there."""

    def in_chat(self, name: str) -> str:
        """Return what somebody is called who writes in the chat."""

    def gap(self, seconds: float) -> str:
        """Return that so many seconds could not be transcribed."""

    def pause(self, end: float | None) -> str:
        """Return that the transcription was paused until then; None: it still is."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A session's file as somebody wants it.

    `times`: with the times of lines. `chat`: with the chat, too. `complete`: whether there is no
    more to come. `zone`: in which the session's start is told. `both`: of lines in another
    language, what was said as well.
    """

    session: Session
    wording: Wording
    times: bool = True
    chat: bool = True
    complete: bool = True
    zone: tzinfo = field(default=UTC)
    both: bool = False

    @property
    def began(self) -> datetime | None:
        """When the session began, where who saves it is."""
        at = self.session.started_at
        return None if at is None else at.astimezone(self.zone)


class Encoder(Protocol):
    """Writes a file as the lines of its transcript come. Blocks: it may be called in a thread."""

    def begin(self) -> bytes:
        """Return what stands before the first line."""

    def lines(self, lines: list[Line]) -> bytes:
        """Return as much as can be told of these lines and those before; the rest comes later."""

    def end(self) -> bytes:
        """Return all that is left."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line in words. Times are seconds of the session; `end` is None for what takes no time.

    `who` tells apart those of one name; `note`: nobody says it, it tells what isn't there.
    `original` is what was said, where that is wanted beside a translation.
    """

    kind: Kind
    who: str
    name: str
    text: str
    start: float
    end: float | None
    hue: int = 0
    language: str | None = None
    original: str = ""
    original_language: str | None = None

    @property
    def note(self) -> bool:
        """Whether it tells what isn't there."""
        return self.kind in ("gap", "pause")


def entries(lines: Iterable[Line], wanted: Wanted) -> list[Entry]:
    """Return the lines in words; what was written in the chat only where that is wanted."""
    return [
        _entry(line, wanted)
        for line in lines
        if not line.hidden and (wanted.chat or line.kind != "chat")
    ]


def _entry(line: Line, wanted: Wanted) -> Entry:
    wording = wanted.wording
    if line.kind == "pause":
        by = clean(line.by or "") or wording.host()
        return Entry("pause", "", by, wording.pause(line.end), line.start, None)
    name = clean(line.speaker.name or "") if line.speaker else ""
    name = name or wording.several()
    who, hue = (line.speaker.id, line.speaker.hue) if line.speaker else ("", 0)
    if line.kind == "chat":
        text = clean(line.text)
        return Entry("chat", who, wording.in_chat(name), text, line.start, None, hue)
    if line.kind == "gap":
        return Entry("gap", who, name, wording.gap(line.lost or 0.0), line.start, line.end, hue)
    text = clean(line.text)
    said = (clean(line.original or ""), line.original_language) if wanted.both else ()
    return Entry("speech", who, name, text, line.start, line.end, hue, line.language, *said)


def clean(text: str) -> str:
    """Return text as one line, without what some format can't have or that disorders others."""
    return _UNWANTED.sub("", " ".join(text.split()))


def goes_left(text: str) -> bool | None:
    """Whether text goes from right to left, as its first letter says; None without any letter."""
    for letter in text:
        kind = unicodedata.bidirectional(letter)
        if kind in ("R", "AL", "L"):
            return kind != "L"
    return None


def isolated(text: str) -> str:
    """Return text that keeps its own direction, and leaves the line around it in its own.

    What has no letter that goes from right to left stays as it is.
    """
    if text.isascii() or not any(unicodedata.bidirectional(c) in ("R", "AL") for c in text):
        return text
    return f"{_ISOLATE}{text}{_ISOLATED}"


def stamp(seconds: float, point: str = ".") -> str:
    """Return seconds as 01:02:45.250."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest:02}{point}{thousandths:03}"


def clock(seconds: float) -> str:
    """Return seconds as 01:02:45."""
    return stamp(seconds)[:-4]


class Turns:
    """Tells which entries begin a turn, and which of them show their time.

    That is the first of a turn and the first of a minute, as on the page.
    """

    def __init__(self) -> None:
        self._who: tuple[Kind, str, str] | None = None
        self._minute = -1

    def begins(self, entry: Entry) -> bool:
        """Whether somebody else said or wrote what came before. To be asked of each, first."""
        who = (entry.kind, entry.who, entry.name)
        begins, self._who = who != self._who or entry.kind == "pause", who
        if begins:
            self._minute = -1
        return begins

    def timed(self, entry: Entry) -> bool:
        """Whether it is the first of its turn or of a minute."""
        before, self._minute = self._minute, int(entry.start // 60)
        return before != self._minute
