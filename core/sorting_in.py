"""Sorts in what was said before search could find it, a little at a time, until all of it is."""

from __future__ import annotations

import asyncio
import logging

from core.database import Database, DatabaseAwayError
from core.store import search_waiting

log = logging.getLogger(__name__)

PAUSE_S = 0.05  # after some lines, which take as long: others have their turn
LOOK_EVERY_S = 15.0  # whether a process that died left a session behind


async def sort_in_older(db: Database) -> None:
    """Sort in all that waits; several processes do it together. Returns when nothing is left."""
    while True:
        pause = LOOK_EVERY_S
        try:
            if await search_waiting.sort_in(db):
                pause = PAUSE_S
            elif not await search_waiting.is_any_left(db):
                return
        except DatabaseAwayError:
            log.debug("the database is away: what was said before is sorted in later")
        except Exception:
            log.exception("some lines could not be sorted in for search; it is tried again")
        await asyncio.sleep(pause)
