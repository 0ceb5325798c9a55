"""The sound of what was said, where a session's space has it kept: for who may read it."""

from __future__ import annotations

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from core.access import NotFoundError
from core.audio.archived import reading
from core.store import recordings
from core.store.recordings import Recording
from web.guard import limit
from web.ranged import Content, Ranged
from web.request import look, services
from web.tokens import READ, token

KIND = "audio/ogg"


@token(READ)
async def recording(request: Request) -> Response:
    """GET /s/{slug}/audio/{recording}: Ogg Opus, also a part of it by `Range`.

    Nothing keeps it on its way: what is deleted here is nowhere else.
    """
    at = await look(request)
    if not at.may_hear:
        raise NotFoundError
    limit(services(request).limits.hearing, request, at.who)
    try:
        found = await recordings.find(
            services(request).db, at.session.id, UUID(request.path_params["recording"])
        )
    except ValueError:
        found = None
    if found is None:
        raise NotFoundError
    leave = services(request).listeners.enter(at.who or "")
    try:
        return Ranged(
            request.headers,
            await _content(request, found),
            {"Cache-Control": "private, no-store", "Content-Disposition": "inline"},
            leave,
        )
    except BaseException:
        leave()
        raise


async def _content(request: Request, found: Recording) -> Content:
    """Return the bytes of a recording. Raises NotFoundError where we can't reach its place."""
    sound = services(request).sound
    if sound is None:
        raise NotFoundError
    read = await reading(sound, found)
    if read is None:
        raise NotFoundError
    return Content(found.bytes, found.id, KIND, read)
