"""Who knocks at a session and waits for a host."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from core.model import Participant
from core.problems import ProblemError

MAX_DENIED = 20  # per session that hosts are shown
MAX_SESSIONS = 1_000  # whose denied people are in memory; a host who comes reads them anew
KNOCK_TIMEOUT_S = 8.0  # seconds after the last knock; a page that waits knocks every 2.5 s
# Open at the same time, per session: a host can read that many names, and each of them costs every
# host's page a line whenever somebody comes or goes.
MAX_KNOCKS = 100
# … from one address: of a class behind one NAT the others come next, once some were answered, and
# the many names of one attacker can be sent away by hand. RATE_LIMIT_FACTOR multiplies it.
MAX_KNOCKS_OF_ADDRESS = 20


class TooManyKnocksError(ProblemError):
    """So many wait for a host already that nobody more is shown; a page asks again by itself."""

    status, code, retry_after = 429, "too_many_knocks", 5


@dataclass(slots=True)
class _Knock:
    participant: Participant
    address: str  # where it came from
    heard_at: float  # when its page asked last, a monotonic time


class Knocks:
    """Remembers knocks until they are answered, or until nobody knocks any more.

    What a host decides is kept in the database; that somebody is still there, only here.
    """

    def __init__(self, factor: float = 1.0) -> None:
        """`factor` multiplies what one address may do."""
        self._of_address = min(MAX_KNOCKS, max(1, round(MAX_KNOCKS_OF_ADDRESS * factor)))
        # Who waits, by session and identity, in the order they came. Nobody stays for longer than
        # KNOCK_TIMEOUT_S after their page asked last.
        self._sessions: dict[str, dict[str, _Knock]] = {}
        self._denied: dict[str, list[Participant]] = {}  # the session that changed last is last

    def of(self, session_id: str) -> list[Participant]:
        """Return who waits, in the order they came."""
        return [knock.participant for knock in self._sessions.get(session_id, {}).values()]

    def identities(self) -> list[str]:
        """Return everybody who waits, in any session."""
        return [identity for waiting in self._sessions.values() for identity in waiting]

    def knock(self, session_id: str, participant: Participant, address: str) -> bool:
        """Note a knock from an address. Returns whether it is news. Raises TooManyKnocksError."""
        waiting = self._sessions.get(session_id, {})
        known = waiting.get(participant.identity)
        if known is not None and known.participant == participant:
            known.heard_at = time.monotonic()
            return False
        if known is None:
            self._make_room(waiting, address)
        waiting[participant.identity] = _Knock(participant, address, time.monotonic())
        self._sessions[session_id] = waiting
        return True

    def _make_room(self, waiting: dict[str, _Knock], address: str) -> None:
        """See that one more may wait. Raises TooManyKnocksError.

        In a full list the address with most gives its last place to one that has two less, so that
        nobody with five addresses can keep everybody else from being seen.
        """
        counts = Counter(knock.address for knock in waiting.values())
        if counts[address] >= self._of_address:
            raise TooManyKnocksError
        if len(waiting) < MAX_KNOCKS:
            return
        most = max(counts, key=lambda one: counts[one])
        if counts[address] + 1 >= counts[most]:
            raise TooManyKnocksError
        del waiting[next(key for key in reversed(waiting) if waiting[key].address == most)]

    def forget(self, session_id: str, identity: str) -> bool:
        """Forget somebody who was answered. Returns whether they waited."""
        waiting = self._sessions.get(session_id, {})
        found = waiting.pop(identity, None) is not None
        if not waiting:
            self._sessions.pop(session_id, None)
        return found

    def denied(self, session_id: str) -> list[Participant]:
        """Return whom hosts may still admit, as they were set last."""
        return self._denied.get(session_id, [])

    def set_denied(self, session_id: str, denied: list[Participant]) -> bool:
        """Note who is denied, as the database has it. Returns whether it is news."""
        if self.denied(session_id) == denied:
            return False
        self._denied.pop(session_id, None)
        if denied:
            self._denied[session_id] = denied
        while len(self._denied) > MAX_SESSIONS:
            del self._denied[next(iter(self._denied))]
        return True

    def tick(self, now: float) -> list[str]:
        """Forget who went away, and return the sessions where that happened (once a second)."""
        gone = [
            (session_id, identity)
            for session_id, waiting in self._sessions.items()
            for identity, knock in waiting.items()
            if now - knock.heard_at > KNOCK_TIMEOUT_S
        ]
        for session_id, identity in gone:
            self.forget(session_id, identity)
        return list({session_id for session_id, _ in gone})
