"""Who sees what is said ahead of a session, and who finds and changes standing rooms."""

from __future__ import annotations

from dataclasses import dataclass

from core.access.door import Look
from core.access.problems import EndedError, NotFoundError, RefusedError, SignedOutError
from core.access.spaces import SPACE_MAY, SpaceAction, standings
from core.access.table import Action, Standing, may, refusal
from core.database import Database
from core.model import Person, Planning, Session
from core.settings import Settings
from core.store import standing_rooms
from core.store.standing_rooms import OpenRoom


def planned(at: Look) -> Session:
    """Return a session that isn't over to who may see what is said ahead of it.

    Nothing is noted. Raises NotFoundError, EndedError, or RefusedError for who was sent away here,
    or is a stranger at a closed door.
    """
    session = at.session
    if session.over:
        raise EndedError
    if not may(at.standing, Action.PLANNING):
        raise RefusedError("removed" if at.standing is Standing.REMOVED else "denied")
    if at.standing in (Standing.ANONYMOUS, Standing.OUTSIDER):
        _check_knock(session)
    return session


def planning_of(at: Look) -> Planning:
    """Return what is said ahead of a session, nothing for who may not see that."""
    try:
        return planned(at).planning
    except (EndedError, RefusedError):
        return Planning()


def _check_knock(session: Session) -> None:
    """Raise RefusedError where strangers can't even knock."""
    why = refusal(session, Standing.WAITING, "WAITING")
    if why is not None:
        raise RefusedError(why)


async def enter_room(db: Database, slug: str) -> str:
    """Return the slug of the open meeting of a standing room to whoever has the room's link.

    What they may do there is asked at the meeting's own door. Raises NotFoundError.
    """
    found = await standing_rooms.meeting_of(db, slug)
    if found is None:
        raise NotFoundError
    return found


@dataclass(frozen=True, slots=True)
class RoomLook:
    """A standing room, and what somebody may do with it; `person` is who asks."""

    open: OpenRoom
    person: Person
    may_change: bool
    may_delete: bool


def look_at_rooms(settings: Settings, person: Person, rooms: list[OpenRoom]) -> list[RoomLook]:
    """Return those of these rooms that somebody may see, and what they may do with each."""
    return [look for one in rooms if (look := _look(settings, person, one)) is not None]


def _look(settings: Settings, person: Person, found: OpenRoom) -> RoomLook | None:
    who = standings(settings, person, found.membership)
    acts = {one for one in SpaceAction if not who.isdisjoint(SPACE_MAY[one])}
    if SpaceAction.SEE not in acts:
        return None
    if found.room.created_by != person.id:
        acts -= {SpaceAction.CHANGE_OWN, SpaceAction.DELETE_OWN}
    return RoomLook(
        found,
        person,
        may_change=not acts.isdisjoint({SpaceAction.CHANGE_ANY, SpaceAction.CHANGE_OWN}),
        may_delete=not acts.isdisjoint({SpaceAction.DELETE_ANY, SpaceAction.DELETE_OWN}),
    )


async def look_at_room(
    db: Database, settings: Settings, person: Person | None, slug: str
) -> RoomLook:
    """Return the standing room with this link to who may see its space.

    Raises SignedOutError for nobody known, whether it exists or not, NotFoundError for others.
    """
    if person is None:
        raise SignedOutError
    found = await standing_rooms.find(db, slug, person.id)
    looks = look_at_rooms(settings, person, [found] if found else [])
    if not looks:
        raise NotFoundError
    return looks[0]
