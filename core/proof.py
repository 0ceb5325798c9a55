"""Whether what answers at an address is this very installation, and what its proxy tells it.

`check` may run beside a server, and the address that people open leads through proxies, of which
one may lead elsewhere: to an older server, to another one's page, to a name with `www.`. Who knows
NEXTAUTH_SECRET asks with a token that only they can make, and the answer proves the same of the
server. To anybody else there is nothing at that address.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

import jwt

from core.settings.keys import PROOF, derived

LIFETIME_S = 60  # of a question; the clocks are those of one computer, or nearly
AUDIENCE = "sessions:proof"


def question(secret: str) -> tuple[str, str]:
    """Return a token that asks for a proof, and the proof that is right."""
    nonce = secrets.token_urlsafe(24)
    claims = {"aud": AUDIENCE, "exp": int(time.time()) + LIFETIME_S, "nonce": nonce}
    key = derived(secret, PROOF)
    return jwt.encode(claims, key, algorithm="HS256"), _proof(key, nonce)


def answered(secret: str, token: str) -> str | None:
    """Return the proof that a token asks for; None for one that isn't of this installation."""
    key = derived(secret, PROOF)
    try:
        claims = jwt.decode(
            token, key, ["HS256"], audience=AUDIENCE, options={"require": ["exp", "nonce"]}
        )
    except jwt.InvalidTokenError:
        return None
    nonce = claims["nonce"]
    return _proof(key, nonce) if isinstance(nonce, str) else None


def _proof(key: str, nonce: str) -> str:
    return hmac.new(key.encode(), f"proof {nonce}".encode(), hashlib.sha256).hexdigest()
