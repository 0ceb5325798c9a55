"""Signing in and out: Google by OpenID Connect, or a name on this computer in development."""

from __future__ import annotations

import logging
import re
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from joserfc.errors import JoseError
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from core import audit
from core.access import NotFoundError
from core.model import Person
from core.settings import Settings
from core.store import people as users
from core.store import spaces
from core.text import one_line
from core.words import N_
from web.addresses import address_of
from web.forms import form_of
from web.guard import limit, on_this_computer
from web.render import page
from web.request import (
    begun_sign_in,
    forget_begun,
    person_of,
    remember_begun,
    services,
    sign_in,
    sign_out,
)
from web.words import gettext

log = logging.getLogger(__name__)

CALLBACK = "/api/auth/callback/google"  # registered in people's Google consoles
NAME_LENGTH = 40
EMAIL_LENGTH = 254
SUBJECT = re.compile(r"[\x20-\x7e]{1,255}")  # of an account: OpenID Connect Core, section 2
PROVIDER_TIMEOUT = 10.0

# What Authlib raises when the provider is away, or answers something that isn't OpenID Connect.
PROVIDER_PROBLEMS = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
)


def google_client(settings: Settings) -> Any:
    """Return Authlib's client for the provider: code flow with PKCE, state and nonce.

    All its connections share what it knows of certificates: to read them takes 25 ms, in which
    nobody's speech would be relayed, and a first sign-in makes four connections.
    """
    oauth = OAuth()
    oauth.register(
        "google",
        client_id=settings.google_client_id,
        client_secret=settings.google_client_secret,
        server_metadata_url=settings.google_metadata_url,
        client_kwargs={
            "scope": "openid email profile",
            "code_challenge_method": "S256",
            "timeout": PROVIDER_TIMEOUT,
            "verify": httpx2.create_ssl_context() if settings.google_sign_in else True,
        },
    )
    return oauth.google


def dev_sign_in_offered(connection: HTTPConnection) -> bool:
    """Whether a name alone signs in: development, without Google, on this computer."""
    settings = services(connection).settings
    return not settings.production and not settings.google_sign_in and on_this_computer(connection)


def can_sign_in(request: Request) -> bool:
    """Whether there is any way to sign in from where the browser is."""
    return services(request).settings.google_sign_in or dev_sign_in_offered(request)


def safe_next(target: object) -> str:
    """Return a path of ours to go to after signing in; anything else becomes the start page."""
    if not isinstance(target, str) or not target.startswith("/") or len(target) > 512:
        return "/"
    # Browsers read \ as / and skip control characters: /\host and /<tab>/host lead elsewhere.
    if target.startswith("//") or "\\" in target:
        return "/"
    if not (target.isascii() and target.isprintable()):  # ours are, and the cookie has 4 KB
        return "/"
    parts = urlsplit(target)
    return "/" if parts.scheme or parts.netloc else target


def sign_in_context(request: Request, target: str) -> dict[str, Any]:
    """Return what the sign-in form needs."""
    return {
        "google": services(request).settings.google_sign_in,
        "dev_sign_in": dev_sign_in_offered(request),
        "next": target,
    }


async def sign_in_page(request: Request) -> Response:
    """GET /sign-in: anybody."""
    target = safe_next(request.query_params.get("next", "/"))
    if await person_of(request):
        return RedirectResponse(target, 303)
    return page("login/sign_in.html", None, **sign_in_context(request, target))


async def signed_in(request: Request) -> Response:
    """GET /signed-in: sends who has signed in again back to the tab of their meeting."""
    person = await person_of(request)
    if person is None:
        return RedirectResponse("/sign-in?next=/signed-in", 303)
    return page("login/signed_in.html", person)


