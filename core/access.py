"""Who may do what. A session is found through the visitor: what isn't theirs is not found.

`MAY` is the whole table, as docs/access.md shows it and the tests try it, cell by cell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

from core.database import Database
from core.model import Participant, Person, Role, State
from core.store import participants, sessions
from core.store.sessions import Session

MAX_PARTICIPANTS = 500  # per session, so that a leaked link can't fill the database

Refusal = Literal["removed", "denied", "locked", "members_only"]


class Standing(StrEnum):
    """What somebody with the link is to a session that goes on."""

    ANONYMOUS = "anonymous"
    OUTSIDER = "other space’s member"
    WAITING = "guest waiting"
    GUEST = "guest admitted"
    MEMBER = "member"
    HOST = "host"
    DENIED = "denied"
    REMOVED = "removed"


class Action(StrEnum):
    """What can be done with a session."""

    OPEN = "open the link"
    NAME = "give a name as a guest"
    KNOCK = "knock"
    JOIN = "get passes to /ws and the call"
    LISTEN = "be in /ws: captions, people, chat"
    SPEAK = "have speech transcribed"
    CHAT = "write in the chat"
    HAND = "raise a hand"
    REACT = "react"
    SEE_WAITING = "see who knocks and who was denied"
    ADMIT = "admit"
    DENY = "deny"
    MUTE = "mute somebody"
    LOWER_HAND = "lower somebody’s hand"
    REMOVE = "remove somebody"
    MAKE_HOST = "make somebody a host"
    SETTINGS = "change title, admission, lock"
    END = "end for everyone"
    READ = "read the transcript, also while it goes on"


_ADMITTED = frozenset({Standing.GUEST, Standing.MEMBER, Standing.HOST})
_HOSTS = frozenset({Standing.HOST})
MAY: dict[Action, frozenset[Standing]] = {
    Action.OPEN: frozenset(Standing) - {Standing.REMOVED},
    Action.NAME: frozenset({Standing.ANONYMOUS, Standing.WAITING, Standing.GUEST}),
    Action.KNOCK: frozenset({Standing.WAITING, Standing.OUTSIDER}),
    Action.JOIN: _ADMITTED,
    Action.LISTEN: _ADMITTED,
    Action.SPEAK: _ADMITTED,
    Action.CHAT: _ADMITTED,
    Action.HAND: _ADMITTED,
    Action.REACT: _ADMITTED,
    Action.SEE_WAITING: _HOSTS,
    Action.ADMIT: _HOSTS,
    Action.DENY: _HOSTS,
    Action.MUTE: _HOSTS,
    Action.LOWER_HAND: _HOSTS,
    Action.REMOVE: _HOSTS,
    Action.MAKE_HOST: _HOSTS,
    Action.SETTINGS: _HOSTS,
    Action.END: _HOSTS,
    Action.READ: _ADMITTED,
}


def may(standing: Standing, action: Action) -> bool:
    """Whether somebody of this standing may do it, in a session where guests knock."""
    return standing in MAY[action]


def standing(state: State, role: Role) -> Standing:
    """Return what a participant is. Hosts and members need no host's leave to come in."""
    if state in ("REMOVED", "DENIED"):
        return Standing[state]
    return Standing.WAITING if state == "WAITING" and role == "GUEST" else Standing[role]


def refusal(session: Session, who: Standing, state: State) -> Refusal | None:
    """Return why somebody can't come in and can't even knock, None when they can.

    `state` is what was decided before: who was let in once may always come back.
    """
    if who is Standing.REMOVED:
        return "removed"
    if who is Standing.DENIED:
        return "denied"
    if state == "ADMITTED" or who is Standing.HOST:
        return None
    if session.locked:
        return "locked"
    is_guest = who is not Standing.MEMBER
    return "members_only" if is_guest and session.admission == "MEMBERS" else None


def must_wait(session: Session, who: Standing, state: State) -> bool:
    """Whether somebody who isn't refused has to wait for a host to admit them."""
    if state == "ADMITTED" or may(who, Action.JOIN):
        return False
    return session.admission != "ANYONE"


