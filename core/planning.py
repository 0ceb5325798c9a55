"""What people may say ahead of a session, read from what they typed: pure decisions, without words.

A time is typed as a browser's field has it, `2026-12-05T09:00`, and means the typist's own zone:
how far that is from UTC at that time comes beside it, in minutes; nothing there is UTC itself.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import Enum

from core.text import one_line, several_lines

AGENDA_LENGTH = 4_000  # characters, as in schema.sql
RECURS_LENGTH = 120
LATE_BY = timedelta(minutes=5)  # that a form may be: somebody plans for now and fills in the rest
AHEAD_BY = timedelta(days=2 * 366)
MOST_OFFSET = 15 * 60  # minutes; zones are at most 14 hours from UTC

_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::00(?:\.0{1,6})?)?", re.ASCII)
_OFFSET = re.compile(r"[+-]?\d{1,3}", re.ASCII)


class Mistake(Enum):
    """What is wrong with what somebody typed."""

    NO_TIME = "no_time"
    PAST = "past"
    TOO_FAR = "too_far"
    TOO_LONG = "too_long"


def time_of(
    typed: str, offset: str, now: datetime, unless: datetime | None = None
) -> datetime | Mistake | None:
    """Return the time that somebody typed, in UTC; None for an empty field.

    `unless` is the time that stands there already, which may have passed meanwhile.
    """
    if not typed.strip():
        return None
    found = moment_of(typed, offset)
    if found is None:
        return Mistake.NO_TIME
    if found == unless:
        return found
    if found < now - LATE_BY:
        return Mistake.PAST
    return Mistake.TOO_FAR if found > now + AHEAD_BY else found


def moment_of(typed: str, offset: str) -> datetime | None:
    """Return the moment that was typed, in UTC; None for what is none."""
    parts, offset = _TIME.fullmatch(typed.strip()), offset.strip()
    if parts is None or (offset and not _OFFSET.fullmatch(offset)):
        return None
    minutes = int(offset or 0)
    if abs(minutes) > MOST_OFFSET:
        return None
    try:
        year, month, day, hour, minute = map(int, parts.groups())
        return datetime(year, month, day, hour, minute, tzinfo=UTC) - timedelta(minutes=minutes)
    except (ValueError, OverflowError):  # 31 February, or an end of the calendar
        return None


def agenda_of(typed: str) -> str | Mistake:
    """Return an agenda with its lines, without what reorders or hides text."""
    text = several_lines(typed, len(typed))
    return Mistake.TOO_LONG if len(text) > AGENDA_LENGTH else text


def recurs_of(typed: str) -> str:
    """Return a note of when there are more like it, as one line."""
    return one_line(typed, RECURS_LENGTH)
