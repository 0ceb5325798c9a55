"""Signing in and out: OpenID providers, or a name on this computer in development."""

from __future__ import annotations

import logging
import re
from typing import Any
from urllib.parse import urlencode, urlsplit

from authlib.common.errors import AuthlibBaseError
from joserfc.errors import JoseError
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from core import audit
from core.access import NotFoundError
from core.settings import Provider, Settings
from core.settings.providers import GOOGLE
from core.text import one_line
from core.words import N_
from routes.arriving import EMAIL_LENGTH, NAME_LENGTH, arrive
from routes.welcome import led
from web.addresses import address_of
from web.forms import form_of
from web.guard import limit, on_this_computer
from web.openid import PROVIDER_PROBLEMS, OpenIdClient, OtherIssuerError
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

SUBJECT = re.compile(r"[\x20-\x7e]{1,255}")  # of an account: OpenID Connect Core, section 2


def dev_sign_in_offered(connection: HTTPConnection) -> bool:
    """Whether a name alone signs in: development, without a provider, on this computer."""
    settings = services(connection).settings
    return not settings.production and not settings.providers and on_this_computer(connection)


def can_sign_in(request: Request) -> bool:
    """Whether there is any way to sign in from where the browser is."""
    return bool(services(request).settings.providers) or dev_sign_in_offered(request)


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
        "providers": services(request).settings.providers,
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


async def begin(request: Request) -> Response:
    """GET /sign-in/{provider}: anybody; sends the browser to the provider."""
    settings, client = services(request).settings, _client(request)
    limit(services(request).limits.sign_in, request)
    target = safe_next(request.query_params.get("next", "/"))
    elsewhere = request.headers.get("host") != urlsplit(settings.public_url).netloc
    provider = client.provider
    if elsewhere and "moved" not in request.query_params:
        # The provider comes back to NEXTAUTH_URL, so the cookie must be set there. Once only:
        # behind a proxy that changes the Host header, it never looks like NEXTAUTH_URL.
        query = urlencode({"next": target, "moved": "1"})
        return RedirectResponse(f"{settings.public_url}{provider.start}?{query}", 303)
    try:
        begun = await client.begin(settings.public_url + provider.callback)
    except OtherIssuerError as problem:
        return failed(request, _explained(problem), provider)
    except PROVIDER_PROBLEMS as problem:
        return _provider_failed(request, client, problem)
    address, state = begun.pop("url"), begun.pop("state")
    remember_begun(request, provider.key, state, {"next": target, **begun})
    return RedirectResponse(address, 303)


async def come_back(request: Request) -> Response:
    """GET /api/auth/callback/{provider}: a browser that the provider sends back."""
    settings, client = services(request).settings, _client(request)
    limit(services(request).limits.come_back, request)
    provider = client.provider
    begun = begun_sign_in(request, provider.key, request.query_params.get("state", ""))
    if begun is None:  # any site can open this address: it ends nothing that was begun here
        error = request.query_params.get("error", "")
        return failed(request, EXPLAINED.get(error, STALE), provider)
    try:
        claims = await client.claims(request)
    except (OtherIssuerError, AuthlibBaseError) as problem:
        return failed(request, _explained(problem), provider)
    except (JoseError, *PROVIDER_PROBLEMS) as problem:
        return _provider_failed(request, client, problem)
    objection = _objection(settings, provider, claims)
    if objection not in (None, NOT_ALLOWED):
        return failed(request, objection, provider)
    account, target = (provider.accounts, claims["sub"]), safe_next(begun.get("next"))
    return await _arrived(request, account, claims, target, allowed=objection is None)


def _client(request: Request) -> OpenIdClient:
    """Return the client of the provider that an address names. Raises NotFoundError."""
    known: dict[str, OpenIdClient] = request.app.state.providers
    client = known.get(request.path_params["provider"])
    if client is None:
        raise NotFoundError
    return client


def _objection(
    settings: Settings, provider: Provider, claims: dict[str, Any]
) -> Explanation | None:
    """Return why somebody of whom the provider says this can't sign in, None when they can."""
    subject, email, verified = (claims.get(name) for name in ("sub", "email", "email_verified"))
    if not isinstance(subject, str) or not SUBJECT.fullmatch(subject):
        return UNTRUSTED
    if not isinstance(email, str) or not email:
        return NO_ADDRESS
    trusted = provider.trust_email and (verified is None or verified == "true")
    if verified is not True and not trusted:
        unsaid = verified is None and provider.key != GOOGLE  # Google always says it
        return UNSAID if unsaid else UNVERIFIED
    organisation = claims.get("hd") if provider.has_organisations else None
    return None if settings.accounts.allow(email, organisation) else NOT_ALLOWED


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
    allowed = services(request).settings.accounts.allow(email)
    account, claims = ("development", email), {"name": name, "email": email}
    return await _arrived(request, account, claims, safe_next(form.get("next")), allowed=allowed)


