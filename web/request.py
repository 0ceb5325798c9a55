"""Who is asking. The only module that touches `request.session`, the signed login cookie.

The cookie holds the key of a login and those by which this browser is a guest of sessions. The
database knows them by their digests and can forget them: who this browser is ends there.
"""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import HTTPConnection, Request

from core import access, audit
from core.access import Look, Visitor
from core.database import DatabaseAwayError
from core.model import Login, OwnSpaces, Person
from core.services import Services
from core.store import people as users
from core.store.keys import digest_of
from web import menu
from web.addresses import address_of
from web.bearer import bearer_of
from web.cookies import fits
from web.words import is_language, speak

REMEMBERED_GUESTS = 20  # sessions per browser; a cookie has 4 KB
USED_EVERY = timedelta(hours=1)  # how exactly the use of a login is noted: a write an hour
# Where Authlib looks for what a sign-in was begun with: the provider's key and the state follow.
BEGUN = "_state_"
BEGUN_LASTS_S = 3600.0  # that somebody may take at the provider
# Sign-ins of one browser at once: anybody's link begins one, and a cookie has 4 KB.
MAX_BEGUN = 3


def services(connection: HTTPConnection) -> Services:
    """Return the running parts of the process."""
    found: Services = connection.state.services
    return found


async def person_of(connection: HTTPConnection) -> Person | None:
    """Return who is signed in, looked up once per request."""
    if not hasattr(connection.state, "person"):
        key = _login_key(connection)
        login = await users.find_by_login(services(connection).db, key) if key else None
        if login is not None and not allowed(connection, login):
            await _end_login(connection)
            login = None
        await _note_use(connection, login)
        know(connection, login)
    person: Person | None = connection.state.person
    return person


def forget(connection: HTTPConnection) -> None:
    """Have `person_of` look anew."""
    with suppress(AttributeError, KeyError):
        del connection.state.person


async def signed_in(connection: HTTPConnection) -> Person:
    """Return who is signed in. Raises SignedOutError for nobody known."""
    person = await person_of(connection)
    if person is None:
        raise access.SignedOutError
    return person


async def look(request: Request, *, strangers: bool = True, denied: int = 0) -> Look:
    """Look at the session that a request is about, with the visitor's eyes: see core.access.look.

    It tells who is signed in, too, so that nothing asks for that again.
    """
    slug = request.path_params["slug"]
    visitor = Visitor(_login_key(request), _guests(request).get(slug))
    if bearer_of(request) is not None:  # web/tokens.py has found whose it is
        visitor = Visitor(user=request.state.person.id)
    found = await access.look(
        services(request).db, slug, visitor, strangers=strangers, denied=denied
    )
    if found.sight.login is not None and not allowed(request, found.sight.login):
        await _end_login(request)
        return await look(request, strangers=strangers, denied=denied)
    await _note_use(request, found.sight.login)
    know(request, found.sight.login)
    return found


def own_spaces(connection: HTTPConnection) -> OwnSpaces:
    """Return the spaces of whoever asks, and the one that they work in.

    They were found with the person: ask for that first.
    """
    spaces: OwnSpaces = connection.state.spaces
    return spaces


def know(connection: HTTPConnection, login: Login | None) -> None:
    """Keep who asks and their spaces, and answer in the language that they chose."""
    person, spaces = (login.person, login.spaces) if login else (None, OwnSpaces())
    connection.state.person, connection.state.spaces = person, spaces
    menu.show(
        spaces,
        administering=access.administers(services(connection).settings, person),
        theme=person.theme if person else None,
    )
    if person is not None and is_language(person.language):
        speak(person.language)


def _login_key(connection: HTTPConnection) -> str | None:
    key = connection.session.get("login")
    return key if isinstance(key, str) else None


def login_digest(connection: HTTPConnection) -> bytes:
    """Return the digest of the key of this browser's login; empty without one."""
    key = _login_key(connection)
    return digest_of(key) if key else b""


def allowed(connection: HTTPConnection, login: Login) -> bool:
    """Whether whoever is signed in still may be: the operator may have named others since.

    Whom an invitation let in is a member of a space, or may not be here.
    """
    settings, person = services(connection).settings, login.person
    if not access.may_sign_in(settings, person):
        return False
    return login.spaces.current is not None or settings.accounts.allow(person.email)


