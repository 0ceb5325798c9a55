"""What production starts with and yet surprises: `check` says it, as an operator may mean it so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from core.settings.environment import is_production
from core.settings.providers import PREFIXES
from core.words import N_, Words

# uvicorn's variable: whose X-Forwarded-For is believed. It takes 127.0.0.1 when it is unset.
TRUSTED_PROXIES = "FORWARDED_ALLOW_IPS"


def advice(environ: Mapping[str, str]) -> Iterator[Words]:
    """Yield sentences about what is left open."""
    if not is_production(environ):
        yield Words(
            N_(
                "NODE_ENV isn't production, so a start asks for none of this: it takes embedded"
                " services and the development sign-in for what isn't set. For others, set"
                " NODE_ENV=production."
            )
        )
    provided = _any_given(environ, "GOOGLE_CLIENT_ID", *(f"{one}_ISSUER" for one in PREFIXES))
    if provided and not _any_given(environ, "ALLOWED_EMAILS", "ALLOWED_EMAIL_DOMAINS"):
        yield Words(
            N_(
                "Any account of the sign-in provider may start sessions here, which you pay"
                " for. Name those who may in ALLOWED_EMAILS or ALLOWED_EMAIL_DOMAINS."
            )
        )
    if environ.get("DISABLE_SSL", "").strip().lower() == "true":
        yield Words(
            N_(
                "ONCE serves this without TLS (DISABLE_SSL): people who don't come by https through"
                " another proxy have no microphone here, and can't sign in."
            )
        )
    trusted = environ.get(TRUSTED_PROXIES)
    if trusted is None:
        yield Words(
            N_(
                "X-Forwarded-For is believed of whoever connects from this computer. That is"
                " right for a proxy here that writes it, such as Caddy or nginx. Behind one"
                " that passes it on unread (HAProxy in TCP mode, socat, ssh -L) people choose"
                " their address, so that limits per address don't hold: then set"
                " FORWARDED_ALLOW_IPS to nothing."
            )
        )
    elif trusted.strip() == "*":
        yield Words(
            N_(
                "FORWARDED_ALLOW_IPS=* believes the first address in X-Forwarded-For, which"
                " anybody can write, so that limits per address don't hold. Name the"
                " addresses of your proxies, or their networks, such as 10.0.0.0/8."
            )
        )


def _any_given(environ: Mapping[str, str], *names: str) -> bool:
    return any(environ.get(name, "").strip() for name in names)
