"""Search: what was said, written and called, in the sessions of all spaces that somebody is in."""

from __future__ import annotations

import base64
import binascii
import json
import math
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from core import access
from core.database import SlowStatementError
from core.lines import CHAT, SPEECH, LineId
from core.model import Person
from core.problems import ProblemError
from core.search.marking import Piece
from core.search.query import MAX_TYPED
from core.searching import Answer, Asked, Behind, search
from core.store import search_names, search_waiting
from core.store.search import COUNTED, Hit, Order, Place, Turn
from core.text import one_line
from web.bearer import bearer_of
from web.guard import limit
from web.origin import own_origin
from web.render import as_json, is_fragment, page, redirect
from web.request import own_spaces, person_of, services
from web.tokens import READ, token

MAX_NAME = 80  # characters of a speaker
SPEAKERS = 100  # names that are offered at once
MAX_PLACE = 600  # characters of where a page begins
FARTHEST_OFFSET = 14 * 60  # minutes from UTC
FIRST_DAY, LAST_DAY = date(1970, 1, 2), date(9000, 1, 1)
KINDS = {"TITLE": "title", "LINE": "line", "CHAT": "chat"}


class SearchTooSlowError(ProblemError):
    """What is looked for takes longer than anybody may have PostgreSQL look."""

    status, code, retry_after = 503, "search_too_slow", 5


@dataclass(frozen=True, slots=True)
class Fields:
    """The form, as its address has it. Days are those of who asks, `offset` minutes from UTC."""

    q: str = ""
    space: str = ""
    speaker: str = ""
    since: str = ""
    until: str = ""
    offset: str = ""
    order: Order = "best"

    def query(self, **others: str) -> str:
        """Return the query of an address for the same, with others beside it."""
        own = {
            "q": self.q,
            "space": self.space,
            "speaker": self.speaker,
            "from": self.since,
            "to": self.until,
            "offset": self.offset if self.since or self.until else "",
            "order": self.order if self.order != "best" else "",
        }
        return urlencode({key: value for key, value in (own | others).items() if value})

    @property
    def filtered(self) -> bool:
        """Whether anything but the words says what is wanted."""
        return bool(self.space or self.speaker or self.since or self.until)


@token(READ)
async def see(request: Request) -> Response:
    """GET /search?q=…&space=…&speaker=…&from=…&to=…&order=newest&after=…: members of spaces.

    htmx gets the results alone, and behind a page (`after`) what is to stand below. Programs get
    JSON. With `page`, which a page has made up, an older question of that page isn't answered.
    """
    person = await person_of(request)
    if person is None:
        return redirect(request, f"/sign-in?next={quote(_own_path(request))}", 401)
    parts = services(request)
    limit(parts.limits.searching, request, person.id)
    fields = _fields(request)
    spaces = access.searchable(own_spaces(request), fields.space or None)
    asked = _asked(request, person, fields, spaces)

    async def work() -> tuple[Answer, bool]:
        return await search(parts.db, asked), await search_waiting.any_of(parts.db, spaces)

    try:
        done = await parts.searches.run(person.id, request.query_params.get("page", "")[:40], work)
    except SlowStatementError:
        raise SearchTooSlowError from None
    if done is None:
        return Response(status_code=204)
    answer, sorting = done
    if bearer_of(request) is not None:
        return as_json(_facts(request, answer, sorting=sorting))
    shown = _shown(request, fields, answer) | {"sorting": sorting}
    if is_fragment(request):
        part = "search/_hits.html" if asked.behind is not None else "search/_results.html"
        return page(part, person, **shown)
    speakers, more = await _speakers(request, person, spaces)
    return page(
        "search/search.html",
        person,
        page_key=secrets.token_hex(8),
        speakers=speakers,
        more_speakers=more,
        **shown,
    )


async def speakers(request: Request) -> Response:
    """GET /search/speakers?speaker=…&space=…: members of spaces; names with that in them.

    As somebody types, where there are more than the page of search has.
    """
    person = await person_of(request)
    if person is None:
        return redirect(request, f"/sign-in?next={quote('/search')}", 401)
    limit(services(request).limits.listing, request, person.id)
    fields = _fields(request)
    spaces = access.searchable(own_spaces(request), fields.space or None)
    found, _ = await _speakers(request, person, spaces, fields.speaker)
    return page("search/_speakers.html", person, speakers=found)


async def _speakers(
    request: Request, person: Person, spaces: tuple[str, ...], begun: str = ""
) -> tuple[list[str], bool]:
    """Return who says the most in these spaces, and whether there are more; nobody if that is slow.

    It is a help for who types: what they look for is found without.
    """
    with suppress(SlowStatementError):
        return await search_names.names(services(request).db, person.id, spaces, SPEAKERS, begun)
    return [], True


def _own_path(request: Request) -> str:
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")


def _fields(request: Request) -> Fields:
    asked = request.query_params
    return Fields(
        asked.get("q", "")[: MAX_TYPED + 1],
        asked.get("space", "")[:40],
        one_line(asked.get("speaker", ""), MAX_NAME),
        asked.get("from", "")[:10],
        asked.get("to", "")[:10],
        asked.get("offset", "")[:5],
        "newest" if asked.get("order") == "newest" else "best",
    )


def _asked(request: Request, person: Person, fields: Fields, spaces: tuple[str, ...]) -> Asked:
    """Read what is asked for. Raises HTTPException: 400 for days and places that can't be."""
    try:
        zone = timezone(timedelta(minutes=_offset(fields.offset)))
        after = request.query_params.get("after")
        return Asked(
            person.id,
            spaces,
            fields.q,
            fields.order,
            fields.speaker,
            _begin_of(fields.since, zone),
            _begin_of(fields.until, zone, days=1),
            read_place(after) if after else None,
        )
    except ValueError:
        raise HTTPException(400) from None


