"""A transcript for programs: one JSON object, one line of it for each line of the transcript.

docs/transcript-1.schema.json is its schema, docs/api.md tells what it means. There may be more
members one day; FORMAT changes when those that there are no longer mean the same.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from core.lines import Line
from core.transcript.exports.entries import Wanted

FORMAT = 1
Facts = dict[str, Any]


class Program:
    """JSON. `hidden`: whether lines that were hidden are told as well, as such."""

    def __init__(self, wanted: Wanted, *, hidden: bool = False) -> None:
        self._wanted = wanted
        self._hidden = hidden
        self._first = True
        self._speakers: dict[str, Facts] = {}  # in the order in which they came

    def begin(self) -> bytes:
        """Return what is said of the session."""
        session = self._wanted.session
        head = {
            "format": FORMAT,
            "slug": session.slug,
            "title": session.title,
            "status": session.status,
            "started_at": moment(session.started_at),
            "ended_at": moment(session.ended_at),
            "complete": self._wanted.complete,
        }
        return msgspec.json.encode(head)[:-1] + b',\n"lines": ['

    def lines(self, lines: list[Line]) -> bytes:
        """Return a member of the list for each."""
        told = list[bytes]()
        for line in lines:
            if (line.hidden and not self._hidden) or (
                line.kind == "chat" and not self._wanted.chat
            ):
                continue
            told.append(b"\n" + msgspec.json.encode(self._told(line)))
            self._count(line)
        before = b"" if self._first or not told else b","
        self._first = self._first and not told
        return before + b",".join(told)

    def end(self) -> bytes:
        """Return who spoke or wrote."""
        speakers = b",".join(b"\n" + msgspec.json.encode(one) for one in self._speakers.values())
        return b'],\n"speakers": [' + speakers + b"]}\n"

    def _told(self, line: Line) -> Facts:
        when = {"start": line.start, "end": line.end} if self._wanted.times else {}
        told: Facts = {"kind": line.kind, "id": line.id}
        if line.kind == "pause":
            return told | {"name": line.by} | when
        if line.kind != "chat":
            told["seq"] = line.key.number
        told["identity"] = line.identity
        if line.speaker is not None:
            speaker = line.speaker
            told |= {"speaker": speaker.id, "name": speaker.name, "role": speaker.role}
        told |= when
        if line.kind == "gap":
            told["lost_s"] = line.lost
        else:
            told["text"] = line.text
        if line.kind == "speech":
            told["language"] = line.language
            if self._wanted.both and line.original is not None:
                told |= {"original": line.original, "original_language": line.original_language}
        # Said only where it is so, as it is of few.
        also = {"corrected": line.revision > 0, "hidden": line.hidden}
        return told | {name: True for name, so in also.items() if so}

    def _count(self, line: Line) -> None:
        if line.speaker is None or line.hidden:
            return
        who = line.speaker
        fresh = {"id": who.id, "name": who.name, "role": who.role, "lines": 0, "seconds": 0.0}
        one = self._speakers.setdefault(who.id, fresh)
        if line.kind == "speech":
            one["lines"] += 1
            spoken = max(0.0, (line.end or line.start) - line.start)
            one["seconds"] = round(one["seconds"] + spoken, 3)


def moment(at: datetime | None) -> str | None:
    """Return a time as programs read it: RFC 3339, in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at is not None else None
