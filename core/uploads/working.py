"""Working: has uploads transcribed one after the other, and lets go of what isn't needed any more.

An upload goes to one process, by a lease, and what is made of it is stored with where that came to
(core/store/upload_work.py). So a process may end at any moment: the next one goes on behind it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, cast

from core.audio.rounds import Rounds
from core.database import Database, DatabaseAwayError
from core.metrics import UPLOADS
from core.minutes import SpaceMinutes
from core.model import MAX_UTTERANCES, Translated
from core.repeating import again_and_again
from core.speech.allowance import Allowance
from core.speech.engine import Engine, EngineError, NoSlotError, StreamOptions
from core.speech.reasons import Reason
from core.speech.recorded.model import Begun, Part, Track, Transcriber, UnreadableError
from core.spoken import Spoken, names_among, together
from core.store import discarded_tracks, upload_work, uploads
from core.store.upload_work import GoneError, Said, Sent, Work, WorkTrack
from core.uploads.keeping import keep_sound
from core.uploads.shelf import UploadShelf

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0  # for an upload that waits
CLEAR_EVERY_S = 5.0  # what nobody needs any more is looked for
FORGOTTEN_AT_ONCE = 10  # tracks: a service is asked for each, some of them for two minutes
LEASE_S = 30.0  # for which others leave an upload to us after we last said so
RENEW_EVERY_S = 2.0  # which finds, too, what was stopped or deleted
AT_ONCE = 100  # uploads that one look lets go
# A service that is away is asked again after so long, which doubles, and at last no more: by then
# some three hours have passed.
PAUSE_S = 15.0
MOST_PAUSE_S = 1800.0
MOST_TRIES = 12
TURN_S = 600.0  # of a track, until it is another one's turn: readers see how people answer
USED_UP_PAUSE_S = 600.0  # a space may have minutes again after midnight, or as somebody says

GONE = "an upload that is transcribed was deleted, or is another process's by now"


class _UsedUpError(Exception):
    """The space has no minutes left."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class _FullError(Exception):
    """The session has as many utterances as it may have."""


