"""Invitations to a space: made and revoked by its owners, opened and accepted by who has one.

No mail is sent: an owner copies the link. Opening it shows who invites to what, and uses nothing,
so that whatever looks at links before people do counts as nobody.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from core import audit
from core.access import NotFoundError, SignedOutError, SpaceAction
from core.model import Person
from core.signed_links import read_invitation
from core.store import invitations, members
from core.store.invitations import MAX_USES, Closed, Invitation, InvitationsFullError
from core.text import one_line
from core.words import N_
from routes.arriving import EMAIL_LENGTH
from routes.login import sign_in_context
from routes.spaces import look, show
from web.errors import WORDS
from web.forms import form_of
from web.guard import limit
from web.render import done, page, wants_html
from web.request import own_spaces, person_of, services
from web.words import gettext

DAYS = (1, 7, 30)

NOT_SO_LONG = N_("Choose how long the invitation lasts.")
NOT_SO_MANY = N_("Type how many people may use the link: 1 to %(most)s.")
NO_ADDRESS = N_("Type an e-mail address, such as ada@example.com.")
CLOSED: dict[Closed, tuple[str, str]] = {
    "revoked": (
        N_("This invitation was revoked."),
        N_("Ask who sent it to you for another one."),
    ),
    "expired": (
        N_("This invitation has run out."),
        N_("Ask who sent it to you for another one."),
    ),
    "used_up": (
        N_("This invitation has been used."),
        N_(
            "As many people as it was for have accepted it. Ask who sent it to you for another one."
        ),
    ),
}


async def create(request: Request) -> Response:
    """POST /spaces/{space}/invitations: owners invite, by a link or for an e-mail address."""
    parts = services(request)
    at = await look(request, SpaceAction.INVITE, parts.limits.create)
    form = await form_of(request)
    by_mail = form.get("for") == "email"
    email = one_line(form.get("email", ""), EMAIL_LENGTH + 1).lower() if by_mail else None
    uses, days = _number(form.get("uses", "1")), _number(form.get("days", ""))
    wrong, status = _wrong(email, uses, days), 422
    if not wrong:
        try:
            made = await invitations.create(
                parts.db,
                at.space.id,
                at.person,
                email=email,
                max_uses=1 if by_mail else uses,
                lasts=timedelta(days=days),
            )
        except InvitationsFullError as problem:
            wrong, status = gettext(WORDS[problem.code][1]), problem.status
        else:
            if made is None:
                raise NotFoundError
            audit.note("space_act", act="invite", space=at.space.id, by=at.person.id)
            return done(request, f"/spaces/{at.space.id}#invitations-title")
    if not wants_html(request):
        raise HTTPException(422) if status == 422 else InvitationsFullError
    return await show(request, at, status=status, inviting={**form, "wrong": wrong})


def _wrong(email: str | None, uses: int, days: int) -> str:
    """Return what is wrong with an invitation that somebody wants to make."""
    if days not in DAYS:
        return gettext(NOT_SO_LONG)
    if email is None:
        fits = 1 <= uses <= MAX_USES
        return "" if fits else gettext(NOT_SO_MANY, most=MAX_USES)
    name, at, domain = email.rpartition("@")
    fits = bool(name and at and domain) and " " not in email and len(email) <= EMAIL_LENGTH
    return "" if fits else gettext(NO_ADDRESS)


def _number(text: str) -> int:
    """Return a number that somebody typed; 0 for anything else."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0


async def revoke(request: Request) -> Response:
    """POST /spaces/{space}/invitations/{invitation}/revoke: owners; nobody uses it any more."""
    parts = services(request)
    at = await look(request, SpaceAction.INVITE, parts.limits.update)
    try:
        which = str(UUID(request.path_params["invitation"]))
    except ValueError:
        raise NotFoundError from None
    if not await invitations.revoke(parts.db, at.space.id, at.person, which):
        raise NotFoundError
    audit.note("space_act", act="revoke", space=at.space.id, by=at.person.id)
    return done(request, f"/spaces/{at.space.id}#invitations-title")


async def see(request: Request) -> Response:
    """GET /invitations/{token}: who has the link sees who invites to what."""
    person = await person_of(request)
    limit(services(request).limits.reading, request, person.id if person else None)
    invitation = await _find(request)
    if invitation.closed and not _is_member(request, invitation):
        return _closed(request, person, invitation.closed)
    return _page(request, person, invitation)


async def accept(request: Request) -> Response:
    """POST /invitations/{token}: who is signed in becomes a member, and works there from now on."""
    parts, person = services(request), await person_of(request)
    if person is None:
        raise SignedOutError
    limit(parts.limits.update, request, person.id)
    invitation = await _find(request)
    if not _is_member(request, invitation):
        if invitation.closed:
            return _closed(request, person, invitation.closed)
        if not invitation.is_for(person.email):
            return _page(request, person, invitation, status=403)
    moved = await members.accept(parts.db, invitation, person)
    audit.note("space_act", act="accept", space=invitation.space_id, by=person.id)
    await parts.conduct.moved(moved)
    return done(request, "/")


async def _find(request: Request) -> Invitation:
    """Return the invitation of a link. Raises NotFoundError where it isn't one of ours."""
    parts = services(request)
    found = read_invitation(parts.settings.login_secret, request.url.path)
    invitation = await invitations.find(parts.db, found) if found else None
    if invitation is None:
        raise NotFoundError
    return invitation


def _is_member(request: Request, invitation: Invitation) -> bool:
    return any(one.id == invitation.space_id for one in own_spaces(request).all)


def _page(
    request: Request, person: Person | None, invitation: Invitation, status: int = 200
) -> Response:
    return page(
        "spaces/invitation.html",
        person,
        status=status,
        invitation=invitation,
        here=request.url.path,
        member=_is_member(request, invitation),
        others=person is not None and not invitation.is_for(person.email),
        **sign_in_context(request, request.url.path),
    )


def _closed(request: Request, person: Person | None, why: Closed) -> Response:
    """Say why an invitation can't be used."""
    if not wants_html(request):
        raise members.NotAcceptedError
    title, message = CLOSED[why]
    return page(
        "error.html",
        person,
        status=410,
        title=gettext(title),
        message=gettext(message),
        action=None,
    )
