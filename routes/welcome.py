"""The steps after the first sign-in: a name, one for the space, a picture; all may be skipped."""

from __future__ import annotations

from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core.model import Person
from core.store import choices, spaces
from core.text import display_name, one_line, without_controls
from core.words import N_
from routes.profile import MAX_NAME, NAME_LENGTHS, RENAMED, no_name, offering
from web.forms import form_of
from web.guard import limit
from web.render import page, redirect, wants_html
from web.request import person_of, services, signed_in
from web.words import gettext

SPACE_LENGTHS = (1, 80)
NO_SPACE_NAME = N_("Type a name for the space.")
SPACE_RENAMED = N_("In another window it has become “%(now)s”. Save again to call it “%(wanted)s”.")


def led(person: Person, target: str) -> str:
    """Return where somebody is led who has just signed in: to these steps, the first time.

    Who is on their way to somewhere, such as a session, isn't held up.
    """
    return "/welcome" if target == "/" and not person.welcomed else target


async def begin(request: Request) -> Response:
    """GET /welcome: who has signed in for the first time chooses what they are called."""
    return await _see(request, "name")


async def see_space(request: Request) -> Response:
    """GET /welcome/space: then how the space that came with the account is called."""
    return await _see(request, "space")


async def see_picture(request: Request) -> Response:
    """GET /welcome/picture: and last, a picture."""
    return await _see(request, "picture")


async def name(request: Request) -> Response:
    """POST /welcome/name: as POST /profile/name; a space that has their name still follows it."""
    person = await _changing(request)
    form, db = await form_of(request), services(request).db
    typed, was = form.get("name", ""), without_controls(form.get("was", ""), MAX_NAME)
    wanted = display_name(typed, *NAME_LENGTHS)
    if wanted is None:
        return await _refused(request, person, "name", 422, (typed[:200], no_name()))
    now, done = await choices.rename(db, person.id, was, wanted)
    if not done:
        told = gettext(RENAMED, now=now.name, wanted=wanted)
        return await _refused(request, now, "name", 409, (wanted, told))
    space = await spaces.lone(db, person.id)
    if space is not None and space.name == gettext("%(name)s’s space", name=was):
        called = gettext("%(name)s’s space", name=wanted)
        await spaces.rename(db, space.id, now, called, space.name)
    return _next(request, "/welcome/space" if space else "/welcome/picture")


async def name_space(request: Request) -> Response:
    """POST /welcome/space: the owner of a space that nobody else is in calls it something else."""
    person = await _changing(request)
    form, db = await form_of(request), services(request).db
    space = await spaces.lone(db, person.id)
    if space is None:
        return _next(request, "/welcome/picture")
    wanted = one_line(form.get("name", ""), SPACE_LENGTHS[1])
    was = without_controls(form.get("was", ""), SPACE_LENGTHS[1])
    if not wanted:
        return await _refused(request, person, "space", 422, ("", gettext(NO_SPACE_NAME)))
    now = await spaces.rename(db, space.id, person, wanted, was)
    if now != wanted:
        told = gettext(SPACE_RENAMED, now=now, wanted=wanted)
        return await _refused(request, person, "space", 409, (wanted, told))
    return _next(request, "/welcome/picture")


async def done(request: Request) -> Response:
    """POST /welcome/done: the steps are done or skipped, and not offered again."""
    person = await _changing(request)
    await choices.be_welcomed(services(request).db, person.id)
    return _next(request, "/")


async def show(
    request: Request,
    person: Person,
    step: str,
    *,
    status: int = 200,
    typed: str | None = None,
    problem: str = "",
) -> Response:
    """Return the page of a step; `typed`: what wasn't taken, `problem`: why not."""
    space = await spaces.lone(services(request).db, person.id)
    steps = ["name", "space", "picture"] if space else ["name", "picture"]
    if step not in steps:
        return RedirectResponse("/welcome/picture", 303)
    return page(
        "people/welcome.html",
        person,
        status=status,
        step=step,
        steps=steps,
        space=space,
        typed=typed,
        problem=problem,
        lengths=SPACE_LENGTHS if step == "space" else NAME_LENGTHS,
        offer=await offering(request, person) if step == "picture" else None,
    )


async def _see(request: Request, step: str) -> Response:
    person = await person_of(request)
    if person is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    if person.welcomed:
        return RedirectResponse("/", 303)
    return await show(request, person, step)


async def _changing(request: Request) -> Person:
    person = await signed_in(request)
    limit(services(request).limits.update, request, person.id)
    return person


async def _refused(
    request: Request, person: Person, step: str, status: int, wrong: tuple[str, str]
) -> Response:
    """Show a step anew with what was typed, and what is wrong with it."""
    if not wants_html(request):
        raise HTTPException(status)
    return await show(request, person, step, status=status, typed=wrong[0], problem=wrong[1])


def _next(request: Request, address: str) -> Response:
    if wants_html(request):
        return RedirectResponse(address, 303)
    return Response(status_code=204)
