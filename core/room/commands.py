"""What a room is told by those who decide outside of it: small values, not calls into it.

The session's database has them already when they are told; a session without a room in memory has
nobody to tell.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from core.corrections import Corrections
from core.model import Answer, Consent, Pause, Role
from core.room.room import Room
from core.room.wire import CLOSE_NO_MEMBER, CLOSE_REMOVED, CLOSE_SIGNED_OUT, Muted, SessionChanged
from core.spoken import Spoken


@dataclass(frozen=True, slots=True)
class Mute:
    """Take no more audio from a participant until they turn their microphone on again."""

    identity: str


@dataclass(frozen=True, slots=True)
class MuteAllBut:
    """Mute everybody who is here, except these."""

    identities: frozenset[str]


@dataclass(frozen=True, slots=True)
class LowerHand:
    """Take a participant's hand down."""

    identity: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Close every page of a participant. What they had said is still transcribed.

    `for_good`: by a host; else they may knock, as who was here by a membership that has ended.
    """

    identity: str
    for_good: bool = True


@dataclass(frozen=True, slots=True)
class ChangeRole:
    """Let a participant be something else from now on."""

    identity: str
    role: Role


@dataclass(frozen=True, slots=True)
class ChangePicture:
    """Show another picture of a participant, by its id, or none, from now on."""

    identity: str
    avatar: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """Tell every page what the session is called now, and whom it lets in."""

    title: str
    admission: str
    locked: bool


@dataclass(frozen=True, slots=True)
class SetPauses:
    """Transcribe nothing in these, all of the session's; one without an end has just begun."""

    pauses: tuple[Pause, ...]


@dataclass(frozen=True, slots=True)
class SetConsent:
    """Transcribe a participant from now on, or not any more, as they want it."""

    identity: str
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class Correct:
    """Show these corrections of what was said."""

    corrections: Corrections


@dataclass(frozen=True, slots=True)
class SetAsked:
    """Let the door of the space ask this from now on."""

    asked: Consent


@dataclass(frozen=True, slots=True)
class SetSpoken:
    """Have this asked of the engine for who begins to speak; `mark` as in Session."""

    spoken: Spoken
    mark: str


@dataclass(frozen=True, slots=True)
class SetAudio:
    """Keep the sound of what is said from now on for so many days; 0: not any more."""

    days: int


@dataclass(frozen=True, slots=True)
class SetLanguage:
    """Transcribe a participant in this language from now on; None: as the session has it."""

    identity: str
    language: str | None


AboutOne = Mute | LowerHand | Remove | ChangeRole | ChangePicture | SetConsent | SetLanguage
Command = AboutOne | MuteAllBut | Change | SetPauses | SetAsked | SetSpoken | Correct | SetAudio


def obey(room: Room, command: Command) -> None:
    """Do in a room what was decided outside."""
    match command:
        case MuteAllBut(identities):
            for identity in {one.identity for one in room.roster.people()} - identities:
                _mute(room, identity)
        case Change(title, admission, locked):
            room.session = replace(room.session, title=title, admission=admission, locked=locked)
            room.fanout.publish(
                SessionChanged(room.session.status, title=title, admission=admission, locked=locked)
            )
        case SetPauses(pauses):
            room.set_pauses(pauses)
        case Correct(corrections):
            room.correct(corrections)
        case SetAsked(asked):
            room.set_asked(asked)
        case SetSpoken(spoken, mark):
            room.set_spoken(spoken, mark)
        case SetAudio(days):
            room.set_audio(days)
        case _:
            _obey_about(room, command)


def _obey_about(room: Room, command: AboutOne) -> None:
    """Do what was decided about one participant."""
    identity = command.identity
    match command:
        case Mute():
            _mute(room, identity)
        case LowerHand():
            room.roster.hand(identity, up=False)
        case Remove():
            _remove(room, identity, CLOSE_REMOVED if command.for_good else CLOSE_NO_MEMBER)
        case ChangeRole():
            _be(room, identity, role=command.role)
        case ChangePicture():
            _be(room, identity, avatar=command.avatar)
        case SetConsent():
            room.set_answer(identity, command.answer)
        case SetLanguage():
            room.set_language(identity, command.language)


def _be(room: Room, identity: str, **others: Any) -> None:
    """Let a participant differ in these from what they were, and show them so."""
    # Whose line is broken just now comes back as the database has them.
    for seat in room.fanout.of(identity):
        seat.participant = replace(seat.participant, **others)
    room.roster.show()


def sign_out(room: Room, keys: Collection[bytes]) -> list[str]:
    """Close the pages that came by these keys. Returns who has no other page left here.

    Their microphones stay: a page that is signed in again by the same person goes on.
    """
    leaving = [seat for seat in room.fanout.seats if seat.key in keys and not seat.dismissed]
    if not leaving:
        return []
    room.fanout.deliver()  # what was said until now was said to them, too
    for seat in leaving:
        seat.microphone.mute()
        seat.dismissed = True
        seat.listener.close(CLOSE_SIGNED_OUT)
    left = {seat.participant.identity for seat in room.fanout.seats if not seat.dismissed}
    return sorted({seat.participant.identity for seat in leaving} - left)


def _mute(room: Room, identity: str) -> None:
    # All pages: whichever has the microphone, its person is to be quiet.
    seats = room.fanout.of(identity)
    for seat in seats:
        seat.microphone.mute()
    room.fanout.send_to(seats, Muted())


def _remove(room: Room, identity: str, code: int) -> None:
    room.fanout.deliver()  # what was said until now was said to them, too
    for seat in room.fanout.of(identity):
        # The seat stays until its socket is closed, but nothing is taken from it any more.
        seat.microphone.close()
        seat.dismissed = True
        seat.listener.close(code)
    room.roster.found(identity)
