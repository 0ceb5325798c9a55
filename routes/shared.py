"""A shared transcript: what whoever has a link to one reads, without an account.

Nothing here leads to the session: neither its link, which is for knocking at its door, nor who was
in it and said nothing, nor what belongs to its space. Nothing can be changed or saved as a file.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response

from core import access
from core.access import LinkClosedError, NotFoundError
from core.database import DatabaseAwayError
from core.signed_links import SHARED, read_shared
from core.store import lines as stored
from core.store import retention, shared_links
from core.store.shared_links import Closed, SharedLink
from core.words import N_
from routes import lines, reading, voices
from web.compression import compressed
from web.errors import note_refusal
from web.guard import limit
from web.render import page, wants_html
from web.request import person_of, services
from web.words import gettext

SEEN = "sessions_shared"  # the cookie of a browser that has opened a link today; it says no more
SEEN_FOR_S = 24 * 3600

CLOSED: dict[Closed, str] = {
    "revoked": N_("This link was revoked."),
    "expired": N_("This link has run out."),
}


async def see(request: Request) -> Response:
    """GET /shared/{token}: whoever has the link reads what was said, as long as it is good.

    `q`, `line`, `speaker` and the like are asked for as of a session's own page.
    """
    await person_of(request)  # in the language and the look that they chose; all else is the same
    try:
        link, view = await _view(request)
    except LinkClosedError as problem:
        if not wants_html(request):
            raise
        note_refusal(request, problem)
        return _closed(problem.why)
    if "at" in request.query_params:
        return await lines.at_second(request, view)
    asked = lines.asked_of(request)

    async def work() -> Response:
        db = services(request).db
        excerpt = await lines.read(services(request).reader, view, asked)
        talked = await stored.talked(db, view.session.id, voices.PARTS)
        kept = await retention.of_session(db, view.session.id)

        def lay_out() -> Response:
            html = page(
                "transcript/shared.html",
                None,
                voices=voices.of(talked, []),
                kept=kept,
                until=link.expires_at,
                **lines.values(excerpt, {}),  # no sound
            )
            # What was looked for is in the page: see web/compression.py.
            return html if asked.found else compressed(html, request.headers)

        return await asyncio.to_thread(lay_out)

    if asked.all or asked.found:
        answer = await reading.in_line(request, None, work)
    else:
        limit(services(request).limits.listing, request)
        answer = await work()
    await _count(request, link, answer)
    return answer


async def lines_of(request: Request) -> Response:
    """GET /shared/{token}/lines?after=…: likewise, some lines as they stand in the page."""
    return await lines.some(request, (await _view(request))[1])


async def find(request: Request) -> Response:
    """GET /shared/{token}/find?q=…: likewise, the ids of the lines that have these words."""
    return await lines.found(request, (await _view(request))[1])


async def _view(request: Request) -> tuple[SharedLink, lines.View]:
    """Return what a link opens. Raises NotFoundError, also for who made it up; LinkClosedError."""
    parts = services(request)
    token = request.path_params["token"]
    link_id = read_shared(parts.settings.login_secret, token)
    if link_id is None:
        limit(parts.limits.wrong_tokens, request)
        raise NotFoundError
    link, session = await access.shared(parts.db, link_id)
    path = f"{SHARED}{token}"
    return link, lines.View(session, path, path, None, None, chat=link.chat, outside=True)


async def _count(request: Request, link: SharedLink, answer: Response) -> None:
    """Count that somebody has opened the page: a browser once a day, and nobody else."""
    parts = services(request)
    if SEEN in request.cookies or not _is_opened(request, https=parts.settings.https):
        return
    with suppress(DatabaseAwayError):  # one that takes no writes shows the page all the same
        await shared_links.opened(parts.db, link.id)
    answer.set_cookie(
        SEEN,
        "1",
        max_age=SEEN_FOR_S,
        path=request.url.path,
        httponly=True,
        samesite="lax",
        secure=parts.settings.https,
    )


def _is_opened(request: Request, *, https: bool) -> bool:
    """Whether a browser shows the page to somebody, as far as it says.

    On https each one says what a request is for; what makes previews of links, or looks for pages,
    doesn't. What a browser fetches ahead of a click isn't shown yet.
    """
    headers = request.headers
    ahead = headers.get("sec-purpose", headers.get("purpose", ""))
    if request.method != "GET" or "prefetch" in ahead or not wants_html(request):
        return False
    shown_as = headers.get("sec-fetch-dest", "" if https else "document")
    return shown_as == "document" and "HX-Request" not in headers


def _closed(why: Closed) -> Response:
    """Say why a link can't be used any more."""
    return page(
        "error.html",
        None,
        status=410,
        title=gettext(CLOSED[why]),
        message=gettext(N_("Ask who sent it to you for another one.")),
        action=None,
    )
