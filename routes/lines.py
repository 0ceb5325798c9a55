"""Parts of a transcript: which lines an address asks for, and those as they stand in its page."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core import access
from core.access import Look, NotFoundError
from core.database import Database
from core.lines import BEGIN, CHAT, Key, Line, LineId, just_before, line_id
from core.model import Person, Session
from core.spoken import CODES
from core.store import recordings
from core.store.recordings import Heard
from core.text import matches, one_line, without_controls
from core.transcript.reading import TranscriptReader, Window
from routes import reading
from routes.turns import turns
from web.compression import compressed
from web.guard import limit
from web.render import as_json, page
from web.request import look, services

LINES = 100  # at once: some screens of them, which take a server some 15 ms
LINES_ABOVE = 20  # one that a link leads to: what was said before it
LINES_AMONG = 1_000  # of a part that is asked for anew: those that have come among its lines
MAX_SPEAKER = 80  # characters of an id
MAX_FOUND = 100  # characters that are looked for
MOST_FOUND = 1_000  # lines that have them; who gets more looks for something else


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of a transcript an address asks for.

    `line` is one that is to be seen with those around it, `after` and `before` one beside which
    they begin; `since` is the first, and `to` the last, of lines that are asked for anew, with what
    has come among them. `speaker` leaves out all others' lines, `found` is what lines are looked
    for with. `all` of them are for print. `lang` is the code of the language that they are read in.
    """

    line: LineId | None = None
    after: LineId | None = None
    before: LineId | None = None
    since: LineId | None = None
    to: LineId | None = None
    speaker: str | None = None
    found: str = ""
    all: bool = False
    lang: str | None = None

    def query(self, **place: str) -> str:
        """Return the query of an address for another part, of the same speaker and language."""
        own = {"speaker": self.speaker, "lang": self.lang}
        return urlencode(place | {name: value for name, value in own.items() if value})


def asked_of(request: Request) -> Asked:
    """Return what an address asks for; what names nothing that could be counts as not said."""
    query = request.query_params
    line, after, before, since, to = (
        line_id(query.get(name, "")) for name in ("line", "after", "before", "since", "to")
    )
    return Asked(
        line,
        after,
        before,
        since,
        to,
        without_controls(query.get("speaker", ""), MAX_SPEAKER) or None,
        one_line(query.get("q", ""), MAX_FOUND),
        "all" in query,
        language_of(request),
    )


def language_of(request: Request) -> str | None:
    """Return the code of the language that an address asks for; None: as it was said."""
    asked = request.query_params.get("lang", "")
    return asked if asked in CODES else None


@dataclass(frozen=True, slots=True)
class View:
    """A transcript as somebody reads it: where that is, and what of it they see.

    `path` is its page's, `parts` the path below which its lines and what finds in it are. `who` is
    whom limits count, None for nobody known. `chat`: whether what was written is among its lines.
    Who `corrects` it sees what is hidden. To who is `outside` nothing is told that leads to the
    session or of who was in it unheard. `heard`: whether they may hear what is kept of its sound.
    """

    session: Session
    path: str
    parts: str
    who: str | None
    person: Person | None
    chat: bool = True
    outside: bool = False
    corrects: bool = False
    heard: bool = False

    @property
    def shown(self) -> Session:
        """The session for a template: its link is no outsider's."""
        return replace(self.session, id="", slug="", space_id="") if self.outside else self.session


def view_of(at: Look) -> View:
    """Return a transcript as who may read it does: NotFoundError or EndedError for others.

    It is at the session's link itself once that is over.
    """
    session = access.readable(at)
    link = f"/s/{session.slug}"
    parts = f"{link}/transcript"
    path = link if session.over else parts
    may = {"corrects": access.corrects(at), "heard": at.may_hear}
    return View(session, path, parts, at.who, at.person, **may)


