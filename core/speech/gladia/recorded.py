"""Recordings through Gladia's pre-recorded API, file after file: see core/speech/gladia/cuts.py.

Each accepted job is billed, and Gladia doesn't notice that two are of the same sound
(docs.gladia.io/chapters/pre-recorded-stt/transcription-process). So every step is stored by the
caller before the next is made: a file was uploaded; its job was made; its result was had. Between
the request that makes a job and the storing of its id everything may die. For that the job carries
a label that was stored before, and whoever goes on looks for it before making another. A second job
is paid only if Gladia's list doesn't have the first one then; both are deleted.

Nothing stays at Gladia, which else keeps it for a year: a job is deleted with its file and its
result once they are stored here, or given up. What can't be deleted is a file that was uploaded and
of which no job was made (a crash between the two, or a job refused): the API has no request for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from typing import IO

import httpx2

from core.backoff import Backoff
from core.speech.engine import (
    SAMPLE_RATE,
    EngineError,
    NoSlotError,
    Recognition,
    StreamOptions,
    Translation,
)
from core.speech.gladia.cuts import Bounds, Cut
from core.speech.gladia.jobs import Jobs, UnsureError
from core.speech.gladia.opening import accepted, job_body
from core.speech.gladia.progress import Progress, Sent, progress_of
from core.speech.gladia.reading import Reader
from core.speech.gladia.said import GarbageError, parse
from core.speech.gladia.timeouts import RecordedTimeouts
from core.speech.reasons import Reason
from core.speech.recorded.model import Begun, Part, Track, UnreadableError

log = logging.getLogger(__name__)

TRIES = 3  # of a request whose failure may pass, before others decide when to go on
MAX_FAILURES = 5  # jobs that fail, of one file: each of them may be billed
Words = tuple[tuple[Recognition, ...], tuple[Translation, ...]]


class GladiaTranscriber:
    """Transcriber: one file of a track at a time."""

    def __init__(
        self,
        client: Callable[[], httpx2.AsyncClient],
        url: str,
        key: str,
        timeouts: RecordedTimeouts | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self._timeouts = timeouts or RecordedTimeouts()
        self._bounds = bounds or Bounds()
        self._jobs = Jobs(client, url, key, self._timeouts)

    async def transcribe(
        self, track: Track, options: StreamOptions, begun: Begun
    ) -> AsyncGenerator[Part]:
        """Transcriber."""
        options, left_out = accepted(options)
        if left_out:
            log.warning("%d settings of a session are not for Gladia and left out", left_out)
        progress = progress_of(begun)
        async with Reader(track) as heard:
            while True:
                await self._delete_leftovers(progress)
                sent = await self._still_there(progress)
                if sent is None:
                    cut, url = await self._send(heard, progress.position)
                    if url is None:  # nobody speaks up to the cut
                        if cut.end <= progress.position:
                            break
                        progress.position = cut.end
                        yield _part(progress, cut)
                        continue
                    sent = progress.sent = Sent(cut, url, time.time())
                    yield _part(progress)
                job = sent.job
                if job is None:
                    job = sent.job = await self._make(sent, options)
                    sent.at = time.time()
                    yield _part(progress, seconds_sent=_count(progress, sent.cut))
                elif progress.counted < sent.cut.end:  # it was made, and not told of
                    yield _part(progress, seconds_sent=_count(progress, sent.cut))
                outcome = await self._outcome(sent, job, options)
                progress.sent = None
                progress.leave(job)
                await self._leave_others(progress, sent)
                if isinstance(outcome, EngineError):
                    progress.failures += 1
                    yield _part(progress)
                    await self._delete_leftovers(progress)  # as it may not come to another try
                    raise _final(outcome, progress.failures)
                progress.position, progress.failures = sent.cut.end, 0
                yield _part(progress, sent.cut, outcome)
        await self._delete_at_last(progress)

    async def forget(self, begun: Begun) -> None:
        """Transcriber."""
        progress = progress_of(begun)
        sent = progress.sent
        if sent is not None:
            if sent.job is not None:
                progress.leave(sent.job)
            sent.is_unsure = sent.is_unsure or sent.job is None
            await self._leave_others(progress, sent)
        await self._delete_at_last(progress)

    # Steps

    async def _still_there(self, progress: Progress) -> Sent | None:
        """Return what was sent and goes on; None: there is nothing, or it is too old to."""
        sent = progress.sent
        if sent is None or sent.job is not None:
            return sent
        # Uploaded, and whoever did it may have made a job of it and not lived to tell.
        sent.job = await self._found(sent)
        if sent.job is None and time.time() - sent.at > self._timeouts.upload_kept_s:
            progress.sent = None
        return progress.sent

    async def _send(self, heard: Reader, position: int) -> tuple[Cut, str | None]:
        """Upload the next file of a track; without an address if nobody speaks in it."""
        # Without a name, so that nothing of it is left whatever happens, and on the disk that has
        # the recording: where else there is room for an hour of sound, nobody can know.
        try:
            with tempfile.TemporaryFile(dir=heard.folder) as file:
                cut = await heard.cut(file, position, self._bounds)
                if not cut.stretches:
                    return cut, None
                size = await asyncio.to_thread(file.seek, 0, os.SEEK_END)
                return cut, await self._upload(file, size)
        except FileNotFoundError:  # with its folder, as somebody gave the recording up
            raise UnreadableError("gone") from None
        except OSError as full:
            raise EngineError(Reason("no_memory", full.strerror or "")) from full

    async def _upload(self, file: IO[bytes], size: int) -> str:
        backoff = self._backoff()
        for left in reversed(range(TRIES)):
            try:
                return await self._jobs.upload(file, size)
            except EngineError as problem:
                if not problem.retry or not left:
                    raise
                log.warning("Gladia: an upload failed: %s", problem.reason)
            await asyncio.sleep(backoff.next())
        raise AssertionError

    async def _make(self, sent: Sent, options: StreamOptions) -> str:
        """Make the job of a file, once."""
        backoff = self._backoff()
        body = job_body(options, sent.url, sent.label)
        for left in reversed(range(TRIES)):
            try:
                return await self._jobs.create(body)
            except UnsureError as problem:
                if not problem.retry:
                    raise
                log.warning("Gladia: a job may have been made or not: %s", problem.reason)
                await asyncio.sleep(backoff.next())
                if (found := await self._found(sent)) is not None:
                    return found
                if not left:
                    raise
            except EngineError as problem:
                if not problem.retry or not left:
                    raise
                await asyncio.sleep(backoff.next())
        raise AssertionError

    async def _found(self, sent: Sent) -> str | None:
        """Return the job that was made of a file without that anybody was told."""
        sent.is_unsure = True
        try:
            return next(iter(await self._jobs.find(sent.label)), None)
        except NoSlotError:
            raise
        except EngineError as problem:
            # A list that can't be had at all must not keep a recording from going on for ever.
            if problem.retry or problem.reason.code in ("key_refused", "credit_used_up"):
                raise
            log.warning("Gladia lists no jobs (%s): one may be paid twice", problem.reason)
            return None

    async def _outcome(self, sent: Sent, job: str, options: StreamOptions) -> Words | EngineError:
        """Wait for a job's end; return what was said, or why it failed."""
        backoff = Backoff(self._timeouts.look_first_s, self._timeouts.look_max_s, least=0.5)
        last_good = time.monotonic()
        while True:
            trouble: EngineError | NoSlotError | None = None
            try:
                outcome = await self._look(sent.cut, job, options)
                if outcome is not None:
                    return outcome
                last_good = time.monotonic()
            except GarbageError:
                trouble = EngineError(Reason("unexpected_answer"))
            except NoSlotError as problem:  # asked too often
                trouble = problem
            except EngineError as problem:
                if not problem.retry:
                    raise
                trouble = problem
            if time.time() - sent.at > self._timeouts.job_s:
                return EngineError(Reason("unfinished"))
            if trouble is not None and time.monotonic() - last_good > self._timeouts.trouble_s:
                raise trouble
            await asyncio.sleep(backoff.next())

    async def _look(self, cut: Cut, job: str, options: StreamOptions) -> Words | EngineError | None:
        """Return a job's end; None while it is worked on. Raises GarbageError, too."""
        looked = await self._jobs.look(job)
        if looked is None:
            return EngineError(Reason("unfinished", "404"))
        state, answer = looked
        if state.status in ("queued", "processing"):
            return None
        if state.status == "error":
            return _failed(state.error_code)
        if state.status != "done":
            raise GarbageError
        return await asyncio.to_thread(parse, answer, cut, options.targets)

    # Deleting

    async def _delete_leftovers(self, progress: Progress) -> None:
        """Delete what can be deleted now; the rest stays noted."""
        kept = []
        for job in progress.leftovers:
            try:
                if not await self._jobs.delete(job):
                    kept.append(job)
            except (EngineError, NoSlotError):
                kept.append(job)
        progress.leftovers = kept

    async def _leave_others(self, progress: Progress, sent: Sent) -> None:
        """Note jobs of the same file that were made after all, though no answer said so."""
        if sent.is_unsure:
            with contextlib.suppress(EngineError, NoSlotError):
                for other in await self._jobs.find(sent.label):
                    if other != sent.job:
                        progress.leave(other)

    async def _delete_at_last(self, progress: Progress) -> None:
        """Try for a while; what can't be deleted then is for somebody to look at."""
        backoff = self._backoff()
        until = time.monotonic() + self._timeouts.forget_s
        await self._delete_leftovers(progress)
        while progress.leftovers and time.monotonic() < until:
            await asyncio.sleep(backoff.next())
            await self._delete_leftovers(progress)
        if progress.leftovers:
            jobs = ", ".join(progress.leftovers)
            log.error("Gladia still has recordings that could not be deleted: jobs %s", jobs)

    def _backoff(self) -> Backoff:
        return Backoff(self._timeouts.again_first_s, self._timeouts.again_max_s, least=0.5)


