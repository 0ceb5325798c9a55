"""POST /language: anybody chooses what language pages are in."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core.store import people
from routes.login import safe_next
from web.forms import form_of
from web.guard import limit
from web.language import remember
from web.request import person_of, services
from web.words import is_language


async def choose(request: Request) -> Response:
    """POST /language: for this browser, and for who is signed in for all of theirs.

    Goes back to the page of ours that `next` names.
    """
    limit(services(request).limits.language, request)
    form = await form_of(request)
    response = RedirectResponse(safe_next(form.get("next")), 303)
    chosen = form.get("language")
    if is_language(chosen):
        person = await person_of(request)
        if person is not None:
            await people.choose_language(services(request).db, person.id, chosen)
        remember(response, chosen, services(request).settings)
    return response
