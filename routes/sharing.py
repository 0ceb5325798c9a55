"""Sharing a transcript outside: hosts make links to it, see how often each was opened, revoke them.

What a link opens is in routes/shared.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from core import access, audit
from core.access import Look, NotFoundError
from core.model import Session
from core.rate_limit import RateLimiter
from core.signed_links import shared_path
from core.store import shared_links
from core.store.shared_links import LinksFullError, Maker
from core.words import N_
from web.errors import WORDS
from web.forms import form_of
from web.guard import limit
from web.render import done, is_fragment, page, wants_html
from web.request import look, services
from web.words import gettext

DAYS = (1, 7, 30)
NOT_SO_LONG = N_("Choose how long the link lasts.")


async def see(request: Request) -> Response:
    """GET /s/{slug}/share: hosts of a session that is over see its links, and make another."""
    at, session = await _looked(request, services(request).limits.reading)
    return await _show(request, at, session)


async def create(request: Request) -> Response:
    """POST /s/{slug}/share: hosts make a link for so many `days`, with the chat if they say so."""
    parts = services(request)
    at, session = await _looked(request, parts.limits.create)
    form = await form_of(request)
    if form.get("days") not in {str(one) for one in DAYS}:
        return await _refused(request, at, form, HTTPException(422), gettext(NOT_SO_LONG))
    lasts, chat = timedelta(days=int(form["days"])), form.get("chat") == "on"
    try:
        made = await shared_links.create(parts.db, session, _maker(at), lasts=lasts, chat=chat)
    except LinksFullError as problem:
        return await _refused(request, at, form, problem, gettext(WORDS[problem.code][1]))
    if made is None:
        raise NotFoundError
    audit.note("host_act", act="share", by=at.who, session=session.id)
    return await _answer(request, at, session, made=made)


async def revoke(request: Request) -> Response:
    """POST /s/{slug}/share/{link}/revoke: hosts; from now on it opens nothing."""
    parts = services(request)
    at, session = await _looked(request, parts.limits.update)
    try:
        which = str(UUID(request.path_params["link"]))
    except ValueError:
        raise NotFoundError from None
    if not await shared_links.revoke(parts.db, session, _maker(at), which):
        raise NotFoundError
    audit.note("host_act", act="unshare", by=at.who, session=session.id)
    return await _answer(request, at, session, revoked=True)


async def _looked(request: Request, limiter: RateLimiter) -> tuple[Look, Session]:
    at = await look(request, strangers=False)
    session = access.shareable(at)
    limit(limiter, request, at.who)
    return at, session


def _maker(at: Look) -> Maker:
    if at.person is not None:
        return Maker(at.person, at.person.name, at.membership is not None)
    if at.known is None:
        raise NotFoundError
    return Maker(None, at.known.participant.name, member=False)


async def _refused(
    request: Request,
    at: Look,
    form: Mapping[str, str],
    problem: HTTPException | LinksFullError,
    wrong: str,
) -> Response:
    if not wants_html(request):
        raise problem
    status = problem.status_code if isinstance(problem, HTTPException) else problem.status
    return await _show(request, at, at.session, status=status, typed=form, wrong=wrong)


async def _answer(
    request: Request, at: Look, session: Session, *, made: str | None = None, revoked: bool = False
) -> Response:
    """Show the links as they are now to htmx, lead others on to their page."""
    if is_fragment(request):
        return await _show(request, at, session, made=made, revoked=revoked)
    return done(request, f"/s/{session.slug}/share" + (f"#link-{made}" if made else ""))


async def _show(
    request: Request,
    at: Look,
    session: Session,
    *,
    status: int = 200,
    typed: Mapping[str, str] | None = None,
    wrong: str = "",
    made: str | None = None,
    revoked: bool = False,
) -> Response:
    """Show the links and the form; `wrong`: why none was made of what was `typed`."""
    parts = services(request)
    found = await shared_links.listed(parts.db, session.id)
    return page(
        "transcript/_sharing.html" if is_fragment(request) else "transcript/sharing.html",
        at.person,
        status=status,
        session=session,
        open_links=[one for one in found if one.closed is None],
        closed_links=[one for one in found if one.closed is not None],
        addresses={
            one.id: parts.settings.public_url + shared_path(parts.settings.login_secret, one.id)
            for one in found
            if one.closed is None
        },
        former={one.id for one in found if access.may_no_longer(session, one)},
        days=DAYS,
        typed={"days": "7", "chat": "", **(typed or {})},
        wrong=wrong,
        made=made,
        revoked=revoked,
        most=shared_links.MAX_OPEN,
    )