class NotFoundError(Exception):
    """It doesn't exist, or it isn't the visitor's: the two look the same."""


class EndedError(Exception):
    """The session has ended, and the visitor wasn't in it."""


class NeedsNameError(Exception):
    """The session can be joined by a guest who gives a name, or by signing in."""


class SignedOutError(Exception):
    """Nobody known asks for what only somebody known may do."""


class FullError(Exception):
    """The session has as many participants as it may have."""


class RefusedError(Exception):
    """The visitor may not come in; `code` says why."""

    def __init__(self, code: Refusal) -> None:
        super().__init__(code)
        self.code: Refusal = code


class ProtectedError(Exception):
    """The session's creator and its space's owners can't be removed from it."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks: a signed-in person, a guest who gave a name here before, both, or nobody."""

    person: Person | None
    guest_identity: str | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """A session that goes on, and as whom the visitor is in it or waits at its door."""

    session: Session
    participant: Participant

    @property
    def is_host(self) -> bool:
        """Whether the participant leads the session."""
        return self.participant.role == "HOST"

    @property
    def waiting(self) -> bool:
        """Whether a host must let the participant in first."""
        return self.participant.state != "ADMITTED"


async def session_with_link(db: Database, slug: str) -> Session:
    """Return a session to somebody who has its link. Raises NotFoundError."""
    session = await sessions.find(db, slug)
    if session is None or session.status == "EXPIRED":
        raise NotFoundError
    return session


async def _open_session(db: Database, slug: str) -> Session:
    session = await session_with_link(db, slug)
    if session.over:
        raise EndedError
    return session


async def at_the_door(db: Database, slug: str, visitor: Visitor) -> Admission:
    """Return a session that goes on to somebody who opens its link, without letting them in.

    Raises NotFoundError, EndedError, NeedsNameError (nobody known), FullError, or RefusedError
    for who was removed.
    """
    session = await _open_session(db, slug)
    me = await _participant(db, session, visitor)
    if not may(standing(me.state, me.role), Action.OPEN):
        raise RefusedError("removed")
    return Admission(session, me)


async def admit(db: Database, slug: str, visitor: Visitor) -> Admission:
    """Let a visitor in, or have them wait for a host: see `Admission.waiting`.

    Raises as `at_the_door` does, and RefusedError.
    """
    door = await at_the_door(db, slug, visitor)
    me, who = door.participant, standing(door.participant.state, door.participant.role)
    why = refusal(door.session, who, me.state)
    if why is not None:
        raise RefusedError(why)
    if me.state == "ADMITTED" or must_wait(door.session, who, me.state):
        return door
    let_in = await participants.change_state(
        db, door.session.id, me.identity, "ADMITTED", only_from=("WAITING",)
    )
    if let_in is None:  # a host has decided in this moment
        return await admit(db, slug, visitor)
    return replace(door, participant=let_in)


async def _participant(db: Database, session: Session, visitor: Visitor) -> Participant:
    if visitor.person is not None:
        return await _participant_of(db, session, visitor.person)
    guest = await _guest(db, session, visitor)
    if guest is None:
        raise NeedsNameError
    return guest


async def _guest(db: Database, session: Session, visitor: Visitor) -> Participant | None:
    identity = visitor.guest_identity
    return await participants.find(db, session.id, identity) if identity else None


async def _participant_of(db: Database, session: Session, person: Person) -> Participant:
    if await participants.of_user(db, session.id, person.id) is None:
        await _check_room_left(db, session)
    return await participants.for_user(db, session, person, await _role(db, session, person.id))


async def _role(db: Database, session: Session, user_id: str) -> Role:
    membership = await sessions.membership(db, session, user_id)
    if session.created_by == user_id or membership == "OWNER":
        return "HOST"
    return "MEMBER" if membership else "GUEST"


