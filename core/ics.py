"""A calendar file with one event (RFC 5545), for whoever has a session in their calendar.

Written by hand: it is one kind of event in a dozen lines. Tests have `icalendar` read it. What
people wrote goes in as TEXT, of which nothing can end a line or begin a property of its own.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime

LINE_OCTETS = 75  # of a line at most, without its end; what is longer goes on in the next
LASTS = "PT1H"  # nobody says how long a session will be

_ESCAPED = str.maketrans({"\\": r"\\", ";": r"\;", ",": r"\,", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Event:
    """A session for a calendar. Times are aware.

    `uid` stays the same for ever, and `sequence` grows with each change, so that a calendar that is
    given the file again moves what it has instead of adding another.
    """

    uid: str
    sequence: int
    changed_at: datetime
    at: datetime
    title: str
    description: str
    link: str


def calendar_file(event: Event, now: datetime) -> bytes:
    """Return the file, as it is at this time."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Sessions//Sessions//EN",
        "CALSCALE:GREGORIAN",
        "BEGIN:VEVENT",
        f"UID:{_text(event.uid)}",
        f"DTSTAMP:{_utc(now)}",
        f"LAST-MODIFIED:{_utc(event.changed_at)}",
        f"SEQUENCE:{event.sequence}",
        f"DTSTART:{_utc(event.at)}",
        f"DURATION:{LASTS}",
        f"SUMMARY:{_text(event.title)}",
        f"DESCRIPTION:{_text(event.description)}",
        f"LOCATION:{_text(event.link)}",
        f"URL:{event.link}",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return b"".join(_folded(line) for line in lines)


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(value: str) -> str:
    """Return people's words as a value that is one line, whatever they are."""
    lines = "\n".join(value.splitlines())
    kept = "".join(c for c in lines if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs"))
    return kept.translate(_ESCAPED)


def _folded(line: str) -> bytes:
    """Return a line with its end, folded between characters: never within one of several octets."""
    pieces, piece = [], b""
    for character in line:
        octets = character.encode()
        if len(piece) + len(octets) > LINE_OCTETS:
            pieces.append(piece)
            piece = b" "
        piece += octets
    return b"\r\n".join([*pieces, piece]) + b"\r\n"
