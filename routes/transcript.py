"""The transcript of a session as a page: for who was there, and its space."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby, pairwise
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core import access
from core.access import (
    EndedError,
    Look,
)
from core.minutes import Bounds, cap_of, today
from core.model import ChatLine, Participant, Pause, Session, Utterance
from core.store import analyses, participants, pauses, usage
from core.text import initials
from routes import exports, reading
from routes.login import can_sign_in
from web.bearer import bearer_of
from web.compression import compressed
from web.render import not_transcribed, page, paused
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
        session = access.readable(at)
    except EndedError:
        slug, sign_in = at.session.slug, can_sign_in(request)
        return page("session/ended.html", at.person, status=403, slug=slug, sign_in=sign_in)
    return await reading.in_line(request, at, partial(_page, request, at, session))


async def _page(request: Request, at: Look, session: Session) -> Response:
    db = services(request).db
    # Asked first: what came until then is read below.
    reader = services(request).reader
    coming = session.over and reader.is_growing(session.id)
    people = await participants.who_joined(db, session.id)
    said = await reader.said(session.id)
    written = await reader.chat(session.id)
    paused_for = await pauses.of_session(db, session.id)
    analysis = await analyses.of_session(db, session.id)
    spent = await _usage(request, at)
    minutes = await _minutes(request, at) if spent else {}

    def lay_out() -> Response:
        html = page(
            "transcript/transcript.html",
            at.person,
            session=session,
            room=at.sight.room,
            people=[_face(one) for one in people],
            turns=turns(said, written, session.started_at or session.created_at, paused_for),
            analysis=analysis,
            usage=spent,
            minutes=minutes,
            answered=_answered(people) if at.may_see_answers else [],
            coming=coming,
            here=(0 if session.over else at.presence.here),
        )
        return compressed(html, request.headers)

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


def _answered(people: list[Participant]) -> list[Participant]:
    """Return who said whether they want to be transcribed, or was shown what becomes of it."""
    return [one for one in people if one.answer is not None or one.noticed_at is not None]


def _face(one: Participant) -> dict[str, Any]:
    return {"name": one.name, "hue": one.hue, "initials": initials(one.name)}


@dataclass(frozen=True, slots=True)
class _Item:
    """Something said or written, at its second of the session."""

    kind: Literal["speech", "chat", "pause"]
    id: int | str
    by: Utterance | ChatLine | None  # nobody says that nothing was transcribed for a while
    start: float
    text: str
    is_gap: bool = False


def turns(
    said: list[Utterance],
    written: list[ChatLine],
    started_at: datetime,
    pauses: Sequence[Pause] = (),
) -> list[dict[str, Any]]:
    """Group what was said (in the order it was begun) and written into turns of one person.

    Pauses stand between them, each for itself.
    """
    items = [_spoken(one) for one in said]
    for number, (start, end, by) in enumerate(reading.in_seconds(pauses, started_at)):
        items.append(_Item("pause", f"pause-{number}", None, start, paused(by, start, end)))
    for line in written:
        start = max(0.0, (line.sent_at - started_at).total_seconds())
        items.append(_Item("chat", f"chat-{line.id}", line, start, line.text))
    items.sort(key=lambda item: item.start)  # equal ones stay in the order of their ids
    groups = groupby(items, key=lambda item: (item.kind, item.by.identity if item.by else item.id))
    return [_turn(list(group)) for _, group in groups]


def _spoken(one: Utterance) -> _Item:
    if one.lost is None:
        return _Item("speech", one.seq, one, one.start, one.text)
    text = not_transcribed(one.lost)
    return _Item("speech", one.seq, one, one.start, text, is_gap=True)


def _turn(items: list[_Item]) -> dict[str, Any]:
    first = items[0]
    by = first.by
    who = (
        {
            "name": by.name,
            "hue": by.hue,
            "initials": initials(by.name),
            "is_guest": by.role == "GUEST",
        }
        if by
        else {}
    )
    return {
        "kind": first.kind,
        **who,
        "start": first.start,
        "utterances": [
            {
                "id": one.id,
                "start": one.start,
                "text": one.text,
                "timed": timed,
                "is_gap": one.is_gap,
            }
            for one, timed in zip(items, _timed(items), strict=True)
        ],
    }


def _timed(items: list[_Item]) -> list[bool]:
    """Return whether each one shows its time: the first of a turn, and the first of a minute.

    The others show it when somebody points at them. The room has the same rule, in transcript.js.
    """
    minutes = [int(one.start // 60) for one in items]
    return [True, *(one != before for before, one in pairwise(minutes))]