async def _check_room_left(db: Database, session: Session) -> None:
    if await participants.count(db, session.id) >= MAX_PARTICIPANTS:
        raise FullError


async def admit_guest(db: Database, slug: str, visitor: Visitor, name: str) -> Participant:
    """Make a guest of somebody who typed a name; whether they may come in is said by `admit`.

    Raises NotFoundError, EndedError, FullError, or RefusedError for who was sent away here.
    """
    session = await _open_session(db, slug)
    before = await _guest(db, session, visitor)
    if before is not None and not may(standing(before.state, before.role), Action.NAME):
        raise RefusedError("removed" if before.state == "REMOVED" else "denied")
    await _check_room_left(db, session)
    return await participants.add_guest(db, session, name)


async def transcript_reader(db: Database, slug: str, visitor: Visitor) -> Session:
    """Return a session to those who may read it: members of its space, and who was there.

    For anybody else who has the link it raises EndedError after the end, and NotFoundError while
    the session goes on.
    """
    session = await session_with_link(db, slug)
    if await may_read(db, session, visitor):
        return session
    raise EndedError if session.over else NotFoundError


async def may_read(db: Database, session: Session, visitor: Visitor) -> bool:
    """Whether a visitor may read what was said so far, or in the end."""
    return may(await _standing_of_reader(db, session, visitor), Action.READ)


async def who_left(db: Database, session: Session, visitor: Visitor) -> Participant | None:
    """Return who the visitor was in a session; None for who never was in it, or was removed."""
    if visitor.person is not None:
        own = await participants.of_user(db, session.id, visitor.person.id)
    else:
        own = await _guest(db, session, visitor)
    if own is None or not may(standing(own.state, own.role), Action.READ):
        return None
    joined = await participants.who_joined(db, session.id)
    return own if any(one.identity == own.identity for one in joined) else None


async def _standing_of_reader(db: Database, session: Session, visitor: Visitor) -> Standing:
    """Return what a visitor is to what was said in a session; who never came is a stranger."""
    joined = {one.identity: one for one in await participants.who_joined(db, session.id)}
    guest = joined.get(visitor.guest_identity or "")
    if visitor.person is None:
        return standing(guest.state, guest.role) if guest else Standing.ANONYMOUS
    own = await participants.of_user(db, session.id, visitor.person.id)
    if own is not None and (own.state == "REMOVED" or own.identity in joined):
        return standing(own.state, own.role)
    role = await _role(db, session, visitor.person.id)
    if role == "GUEST":
        return standing(guest.state, guest.role) if guest else Standing.OUTSIDER
    return Standing[role]


async def hosted_session(db: Database, slug: str, visitor: Visitor, action: Action) -> Session:
    """Return a session to who may do this in it. Raises NotFoundError for anybody else.

    Raises SignedOutError for who isn't known at all: most often a host whose login ended in
    mid-call. It is decided before anything is looked up, so that it tells nothing of the session.
    """
    if visitor.person is None and visitor.guest_identity is None:
        raise SignedOutError
    session = await session_with_link(db, slug)
    if may(await _standing_now(db, session, visitor), action):
        return session
    raise NotFoundError


async def _standing_now(db: Database, session: Session, visitor: Visitor) -> Standing:
    if visitor.person is None:
        guest = await _guest(db, session, visitor)
        return standing(guest.state, guest.role) if guest else Standing.ANONYMOUS
    role = await _role(db, session, visitor.person.id)
    own = await participants.of_user(db, session.id, visitor.person.id)
    if own is None:
        return Standing.OUTSIDER if role == "GUEST" else Standing[role]
    return standing(own.state, own.role if role == "GUEST" else role)


async def remove(db: Database, session: Session, identity: str) -> None:
    """Remove a participant for good. Raises NotFoundError, or ProtectedError."""
    found = await participants.find(db, session.id, identity)
    if found is None:
        raise NotFoundError
    if found.user_id and await _role(db, session, found.user_id) == "HOST":
        raise ProtectedError
    await participants.remove(db, session.id, identity, datetime.now(UTC))
