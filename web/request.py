"""Who is asking. The only module that touches `request.session`, the signed login cookie.

The cookie holds a login key, which the database knows by its digest and can forget, and the
identities under which this browser is a guest of sessions.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from starlette.requests import HTTPConnection, Request

from core import access, audit
from core.access import Look, Visitor
from core.model import Person
from core.services import Services
from core.store import people as users
from web.addresses import address_of

REMEMBERED_GUESTS = 20  # sessions per browser; a cookie has 4 KB
BEGUN = "_state_google_"  # where Authlib keeps what a sign-in was begun with, by its state


def services(connection: HTTPConnection) -> Services:
    """Return the running parts of the process."""
    found: Services = connection.state.services
    return found


async def person_of(connection: HTTPConnection) -> Person | None:
    """Return who is signed in, looked up once per request."""
    if not hasattr(connection.state, "person"):
        key = connection.session.get("login")
        connection.state.person = (
            await users.find_by_login(services(connection).db, key, datetime.now(UTC))
            if isinstance(key, str)
            else None
        )
    person: Person | None = connection.state.person
    return person


async def look(request: Request, *, strangers: bool = True, denied: int = 0) -> Look:
    """Look at the session that a request is about, with the visitor's eyes: see core.access.look.

    It tells who is signed in, too, so that nothing asks for that again.
    """
    slug = request.path_params["slug"]
    login = request.session.get("login")
    guest = _guests(request).get(slug)
    visitor = Visitor(login if isinstance(login, str) else None, guest)
    found = await access.look(
        services(request).db, slug, visitor, strangers=strangers, denied=denied
    )
    request.state.person = found.person
    return found


def _guests(connection: HTTPConnection) -> dict[str, str]:
    guests: Any = connection.session.get("guests")
    return guests if isinstance(guests, dict) else {}


def remember_guest(request: Request, slug: str, identity: str) -> None:
    """Let this browser be that guest of the session from now on."""
    guests = {key: value for key, value in _guests(request).items() if key != slug}
    newest = dict(list(guests.items())[-(REMEMBERED_GUESTS - 1) :])
    request.session["guests"] = newest | {slug: identity}


def begun_sign_in(request: Request, state: str) -> dict[str, Any] | None:
    """Return what a sign-in was begun with, None when not in this browser or too long ago."""
    kept = request.session.get(BEGUN + state)
    if not isinstance(kept, dict) or kept["exp"] < time.time():
        return None
    data: dict[str, Any] = kept["data"]
    return data


def forget_begun_sign_ins(request: Request) -> None:
    """Drop what a failed sign-in left behind."""
    for key in [key for key in request.session if key.startswith(BEGUN)]:
        request.session.pop(key)


async def sign_in(request: Request, person: Person) -> None:
    """Sign this browser in under a new key; what it was before is forgotten."""
    await sign_out(request)
    key = await users.open_login(services(request).db, person.id, datetime.now(UTC))
    request.session["login"] = key
    audit.note("signed_in", user=person.id, address=address_of(request))


async def sign_out(request: Request) -> None:
    """Forget who this browser was, here and in the database."""
    key = request.session.get("login")
    request.session.clear()
    if isinstance(key, str):
        await users.close_login(services(request).db, key)
        audit.note("signed_out", address=address_of(request))