@dataclass(frozen=True, slots=True)
class Part:
    """Lines in order; whether there are others before and behind them.

    `whole`: they begin where the transcript does.
    """

    lines: list[Line]
    earlier: bool = False
    later: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part as it is shown. `coming`: whether there will be more of the transcript."""

    view: View
    asked: Asked
    part: Part
    coming: bool


async def part_of(reader: TranscriptReader, view: View, asked: Asked) -> Part:
    """Return the part that is asked for; NotFoundError where that names a line that isn't there."""
    part = await _part_of(reader, view, asked)
    return replace(part, lines=await reader.translated(view.session, part.lines, asked.lang))


async def _part_of(reader: TranscriptReader, view: View, asked: Asked) -> Part:
    """Return the same as it was said."""
    window = partial(
        reader.window,
        view.session,
        speaker=asked.speaker,
        hidden=view.corrects,
        written=view.chat,
    )
    if asked.all:
        every = reader.all(view.session, written=view.chat)
        return Part([one async for some in every for one in some if _is_of(one, asked.speaker)])
    place = asked.line or asked.after or asked.before or asked.since
    key = BEGIN if place is None else await reader.key_of(view.session, place)
    if key is None or (key.rank == CHAT and not view.chat):
        raise NotFoundError
    if asked.before is not None:
        found = await window("before", key, LINES)
        return Part(found.lines, not found.whole, later=True, whole=found.whole)
    begin = key if asked.since is None else just_before(key)
    if asked.to is not None:
        end = await reader.key_of(view.session, asked.to)
        if end is None:
            raise NotFoundError
        anew = await _between(partial(window, "after", begin), end)
        return Part(anew, later=True, whole=place is None)
    if asked.line is None:
        found = await window("after", begin, LINES)
        return Part(found.lines, place is not None, not found.whole, place is None)
    above = await window("before", key, LINES_ABOVE)
    found = await window("after", just_before(key), LINES)
    return Part([*above.lines, *found.lines], not above.whole, not found.whole, above.whole)


async def _between(window: Callable[[int], Awaitable[Window]], end: Key) -> list[Line]:
    """Return the lines of a window up to a place; NotFoundError where that is too far.

    A reload shows those in parts.
    """
    for most in (2 * LINES, LINES_AMONG):
        found = await window(most)
        if found.whole or found.lines[-1].key >= end:
            return [one for one in found.lines if one.key <= end]
    raise NotFoundError


async def read(reader: TranscriptReader, view: View, asked: Asked) -> Excerpt:
    """Return what a page shows of the lines that are asked for, or found."""
    # Asked first: what came until then is read below.
    coming = await reader.grows(view.session)
    if asked.found:
        part = Part(await found_in(reader, view, asked))
    else:
        try:
            part = await part_of(reader, view, asked)
        except NotFoundError:  # a line that is no more, or not yet: all the rest is there
            asked = replace(asked, line=None, after=None, before=None, since=None)
            part = await part_of(reader, view, asked)
    return Excerpt(view, asked, part, coming)


async def sound_of(db: Database, excerpt: Excerpt) -> dict[int, Heard]:
    """Return where utterances among these lines can be heard; of what is for print, nowhere."""
    if not excerpt.view.heard or excerpt.asked.all:
        return {}
    said = {one.key.number for one in excerpt.part.lines if one.kind == "speech"}
    return await recordings.heard(db, excerpt.view.session.id, said) if said else {}


def values(excerpt: Excerpt, sound: Mapping[int, Heard]) -> dict[str, Any]:
    """Return what the template of lines needs. Takes a while for many: call it in a thread.

    `sound` is of `sound_of`.
    """
    view, asked, part = excerpt.view, excerpt.asked, excerpt.part
    lines = part.lines[:MOST_FOUND] if asked.found else part.lines
    ids = [one.id for one in part.lines if one.kind != "pause"]
    return {
        "session": view.shown,
        "asked": asked,
        "turns": turns(map(_outside, lines) if view.outside else lines, asked.found, sound),
        "audio": f"/s/{view.session.slug}/audio" if view.heard else "",
        "first": ids[0] if ids else None,
        "last": ids[-1] if ids else None,
        "earlier": part.earlier,
        "later": part.later,
        "coming": excerpt.coming and not asked.found,
        "ends": not part.later and asked.before is None,
        "again": _again(part, asked, ids),
        "path": view.path,
        "parts": view.parts,
        "corrects": view.corrects,
        "outside": view.outside,
        "found_count": min(len(part.lines), MOST_FOUND),
        "found_more": len(part.lines) > MOST_FOUND,
    }


