"""Who may do what with a space and with the server itself, as docs/access.md shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from core.access.door import Look
from core.access.problems import NotFoundError, SignedOutError
from core.access.table import administers
from core.database import Database
from core.model import Membership, OwnSpaces, Person, Session
from core.settings import Settings
from core.store import spaces
from core.store.spaces import Space


class SpaceStanding(StrEnum):
    """What somebody is to a space, or to the server; an administrator may be a member, too."""

    ANONYMOUS = "nobody known, or a guest"
    STRANGER = "signed in, no member"
    MEMBER = "member"
    OWNER = "owner"
    ADMINISTRATOR = "administrator"


class SpaceAction(StrEnum):
    """What can be done with a space, or with the server."""

    SEE = "see a space: its sessions, standing rooms and members"
    SEARCH = "search what was said in a space’s sessions"
    START = "start and plan sessions in a space, make standing rooms"
    UPLOAD = "upload recordings to be transcribed, see and stop their own"
    UPLOAD_ANY = "see and stop any upload of a space"
    LEAVE = "leave a space"
    DELETE_OWN = "delete sessions and standing rooms that they made"
    DELETE_ANY = "delete any session and standing room of a space"
    CHANGE_OWN = "change standing rooms that they made"
    CHANGE_ANY = "change any standing room of a space"
    INVITE = "invite people, see and revoke invitations"
    ROLES = "change roles, remove members"
    SETTINGS = "rename a space, choose what its doors ask, its languages, words and sound"
    KEEP = "choose how long a space keeps what was said"
    EVENTS = "see who did what in a space"
    DELETE = "delete a space"
    ARCHIVE = "save everything of a space as an archive"
    USAGE = "see what a space’s sessions took and cost, and save it"
    CHOOSE = "choose fewer minutes a month for a space"
    GRANT = "grant a space minutes a month"
    ADMINISTER = "see people, spaces, numbers and errors of the server"
    DISABLE = "disable and enable people"


_MEMBERS = frozenset({SpaceStanding.MEMBER, SpaceStanding.OWNER})
_OWNERS = frozenset({SpaceStanding.OWNER})
_ADMINISTRATORS = frozenset({SpaceStanding.ADMINISTRATOR})
SPACE_MAY: dict[SpaceAction, frozenset[SpaceStanding]] = {
    SpaceAction.SEE: _MEMBERS,
    SpaceAction.SEARCH: _MEMBERS,
    SpaceAction.START: _MEMBERS,
    SpaceAction.UPLOAD: _MEMBERS,
    SpaceAction.UPLOAD_ANY: _OWNERS,
    SpaceAction.LEAVE: _MEMBERS,
    SpaceAction.DELETE_OWN: _MEMBERS,
    SpaceAction.DELETE_ANY: _OWNERS,
    SpaceAction.CHANGE_OWN: _MEMBERS,
    SpaceAction.CHANGE_ANY: _OWNERS,
    SpaceAction.INVITE: _OWNERS,
    SpaceAction.ROLES: _OWNERS,
    SpaceAction.SETTINGS: _OWNERS,
    SpaceAction.KEEP: _OWNERS,
    SpaceAction.EVENTS: _OWNERS,
    SpaceAction.DELETE: _OWNERS,
    SpaceAction.ARCHIVE: _OWNERS,
    SpaceAction.USAGE: _MEMBERS,
    SpaceAction.CHOOSE: _OWNERS,
    SpaceAction.GRANT: _ADMINISTRATORS,
    SpaceAction.ADMINISTER: _ADMINISTRATORS,
    SpaceAction.DISABLE: _ADMINISTRATORS,
}


@dataclass(frozen=True, slots=True)
class SpaceLook:
    """A space, and what somebody is to it."""

    space: Space
    person: Person
    standings: frozenset[SpaceStanding]

    def may(self, action: SpaceAction) -> bool:
        """Whether they may do this."""
        return not self.standings.isdisjoint(SPACE_MAY[action])


def standings(
    settings: Settings, person: Person | None, membership: Membership | None = None
) -> frozenset[SpaceStanding]:
    """Return what somebody is to a space of which they are this, or to the server."""
    if person is None:
        return frozenset({SpaceStanding.ANONYMOUS})
    own = SpaceStanding[membership] if membership else SpaceStanding.STRANGER
    also = {SpaceStanding.ADMINISTRATOR} if administers(settings, person) else set()
    return frozenset({own, *also})


async def look_at_space(
    db: Database, settings: Settings, person: Person | None, space_id: str, action: SpaceAction
) -> SpaceLook:
    """Return a space to who may do this with it.

    Raises SignedOutError for nobody known, whether it exists or not, NotFoundError for others.
    """
    if person is None:
        raise SignedOutError
    try:
        found = await spaces.find(db, UUID(space_id), person.id)
    except ValueError:
        raise NotFoundError from None
    if found is None:
        raise NotFoundError
    space, membership = found
    at = SpaceLook(space, person, standings(settings, person, membership))
    if not at.may(action):
        raise NotFoundError
    return at


def searchable(own: OwnSpaces, space_id: str | None = None) -> tuple[str, ...]:
    """Return which of somebody's spaces they may search; with an id, that one.

    Raises NotFoundError where they may not search that.
    """
    found = [one.id for one in own.all if SpaceStanding[one.role] in SPACE_MAY[SpaceAction.SEARCH]]
    if space_id is None:
        return tuple(found)
    if space_id not in found:
        raise NotFoundError
    return (space_id,)


def may_delete(session: Session, user_id: str, membership: Membership | None) -> bool:
    """Whether a user who is this in the session's space may delete it."""
    if membership is None:
        return False
    at = SpaceStanding[membership]
    if at in SPACE_MAY[SpaceAction.DELETE_ANY]:
        return True
    return session.created_by == user_id and at in SPACE_MAY[SpaceAction.DELETE_OWN]


def deletable(at: Look) -> Session:
    """Return a session to who may delete it. Raises NotFoundError for others.

    Raises SignedOutError for who isn't known at all, as `hosted` does.
    """
    if at.who is None:
        raise SignedOutError
    if at.person is None or not may_delete(at.session, at.person.id, at.membership):
        raise NotFoundError
    return at.session


def administrator(settings: Settings, person: Person | None, action: SpaceAction) -> Person:
    """Return who may do this with the server. Raises NotFoundError for everybody else."""
    if person is None or standings(settings, person).isdisjoint(SPACE_MAY[action]):
        raise NotFoundError
    return person
