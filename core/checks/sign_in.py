"""The OpenID providers: what they say of themselves, and whether they know us, if they tell."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from core.checks.asking import NoAnswerError, ask
from core.checks.outcome import Outcome
from core.settings import Provider, Settings
from core.words import N_, Words

HTTP_OK = 200
NOBODY_SIGNS_IN = N_(
    "Login returns to the login page, or ends with an error: nobody can start a session. Guests by"
    " link still come in."
)
NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")


async def look(settings: Settings) -> list[Outcome]:
    """Look at every provider that is set."""
    if not settings.providers:
        what = Words(N_("no OpenID provider is set"))
        if settings.production:
            what = Words(
                N_("no OpenID provider is set: `python app.py link` prints links to sign in with")
            )
        return [Outcome("sign-in", "skipped", what)]
    looks = [_look_at(one, settings.public_url + one.callback) for one in settings.providers]
    return await asyncio.gather(*looks)


async def _look_at(provider: Provider, redirect: str) -> Outcome:
    """Look at one. `redirect` is the exact address to register with it."""
    where, address_variable = provider.metadata_url, provider.address_variable
    try:
        answer = await ask(where)
    except NoAnswerError as problem:
        return _silent(provider, redirect, where, problem)
    told = answer.json()
    if answer.status != HTTP_OK or not isinstance(told, dict):
        return _failed(
            provider,
            redirect,
            Words(
                N_("what answers at %(address)s isn't an OpenID provider (%(status)s)"),
                address=where,
                status=answer.status,
            ),
            Words(N_("Correct %(name)s."), name=address_variable),
        )
    if not provider.is_written(told.get("issuer")):
        return _failed(
            provider,
            redirect,
            Words(
                N_("%(address)s speaks for another issuer: %(issuer)s"),
                address=where,
                issuer=str(told.get("issuer"))[:200],
            ),
            Words(N_("Set %(name)s to the issuer as it writes itself."), name=address_variable),
        )
    lacking = [name for name in NEEDED if not isinstance(told.get(name), str)]
    if lacking:
        return _failed(
            provider,
            redirect,
            Words(N_("its metadata lack %(those)s"), those=", ".join(lacking)),
            Words(N_("Correct %(name)s."), name=address_variable),
        )
    return await _client(provider, redirect, told)


async def _client(provider: Provider, redirect: str, metadata: Mapping[str, Any]) -> Outcome:
    """Offer a code that can't be one: what is refused first tells whether we are known.

    RFC 6749, section 5.2: `invalid_client` for a client that isn't known or can't prove who it is,
    `invalid_grant` for the code, for which the client was looked at before.
    """
    form = {
        "grant_type": "authorization_code",
        "code": "sessions-check",
        "redirect_uri": redirect,
        "code_verifier": "sessions-check-" * 4,
    }
    endpoint = metadata["token_endpoint"]
    login: tuple[str, str] | None = (provider.client_id, provider.client_secret)
    if provider.shows_secret_in_form(metadata):
        form |= {"client_id": provider.client_id, "client_secret": provider.client_secret}
        login = None
    try:
        answer = await ask(endpoint, form=form, login=login)
    except NoAnswerError as problem:
        return _silent(provider, redirect, endpoint, problem)
    told = answer.json()
    error = str(told.get("error")) if isinstance(told, dict) else ""
    client, secret = f"{provider.prefix}_CLIENT_ID", f"{provider.prefix}_CLIENT_SECRET"
    facts = {"provider": provider.name, "redirect": redirect, "answer": error[:64]}
    if error in ("invalid_client", "unauthorized_client"):
        return _failed(
            provider,
            redirect,
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
            redirect,
            Words(N_("%(name)s doesn't know our redirect address"), name=provider.name),
            Words(N_("Register this very address: %(redirect)s"), redirect=redirect),
        )
    if error == "invalid_grant":
        what = Words(
            N_("%(name)s knows this client; its redirect address must be %(redirect)s"),
            name=provider.name,
            redirect=redirect,
        )
        return Outcome("sign-in", "ok", what, facts=facts)
    what = Words(
        N_(
            "%(name)s is there, and doesn't tell whether it knows this client; its redirect address"
            " must be %(redirect)s"
        ),
        name=provider.name,
        redirect=redirect,
    )
    return Outcome("sign-in", "note", what, facts=facts)


def _silent(provider: Provider, redirect: str, address: str, problem: NoAnswerError) -> Outcome:
    """Say that one of its addresses gives no answer."""
    return _failed(
        provider,
        redirect,
        Words(N_("%(name)s can't be reached: %(why)s"), name=provider.name, why=problem.words),
        Words(N_("Let this server connect to %(address)s."), address=address),
    )


def _failed(provider: Provider, redirect: str, what: Words, todo: Words) -> Outcome:
    facts = {"provider": provider.name, "redirect": redirect}
    return Outcome("sign-in", "failed", what, Words(NOBODY_SIGNS_IN), todo, facts)
