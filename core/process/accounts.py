"""What an operator does to accounts from the command line, beside servers that run or don't."""

from __future__ import annotations

import asyncio

from core.database import Database, EmbeddedPostgres
from core.settings import Settings
from core.store import people


def set_disabled(settings: Settings, email: str, *, disabled: bool) -> tuple[int, str]:
    """Disable or enable whoever has this e-mail address.

    Returns an exit code and what to tell: an address belongs to nobody, or to several accounts.
    Servers close the pages of who is disabled within seconds. Raises DatabaseStartError.
    """
    embedded = EmbeddedPostgres(settings.data_dir)
    try:
        url = settings.database_url or embedded.start()
        changed = asyncio.run(_changed(url, email, disabled=disabled))
    finally:
        embedded.stop()
    if not changed:
        return 1, f"Nobody has signed in here as {email}."
    accounts = "1 account" if changed == 1 else f"{changed} accounts"
    if disabled:
        return 0, f"Disabled {accounts} of {email}: signed out everywhere, within seconds."
    return 0, f"Enabled {accounts} of {email}: whoever it is can sign in again."


async def _changed(url: str, email: str, *, disabled: bool) -> int:
    db = Database(url)
    await db.connect()
    try:
        return len(await people.set_disabled(db, email, disabled=disabled))
    finally:
        await db.disconnect()
