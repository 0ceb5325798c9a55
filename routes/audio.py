"""The sound of what was said, where a session's space has it kept: for who may read it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from core.access import NotFoundError
from core.audio.bucket import Bucket, BucketError
from core.audio.hearing import SoundAwayError, pieces
from core.audio.rounds import key_of
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


async def _from_bucket(bucket: Bucket, key: str, first: int, last: int) -> AsyncGenerator[bytes]:
    try:
        async for piece in bucket.get(key, first, last):
            yield piece
    except BucketError as problem:
        raise SoundAwayError from problem


async def _content(request: Request, found: Recording) -> Content:
    """Return the bytes of a recording. Raises NotFoundError where we can't reach its place."""
    sound = services(request).sound
    if sound is None:
        raise NotFoundError
    describe = partial(Content, found.bytes, found.id, KIND)
    if sound.bucket is not None and found.place == sound.bucket.place:
        return describe(partial(_from_bucket, sound.bucket, key_of(found.session_id, found.id)))
    if found.place != sound.shelf.place:
        raise NotFoundError
    path = sound.shelf.path(found.session_id, found.id)
    if not await asyncio.to_thread(path.exists):
        raise NotFoundError
    return describe(partial(pieces, path))
