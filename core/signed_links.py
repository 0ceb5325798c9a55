"""Links that are signed: those that are good once, of invitations, and of shared transcripts.

A one-time link is made of the login secret and nothing else, and read again.

So one can be printed before there is a database. What it says is signed, not encrypted: a random
id, when it runs out, and whose account.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from uuid import UUID

from core.one_time_link import PATH, LinkError, OneTimeLink
from core.settings.keys import INVITATION, ONE_TIME_LINK, SHARED_LINK, derived

LASTS_S = 3600  # from when it was made: to paste it from a terminal into a browser
MAX_TOKEN = 200  # characters; the longer kind has 75

INVITATIONS = "/invitations/"
SHARED = "/shared/"
_SIGNED_ID = re.compile("[A-Za-z0-9_-]{43}")  # 32 bytes

ID, END, USER, SEAL = 16, 5, 16, 16  # bytes; half of HMAC-SHA256 is 128 bits (RFC 2104, section 5)


def owner_link(secret: str, public_url: str, now: float) -> str:
    """Return a link that makes the first account of the server at this address, an administrator's.

    `secret` is NEXTAUTH_SECRET, `now` the seconds since 1970. Good once, for an hour, and as long
    as there is no account.
    """
    return _address(secret, public_url, now, b"")


def account_link(secret: str, public_url: str, user_id: str, now: float) -> str:
    """Return a link that signs this account in. Good once, for an hour."""
    return _address(secret, public_url, now, UUID(user_id).bytes)


def read(secret: str, token: str, now: float) -> OneTimeLink:
    """Return what a link says. Raises LinkError: not_valid, run_out."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise LinkError("not_valid") from None
    said, seal = raw[:-SEAL], raw[-SEAL:]
    known = len(token) <= MAX_TOKEN and len(said) in (ID + END, ID + END + USER)
    if not known or not hmac.compare_digest(seal, _seal(secret, ONE_TIME_LINK, said)):
        raise LinkError("not_valid")
    user = said[ID + END :]
    ends = int.from_bytes(said[ID : ID + END])
    if ends <= now:
        raise LinkError("run_out", of_account=bool(user))
    return OneTimeLink(said[:ID], ends, str(UUID(bytes=user)) if user else None)


def _address(secret: str, public_url: str, now: float, user: bytes) -> str:
    said = secrets.token_bytes(ID) + (int(now) + LASTS_S).to_bytes(END) + user
    token = base64.urlsafe_b64encode(said + _seal(secret, ONE_TIME_LINK, said)).decode().rstrip("=")
    return f"{public_url}{PATH}?token={token}"


def _seal(secret: str, purpose: str, said: bytes) -> bytes:
    key = derived(secret, purpose).encode()
    return hmac.digest(key, said, hashlib.sha256)[:SEAL]


def invitation_path(secret: str, invitation_id: str) -> str:
    """Return the path of an invitation's link: its id, which nobody else can sign."""
    return INVITATIONS + _signed_id(secret, INVITATION, invitation_id)


def read_invitation(secret: str, path: str) -> str | None:
    """Return the id of the invitation whose link has this path; None for any other path."""
    token = path.removeprefix(INVITATIONS)
    return None if token == path else _read_id(secret, INVITATION, token)


def shared_path(secret: str, link_id: str) -> str:
    """Return the path at which a shared transcript is read: its link's id, signed likewise."""
    return SHARED + _signed_id(secret, SHARED_LINK, link_id)


def read_shared(secret: str, token: str) -> str | None:
    """Return the id of the link to a shared transcript with this token; None for any other."""
    return _read_id(secret, SHARED_LINK, token)


def _signed_id(secret: str, purpose: str, which: str) -> str:
    said = UUID(which).bytes
    return base64.urlsafe_b64encode(said + _seal(secret, purpose, said)).decode().rstrip("=")


def _read_id(secret: str, purpose: str, token: str) -> str | None:
    if not _SIGNED_ID.fullmatch(token):
        return None
    which = str(UUID(bytes=base64.urlsafe_b64decode(token + "=")[:ID]))
    real = hmac.compare_digest(token.encode(), _signed_id(secret, purpose, which).encode())
    return which if real else None
