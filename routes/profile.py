"""Somebody's own profile: what they are called, and how pages look to them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core.look import captions_in
from core.model import Person, is_theme
from core.settings.providers import behind
from core.store import avatars, choices, people
from core.text import display_name, without_controls
from core.words import N_
from web.forms import form_of
from web.guard import limit
from web.language import forget, remember
from web.render import page, redirect, wants_html
from web.request import person_of, services, signed_in
from web.words import gettext, is_language

MAX_NAME = 80  # characters that one may have from elsewhere
NAME_LENGTHS = (2, 40)  # characters of a name that somebody chooses here
SAVED = ("name", "picture", "look", "spoken", "captions")  # of what the page says that it was saved

NO_NAME = N_("Type a name of %(shortest)s to %(longest)s characters.")
RENAMED = N_(
    "In another window you have become “%(now)s” since this page was opened. Save again to be"
    " called “%(wanted)s”."
)


async def profile(request: Request) -> Response:
    """GET /profile?saved=name: people who are signed in."""
    person = await person_of(request)
    if person is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    return await show(request, person, saved=request.query_params.get("saved", ""))


async def name(request: Request) -> Response:
    """POST /profile/name: what somebody is called here from now on, by others and in new sessions.

    `was` is the name that they saw: 409 where it isn't theirs any more, and nothing has changed.
    """
    person = await _changing(request)
    form = await form_of(request)
    typed = form.get("name", "")
    wanted = display_name(typed, *NAME_LENGTHS)
    if wanted is None:
        return await _refused(request, person, 422, typed[:200], no_name())
    was = without_controls(form.get("was", ""), MAX_NAME)
    now, done = await choices.rename(services(request).db, person.id, was, wanted)
    if not done:
        told = gettext(RENAMED, now=now.name, wanted=wanted)
        return await _refused(request, now, 409, wanted, told)
    return _saved(request, "name")


async def look(request: Request) -> Response:
    """POST /profile/look: colours, language and captions of somebody's pages, whichever are given.

    A theme or language that is empty is that of their system and of each browser. `spoken` is what
    they speak in sessions that they come to from now on, empty as each session has it.
    """
    person = await _changing(request)
    form, db = await form_of(request), services(request).db
    theme, language, spoken = form.get("theme"), form.get("language"), form.get("spoken")
    try:
        captions = captions_in(form)
    except ValueError:
        raise HTTPException(422) from None
    if not (theme in (None, "") or is_theme(theme)):
        raise HTTPException(422)
    if not (language in (None, "") or is_language(language)):
        raise HTTPException(422)
    if spoken and spoken not in (*services(request).rooms.engine.languages, person.spoken):
        raise HTTPException(422)
    if theme is not None:
        await choices.choose_theme(db, person.id, theme if is_theme(theme) else None)
    if captions:
        await choices.choose_captions(db, person.id, captions)
    if spoken is not None:
        await choices.choose_spoken(db, person.id, spoken or None)
    what = "captions" if captions else "look" if spoken is None else "spoken"
    answer = _saved(request, what)
    if is_language(language):
        await people.choose_language(db, person.id, language)
        remember(answer, language, services(request).settings)
    elif language == "":
        await people.choose_language(db, person.id, None)
        forget(answer)
    return answer


async def show(
    request: Request,
    person: Person,
    *,
    status: int = 200,
    saved: str = "",
    typed: str | None = None,
    problems: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """Return the page of somebody's profile.

    `saved`: what was, as the page says; `problems`: what is wrong, by what it is about; `typed`:
    a name that wasn't taken.
    """
    return page(
        "people/profile.html",
        person,
        status=status,
        saved=saved if saved in SAVED else "",
        typed=typed,
        problems=problems,
        lengths=NAME_LENGTHS,
        offer=await offering(request, person),
        engine=services(request).rooms.engine,
    )


async def offering(request: Request, person: Person) -> str | None:
    """Return the name of a provider that has a picture of somebody, which they can take."""
    found = await avatars.offer(services(request).db, person.id)
    its = behind(services(request).settings.providers, found[0]) if found else None
    return its.name if its else None


def no_name() -> str:
    """Return what is wrong with a name that is none."""
    return gettext(NO_NAME, shortest=NAME_LENGTHS[0], longest=NAME_LENGTHS[1])


async def _changing(request: Request) -> Person:
    """Return who changes what is theirs. Raises SignedOutError, TooManyRequestsError."""
    person = await signed_in(request)
    limit(services(request).limits.update, request, person.id)
    return person


async def _refused(
    request: Request, person: Person, status: int, typed: str, problem: str
) -> Response:
    if not wants_html(request):
        raise HTTPException(status)
    return await show(request, person, status=status, typed=typed, problems={"name": problem})


def _saved(request: Request, what: str) -> Response:
    if wants_html(request):
        return RedirectResponse(f"/profile?saved={what}", 303)
    return Response(status_code=204)
