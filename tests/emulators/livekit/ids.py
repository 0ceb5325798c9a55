"""Identifiers in LiveKit's form: a prefix that says what it is, then random characters."""

from __future__ import annotations

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str) -> str:
    """For example `new_id("TR_")` → `TR_a8Kd03mfQx1Z`."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(12))
