"""API tokens: what a program shows to act as a person, within the scope that they chose.

`sessions_`, 48 hexadecimal digits at random, and the CRC-32 of all that as 8 more. So what was
mistyped or cut off is refused without a question, and scanners for secrets find one wherever it was
left behind. The database knows their digests alone.
"""

from __future__ import annotations

import re
import secrets
import zlib

from core.model import TokenScope

PREFIX = "sessions_"
RANDOM_BYTES = 24

_SHAPE = re.compile(f"{PREFIX}[0-9a-f]{{{2 * RANDOM_BYTES + 8}}}")


def new_token() -> str:
    """Return a token that nobody has."""
    said = PREFIX + secrets.token_hex(RANDOM_BYTES)
    return said + _checksum(said)


def may_be_token(text: str) -> bool:
    """Whether this has the shape of a token and its checksum."""
    return _SHAPE.fullmatch(text) is not None and text[-8:] == _checksum(text[:-8])


def allows(scope: TokenScope, needed: TokenScope) -> bool:
    """Whether a token of this scope is enough where that one is needed: who writes also reads."""
    return scope == "WRITE" or needed == "READ"


def _checksum(said: str) -> str:
    return f"{zlib.crc32(said.encode()):08x}"
