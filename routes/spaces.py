"""Spaces: one's own, a new one, which one to work in, and the page of one with its members."""

from __future__ import annotations

from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from core import access, audit
from core.access import SignedOutError, SpaceAction, SpaceLook
from core.rate_limit import RateLimiter
from core.store import members, spaces
from core.store.spaces import NAME_LENGTH, SpacesFullError
from core.text import one_line
from core.words import N_
from web.errors import WORDS
from web.forms import form_of
from web.guard import limit
from web.render import page, redirect, wants_html
from web.request import own_spaces, person_of, services
from web.words import gettext

NAMELESS = N_("Give the space a name.")


async def own(request: Request) -> Response:
    """GET /spaces: the spaces of who is signed in, and a form for another."""
    person = await person_of(request)
    if person is None:
        return redirect(request, "/sign-in?next=/spaces", 401)
    return page("spaces/own.html", person, name="", error="")


async def create(request: Request) -> Response:
    """POST /spaces: who is signed in makes a space, owns it, and works in it from now on."""
    person = await person_of(request)
    if person is None:
        raise SignedOutError
    limit(services(request).limits.create, request, person.id)
    name = one_line((await form_of(request)).get("name", ""), NAME_LENGTH)
    status, error = 422, gettext(NAMELESS)
    if name:
        try:
            space = await spaces.create(services(request).db, person, name)
        except SpacesFullError as problem:
            status, error = problem.status, gettext(WORDS[problem.code][1])
        else:
            audit.note("space_act", act="create", space=space, by=person.id)
            return redirect(request, f"/spaces/{space}", 204)
    if not wants_html(request):
        raise HTTPException(422) if status == 422 else SpacesFullError
    return page("spaces/own.html", person, status=status, name=name, error=error)


async def switch(request: Request) -> Response:
    """POST /spaces/{space}/switch: members work in it from now on, in whatever browser."""
    at = await look(request, SpaceAction.SEE, services(request).limits.update)
    await spaces.work_in(services(request).db, at.space.id, at.person.id)
    return redirect(request, "/", 204)


async def see(request: Request) -> Response:
    """GET /spaces/{space}: members see who they are, owners what can be done about it."""
    if await person_of(request) is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    at = await look(request, SpaceAction.SEE)
    return await show(request, at)


async def show(request: Request, at: SpaceLook) -> Response:
    """Show the page of a space."""
    return page(
        "spaces/space.html",
        at.person,
        space=at.space,
        may=at.may,
        actions=SpaceAction,
        members=await members.listed(services(request).db, at.space.id),
        many=len(own_spaces(request).all) > 1,
    )


async def look(
    request: Request, action: SpaceAction, limiter: RateLimiter | None = None
) -> SpaceLook:
    """Return the space of an address to who may do this with it, counted by this limiter.

    Raises SignedOutError, NotFoundError or TooManyRequestsError.
    """
    parts, person = services(request), await person_of(request)
    if person is None:
        raise SignedOutError
    limit(limiter or parts.limits.reading, request, person.id)
    return await access.look_at_space(
        parts.db, parts.settings, person, request.path_params["space"], action
    )
