"""A resilient stream carries one stretch of a participant's speech to the engine, come what may.

It waits for a slot, opens a stream of the engine, and hands over what was said meanwhile. When the
engine loses the stream it opens another and replays what has no final yet. Positions are bytes
since the stretch began, so they stay right over any number of engine streams.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from core import metrics
from core.backoff import Backoff
from core.speech.allowance import Allowance
from core.speech.attempt import Attempt
from core.speech.engine import (
    BYTES_PER_SECOND,
    Engine,
    EngineError,
    NoSlotError,
    Recognition,
    SpeechState,
    Stream,
    StreamOptions,
    StreamUsage,
    Translation,
)
from core.speech.gate import has_speech
from core.speech.memory import AudioBudget
from core.speech.reasons import Reason
from core.speech.shares import Ticket
from core.speech.slots import SlotPool
from core.speech.tally import Tally

log = logging.getLogger(__name__)

DELAYED_AFTER_S = 1.0  # seconds without a stream before people are told that captions are delayed
RETRY_FIRST_S = 1.0  # the longest first pause after a stream that couldn't be opened
RETRY_MAX_S = 15.0
RETRY_HOPELESS_S = 30.0  # somebody must act (bad key, no credit): look again now and then
# Who is asked to give way does so with the next final, so that no word is cut. Gladia gives one
# after 15 s at the latest (see `init_body`), also to who never pauses. Without one, as of noise,
# the stream ends all the same.
GIVE_WAY_WITHIN_S = 20.0
BUSY = Reason("busy")


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """The account of one engine stream, for usage and cost."""

    stream: str
    engine: str
    opened_at: datetime
    closed_at: datetime
    usage: StreamUsage


class ResilientSink(Protocol):
    """Who is told what becomes of the audio; called on the event loop's thread."""

    def heard(self, stretch: ResilientStream, stream: str, recognition: Recognition) -> None:
        """Take text, its times in seconds since the stretch began; `stream` makes its id unique."""

    def translated(self, stream: str, translation: Translation) -> None:
        """Take a translation of a final that was heard."""

    def withdrawn(self, stretch: ResilientStream, stream: str, utterance: str) -> None:
        """Forget a partial whose stream was lost; its audio is replayed."""

    def state_changed(self, stretch: ResilientStream) -> None:
        """Look at `stretch.state` and `stretch.reason` again."""

    def drop_oldest(self) -> int:
        """Let go of the oldest audio that waits, in whichever stretch. Returns its bytes, or 0."""

    def words_lost(self, stretch: ResilientStream, start: int, end: int) -> None:
        """Take note that audio of the stretch, between these bytes, will never be transcribed."""

    def closed(self, stretch: ResilientStream) -> None:
        """Forget the stretch: everything it carried was handed over."""

    def stream_closed(self, record: StreamRecord) -> None:
        """Take the account of one engine stream."""


@dataclass(frozen=True, slots=True)
class SpeechServices:
    """What all stretches of a process share, and with `allowance` those of a space."""

    engine: Engine
    slots: SlotPool
    budget: AudioBudget
    allowance: Allowance = field(default_factory=Allowance)
    tally: Tally = field(default_factory=Tally)