async def google_start(request: Request) -> Response:
    """GET /sign-in/google: anybody; sends the browser to the provider."""
    settings = services(request).settings
    if not settings.google_sign_in:
        raise NotFoundError
    limit(services(request).limits.sign_in, request)
    target = safe_next(request.query_params.get("next", "/"))
    elsewhere = request.headers.get("host") != urlsplit(settings.public_url).netloc
    if elsewhere and "moved" not in request.query_params:
        # The provider comes back to NEXTAUTH_URL, so the cookie must be set there. Once only:
        # behind a proxy that changes the Host header, it never looks like NEXTAUTH_URL.
        query = urlencode({"next": target, "moved": "1"})
        return RedirectResponse(f"{settings.public_url}/sign-in/google?{query}", 303)
    google, callback = request.app.state.google, settings.public_url + CALLBACK
    try:
        await _check_issuer(request)
        begun = await google.create_authorization_url(callback)
    except _OtherIssuerError as problem:
        return _failed(request, _explained(problem))
    except PROVIDER_PROBLEMS as problem:
        return _provider_failed(request, problem)
    address, state = begun.pop("url"), begun.pop("state")
    remember_begun(request, state, {"redirect_uri": callback, "next": target, **begun})
    return RedirectResponse(address, 303)


class _OtherIssuerError(Exception):
    """The provider's metadata speak for another issuer than their address."""


async def _check_issuer(request: Request) -> None:
    """Check that the provider says to be who it was configured to be, before it is believed.

    An issuer's metadata are at its own address plus WELL_KNOWN (OpenID Connect Discovery 1.0,
    section 4.3), so the address that the operator gave says who it must be. Raises
    _OtherIssuerError, or what Authlib raises.
    """
    google, wanted = request.app.state.google, services(request).settings.google_issuer
    found = (await google.load_server_metadata())["issuer"]
    if found.removesuffix("/") != wanted:
        log.error(
            "nobody can sign in: the provider's metadata speak for the issuer %.200r, but their"
            " address, GOOGLE_METADATA_URL, for %s",
            *(found, wanted),
        )
        _ask_anew(request)
        raise _OtherIssuerError


async def google_callback(request: Request) -> Response:
    """GET /api/auth/callback/google: a browser that the provider sends back."""
    settings = services(request).settings
    if not settings.google_sign_in:
        raise NotFoundError
    limit(services(request).limits.sign_in, request)
    begun = begun_sign_in(request, request.query_params.get("state", ""))
    if begun is None:  # any site can open this address: it ends nothing that was begun here
        return _failed(request, EXPLAINED.get(request.query_params.get("error", ""), STALE))
    try:
        await _check_issuer(request)
        token = await request.app.state.google.authorize_access_token(request)
    except (_OtherIssuerError, AuthlibBaseError) as problem:
        return _failed(request, _explained(problem))
    except (JoseError, *PROVIDER_PROBLEMS) as problem:
        return _provider_failed(request, problem)
    claims = token.get("userinfo") or {}
    if (objection := _objection(settings, claims)) is not None:
        return _failed(request, objection)
    await sign_in(request, await _user(request, "google", claims["sub"], claims))
    return RedirectResponse(safe_next(begun.get("next")), 303)


def _objection(settings: Settings, claims: dict[str, Any]) -> Explanation | None:
    """Return why somebody of whom the provider says this can't sign in, None when they can."""
    subject, email = claims.get("sub"), claims.get("email")
    if not isinstance(subject, str) or not SUBJECT.fullmatch(subject):
        return UNTRUSTED
    if claims.get("email_verified") is not True or not email:
        return UNVERIFIED
    return None if settings.accounts.allow(str(email), claims.get("hd")) else NOT_ALLOWED


async def dev_sign_in(request: Request) -> Response:
    """POST /sign-in/dev: development only, on this computer only."""
    if not dev_sign_in_offered(request):
        raise NotFoundError
    limit(services(request).limits.sign_in, request)
    form = await form_of(request)
    email = one_line(form.get("email", ""), EMAIL_LENGTH).lower()
    name = one_line(form.get("name", ""), NAME_LENGTH)
    if not name or "@" not in email:
        context = sign_in_context(request, safe_next(form.get("next")))
        return page("login/sign_in.html", None, status=422, **context)
    if not services(request).settings.accounts.allow(email):
        return _failed(request, NOT_ALLOWED)
    claims = {"name": name, "email": email}
    await sign_in(request, await _user(request, "development", email, claims))
    return RedirectResponse(safe_next(form.get("next")), 303)


async def sign_out_page(request: Request) -> Response:
    """POST /sign-out: anybody."""
    await sign_out(request)
    # What this browser kept of our pages, also to go back to. Not `cookies`: the login's was taken
    # away, and not `storage`: there are only choices such as which microphone, which are the
    # computer's, and a browser that forgets them would turn microphones on.
    return RedirectResponse("/", 303, headers={"Clear-Site-Data": '"cache"'})


