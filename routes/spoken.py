"""Languages and words: what is spoken in sessions, how it is written, into what it is translated.

Owners choose it for a space, hosts for a session; nothing is offered that the engine doesn't do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core import access, audit
from core.access import Action, Look, SpaceAction, SpaceLook
from core.model import Session
from core.speaking import OverheardError
from core.speech.engine import Engine
from core.spoken import (
    MAX_CHARACTERS,
    MAX_ENTRIES,
    MAX_LANGUAGES,
    MAX_TARGETS,
    MAX_WORDS,
    Mistake,
    MistakeError,
    Spoken,
    codes_of,
    spelling_of,
    together,
    vocabulary_of,
)
from core.store import spoken as store
from core.words import N_
from routes import spaces
from web.forms import form_of
from web.guard import limit
from web.render import done, is_fragment, json_error, page, redirect, wants_html, wants_json
from web.request import look, person_of, services
from web.tokens import WRITE, token
from web.words import gettext

_T = TypeVar("_T")
SAID: dict[Mistake, str] = {
    Mistake.UNKNOWN: N_("The speech engine of this server doesn’t know “%(about)s”."),
    Mistake.TOO_MANY: N_("That are too many: at most %(most)s."),
    Mistake.TOO_LONG: N_("That is too long: at most %(characters)s characters in all."),
    Mistake.TOO_MANY_WORDS: N_("An entry has at most %(words)s words: “%(about)s”."),
    Mistake.NO_RULE: N_("Write a rule as in the example, not “%(about)s”."),
}
NO_LANGUAGE = N_("Choose a language.")
# What is chosen where nothing has to be listed: as above, whatever is spoken, none.
CHOICES = {"inherit", "any", "these", "none"}


@dataclass(frozen=True, slots=True)
class Typed:
    """What the fields show, what it comes to, and what is wrong with which field."""

    spoken: Spoken
    vocabulary: str
    spelling: str
    problems: Mapping[str, str] = field(default_factory=dict)


def shown(spoken: Spoken) -> Typed:
    """Return the fields as they are before anybody has typed."""
    rules = (f"{written} = {', '.join(heard)}" for written, heard in spoken.spelling.items())
    return Typed(spoken, "\n".join(spoken.vocabulary), "\n".join(rules))


def read(form: Mapping[str, str], before: Spoken, engine: Engine) -> Typed:
    """Return what somebody typed; what the form lacks stays as it was before."""
    reading = _Reading(form, before)
    languages = reading.codes(
        "language", before.languages, (*engine.languages, *(before.languages or ())), MAX_LANGUAGES
    )
    targets = reading.codes(
        "target", before.targets, (*engine.translates_to, *(before.targets or ())), MAX_TARGETS
    )
    switching = before.code_switching
    if "spoken" in form or "switching" in form:
        switching = form.get("switching") == "on"
    was = shown(before)
    return Typed(
        Spoken(
            languages,
            switching and languages is not None and len(languages) > 1,
            reading.text("vocabulary", vocabulary_of, before.vocabulary),
            reading.text("spelling", spelling_of, before.spelling),
            targets,
        ),
        form.get("vocabulary", was.vocabulary),
        form.get("spelling", was.spelling),
        reading.problems,
    )


class _Reading:
    """One form that is being read, and what was found to be wrong with it."""

    def __init__(self, form: Mapping[str, str], before: Spoken) -> None:
        self._form = form
        self.problems: dict[str, str] = {}

    def codes(
        self, name: str, before: tuple[str, ...] | None, known: tuple[str, ...], most: int
    ) -> tuple[str, ...] | None:
        """Return the codes of `languages` or `targets`, or as the choice of this name has it."""
        choice = self._form.get({"language": "spoken", "target": "translated"}[name])
        if choice is not None and choice not in CHOICES:
            raise HTTPException(422)
        listed = self._form.get(f"{name}s")
        if listed is None and choice is None:
            return before
        if choice == "inherit":
            return None
        if choice in ("any", "none"):
            return ()
        typed = [self._form.get(f"{name}-{number}", "") for number in range(1, most + 1)]
        try:
            codes = codes_of(typed if listed is None else listed.split(","), known, most)
        except MistakeError as mistake:
            self.problems[name] = _said(mistake, most)
            return before
        if choice == "these" and not codes:
            self.problems[name] = gettext(NO_LANGUAGE)
        return codes

    def text(self, name: str, reader: Callable[[str], _T], before: _T) -> _T:
        """Return what stands in a field of several lines."""
        if name not in self._form:
            return before
        try:
            return reader(self._form[name])
        except MistakeError as mistake:
            self.problems[name] = _said(mistake, MAX_ENTRIES)
            return before


def _said(mistake: MistakeError, most: int) -> str:
    return gettext(
        SAID[mistake.mistake],
        about=mistake.about,
        most=most,
        characters=MAX_CHARACTERS,
        words=MAX_WORDS,
    )


def fields(request: Request, typed: Typed, above: Spoken, *, of_space: bool) -> dict[str, Any]:
    """Return what the template of the fields needs; `above` is what holds without them."""
    engine = services(request).rooms.engine
    return {
        "said": typed,
        "above": above,
        "of_space": of_space,
        "engine": engine,
        "most_languages": MAX_LANGUAGES,
        "most_targets": MAX_TARGETS,
    }


async def session_page(request: Request) -> Response:
    """GET /s/{slug}/languages: hosts see what is said of a session's languages and words."""
    at = await look(request, strangers=False)
    session = access.hosted_still(at, Action.SETTINGS)
    return _show_session(request, at, session, shown(session.spoken))