async def _end_login(connection: HTTPConnection) -> None:
    """Sign out whose account may not sign in any more. Guests by link stay what they are."""
    key = _login_key(connection)
    if key is None:  # whom a program acts for; it isn't anybody's browser
        raise access.SignedOutError
    connection.session.pop("login", None)
    await _revoke(connection, {key})
    audit.note("refused", why="not_allowed", address=address_of(connection))


async def _note_use(connection: HTTPConnection, login: Login | None) -> None:
    """Put off the end of a login that is used, at most once every USED_EVERY."""
    parts, key = services(connection), _login_key(connection)
    if login is None or key is None:
        return
    idle_at = datetime.now(UTC) + timedelta(days=parts.settings.login_idle_days)
    if abs(idle_at - login.idle_at) > USED_EVERY:  # also when the setting has become another
        with suppress(DatabaseAwayError):  # one that takes no writes shows pages all the same
            await users.used(parts.db, [digest_of(key)], idle_at)


def _guests(connection: HTTPConnection) -> dict[str, str]:
    guests: Any = connection.session.get("guests")
    if not isinstance(guests, dict):
        return {}
    return {slug: key for slug, key in guests.items() if isinstance(key, str)}


def guest_digests(connection: HTTPConnection) -> list[bytes]:
    """Return the digests of the keys by which this browser is a guest of sessions."""
    return [digest_of(key) for key in _guests(connection).values()]


async def remember_guest(request: Request, slug: str, key: str) -> None:
    """Let this browser be that guest of the session from now on.

    Whom it forgets for that, a former name or the guest of the oldest session, is no more: nobody
    could end what copies of the cookie may do.
    """
    others = {one: kept for one, kept in _guests(request).items() if one != slug}
    newest = dict(list(others.items())[-(REMEMBERED_GUESTS - 1) :]) | {slug: key}
    gone = set(_guests(request).values()) - set(newest.values())
    request.session["guests"] = newest
    await _revoke(request, gone)


async def forget_guest(request: Request, slug: str) -> None:
    """Let nobody be the guest any more that this browser was in the session."""
    guests = _guests(request)
    if slug in guests:
        request.session["guests"] = {one: key for one, key in guests.items() if one != slug}
        await _revoke(request, {guests[slug]})


def begun_sign_in(request: Request, provider: str, state: str) -> dict[str, Any] | None:
    """Return what a sign-in with a provider was begun with.

    None when it wasn't begun with this one, not in this browser, or too long ago.
    """
    kept = request.session.get(_begun(provider, state))
    until, data = (kept.get("exp"), kept.get("data")) if isinstance(kept, dict) else (None, None)
    if not isinstance(until, int | float) or until < time.time():
        return None
    return data if isinstance(data, dict) else None


def remember_begun(request: Request, provider: str, state: str, data: dict[str, Any]) -> None:
    """Keep what a sign-in is begun with, for an hour, where Authlib looks for it.

    Several may be under way in the tabs of a browser; of too many, the oldest is forgotten.
    """
    kept = request.session
    kept[_begun(provider, state)] = {"data": data, "exp": time.time() + BEGUN_LASTS_S}
    begun = sorted((one for one in kept if one.startswith(BEGUN)), key=lambda one: kept[one]["exp"])
    while len(begun) > 1 and (len(begun) > MAX_BEGUN or not fits(kept)):
        del kept[begun.pop(0)]


def forget_begun(request: Request, provider: str, state: str) -> None:
    """Drop what a sign-in left behind that has failed; others go on."""
    request.session.pop(_begun(provider, state), None)


def _begun(provider: str, state: str) -> str:
    return f"{BEGUN}{provider}_{state}"


async def sign_in(request: Request, person: Person) -> None:
    """Sign this browser in under a new key; what it was before is forgotten and ends.

    Raises DisabledError.
    """
    parts = services(request)
    idle = timedelta(days=parts.settings.login_idle_days)
    agent = request.headers.get("user-agent", "")
    key = await users.open_login(parts.db, person.id, datetime.now(UTC), idle, agent)
    await sign_out(request)
    request.session["login"] = key
    audit.note("signed_in", user=person.id, address=address_of(request))


async def sign_out(request: Request) -> None:
    """Forget who this browser was, here and in the database, and close its pages."""
    login, guests = _login_key(request), set(_guests(request).values())
    request.session.clear()
    await _revoke(request, guests | ({login} if login else set()))
    if login:
        audit.note("signed_out", address=address_of(request))


async def _revoke(connection: HTTPConnection, keys: set[str]) -> None:
    if keys:
        await services(connection).conduct.revoke([digest_of(key) for key in keys])
