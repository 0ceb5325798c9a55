"""The table: who may do what in a session, as docs/access.md shows it, and how people come in.

Pure decisions without I/O. What somebody is to a session is worked out in core/access/door.py;
`may` is asked for every act, by routes, by `/ws` and by the room.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from core.model import Person, Role, Session, State
from core.settings import Settings

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
    PLANNING = "see when it is planned and its agenda, also for a calendar"
    NAME = "give a name as a guest"
    KNOCK = "knock"
    TEST = "test the connection"
    JOIN = "get passes to /ws and the call"
    LISTEN = "be in /ws: captions, people, chat"
    SPEAK = "have speech transcribed"
    CONSENT = "choose whether they are transcribed themselves"
    LANGUAGE = "say which language they speak"
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
    SETTINGS = "change title, admission, lock, languages and words"
    PAUSE = "pause and go on with transcription"
    END = "end for everyone"
    SEE_MINUTES = "be warned that the space’s minutes run out"
    READ = "read the transcript, also while it goes on"
    CORRECT = "correct the transcript, and see what it was before and what is hidden"
    HEAR = "hear it, where its sound is kept"
    SHARE = "share the transcript by a link once it is over, see and revoke the links"
    SEE_ANSWERS = "see in it who wants to be transcribed, and since when"


_ADMITTED = frozenset({Standing.GUEST, Standing.MEMBER, Standing.HOST})
_HOSTS = frozenset({Standing.HOST})
MAY: dict[Action, frozenset[Standing]] = {
    Action.OPEN: frozenset(Standing) - {Standing.REMOVED},
    Action.PLANNING: frozenset(Standing) - {Standing.DENIED, Standing.REMOVED},
    Action.NAME: frozenset({Standing.ANONYMOUS, Standing.WAITING, Standing.GUEST}),
    Action.KNOCK: frozenset({Standing.WAITING, Standing.OUTSIDER}),
    Action.TEST: frozenset(Standing) - {Standing.ANONYMOUS, Standing.DENIED, Standing.REMOVED},
    Action.JOIN: _ADMITTED,
    Action.LISTEN: _ADMITTED,
    Action.SPEAK: _ADMITTED,
    Action.CONSENT: _ADMITTED,
    Action.LANGUAGE: _ADMITTED,
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
    Action.PAUSE: _HOSTS,
    Action.END: _HOSTS,
    Action.SEE_MINUTES: _HOSTS,
    Action.READ: _ADMITTED,
    # Guests read what their hosts make of it: it is the transcript of the space, which keeps it.
    Action.CORRECT: frozenset({Standing.MEMBER, Standing.HOST}),
    Action.HEAR: _ADMITTED,
    # Who decided who came in decides who else reads it. Members read, and may ask a host.
    Action.SHARE: _HOSTS,
    Action.SEE_ANSWERS: _HOSTS,
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
    if not (may(who, Action.JOIN) or may(who, Action.KNOCK)):
        return "removed" if who is Standing.REMOVED else "denied"
    if state == "ADMITTED" or who is Standing.HOST:
        return None
    if session.locked:
        return "locked"
    is_guest = who is not Standing.MEMBER
    return "members_only" if is_guest and session.admission == "MEMBERS" else None


def must_wait(session: Session, who: Standing) -> bool:
    """Whether somebody who isn't refused has to wait for a host to admit them."""
    return not may(who, Action.JOIN) and session.admission != "ANYONE"


def may_sign_in(settings: Settings, person: Person) -> bool:
    """Whether the operator's lists let somebody in, or an invitation does, where it may."""
    invited = settings.invited_may_sign_in and person.invited
    return invited or settings.accounts.allow(person.email)


def administers(settings: Settings, person: Person | None) -> bool:
    """Whether this is somebody who runs this server: by their address, or by the first link."""
    if person is None:
        return False
    return person.administrator or person.email.lower() in settings.admin_emails
