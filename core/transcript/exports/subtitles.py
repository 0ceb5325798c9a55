"""A transcript for players: SubRip (SRT) and WebVTT (W3C), cut to lines that can be read."""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Iterator
from itertools import count

from core.graphemes import graphemes
from core.lines import Line
from core.spoken import together
from core.transcript.exports.cutting import LONGEST, SHORTEST, Cue, columns, cut
from core.transcript.exports.entries import Entry, Wanted, entries, stamp

LONGEST_NAME = 24  # columns of a name before what is said, where there are no voices
# What players of SRT take for a tag or an order, though nobody has written down which they know.
_TAG = re.compile(r"<(?=[A-Za-z/!])|\{(?=\\)")
_JOINER = "\u2060"  # is drawn as nothing

Item = tuple[float, int, Entry, Cue | None]


class _Subtitles:
    """Puts cues in the order of their times: one who goes on is cut while others begin."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._waiting: list[Item] = []  # a heap: what may still come after what is yet to be read
        self._ready = list[Item]()  # what nothing else can come before any more, in order
        self._numbers = count()

    def lines(self, lines: list[Line]) -> bytes:
        """Return the cues before which no other can come any more."""
        some = entries(lines, self._wanted)
        for one in some:
            if one.kind == "speech":
                for cue in cut(one.text, one.start, one.end or one.start, self.lead(one)):
                    heapq.heappush(self._waiting, (cue.start, next(self._numbers), one, cue))
            else:
                heapq.heappush(self._waiting, (one.start, next(self._numbers), one, None))
        return self._written(lines[-1].start) if lines else b""

    def end(self) -> bytes:
        """Return all others."""
        return self._written(math.inf)

    def _written(self, read: float) -> bytes:
        """Return what ends before `read`, up to where all has been read.

        A short cue is shown longer where its speaker says nothing else: so what begins in the
        second after it must be known.
        """
        while self._waiting and self._waiting[0][0] < read:
            self._ready.append(heapq.heappop(self._waiting))
        blocks, done = list[str](), 0
        for at, (start, _, one, cue) in enumerate(self._ready):
            if start + SHORTEST >= read:
                break
            done = at + 1
            blocks.append(self.note(one) if cue is None else self.cue(one, cue, self._until(at)))
        del self._ready[:done]
        return "".join(blocks).encode()

    def _until(self, at: int) -> float:
        """Return how long a cue is shown that is ready: a second, unless its speaker goes on."""
        _, _, one, cue = self._ready[at]
        if cue is None or cue.end - cue.start >= SHORTEST:
            return cue.end if cue else 0.0
        until = cue.start + SHORTEST
        for number in range(at + 1, len(self._ready)):
            start, _, other, what = self._ready[number]
            if start >= until:
                break
            if what is not None and other.who == one.who and start > cue.start:
                until = start
        return max(cue.end, until)

    def lead(self, one: Entry) -> float:
        """Return how many columns a cue leaves for the name of who speaks."""
        raise NotImplementedError

    def note(self, one: Entry) -> str:
        """Return what is no subtitle."""
        raise NotImplementedError

    def cue(self, one: Entry, cue: Cue, end: float) -> str:
        """Return a subtitle that is shown until then."""
        raise NotImplementedError


class WebVtt(_Subtitles):
    """WebVTT with a voice for each cue; what nobody says, and the chat, are comments."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(wanted)
        session = wanted.session
        spoken = together(session.spoken, session.space_spoken).languages or ()
        # What cues are in unless they say otherwise: the only one, or that of the first.
        self._language = spoken[0] if len(spoken) == 1 else None

    def begin(self) -> bytes:
        """Return what makes it WebVTT."""
        return b"WEBVTT\n"

    def lead(self, one: Entry) -> float:
        """Return 0: a voice takes no room."""
        return 0.0

    def note(self, one: Entry) -> str:
        """Return a comment, which ends at an empty line and must not hold an arrow."""
        text = f"({one.text})" if one.note else one.text
        told = f"{one.name}: {text}".replace("-->", "→")
        return f"\nNOTE {stamp(one.start)} {told}\n"

    def cue(self, one: Entry, cue: Cue, end: float) -> str:
        """Return a cue."""
        self._language = self._language or one.language
        words = "\n".join(map(_escaped, cue.lines))
        if one.language and one.language != self._language:
            words = f"<lang {_escaped(one.language)}>{words}</lang>"
        times = f"{stamp(cue.start)} --> {stamp(end)}"
        return f"\n{times}\n<v {_escaped(one.name)}>{words}</v>\n"


class SubRip(_Subtitles):
    """SRT: numbered cues of plain text, with the name of who speaks where that changes."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(wanted)
        self._number = 0
        self._who = ""

    def begin(self) -> bytes:
        """Return nothing."""
        return b""

    def lead(self, one: Entry) -> float:
        """Return the room for a name: any cue may come after somebody else's."""
        return columns(_prefix(one.name))

    def note(self, one: Entry) -> str:
        """Return nothing: there are no comments."""
        return ""

    def cue(self, one: Entry, cue: Cue, end: float) -> str:
        """Return a cue."""
        self._number += 1
        who, self._who = self._who, one.who
        prefix = "" if who == one.who else _prefix(one.name)
        text = "\n".join(map(_plain, (prefix + cue.lines[0], *cue.lines[1:])))
        times = f"{stamp(cue.start, ',')} --> {stamp(end, ',')}"
        return f"{self._number}\n{times}\n{text}\n\n"


def _prefix(name: str) -> str:
    """Return a name before what is said; a long one is cut."""
    if columns(name) <= LONGEST_NAME:
        return f"{name}: "
    return f"{''.join(_begin(name)).rstrip()}…: "


def _begin(name: str) -> Iterator[str]:
    width = 1.0
    for one in graphemes(name):
        width += columns(one)
        if width > LONGEST_NAME:
            return
        yield one


def _plain(text: str) -> str:
    return _TAG.sub(rf"\g<0>{_JOINER}", text.replace("-->", "→"))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


__all__ = ["LONGEST", "SubRip", "WebVtt"]
