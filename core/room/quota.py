"""How many sockets a session and each of its participants may have."""

from __future__ import annotations

from collections import Counter

# Sockets of one participant: a few tabs and devices, and lines that are lost but not yet given up.
PER_PERSON = 8
# Each of so many gets all that the others say, so that work grows with the square of it.
PER_SESSION = 200


class SocketQuota:
    """Counts sockets from before they are accepted, so that many at once can't pass the bounds."""

    def __init__(self) -> None:
        # How many are taken now. Counters drop what falls to zero, so that nobody is kept for ever.
        self._people: Counter[tuple[str, str]] = Counter()
        self._sessions: Counter[str] = Counter()

    def acquire(self, session_id: str, identity: str) -> bool:
        """Count one more socket; False, and nothing is counted, where that would be too many."""
        own, all_ = self._people[session_id, identity], self._sessions[session_id]
        if own >= PER_PERSON or all_ >= PER_SESSION:
            return False
        self._people[session_id, identity] = own + 1
        self._sessions[session_id] = all_ + 1
        return True

    def release(self, session_id: str, identity: str) -> None:
        """Count one socket less: one that was counted has closed or was never opened."""
        self._people -= Counter([(session_id, identity)])
        self._sessions -= Counter([session_id])
