"""Who may do what. A session is found through the visitor: what isn't theirs is not found."""

from __future__ import annotations

from dataclasses import dataclass

from core.database import Database
from core.people import Participant, Person, Role
from core.store import participants, sessions
from core.store.sessions import Session

MAX_PARTICIPANTS = 500  # per session, so that a leaked link can't fill the database


class NotFoundError(Exception):
    """It doesn't exist, or it isn't the visitor's: the two look the same."""


class EndedError(Exception):
    """The session has ended, and the visitor wasn't in it."""


class NeedsNameError(Exception):
    """The session can be joined by a guest who gives a name, or by signing in."""


class FullError(Exception):
    """The session has as many participants as it may have."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks: a signed-in person, a guest who gave a name here before, both, or nobody."""

    person: Person | None
    guest_identity: str | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """A session that the visitor may be in, and as whom."""

    session: Session
    participant: Participant

    @property
    def is_host(self) -> bool:
        """Whether the participant may end the session."""
        return self.participant.role == "HOST"


async def session_with_link(db: Database, slug: str) -> Session:
    """Return a session to somebody who has its link. Raises NotFoundError."""
    session = await sessions.find(db, slug)
    if session is None or session.status == "EXPIRED":
        raise NotFoundError
    return session


async def admit(db: Database, slug: str, visitor: Visitor) -> Admission:
    """Let a visitor into a session that goes on.

    Raises NotFoundError, EndedError, NeedsNameError (nobody known) or FullError.
    """
    session = await session_with_link(db, slug)
    if session.over:
        raise EndedError
    if visitor.person is not None:
        return Admission(session, await _participant_of(db, session, visitor.person))
    if visitor.guest_identity is not None:
        guest = await participants.find(db, session.id, visitor.guest_identity)
        if guest is not None:
            return Admission(session, guest)
    raise NeedsNameError


async def _participant_of(db: Database, session: Session, person: Person) -> Participant:
    if await participants.of_user(db, session.id, person.id) is None:
        await _check_room_left(db, session)
    return await participants.for_user(db, session, person, await _role(db, session, person))


async def _role(db: Database, session: Session, person: Person) -> Role:
    if session.created_by == person.id:
        return "HOST"
    return "MEMBER" if await sessions.is_member(db, session, person.id) else "GUEST"


async def _check_room_left(db: Database, session: Session) -> None:
    if await participants.count(db, session.id) >= MAX_PARTICIPANTS:
        raise FullError


async def admit_guest(db: Database, slug: str, name: str) -> Participant:
    """Make a guest of somebody who typed a name. Raises as `admit` does."""
    session = await session_with_link(db, slug)
    if session.over:
        raise EndedError
    await _check_room_left(db, session)
    return await participants.add_guest(db, session, name)


async def transcript_reader(db: Database, slug: str, visitor: Visitor) -> Session:
    """Return an ended session to those who may read it: members of its space, and who was there.

    Raises EndedError for anybody else who has the link, NotFoundError without a session.
    """
    session = await session_with_link(db, slug)
    if await _was_there(db, session, visitor) or (
        visitor.person and await sessions.is_member(db, session, visitor.person.id)
    ):
        return session
    raise EndedError


async def _was_there(db: Database, session: Session, visitor: Visitor) -> bool:
    present = {one.identity for one in await participants.who_joined(db, session.id)}
    if visitor.guest_identity in present:
        return True
    if visitor.person is None:
        return False
    own = await participants.of_user(db, session.id, visitor.person.id)
    return own is not None and own.identity in present


async def hosted_session(db: Database, slug: str, visitor: Visitor) -> Session:
    """Return a session to its host. Raises NotFoundError for anybody else."""
    session = await session_with_link(db, slug)
    if visitor.person is None or session.created_by != visitor.person.id:
        raise NotFoundError
    return session
