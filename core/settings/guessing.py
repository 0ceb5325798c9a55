"""Secrets that can be guessed: production refuses them, and development warns of them."""

from __future__ import annotations

import re

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


def guessable(secret: str) -> Words | None:
    """Return why a secret can be guessed and what to do, None when it can't or there is none."""
    why = _weakness(secret) if secret else None
    return why and Words(N_("%(why)s: make one with `openssl rand -base64 32`"), why=why)


def _weakness(secret: str) -> Words | None:
    if len(secret) < MIN_SECRET:
        return Words(
            N_("has less than %(least)s characters, so it could be guessed"), least=MIN_SECRET
        )
    if len(set(secret)) < MIN_DIFFERENT:
        return Words(N_("has the same few characters again and again, so it could be guessed"))
    if len(PLACEHOLDER.sub("", secret.lower())) < MIN_REST:
        return Words(N_("is made of well-known words, so it could be guessed"))
    return None
