"""Utterances: each reported once, under one name, its partials before its final. No I/O."""

from __future__ import annotations

import msgspec

from core.speech.engine import Recognition

REMEMBERED = 16  # finals that a repetition is recognised by
NAMED = 200  # finals that a translation may still come for


class Utterances:
    """Turns transcripts into recognitions, each utterance once and its partials before it.

    Gladia's ids are opaque. They become names that are unique within the stream even if the
    service counts anew after a reconnect.
    """

    __slots__ = ("_finals", "_names", "_open", "_recent", "_renamed")

    def __init__(self) -> None:
        self._open: dict[str, Recognition] = {}  # the last partial by Gladia's id, until its final
        self._finals: dict[str, float] = {}  # where finals end, in seconds, by Gladia's id
        # Names and beginnings of the last finals that were reported, by Gladia's id.
        self._names: dict[str, tuple[str, float]] = {}
        self._recent: list[Recognition] = []  # the last finals, at most REMEMBERED
        self._renamed = 0  # how many ids came again for something else, which numbers their names

    @property
    def any_open(self) -> bool:
        """Whether a partial waits for its final."""
        return bool(self._open)

    def take(
        self,
        id_: str,
        text: str,
        start: float,
        end: float,
        *,
        final: bool,
        language: str | None = None,
    ) -> Recognition | None:
        """Return what to report of a transcript, or None when there is nothing new in it.

        Times are seconds of audio fed. What is returned as a partial without text withdraws its
        utterance. A partial with the text of the last one says nothing new.
        """
        text = text.strip()
        # A late partial, or the final once more. What begins behind it is another utterance: the
        # service counts its ids anew.
        if id_ in self._finals and start < self._finals[id_]:
            return None
        known = self._open.get(id_)
        name = self._name(id_) if known is None else known.utterance
        said = Recognition(name, text, start, max(start, end), final, language)
        if not final:
            if text:  # one without must not take away what a final may have to be made of
                self._open[id_] = said
            is_new = text and (known is None or text != known.text)
            return said if is_new else None
        self._open.pop(id_, None)
        self._finals[id_] = said.end
        # Audio that was counted twice is also heard twice, under two ids.
        self._names.pop(id_, None)
        if text and not self._repeats(said):
            self._remember([said])
            self._name_final(id_, said)
            return said
        return msgspec.structs.replace(said, text="", final=False) if known else None

    def open_before(self, id_: str, start: float) -> bool:
        """Whether another utterance that began before `start` seconds waits for its final."""
        return any(partial.start < start for other, partial in self._open.items() if other != id_)

    def close_open(self) -> list[Recognition]:
        """Return finals made of the last partials of what is open."""
        closed = [msgspec.structs.replace(one, final=True) for one in self._open.values()]
        self._finals.update({id_: partial.end for id_, partial in self._open.items()})
        self._remember(closed)
        for id_, partial in self._open.items():
            self._name_final(id_, partial)
        self._open.clear()
        return closed

    def final_of(self, id_: str, start: float, end: float) -> tuple[bool, str | None]:
        """Return whether an utterance of these times is final, and the name it has if reported.

        None: its text came twice, or so long ago that nothing is said of it any more.
        """
        if id_ not in self._finals or start >= self._finals[id_]:
            return False, None
        name, since = self._names.get(id_, (None, 0.0))
        return True, name if end > since else None  # else the service counted its ids anew since

    def _name_final(self, id_: str, said: Recognition) -> None:
        self._names[id_] = said.utterance, said.start
        if len(self._names) > NAMED:
            del self._names[next(iter(self._names))]

    def _name(self, id_: str) -> str:
        if id_ not in self._finals:
            return id_
        self._renamed += 1
        return f"{id_}+{self._renamed}"

    def _remember(self, finals: list[Recognition]) -> None:
        self._recent = [*self._recent, *finals][-REMEMBERED:]

    def _repeats(self, said: Recognition) -> bool:
        return any(_is_repetition(said, earlier) for earlier in self._recent)


def _is_repetition(said: Recognition, earlier: Recognition) -> bool:
    """Whether both say the same about audio that is mostly the same."""
    shared = min(said.end, earlier.end) - max(said.start, earlier.start)
    shorter = min(said.end - said.start, earlier.end - earlier.start)
    return shared > shorter / 2 and said.text.casefold() == earlier.text.casefold()
