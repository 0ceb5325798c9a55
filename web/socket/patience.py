"""What one connection may get wrong or do too often, and what it costs who goes on like that."""

from __future__ import annotations

from core import audit
from core.rate_limit import Allowance
from core.room.wire import CLOSE_POLICY, CLOSE_TOO_FAST, CLOSE_UNSUPPORTED, ErrorCode
from core.slow_down import SlowDown

MAX_MISTAKES = 10  # bad messages and bad audio of one connection, after which it is closed
# Who does a thing too often isn't mistaken, but nobody clicks on after so many refusals, of which
# two a second are forgotten.
EAGER = {"too_much", "mic_too_often"}
EAGER_IN_HAND, EAGER_PER_S = 100, 2
AUDIO = {"bad_audio", "mic_off"}


class Patience:
    """Counts the refusals of one connection, and notes once why it was closed for them."""

    __slots__ = ("_address", "_eager", "_ended", "_floods", "_identity", "_mistakes")

    def __init__(self, floods: SlowDown, address: str, identity: str) -> None:
        self._floods = floods  # who may not come back for a while
        self._address = address
        self._identity = identity
        self._mistakes = 0
        self._eager = Allowance(EAGER_IN_HAND, EAGER_PER_S)
        self._ended = False  # what follows a close is told of no more

    def refused(self, code: ErrorCode) -> int | None:
        """Count a refusal; return the code to close with, if it was one too many."""
        if code in EAGER:
            return None if self._eager.spend() else CLOSE_POLICY
        self._mistakes += 1
        if code == "too_fast":
            return CLOSE_TOO_FAST
        if self._mistakes < MAX_MISTAKES:
            return None
        return CLOSE_UNSUPPORTED if code in AUDIO else CLOSE_POLICY

    def flooded(self, bound: str) -> None:
        """Note that the connection is closed for passing a bound again and again."""
        if not self._ended:
            self._ended = True
            self._floods.flooded(self._address, self._identity)
            who, address = self._identity, self._address
            audit.note("flood_closed", participant=who, bound=bound, address=address)

    def mistaken(self, code: ErrorCode) -> None:
        """Note that the connection is closed for mistakes."""
        if not self._ended:
            self._ended = True
            self._floods.mistaken(self._address, self._identity)
            who, address = self._identity, self._address
            audit.note("mistakes_closed", participant=who, why=code, address=address)
