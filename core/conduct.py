"""Acts on a session: the database first, then its room, then the call.

What is stored holds even if the process dies in the next line; the room makes it seen and heard at
once; LiveKit may be slow or away, so it comes last. Each act says what it raises of its own, and
besides that CallError, when all of it is done but what LiveKit was asked for. Whether somebody
may do it is asked of core/access before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Collection, Iterable
from contextlib import suppress
from datetime import UTC, datetime

from core.access import EndedError, NotFoundError, may_sign_in, removable
from core.database import Database
from core.livekit import CallError, Calls
from core.model import Admission, Answer, Consent, EndReason, News, Person, Seated, Session
from core.problems import ProblemError
from core.room.commands import (
    Change,
    ChangePicture,
    ChangeRole,
    LowerHand,
    Mute,
    MuteAllBut,
    Remove,
    SetAsked,
    SetAudio,
    SetConsent,
    SetPauses,
    SetSpoken,
)
from core.room.knocks import MAX_DENIED
from core.room.rooms import Rooms
from core.settings import Settings
from core.spoken import together
from core.store import participants, pauses, people, sessions, spaces
from core.store.keys import news as what_changed
from core.store.keys import revoke
from core.store.members import Moved

log = logging.getLogger(__name__)

MAX_PAUSES = 200  # of a session: each page is told all of them


class TooManyPausesError(ProblemError):
    """The session was paused as often as it may be."""

    status, code = 409, "too_many_pauses"


class RetitledError(ProblemError):
    """Somebody else has given the session another title meanwhile, `title`."""

    status, code = 409, "changed_meanwhile"

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title = title


class Conduct:
    """What hosts do in a session, and what its life asks for."""

    def __init__(self, db: Database, rooms: Rooms, calls: Calls) -> None:
        self._db = db
        self._rooms = rooms
        self._calls = calls
        # Rooms hear answers in the order in which they are stored: the last one holds in both.
        self._answering = asyncio.Lock()

    async def admit(self, session: Session, identity: str) -> None:
        """Let somebody in who knocks or was denied. Raises NotFoundError."""
        found = await participants.change_state(
            self._db, session.id, identity, "ADMITTED", only_from=("WAITING", "DENIED", "ADMITTED")
        )
        await self._answered(session, [identity], found=found is not None)

    async def admit_all(self, session: Session) -> None:
        """Let everybody in who knocks at this moment."""
        waiting = [one.identity for one in self._rooms.knocks.of(session.id)]
        await participants.admit_all(self._db, session.id, waiting)
        await self._answered(session, waiting, found=True)

    async def deny(self, session: Session, identity: str) -> None:
        """Send somebody away who knocks. Raises NotFoundError."""
        found = await participants.change_state(
            self._db, session.id, identity, "DENIED", only_from=("WAITING", "DENIED")
        )
        await self._answered(session, [identity], found=found is not None)

    async def ask_again(self, session: Session, identity: str) -> None:
        """Put who was denied and knocks again on top of what hosts see."""
        await participants.change_state(
            self._db, session.id, identity, "DENIED", only_from=("DENIED",)
        )
        await self._answered(session, [], found=True)

    async def _answered(self, session: Session, identities: list[str], *, found: bool) -> None:
        if not found:
            raise NotFoundError
        denied = await participants.denied(self._db, session.id, MAX_DENIED)
        self._rooms.answered(session.id, identities, denied)

    async def mute(self, session: Session, identity: str) -> None:
        """Mute somebody in the captions and the call. Raises NotFoundError."""
        await self._check_admitted(session, identity)
        self._rooms.tell(session.id, Mute(identity))
        await self._calls.mute(session.slug, identity)

    async def mute_all(self, session: Session) -> None:
        """Mute everybody but the hosts, in the captions and the call."""
        hosts = await participants.hosts(self._db, session.id)
        self._rooms.tell(session.id, MuteAllBut(frozenset(hosts)))
        await self._calls.mute_all(session.slug, hosts)

    async def lower_hand(self, session: Session, identity: str) -> None:
        """Take somebody's hand down. Raises NotFoundError."""
        await self._check_admitted(session, identity)
        self._rooms.tell(session.id, LowerHand(identity))

    async def remove(self, session: Session, identity: str) -> None:
        """Remove somebody for good. Raises NotFoundError or ProtectedError.

        Whoever has the link can be somebody new, so that new guests must knock from then on.
        """
        await removable(self._db, session, identity)
        await participants.remove(self._db, session.id, identity, datetime.now(UTC))
        self._rooms.stop_knocking(session.id, identity)
        self._rooms.tell(session.id, Remove(identity))
        if session.admission == "ANYONE":
            await self.change(session, admission="KNOCK")
        await self._calls.remove(session.slug, identity)

    async def revoke(self, keys: Collection[bytes]) -> None:
        """End all that these keys allow; these are their digests. Raises no CallError.

        Of one person's several logins, the others go on.
        """
        await self.closed(keys, await revoke(self._db, keys))

    async def closed(self, keys: Collection[bytes], gone: Collection[tuple[str, str]]) -> None:
        """Close what is open by keys that were revoked. Raises no CallError.

        `gone` is what `core.store.keys.revoke` returned.
        """
        await self._throw_out({*gone, *self._rooms.sign_out(keys)})

    async def uninvite(self, settings: Settings, user_id: str) -> None:
        """End the logins of who may only sign in by an invitation, and is in a space by none."""
        keys = await people.uninvite(self._db, user_id)
        if keys is None:
            return
        person = await people.find(self._db, user_id)
        if person is None or not may_sign_in(settings, person):
            await self.revoke(keys)

    async def catch_up(self, seated: Collection[Seated]) -> None:
        """Let rooms have what was decided elsewhere about these, or ended by itself."""
        decided = self._rooms.decided
        news = await what_changed(self._db, seated)
        if self._rooms.decided == decided:  # else what was read may be older: look again
            self._catch_up_answers(news)
        deleted = [one.seated.identity for one in news if one.session_id is None]
        for session_id in self._rooms.seats_of(deleted):
            if await sessions.find_by_id(self._db, session_id) is None:
                self._rooms.forget([session_id])
        for one in news:
            if one.session_id is None:
                continue
            if one.state != "ADMITTED":
                removed = Remove(one.seated.identity, for_good=one.state != "WAITING")
                self._rooms.tell(one.session_id, removed)
                continue
            if one.role is not None and one.role != one.seated.role:
                self._rooms.tell(one.session_id, ChangeRole(one.seated.identity, one.role))
            if one.avatar != one.seated.avatar:
                self._rooms.tell(one.session_id, ChangePicture(one.seated.identity, one.avatar))
        closed = {one.seated.key for one in news if one.session_id and not one.key_open}
        if closed:
            await self._throw_out(self._rooms.sign_out(closed))

    def _catch_up_answers(self, news: Collection[News]) -> None:
        for one in news:
            if one.session_id is not None and one.answer != one.seated.answer:
                self._rooms.tell(one.session_id, SetConsent(one.seated.identity, one.answer))

    async def moved(self, people: Collection[Moved], *, knocking: bool = False) -> None:
        """Let rooms and calls have what members of a space have become there. Raises no CallError.

        `knocking`: who was in a session that is open to ANYONE must knock to come back, as after
        a removal by a host.
        """
        for one in people:
            if one.state == "ADMITTED":
                self._rooms.tell(one.session_id, ChangeRole(one.identity, one.role))
                continue
            self._rooms.stop_knocking(one.session_id, one.identity)
            self._rooms.tell(one.session_id, Remove(one.identity, for_good=False))
            session = await sessions.find_by_id(self._db, one.session_id)
            if knocking and one.here and session is not None and session.admission == "ANYONE":
                with suppress(EndedError):
                    await self.change(session, admission="KNOCK")
        here = [one for one in people if one.here]
        await self._throw_out([(one.slug, one.identity) for one in here if one.state != "ADMITTED"])
        await _asked(
            self._calls.tell_role(one.slug, one.identity, one.role)
            for one in here
            if one.state == "ADMITTED"
        )

    async def catch_up_rooms(self) -> None:
        """Let rooms have what hosts have changed or paused at another node."""
        known = {room.session.id: room.session for room in self._rooms.all if not room.over}
        if not known:
            return
        decided = self._rooms.decided
        told = await sessions.news(
            self._db,
            {
                of: (
                    one.title,
                    one.admission,
                    one.locked,
                    len(one.pauses),
                    one.paused,
                    one.consent,
                    one.mark,
                    one.audio_days,
                )
                for of, one in known.items()
            },
        )
        if self._rooms.decided != decided:  # what was read may be older: look again
            return
        for session, paused in told:
            before = known[session.id]
            change = Change(session.title, session.admission, locked=session.locked)
            if change != Change(before.title, before.admission, locked=before.locked):
                self._rooms.tell(session.id, change)
            if paused != before.pauses:
                self._rooms.tell(session.id, SetPauses(paused))
            if session.consent != before.consent:
                self._rooms.tell(session.id, SetAsked(session.consent))
            if session.mark != before.mark:
                installation = self._rooms.installation
                said = together(session.spoken, session.space_spoken, installation)
                self._rooms.tell(session.id, SetSpoken(said, session.mark))
            if session.audio_days != before.audio_days:
                self._rooms.tell(session.id, SetAudio(session.audio_days))

    async def _throw_out(self, people: Collection[tuple[str, str]]) -> None:
        # What LiveKit isn't told now it is told when it next says who is there: core.lifecycle.
        await _asked(self._calls.remove(slug, identity) for slug, identity in people)

    async def make_host(self, session: Session, identity: str) -> None:
        """Make somebody who was let in a host too. Raises NotFoundError."""
        if await participants.make_host(self._db, session.id, identity) is None:
            raise NotFoundError
        self._rooms.tell(session.id, ChangeRole(identity, "HOST"))
        await self._calls.tell_role(session.slug, identity, "HOST")

    async def change(
        self,
        session: Session,
        *,
        title: str | None = None,
        was_title: str | None = None,
        admission: Admission | None = None,
        locked: bool | None = None,
    ) -> Session:
        """Change what is given, and return the session as it is now.

        Raises EndedError when it has ended meanwhile, and RetitledError when it is no longer called
        `was_title`, which who gives it another title has seen.
        """
        changed = await sessions.change(
            self._db,
            session.id,
            title=title,
            was_title=was_title,
            admission=admission,
            locked=locked,
        )
        if changed is None:
            now = await sessions.find_by_id(self._db, session.id)
            raise EndedError if now is None or now.over else RetitledError(now.title)
        self._rooms.tell(
            session.id, Change(changed.title, changed.admission, locked=changed.locked)
        )
        return changed

    async def answer(self, session: Session, identity: str, *, consent: bool) -> Answer:
        """Transcribe a participant from now on, or not any more, as they want it.

        Raises NotFoundError without such a participant.
        """
        async with self._answering:
            now = datetime.now(UTC)
            answer = await participants.answer(self._db, identity, now, consent=consent)
            if answer is None:
                raise NotFoundError
            self._rooms.tell(session.id, SetConsent(identity, answer))
        return answer

    async def ask(self, space_id: str, by: Person, asked: Consent) -> None:
        """Have the doors of a space ask this from now on, of who is in its rooms too."""
        async with self._answering:
            await spaces.ask(self._db, space_id, by, asked)
            self._rooms.tell_space(space_id, SetAsked(asked))

    async def keep_audio(self, space_id: str, by: Person, days: int | None) -> None:
        """Have the sound of a space's sessions kept for so many days, or not any more.

        It is kept in those that begin from now on: who is in one was told otherwise at its door.
        """
        await spaces.keep_audio(self._db, space_id, by, days)
        self._rooms.limit_audio(space_id, days or 0)

    async def pause(self, session: Session, by: str | None) -> None:
        """Have nothing transcribed from now on; `by` is who pauses, an identity.

        Raises EndedError when it has ended meanwhile, and TooManyPausesError.
        """
        await pauses.pause(self._db, session.id, by, datetime.now(UTC), most=MAX_PAUSES)
        if not await self._tell_pauses(session):
            now = await sessions.find_by_id(self._db, session.id)
            raise EndedError if now is None or now.over else TooManyPausesError

    async def resume(self, session: Session) -> None:
        """Have it transcribed again what is said from now on."""
        await pauses.resume(self._db, session.id, datetime.now(UTC))
        await self._tell_pauses(session)

    async def _tell_pauses(self, session: Session) -> bool:
        """Let the room know all pauses. Returns whether one is open."""
        known = await pauses.of_session(self._db, session.id)
        self._rooms.tell(session.id, SetPauses(known))
        return bool(known) and known[-1].until is None

    async def end(self, session: Session, *, by: str | None, reason: EndReason) -> None:
        """End a session for everybody; a second time changes nothing but finishes the first.

        `by` is a user's id. Raises no CallError: a call that stays open is closed by the next poll.
        """
        await sessions.end(self._db, session.id, by=by, reason=reason, now=datetime.now(UTC))
        await self.finish(session, reason)

    async def finish(self, session: Session, reason: EndReason) -> None:
        """Close the call of a session that has ended, let the last words come, close the pages."""
        # At once: last words take seconds, in which nobody should be heard any more.
        await asyncio.gather(self.close_call(session), self._rooms.end(session.id, reason))
        await participants.all_left(self._db, session.id, datetime.now(UTC))

    async def open_call(self, session: Session) -> None:
        """Make LiveKit's room, if it answers: somebody is about to join."""
        try:
            await self._calls.open_room(session.slug)
        except CallError:
            log.warning("a session's call could not be opened")
        if not await sessions.call_opened(self._db, session.id):
            await self.close_call(session)

    async def close_call(self, session: Session) -> None:
        """Close LiveKit's room; when that fails, the next poll tries again."""
        try:
            await self._calls.close_room(session.slug)
        except CallError:
            return
        await sessions.call_closed(self._db, session.id)

    async def _check_admitted(self, session: Session, identity: str) -> None:
        found = await participants.find(self._db, session.id, identity)
        if found is None or found.state != "ADMITTED":
            raise NotFoundError


async def _asked(questions: Iterable[Awaitable[None]]) -> None:
    """Ask all of this of LiveKit at once; that it doesn't answer is left to the next poll."""
    for problem in await asyncio.gather(*questions, return_exceptions=True):
        if isinstance(problem, BaseException) and not isinstance(problem, CallError):
            raise problem
