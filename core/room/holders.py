"""Which of a participant's pages is the active one: it has the microphone and the call.

Two tabs, or a laptop and a phone, are one participant. If both sent what they hear, every
sentence would be there twice. So one page holds the place, and the newest gets it: whoever
opens a second page means to use that one. Others may take it by a message. What happens by
itself is weaker than what a person did: a page that inherits the place because the active one
vanished gives it back when that one returns, unless it was used meanwhile.

Time is counted in ticks of a second, so that a process that stood still takes nobody for gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

GONE_AFTER = 12  # ticks; a page that lost its network is usually back before


@dataclass(slots=True)
class _Holder:
    client: str  # the page's name for itself; empty while it isn't known who holds the place
    chosen: bool  # whether a person had a hand in it
    gone: int = 0  # ticks since the page was last seen


class Holders:
    """The active page of each participant of one room."""

    def __init__(self) -> None:
        self._of: dict[str, _Holder] = {}  # by identity; whoever isn't in it has no active page

    def is_active(self, identity: str, client: str) -> bool:
        """Whether this page has its participant's microphone and call."""
        holder = self._of.get(identity)
        return holder is not None and holder.client == client

    def came(self, identity: str, client: str, held: bool | None) -> None:
        """Note a page that connects. `held`: whether it was active; None when it is fresh."""
        holder = self._of.get(identity)
        if held is None or (held and (holder is None or not holder.chosen)):
            self.take(identity, client)
        elif holder is None:
            # After a restart: the page that held the place is on its way too, if it still is.
            self._of[identity] = _Holder("", chosen=False)

    def take(self, identity: str, client: str) -> None:
        """Make this the active page, as its person wants."""
        self._of[identity] = _Holder(client, chosen=True)

    def used(self, identity: str, client: str) -> None:
        """Note that a microphone was turned on: who inherited the place keeps it now."""
        holder = self._of.get(identity)
        if holder is not None and holder.client == client:
            holder.chosen = True

    def left(self, identity: str, client: str, heir: str | None) -> None:
        """Note that a page was closed for good; `heir` is the newest that its person has left."""
        if heir is not None and self.is_active(identity, client):
            self._of[identity] = _Holder(heir, chosen=False)

    def tick(self, pages: Mapping[str, list[str]]) -> list[str]:
        """Once a second: pass on the places whose page is gone; return who is concerned.

        `pages` names the pages of each participant that answer, the newest last.
        """
        passed = []
        for identity, holder in self._of.items():
            here = pages.get(identity, [])
            if holder.client in here:
                holder.gone = 0
                continue
            holder.gone += 1
            if here and holder.gone > GONE_AFTER:
                self._of[identity] = _Holder(here[-1], chosen=False)
                passed.append(identity)
        return passed

    def forget(self, identity: str) -> None:
        """Forget a participant none of whose pages is remembered any more."""
        self._of.pop(identity, None)
