"""The variables of OpenID providers beside Google: the same five for each of them."""

from __future__ import annotations

from collections.abc import Iterator

from core.settings import parsing as accept
from core.settings.providers import PREFIXES
from core.settings.variable import SIGN_IN, Variable
from core.words import N_

# Of the first, whose variables have no number.
FIRST = {
    "issuer": N_(
        "The issuer of an OpenID provider beside Google, such as Keycloak, Authentik or Entra ID:"
        " exactly as the provider writes it, with a slash at its end or without. Its redirect"
        " address is NEXTAUTH_URL and /api/auth/callback/oidc."
    ),
    "client_id": N_("The id of the client that is registered there for this server."),
    "client_secret": N_("That client's secret. Clients without one aren't supported."),
    "name": N_("What its button says after “Continue with”, in 40 characters at most."),
    "trust_email": N_(
        "`on` takes e-mail addresses of which the provider doesn't say whether it has verified them"
        " (Entra ID doesn't): only if nobody there can give themselves an address of somebody else."
        " Those that it calls unverified are refused in any case."
    ),
}
# Of the others: what is said of the issuer, and of the rest.
LATER = (
    (
        N_("As OIDC_ISSUER, for a second provider. Its redirect address ends in /oidc2."),
        N_("As the one without a number, for the second provider."),
    ),
    (
        N_("As OIDC_ISSUER, for a third provider. Its redirect address ends in /oidc3."),
        N_("As the one without a number, for the third provider."),
    ),
)
EXAMPLES = {
    "issuer": "https://sso.example.com/realms/team",
    "client_id": "sessions",
    "name": "Example",
    "trust_email": "on",
}
UNSET = {"name": N_("the issuer's host"), "trust_email": "off"}
PARSE = {"issuer": accept.issuer, "name": accept.label, "trust_email": accept.switch}


def variables() -> Iterator[Variable]:
    """Yield all of them, those of the first provider first."""
    for number, prefix in enumerate(PREFIXES):
        for part, purpose in FIRST.items():
            yield Variable(
                f"{prefix}_{part}".upper(),
                f"{prefix}_{part}".lower(),
                SIGN_IN,
                LATER[number - 1][part != "issuer"] if number else purpose,
                UNSET.get(part, N_("no such provider")),
                PARSE.get(part, accept.text),
                example=EXAMPLES.get(part, ""),
                secret=part == "client_secret",
            )
