"""Who may see somebody's picture: whoever sees them."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from core.access.problems import NotFoundError
from core.database import Database
from core.model import Person
from core.store import avatars


async def picture(
    db: Database, avatar: str, person: Person | None, guests: Collection[bytes]
) -> bytes:
    """Return the picture of an id to who is signed in, or is a guest by keys of these digests.

    Raises NotFoundError for who shares neither a space nor a session with whose it is.
    """
    try:
        found = await avatars.find(db, UUID(avatar), person.id if person else None, guests)
    except ValueError:
        found = None
    if found is None:
        raise NotFoundError
    return found
