"""The OpenID provider: what it says of itself, and whether it knows us, as far as it tells."""

from __future__ import annotations

from dataclasses import dataclass

from core.checks.asking import Answer, NoAnswerError, ask
from core.checks.outcome import Outcome
from core.settings import Settings
from core.words import N_, Words

HTTP_OK = 200
NOBODY_SIGNS_IN = N_(
    "Login returns to the login page, or ends with an error: nobody can start a session. Guests by"
    " link still come in."
)
NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider as it is set: its names are those of the variables."""

    name: str  # that people know
    metadata_url: str
    issuer: str
    client_id: str
    client_secret: str
    redirect: str  # the exact address to register with it
    variables: tuple[str, str, str]  # of its address, the client's id and its secret


def providers(settings: Settings) -> list[Provider]:
    """Return the providers that the settings name."""
    if not settings.google_sign_in:
        return []
    return [
        Provider(
            "Google",
            settings.google_metadata_url,
            settings.google_issuer,
            settings.google_client_id or "",
            settings.google_client_secret or "",
            f"{settings.public_url}/api/auth/callback/google",
            ("GOOGLE_METADATA_URL", "GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"),
        )
    ]


async def look(settings: Settings) -> list[Outcome]:
    """Look at every provider that is set."""
    found = providers(settings)
    if not found:
        what = Words(N_("no OpenID provider is set"))
        return [Outcome("sign-in", "skipped", what)]
    return [await _look_at(one) for one in found]


async def _look_at(provider: Provider) -> Outcome:
    where, (address_variable, *_) = provider.metadata_url, provider.variables
    try:
        answer = await ask(where)
    except NoAnswerError as problem:
        return _failed(
            provider,
            Words(N_("%(name)s can't be reached: %(why)s"), name=provider.name, why=problem.words),
            Words(N_("Let this server connect to %(address)s."), address=where),
        )
    told = answer.json()
    if answer.status != HTTP_OK or not isinstance(told, dict):
        return _failed(
            provider,
            Words(
                N_("what answers at %(address)s isn't an OpenID provider (%(status)s)"),
                address=where,
                status=answer.status,
            ),
            Words(N_("Correct %(name)s."), name=address_variable),
        )
    if str(told.get("issuer", "")).rstrip("/") != provider.issuer.rstrip("/"):
        return _failed(
            provider,
            Words(
                N_("%(address)s speaks for another issuer: %(issuer)s"),
                address=where,
                issuer=str(told.get("issuer"))[:200],
            ),
            Words(N_("Set %(name)s to the issuer's own address."), name=address_variable),
        )
    lacking = [name for name in NEEDED if not isinstance(told.get(name), str)]
    if lacking:
        return _failed(
            provider,
            Words(N_("its metadata lack %(those)s"), those=", ".join(lacking)),
            Words(N_("Correct %(name)s."), name=address_variable),
        )
    return await _client(provider, told["token_endpoint"], answer)


async def _client(provider: Provider, endpoint: str, metadata: Answer) -> Outcome:
    """Offer a code that can't be one: what is refused first tells whether we are known.

    RFC 6749, section 5.2: `invalid_client` for a client that isn't known or can't prove who it is,
    `invalid_grant` for the code, for which the client was looked at before.
    """
    form = {
        "grant_type": "authorization_code",
        "code": "sessions-check",
        "redirect_uri": provider.redirect,
        "code_verifier": "sessions-check-" * 4,
    }
    login = (provider.client_id, provider.client_secret)
    try:
        answer = await ask(endpoint, form=form, login=login)
    except NoAnswerError as problem:
        return _failed(
            provider,
            Words(N_("%(name)s can't be reached: %(why)s"), name=provider.name, why=problem.words),
            Words(N_("Let this server connect to %(address)s."), address=endpoint),
        )
    told = answer.json()
    error = str(told.get("error")) if isinstance(told, dict) else ""
    _, client, secret = provider.variables
    facts = {"provider": provider.name, "redirect": provider.redirect, "answer": error[:64]}
    if error in ("invalid_client", "unauthorized_client"):
        return _failed(
            provider,
            Words(N_("%(name)s doesn't know this client"), name=provider.name),
            Words(
                N_("Copy %(client)s and %(secret)s anew from where the client was registered."),
                client=client,
                secret=secret,
            ),
        )
    if error == "redirect_uri_mismatch":
        return _failed(
            provider,
            Words(N_("%(name)s doesn't know our redirect address"), name=provider.name),
            Words(N_("Register this very address: %(redirect)s"), redirect=provider.redirect),
        )
    if error == "invalid_grant":
        what = Words(
            N_("%(name)s knows this client; its redirect address must be %(redirect)s"),
            name=provider.name,
            redirect=provider.redirect,
        )
        return Outcome("sign-in", "ok", what, facts=facts)
    what = Words(
        N_(
            "%(name)s is there, and doesn't tell whether it knows this client; its redirect address"
            " must be %(redirect)s"
        ),
        name=provider.name,
        redirect=provider.redirect,
    )
    return Outcome("sign-in", "note", what, facts=facts)


def _failed(provider: Provider, what: Words, todo: Words) -> Outcome:
    facts = {"provider": provider.name, "redirect": provider.redirect}
    return Outcome("sign-in", "failed", what, Words(NOBODY_SIGNS_IN), todo, facts)
