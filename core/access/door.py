"""The door: finds a session through who asks for it, works out what they are to it, admits them.

What isn't theirs is not found. One statement looks (`look`), and its answer carries all that was
learned, so that nothing is asked twice; a second one writes, where somebody comes in. This is the
only place that works out a standing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from core.access.problems import (
    EndedError,
    FullError,
    KeyGoneError,
    NeedsNameError,
    NotFoundError,
    ProtectedError,
    RefusedError,
    SignedOutError,
)
from core.access.table import Action, Standing, may, must_wait, refusal, standing
from core.database import Database
from core.model import (
    Known,
    ListedSession,
    Membership,
    Participant,
    Pause,
    Person,
    Presence,
    Role,
    Session,
    Sight,
    State,
)
from core.store import access, participants, spaces
from core.store.keys import digest_of, new_key
from core.store.shared_links import Own

# Of a session that came in and weren't removed, so that a leaked link can't fill the database.
# Names that were only given don't count (the store bounds them); hosts and members always come in.
MAX_PARTICIPANTS = 500


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks, as their cookie says: the key of a login, of a guest, both, or none.

    `user`: the id of whom a program acts for, by a token; then it has no cookie.
    """

    login: str | None = None
    guest: str | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A session that goes on, and as whom somebody is in it or waits to be let in.

    `key` is the digest of the key by which they came with a pass; with one, `pauses` are all of
    the session's.
    """

    session: Session
    participant: Participant
    key: bytes = b""
    pauses: tuple[Pause, ...] = ()

    @property
    def standing(self) -> Standing:
        """What the participant is to the session."""
        return standing(self.participant.state, self.participant.role)

    @property
    def waiting(self) -> bool:
        """Whether a host must let the participant in first."""
        return self.participant.state != "ADMITTED"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the door shows: who asks, for what, and what the two are to each other.

    Whether there is a session shows only when it is asked for: see `session`.
    """

    visitor: Visitor
    sight: Sight

    @property
    def person(self) -> Person | None:
        """Who is signed in."""
        return self.sight.login.person if self.sight.login else None

    @property
    def who(self) -> str | None:
        """Whom limits count: a user's id or a guest's identity, None for nobody known."""
        if self.person:
            return self.person.id
        return self.sight.guest.participant.identity if self.sight.guest else None

    @property
    def key(self) -> bytes:
        """The digest of the key by which the visitor is who they are; empty for nobody known."""
        shown = self.visitor.login if self.person else self.visitor.guest
        return digest_of(shown) if shown is not None and self.who is not None else b""

    @property
    def session(self) -> Session:
        """The session, also one that is over. Raises NotFoundError without one."""
        found = self.sight.session
        if found is None or found.status == "EXPIRED":
            raise NotFoundError
        return found

    @property
    def membership(self) -> Membership | None:
        """What the person is in the session's space."""
        return self.sight.membership

    @property
    def presence(self) -> Presence:
        """Who is in the session and who was, as numbers."""
        return self.sight.presence

    @property
    def known(self) -> Known | None:
        """As whom the visitor is in the session: a person as a user, else by the name they gave."""
        return self.sight.own if self.person else self.sight.guest

    @property
    def others(self) -> Presence:
        """The presence of everybody but the visitor."""
        came, here = (self.known.came, self.known.here) if self.known else (False, False)
        return replace(
            self.presence, here=self.presence.here - here, came=self.presence.came - came
        )

    @property
    def standing(self) -> Standing:
        """What the visitor is to the session. Raises NotFoundError without one."""
        own = self.known.participant if self.known else None
        if self.person is None:
            return standing(own.state, own.role) if own else Standing.ANONYMOUS
        return standing_of(self.session, self.person.id, self.membership, own)

    @property
    def reader(self) -> Standing:
        """What the visitor is to what was said: who never came is a stranger, if no member.

        Who signs in later stays the guest they were in this browser.
        """
        guest = self.sight.guest
        before = Standing.ANONYMOUS if self.person is None else Standing.OUTSIDER
        if guest is not None and guest.came:
            before = standing(guest.participant.state, guest.participant.role)
        if self.person is None:
            return before
        own, role = self.sight.own, _role(self.session, self.person.id, self.membership)
        if own is not None and (own.came or own.participant.state == "REMOVED"):
            return self.standing
        return before if role == "GUEST" else Standing[role]

    @property
    def may_read(self) -> bool:
        """Whether the visitor may read what was said so far, or in the end."""
        return may(self.reader, Action.READ)

    @property
    def may_hear(self) -> bool:
        """Whether the visitor may hear what was said, where its sound is kept."""
        return may(self.reader, Action.HEAR)

    @property
    def may_see_answers(self) -> bool:
        """Whether the visitor may know who of those who spoke wants to be transcribed."""
        return may(self.reader, Action.SEE_ANSWERS)


