"""What a file of a transcript is called, and the time zone of who saves it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

MAX_TITLE = 150  # bytes of it in a file's name, which most systems end at 255
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")
_NOT_IN_NAMES = re.compile(r'[/\\:*?"<>|%]')  # separators, and what Windows and headers refuse


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
    """
    return f"{folder_name(title, day, untitled)}.{ending}"


def folder_name(title: str, day: datetime, untitled: str) -> str:
    """Return the same without an ending: 2026-11-24 Weekly call.

    The date comes first, so that files sort by it, and so that no title makes a name that Windows
    keeps for devices (CON, NUL) or a hidden file.
    """
    return f"{day:%Y-%m-%d} {plain_name(title) or untitled}"


def plain_name(text: str) -> str:
    """Return what of a text may be in the middle of a file's name; "" where that is nothing."""
    visible = "".join(c if c.isprintable() else " " for c in _NOT_IN_NAMES.sub(" ", text))
    flat = " ".join(visible.split())
    return flat.encode()[:MAX_TITLE].decode(errors="ignore").rstrip(" .")


def moment(local: datetime) -> str:
    """Return 2026-11-24 11:00 Europe/Berlin (UTC+01:00), or 2026-11-24 10:00 UTC."""
    name = str(local.tzinfo)
    offset = "" if name == "UTC" else f" (UTC{local.isoformat()[-6:]})"
    return f"{local:%Y-%m-%d %H:%M} {name}{offset}"
