"""Lines: what a transcript shows of a session, as values, in the order of their times.

A line is an utterance as corrections have left it, which may be a part of what an engine heard or
several of those together; a line of the chat; or a pause.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, NamedTuple

from core.model import ChatLine, Pause, Role, Utterance
from core.text import initials

Kind = Literal["speech", "gap", "chat", "pause"]

# Which of several that begin at one moment comes first.
SPEECH, PAUSE, CHAT = 0, 1, 2
_ID = re.compile(r"(chat-)?([1-9][0-9]{0,8})(?:\.([1-9][0-9]?))?")


class Key(NamedTuple):
    """A line's place among the others: its second, then what tells apart those of one moment."""

    start: float
    rank: int  # SPEECH, PAUSE or CHAT
    number: int  # seq of an utterance, id of a line of the chat, number of a pause
    part: int = 0


BEGIN = Key(-1.0, 0, 0)


def just_before(key: Key) -> Key:
    """Return a place that has this one behind it, and none between."""
    return key._replace(part=key.part - 1)


class LineId(NamedTuple):
    """What names a line in an address: `17`, a part of what was split `17.1`, or `chat-5`."""

    rank: int  # SPEECH or CHAT
    number: int
    part: int = 0

    def __str__(self) -> str:
        """Return it as it stands in addresses and as an element's id."""
        if self.rank == CHAT:
            return f"chat-{self.number}"
        return f"{self.number}.{self.part}" if self.part else str(self.number)


def line_id(text: str) -> LineId | None:
    """Return what an address names; None where it names nothing that a line could have."""
    if (found := _ID.fullmatch(text)) is None:
        return None
    chat, number, part = found.groups()
    if chat:
        return LineId(CHAT, int(number)) if part is None else None
    return LineId(SPEECH, int(number), int(part or 0))


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who says a line: a participant, or somebody without a microphone of their own.

    `name` is None for several people in one room whom nobody has named. `role` is a participant's.
    """

    id: str
    name: str | None
    hue: int
    role: Role | None

    @property
    def initials(self) -> str:
        """What stands where there is no picture; nothing for several people."""
        return initials(self.name) if self.name else ""


@dataclass(frozen=True, slots=True)
class Line:
    """Something said, written or left out. Times are seconds of the session.

    `end` is None for what was written and for a pause that goes on. `lost`: of a gap, the seconds
    that could not be transcribed. `identity` is whose microphone it was, whoever speaks by now.
    `revision` counts its corrections; of what is `hidden` only who may correct it sees anything.
    In another language, `original` is the text as it was said, in `original_language`.
    """

    kind: Kind
    key: Key
    start: float
    end: float | None
    text: str
    speaker: Speaker | None  # nobody says that nothing was transcribed for a while
    identity: str | None = None
    language: str | None = None
    lost: float | None = None
    hidden: bool = False
    revision: int = 0
    by: str | None = None  # who paused, if that was somebody who was there
    original: str | None = None
    original_language: str | None = None

    def translated(self, text: str, language: str) -> Line:
        """Return it in another language."""
        if language == self.language:
            return self
        return replace(
            self,
            text=text,
            language=language,
            original=self.text,
            original_language=self.language,
        )

    @property
    def id(self) -> str:
        """Its name in addresses and on the page."""
        if self.kind == "pause":
            return f"pause-{self.key.number}"
        return str(LineId(self.key.rank, self.key.number, self.key.part))


def of_utterance(said: Utterance, renamed: dict[str, Speaker]) -> Line:
    """Return what was said and isn't stored yet: nobody can have corrected it."""
    speaker = Speaker(said.identity, said.name, said.hue, _role(said.role))
    return Line(
        kind="speech" if said.lost is None else "gap",
        key=Key(said.start, SPEECH, said.seq),
        start=said.start,
        end=said.end,
        text=said.text,
        speaker=renamed.get(said.identity, speaker),
        identity=said.identity,
        language=said.language,
        lost=said.lost,
    )


def of_chat(line: ChatLine, zero: datetime, renamed: dict[str, Speaker]) -> Line:
    """Return what was written and isn't stored yet, in a session that began at `zero`."""
    start = max(0.0, (line.sent_at - zero).total_seconds())
    speaker = Speaker(line.identity, line.name, line.hue, _role(line.role))
    return Line(
        kind="chat",
        key=Key(start, CHAT, line.id),
        start=start,
        end=None,
        text=line.text,
        speaker=renamed.get(line.identity, speaker),
        identity=line.identity,
    )


def of_pauses(pauses: Iterable[Pause], zero: datetime) -> list[Line]:
    """Return the pauses of a session that began at `zero`; what was over before that is none."""
    return [
        Line(
            kind="pause",
            key=Key(span[0], PAUSE, number),
            start=span[0],
            end=span[1],
            text="",
            speaker=None,
            by=one.by,
        )
        for number, one in enumerate(pauses)
        if (span := one.seconds(zero)) is not None
    ]


def _role(text: str) -> Role:
    return "HOST" if text == "HOST" else "MEMBER" if text == "MEMBER" else "GUEST"
