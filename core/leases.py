"""Which rooms are this node's: claims them, renews the claims and gives them back.

A room is made in one process's memory, where its order and numbers are. PostgreSQL says in which:
by a lease that is renewed every few seconds, so that a node that died is followed by another, and
with an epoch, so that one that only seemed dead can't write any more. While the database is away
nobody can claim, and owners go on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass

import asyncpg

from core.database import Database
from core.store import rooms

log = logging.getLogger(__name__)

RENEW_EVERY_S = 5.0  # a third of the lease: two renewals may fail before anybody follows
NEWS_EVERY_S = 5.0  # at least between two notices that another node has the same room
MAX_NEWS = 1_000  # rooms of which the last notice is remembered


class RoomElsewhereError(Exception):
    """Another node has the room; whoever asks may try again later."""


class SessionGoneError(RoomElsewhereError):
    """The session was deleted: nobody has its room, and nobody ever will."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A room that is ours: the number of this owner, and whether it is the first of all."""

    epoch: int
    first: bool


class Leases:
    """The leases of one node."""

    def __init__(self, db: Database, node: str) -> None:
        self._db = db
        self._node = node  # this process's name, which the next one in its place has as well
        self._epochs: dict[str, int] = {}  # of the rooms that are ours, by session
        self._told: dict[str, float] = {}  # when a refused claim was last told of, by session
        # One claim or release at a time: a release that arrives after a new claim of the same
        # room, under the same epoch, would give away what was just taken.
        self._turn = asyncio.Lock()

    @property
    def held(self) -> list[str]:
        """The sessions whose rooms are ours, as far as we know."""
        return list(self._epochs)

    async def claim(self, session_id: str) -> Claim:
        """Claim a room. Raises RoomElsewhereError, SessionGoneError or DatabaseAwayError."""
        async with self._turn:
            try:
                claimed = await rooms.claim(self._db, session_id, self._node)
            except asyncpg.ForeignKeyViolationError as problem:
                raise SessionGoneError(session_id) from problem
        if claimed is None:
            await self._tell_refused(session_id)
            raise RoomElsewhereError(session_id)
        claim = Claim(*claimed)
        self._epochs[session_id] = claim.epoch
        return claim

    async def _tell_refused(self, session_id: str) -> None:
        now = time.monotonic()
        if now - self._told.pop(session_id, -NEWS_EVERY_S) < NEWS_EVERY_S:
            self._told[session_id] = now
            return
        self._told[session_id] = now
        if len(self._told) > MAX_NEWS:
            del self._told[next(iter(self._told))]
        lease = await rooms.find(self._db, session_id)
        if lease is not None:
            log.warning(
                "the room of session %s was asked for here (node %s), but is claimed by node %s:"
                " epoch %d, renewed %.1f s ago; its pages are told to try again",
                *(session_id, self._node, lease.node, lease.epoch, lease.age),
            )

    async def renew(self) -> set[str]:
        """Renew all leases; return the sessions whose rooms are another node's by now.

        Raises DatabaseAwayError, which changes nothing: whoever can't renew goes on.
        """
        asked = dict(self._epochs)
        if not asked:
            return set()
        gone = await rooms.renew(self._db, self._node, asked)
        lost = {one for one in gone if self._epochs.get(one) == asked[one]}
        for session_id in lost:
            del self._epochs[session_id]
        return lost

    async def release(self, sessions: Collection[str]) -> None:
        """Give rooms back, so that another node may have them at once.

        Raises DatabaseAwayError; nobody renews them then, so that they run out by themselves.
        """
        async with self._turn:
            epochs = {
                one: epoch for one in sessions if (epoch := self._epochs.pop(one, None)) is not None
            }
            if epochs:
                await rooms.release(self._db, self._node, epochs)
