"""The connection test: what a person's devices and network let through, and whose fault it is.

The page tries it all itself. Here it gets what it needs for that, and what only the server knows.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core import access, tokens
from core.access import NeedsNameError, SignedOutError
from core.livekit import passes_to_test
from core.services import Services
from core.settings import Settings
from web.addresses import address_of
from web.guard import limit, websocket_origin
from web.render import page, redirect
from web.request import look, person_of, services

TEMPLATE = "connection/connection.html"
EVERYBODY = "everybody"  # under which key the limit of all tests counts


async def of_session(request: Request) -> Response:
    """GET /s/{slug}/connection: who may see the session's lobby. Anybody else gets the link."""
    at = await look(request)
    slug = at.session.slug
    if at.session.over:
        return redirect(request, f"/s/{slug}")
    try:
        access.tested(at)
    except NeedsNameError:
        return redirect(request, f"/s/{slug}")
    return page(TEMPLATE, at.person, back=f"/s/{slug}", in_session=True, link=_link(request))


async def begin_in_session(request: Request) -> Response:
    """POST /s/{slug}/connection: what the page needs to test, as JSON; the same people."""
    at = await look(request)
    limit(services(request).limits.test, request, at.who)
    access.tested(at)
    return await _begin(request, at.who or address_of(request))


async def of_person(request: Request) -> Response:
    """GET /connection: people who are signed in."""
    person = await person_of(request)
    if person is None:
        return redirect(request, "/sign-in?next=/connection", 401)
    return page(TEMPLATE, person, back="/", in_session=False, link=_link(request))


async def begin(request: Request) -> Response:
    """POST /connection: the same as JSON."""
    person = await person_of(request)
    limit(services(request).limits.test, request, person.id if person else None)
    if person is None:
        raise SignedOutError
    return await _begin(request, person.id)


def _link(request: Request) -> str:
    """Return where this server has https, for who came another way; empty where it has none."""
    settings = services(request).settings
    return settings.public_url if settings.https else ""


async def _begin(request: Request, who: str) -> Response:
    parts = services(request)
    limit(parts.limits.tests, request, EVERYBODY)
    call = await _call(parts) if parts.settings.calls else None
    answer = {"probe": _probe(request, parts.settings, who), "call": call}
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


async def _call(parts: Services) -> dict[str, Any]:
    """Return the way to a room of this test, and what the server met itself, with its own key."""
    room, problem = await parts.calls.open_test_room()
    return {
        "url": parts.settings.livekit_url,
        "tokens": passes_to_test(parts.settings, room),
        "server": problem or "ok",
    }


def _probe(request: Request, settings: Settings, who: str) -> dict[str, Any]:
    origin = websocket_origin(settings, request.headers, request.url.scheme)
    return {"url": f"{origin}/ws", "token": tokens.mint_probe(settings.token_key, who)}
