"""The transcript of a session as a page: for who was there, and its space."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core import access
from core.access import EndedError, Look, may_delete
from core.minutes import Bounds, cap_of, today
from core.model import Participant, Session
from core.store import analyses, participants, retention, translations, uploads, usage
from core.store import lines as stored
from core.store.retention import Kept
from routes import exports, lines, reading, voices
from routes.login import can_sign_in
from web.bearer import bearer_of
from web.compression import compressed
from web.guard import limit
from web.render import page
from web.request import look, services
from web.tokens import READ, token


@token(READ)
async def so_far(request: Request) -> Response:
    """GET /s/{slug}/transcript: who may read, while the session goes on; then it is at the link.

    For programs it is JSON, and stays here.
    """
    at = await look(request)
    if bearer_of(request) is not None:
        return await exports.as_facts(request, at)
    if at.session.over:
        return RedirectResponse(f"/s/{at.session.slug}", 303)
    return await page_of(request, at)


async def page_of(request: Request, at: Look) -> Response:
    """Show what was said to who may read it, so far or in the end."""
    try:
        view = lines.view_of(at)
    except EndedError:
        slug, sign_in = at.session.slug, can_sign_in(request)
        return page("session/ended.html", at.person, status=403, slug=slug, sign_in=sign_in)
    if "at" in request.query_params:
        return await lines.at_second(request, view)
    asked = lines.asked_of(request)
    work = partial(_page, request, at, view, asked)
    if asked.all or asked.found:
        return await reading.in_line(request, at.who, work)
    limit(services(request).limits.listing, request, at.who)
    return await work()


async def _page(request: Request, at: Look, view: lines.View, asked: lines.Asked) -> Response:
    db, session = services(request).db, view.session
    excerpt = await lines.read(services(request).reader, view, asked)
    sound = await lines.sound_of(db, excerpt)
    people = await participants.who_joined(db, session.id)
    talked = await stored.talked(db, session.id, voices.PARTS)
    translated = await translations.languages(db, session.id)
    analysis = await analyses.of_session(db, session.id)
    kept = await retention.of_session(db, session.id)
    upload = await uploads.of_session(db, session.id) if session.uploaded_at else None
    spent = await _usage(request, at)
    minutes = await _minutes(request, at) if spent else {}

    def lay_out() -> Response:
        html = page(
            "transcript/transcript.html",
            at.person,
            room=at.sight.room,
            analysis=analysis,
            translated=translated,
            usage=spent,
            minutes=minutes,
            kept=kept,
            upload=upload,
            kept_until=_until(session, kept),
            member=at.membership is not None,
            protects=at.person is not None and may_delete(session, at.person.id, at.membership),
            answered=_answered(people) if at.may_see_answers else [],
            may_share=access.shares(at),
            here=(0 if session.over else at.presence.here),
            voices=voices.of(talked, people),
            **lines.values(excerpt, sound),
        )
        # What was looked for is in the page: see web/compression.py.
        return html if asked.found else compressed(html, request.headers)

    return await asyncio.to_thread(lay_out)  # a day's talk takes a while: speech must not wait


async def _usage(request: Request, at: Look) -> list[dict[str, Any]]:
    """Return what transcribing cost, for members of the space that pays for it."""
    if at.membership is None:
        return []
    price = services(request).settings.cost_per_minute
    return [
        {
            "name": one.name,
            "seconds": one.seconds_sent,
            "streams": one.streams,
            "finals": one.finals,
            "errors": one.errors,
            "cost": one.cost,
        }
        for one in await usage.of_session(services(request).db, at.session.id, price)
    ]


async def _minutes(request: Request, at: Look) -> dict[str, tuple[float, float]]:
    """Return the minutes that the space has used today and this month, and those it may.

    What has no bound is left out.
    """
    settings, space = services(request).settings, at.session.space_id
    found = (await usage.spent(services(request).db, [space], today())).get(space)
    if found is None:
        return {}
    per_day = settings.space_minutes_per_day
    month = cap_of(Bounds(per_day, settings.space_minutes_per_month), found).minutes
    both = {"day": (found.day / 60, per_day), "month": (found.month / 60, month)}
    return {name: (used, most) for name, (used, most) in both.items() if most is not None}


def _until(session: Session, kept: Kept) -> datetime | None:
    """Return when the words of a session go; None: not by themselves, or they are gone."""
    if kept.days is None or kept.protected or kept.deleted_at or session.ended_at is None:
        return None
    return (session.uploaded_at or session.ended_at) + timedelta(days=kept.days)


def _answered(people: list[Participant]) -> list[Participant]:
    """Return who said whether they want to be transcribed, or was shown what becomes of it."""
    return [one for one in people if one.answer is not None or one.noticed_at is not None]
