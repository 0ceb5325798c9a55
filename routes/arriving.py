"""Arriving: who a provider says somebody is, with what they were invited to.

An invitation for their verified address is claimed as they sign in; one whose link they came by
they accept on its page. Where INVITED_MAY_SIGN_IN says so, either may let in whom ALLOWED_EMAILS
and the like don't name: then they are a member before they are signed in.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from core import audit
from core.database import Database
from core.fetching import offered
from core.model import Person
from core.problems import ProblemError
from core.settings.providers import GOOGLE, behind
from core.signed_links import read_invitation
from core.store import avatars, invitations, members, spaces
from core.store import people as users
from core.store.invitations import Invitation
from core.store.spaces import MAX_OWN
from core.text import one_line
from web.request import services
from web.words import gettext

NAME_LENGTH = 40
EMAIL_LENGTH = 254
# Of how many spaces somebody is made a member without a click of theirs: whoever knows an address
# can invite it, and the rest is left for what people choose themselves.
MAX_CLAIMED = MAX_OWN // 2


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who signs in, and the page that they are led to."""

    person: Person
    target: str


async def arrive(
    request: Request,
    account: tuple[str, str],
    claims: dict[str, Any],
    target: str,
    *,
    allowed: bool,
) -> Arrival | None:
    """Return the user behind an account, as provider and subject, made at the first sign-in.

    Afterwards they are called what the provider calls them now; one that says no name takes none.
    `allowed`: whether the operator's lists let their address in, which is verified. None for who
    may not sign in, of whom nothing is kept.
    """
    parts = services(request)
    email = one_line(str(claims["email"]), EMAIL_LENGTH)
    link = await _linked(request, target, email)
    waiting = await invitations.of_address(parts.db, email, MAX_CLAIMED)
    known = await users.find_by_account(parts.db, *account)
    letting = [one for one in ([link] if link else []) + waiting if one.lets_in]
    in_before = known is not None and not allowed and await _let_in_before(request, known)
    if not allowed and not (parts.settings.invited_may_sign_in and (in_before or letting)):
        return None
    person = await _known_or_made(parts.db, account, claims, email, known)
    its = behind(parts.settings.providers, account[0])
    if its is not None:
        await avatars.note_offer(parts.db, account, offered(claims.get("picture"), its.issuer))
    if not allowed and not in_before:
        if not await _accept(request, person, letting, work=True):
            return None  # somebody else had the last use
        await users.invite_in(parts.db, person.id)
        target = "/"
    claimed = await _accept(request, person, waiting, work=known is None)
    if known is None and not claimed and (link is None or target == "/") and allowed:
        await spaces.first_space(parts.db, person.id, gettext("%(name)s’s space", name=person.name))
    return Arrival(person, target)


async def _let_in_before(request: Request, known: Person) -> bool:
    """Whether an invitation lets somebody in who is a member still."""
    own = await spaces.of_person(services(request).db, known.id)
    return known.invited and own.current is not None


async def _linked(request: Request, target: str, email: str) -> Invitation | None:
    """Return the open invitation whose link somebody of this address came by."""
    parts = services(request)
    found = read_invitation(parts.settings.login_secret, target)
    invitation = await invitations.find(parts.db, found) if found else None
    if invitation is None or invitation.closed or not invitation.is_for(email):
        return None
    return invitation


async def _known_or_made(
    db: Database,
    account: tuple[str, str],
    claims: dict[str, Any],
    email: str,
    known: Person | None,
) -> Person:
    provider, subject = account
    name = one_line(str(claims.get("name") or ""), NAME_LENGTH)
    if known:
        return await users.refresh(db, known, name or known.name, email)
    name = name or one_line(email.partition("@")[0], NAME_LENGTH) or gettext("Somebody")
    vouched = provider == GOOGLE and claims.get("email_verified") is True
    return await users.create(db, provider, subject, name, email, may_claim=vouched)


async def _accept(
    request: Request, person: Person, waiting: Collection[Invitation], *, work: bool
) -> int:
    """Accept what can be accepted of these, and return how many that were."""
    parts, accepted = services(request), 0
    for one in waiting:
        with suppress(ProblemError):  # another had the last use, or a bound is reached
            moved = await members.accept(parts.db, one, person, most=MAX_CLAIMED, work=work)
            audit.note("space_act", act="accept", space=one.space_id, by=person.id)
            await parts.conduct.moved(moved)
            accepted += 1
    return accepted
