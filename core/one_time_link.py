"""One-time links: an operator lets somebody sign in without a provider.

There are two kinds: one makes the first account of a server, the other signs an account in that is
there. core/signed_links.py makes and reads them; that one was used is noted in the database until
it has run out (core/store/one_time_links.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PATH = "/sign-in/link"

Refusal = Literal["not_valid", "run_out", "used", "taken"]


class LinkError(Exception):
    """A link can't be used: it isn't ours, has run out, was used, or there is an account already.

    `of_account` says of which kind it is, as far as that is known.
    """

    def __init__(self, why: Refusal, *, of_account: bool = False) -> None:
        super().__init__(why)
        self.why: Refusal = why
        self.of_account = of_account


@dataclass(frozen=True, slots=True)
class OneTimeLink:
    """A link that is ours and hasn't run out."""

    id: bytes
    ends: int  # in seconds since 1970
    user_id: str | None  # whose account it signs in; None: it makes the first
