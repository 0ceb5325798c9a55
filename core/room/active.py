"""Tells pages which of them is their participant's active one, and whose audio is taken."""

from __future__ import annotations

from collections.abc import Mapping

from core.model import Page
from core.room.fanout import Fanout
from core.room.holders import Holders
from core.room.wire import Active
from core.speech.microphone import Microphone


class ActivePages:
    """The active pages of one room, as `Holders` decides."""

    def __init__(self, fanout: Fanout, microphones: Mapping[Page, Microphone]) -> None:
        self._holders = Holders()  # decides, without knowing pages or microphones
        self._fanout = fanout  # whom to tell
        # The room's, which adds to them and forgets: of connected pages and of those that may
        # still come back, as their audio is on its way.
        self._microphones = microphones

    def has(self, page: Page) -> bool:
        """Whether this page has its participant's microphone and call."""
        return self._holders.is_active(*page)

    def came(self, page: Page, held: bool | None, *, known: bool) -> bool:
        """Note a page that connects, and return whether it is the active one.

        `held` is what it was last told; None when it is fresh, or, if it is `known` here, when it
        is a client that doesn't tell: that one is what it was.
        """
        if known and held is None:
            held = self.has(page)
        self._holders.came(*page, held)
        if not (self.has(page) or known):
            # Nothing tells when its audio was spoken, whether before it stopped being the active
            # page or after: it may be there twice, so none of it is taken.
            self._microphones[page].stand_by(0.0)
        return self.has(page)

    def take(self, page: Page) -> None:
        """Make this the active page, as its person wants."""
        self._holders.take(*page)
        self.tell(page[0])

    def used(self, page: Page) -> None:
        """Note that a page's microphone was turned on."""
        self._holders.used(*page)

    def left(self, page: Page, heir: Page | None) -> None:
        """Note that a page was closed for good; `heir` is the newest that its person has left."""
        self._holders.left(*page, None if heir is None else heir[1])
        self.tell(page[0])

    def tick(self) -> None:
        """Once a second: pass on the places whose page is gone."""
        pages: dict[str, list[str]] = {}
        for seat in self._fanout.seats:
            identity, client = seat.page
            pages.setdefault(identity, []).append(client)
        for identity in self._holders.tick(pages):
            self.tell(identity)

    def forget(self, identity: str) -> None:
        """Forget a participant, unless one of their pages may still come back."""
        if not any(who == identity for who, _ in self._microphones):
            self._holders.forget(identity)

    def tell(self, identity: str) -> None:
        """Let the pages of a participant know which of them is active, where it has changed."""
        # Microphones first: a page that has lost its connection takes no more audio either, and
        # learns why when it is back.
        for page, microphone in self._microphones.items():
            if page[0] == identity and self.has(page):
                microphone.go_on()
            elif page[0] == identity:
                microphone.stand_by()
        for seat in self._fanout.of(identity):
            active = self.has(seat.page)
            if active != seat.active:
                seat.active = active
                self._fanout.send_to([seat], Active(active))
