"""What was found last, for those who may ask often: the start, /setup and /health/ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from core.checks.outcome import Outcome, State, worst
from core.checks.run import CHECKS, OUTSIDE, Check, run
from core.settings import Settings, as_far_as_valid

FRESH_S = 3.0  # outcomes this young are shown again: a second click asks nobody anew
OLD_S = 60.0  # outcomes this old are found anew for who asks for what is known; anybody may do that


class Watch:
    """Runs the checks for a process that serves, one round at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.latest: list[Outcome] = []  # of the last round; empty before the first
        self._whole = False  # whether that round asked from outside, too
        self._at = float("-inf")  # when it ended, by the monotonic clock
        self._round = asyncio.Lock()
        self._asking: asyncio.Task[list[Outcome]] | None = None  # a round that nobody waits for

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

    def known(self) -> dict[str, State]:
        """Return what is known of each check, without waiting: codes, and nothing that is secret.

        In production what is old is found anew meanwhile; elsewhere nothing is asked unasked.
        """
        if self._settings.production and time.monotonic() - self._at > OLD_S:
            self.begin()
        names = dict.fromkeys(one.check for one in self.latest)
        return {name: worst([one for one in self.latest if one.check == name]) for name in names}

    def begin(self) -> asyncio.Task[list[Outcome]]:
        """Begin a round from inside, unless one is under way; return it."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self.look(outside=False))
        return self._asking

    async def close(self) -> None:
        """End the round that nobody waits for."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])


async def look_once(environ: Mapping[str, str], secret: str) -> list[Outcome]:
    """Run all checks for an environment that may not even be valid, in no server.

    `secret` is what signs logins where NEXTAUTH_SECRET is unset; empty: nobody has served yet.
    """
    settings, wrong = as_far_as_valid(environ, secret)
    if not settings.login_secret:
        return await run(settings, wrong)
    return await run(settings, wrong, (*CHECKS, *OUTSIDE))
