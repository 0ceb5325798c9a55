"""Who knocks at a session and waits for a host."""

from __future__ import annotations

import time
from dataclasses import dataclass

from core.model import Participant

MAX_DENIED = 20  # per session that hosts are shown
MAX_SESSIONS = 1_000  # whose denied people are in memory; a host who comes reads them anew
KNOCK_TIMEOUT_S = 8.0  # seconds after the last knock; a page that waits knocks every 2.5 s


@dataclass(slots=True)
class _Knock:
    participant: Participant
    heard_at: float  # when its page asked last, a monotonic time


class Knocks:
    """Remembers knocks until they are answered, or until nobody knocks any more.

    What a host decides is kept in the database; that somebody is still there, only here.
    """

    def __init__(self) -> None:
        # Who waits, by session and identity, in the order they came. Nobody stays for longer than
        # KNOCK_TIMEOUT_S after their page asked last, so that this needs no other bound.
        self._sessions: dict[str, dict[str, _Knock]] = {}
        self._denied: dict[str, list[Participant]] = {}  # the session that changed last is last

    def of(self, session_id: str) -> list[Participant]:
        """Return who waits, in the order they came."""
        return [knock.participant for knock in self._sessions.get(session_id, {}).values()]

    def knock(self, session_id: str, participant: Participant) -> bool:
        """Note a knock. Returns whether it is news."""
        waiting = self._sessions.setdefault(session_id, {})
        known = waiting.get(participant.identity)
        if known is not None and known.participant == participant:
            known.heard_at = time.monotonic()
            return False
        waiting[participant.identity] = _Knock(participant, time.monotonic())
        return True

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
