"""What hosts do in a session: let people in, mute and remove them, share the role, settings.

Everything takes effect in the database and in `/ws` at once. What LiveKit was asked to do as
well and didn't is reported with status 200, `{"call": {"code", "message"}}`; else it is 204.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from core import access, audit
from core.access import Action, EndedError, Look, may
from core.conduct import Conduct, RetitledError
from core.livekit import CallError, CallProblem
from core.model import Session, is_admission
from core.text import one_line
from core.words import N_
from routes.home import TITLE_LENGTH
from web.forms import form_of
from web.guard import limit
from web.render import SESSIONS_CHANGED, is_fragment, json_error, page, wants_html
from web.request import look, services
from web.tokens import WRITE, token
from web.words import gettext

CALL_PROBLEMS: dict[CallProblem, str] = {
    "unreachable": N_(
        "The video server doesn’t answer; the call itself may take a while to follow."
    ),
    "refused": N_("The video server refuses our key; the call itself is unchanged."),
    "failed": N_("The video server could not do it; the call itself may take a while to follow."),
}

RETITLED = N_(
    "Somebody else has called the session “%(name)s” meanwhile. Rename it once more to have it your"
    " way."
)


async def admit(request: Request) -> Response:
    """POST /s/{slug}/people/{identity}/admit: hosts let in who knocks, also who was denied."""
    return await _about(request, Action.ADMIT, Conduct.admit)


async def deny(request: Request) -> Response:
    """POST /s/{slug}/people/{identity}/deny: hosts send away who knocks."""
    return await _about(request, Action.DENY, Conduct.deny)


async def mute(request: Request) -> Response:
    """POST /s/{slug}/people/{identity}/mute: hosts mute somebody in the call and the captions."""
    return await _about(request, Action.MUTE, Conduct.mute)


async def lower_hand(request: Request) -> Response:
    """POST /s/{slug}/people/{identity}/lower-hand: hosts take somebody's hand down."""
    return await _about(request, Action.LOWER_HAND, Conduct.lower_hand)


async def remove(request: Request) -> Response:
    """POST /s/{slug}/people/{identity}/remove: hosts remove somebody for good."""
    return await _about(request, Action.REMOVE, Conduct.remove)


async def make_host(request: Request) -> Response:
    """POST /s/{slug}/people/{identity}/host: hosts make somebody else a host too."""
    return await _about(request, Action.MAKE_HOST, Conduct.make_host)


async def admit_all(request: Request) -> Response:
    """POST /s/{slug}/admit-all: hosts let in everybody who knocks at this moment."""
    return await _all(request, Action.ADMIT, Conduct.admit_all)


async def mute_all(request: Request) -> Response:
    """POST /s/{slug}/mute-all: hosts mute everybody but the hosts, in the call and the captions."""
    return await _all(request, Action.MUTE, Conduct.mute_all)


async def pause(request: Request) -> Response:
    """POST /s/{slug}/pause: hosts have nothing transcribed from now on; the call goes on."""
    at, session = await _looked(request, Action.PAUSE)
    me = at.known.participant.identity if at.known else None
    return await _done(services(request).conduct.pause(session, me))


async def resume(request: Request) -> Response:
    """POST /s/{slug}/resume: hosts have it transcribed again what is said from now on."""
    _, session = await _looked(request, Action.PAUSE)
    return await _done(services(request).conduct.resume(session))


async def settings_page(request: Request) -> Response:
    """GET /s/{slug}/settings: hosts see title, admission and lock, as a page or a part of one."""
    at = await look(request, strangers=False)
    session = access.hosted(at, Action.SETTINGS)
    if session.over:
        raise EndedError
    return _show_settings(request, at, session, saved="saved" in request.query_params)


@token(WRITE)
async def settings(request: Request) -> Response:
    """POST /s/{slug}/settings: hosts change title, admission or lock, whichever are given.

    `was_title` is what it was called when they saw it: 409 where it isn't any more, and nothing has
    changed. The page's modules get 204 or JSON, htmx the forms as they are now, a plain form their
    page.
    """
    at, session = await _looked(request, Action.SETTINGS)
    form = await form_of(request)
    title, admission, locked = form.get("title"), form.get("admission"), form.get("locked")
    if admission is not None and not is_admission(admission):
        raise HTTPException(422)
    if locked not in (None, "on", "off"):
        raise HTTPException(422)
    line = one_line(title, TITLE_LENGTH) if title is not None else None
    if line == "":
        if not wants_html(request):
            raise HTTPException(422)
        return _show_settings(request, at, session, error=gettext("Type a title."))
    try:
        changed = await services(request).conduct.change(
            session,
            title=line,
            was_title=None if line is None else form.get("was_title"),
            admission=admission,
            locked=None if locked is None else locked == "on",
        )
    except RetitledError as refusal:
        told = gettext(RETITLED, name=refusal.title)
        if not wants_html(request):
            return json_error(refusal.status, refusal.code, told, {})
        now = replace(session, title=refusal.title)
        return _show_settings(request, at, now, typed=line, error=told, status=409)
    if is_fragment(request):
        shown = _show_settings(request, at, changed, saved=True)
        shown.headers["HX-Trigger"] = SESSIONS_CHANGED
        return shown
    if wants_html(request):
        return RedirectResponse(f"/s/{session.slug}/settings?saved", 303)
    return Response(status_code=204)


def _show_settings(
    request: Request,
    at: Look,
    session: Session,
    *,
    saved: bool = False,
    typed: str | None = None,
    error: str | None = None,
    status: int = 422,
) -> Response:
    """Show the forms; with an error, which has that status, the title stays as it was typed."""
    asked_at = request.headers.get("hx-current-url", "")
    return page(
        "home/_settings.html" if is_fragment(request) else "home/settings.html",
        at.person,
        status=status if error else 200,
        session=session,
        typed=session.title if typed is None else typed,
        may_end=may(at.standing, Action.END),
        # Who ends a session in the list stays there; elsewhere they see what was said.
        listed=is_fragment(request) and urlsplit(asked_at).path == "/",
        saved=saved,
        error=error,
    )


async def _looked(request: Request, action: Action) -> tuple[Look, Session]:
    at = await look(request, strangers=False)
    session = access.hosted(at, action)
    if session.over:
        raise EndedError
    limit(services(request).limits.default, request, at.who)
    of = request.path_params.get("identity")
    audit.note("host_act", act=action.name.lower(), by=at.who, of=of, session=session.id)
    return at, session


async def _hosted(request: Request, action: Action) -> Session:
    return (await _looked(request, action))[1]


async def _about(
    request: Request, action: Action, act: Callable[[Conduct, Session, str], Awaitable[None]]
) -> Response:
    """Do something about the participant whom the path names."""
    session = await _hosted(request, action)
    return await _done(act(services(request).conduct, session, request.path_params["identity"]))


async def _all(
    request: Request, action: Action, act: Callable[[Conduct, Session], Awaitable[None]]
) -> Response:
    """Do something about everybody."""
    return await _done(act(services(request).conduct, await _hosted(request, action)))


async def _done(act: Awaitable[None]) -> Response:
    """Answer 204, or say what LiveKit didn't do."""
    try:
        await act
    except CallError as problem:
        what = {"code": problem.problem, "message": gettext(CALL_PROBLEMS[problem.problem])}
        return JSONResponse({"call": what}, headers={"Cache-Control": "no-store"})
    return Response(status_code=204)
