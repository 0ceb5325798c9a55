"""What production refuses though each value is valid by itself: it would not be safe.

Development is free of all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from core.settings.guessing import guessable
from core.settings.providers import PREFIXES
from core.settings.values import is_loopback
from core.words import N_, Words

SECRETS = ("login_secret", "transcription_secret", "metrics_token")
DEVELOPMENT_KEY, DEVELOPMENT_SECRET = "devkey", "secret"  # of `livekit-server --dev`


def objections(values: Mapping[str, Any]) -> Iterator[tuple[str, Words]]:
    """Yield what production refuses of these values: a field of Settings, and why.

    `values` has those that are set and valid.
    """
    for field in SECRETS:
        if why := guessable(values.get(field, "")):
            yield field, why
    public = urlsplit(values.get("public_url", ""))
    livekit = urlsplit(values.get("livekit_url", ""))
    if public.scheme == "http" and not is_loopback(public.hostname or ""):
        yield (
            "public_url",
            Words(
                N_(
                    "must start with https://: browsers give a microphone to nothing else, and"
                    " logins would travel in clear; put a proxy with TLS in front (docs/deploy.md)"
                )
            ),
        )
    for prefix in PREFIXES:
        field = f"{prefix}_issuer".lower()
        issuer = urlsplit(values.get(field, ""))
        if issuer.scheme == "http" and not is_loopback(issuer.hostname or ""):
            yield (
                field,
                Words(
                    N_(
                        "must start with https://: what comes in clear could be anybody's, and so"
                        " could whoever signs in"
                    )
                ),
            )
    bucket = urlsplit(values.get("audio_bucket", ""))
    if bucket.scheme == "http" and not is_loopback(bucket.hostname or ""):
        yield (
            "audio_bucket",
            Words(N_("must start with https://: what people said would travel in clear")),
        )
    if not livekit.hostname or is_loopback(livekit.hostname):
        return
    if public.scheme == "https" and livekit.scheme == "ws":
        yield (
            "livekit_url",
            Words(N_("must start with wss://: a page on https can't reach ws://")),
        )
    yield from _development_keys(values)


def _development_keys(values: Mapping[str, Any]) -> Iterator[tuple[str, Words]]:
    known = Words(
        N_(
            "is the one of `livekit-server --dev`, which everybody knows: make a pair with"
            " `livekit-server generate-keys`"
        )
    )
    if values.get("livekit_api_key") == DEVELOPMENT_KEY:
        yield "livekit_api_key", known
    if values.get("livekit_api_secret") == DEVELOPMENT_SECRET:
        yield "livekit_api_secret", known