def _offset(text: str) -> int:
    offset = int(text or 0)
    if abs(offset) > FARTHEST_OFFSET:
        raise ValueError("no such zone")
    return offset


def _begin_of(day: str, zone: timezone, days: int = 0) -> datetime | None:
    """Return when a day begins, or one so many days later; None for none. Raises ValueError."""
    if not day:
        return None
    found = date.fromisoformat(day)
    if not FIRST_DAY <= found <= LAST_DAY:
        raise ValueError("nothing was said then")
    return datetime.combine(found + timedelta(days=days), time(), zone).astimezone(UTC)


def place_of(behind: Behind) -> str:
    """Return where a page begins as an address has it."""
    place = behind.place
    turns = [
        [one.at.isoformat(), one.session] if one else None for one in (behind.start, behind.end)
    ]
    kept = [
        [place.rank, place.at.isoformat(), *place[2:]] if place else None,
        behind.windowed,
        *turns,
    ]
    return base64.urlsafe_b64encode(json.dumps(kept, separators=(",", ":")).encode()).decode()


def read_place(text: str) -> Behind:
    """Return the same from an address. Raises ValueError for what can't be one."""
    if len(text) > MAX_PLACE:
        raise ValueError("no place")
    try:
        place, windowed, start, end = json.loads(base64.urlsafe_b64decode(text))
        if type(windowed) is not bool:
            raise ValueError("no place")
        return Behind(
            _place(*place) if place is not None else None,
            windowed,
            _turn(*start) if start is not None else None,
            _turn(*end) if end is not None else None,
        )
    except (TypeError, binascii.Error, RecursionError) as problem:
        raise ValueError("no place") from problem


def _place(rank: Any, at: Any, session: Any, *line: Any) -> Place:
    kind, seq, part = line
    numbers = type(seq) is int and type(part) is int and 0 <= seq < 2**31 and 0 <= part < 100
    if not numbers or kind not in KINDS or not isinstance(rank, int | float):
        raise ValueError("no place")
    if not math.isfinite(rank) or abs(rank) > 1e6:
        raise ValueError("no place")
    return Place(rank, _moment(at), str(UUID(str(session))), kind, seq, part)


def _turn(at: Any, session: Any) -> Turn:
    return Turn(_moment(at), str(UUID(str(session))))


def _moment(text: Any) -> datetime:
    moment = datetime.fromisoformat(str(text)[:40])
    if moment.tzinfo is None or not 1900 <= moment.year <= 9000:
        raise ValueError("no time")
    return moment


def _path(hit: Hit) -> str:
    """Return where a hit is read: at the link, or beside it while the session goes on."""
    base = f"/s/{hit.slug}"
    if hit.kind == "TITLE":
        return base
    line = LineId(CHAT if hit.kind == "CHAT" else SPEECH, hit.place.seq, hit.place.part)
    over = "" if hit.status == "ENDED" else "/transcript"
    translated = f"&lang={hit.language}" if hit.language else ""
    return f"{base}{over}?line={line}{translated}#u-{line}"


def _shown(request: Request, fields: Fields, answer: Answer) -> dict[str, Any]:
    """Return what the templates show: hits by their sessions, in the order of the best of each."""
    names = {one.id: one.name for one in own_spaces(request).all}
    after = request.query_params.get("after")
    by_session: dict[str, list[tuple[Hit, list[Piece]]]] = {}
    for hit, pieces in answer.hits:
        by_session.setdefault(hit.place.session, []).append((hit, pieces))
    shown = names if len(names) > 1 else {}
    groups = [_group(found, shown) for found in by_session.values()]
    return {
        "fields": fields,
        "groups": groups,
        "answer": answer,
        "counted": COUNTED,
        "after": after,
        "next": place_of(answer.next) if answer.next else None,
    }


def _group(found: Sequence[tuple[Hit, list[Piece]]], names: dict[str, str]) -> dict[str, Any]:
    first = found[0][0]
    titles = [pieces for hit, pieces in found if hit.kind == "TITLE"]
    return {
        "slug": first.slug,
        "title": titles[0] if titles else [Piece(first.title, marked=False)],
        "began": first.began,
        "live": first.status == "LIVE",
        "space": names.get(first.space, ""),
        "hits": [
            {
                "path": _path(hit),
                "name": hit.name,
                "hue": hit.hue,
                "start": hit.start,
                "chat": hit.kind == "CHAT",
                "language": hit.language,
                "pieces": pieces,
            }
            for hit, pieces in found
            if hit.kind != "TITLE"
        ],
    }


def _facts(request: Request, answer: Answer, *, sorting: bool) -> dict[str, Any]:
    """Return what programs get; marks are characters of `text`, up to before the second of them."""
    origin = own_origin(request, services(request).settings)
    return {
        "hits": [
            {
                "kind": KINDS[hit.kind],
                "session": hit.slug,
                "title": hit.title,
                "space": hit.space,
                "url": origin + _path(hit),
                "at": hit.place.at.astimezone(UTC).isoformat(timespec="seconds"),
                "start": hit.start,
                "speaker": hit.name,
                "text": "".join(one.text for one in pieces),
                "translated": hit.language,
                "marks": _marks(pieces),
            }
            for hit, pieces in answer.hits
        ],
        "count": min(answer.many, COUNTED),
        "more_than_count": answer.many > COUNTED or answer.older,
        "refused": answer.refusal,
        "still_sorting": sorting,
        "next": place_of(answer.next) if answer.next else None,
    }


def _marks(pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    marks, at = [], 0
    for one in pieces:
        if one.marked:
            marks.append((at, at + len(one.text)))
        at += len(one.text)
    return marks
