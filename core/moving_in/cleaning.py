"""Values of the old tables made fit for ours, and ids for what is copied, the same each time."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

# Of what is copied: an id of ours is made of the old one, so that a second run makes no other.
NAMESPACE = UUID("5a1f0c6e-3f9b-5c39-9d0e-2a54e5b7c001")
EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)  # nothing of that product is older
AHEAD = timedelta(days=1)  # that another clock may be before ours
MAX_COUNT = 2**31 - 1


def id_of(kind: str, old: str) -> UUID:
    """Return the id of what is copied from a row of this kind with this id."""
    return uuid5(NAMESPACE, f"{kind}:{old}")


def identity_of(old: str) -> str:
    """Return a participant's identity; see core.store.participants.new_identity."""
    return f"p_{hashlib.sha256(f'{NAMESPACE}:{old}'.encode()).hexdigest()[:24]}"


class Clock:
    """Reads times, and knows which can't be: `odd` says whether one since `start` was."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.odd = False

    def start(self) -> None:
        """Begin with another row."""
        self.odd = False

    def read(self, seconds: float | None) -> datetime | None:
        """Return a time of the old tables, None when there is none or it can't be."""
        if seconds is None:
            return None
        try:
            found = datetime.fromtimestamp(seconds, UTC)
        except (OverflowError, ValueError, OSError):
            found = EARLIEST - AHEAD
        if EARLIEST <= found <= self.now + AHEAD:
            return found
        self.odd = True
        return None


def count_of(number: float | None) -> int:
    """Return a count, at least 0 and small enough for a column."""
    if number is None or not math.isfinite(number):
        return 0
    return int(min(max(number, 0), MAX_COUNT))


def parsed(text: str | None) -> Any:
    """Return what JSON says, None when it isn't any."""
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
