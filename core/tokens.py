"""The transcription token: what a page shows to `/ws` to prove who it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt

from core.model import Participant, Session
from core.problems import ProblemError

LIFETIME = timedelta(hours=1)
ALGORITHM = "HS256"
CLAIMS = ["sub", "sessionId", "sessionSlug", "identity", "iat", "exp"]


class BadTokenError(ProblemError):
    """The token is missing, forged, expired or incomplete."""

    status, code = 401, "bad_token"


@dataclass(frozen=True, slots=True)
class TranscriptionClaims:
    """What a valid token says."""

    session_id: str
    slug: str
    identity: str


def mint(secret: str, session: Session, participant: Participant) -> str:
    """Return a token for this participant, valid for an hour."""
    now = datetime.now(UTC)
    claims = {
        "sub": participant.identity,
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
    try:
        claims = jwt.decode(token, secret, algorithms=[ALGORITHM], options={"require": CLAIMS})
    except jwt.PyJWTError as problem:
        raise BadTokenError from problem
    values = [claims["sessionId"], claims["sessionSlug"], claims["identity"]]
    if not all(isinstance(value, str) for value in values):
        raise BadTokenError
    return TranscriptionClaims(*values)