def _role(session: Session, user_id: str, membership: Membership | None) -> Role:
    """Return what a user is in a session without a host's doing.

    Whoever started it hosts it as long as they are a member of its space.
    """
    if membership is None:
        return "GUEST"
    return "HOST" if membership == "OWNER" or session.created_by == user_id else "MEMBER"


def standing_of(
    session: Session, user_id: str, membership: Membership | None, own: Participant | Own | None
) -> Standing:
    """Return what a user is to a session; whom a host made a host stays one.

    Who was in it as a member and no longer is one waits to be let in, whatever they were.
    """
    role = _role(session, user_id, membership)
    if own is None:
        return Standing.OUTSIDER if role == "GUEST" else Standing[role]
    made_host = own.role == "HOST" and own.state == "ADMITTED"
    return standing(own.state, "HOST" if made_host else role)


def standing_in_list(listed: ListedSession, person: Person) -> Standing:
    """Return what a person is to a session in their list of those that they may see."""
    return standing_of(listed.session, person.id, listed.membership, listed.own)


async def look(
    db: Database, slug: str, visitor: Visitor, *, strangers: bool = True, denied: int = 0
) -> Look:
    """Look who asks for what; raises nothing, so that attempts can be counted first.

    `strangers`: whether nobody known finds a session; where not, nothing is looked up for them.
    `denied`: how many of those whom hosts sent away are wanted.
    """
    if not strangers and visitor == Visitor():
        return Look(visitor, Sight())
    sight = await access.look(
        db,
        slug,
        login=visitor.login,
        guest=visitor.guest,
        user=visitor.user,
        strangers=strangers,
        denied=denied,
    )
    return Look(visitor, sight)


async def approach(db: Database, at: Look) -> Entry:
    """Return a session that goes on to somebody who opens its link, without letting them in.

    Who is in it already may come; a stranger is noted only where they could knock or come in.
    Raises NotFoundError, EndedError, NeedsNameError (nobody known), FullError, or RefusedError
    for who was removed, or is a stranger at a closed door.
    """
    session = _open_to_known(at)
    if not may(at.standing, Action.OPEN):
        raise RefusedError("removed")
    if at.standing is Standing.OUTSIDER:
        _check_door(at)
    return Entry(session, await _kept(db, at, "WAITING"))


def tested(at: Look) -> Session:
    """Return a session that goes on to who may try from its lobby whether they could be in it.

    Nothing is noted. Raises NotFoundError, EndedError, NeedsNameError, or RefusedError for who was
    sent away here.
    """
    session = _open_to_known(at)
    if not may(at.standing, Action.TEST):
        raise RefusedError("removed" if at.standing is Standing.REMOVED else "denied")
    return session


async def admit(db: Database, at: Look) -> Entry:
    """Let a visitor in, or have them wait for a host: see `Entry.waiting`.

    Raises as `approach` does, and RefusedError for other reasons.
    """
    session = _open_to_known(at)
    _check_door(at)
    if must_wait(session, at.standing):
        return Entry(session, await _kept(db, at, "WAITING"))
    me = await _kept(db, at, "ADMITTED")
    if me.state != "ADMITTED":  # a host has decided in this moment
        raise RefusedError("removed" if me.state == "REMOVED" else "denied")
    return Entry(session, me)


def _open(at: Look) -> Session:
    if at.session.over:
        raise EndedError
    return at.session


def _open_to_known(at: Look) -> Session:
    session = _open(at)
    if at.known is None and at.person is None:
        raise NeedsNameError
    return session


def _check_door(at: Look) -> None:
    """Raise RefusedError or FullError for who can't come in here and can't even knock."""
    _check_open(at, at.standing, at.known.participant.state if at.known else "WAITING")


def _check_open(at: Look, who: Standing, state: State) -> None:
    why = refusal(at.session, who, state)
    if why is not None:
        raise RefusedError(why)
    # Who was let in before, hosts and members aren't newcomers, however many others came.
    if may(who, Action.KNOCK) and at.sight.participants >= MAX_PARTICIPANTS:
        raise FullError


