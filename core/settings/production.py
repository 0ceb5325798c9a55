"""What production refuses though each value is valid by itself: it would not be safe.

Development is free of all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from core.settings.values import is_loopback
from core.words import N_, Words

# A secret signs who somebody is, so it must outlast any guessing. 128 bits do. What the usual
# commands make has more and passes: `openssl rand -hex 16` is 32 characters with 128 bits,
# `-base64 32` is 44 with 256, Vercel's generator 32 of letters and digits with 190.
MIN_SECRET = 32  # characters
# Those who chose characters at random have more different ones: of 32 hexadecimal digits, one in
# 20 million has fewer than 8. "aaaa…" has 1, "changemechangeme…" has 7.
MIN_DIFFERENT = 8
# Without the words that examples and placeholders are made of, so much must be left.
MIN_REST = 16  # characters
PLACEHOLDER = re.compile(
    r"super|secret|pass(word|phrase)?|change|replace|insert|example|sample|placeholder|default|"
    r"dummy|your|please|generate[d]?|random|string|token|signing|session[s]?|nextauth|auth|jwt|"
    r"key|value|here|this|with|must|least|long|minimum|characters?|development|production|test|"
    r"livekit|devkey|0123456789|123456789|abcdefghijklmnopqrstuvwxyz|abcdef|qwerty|[^a-z0-9]"
)
SECRETS = ("login_secret", "transcription_secret")
DEVELOPMENT_KEY, DEVELOPMENT_SECRET = "devkey", "secret"  # of `livekit-server --dev`


def objections(values: Mapping[str, Any]) -> Iterator[tuple[str, Words]]:
    """Yield what production refuses of these values: a field of Settings, and why.

    `values` has those that are set and valid.
    """
    for field in SECRETS:
        if why := weakness(values.get(field)):
            yield field, Words(N_("%(why)s: make one with `openssl rand -base64 32`"), why=why)
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


def weakness(secret: str | None) -> Words | None:
    """Return why a secret can be guessed, None when it can't or there is none."""
    if secret is None:
        return None
    if len(secret) < MIN_SECRET:
        return Words(
            N_("must have %(least)s characters or more, as it could be guessed"), least=MIN_SECRET
        )
    if len(set(secret)) < MIN_DIFFERENT:
        return Words(N_("has the same few characters again and again, so it could be guessed"))
    if len(PLACEHOLDER.sub("", secret.lower())) < MIN_REST:
        return Words(N_("is made of well-known words, so it could be guessed"))
    return None
