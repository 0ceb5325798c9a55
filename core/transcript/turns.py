"""When a final may be stored: not before what its page said earlier."""

from __future__ import annotations

from collections.abc import Iterable

from core.model import Page, Utterance
from core.speech.engine import SAMPLE_RATE
from core.transcript.outbox import Entry


def is_said_anew(said: Utterance, reached: int) -> bool:
    """Whether a page whose audio is stored up to the sample `reached` has said this again since.

    It begins behind what is stored and leaves nothing out, so what is past the middle of this has
    all of it: where the last word ends is heard a little differently each time. What was kept by
    a release that knew no pages can't be said again.
    """
    middle = said.until - (said.end - said.start) * SAMPLE_RATE / 2
    return bool(said.client) and reached > max(middle, 0)


def furthest(stored: Iterable[Utterance]) -> dict[Page, int]:
    """Return the sample up to which the audio of each page is stored."""
    reached: dict[Page, int] = {}
    for one in stored:
        reached[one.page] = max(one.until, reached.get(one.page, 0))
    return reached


class Turns:
    """The finals of a session that have their number and may not be stored yet.

    A page that comes back after a crash sends everything anew from one sample on: what is stored
    of it must have no hole before that sample, or older words would be lost, and nothing behind
    it, or later ones would be there twice. And two stretches of a page's speech may answer in any
    order.
    """

    def __init__(self) -> None:
        # By page, in the order they came, each with the sample at which its stretch began.
        self._early: dict[Page, list[tuple[int, Entry[Utterance]]]] = {}
        # How far a page's audio has become finals: the sample, and when that was said. A page may
        # know less, when the connection went before it was told.
        self._reached: dict[Page, tuple[int, float]] = {}

    def note(self, said: Utterance) -> None:
        """Note how far a final goes."""
        # The larger of both: finals of two stretches may come in any order.
        self._reached[said.page] = max((said.until, said.start), self.reached(said.page))

    def reached(self, page: Page) -> tuple[int, float]:
        """Return the page's sample up to which its audio is final, and when that was said."""
        return self._reached.get(page, (0, 0.0))

    def wait(self, entry: Entry[Utterance], since: int) -> None:
        """Take a final whose stretch of speech began at the sample `since`."""
        self._early.setdefault(entry.value.page, []).append((since, entry))

    def due(self, page: Page, open_since: float) -> list[Entry[Utterance]]:
        """Hand over the finals of a page that may be stored by now, in the order they came.

        That is once no older stretch of the page may still have some; the oldest that isn't over
        begins at its sample `open_since`, infinity without any.
        """
        early = self._early.pop(page, [])
        late = [one for one in early if one[0] > open_since]
        if late:
            self._early[page] = late
        return [entry for since, entry in early if since <= open_since]
