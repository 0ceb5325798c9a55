"""A transcript as Markdown (CommonMark): turns by speaker, in which no word is any markup."""

from __future__ import annotations

import re

from core.lines import Line
from core.transcript.exports.entries import Entry, Turns, Wanted, clean, clock, entries, isolated
from core.transcript.exports.names import moment

# What means something wherever it stands, in CommonMark and in what others add to it; and what
# does only where a line begins: headings, lists, quotes, rules.
_ANYWHERE = re.compile(r"[\\`*_\[\]<>&|~$^#]")
_AT_THE_START = re.compile(r"^[+=:-]")
_NUMBERED = re.compile(r"^(\d{1,9})([.)])")


class Markdown:
    """CommonMark. A turn is the name of who speaks, and a paragraph for each utterance.

    What was said is quoted below a translation.
    """

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._turns = Turns()

    def begin(self) -> bytes:
        """Return the title as a heading, and when the session began."""
        title, began = escaped(clean(self._wanted.session.title)), self._wanted.began
        head = [f"# {isolated(title)}\n"] if title else []
        head += [f"{escaped(moment(began))}\n"] if began else []
        return "\n".join(head).encode()

    def lines(self, lines: list[Line]) -> bytes:
        """Return a paragraph for each, and one more where a turn begins."""
        return "".join(map(self._paragraphs, entries(lines, self._wanted))).encode()

    def _paragraphs(self, one: Entry) -> str:
        begins, timed = self._turns.begins(one), self._turns.timed(one)
        at = f" {clock(one.start)}" if timed and self._wanted.times else ""
        name = f"\n**{isolated(escaped(one.name))}**{at}\n" if begins else ""
        if at and not begins:
            name = f"\n{at.strip()}\n"
        words = f"*({escaped(one.text)})*" if one.note else isolated(escaped(one.text))
        said = f"\n> {isolated(escaped(one.original))}\n" if one.original else ""
        return f"{name}\n{words}\n{said}"

    def end(self) -> bytes:
        """Return nothing."""
        return b""


def escaped(text: str) -> str:
    """Return text of one line that reads as itself, whatever is in it."""
    plain = _ANYWHERE.sub(r"\\\g<0>", text)
    if numbered := _NUMBERED.match(plain):
        return f"{numbered[1]}\\{plain[numbered.end(1) :]}"
    return _AT_THE_START.sub(r"\\\g<0>", plain)
