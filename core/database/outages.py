"""Outages: which errors of PostgreSQL pass by themselves, what they mean, and when they are over.

A server that takes no writes, has no space or cancels statements is as good as away for who asks,
and unlike a mistake in a statement it comes back. What tells one from the other is here alone, and
so is what is told of it: one line in the log when an outage begins, one for each further reason,
one when it is over; `/health` asks what there is at this moment.

When one is over is told by what succeeds. Reads go on while writes are refused, and other tables
while one is locked: after those, only the statement that was refused says anything. Each statement
is a constant of ours, so there are few to remember.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from enum import Enum, auto

import asyncpg

from core.database.errors import DatabaseAwayError, DatabaseRefusesError
from core.metrics import DATABASE_ERRORS
from core.words import N_

log = logging.getLogger(__name__)

# After so long without a refusal a statement is taken for possible again: nobody may ask for it
# any more. Longer than what waits to be stored pauses (10 s) and waits for an answer (10 s).
FORGET_AFTER_S = 25.0
# A statement that was cancelled once, or lost a lock to another, says little of the server; so
# many in one outage do, and then `/health` says so until none was refused for so long: longer than
# the 12 s after which what happens by itself is refused again.
MANY = 3
BUSY_FOR_S = 15.0

WRITES = ("INSERT", "UPDATE", "DELETE")


class Over(Enum):
    """What shows that it is over, besides the success of the same statement."""

    ANYTHING = auto()  # any statement that succeeds
    WRITE = auto()  # one that writes
    INSERT = auto()  # one that inserts: an update of a row may need no further space
    NOTHING = auto()


@dataclass(frozen=True, slots=True)
class OutageKind:
    """One kind of outage: its code in `/health`, its sentence in the log and at starts, its end."""

    code: str
    sentence: str
    over: Over


AWAY = OutageKind("away", N_("PostgreSQL is away"), Over.ANYTHING)
REFUSED = OutageKind(
    "refused", N_("PostgreSQL refuses the user or the password in DATABASE_URL"), Over.ANYTHING
)
NO_DATABASE = OutageKind(
    "refused",
    N_("PostgreSQL has no database of the name in DATABASE_URL: create it"),
    Over.ANYTHING,
)
NO_RIGHT = OutageKind(
    "refused", N_("PostgreSQL doesn't let our user do what it must"), Over.NOTHING
)
BUSY = OutageKind("busy", N_("PostgreSQL doesn't get to our statements"), Over.NOTHING)
READ_ONLY = OutageKind("read-only", N_("PostgreSQL takes no writes: it is read-only"), Over.WRITE)
FULL = OutageKind("full", N_("PostgreSQL takes no writes: its disk is full"), Over.INSERT)
NO_MEMORY = OutageKind("no memory", N_("PostgreSQL is out of memory"), Over.INSERT)
BROKEN = OutageKind("broken", N_("PostgreSQL can't use its files"), Over.INSERT)

# The first that fits. Whoever is refused while we run may be let in again: somebody has changed a
# password, a name or a right.
PASSING: tuple[tuple[type[BaseException], OutageKind], ...] = (
    (asyncpg.InvalidAuthorizationSpecificationError, REFUSED),
    (asyncpg.InvalidCatalogNameError, NO_DATABASE),
    (asyncpg.InsufficientPrivilegeError, NO_RIGHT),
    (asyncpg.ReadOnlySQLTransactionError, READ_ONLY),
    (asyncpg.DiskFullError, FULL),
    (asyncpg.TooManyConnectionsError, AWAY),
    (asyncpg.InsufficientResourcesError, NO_MEMORY),
    (asyncpg.PostgresSystemError, BROKEN),  # also a disk that fails
    (asyncpg.QueryCanceledError, BUSY),  # statement_timeout, or an administrator
    (asyncpg.LockNotAvailableError, BUSY),
    (asyncpg.DeadlockDetectedError, BUSY),
    (asyncpg.SerializationError, BUSY),
    (asyncpg.TransactionTimeoutError, BUSY),
    (asyncpg.IdleInTransactionSessionTimeoutError, BUSY),
    (asyncpg.OperatorInterventionError, AWAY),  # it stops, starts, or has crashed
    (asyncpg.PostgresConnectionError, AWAY),
    (asyncpg.InterfaceError, AWAY),
    (TimeoutError, AWAY),
    (OSError, AWAY),
)
PASSING_ERRORS = tuple(kind for kind, _ in PASSING)


def reason_of(problem: BaseException, *, connected: bool = True) -> OutageKind:
    """Return what an error of PASSING_ERRORS means.

    `connected` tells a statement that took too long from a server that doesn't let us in.
    """
    if connected and isinstance(problem, TimeoutError):
        return BUSY
    return next(reason for kind, reason in PASSING if isinstance(problem, kind))


def named(problem: BaseException) -> str:
    """Name what went wrong; messages may hold addresses and what people said."""
    return type(problem.__cause__ or problem).__name__


@dataclass(slots=True)
class _Refusal:
    """That a statement isn't possible."""

    reason: OutageKind
    at: float  # of the last time, by the monotonic clock, in seconds


class Outages:
    """What doesn't work at this moment, by statement."""

    def __init__(self) -> None:
        self._refusals: dict[str, _Refusal] = {}  # by the statement's text; empty: all is well
        self._told: set[str] = set()  # what the log was told since this outage began
        self._began = 0.0  # of this outage, by the monotonic clock, in seconds
        self._busy = 0  # refusals of BUSY since this outage began

    @property
    def current(self) -> OutageKind | None:
        """What `/health` should say; None when all is well, as far as was tried."""
        self._forget()
        return next((one.reason for one in self._refusals.values() if self._counts(one)), None)

    def _counts(self, refusal: _Refusal) -> bool:
        if refusal.reason is not BUSY:
            return True
        return self._busy >= MANY and time.monotonic() - refusal.at < BUSY_FOR_S

    def failed(self, statement: str, problem: BaseException, *, connected: bool) -> Exception:
        """Note that a statement isn't possible; return what its caller is told."""
        reason = reason_of(problem, connected=connected)
        DATABASE_ERRORS.labels(reason.code).inc()
        now = time.monotonic()
        if not self._refusals:
            self._began = now
        self._refusals[statement] = _Refusal(reason, now)
        self._busy += reason is BUSY
        news = f"{reason.sentence} ({named(problem)})"
        if news not in self._told:
            self._told.add(news)
            log.warning("%s", news)
        refuses = reason.over in (Over.WRITE, Over.INSERT)
        return (DatabaseRefusesError if refuses else DatabaseAwayError)(reason.code)

    def worked(self, statement: str) -> None:
        """Note that a statement was possible, and what that shows of others."""
        if not self._refusals:
            return
        shown = {Over.ANYTHING}
        if any(word in statement for word in WRITES):
            shown.add(Over.WRITE)
        if "INSERT" in statement:
            shown.add(Over.INSERT)
        self._refusals.pop(statement, None)
        over = [text for text, one in self._refusals.items() if one.reason.over in shown]
        for text in over:
            del self._refusals[text]
        self._forget()

    def _forget(self) -> None:
        """Let go of what nobody has asked for lately, and tell when nothing is left."""
        now = time.monotonic()
        old = [text for text, one in self._refusals.items() if now - one.at > FORGET_AFTER_S]
        for text in old:
            del self._refusals[text]
        if self._told and not self._refusals:
            log.warning("PostgreSQL is back after %.0f s", now - self._began)
            self._told.clear()
            self._busy = 0