def _outside(line: Line) -> Line:
    """Return a line as it is shown outside: not what its speaker was here, nor who paused."""
    speaker = replace(line.speaker, role=None) if line.speaker else None
    return replace(line, speaker=speaker, by=None)


def _again(part: Part, asked: Asked, ids: list[str]) -> dict[str, str]:
    """Return what asks for the same lines and those that have come behind them, or among them."""
    if part.whole:
        return {}
    return {"since": ids[0]} if ids else {"after": str(asked.after)}


async def lines_of(request: Request) -> Response:
    """GET /s/{slug}/transcript/lines?after=…: who may read, some lines as they stand in the page.

    `after` and `before` name a line beside which they begin, `line` one that is among them,
    `since` the first of them and `to` the last; `all` are for print. `speaker` leaves out all
    others'.
    """
    return await some(request, view_of(await look(request)))


async def some(request: Request, view: View) -> Response:
    """Answer with the lines that are asked for."""
    session, asked = view.session, asked_of(request)

    async def work() -> Response:
        reader = services(request).reader
        coming = await reader.grows(session)
        part = await part_of(reader, view, asked)
        # What is on the other side stands in the page already.
        if asked.before is not None:
            part = replace(part, later=False)
        elif asked.line is None:
            part = replace(part, earlier=False)
        excerpt = Excerpt(view, asked, part, coming)
        sound = await sound_of(services(request).db, excerpt)

        def lay_out() -> Response:
            html = page("transcript/_lines.html", view.person, **values(excerpt, sound))
            return compressed(html, request.headers)

        return await asyncio.to_thread(lay_out)

    if asked.all:
        return await reading.in_line(request, view.who, work)
    limit(services(request).limits.listing, request, view.who)
    return await work()


async def at_second(request: Request, view: View) -> Response:
    """GET /s/{slug}?at=…: go to the line that is said at a second of the session, or follows it."""
    limit(services(request).limits.listing, request, view.who)
    second, where = request.query_params["at"], view.path
    if re.fullmatch("[0-9]{1,7}", second):
        window = await services(request).reader.window(
            view.session, "after", Key(float(second), -1, 0), 1, written=view.chat
        )
        said = [one.id for one in window.lines if one.kind != "pause"]
        if said:
            where = f"{where}?line={said[0]}#u-{said[0]}"
    return RedirectResponse(where, 303)


async def find(request: Request) -> Response:
    """GET /s/{slug}/transcript/find?q=…: who may read, the ids of the lines that have these words.

    As JSON: `lines` in order, and whether there are `more` than those.
    """
    return await found(request, view_of(await look(request)))


async def found(request: Request, view: View) -> Response:
    """Answer with the ids of the lines that have the words that are asked for."""
    asked = asked_of(request)

    async def work() -> Response:
        have = await found_in(services(request).reader, view, asked)
        ids = [one.id for one in have]
        return as_json({"lines": ids[:MOST_FOUND], "more": len(ids) > MOST_FOUND})

    return await reading.in_line(request, view.who, work)


async def found_in(reader: TranscriptReader, view: View, asked: Asked) -> list[Line]:
    """Return the lines that have certain words, one more than are shown at the most."""
    found: list[Line] = []
    if asked.found:
        async for lines in reader.all(view.session, written=view.chat):
            said = await reader.translated(view.session, lines, asked.lang)
            found += [one for one in said if _has(one, asked)]
            if len(found) > MOST_FOUND:
                return found[: MOST_FOUND + 1]
    return found


def _has(one: Line, asked: Asked) -> bool:
    return _is_of(one, asked.speaker) and bool(matches(one.text, asked.found))


def _is_of(one: Line, speaker: str | None) -> bool:
    """Whether a line is of this speaker; None: of anybody, and pauses, too."""
    return speaker is None or (one.speaker is not None and one.speaker.id == speaker)