async def _arrived(
    request: Request,
    account: tuple[str, str],
    claims: dict[str, Any],
    target: str,
    *,
    allowed: bool,
) -> Response:
    """Sign in whom a provider knows, if they may, and lead them on."""
    arrival = await arrive(request, account, claims, target, allowed=allowed)
    if arrival is None:
        return failed(request, NOT_ALLOWED)
    await sign_in(request, arrival.person)
    return RedirectResponse(led(arrival.person, arrival.target), 303)


async def sign_out_page(request: Request) -> Response:
    """POST /sign-out: anybody."""
    await sign_out(request)
    # What this browser kept of our pages, also to go back to. Not `cookies`: the login's was taken
    # away, and not `storage`: there are only choices such as which microphone, which are the
    # computer's, and a browser that forgets them would turn microphones on.
    return RedirectResponse("/", 303, headers={"Clear-Site-Data": '"cache"'})


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
        "The answer of %(provider)s was not valid at this server’s time. Try again; if it stays,"
        " the server’s clock or its settings for %(provider)s are wrong."
    ),
)
UNVERIFIED: Explanation = (
    403,
    N_("Your e-mail address isn’t verified."),
    N_(
        "%(provider)s doesn’t vouch for it yet. Verify it in your account there, then sign in"
        " again."
    ),
)
UNSAID: Explanation = (
    403,
    N_("Your e-mail address isn’t verified."),
    N_(
        "%(provider)s doesn’t say whether it has verified it. If nobody there can give themselves"
        " somebody else’s address, whoever runs this server can set %(setting)s=on."
    ),
)
NO_ADDRESS: Explanation = (
    403,
    N_("Your e-mail address isn’t known."),
    N_(
        "%(provider)s didn’t tell it. Add one to your account there; if it has one, whoever runs"
        " this server should let its client there have the scope “email”."
    ),
)
NOT_ALLOWED: Explanation = (
    403,
    N_("Your account can’t sign in here."),
    N_(
        "This server takes some accounts only, and yours isn’t among them. Ask whoever runs it, or"
        " who invited you, to let you in: they need the e-mail address of your account. Where"
        " somebody sent you the link of a session, you can join it as a guest."
    ),
)
PROVIDER_AWAY: Explanation = (
    502,
    N_("%(provider)s can’t be reached."),
    N_("The sign-in service doesn’t answer right now. Try again in a moment."),
)
REFUSED: Explanation = (
    502,
    N_("%(provider)s refused the sign-in."),
    N_(
        "Try again; if it stays, who runs this server should look at its settings for %(provider)s."
    ),
)
OTHER_ISSUER: Explanation = (
    502,
    N_("The sign-in service isn’t the one that was set up."),
    N_(
        "Who runs this server should look at its log and its settings for %(provider)s."
        " Nothing was sent there."
    ),
)
# What the audit log calls them.
NAMES: dict[Explanation, str] = {
    DENIED: "cancelled",
    STALE: "run_out",
    UNTRUSTED: "not_valid",
    UNVERIFIED: "address_not_verified",
    UNSAID: "address_perhaps_verified",
    NO_ADDRESS: "no_address",
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


def _explained(problem: OtherIssuerError | AuthlibBaseError) -> Explanation:
    if isinstance(problem, OtherIssuerError):
        return OTHER_ISSUER
    return EXPLAINED.get(str(problem.error), REFUSED)


def _provider_failed(request: Request, client: OpenIdClient, problem: Exception) -> Response:
    """Answer that the provider can't be used, and ask it anew for everything next time."""
    name = type(problem).__name__
    log.warning("the sign-in provider %s can't be used: %s", client.provider.prefix, name)
    client.ask_anew()
    explanation = UNTRUSTED if isinstance(problem, JoseError) else PROVIDER_AWAY
    return failed(request, explanation, client.provider)


def failed(
    request: Request, explanation: Explanation, provider: Provider | None = None
) -> Response:
    """Answer why a sign-in came to nothing, and have the audit log tell."""
    audit.note("sign_in_failed", why=NAMES[explanation], address=address_of(request))
    values = {}
    if provider is not None:
        forget_begun(request, provider.key, request.query_params.get("state", ""))
        values = {"provider": provider.name, "setting": f"{provider.prefix}_TRUST_EMAIL"}
    status, title, message = explanation
    return page(
        "error.html",
        None,
        status=status,
        title=gettext(title, **values),
        message=gettext(message, **values),
        action={"href": "/sign-in", "label": gettext("Sign in again")},
    )
