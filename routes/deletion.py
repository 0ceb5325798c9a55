"""Deleting sessions, one or many, and spaces: a page that says what goes, and then the act."""

from __future__ import annotations

from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core import access, audit
from core.access import NotFoundError, SignedOutError, SpaceAction, SpaceLook
from core.model import Person, Session
from core.store import deletion
from core.store.deletion import LastSpaceError
from core.store.members import NotMemberError
from core.text import one_line
from core.words import N_
from routes.spaces import look as look_at_space
from web.errors import WORDS
from web.forms import form_of
from web.guard import limit
from web.render import done, page, redirect, wants_html
from web.request import look, own_spaces, person_of, services
from web.tokens import WRITE, token
from web.words import gettext

MOST_AT_ONCE = 200  # sessions; a list that was read on has 500
NOT_THE_NUMBER = N_("Type the number of the sessions as it stands above.")
NOT_THE_NAME = N_("Type the name of the space as it stands above.")


async def session_page(request: Request) -> Response:
    """GET /s/{slug}/delete: who may delete a session reads what goes with it."""
    at = await look(request, strangers=False)
    session = access.deletable(at)
    if _is_next_meeting(session) and at.sight.room is not None:
        return RedirectResponse(f"/r/{at.sight.room}/settings", 303)
    contents = await deletion.of_session(services(request).db, session.id)
    return page("deletion/session.html", at.person, session=session, contents=contents)


@token(WRITE)
async def delete_session(request: Request) -> Response:
    """POST /s/{slug}/delete: who started it as a member, or an owner, deletes it with all in it.

    One that goes on ends for everybody first. The next meeting of a standing room can't be deleted
    by itself: 409.
    """
    at = await look(request, strangers=False)
    session = access.deletable(at)
    if at.person is None:
        raise NotFoundError
    limit(services(request).limits.delete, request, at.person.id)
    if _is_next_meeting(session):
        raise HTTPException(409)
    await services(request).deletion.sessions([session], at.person)
    audit.note("space_act", act="delete_session", session=session.id, by=at.person.id)
    return done(request, "/")


def _is_next_meeting(session: Session) -> bool:
    return session.standing_room is not None and session.status == "CREATED"


async def sessions_page(request: Request) -> Response:
    """GET /sessions/delete?session=…&session=…: which of these that are over can be deleted."""
    person = await person_of(request)
    if person is None:
        return redirect(request, f"/sign-in?next={quote('/?show=ended')}", 401)
    limit(services(request).limits.reading, request, person.id)
    chosen = await _chosen(request, person, request.query_params.getlist("session"))
    return await _show_chosen(request, person, chosen)


async def delete_sessions(request: Request) -> Response:
    """POST /sessions/delete: people delete ended sessions, `sessions`, whose number they typed.

    All of them at once, or none: where one can't be deleted by them any more, or was before, the
    number is another one, and they are asked again (409). The number is `number`.
    """
    person = await person_of(request)
    if person is None:
        raise SignedOutError
    limit(services(request).limits.delete, request, person.id)
    form = await form_of(request)
    asked = form.get("sessions", "").split(",")
    chosen = await _chosen(request, person, asked)
    if len(chosen) != len(set(asked)):
        if not wants_html(request):
            raise HTTPException(409)
        return await _show_chosen(request, person, chosen, status=409)
    if form.get("number", "").strip() != str(len(chosen)):
        if not wants_html(request):
            raise HTTPException(422)
        wrong = gettext(NOT_THE_NUMBER)
        return await _show_chosen(request, person, chosen, status=422, wrong=wrong)
    await services(request).deletion.sessions(chosen, person)
    for one in chosen:
        audit.note("space_act", act="delete_session", session=one.id, by=person.id)
    return done(request, "/?show=ended")


async def _chosen(request: Request, person: Person, slugs: list[str]) -> list[Session]:
    """Return of these sessions those that are over and that the person may delete.

    Raises HTTPException: 422 for more than anybody may delete at once.
    """
    if len(slugs) > MOST_AT_ONCE:
        raise HTTPException(422)
    known = [one for one in slugs if one.isascii() and one.isprintable()]
    found = await deletion.found(services(request).db, person.id, known)
    return [one for one, role in found if access.may_delete(one, person.id, role)]


async def _show_chosen(
    request: Request, person: Person, chosen: list[Session], *, status: int = 200, wrong: str = ""
) -> Response:
    """Show which sessions are to go, and what goes with them."""
    return page(
        "deletion/sessions.html",
        person,
        status=status,
        sessions=chosen,
        kept=await deletion.of_sessions(services(request).db, [one.id for one in chosen]),
        changed=status == 409,
        wrong=wrong,
    )


async def space_page(request: Request) -> Response:
    """GET /spaces/{space}/delete: owners read what goes with a space."""
    if await person_of(request) is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    return await _show_space(request, await look_at_space(request, SpaceAction.DELETE))


async def delete_space(request: Request) -> Response:
    """POST /spaces/{space}/delete: owners delete a space with all in it, whose `name` they typed.

    What goes on ends for everybody first. 409 for who is in no other space.
    """
    parts = services(request)
    at = await look_at_space(request, SpaceAction.DELETE, parts.limits.delete)
    typed = one_line((await form_of(request)).get("name", ""), 200)
    if len(own_spaces(request).all) < 2:
        return await _refused(request, at, 409, gettext(WORDS["last_space"][1]))
    if typed != at.space.name:
        return await _refused(request, at, 422, gettext(NOT_THE_NAME))
    try:
        await parts.deletion.space(at.space.id, at.person)
    except NotMemberError:
        raise NotFoundError from None
    except LastSpaceError:
        return await _refused(request, at, 409, gettext(WORDS["last_space"][1]))
    audit.note("space_act", act="delete", space=at.space.id, by=at.person.id)
    return done(request, "/spaces")


async def _refused(request: Request, at: SpaceLook, status: int, wrong: str) -> Response:
    if not wants_html(request):
        raise LastSpaceError if status == 409 else HTTPException(status)
    return await _show_space(request, at, status=status, wrong=wrong)


async def _show_space(
    request: Request, at: SpaceLook, *, status: int = 200, wrong: str = ""
) -> Response:
    return page(
        "deletion/space.html",
        at.person,
        status=status,
        space=at.space,
        contents=await deletion.of_space(services(request).db, at.space.id),
        last=len(own_spaces(request).all) < 2,
        wrong=wrong,
    )
