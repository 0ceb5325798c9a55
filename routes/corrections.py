"""Corrections of a transcript: lines with other words, speakers and places; what they were."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from core import access
from core.access import Look, NotFoundError
from core.corrections import (
    MAX_RUN,
    By,
    Change,
    History,
    NotStoredYetError,
    RenamedError,
    Seen,
    StaleError,
    Target,
    Version,
)
from core.lines import SPEECH, LineId, line_id
from core.store import corrected
from routes import correcting
from web.forms import form_of
from web.guard import limit
from web.render import as_json, wants_html
from web.request import look, services
from web.tokens import READ, WRITE, token

SEVERAL, NEW = "several", "new"  # in the form, who speaks: several people, or somebody named there

Form = dict[str, str]
Act = Callable[[By, Form], Coroutine[Any, Any, list[Change]]]


@token(READ)
async def line_of(request: Request) -> Response:
    """GET /s/{slug}/transcript/lines/{line}: who may correct it, a line or its form."""
    at = await look(request, strangers=False)
    session = access.correctable(at)
    limit(services(request).limits.default, request, at.who)
    found = await _found(request, session.id, _line(request))
    return (
        await correcting.form(request, at, found) if wants_html(request) else as_json(_told(found))
    )


@token(READ)
async def history(request: Request) -> Response:
    """GET /s/{slug}/transcript/lines/{line}/history: who may correct it, what it was before."""
    at = await look(request, strangers=False)
    session = access.correctable(at)
    limit(services(request).limits.default, request, at.who)
    found = await services(request).correcting.history(session.id, _line(request))
    if wants_html(request):
        return correcting.show_history(request, at, found)
    return as_json(_told_history(found))


@token(WRITE)
async def edit(request: Request) -> Response:
    """POST /s/{slug}/transcript/lines/{line}: give a line other words, or another speaker.

    `text`, each of its lines a line of its own; `speaker` (an id, `several`, or `new` with a
    `name`); `run`, further lines that get the speaker, too. `revision` is what was seen.
    """

    async def act(by: By, form: Form) -> list[Change]:
        run = [_seen(request, form), *_run(form.get("run", ""))]
        text = form.get("text")
        if "\0" in (text or "") or len(run) > MAX_RUN or len({one.line for one in run}) < len(run):
            raise HTTPException(422)
        return await services(request).correcting.edit(by, run, text, _target(form))

    return await _correct(request, act)


@token(WRITE)
async def hide(request: Request) -> Response:
    """POST /s/{slug}/transcript/lines/{line}/hide: only who may correct it sees it from now on."""
    return await _correct(
        request,
        lambda by, form: services(request).correcting.hide(by, _seen(request, form), hidden=True),
    )


@token(WRITE)
async def show(request: Request) -> Response:
    """POST /s/{slug}/transcript/lines/{line}/show: everybody who reads sees it again."""
    return await _correct(
        request,
        lambda by, form: services(request).correcting.hide(by, _seen(request, form), hidden=False),
    )


@token(WRITE)
async def join(request: Request) -> Response:
    """POST /s/{slug}/transcript/lines/{line}/join: join it to `next`, of `next_revision`."""

    async def act(by: By, form: Form) -> list[Change]:
        second = Seen(_speech(form.get("next", "")), _number(form.get("next_revision")))
        return await services(request).correcting.join(by, _seen(request, form), second)

    return await _correct(request, act)


@token(WRITE)
async def restore(request: Request) -> Response:
    """POST /s/{slug}/transcript/lines/{line}/restore: have it as it was heard.

    `seen` is the newest revision that its history showed.
    """

    async def act(by: By, form: Form) -> list[Change]:
        seqs = await services(request).correcting.restore(
            by, _line(request), _number(form.get("seen"))
        )
        lines = await corrected.versions(services(request).db, by.session, seqs)
        return [Change(None, one) for one in lines]

    return await _correct(request, act)


@token(WRITE)
async def rename(request: Request) -> Response:
    """POST /s/{slug}/transcript/speakers/{speaker}: call a speaker `name` in this session.

    `revision` is what was seen of that name: 0 for a participant's own. `line` is where a person
    is led who has no scripts.
    """
    at, by = await _by(request)
    form, speaker = await form_of(request), request.path_params["speaker"]
    if "\0" in speaker:
        raise NotFoundError
    shown = line_id(form.get("line", ""))
    try:
        await services(request).correcting.rename(
            by, speaker, _number(form.get("revision")), form.get("name", "")
        )
    except RenamedError as problem:
        if wants_html(request) and shown is not None:
            found = await _found(request, by.session, shown)
            return await correcting.form(request, at, found, called=form.get("name"), stale=True)
        now = {"id": speaker, "name": problem.name, "revision": problem.revision}
        return as_json({"error": {"code": problem.code}, "speaker": now}, problem.status)
    if wants_html(request):
        return correcting.corrected(request, at.session, shown)
    return Response(status_code=204)


async def _correct(request: Request, act: Act) -> Response:
    """Have somebody correct something, and answer with what it is now."""
    at, by = await _by(request)
    form = await form_of(request)
    try:
        changes = await act(by, form)
    except StaleError as problem:
        if wants_html(request):
            typed = form.get("text") if request.url.path.endswith(f"/{_line(request)}") else None
            return await correcting.form(request, at, problem.now[0], typed=typed, stale=True)
        told = {"error": {"code": problem.code}, "lines": _all_told(problem.now)}
        return as_json(told, problem.status)
    if wants_html(request):
        return correcting.corrected(request, at.session, _line(request))
    return as_json({"lines": _all_told(one.after for one in changes)})


async def _by(request: Request) -> tuple[Look, By]:
    """Return who corrects. Raises what core.access does, and TooManyRequestsError."""
    at = await look(request, strangers=False)
    session = access.correctable(at)
    limit(services(request).limits.update, request, at.who)
    if at.person is not None:
        return at, By(session.id, at.person.id, at.person.name)
    name = at.known.participant.name if at.known else ""
    return at, By(session.id, None, name)


def _line(request: Request) -> LineId:
    return _speech(request.path_params["line"], NotFoundError())


def _speech(text: str, problem: Exception | None = None) -> LineId:
    found = line_id(text)
    if found is None or found.rank != SPEECH:
        raise problem or HTTPException(422)
    return found


def _seen(request: Request, form: Form) -> Seen:
    return Seen(_line(request), _number(form.get("revision")))


def _run(text: str) -> list[Seen]:
    """Return the lines of a run: `18:0 19.1:27`."""
    pairs = [one.partition(":") for one in text.split()]
    return [Seen(_speech(name), _number(revision)) for name, _, revision in pairs]


def _number(text: str | None) -> int:
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise HTTPException(422)
    return int(text)


def _target(form: Form) -> Target | None:
    match form.get("speaker", ""):
        case "":
            return None
        case _ if "\0" in form["speaker"]:
            raise HTTPException(422)
        case "several":
            return Target()
        case "new":
            return Target(name=form.get("name", ""))
        case speaker:
            return Target(speaker)


async def _found(request: Request, session_id: str, line: LineId) -> Version:
    """Return a line. Raises NotFoundError or NotStoredYetError."""
    parts = services(request)
    for one in await corrected.versions(parts.db, session_id, [line.number]):
        if one.line == line:
            return one
    late = parts.correcting.late(session_id)
    raise NotStoredYetError if line.number in late else NotFoundError


def _told(one: Version) -> dict[str, Any]:
    return {
        "id": str(one.line),
        "revision": one.revision,
        "start": one.start,
        "end": one.end,
        "speaker": {"id": one.speaker.id, "name": one.speaker.name},
        "text": one.text,
        "hidden": one.hidden,
        "joined": str(one.joined) if one.joined else None,
        "lost": one.lost,
    }


def _all_told(some: Iterable[Version]) -> list[dict[str, Any]]:
    return [_told(one) for one in some]


def _told_history(found: History) -> dict[str, Any]:
    return {
        "line": _told(found.line),
        "seen": found.seen,
        "heard": [
            {
                "id": str(one.seq),
                "start": one.start,
                "end": one.end,
                "speaker": {"id": one.speaker.id, "name": one.speaker.name},
                "text": one.text,
                "language": one.language,
            }
            for one in found.heard
        ],
        "steps": [
            {
                "at": one.at.isoformat(),
                "by": one.by,
                "kind": one.kind,
                "line": str(one.line),
                "before": dict(one.before),
                "after": dict(one.after),
            }
            for one in found.steps
        ],
    }
