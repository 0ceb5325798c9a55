"""Rate limits per client, in memory: enough for the one process that serves."""

from __future__ import annotations

import itertools
import math
import time
from collections import OrderedDict
from dataclasses import dataclass

from core.problems import ProblemError

WINDOW = 60.0  # seconds
HOUR = 3600.0
MAX_CLIENTS = 10_000  # the longest silent ones are forgotten beyond that


class TooManyRequestsError(ProblemError):
    """The client must wait; `retry_after` is in whole seconds."""

    status, code = 429, "too_many_requests"

    def __init__(self, retry_after: int) -> None:
        super().__init__("too many requests")
        self.retry_after: int = retry_after


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Allowance:
    """How often one connection does one thing: `in_hand` at once, then `per_second`.

    By the generic cell rate algorithm, which needs one number to know all that was.
    """

    __slots__ = ("_done_at", "_in_hand", "_seconds_each")

    def __init__(self, in_hand: float, per_second: float) -> None:
        self._seconds_each = 1 / per_second
        self._in_hand = in_hand / per_second  # seconds
        # When all so far was done at the earliest if it had come at this rate, a monotonic time.
        self._done_at = 0.0

    def spend(self, now: float | None = None) -> bool:
        """Count one; False, and it isn't counted, when that is more than allowed."""
        now = time.monotonic() if now is None else now
        done_at = max(self._done_at, now - self._in_hand) + self._seconds_each
        if done_at > now:
            return False
        self._done_at = done_at
        return True


class RateLimiter:
    """Allows so many actions a minute (or `window` of seconds) and client, at once or in turn."""

    def __init__(self, actions: float, window: float = WINDOW) -> None:
        self._rate = actions / window
        self._size = max(1.0, actions)
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def check(self, client: str, now: float | None = None) -> None:
        """Count one action. Raises TooManyRequestsError."""
        now = time.monotonic() if now is None else now
        bucket = self._buckets.pop(client, None) or _Bucket(self._size, now)
        self._forget(now)
        self._buckets[client] = bucket
        bucket.tokens = self._left(bucket, now)
        bucket.filled_at = now
        if bucket.tokens < 1:
            raise TooManyRequestsError(max(1, math.ceil((1 - bucket.tokens) / self._rate)))
        bucket.tokens -= 1

    def _forget(self, now: float) -> None:
        """Forget others who have been silent for so long that all is allowed to them again.

        Two at most: each call adds one, so that they get fewer, and none takes long.
        """
        for silent in [*itertools.islice(self._buckets, 2)]:
            full = self._left(self._buckets[silent], now) >= self._size
            if not full and len(self._buckets) < MAX_CLIENTS:
                return
            del self._buckets[silent]

    def _left(self, bucket: _Bucket, now: float) -> float:
        return min(self._size, bucket.tokens + (now - bucket.filled_at) * self._rate)