class ResilientStream:
    """Carries audio fed to it to the engine; see the module's text."""

    __slots__ = (
        "_attempt",
        "_attempts",
        "_budget",
        "_delay_notice",
        "_giving_way",
        "_loop",
        "_options",
        "_position",
        "_services",
        "_since",
        "_sink",
        "_task",
        "_ticket",
        "_waiting",
        "_waiting_size",
        "feed",
        "finishing",
        "id",
        "reason",
        "state",
    )

    def __init__(
        self,
        services: SpeechServices,
        options: StreamOptions,
        sink: ResilientSink,
        budget: AudioBudget,
        *,
        space: str,
        room: str,
        person: str,
    ) -> None:
        self.id = secrets.token_hex(6)  # the first half of the ids of its engine streams
        self.state: SpeechState = "listening"  # what becomes of the speech: see `_set_state`
        self.reason: Reason | None = None  # why; None while all is well
        self._services = services  # the engine and its slots
        # By which slots are shared fairly between spaces, rooms and people.
        self._ticket = Ticket(space, room, person, self)
        # Runs since it was asked to give way, until the stream must end even without a final; None
        # while nobody asks.
        self._giving_way: asyncio.TimerHandle | None = None
        self._options = options  # of each engine stream, but for `since` and `memory`
        self._sink = sink  # the microphone
        self._budget = budget  # of the page's speech in memory, of which `_waiting` holds a part
        # Audio that no engine stream has: frames in order, and their bytes.
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._position = 0  # of the first waiting byte, in bytes since the stretch began
        self._loop = asyncio.get_running_loop()  # whose clock all times here are on
        self._since = self._loop.time()  # when its first byte came, on the loop's clock
        self._attempt: Attempt | None = None  # the engine stream that is open now
        # Takes the next audio: straight to the open stream, else it waits, bounded. Not a method,
        # because every frame comes by here.
        self.feed: Callable[[bytes], None] = self._wait
        self._attempts = 0  # engine streams asked for so far, which numbers them
        self.finishing = False  # no more audio comes
        # Runs out once people should be told that they wait; cancelled by the first open stream.
        self._delay_notice = self._loop.call_later(DELAYED_AFTER_S, self._tell_delay)
        self._task = asyncio.create_task(self._run())  # lives as long as the stretch
        # Not in a `finally`: a task that is cancelled before its first step has none.
        self._task.add_done_callback(self._close)

    @property
    def in_the_way(self) -> bool:
        """Whether a stream is open that somebody waits for: finishing would let them speak."""
        return self._attempt is not None and self._services.slots.wanted(self._ticket)

    def finish(self) -> None:
        """Say that no more audio comes; the stretch closes once its last final was handed over."""
        self.finishing = True
        self._services.slots.ending(self._ticket)
        if self._attempt is not None:
            self._attempt.over.set()

    def give_way(self) -> None:
        """SlotHolder: end the stream with its next final, and wait for another turn."""
        self._giving_way = self._loop.call_later(GIVE_WAY_WITHIN_S, self._let_others)

    def _let_others(self) -> None:
        attempt = self._attempt
        if self._giving_way is None or attempt is None or self.finishing:
            return
        self._asked_no_more()
        if self._services.slots.wanted(self._ticket):
            attempt.give_way()
        else:  # they were served meanwhile
            self._ticket.recalled = False

    def _asked_no_more(self) -> None:
        if self._giving_way is not None:
            self._giving_way.cancel()
            self._giving_way = None

    def abort(self) -> None:
        """Stop at once; what has no final yet is lost."""
        self._task.cancel()

    async def wait_closed(self) -> None:
        """Return when the stretch is closed."""
        await asyncio.wait([self._task])

    def drop_oldest(self) -> int:
        """Let go of the oldest audio that waits here. Returns its bytes, 0 without any."""
        if not self._waiting:
            return 0
        size = len(self._waiting.pop(0))
        self._waiting_size -= size
        self._position += size
        self._budget.release(size)
        self._lost_for_memory(size)
        if self.finishing and not self._waiting and not self._ticket.held:
            self.abort()  # nothing is left to wait for, and there may be any number of these
        return size

    def _wait(self, pcm: bytes) -> None:
        size = len(pcm)
        while not self._budget.reserve(size):
            if not self._sink.drop_oldest():  # what others wait with fills the memory
                self._position += size
                self._lost_for_memory(size)
                return
        self._waiting.append(pcm)
        self._waiting_size += size

    def _lost_for_memory(self, size: int) -> None:
        metrics.LOST_FOR_MEMORY.inc(size / BYTES_PER_SECOND)
        self._sink.words_lost(self, self._position - size, self._position)

    async def _run(self) -> None:
        # At least half of each pause: streams of a room fail together, and to come back all at once
        # is what a service in trouble can use least.
        backoff = Backoff(RETRY_FIRST_S, RETRY_MAX_S, least=0.5)
        while True:
            began = self._loop.time()
            pause = await self._try_once(backoff)
            if pause is None:
                return
            if self._loop.time() - began > RETRY_MAX_S:
                backoff.reset()  # it worked in between: what comes next is trouble of its own
            await self._rest(pause)

    async def _rest(self, seconds: float) -> None:
        if self.state == "failed":  # until somebody acted: who speaks next finds out for all
            await self._services.slots.wait_until_honoured(seconds)
        else:
            await asyncio.sleep(seconds)

    async def _try_once(self, backoff: Backoff) -> float | None:
        """See one stream through. Returns None when done, else seconds before the next try."""
        slots = self._services.slots
        pause = backoff.next()  # counts whatever comes of the try
        await slots.acquire(self._ticket)
        try:
            if self.finishing and not self._waiting:  # everything was dropped meanwhile
                return None
            if not self._services.allowance.covers(self._waiting_size / BYTES_PER_SECOND):
                return None  # so that what waits is told to be lost
            attempt = await self._serve()
        except NoSlotError:
            metrics.SPEECH_ERRORS.labels("refused", "no_stream").inc()
            slots.refused(self._ticket)  # which also decides when the next one is granted
            self._set_state("delayed", Reason("no_stream"))
            return 0.0
        except EngineError as problem:
            metrics.SPEECH_ERRORS.labels("refused", problem.reason.code).inc()
            self._set_state("failed", problem.reason)
            return pause if problem.retry else backoff.shortened(RETRY_HOPELESS_S)
        finally:
            self._release_slot()
        if attempt.gave_way:
            return 0.0
        # A stream that opened: the service is there.
        return pause / 4 if attempt.is_lost else None

    def _release_slot(self) -> None:
        if self._ticket.held:
            self._services.slots.release(self._ticket)

    async def _serve(self) -> Attempt:
        """Open a stream and see it through. Returns it; lost, it must be replaced."""
        self._attempts += 1
        stream_id = f"{self.id}.{self._attempts}"
        attempt = Attempt(self, stream_id)
        # When the first byte that this stream will get was spoken, not when it is opened: engines
        # that can't hear all at once take the oldest first.
        since = self._since + self._position / BYTES_PER_SECOND
        options = replace(self._options, since=since, memory=self._budget)
        stream = await self._services.engine.open(options, attempt)
        self._services.slots.honoured(self._ticket)
        if attempt.is_lost:  # within `open`; it was fed nothing, so all of it still waits here
            stream.abort()
            return attempt
        attempt.opened(stream, origin=self._position)
        self._services.allowance.opened(stream)
        self._services.tally.begin(stream)
        self._attempt, self.feed = attempt, stream.feed
        self._delay_notice.cancel()
        self._set_state("listening", None)
        self._hand_over()
        try:
            if not self.finishing:
                await attempt.over.wait()
            if attempt.gave_way:
                await stream.wait_over()  # before the slot is somebody else's
            elif not attempt.is_lost:
                if not self._services.engine.drains_in_slot:
                    self._release_slot()  # others may speak while this backlog is worked off
                await stream.finish()
            return attempt
        except asyncio.CancelledError:
            # Aborted, as when a room closes: what people read last is better kept than nothing.
            attempt.give_up()
            raise
        finally:
            self._asked_no_more()
            self._attempt, self.feed = None, self._wait
            stream.abort()
            self._services.allowance.closed(stream)
            self._services.tally.end(stream)
            self._sink.stream_closed(self._record(attempt, stream))

    def _record(self, attempt: Attempt, stream: Stream) -> StreamRecord:
        return StreamRecord(
            stream=attempt.id,
            engine=self._services.engine.name,
            opened_at=attempt.opened_at,
            closed_at=datetime.now(UTC),
            usage=stream.usage,
        )

    def _hand_over(self) -> None:
        """Feed what waited. No await in here: the next audio must come after it."""
        waiting, self._waiting = self._waiting, []
        self._position += self._waiting_size
        self._waiting_size = 0
        waiting.reverse()
        while waiting:  # each is let go before the next is kept by the stream: it may be a lot
            pcm = waiting.pop()
            self._budget.release(len(pcm))
            self.feed(pcm)  # looked up each time: the stream may be lost while it is fed

    # What the attempt reports

    def heard(self, attempt: Attempt, recognition: Recognition) -> None:
        """Stretch."""
        self._sink.heard(self, attempt.id, recognition)
        if recognition.final and self._giving_way is not None:
            # Not here: the stream is still at work on what brought this final.
            self._loop.call_soon(self._let_others)

    def translated(self, attempt: Attempt, translation: Translation) -> None:
        """Stretch."""
        self._sink.translated(attempt.id, translation)

    def withdrawn(self, attempt: Attempt, utterance: str) -> None:
        """Stretch."""
        self._sink.withdrawn(self, attempt.id, utterance)

    def delayed(self, is_delayed: bool, reason: Reason | None) -> None:
        """Stretch."""
        self._set_state("delayed" if is_delayed else "listening", reason if is_delayed else None)

    def words_lost(self, start: int, end: int) -> None:
        """Stretch."""
        self._sink.words_lost(self, start, end)

    def taken_back(self, attempt: Attempt, position: int, audio: bytes) -> None:
        """Stretch: it waits for the next attempt, before what is said from now on."""
        # From here on new audio waits, behind what is taken back.
        if self._attempt is attempt:
            self._attempt, self.feed = None, self._wait
        self._position = position
        # In pieces of a second: what is dropped for want of memory is dropped by whole pieces.
        for start in range(0, len(audio), BYTES_PER_SECOND):
            self._wait(audio[start : start + BYTES_PER_SECOND])
        self._set_state("delayed", BUSY if attempt.gave_way else Reason("dropped"))

    def _tell_delay(self) -> None:
        if self._attempt is None and self.state == "listening":
            self._set_state("delayed", BUSY)

    def _set_state(self, state: SpeechState, reason: Reason | None) -> None:
        if (state, reason) != (self.state, self.reason):
            self.state, self.reason = state, reason
            self._sink.state_changed(self)

    def _close(self, task: asyncio.Task[None]) -> None:
        self._delay_notice.cancel()
        if not task.cancelled() and (problem := task.exception()) is not None:
            log.error("a stretch failed", exc_info=problem)
        if self._waiting_size:
            log.warning(
                "%.1f s of speech were never transcribed", self._waiting_size / BYTES_PER_SECOND
            )
            # Silence that was never transcribed is no words lost, and nobody needs to be told.
            if has_speech(b"".join(self._waiting)):
                end = self._position + self._waiting_size
                metrics.LOST_AT_END.inc(self._waiting_size / BYTES_PER_SECOND)
                self._sink.words_lost(self, self._position, end)
        self._budget.release(self._waiting_size)
        self._waiting.clear()
        self._waiting_size = 0
        self._sink.closed(self)
