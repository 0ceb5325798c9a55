"""Forms and histories of corrections: as pages of their own, and as parts of the transcript's."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core.access import Look
from core.corrections import MAX_RUN, MAX_TEXT, NAME_LENGTH, History, Version
from core.lines import Key, Line, LineId, Speaker
from core.model import Session
from core.store import lines as stored
from core.store import participants
from core.store import speakers as named
from routes.turns import name_of
from web.render import is_fragment, page
from web.request import services

TURN = 100  # lines that are looked through for the rest of a turn


def path_of(session: Session, line: LineId | None = None) -> str:
    """Return where a transcript is read, at a line of it."""
    path = f"/s/{session.slug}" if session.over else f"/s/{session.slug}/transcript"
    return path if line is None else f"{path}?line={line}#u-{line}"


def corrected(request: Request, session: Session, line: LineId | None) -> Response:
    """Answer that something was corrected: the page of the transcript shows it in its place."""
    if is_fragment(request):
        return Response(status_code=204)
    return RedirectResponse(path_of(session, line), 303)


async def form(
    request: Request,
    at: Look,
    line: Version,
    *,
    typed: str | None = None,
    called: str | None = None,
    stale: bool = False,
) -> Response:
    """Show what can be corrected about a line.

    `stale`: somebody else has changed it since it was seen; then `typed` is what was to be its
    text, and `called` what its speaker was to be called.
    """
    db, session = services(request).db, at.session
    renamed = await stored.speakers(db, session.id)
    people = [
        Speaker(one.identity, one.name, one.hue, one.role)
        for one in await participants.who_joined(db, session.id)
    ]
    here = {one.id for one in people}
    known = [renamed.get(one.id, one) for one in people]
    known += [one for id_, one in renamed.items() if id_ not in here]
    turn, rest, following = await _behind(request, session, line)
    return page(
        "transcript/_correct.html" if is_fragment(request) else "transcript/correct.html",
        at.person,
        status=409 if stale else 200,
        session=session,
        back=path_of(session, line.line),
        here=f"/s/{session.slug}/transcript",
        line=line,
        speaker=name_of(line.speaker),
        text=line.text if typed is None else typed,
        theirs=line.text if typed not in (None, line.text) else None,
        called=called,
        called_revision=await named.revision(db, session.id, line.speaker.id),
        own_name=line.speaker.name or "",
        people=[{"id": one.id, "name": name_of(one)} for one in known if one.name],
        several=next((one.id for one in known if not one.name), None),
        turn=turn,
        rest=rest if len(rest) > len(turn) else [],
        following=following,
        stale=stale,
        most=MAX_TEXT,
        longest=NAME_LENGTH,
    )


async def _behind(
    request: Request, session: Session, line: Version
) -> tuple[list[Line], list[Line], Line | None]:
    """Return the lines of a turn behind this one, all of its speaker, and one to be joined to it.

    What isn't stored yet can't be corrected, and a gap never.
    """
    reader, key = services(request).reader, Key(line.start, *line.line)
    late = services(request).correcting.late(session.id)

    def can_be(one: Line) -> bool:
        return one.kind == "speech" and one.key.number not in late

    def goes_on(one: Line) -> bool:
        return one.speaker is not None and one.speaker.id == line.speaker.id

    found = await reader.window(session, "after", key, TURN, written=False)
    said = [one for one in found.lines if one.kind != "pause"]
    turn = [one for one in takewhile(goes_on, said) if can_be(one)]
    own = await reader.window(
        session, "after", key, MAX_RUN - 1, speaker=line.speaker.id, written=False
    )
    rest = [one for one in own.lines if can_be(one)]
    following = said[0] if said and not line.hidden and goes_on(said[0]) else None
    return turn, rest, following if following is not None and can_be(following) else None


def show_history(request: Request, at: Look, found: History) -> Response:
    """Show what a line was before, and what was done to it."""
    session = at.session
    steps = [replace(one, before=dict(one.before), after=dict(one.after)) for one in found.steps]
    return page(
        "transcript/_history.html" if is_fragment(request) else "transcript/history.html",
        at.person,
        session=session,
        back=path_of(session, found.line.line),
        here=f"/s/{session.slug}/transcript/lines/{found.line.line}",
        heard=[{"by": name_of(one.speaker), "said": one} for one in found.heard],
        steps=[_told(one.kind, one.by, one) for one in steps],
        seen=found.seen,
    )


def _told(kind: str, by: str, step: Any) -> dict[str, Any]:
    before, after = step.before, step.after
    return {
        "kind": kind,
        "by": by,
        "at": step.at,
        "line": str(step.line),
        "before": before.get("text"),
        "after": after.get("text"),
        "was": before.get("name"),
        "is": after.get("name"),
        "moved": bool(before) and before.get("speaker") != after.get("speaker"),
        "edited": before.get("text") != after.get("text"),
    }
