"""The keys that are made of one secret, so that what one of them has signed fits nowhere else."""

from __future__ import annotations

import base64
from functools import cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

COOKIE = "sessions: the login cookie, 1"
TOKEN = "sessions: tokens of /ws, 1"  # noqa: S105 - what a key is for, not a key
PROOF = "sessions: proofs of being this installation, 1"
INVITATION = "sessions: links of invitations, 1"
SHARED_LINK = "sessions: links to shared transcripts, 1"
ONE_TIME_LINK = "sessions: one-time links, 1"


@cache
def derived(secret: str, purpose: str) -> str:
    """Return the key that a secret has for a purpose: 32 bytes by HKDF-SHA256, as text."""
    key = HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(secret.encode())
    return base64.urlsafe_b64encode(key).decode()
