"""People's pictures: uploaded or a provider's, taken away, and shown where nobody guesses it."""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core import access
from core.access import NotFoundError
from core.fetching import FetchError, Trouble, fetched
from core.model import Person
from core.picture import MAX_FILE, Flaw, PictureError, square
from core.settings.providers import behind
from core.store import avatars
from core.waiting_line import CrowdedError
from core.words import N_
from routes import welcome
from routes.profile import show
from web.guard import limit
from web.http.bounds import MAX_UPLOAD
from web.render import wants_html
from web.request import guest_digests, person_of, services, signed_in
from web.upload import file_of
from web.words import gettext

# By the status that goes with each.
FLAWS: dict[Flaw, tuple[int, str]] = {
    "empty": (422, N_("Choose a picture first.")),
    "large": (413, N_("The file is too large: a picture may have 5 MB.")),
    "unknown": (415, N_("That is no picture of a kind we know: PNG, JPEG, WebP or GIF.")),
    "pixels": (422, N_("The picture has too many pixels: 24 million are the most.")),
    "broken": (422, N_("The file is damaged or ends too early: the picture can’t be read.")),
}
TROUBLES: dict[Trouble, tuple[int, str]] = {
    "address": (
        422,
        N_("%(provider)s keeps your picture where it can’t be fetched from. Upload one instead."),
    ),
    "away": (
        502,
        N_("%(provider)s doesn’t give your picture. Try again in a moment, or upload one."),
    ),
    "slow": (
        504,
        N_(
            "%(provider)s took too long to give your picture. Try again in a moment, or upload one."
        ),
    ),
}
CROWDED = N_("Many pictures are being made at this moment. Try again in a few seconds.")


async def upload(request: Request) -> Response:
    """POST /profile/picture: somebody's picture from now on; a form with one file, `picture`.

    `?welcome` comes from the steps after the first sign-in, and leads back there.
    """
    person = await signed_in(request)
    limit(services(request).limits.upload, request, person.id)
    try:
        size = request.headers.get("content-length", "0")
        if size.isdecimal() and int(size) > MAX_UPLOAD:
            raise PictureError("large")
        await keep(request, person, await _file(request))
    except (PictureError, CrowdedError) as problem:
        return await _not_taken(request, person, problem)
    return _done(request)


async def take(request: Request) -> Response:
    """POST /profile/picture/provider: the picture that the provider has of them is theirs here.

    It is fetched now, once. `?welcome` as above.
    """
    person, parts = await signed_in(request), services(request)
    limit(parts.limits.upload, request, person.id)
    found = await avatars.offer(parts.db, person.id)
    its = behind(parts.settings.providers, found[0]) if found else None
    if found is None or its is None:
        raise NotFoundError
    try:
        leave = parts.fetches.enter(person.id)
        try:
            async with parts.fetches.turn():
                file = await fetched(found[1], its.issuer)
        finally:
            leave()
        await keep(request, person, file)
    except FetchError as problem:
        status, told = TROUBLES[problem.trouble]
        return await _refused(request, person, status, gettext(told, provider=its.name))
    except (PictureError, CrowdedError) as problem:
        return await _not_taken(request, person, problem)
    return _done(request)


async def _not_taken(
    request: Request, person: Person, problem: PictureError | CrowdedError
) -> Response:
    """Say why a file isn't somebody's picture. Raises CrowdedError for programs."""
    if isinstance(problem, PictureError):
        status, told = FLAWS[problem.flaw]
        return await _refused(request, person, status, gettext(told))
    if not wants_html(request):
        raise problem
    return await _refused(request, person, 503, gettext(CROWDED))


async def remove(request: Request) -> Response:
    """POST /profile/picture/remove: initials stand for somebody again."""
    person = await signed_in(request)
    limit(services(request).limits.update, request, person.id)
    await avatars.remove(services(request).db, person.id)
    return _done(request)


async def picture(request: Request) -> Response:
    """GET /avatars/{avatar}.webp: who shares a space or a session with that person.

    It never changes: a browser may keep it until it is signed out.
    """
    person, guests = await person_of(request), guest_digests(request)
    found = await access.picture(
        services(request).db, request.path_params["avatar"], person, guests
    )
    headers = {
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": "inline",
    }
    return Response(found, media_type="image/webp", headers=headers)


async def keep(request: Request, person: Person, file: bytes) -> None:
    """Let a file be somebody's picture. Raises PictureError, CrowdedError."""
    line = services(request).pictures
    leave = line.enter(person.id)
    try:
        async with line.turn():
            image = await asyncio.to_thread(square, file)
    finally:
        leave()
    await avatars.put(services(request).db, person.id, image)


async def _file(request: Request) -> bytes:
    """Return what was uploaded. Raises PictureError, HTTPException for what is no such form."""
    try:
        file = await file_of(request)
    except HTTPException as problem:
        if problem.status_code != 413:
            raise
        raise PictureError("large") from None
    if len(file) > MAX_FILE:
        raise PictureError("large")
    return file


async def _refused(request: Request, person: Person, status: int, told: str) -> Response:
    if not wants_html(request):
        raise HTTPException(status)
    if "welcome" in request.query_params:
        return await welcome.show(request, person, "picture", status=status, problem=told)
    return await show(request, person, status=status, problems={"picture": told})


def _done(request: Request) -> Response:
    if wants_html(request):
        back = "/welcome/picture" if "welcome" in request.query_params else "/profile?saved=picture"
        return RedirectResponse(back, 303)
    return Response(status_code=204)
