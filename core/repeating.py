"""A job that is done again and again, whatever becomes of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from core.database import DatabaseAwayError

log = logging.getLogger(__name__)


async def again_and_again(job: Callable[[], Awaitable[None]], every: float) -> None:
    """Do a job, and again so many seconds after it has ended or failed; never returns."""
    while True:
        try:
            await job()
        except DatabaseAwayError:
            log.debug("the database is away: what happens by itself waits")
        except Exception:
            log.exception("a job failed and is tried again")
        await asyncio.sleep(every)