async def _kept(db: Database, at: Look, state: State) -> Participant:
    """Return the visitor's participant, written only where it isn't yet as it should be."""
    own = at.known.participant if at.known else None
    stands = own is not None and (own.state != "WAITING" or state == "WAITING")
    if at.person is None:
        if own is not None and not stands:
            own = await participants.let_in(db, at.session.id, own.identity)
        if own is None:
            raise NotFoundError
        return own
    role = _role(at.session, at.person.id, at.membership)
    if own is not None and stands and own.name == at.person.name and own.role in (role, "HOST"):
        return own
    return await participants.for_user(db, at.session.id, at.person, role, state)


async def add_guest(db: Database, at: Look, name: str) -> str:
    """Make a guest of somebody who typed a name; whether they may come in is said by `admit`.

    Nobody is noted at a door that is closed to strangers: whoever has the link could fill it.
    Returns the key that makes a browser this guest. Raises NotFoundError, EndedError, FullError, or
    RefusedError for who was sent away here, or where nobody new may come in.
    """
    session = _open(at)
    if not may(at.standing, Action.NAME):
        raise RefusedError("removed" if at.standing is Standing.REMOVED else "denied")
    _check_open(at, Standing.WAITING, "WAITING")
    key = new_key()
    await participants.add_guest(db, session.id, name, key=key)
    return key


def readable(at: Look) -> Session:
    """Return a session to those who may read it: members of its space, and who was there.

    For anybody else who has the link it raises EndedError after the end, and NotFoundError while
    the session goes on.
    """
    if at.may_read:
        return at.session
    raise EndedError if at.session.over else NotFoundError


def who_left(at: Look) -> Participant | None:
    """Return who the visitor was in a session; None for who never was in it, or was removed."""
    if at.known is None or not at.known.came or not may(at.standing, Action.READ):
        return None
    return at.known.participant


def hosted(at: Look, action: Action) -> Session:
    """Return a session to who may do this in it. Raises NotFoundError for anybody else.

    Raises SignedOutError for who isn't known at all: most often a host whose login ended in
    mid-call. `look` without `strangers` finds no session for them, so that it tells nothing of it.
    """
    if at.who is None:
        raise SignedOutError
    if not may(at.standing, action):
        raise NotFoundError
    return at.session


def hosted_still(at: Look, action: Action) -> Session:
    """Return a session that isn't over likewise. Raises EndedError where it is, too."""
    session = hosted(at, action)
    if session.over:
        raise EndedError
    return session


async def with_pass(db: Database, session_id: str, identity: str, key: bytes) -> Entry:
    """Return a session that goes on to a participant who shows a token for `/ws`.

    `key` is the digest of the key that it was given for. Raises NotFoundError, EndedError,
    KeyGoneError, or ValueError for an id that can't be one.
    """
    found = await access.with_pass(db, session_id, identity, key)
    if found is None or found.participant is None:
        raise NotFoundError
    entry = Entry(found.session, found.participant, key, found.pauses)
    if not may(entry.standing, Action.LISTEN):
        raise NotFoundError
    if entry.session.over:
        raise EndedError
    if not found.key_open:
        raise KeyGoneError
    return entry


async def come_in(db: Database, entry: Entry, now: datetime) -> Entry:
    """Note that a page of a participant is connected; the first of all makes the session LIVE.

    The statement that notes it decides whether they are still admitted, in one step with a host's
    decision, or with their signing out. Raises EndedError, KeyGoneError or RefusedError.
    """
    found = await access.come_in(db, entry.session.id, entry.participant.identity, entry.key, now)
    if found is None or found.session.over:
        raise EndedError
    if not found.key_open:
        raise KeyGoneError
    if found.participant is None:
        raise RefusedError("removed")
    return Entry(found.session, found.participant, entry.key, found.pauses)


async def removable(db: Database, session: Session, identity: str) -> Participant:
    """Return the participant to who may remove somebody. Raises NotFoundError or ProtectedError."""
    found = await participants.find(db, session.id, identity)
    if found is None:
        raise NotFoundError
    if found.user_id is not None:
        membership = await spaces.membership(db, session.space_id, found.user_id)
        if _role(session, found.user_id, membership) == "HOST":
            raise ProtectedError
    return found
