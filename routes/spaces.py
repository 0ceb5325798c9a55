"""Spaces: one's own, a new one, which one to work in, and the page of one with its members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from core import access, audit
from core.access import SignedOutError, SpaceAction, SpaceLook
from core.model import MAX_AUDIO_DAYS, Consent
from core.rate_limit import RateLimiter
from core.settings import Settings
from core.signed_links import invitation_path
from core.store import invitations, members, spaces
from core.store.invitations import Invitation
from core.store.spaces import NAME_LENGTH, SpacesFullError
from core.text import one_line
from core.words import N_
from routes import facts
from web.bearer import bearer_of
from web.errors import WORDS
from web.forms import form_of
from web.guard import limit
from web.render import as_json, done, page, redirect, wants_html
from web.request import own_spaces, person_of, services
from web.tokens import READ, token
from web.words import gettext

CONSENTS: tuple[Consent, ...] = get_args(Consent)
NAMELESS = N_("Give the space a name.")
RENAMED = N_(
    "Somebody else has called it “%(name)s” meanwhile. Rename it once more to have it your way."
)


@token(READ)
async def own(request: Request) -> Response:
    """GET /spaces: the spaces of who is signed in, and a form for another; for programs JSON."""
    person = await person_of(request)
    if person is None:
        return redirect(request, "/sign-in?next=/spaces", 401)
    if bearer_of(request) is not None:
        return as_json({"spaces": facts.of_spaces(own_spaces(request))})
    return page("spaces/own.html", person, name="", error="")


async def create(request: Request) -> Response:
    """POST /spaces: who is signed in makes a space, owns it, and works in it from now on."""
    person = await person_of(request)
    if person is None:
        raise SignedOutError
    limit(services(request).limits.create, request, person.id)
    name = one_line((await form_of(request)).get("name", ""), NAME_LENGTH)
    status, error = 422, gettext(NAMELESS)
    if name:
        try:
            space = await spaces.create(services(request).db, person, name)
        except SpacesFullError as problem:
            status, error = problem.status, gettext(WORDS[problem.code][1])
        else:
            audit.note("space_act", act="create", space=space, by=person.id)
            return done(request, f"/spaces/{space}")
    if not wants_html(request):
        raise HTTPException(422) if status == 422 else SpacesFullError
    return page("spaces/own.html", person, status=status, name=name, error=error)


async def switch(request: Request) -> Response:
    """POST /spaces/{space}/switch: members work in it from now on, in whatever browser."""
    at = await look(request, SpaceAction.SEE, services(request).limits.update)
    await spaces.work_in(services(request).db, at.space.id, at.person.id)
    return done(request, "/")


async def see(request: Request) -> Response:
    """GET /spaces/{space}: members see who they are, owners what can be done about it."""
    if await person_of(request) is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    at = await look(request, SpaceAction.SEE)
    return await show(request, at)


async def rename(request: Request) -> Response:
    """POST /spaces/{space}/rename: owners call it something else.

    The form says what it was called when they saw it. Where somebody else has renamed it meanwhile,
    nothing is changed, and both names are shown.
    """
    at = await look(request, SpaceAction.SETTINGS, services(request).limits.update)
    form = await form_of(request)
    name, was = (one_line(form.get(key, ""), NAME_LENGTH) for key in ("name", "was"))
    if not name:
        return await _unnamed(request, at, 422, gettext(NAMELESS), name)
    now = await spaces.rename(services(request).db, at.space.id, at.person, name, was)
    if now == name:
        audit.note("space_act", act="rename", space=at.space.id, by=at.person.id)
        return done(request, f"/spaces/{at.space.id}")
    at = await look(request, SpaceAction.SETTINGS)
    return await _unnamed(request, at, 409, gettext(RENAMED, name=now), name)


async def ask(request: Request) -> Response:
    """POST /spaces/{space}/consent: owners choose what the doors of its sessions ask."""
    at = await look(request, SpaceAction.SETTINGS, services(request).limits.update)
    asked = (await form_of(request)).get("consent", "")
    chosen = next((one for one in CONSENTS if one == asked), None)
    if chosen is None:
        raise HTTPException(422)
    await services(request).conduct.ask(at.space.id, at.person, chosen)
    audit.note("space_act", act="consent", space=at.space.id, by=at.person.id)
    return done(request, f"/spaces/{at.space.id}")


async def keep_audio(request: Request) -> Response:
    """POST /spaces/{space}/audio: owners choose whether sound is kept, and for how many days.

    `keep` is `yes`, or it isn't; `days` from 1 to MAX_AUDIO_DAYS.
    """
    at = await look(request, SpaceAction.SETTINGS, services(request).limits.update)
    form = await form_of(request)
    days = _days(form.get("days", "")) if form.get("keep") == "yes" else None
    await services(request).conduct.keep_audio(at.space.id, at.person, days)
    audit.note("space_act", act="audio", space=at.space.id, by=at.person.id)
    return done(request, f"/spaces/{at.space.id}")


def _days(text: str) -> int:
    """Return for how many days sound is kept. Raises HTTPException: 422 for what it can't be."""
    fits = text.isascii() and text.isdecimal() and len(text) < 4
    if not fits or not 1 <= int(text) <= MAX_AUDIO_DAYS:
        raise HTTPException(422)
    return int(text)


async def _unnamed(request: Request, at: SpaceLook, status: int, wrong: str, name: str) -> Response:
    """Say in the space's page why it isn't renamed; what was typed stays."""
    if not wants_html(request):
        raise HTTPException(status)
    return await show(request, at, status=status, naming={"name": name, "wrong": wrong})


async def show(
    request: Request,
    at: SpaceLook,
    *,
    status: int = 200,
    problem: str = "",
    naming: Mapping[str, str] | None = None,
    inviting: Mapping[str, str] | None = None,
) -> Response:
    """Show the page of a space; `problem`: why something about its members wasn't done.

    `naming`: the name that was typed, and what is wrong with it. `inviting`: the same of a new
    invitation.
    """
    parts, found = services(request), list[Invitation]()
    if at.may(SpaceAction.INVITE):
        found = await invitations.open_ones(parts.db, at.space.id)
    settings = parts.settings
    return page(
        "spaces/space.html",
        at.person,
        status=status,
        space=at.space,
        uploading=parts.uploads is not None and parts.uploads.offered,
        may=at.may,
        actions=SpaceAction,
        members=await members.listed(parts.db, at.space.id),
        invitations=found,
        links={
            one.id: settings.public_url + invitation_path(settings.login_secret, one.id)
            for one in found
        },
        outside={one.id for one in found if not _can_come(settings, one)},
        problem=problem,
        max_audio_days=MAX_AUDIO_DAYS,
        naming=naming or {"name": at.space.name, "wrong": ""},
        inviting={"for": "link", "uses": "10", "days": "7", "wrong": "", **(inviting or {})},
    )


def _can_come(settings: Settings, invitation: Invitation) -> bool:
    """Whether who is invited by their address can sign in with it."""
    invited = settings.invited_may_sign_in and invitation.lets_in
    return invitation.email is None or invited or settings.accounts.allow(invitation.email)


async def look(
    request: Request, action: SpaceAction, limiter: RateLimiter | None = None
) -> SpaceLook:
    """Return the space of an address to who may do this with it, counted by this limiter.

    Raises SignedOutError, NotFoundError or TooManyRequestsError.
    """
    parts, person = services(request), await person_of(request)
    if person is None:
        raise SignedOutError
    limit(limiter or parts.limits.reading, request, person.id)
    return await access.look_at_space(
        parts.db, parts.settings, person, request.path_params["space"], action
    )
