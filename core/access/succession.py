"""Who administers a server after one of those who do has gone: a decision without I/O."""

from __future__ import annotations

from typing import Literal

from core.access.table import administers
from core.model import Person
from core.problems import ProblemError
from core.settings import Settings
from core.store.account import Others

# `needless`: they don't administer it. `others` do as well. `configured`: who signs in with an
# address of ADMIN_EMAILS will. `first_link`: nobody else has an account, so that the next one is
# made by a one-time link, and administers.
Succession = Literal["needless", "others", "configured", "first_link"]


class LastAdministratorError(ProblemError):
    """Nobody could administer the server any more, nor become who does."""

    status, code = 409, "last_administrator"


def succession(settings: Settings, person: Person, others: Others) -> Succession:
    """Return by which way somebody will administer the server without this person.

    Raises LastAdministratorError.
    """
    if not administers(settings, person):
        return "needless"
    if others.administrators:
        return "others"
    named = any(settings.accounts.allow(one) for one in settings.admin_emails)
    # Without a provider, accounts are made in development only, or by the first link.
    if named and (settings.providers or not settings.production):
        return "configured"
    if not others.people and not settings.providers:
        return "first_link"
    raise LastAdministratorError
