"""Starting: whether an upload can be transcribed, of what tracks, and when it was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from core.store.upload_files import MAX_FILES, UploadFile
from core.store.uploads import NewTrack, Upload
from core.text import one_line

MAX_TRACKS = MAX_FILES  # speakers of one upload
MAX_HOURS = 24  # of all tracks together: a day of uninterrupted talk, which a session may have
EARLIEST = 1900  # the year; what is older was recorded by nobody

# Why it can't be started yet: about a file, or all.
Lack = Literal[
    "no_files",
    "unfinished",  # not all of a file is here
    "flawed",  # a file can't be read
    "nameless",  # nobody says who speaks in it
    "too_many_tracks",
    "too_long",
]


def lacks(files: Sequence[UploadFile]) -> list[tuple[Lack, UploadFile | None]]:
    """Return what an upload lacks before it can be started, and of which file; empty: nothing."""
    if not files:
        return [("no_files", None)]
    found: list[tuple[Lack, UploadFile | None]] = []
    for one in files:
        if not one.whole:
            found.append(("unfinished", one))
        elif one.flaw or one.seconds is None:
            found.append(("flawed", one))
        elif not one.named:
            found.append(("nameless", one))
    if sum(one.speakers for one in files) > MAX_TRACKS:
        found.append(("too_many_tracks", None))
    if sum((one.seconds or 0) * one.speakers for one in files) > MAX_HOURS * 3600:
        found.append(("too_long", None))
    return found


def tracks_of(files: Sequence[UploadFile]) -> list[NewTrack]:
    """Return the tracks of files that lack nothing."""
    return [
        NewTrack(one.number, channel if one.separate else None, name, one.seconds or 0.0)
        for one in files
        for channel, name in enumerate(one.names)
    ]


def recorded_at(upload: Upload, files: Sequence[UploadFile]) -> datetime | None:
    """Return when an upload was recorded: as somebody says, or when its first file began.

    That is its length before it was last changed, which is when its recording ended, unless
    somebody has edited it since. None where nothing says so.
    """
    if upload.recorded_at is not None:
        return upload.recorded_at
    began = [
        one.modified_at - timedelta(seconds=one.seconds or 0)
        for one in files
        if one.modified_at is not None
    ]
    return min(began, default=None)


def title_of(typed: str) -> str:
    """Return a title as it may be; empty for none."""
    return one_line(typed, 120)
