"""What is set and what works, for those who run this server; the command `check` says the same."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core import access, checks, proof
from core.access import NotFoundError
from core.database import DatabaseAwayError
from core.settings import STATES as SETTING_STATES
from core.settings import read_environment
from core.words import Words
from web.addresses import address_of
from web.guard import limit, on_this_computer
from web.render import page
from web.report import STATES, report
from web.request import person_of, services

MAX_TOKEN = 2048  # characters; a question has 200


async def setup_page(request: Request) -> Response:
    """GET /setup: who runs this server; in development, whoever is at this computer."""
    parts = services(request)
    here = not parts.settings.production and on_this_computer(request)
    try:
        person = await person_of(request)
    except DatabaseAwayError:
        # That it is away is what this page is opened for. Elsewhere nobody is known to run the
        # server until it is back: `check` in a terminal says the same.
        if not here:
            raise
        person = None
    if not (here or access.administers(parts.settings, person)):
        raise NotFoundError
    limit(parts.limits.checks, request)
    told = report(read_environment(), await parts.checks.look(outside=True))
    return page(
        "ops/setup.html",
        person,
        report=told,
        states={state: Words(word) for state, word in STATES.items()},
        titles={check: Words(title) for check, title in checks.TITLES.items()},
        setting_states={state: Words(word) for state, word in SETTING_STATES.items()},
    )


async def prove(request: Request) -> Response:
    """GET /health/proof: `check`, which knows this installation's secret, and nobody else.

    It is told what the proxy in front has said, as far as that was believed.
    """
    parts = services(request)
    limit(parts.limits.checks, request)
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    right = kind == "Bearer" and len(token) <= MAX_TOKEN
    found = proof.answered(parts.settings.login_secret, token) if right else None
    if found is None:
        raise NotFoundError
    forwarded = [one.strip() for one in request.headers.get("x-forwarded-for", "").split(",")]
    told = {
        "proof": found,
        "scheme": request.url.scheme,
        "forwarded": any(forwarded),
        # uvicorn puts an address of the header in the place of the proxy's, if it believes it.
        "believed": request.client is not None and request.client.host in forwarded,
        "peer": address_of(request),
    }
    return JSONResponse(told, headers={"Cache-Control": "no-store"})
