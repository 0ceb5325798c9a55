"""A seat: a page's place in a room, and what its socket calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from core.access.table import Standing, standing
from core.model import Page, Participant
from core.room.presence import Pulse
from core.room.wire import Batch, Emoji, Message, Reaction
from core.speech.allowance import Period
from core.speech.microphone import Microphone

if TYPE_CHECKING:
    from core.room.room import Room


class Listener(Protocol):
    """A connected page. No method blocks; what can't be sent in time is its own affair."""

    @property
    def unsent(self) -> int:
        """How many bytes wait in its socket."""

    def replay(self, messages: list[Message]) -> None:
        """Queue what was said before, at first or when asked. It may be longer than any bound."""

    def send(self, batch: Batch) -> None:
        """Queue messages. A full queue drops partials first and then closes with 4400."""

    def close(self, code: int) -> None:
        """Close with this code once everything queued was sent."""


class Seat:
    """A page's place in a room."""

    __slots__ = (
        "_room",
        "active",
        "dismissed",
        "in_step",
        "key",
        "listener",
        "microphone",
        "page",
        "participant",
        "pulse",
        "reads",
        "said",
        "warned_of",
    )

    def __init__(
        self, room: Room, participant: Participant, microphone: Microphone, to: Listener
    ) -> None:
        self.participant = participant  # who sits here, with the role that a host gave them last
        self.microphone = microphone  # the page's microphone, which outlives the seat
        self.page: Page = microphone.page  # by which the room knows it again
        self.listener = to  # the page's socket
        self.key = b""  # digest of the login's or guest's key by which it came; the socket tells it
        self.active = True  # what the page was last told: see core.room.holders
        self.pulse = Pulse(answers=False)  # replaced when the page has promised to answer
        self.reads: str | None = None  # the code of a language; None: what was said as it was said
        self.said = 0  # messages of the page after its hello; the socket counts them
        self.dismissed = False  # closed by a host, or signed out: not expected back
        # Which of the space's budgets its host was last told to be nearly used up.
        self.warned_of: Period | None = None
        # What it has seen is what has these numbers, once it has taken in its welcome. Not after
        # they were given anew: its line may break before it learns of that.
        self.in_step = True
        self._room = room  # which the socket reaches only by this seat

    @property
    def standing(self) -> Standing:
        """What its participant is to the session now: a host may have changed that."""
        if self.dismissed:
            return Standing.REMOVED
        return standing(self.participant.state, self.participant.role)

    def take(self) -> None:
        """Have the participant's microphone and call on this page."""
        self._room.take(self)

    def used(self) -> None:
        """Note that the microphone was turned on."""
        self._room.active.used(self.page)

    def say(self, text: str) -> None:
        """Write a line into the chat. Raises WireError (chat_full)."""
        self._room.say(self.participant, text)

    def hand(self, up: bool) -> None:
        """Raise or lower the participant's hand."""
        self._room.roster.hand(self.participant.identity, up)

    def react(self, emoji: Emoji) -> None:
        """Show a reaction to everybody."""
        self._room.fanout.publish(Reaction(self.participant.identity, emoji))

    def read(self, language: str | None) -> None:
        """Show this page what is said in another language, where there is that, or as it is."""
        self._room.translations.show(self, language)

    def leave(self, *, closed: bool) -> bool:
        """Give the place up; `closed`: for good. Returns whether no other page is open."""
        self.microphone.left = closed
        return self._room.leave(self, closed=closed)
