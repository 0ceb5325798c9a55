"""Slowing down who floods: which new connections are refused, after some were closed for a flood.

A flood is closed within milliseconds, so what is left to an attacker is to come again. Three
considerations set the rules:

- The participant is what floods, and pays first: from the first flood on, for a minute, twice as
  long each time, up to a quarter of an hour. Others behind the same address notice nothing.
- Whoever may give themselves names, as guests may, comes back under another one. So an address pays
  as well once several floods came from it within half an hour.
- An address may be an office of hundreds behind one NAT, and one person in it must not be able to
  lock the others out. So an address is refused for a minute at most and never for more than half
  of the time, however many floods come. Who is in a room stays in it, and pages come back by
  themselves within seconds after that. What one flood costs the server, 20 ms, allows to be mild.

Mistakes that a broken page may make as well (audio faster than real time, bad messages) are
forgiven twice in half an hour.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field

MEMORY_S = 1800.0  # for which floods and mistakes count
FIRST_S, LONGEST_S = 60.0, 900.0  # that a participant is refused
FLOODS_OF_ADDRESS = 3.0  # within MEMORY_S that an address isn't refused for
ADDRESS_FIRST_S, ADDRESS_LONGEST_S = 10.0, 60.0  # that an address is refused
FORGIVEN = 2  # mistakes within MEMORY_S
MOST_COUNTED = 100  # floods and mistakes of one participant or address
MAX_KEPT = 10_000  # participants and addresses; who flooded longest ago is forgotten beyond that


@dataclass(slots=True)
class _Record:
    """What is known of one participant or address; times are monotonic, in seconds."""

    floods: deque[float] = field(default_factory=deque)
    mistakes: deque[float] = field(default_factory=deque)
    until: float = 0.0  # when it is no longer refused
    spared_until: float = 0.0  # an address: when it may be refused again


class SlowDown:
    """Who is refused for a while; RATE_LIMIT_FACTOR multiplies what an address may do."""

    def __init__(self, factor: float = 1.0) -> None:
        self._floods_of_address = min(FLOODS_OF_ADDRESS * factor, MOST_COUNTED - 1)
        self._people: OrderedDict[str, _Record] = OrderedDict()
        self._addresses: OrderedDict[str, _Record] = OrderedDict()

    def refused_for(self, address: str, identity: str, now: float | None = None) -> float:
        """Return for how many seconds this participant is still refused at this address."""
        now = time.monotonic() if now is None else now
        person, place = self._people.get(identity), self._addresses.get(address)
        until = max(person.until if person else 0.0, place.until if place else 0.0)
        return max(0.0, until - now)

    def mistaken(self, address: str, identity: str, now: float | None = None) -> None:
        """Note that a connection was closed for what may be a mistake."""
        now = time.monotonic() if now is None else now
        mistakes = _recent(self._record(self._people, identity).mistakes, now)
        mistakes.append(now)
        if len(mistakes) > FORGIVEN:
            self.flooded(address, identity, now)

    def flooded(self, address: str, identity: str, now: float | None = None) -> None:
        """Note that a connection was closed for a flood."""
        now = time.monotonic() if now is None else now
        person = self._record(self._people, identity)
        times = _recent(person.floods, now)
        person.until = now + min(LONGEST_S, FIRST_S * 2.0 ** len(times))
        times.append(now)
        place = self._record(self._addresses, address)
        times = _recent(place.floods, now)
        times.append(now)
        excess = len(times) - self._floods_of_address
        if excess >= 1 and now >= place.spared_until:
            seconds = min(ADDRESS_LONGEST_S, ADDRESS_FIRST_S * 2.0 ** min(excess - 1, 10))
            place.until = now + seconds
            place.spared_until = now + 2 * seconds

    @staticmethod
    def _record(kept: OrderedDict[str, _Record], key: str) -> _Record:
        record = kept.pop(key, None) or _Record()
        kept[key] = record
        if len(kept) > MAX_KEPT:
            kept.popitem(last=False)
        return record


def _recent(times: deque[float], now: float) -> deque[float]:
    """Forget what is long ago, and make room for one more."""
    while times and (now - times[0] > MEMORY_S or len(times) >= MOST_COUNTED):
        times.popleft()
    return times
