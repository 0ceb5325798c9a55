"""What was found last, for those who may ask often: the start, /setup and /health/ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from core.checks.outcome import Outcome
from core.checks.run import CHECKS, OUTSIDE, Check, run
from core.settings import Settings, as_far_as_valid

FRESH_S = 3.0  # outcomes this young are shown again: a second click asks nobody anew


class Watch:
    """Runs the checks for a process that serves, one round at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.latest: list[Outcome] = []  # of the last round; empty before the first
        self._whole = False  # whether that round asked from outside, too
        self._at = float("-inf")  # when it ended, by the monotonic clock
        self._round = asyncio.Lock()

    async def look(self, *, outside: bool) -> list[Outcome]:
        """Run a round and return what it found; what was found a moment ago is returned as it is.

        `outside` also asks the address that people open, which must be served by then.
        """
        async with self._round:
            young = time.monotonic() - self._at < FRESH_S
            if not (young and self._whole >= outside):
                checks: tuple[Check, ...] = (*CHECKS, *OUTSIDE) if outside else CHECKS
                self.latest = await run(self._settings, checks=checks)
                self._at, self._whole = time.monotonic(), outside
            return self.latest


async def look_once(environ: Mapping[str, str], secret: str) -> list[Outcome]:
    """Run all checks for an environment that may not even be valid, in no server.

    `secret` is what signs logins where NEXTAUTH_SECRET is unset; empty: nobody has served yet.
    """
    settings, wrong = as_far_as_valid(environ, secret)
    if not settings.login_secret:
        return await run(settings, wrong)
    return await run(settings, wrong, (*CHECKS, *OUTSIDE))