class Working:
    """Works on the uploads of a shelf."""

    def __init__(
        self,
        db: Database,
        who: str,
        shelf: UploadShelf,
        *,
        sound: Rounds,
        engine: Engine,
        minutes: SpaceMinutes,
        installation: Spoken,
        price: float,
    ) -> None:
        self._db = db
        self._who = who  # this process, as leases call it
        self._shelf = shelf
        self._sound = sound
        self._engine = engine
        self._transcriber: Transcriber | None = None  # of `start`; None: nothing is transcribed
        self._minutes = minutes
        self._installation = installation
        self._price = price  # of a minute
        self._jobs: list[asyncio.Task[None]] = []
        self._at_work: tuple[Work, asyncio.Task[None]] | None = None  # what `stop` ends at once
        self._begun: dict[int, Begun] = {}  # where each track came to of the upload at work

    def start(self) -> None:
        """Begin; called once, in the running loop, once the engine was started."""
        self._transcriber = self._engine.recorded()
        self._jobs = [asyncio.create_task(again_and_again(self._clear, CLEAR_EVERY_S))]
        if self._transcriber is not None:
            next_one = partial(self._next, self._transcriber)
            forget = partial(self._forget, self._transcriber)
            self._jobs += [
                asyncio.create_task(again_and_again(next_one, LOOK_EVERY_S)),
                asyncio.create_task(again_and_again(forget, CLEAR_EVERY_S)),
            ]

    async def close(self) -> None:
        """Stop where it is: another process goes on from there."""
        for job in self._jobs:
            job.cancel()
        if self._jobs:
            await asyncio.wait(self._jobs)

    async def stop(self, upload_id: str) -> None:
        """Give up an upload for good, with its files; what is transcribed already stays.

        Raises DatabaseAwayError.
        """
        await uploads.give_up(self._db, upload_id)
        if self._at_work is not None and self._at_work[0].id == upload_id:
            self._at_work[1].cancel()
        await asyncio.to_thread(self._shelf.clear, upload_id)

    async def _next(self, transcriber: Transcriber) -> None:
        """Work on the uploads that wait, until none does."""
        while True:
            place = self._sound.shelf.place
            work = await upload_work.claim(self._db, place, self._who, LEASE_S)
            if work is None:
                return
            task = asyncio.create_task(self._work_on(work, transcriber))
            self._at_work, self._begun = (work, task), {}
            try:
                await asyncio.wait([task])
            finally:
                self._at_work = None
                if not task.done():  # we stop
                    task.cancel()
                    await asyncio.wait([task])
                    with suppress(DatabaseAwayError):
                        await upload_work.leave(self._db, work)
            if task.cancelled():
                log.info("an upload is left that was transcribed")
            elif (problem := task.exception()) is not None:
                raise problem

    async def _work_on(self, work: Work, transcriber: Transcriber) -> None:
        """Do what there is to do for an upload, and note what became of it."""
        renewing = asyncio.create_task(self._renew(work, cast(Any, asyncio.current_task())))
        try:
            await self._make(work, transcriber)
        except GoneError:
            log.warning(GONE)
            raise asyncio.CancelledError from None  # as by whoever has stopped it
        except DatabaseAwayError:
            raise  # it is ours still, and gone on with at once
        except Exception as problem:
            await self._fell(work, problem)
        else:
            await upload_work.done(self._db, work)
            await asyncio.to_thread(self._shelf.clear, work.id)
            UPLOADS.labels("done").inc()
        finally:
            renewing.cancel()

    async def _fell(self, work: Work, problem: Exception) -> None:
        """Note why an upload isn't done: it is tried later, or no more."""
        if isinstance(problem, _UsedUpError):
            await self._later(work, problem.reason, USED_UP_PAUSE_S, tries=0)
        elif isinstance(problem, _FullError):
            await self._fail(work, "session_full")
        elif isinstance(problem, UnreadableError):
            await self._fail(work, f"unreadable {problem.why}")
        elif isinstance(problem, NoSlotError):
            await self._try_later(work, Reason("no_stream"))
        elif isinstance(problem, EngineError):
            if problem.retry:
                await self._try_later(work, problem.reason)
            else:
                await self._fail(work, _code(problem.reason))
        else:
            log.error("an upload could not be worked on", exc_info=problem)
            await self._try_later(work, Reason("engine_failed", type(problem).__name__))

    async def _renew(self, work: Work, task: asyncio.Task[None]) -> None:
        """Keep an upload ours; end the task that works on it once it isn't."""
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            try:
                await upload_work.renew(self._db, work, LEASE_S)
            except GoneError:
                log.warning(GONE)
                task.cancel()
                return
            except DatabaseAwayError:
                pass  # what is made meanwhile can't be stored either

    async def _try_later(self, work: Work, reason: Reason) -> None:
        tries = await upload_work.tries(self._db, work) + 1
        if tries > MOST_TRIES:
            await self._fail(work, _code(reason))
            return
        await self._later(work, reason, min(PAUSE_S * 2 ** (tries - 1), MOST_PAUSE_S), tries)

    async def _later(self, work: Work, reason: Reason, seconds: float, tries: int) -> None:
        log.warning("an upload waits %.0f s: %s", seconds, reason)
        await upload_work.later(self._db, work, _code(reason), seconds, tries)

    async def _fail(self, work: Work, reason: str) -> None:
        log.warning("an upload can't be transcribed: %s", reason)
        await upload_work.failed(self._db, work, reason)
        UPLOADS.labels("failed").inc()

    async def _forget(self, transcriber: Transcriber) -> None:
        """Have a service delete what it still has of tracks that are transcribed no more."""
        for track in await discarded_tracks.claim(self._db, FORGOTTEN_AT_ONCE):
            await transcriber.forget(Begun(track.until, track.state))
            await discarded_tracks.forgotten(self._db, track)

    async def _make(self, work: Work, transcriber: Transcriber) -> None:
        """Transcribe all tracks in turns, that first which is least far, and keep their sound."""
        left = {one.number: one for one in work.tracks if not one.done}
        self._begun = {number: Begun(one.until, one.state) for number, one in left.items()}
        allowance, options = self._minutes.of(work.space_id), self._options(work)
        while left:
            track = min(left.values(), key=lambda one: (self._begun[one.number].until, one.number))
            parts = transcriber.transcribe(
                self._place(work, track), options, self._begun[track.number]
            )
            # Only one file is read at a time: each takes a process and its memory.
            async with aclosing(parts) as turn:
                if await self._take_turn(work, track, turn, allowance):
                    del left[track.number], self._begun[track.number]
        if work.audio_days:
            for track in work.tracks:
                if not track.kept:
                    place = self._place(work, track)
                    await keep_sound(self._db, self._sound, work, track, place)

    def _place(self, work: Work, track: WorkTrack) -> Track:
        return Track(self._shelf.path(work.id, track.file), track.channel)

    async def _take_turn(
        self, work: Work, track: WorkTrack, parts: AsyncIterator[Part], allowance: Allowance
    ) -> bool:
        """Transcribe some minutes of a track; return whether it is done."""
        enough = self._begun[track.number].until + TURN_S
        await self._check_minutes(work, allowance)
        async for part in parts:
            await self._store(work, track, part)
            await self._check_minutes(work, allowance)
            if part.until >= enough:
                return False
        await upload_work.finish(self._db, work, track)
        return True

    def _options(self, work: Work) -> StreamOptions:
        said = together(work.spoken, work.space_spoken, self._installation)
        names = names_among(one.name for one in work.tracks)
        return StreamOptions(
            languages=said.languages or (),
            code_switching=said.code_switching,
            vocabulary=tuple(dict.fromkeys((*said.vocabulary, *names))),
            spelling=said.spelling,
            targets=said.targets or (),
        )

    async def _check_minutes(self, work: Work, allowance: Allowance) -> None:
        """Raise _UsedUpError where the space has no minutes left, in whatever process it sent."""
        await self._minutes.set_anew(work.space_id)
        if allowance.used_up is not None:
            raise _UsedUpError(allowance.used_up)

    async def _store(self, work: Work, track: WorkTrack, part: Part) -> None:
        said = [
            Said(one.utterance, one.text, one.start, one.end, one.language) for one in part.finals
        ]
        said += [Said(f"lost-{a:.2f}", "", a, b, lost=b - a) for a, b in part.lost]
        translated = [
            Translated(
                *(work.session_id, track.stream, one.utterance),
                *(track.identity, one.language, one.text),
            )
            for one in part.translations
        ]
        last = await upload_work.store(
            self._db,
            work,
            track,
            sorted(said, key=lambda one: one.start),
            translated=translated,
            sent=Sent(self._engine.name, part.seconds_sent, self._price),
            until=part.until,
            state=part.state,
        )
        self._begun[track.number] = Begun(part.until, part.state)
        if last >= MAX_UTTERANCES:
            raise _FullError

    async def _clear(self) -> None:
        """Let go of uploads of which nothing came for long, and of files that nobody needs."""
        for upload_id in await upload_work.due(self._db, AT_ONCE):
            await uploads.give_up(self._db, upload_id)
        old = await asyncio.to_thread(lambda: list(self._shelf.old()))
        if not old:
            return
        wanted = await upload_work.wanted(self._db, old)
        for upload_id in old:
            if upload_id not in wanted:
                await asyncio.to_thread(self._shelf.clear, upload_id)


def _code(reason: Reason) -> str:
    """Return a reason as it is stored: its code, and what it was about."""
    return f"{reason.code} {reason.detail}".strip()
