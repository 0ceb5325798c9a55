"""A transcript to read: plain text with one line for each utterance."""

from __future__ import annotations

from core.lines import Line
from core.transcript.exports.entries import Entry, Wanted, clean, clock, entries, isolated
from core.transcript.exports.names import moment


class Text:
    """Plain text. Times count from the session's start, which stands above them."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted

    def begin(self) -> bytes:
        """Return the title, and when the session began."""
        began = self._wanted.began
        head = [isolated(clean(self._wanted.session.title))]
        head += [moment(began)] if began else []
        return "\n".join([*head, "", ""]).encode()

    def lines(self, lines: list[Line]) -> bytes:
        """Return a line for each, and below it what was said, if that is wanted as well."""
        return "".join(map(self._line, entries(lines, self._wanted))).encode()

    def _line(self, one: Entry) -> str:
        at = f"[{clock(one.start)}] " if self._wanted.times else ""
        text = f"({one.text})" if one.note else isolated(one.text)
        said = f"    {isolated(one.original)}\n" if one.original else ""
        return f"{at}{isolated(one.name)}: {text}\n{said}"

    def end(self) -> bytes:
        """Return nothing."""
        return b""
