"""Members of a space: their roles, who removes them, and leaving; open rooms learn it at once."""

from __future__ import annotations

from typing import get_args
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from core import audit
from core.access import NotFoundError, SpaceAction, SpaceLook
from core.model import Membership
from core.problems import ProblemError
from core.store import members
from core.store.members import LastMemberError, LastOwnerError
from routes.spaces import look, show
from web.errors import WORDS
from web.forms import form_of
from web.render import done, wants_html
from web.request import services
from web.words import gettext


async def change_role(request: Request) -> Response:
    """POST /spaces/{space}/members/{user}/role: owners make a member an owner, or no longer one."""
    parts = services(request)
    at = await look(request, SpaceAction.ROLES, parts.limits.update)
    whom = _whom(request)
    role = _role((await form_of(request)).get("role", ""))
    try:
        moved = await members.change_role(parts.db, at.space.id, at.person, whom, role)
    except LastOwnerError as problem:
        return await refused(request, at, problem)
    audit.note("space_act", act=f"make_{role.lower()}", space=at.space.id, by=at.person.id, of=whom)
    await parts.conduct.moved(moved)
    return done(request, f"/spaces/{at.space.id}")


async def remove(request: Request) -> Response:
    """POST /spaces/{space}/members/{user}/remove: owners end somebody's membership."""
    parts = services(request)
    at = await look(request, SpaceAction.ROLES, parts.limits.delete)
    whom = _whom(request)
    try:
        moved = await members.remove(parts.db, at.space.id, at.person, whom)
    except LastOwnerError as problem:
        return await refused(request, at, problem)
    audit.note("space_act", act="remove", space=at.space.id, by=at.person.id, of=whom)
    await parts.conduct.moved(moved, knocking=True)
    await parts.conduct.uninvite(parts.settings, whom)
    return done(request, "/" if whom == at.person.id else f"/spaces/{at.space.id}")


async def leave(request: Request) -> Response:
    """POST /spaces/{space}/leave: members end their own membership."""
    parts = services(request)
    at = await look(request, SpaceAction.LEAVE, parts.limits.delete)
    try:
        moved = await members.leave(parts.db, at.space.id, at.person)
    except (LastOwnerError, LastMemberError) as problem:
        return await refused(request, at, problem)
    audit.note("space_act", act="leave", space=at.space.id, by=at.person.id)
    await parts.conduct.moved(moved)
    await parts.conduct.uninvite(parts.settings, at.person.id)
    return done(request, "/spaces")


async def refused(request: Request, at: SpaceLook, problem: ProblemError) -> Response:
    """Say in the space's page why something about its members can't be."""
    if not wants_html(request):
        raise problem
    words = " ".join(gettext(one) for one in WORDS[problem.code])
    return await show(request, at, status=problem.status, problem=words)


def _whom(request: Request) -> str:
    try:
        return str(UUID(request.path_params["user"]))
    except ValueError:
        raise NotFoundError from None


def _role(text: str) -> Membership:
    for role in get_args(Membership):
        if text == role:
            return role  # type: ignore[no-any-return]
    raise HTTPException(422)
