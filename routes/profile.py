"""Somebody's own profile: what they are called, and how pages look to them."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from web.render import page, redirect
from web.request import person_of


async def profile(request: Request) -> Response:
    """GET /profile: people who are signed in."""
    person = await person_of(request)
    if person is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    return page("people/profile.html", person)
