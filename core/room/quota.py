"""How many sockets a session, an address and each participant may have at the same time.

How many connections an address and the process may have in all is bounded where they are accepted:
see web/http/connections.py.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

# Sockets of one participant: a few tabs and devices, and lines that are lost but not yet given up.
PER_PERSON = 8
# Each of so many gets all that the others say, so that work grows with the square of it.
PER_SESSION = 200
# Of these, for hosts and members alone: whoever has the link can be any number of guests, and a
# host who can't come in can't remove them.
KEPT_FOR_HOSTS = 20
# That guests of one address may have in a session, half of what guests may have in all: one person
# with many names leaves as much to everybody else, while a class or an office behind one address
# comes in. RATE_LIMIT_FACTOR multiplies it.
GUESTS_OF_ADDRESS = (PER_SESSION - KEPT_FOR_HOSTS) // 2


@dataclass(frozen=True, slots=True)
class Place:
    """A socket that was counted; `guest_at` is the address of a guest, None of a host or member."""

    session_id: str
    identity: str
    guest_at: str | None


class SocketQuota:
    """Counts sockets from before they are accepted, so that many at once can't pass the bounds."""

    def __init__(self, factor: float = 1.0) -> None:
        """`factor` multiplies what one address may do."""
        self._guests_of_address = max(1, round(GUESTS_OF_ADDRESS * factor))
        # How many are taken now, by session, and by session and whose they are. Counters drop what
        # falls to zero, so that nobody is kept for ever.
        self._all: Counter[str] = Counter()
        self._of_person: Counter[tuple[str, str]] = Counter()
        self._guests: Counter[str] = Counter()
        self._guests_at: Counter[tuple[str, str]] = Counter()

    @property
    def taken(self) -> int:
        """How many sockets are open or being opened, in all sessions."""
        return self._all.total()

    def acquire(self, session_id: str, identity: str, guest_at: str | None) -> Place | None:
        """Count one more socket; None, and nothing is counted, where that would be too many.

        `guest_at`: the address of a guest, None for a host or member of the session's space.
        """
        if self._of_person[session_id, identity] >= PER_PERSON:
            return None
        if self._all[session_id] >= PER_SESSION:
            return None
        if guest_at is not None:
            if self._guests[session_id] >= PER_SESSION - KEPT_FOR_HOSTS:
                return None
            if self._guests_at[session_id, guest_at] >= self._guests_of_address:
                return None
            self._guests[session_id] += 1
            self._guests_at[session_id, guest_at] += 1
        self._all[session_id] += 1
        self._of_person[session_id, identity] += 1
        return Place(session_id, identity, guest_at)

    def release(self, place: Place) -> None:
        """Count one socket less: one that was counted has closed or was never opened."""
        self._all -= Counter([place.session_id])
        self._of_person -= Counter([(place.session_id, place.identity)])
        if place.guest_at is not None:
            self._guests -= Counter([place.session_id])
            self._guests_at -= Counter([(place.session_id, place.guest_at)])
