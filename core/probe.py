"""What a page may do to try `/ws` without being in a room: docs/protocol.md has it."""

from __future__ import annotations

from collections import Counter

SUBPROTOCOL = "sessions.probe.v1"
MOST_S = 12.0  # seconds of one probe; a page takes six
MOST_MESSAGES = 64  # a page sends some thirty
LARGEST = 3208  # bytes of a message, as the longest frame of audio has
END = "end"  # the text that ends it
CLOSE_END = 4490  # how it is closed then: no proxy makes such a code up

AT_ONCE = 100  # of the process: 64 messages of 3 kB each is what one can have on its way
AT_ONCE_OF_ADDRESS = 10  # RATE_LIMIT_FACTOR multiplies it


class ProbeQuota:
    """Counts probes from before they are accepted."""

    def __init__(self, factor: float = 1.0) -> None:
        self._of_address = max(1, round(AT_ONCE_OF_ADDRESS * factor))
        self._at: Counter[str] = Counter()

    def acquire(self, address: str) -> bool:
        """Count one more; False, and it isn't counted, where that would be too many."""
        if self._at.total() >= AT_ONCE or self._at[address] >= self._of_address:
            return False
        self._at[address] += 1
        return True

    def release(self, address: str) -> None:
        """Count one less."""
        self._at -= Counter([address])
