"""What an operator does to accounts from the command line, beside servers that run or don't."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from core.access import may_sign_in
from core.database import Database, EmbeddedPostgres
from core.model import Person
from core.settings import Settings
from core.signed_links import account_link, owner_link
from core.starting import StartError
from core.store import one_time_links, people
from core.words import N_

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time link that was made, and whose account it is for; None: it makes the first."""

    link: str
    person: Person | None = None
    provider: str = ""  # what the account is kept under


def set_disabled(settings: Settings, email: str, *, disabled: bool) -> int:
    """Disable or enable whoever has this e-mail address, and return how many accounts have it.

    An address may belong to nobody, or to several accounts. Servers close the pages of who is
    disabled within seconds. Raises DatabaseStartError.
    """

    async def change(db: Database) -> int:
        return len(await people.set_disabled(db, email, disabled=disabled))

    return _with_database(settings, change)


def make_links(settings: Settings, email: str | None) -> list[Invitation]:
    """Return a one-time link for each account with this e-mail address, or for the first account.

    Raises StartError where it would be of no use, and DatabaseStartError.
    """

    async def make(db: Database) -> list[Invitation]:
        return await (_first(settings, db) if email is None else _of_address(settings, db, email))

    return _with_database(settings, make)


async def first_link(settings: Settings, db: Database) -> str | None:
    """Return a link that makes the first account, None where one is there or a provider makes it.

    In development there is a sign-in without one.
    """
    if not settings.production or settings.providers or await one_time_links.anybody(db):
        return None
    return owner_link(settings.login_secret, settings.public_url, time.time())


async def _first(settings: Settings, db: Database) -> list[Invitation]:
    if settings.providers:
        names = ", ".join(one.name for one in settings.providers)
        raise StartError(
            N_(
                "people sign in with %(providers)s here, which makes their accounts; for one that"
                " is there, say whose: `python app.py link EMAIL`"
            ),
            providers=names,
        )
    if await one_time_links.anybody(db):
        raise StartError(
            N_("there is an account already; say whose is meant: `python app.py link EMAIL`")
        )
    return [Invitation(owner_link(settings.login_secret, settings.public_url, time.time()))]


async def _of_address(settings: Settings, db: Database, email: str) -> list[Invitation]:
    found = await one_time_links.of_address(db, email)
    if not found:
        raise StartError(N_("nobody has an account here with %(email)s"), email=email)
    if not any(may_sign_in(settings, person) for person, _, _ in found):
        raise StartError(
            N_("%(email)s isn't in ALLOWED_EMAILS or ALLOWED_EMAIL_DOMAINS"), email=email
        )
    if all(disabled for _, _, disabled in found):
        raise StartError(
            N_("the account is disabled: `python app.py enable %(email)s`"), email=email
        )
    secret, address, now = settings.login_secret, settings.public_url, time.time()
    return [
        Invitation(account_link(secret, address, person.id, now), person, provider)
        for person, provider, disabled in found
        if not disabled
    ]


def _with_database(settings: Settings, act: Callable[[Database], Awaitable[T]]) -> T:
    """Do something with the database, which is started if it is the embedded one and isn't up."""
    embedded = EmbeddedPostgres(settings.data_dir)
    try:
        db = Database(settings.database_url or embedded.start(), settings.database_schema)
        return asyncio.run(_connected(db, act))
    finally:
        embedded.stop()


async def _connected(db: Database, act: Callable[[Database], Awaitable[T]]) -> T:
    await db.connect()
    try:
        return await act(db)
    finally:
        await db.disconnect()
