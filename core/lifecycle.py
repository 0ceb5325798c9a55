"""The life of sessions: who is here, and what happens by itself.

All of it is decided by times in the database, in statements of which each row goes to one
process. So any number of processes may run this, and one that was down goes on where it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from livekit.protocol.webhook import WebhookEvent

from core.conduct import Conduct
from core.correcting import Correcting
from core.database import Database
from core.livekit import CallError, Calls, is_test
from core.model import Session
from core.repeating import again_and_again
from core.room.rooms import Rooms
from core.sorting_in import sort_in_older
from core.store import (
    deleted_calls,
    events,
    invitations,
    participants,
    people,
    retention,
    sessions,
    shared_links,
    space_events,
)

log = logging.getLogger(__name__)

TICK = 2.0  # seconds
SEEN_EVERY = timedelta(seconds=15)
PAGE_GONE_AFTER = timedelta(seconds=45)  # after that, the process that had the page has died
# Since we, or the database, are back: before anybody is taken to have left when they were last
# seen, as their session ends at once if that was long ago. Pages come back within 8 s, or within
# a minute where a browser holds back the timers of a hidden tab.
PAGES_RETURN_WITHIN = timedelta(seconds=120)
CALL_GONE_AFTER = timedelta(seconds=120)  # after that without news of it, LiveKit has died
POLL_EVERY = timedelta(seconds=30)
POLL_BATCH = 50  # sessions
END_EMPTY_AFTER = timedelta(minutes=30)
EXPIRE_UNJOINED_AFTER = timedelta(hours=24)  # since it was made, or the time it is planned for
USED_EVERY = timedelta(hours=1)  # logins end after days without use
EVENT_MEMORY = timedelta(days=1)  # a webhook's signature expires within minutes
# After so long without a knock: who gives a name in the morning for an evening's session keeps it.
FORGET_STRANGERS_AFTER = timedelta(hours=24)
FORGET_STRANGERS_EVERY = timedelta(minutes=1)
FORGET_DEEDS_EVERY = timedelta(hours=1)  # what was done in spaces, invitations, shared links
DELETE_OLD_TEXTS_EVERY = timedelta(minutes=10)  # what was said in sessions of long ago
FORGOTTEN_AT_ONCE = 500  # rows of one statement

Followup = Callable[[], Awaitable[None]]


def _now() -> datetime:
    return datetime.now(UTC)


class Lifecycle:
    """Looks after the sessions of the database."""

    def __init__(
        self,
        db: Database,
        rooms: Rooms,
        calls: Calls,
        conduct: Conduct,
        correcting: Correcting,
        *,
        login_idle: timedelta,
    ) -> None:
        self._db = db
        self._login_idle = login_idle  # without use, after which a login ends
        self._conduct = conduct
        self._correcting = correcting
        self._rooms = rooms
        self._calls = calls
        self._tasks: list[asyncio.Task[None]] = []
        self._seen_at = _now() - SEEN_EVERY
        self._forgot_at = _now() - EVENT_MEMORY
        self._looked_at = datetime.min.replace(tzinfo=UTC)  # when people were looked after last
        self._back_at = self._looked_at  # since when they are, without a break
        self._used_at = _now()  # when it was last noted which logins are used
        self._forgot_strangers_at = _now() - FORGET_STRANGERS_EVERY
        self._forgot_deeds_at = _now() - FORGET_DEEDS_EVERY
        self._deleted_texts_at = _now() - DELETE_OLD_TEXTS_EVERY

    def start(self) -> None:
        """Begin; called once, in the running loop."""
        # LiveKit may be slow to answer; that must not hold up the rest.
        loops = (
            self._look_after_people,
            self._look_after_rights,
            self._look_after_sessions,
            self._look_after_calls,
        )
        self._tasks = [asyncio.create_task(again_and_again(one, TICK)) for one in loops]
        self._tasks.append(asyncio.create_task(sort_in_older(self._db)))

    async def close(self) -> None:
        """Stop; other processes or the next one go on."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def hear(self, event: WebhookEvent) -> None:
        """Act on what LiveKit tells, once. Raises DatabaseAwayError: then it should tell again."""
        if is_test(event):  # of no session; not even noted
            return
        async with self._db.transaction():
            if not await events.is_first(self._db, event.id, _now()):
                return
            followup = await self._note(event)
        if followup is not None:
            await followup()

    async def _note(self, event: WebhookEvent) -> Followup | None:
        """Note who came and went. Returns what to ask of LiveKit, who is somewhere they mustn't."""
        session = await sessions.find(self._db, event.room.name)
        if session is None:
            return await self._note_gone(event)
        if event.event == "participant_joined":
            return await self._note_present(session, [event.participant.identity], _now())
        if event.event in ("participant_left", "participant_connection_aborted"):
            gone = event.participant.identity
            await participants.left_call(self._db, session.id, _time_of(event), only=gone)
        elif event.event == "room_finished":
            await participants.left_call(self._db, session.id, _time_of(event))
        elif event.event == "room_started" and session.over:
            return lambda: self._conduct.close_call(session)
        return None

    async def _note_gone(self, event: WebhookEvent) -> Followup | None:
        """Note what happens in the room of no session: of one that was deleted, or another's."""
        if event.event not in ("room_started", "participant_joined"):
            return None
        slug = event.room.name
        if not await deleted_calls.is_one(self._db, slug):
            return None
        return lambda: self._close_deleted([slug])

    async def _close_deleted(self, slugs: list[str]) -> None:
        for slug in slugs:
            try:
                await self._calls.close_room(slug)
            except CallError:
                return  # the next poll tries again
            await deleted_calls.closed(self._db, slug, _now())

    async def _note_present(
        self, session: Session, identities: list[str], now: datetime
    ) -> Followup | None:
        if session.over:
            return lambda: self._conduct.close_call(session)
        known, strangers = await participants.in_call(self._db, session.id, identities, now)
        if known:
            await sessions.start(self._db, session.id, now)
        return (lambda: self._throw_out(session, strangers)) if strangers else None

    async def _throw_out(self, session: Session, identities: list[str]) -> None:
        for identity in identities:
            try:
                await self._calls.remove(session.slug, identity)
            except CallError:
                return  # the next poll tries again

    async def _look_after_people(self) -> None:
        now = _now()
        if now - self._seen_at >= SEEN_EVERY:
            await participants.still_connected(self._db, self._rooms.connected(), now)
            if knocking := self._rooms.knocks.identities():
                await participants.still_knocking(self._db, knocking, now)
            self._seen_at = now
        if now - self._looked_at > PAGE_GONE_AFTER:
            self._back_at = now
        self._looked_at = now
        if now - self._back_at >= PAGES_RETURN_WITHIN:
            await participants.close_stale(
                self._db, page=now - PAGE_GONE_AFTER, call=now - CALL_GONE_AFTER
            )
        if now - self._forgot_at >= EVENT_MEMORY:
            await events.forget(self._db, now - EVENT_MEMORY)
            await deleted_calls.forget(self._db, now)
            self._forgot_at = now
        await self._forget_strangers(now)
        await self._forget_deeds(now)
        await self._delete_old_texts(now)

    async def _forget_strangers(self, now: datetime) -> None:
        """Forget names that were given at doors by people who never came in."""
        if now - self._forgot_strangers_at < FORGET_STRANGERS_EVERY:
            return
        before = now - FORGET_STRANGERS_AFTER
        if await participants.forget_strangers(self._db, before, FORGOTTEN_AT_ONCE) == 0:
            self._forgot_strangers_at = now  # else there are more

    async def _forget_deeds(self, now: datetime) -> None:
        """Forget what was done in spaces so long ago, and invitations and shared links of then.

        And that an invitation let somebody in whose space has been deleted since.
        """
        if now - self._forgot_deeds_at < FORGET_DEEDS_EVERY:
            return
        before = now - timedelta(days=space_events.KEPT_DAYS)
        await people.uninvite(self._db)
        forgotten = await space_events.forget(self._db, before, FORGOTTEN_AT_ONCE)
        forgotten += await invitations.forget(self._db, before, FORGOTTEN_AT_ONCE)
        forgotten += await shared_links.forget(self._db, before, FORGOTTEN_AT_ONCE)
        if forgotten == 0:
            self._forgot_deeds_at = now  # else there are more

    async def _delete_old_texts(self, now: datetime) -> None:
        """Delete what was said longer ago than its space keeps it: some sessions at a time."""
        if now - self._deleted_texts_at < DELETE_OLD_TEXTS_EVERY:
            return
        many = await retention.delete_old(self._db, now)
        if many == 0:
            self._deleted_texts_at = now  # else there are more
        else:
            log.info("the words of %d sessions were kept long enough and are deleted", many)

    async def _look_after_rights(self) -> None:
        """End here what another process has ended, an operator, or time; change what it changed.

        Being in a session is use of the login that led there.
        """
        await self._conduct.catch_up_rooms()
        await self._correcting.catch_up()
        seated = self._rooms.seated()
        if not seated:
            return
        await self._conduct.catch_up(seated)
        if _now() - self._used_at >= USED_EVERY:
            self._used_at = _now()
            await people.used(self._db, {one.key for one in seated}, _now() + self._login_idle)

    async def _look_after_sessions(self) -> None:
        now = _now()
        unjoined = now - EXPIRE_UNJOINED_AFTER
        await sessions.expire(self._db, unjoined, now)
        for session in await sessions.end_empty(self._db, now - END_EMPTY_AFTER, unjoined):
            await self._conduct.finish(session, "AUTO_EMPTY_ROOM")

    async def _look_after_calls(self) -> None:
        """Ask LiveKit who is in its rooms: its webhooks may not reach us."""
        now = _now()
        await self._close_deleted(
            await deleted_calls.claim(self._db, now - POLL_EVERY, now, POLL_BATCH)
        )
        claimed = await sessions.claim_calls(self._db, now - POLL_EVERY, now, POLL_BATCH)
        if not claimed:
            return
        try:
            present = await self._calls.present([session.slug for session in claimed])
        except CallError:
            return
        for session in claimed:
            await self._compare(session, present.get(session.slug), now)

    async def _compare(self, session: Session, present: set[str] | None, now: datetime) -> None:
        """Bring a session up to date with who was in its call at this time; None: it has none."""
        if present is None and session.over:
            await sessions.call_closed(self._db, session.id)
            return
        here = sorted(present or ())
        await participants.left_call(self._db, session.id, now, but=here)
        if session.over or here:
            followup = await self._note_present(session, here, now)
            if followup is not None:
                await followup()


def _time_of(event: WebhookEvent) -> datetime:
    """Return when an event happened: LiveKit tells whole seconds, rounded down."""
    return min(_now(), datetime.fromtimestamp(event.created_at + 1, UTC))
