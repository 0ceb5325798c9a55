"""What can't be done, and why: exceptions that carry their HTTP status and a code for programs.

The words for people are in web/errors.py, where one handler renders all of them.
"""

from __future__ import annotations


class ProblemError(Exception):
    """Something asked for isn't done. Subclasses say which; nothing was changed by it."""

    status: int = 500  # HTTP's
    code: str = "failed"  # what programs tell it by
    retry_after: int | None = None  # seconds after which asking again may help
    challenge: str | None = None  # what `WWW-Authenticate` says to programs (RFC 6750)
