"""Who of a room's people is away: still expected, but nothing is heard of their pages.

A browser that dies, or whose network is gone, says no goodbye. So every page is sent a beat
every 2 s and answers it, unless it has sent audio meanwhile. Who isn't heard for 5 ticks of a
second is away: two beats in a row went unanswered, so that a page that is only slow isn't shown
as lost. Ticks are counted, not seconds: a process that stood still blames nobody for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from core.model import Participant

BEAT_EVERY = 2  # ticks
AWAY_AFTER = 5  # ticks in which nothing came over a line that is open
LOST_AFTER = 3  # ticks after the line broke: most pages are back before
LOST_KEPT = 30  # ticks, after which who doesn't come back isn't here any more


class Pulse:
    """What is heard of one page: counts, which the room compares once a tick."""

    __slots__ = ("answers", "quiet", "seen")

    def __init__(self, *, answers: bool) -> None:
        self.answers = answers  # whether the page promised to answer beats
        self.quiet = 0  # ticks without anything
        self.seen = (0, 0)  # messages and samples that had come by the last tick

    @property
    def away(self) -> bool:
        """Whether nothing has come for too long."""
        return self.quiet >= AWAY_AFTER

    def tick(self, messages: int, samples: int) -> bool:
        """Once a second: return whether the page is away now and wasn't, or the reverse."""
        before = self.away
        # A page that never promised to answer is never taken for away: its silence tells nothing.
        if not self.answers or (messages, samples) != self.seen:
            self.seen, self.quiet = (messages, samples), 0
        else:
            self.quiet += 1
        return before != self.away


@dataclass(slots=True)
class _Lost:
    participant: Participant  # as they were when they vanished
    ticks: int = 0  # since then


class Lost:
    """Participants whose last page vanished a moment ago."""

    def __init__(self) -> None:
        self._of: dict[str, _Lost] = {}  # by identity

    def add(self, participant: Participant) -> None:
        """Expect somebody back."""
        self._of[participant.identity] = _Lost(participant)

    def forget(self, identity: str) -> None:
        """Somebody came back, or may not come back."""
        self._of.pop(identity, None)

    def tick(self) -> bool:
        """Once a second: return whether anything is to be shown otherwise."""
        changed = False
        for identity, one in list(self._of.items()):
            one.ticks += 1
            changed |= one.ticks == LOST_AFTER
            if one.ticks > LOST_KEPT:
                del self._of[identity]
                changed = True
        return changed

    def people(self) -> Iterable[tuple[Participant, bool]]:
        """Return who is expected back, and whether to show that they are away."""
        return [(one.participant, one.ticks >= LOST_AFTER) for one in self._of.values()]


class Answering(Protocol):
    """A page with its pulse."""

    participant: Participant
    pulse: Pulse


def who_is_away(pages: Iterable[Answering]) -> set[str]:
    """Return the identities of those of whose pages none answers."""
    quiet: set[str] = set()
    heard: set[str] = set()
    for page in pages:
        (quiet if page.pulse.away else heard).add(page.participant.identity)
    return quiet - heard
