"""Who uploads recordings into a space, and who sees and changes them until they are sessions."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from core.access.problems import NotFoundError, SignedOutError
from core.access.spaces import SPACE_MAY, SpaceAction, SpaceStanding
from core.database import Database
from core.model import Person
from core.store import uploads
from core.store.uploads import Upload


@dataclass(frozen=True, slots=True)
class UploadLook:
    """An upload, and who asks: they may see and stop it."""

    upload: Upload
    person: Person

    @property
    def own(self) -> Upload:
        """The upload to who made it, and may do all with it. Raises NotFoundError for others."""
        if self.upload.created_by != self.person.id:
            raise NotFoundError
        return self.upload


async def look_at_upload(db: Database, person: Person | None, upload_id: str) -> UploadLook:
    """Return an upload to who made it, as long as they are a member of its space, and its owners.

    Raises SignedOutError for nobody known, whether it exists or not, NotFoundError for others.
    """
    if person is None:
        raise SignedOutError
    try:
        found = await uploads.find(db, UUID(upload_id), person.id)
    except ValueError:
        raise NotFoundError from None
    if found is None:
        raise NotFoundError
    upload, membership = found
    own = upload.created_by == person.id
    action = SpaceAction.UPLOAD if own else SpaceAction.UPLOAD_ANY
    if SpaceStanding[membership] not in SPACE_MAY[action]:
        raise NotFoundError
    return UploadLook(upload, person)
