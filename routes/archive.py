"""Everything of a space as one file, for its owners."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from core import audit
from core.access import SpaceAction, look_at_space
from core.archive import Source, written
from core.database import DatabaseAwayError
from core.store import space_events
from core.transcript.exports import file_name
from routes.exports import attached, nothing
from routes.spaces import look
from web.addresses import address_of
from web.pieces import AsItIsMade
from web.request import person_of, services
from web.tokens import READ, ask_again, token
from web.wording import Wording
from web.words import gettext

KIND = "application/zip"


@token(READ)
async def save(request: Request) -> Response:
    """GET /spaces/{space}/archive.zip: owners of the space, all of it, while it is read."""
    parts = services(request)
    at = await look(request, SpaceAction.ARCHIVE, parts.limits.export)
    now = datetime.now(UTC)
    headers = attached(file_name(at.space.name, now, "zip", gettext("Space")))
    if request.method == "HEAD":
        return StreamingResponse(nothing(), headers=headers, media_type=KIND)

    async def still() -> None:
        """Ask anew who asks, and whether they may."""
        await ask_again(request)
        person = await person_of(request)
        await look_at_space(parts.db, parts.settings, person, at.space.id, SpaceAction.ARCHIVE)

    source = Source(
        parts.db,
        parts.reader,
        at.space.id,
        parts.settings.public_url,
        Wording(),
        gettext("Transcript"),
        still,
        parts.archived,
    )
    leave = parts.archives.enter(at.person.id)
    try:
        pieces = written(source, now)
        first = await anext(pieces)  # what fails does so before 200
        with suppress(DatabaseAwayError):  # one that takes no writes gives the file all the same
            await space_events.note(parts.db, at.space.id, at.person, "archived")
    except BaseException:
        leave()
        raise
    audit.note(
        "space_act", act="archive", space=at.space.id, by=at.person.id, address=address_of(request)
    )
    return AsItIsMade(first, pieces, leave, headers, KIND)