@token(WRITE)
async def of_session(request: Request) -> Response:
    """POST /s/{slug}/languages: hosts change what is given of it, for who begins to speak.

    `was` is the state that they have seen: 409 where somebody else has changed it since.
    """
    at = await look(request, strangers=False)
    session = access.hosted_still(at, Action.SETTINGS)
    limit(services(request).limits.update, request, at.who)
    form = await form_of(request)
    typed = read(form, session.spoken, services(request).rooms.engine)
    if typed.problems:
        if not wants_html(request):
            return _invalid(request, typed)
        return _show_session(request, at, session, typed, status=422)
    was = form.get("was", session.spoken.state)
    try:
        changed = await services(request).speaking.of_session(session, typed.spoken, was)
    except OverheardError as refusal:
        if not wants_html(request):
            raise
        now = replace(session, spoken=refusal.now)
        return _show_session(request, at, now, typed, status=409)
    audit.note("host_act", act="languages", by=at.who, session=session.id)
    if is_fragment(request):
        return _show_session(request, at, changed, shown(changed.spoken), saved=True)
    if wants_html(request):
        return RedirectResponse(f"/s/{session.slug}/languages?saved", 303)
    return Response(status_code=204)


def _show_session(
    request: Request,
    at: Look,
    session: Session,
    typed: Typed,
    *,
    status: int = 200,
    saved: bool = False,
) -> Response:
    above = together(session.space_spoken, services(request).rooms.installation)
    template = "spoken/_form.html" if is_fragment(request) else "spoken/session.html"
    return page(
        template,
        at.person,
        status=status,
        session=session,
        here=f"/s/{session.slug}/languages",
        id=session.slug,
        was=session.spoken.state,
        theirs=shown(session.spoken) if status == 409 else None,
        saved=saved or "saved" in request.query_params,
        **fields(request, typed, above, of_space=False),
    )


async def space_page(request: Request) -> Response:
    """GET /spaces/{space}/languages: owners see what holds for the sessions of a space."""
    if await person_of(request) is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    at = await spaces.look(request, SpaceAction.SETTINGS)
    now = await store.of_space(services(request).db, at.space.id)
    return _show_space(request, at, now, shown(now))


async def of_space(request: Request) -> Response:
    """POST /spaces/{space}/languages: owners change what is given of it, for who begins to speak.

    `was` as for a session.
    """
    at = await spaces.look(request, SpaceAction.SETTINGS, services(request).limits.update)
    parts = services(request)
    now = await store.of_space(parts.db, at.space.id)
    form = await form_of(request)
    typed = read(form, now, parts.rooms.engine)
    if typed.problems:
        if not wants_html(request):
            return _invalid(request, typed)
        return _show_space(request, at, now, typed, status=422)
    try:
        was = form.get("was", now.state)
        await parts.speaking.of_space(at.space.id, at.person, typed.spoken, was)
    except OverheardError as refusal:
        if not wants_html(request):
            raise
        return _show_space(request, at, refusal.now, typed, status=409)
    audit.note("space_act", act="languages", space=at.space.id, by=at.person.id)
    if is_fragment(request):
        return _show_space(request, at, typed.spoken, shown(typed.spoken), saved=True)
    return done(request, f"/spaces/{at.space.id}/languages?saved")


def _show_space(
    request: Request,
    at: SpaceLook,
    now: Spoken,
    typed: Typed,
    *,
    status: int = 200,
    saved: bool = False,
) -> Response:
    above = together(services(request).rooms.installation)
    template = "spoken/_form.html" if is_fragment(request) else "spoken/space.html"
    return page(
        template,
        at.person,
        status=status,
        space=at.space,
        here=f"/spaces/{at.space.id}/languages",
        id=at.space.id,
        was=now.state,
        theirs=shown(now) if status == 409 else None,
        saved=saved or "saved" in request.query_params,
        **fields(request, typed, above, of_space=True),
    )


def _invalid(request: Request, typed: Typed) -> Response:
    """Tell a program what is wrong. Raises HTTPException: 422 for who reads no JSON."""
    if not wants_json(request):
        raise HTTPException(422)
    return json_error(422, "invalid", " ".join(typed.problems.values()), {})
