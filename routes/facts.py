"""What programs read: spaces, sessions and transcripts as JSON objects. docs/api.md shows them.

Times are RFC 3339, in UTC; what isn't known, or isn't so yet, is null.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from core.access import Action, Look, Standing, may
from core.model import ListedSession, OwnSpaces, Participant, Presence, Session
from core.transcript.exports.program import moment

Facts = dict[str, Any]


def of_spaces(spaces: OwnSpaces) -> list[Facts]:
    """Return somebody's spaces; `current` is where sessions start unless a space is named."""
    return [
        {"id": one.id, "name": one.name, "role": one.role, "current": one == spaces.current}
        for one in spaces.all
    ]


def of_listed(one: ListedSession, standing: Standing, origin: str) -> Facts:
    """Return a session of a list."""
    return _session(one.session, one.presence, standing, origin)


def of_session(at: Look, people: Iterable[Participant], origin: str) -> Facts:
    """Return a session that its reader may read, with all that a list leaves out."""
    session = at.session
    return _session(session, at.presence, at.reader, origin) | {
        "space": session.space_id if at.membership is not None else None,
        "agenda": session.agenda,
        "recurs": session.recurs,
        "standing_room": f"{origin}/r/{at.sight.room}" if at.sight.room else None,
        "people": [{"name": one.name, "role": one.role} for one in people],
    }


def _session(session: Session, presence: Presence, standing: Standing, origin: str) -> Facts:
    return {
        "slug": session.slug,
        "url": f"{origin}/s/{session.slug}",
        "title": session.title,
        "status": session.status,
        "created_at": moment(session.created_at),
        "planned_at": moment(session.planned_at) if may(standing, Action.PLANNING) else None,
        "started_at": moment(session.started_at),
        "ended_at": moment(session.ended_at),
        "seconds": session.duration_seconds,
        "admission": session.admission,
        "locked": session.locked,
        "here": presence.here,
        "came": presence.came,
        "hosted": not session.over and may(standing, Action.SETTINGS),
        "readable": may(standing, Action.READ),
    }