async def _user(request: Request, provider: str, subject: str, claims: dict[str, Any]) -> Person:
    """Return the user behind the provider's subject, made with a space at the first sign-in.

    Afterwards they are called what the provider calls them now; one that says no name takes none.
    """
    db = services(request).db
    email = one_line(str(claims["email"]), EMAIL_LENGTH)
    name = one_line(str(claims.get("name") or ""), NAME_LENGTH)
    known = await users.find_by_account(db, provider, subject)
    if known:
        return await users.refresh(db, known, name or known.name, email)
    name = name or one_line(email.partition("@")[0], NAME_LENGTH) or gettext("Somebody")
    person = await users.create(db, provider, subject, name, email)
    await spaces.first_space(db, person.id, gettext("%(name)s’s space", name=name))
    return person


Explanation = tuple[int, str, str]

DENIED: Explanation = (
    403,
    N_("You didn’t sign in."),
    N_("The sign-in was cancelled, so nothing has changed."),
)
STALE: Explanation = (
    400,
    N_("This sign-in has run out."),
    N_(
        "It took too long, was finished in another tab, or cookies are blocked. Start it once more."
    ),
)
UNTRUSTED: Explanation = (
    502,
    N_("We couldn’t verify who you are."),
    N_(
        "Google’s answer was not valid at this server’s time. Try again; if it stays, the server’s"
        " clock or its Google settings are wrong."
    ),
)
UNVERIFIED: Explanation = (
    403,
    N_("Your e-mail address isn’t verified."),
    N_("Google doesn’t vouch for it yet. Verify it in your Google account, then sign in again."),
)
NOT_ALLOWED: Explanation = (
    403,
    N_("Your account can’t sign in here."),
    N_(
        "This server takes some accounts only, and yours isn’t among them. Ask whoever runs it to"
        " let you in. Where somebody sent you the link of a session, you can join it as a guest."
    ),
)
PROVIDER_AWAY: Explanation = (
    502,
    N_("Google can’t be reached."),
    N_("The sign-in service doesn’t answer right now. Try again in a moment."),
)
REFUSED: Explanation = (
    502,
    N_("Google refused the sign-in."),
    N_("Try again; if it stays, who runs this server should look at its Google settings."),
)
OTHER_ISSUER: Explanation = (
    502,
    N_("The sign-in service isn’t the one that was set up."),
    N_(
        "Who runs this server should look at its log and its Google settings."
        " Nothing was sent there."
    ),
)
# What the audit log calls them.
NAMES: dict[Explanation, str] = {
    DENIED: "cancelled",
    STALE: "run_out",
    UNTRUSTED: "not_valid",
    UNVERIFIED: "address_not_verified",
    NOT_ALLOWED: "not_allowed",
    PROVIDER_AWAY: "provider_away",
    REFUSED: "provider_refused",
    OTHER_ISSUER: "other_issuer",
}
EXPLAINED: dict[str, Explanation] = {
    "access_denied": DENIED,
    "mismatching_state": STALE,
    "invalid_grant": STALE,
}


def _explained(problem: _OtherIssuerError | AuthlibBaseError) -> Explanation:
    if isinstance(problem, _OtherIssuerError):
        return OTHER_ISSUER
    return EXPLAINED.get(str(problem.error), REFUSED)


def _provider_failed(request: Request, problem: Exception) -> Response:
    """Answer that the provider can't be used, and ask it anew for everything next time."""
    log.warning("the sign-in provider can't be used: %s", type(problem).__name__)
    _ask_anew(request)
    return _failed(request, UNTRUSTED if isinstance(problem, JoseError) else PROVIDER_AWAY)


def _ask_anew(request: Request) -> None:
    for stale in ("_loaded_at", "jwks"):
        request.app.state.google.server_metadata.pop(stale, None)


def _failed(request: Request, explanation: Explanation) -> Response:
    audit.note("sign_in_failed", why=NAMES[explanation], address=address_of(request))
    forget_begun(request, request.query_params.get("state", ""))
    status, title, message = explanation
    return page(
        "error.html",
        None,
        status=status,
        title=gettext(title),
        message=gettext(message),
        action={"href": "/sign-in", "label": gettext("Sign in again")},
    )