def _part(
    progress: Progress,
    cut: Cut | None = None,
    words: Words = ((), ()),
    seconds_sent: float = 0.0,
) -> Part:
    """Return what is stored now; with a cut, that is done."""
    lost = cut.lost if cut is not None else ()
    finals, translations = words
    return Part(
        finals=finals,
        translations=translations,
        lost=tuple((at / SAMPLE_RATE, (at + size) / SAMPLE_RATE) for at, size in lost),
        until=progress.position / SAMPLE_RATE,
        state=progress.text(),
        seconds_sent=seconds_sent,
    )


def _count(progress: Progress, cut: Cut) -> float:
    """Return the seconds of a file that were not counted before, and count them."""
    from_, progress.counted = progress.counted, max(progress.counted, cut.end)
    new = sum(max(0, at + size - max(at, from_)) for at, size in cut.stretches)
    return new / SAMPLE_RATE


def _failed(code: int | None) -> EngineError:
    """Judge the error code of a job: HTTP's."""
    if code is not None and 400 <= code < 500 and code not in (408, 425, 429):
        return EngineError(Reason("audio_refused", str(code)), retry=False)
    return EngineError(Reason("service_trouble", "" if code is None else str(code)))


def _final(problem: EngineError, failures: int) -> EngineError:
    """Return a job's failure as it is told: after so many, trying again is only paid for."""
    return EngineError(problem.reason, retry=problem.retry and failures < MAX_FAILURES)
