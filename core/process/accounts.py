"""What an operator does to accounts from the command line, beside servers that run or don't."""

from __future__ import annotations

import asyncio

from core.database import Database, EmbeddedPostgres
from core.settings import Settings
from core.store import people


def set_disabled(settings: Settings, email: str, *, disabled: bool) -> int:
    """Disable or enable whoever has this e-mail address, and return how many accounts have it.

    An address may belong to nobody, or to several accounts. Servers close the pages of who is
    disabled within seconds. Raises DatabaseStartError.
    """
    embedded = EmbeddedPostgres(settings.data_dir)
    try:
        db = Database(settings.database_url or embedded.start(), settings.database_schema)
        return asyncio.run(_changed(db, email, disabled=disabled))
    finally:
        embedded.stop()


async def _changed(db: Database, email: str, *, disabled: bool) -> int:
    await db.connect()
    try:
        return len(await people.set_disabled(db, email, disabled=disabled))
    finally:
        await db.disconnect()
