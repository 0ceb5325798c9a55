"""The transcription token: what a page shows to `/ws` to prove who it is.

It is good for an hour, and no longer than what it was given for: it names, by its digest, the key
of the login or guest to whom it was given, and `/ws` asks whether that still counts.

A probe token opens no room. It lets a page try for some seconds what `/ws` carries.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from core.model import Participant, Session
from core.problems import ProblemError

LIFETIME = timedelta(hours=1)
ALGORITHM = "HS256"
# Whose token it is and what it is for: nothing else that is signed with the same key, now or later,
# passes for one, and none passes for anything else.
ISSUER, AUDIENCE = "sessions", "sessions:ws"
PROBE_LIFETIME = timedelta(minutes=1)
PROBE_AUDIENCE = "sessions:probe"
CLAIMS = ["iss", "aud", "sub", "sid", "sessionId", "sessionSlug", "identity", "iat", "exp"]


class BadTokenError(ProblemError):
    """The token is missing, forged, expired or incomplete."""

    status, code = 401, "bad_token"


@dataclass(frozen=True, slots=True)
class TranscriptionClaims:
    """What a valid token says. `key` is the digest of the key that it was given for."""

    session_id: str
    slug: str
    identity: str
    key: bytes


def mint(secret: str, session: Session, participant: Participant, key: bytes) -> str:
    """Return a token for this participant, valid for an hour, as long as the key counts.

    `key` is its digest.
    """
    now = datetime.now(UTC)
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": participant.identity,
        "sid": base64.urlsafe_b64encode(key).decode(),
        "sessionId": session.id,
        "sessionSlug": session.slug,
        "identity": participant.identity,
        "name": participant.name,
        "role": participant.role,
        "iat": now,
        "exp": now + LIFETIME,
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def read(secret: str, token: str) -> TranscriptionClaims:
    """Check signature, expiry and claims. Raises BadTokenError."""
    claims = _claims(secret, token, AUDIENCE, CLAIMS)
    values = [claims["sessionId"], claims["sessionSlug"], claims["identity"]]
    if not all(isinstance(value, str) for value in values):
        raise BadTokenError
    session_id, slug, identity = values
    return TranscriptionClaims(session_id, slug, identity, _digest(claims["sid"]))


def mint_probe(secret: str, who: str) -> str:
    """Return a token with which `who`, whom limits count, may probe `/ws` within a minute."""
    now = datetime.now(UTC)
    claims = {
        "iss": ISSUER,
        "aud": PROBE_AUDIENCE,
        "sub": who,
        "iat": now,
        "exp": now + PROBE_LIFETIME,
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def read_probe(secret: str, token: str) -> str:
    """Return whose probe token this is. Raises BadTokenError."""
    return str(_claims(secret, token, PROBE_AUDIENCE, ["iss", "aud", "sub", "iat", "exp"])["sub"])


def _claims(secret: str, token: str, audience: str, needed: list[str]) -> dict[str, Any]:
    """Return what a token of ours says to this audience. Raises BadTokenError."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=ISSUER,
            options={"require": needed},
        )
    except (jwt.PyJWTError, ValueError) as problem:
        raise BadTokenError from problem
    return claims


def _digest(sid: object) -> bytes:
    try:
        return base64.urlsafe_b64decode(str(sid))
    except (ValueError, binascii.Error):
        raise BadTokenError from None
