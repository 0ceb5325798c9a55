"""One stream of Gladia: one live session, over any number of connections to its URL.

A stream is a state machine that four parties push: who feeds it (`feed`, `finish`, `abort`), its
connections (`connected`, `paused`, `received`, …), its own task (`_run`, which connects again and
again) and the engine's look at all streams (`check`). All of them come on the event loop's thread,
and each may find the stream over, so every way to its end goes through `_leave`.

Audio is sent at once and kept until it has a final. What is not acknowledged is sent again on the
same URL after a drop. When the session itself is over, or words may be missing or doubled, the
stream is lost: the sink is told from which position a new one must be fed, and everything from
there on is still here.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Protocol

from picows import WSTransport

from core.backoff import Backoff
from core.oneshot import OneShotEvent
from core.speech.engine import BYTES_PER_SECOND, StreamSink, StreamUsage
from core.speech.gladia.connection import Connection, connect
from core.speech.gladia.protocol import (
    AudioAck,
    EndSession,
    ErrorMessage,
    Next,
    ServerMessage,
    SpeechEnd,
    SpeechStart,
    StopAck,
    StreamLostError,
    Transcript,
    Translated,
    Verdict,
    judge_close,
)
from core.speech.gladia.replay import ReplayBuffer
from core.speech.gladia.results import Results
from core.speech.gladia.timeline import Timeline
from core.speech.gladia.timeouts import Timeouts
from core.speech.gladia.upload import Upload
from core.speech.memory import AudioBudget
from core.speech.reasons import Reason

log = logging.getLogger(__name__)


class Streams(Protocol):
    """The engine as its streams see it."""

    timeouts: Timeouts
    drain_seconds: float  # how long `finish` and `wait_over` may take

    @property
    def disturbed(self) -> bool:
        """Whether open streams were last seen in trouble."""

    def note_trouble(self, reason: Reason) -> None:
        """An open stream does not work."""

    def note_success(self) -> None:
        """An open stream works again."""

    def forget(self, stream: GladiaStream) -> None:
        """Look after a stream no more: its last connection has ended."""


class GladiaStream:
    """Stream: one Gladia live session; see the module's text."""

    __slots__ = (
        "_connection",
        "_connections",
        "_delayed",
        "_ended",
        "_engine",
        "_errors",
        "_gone_at",
        "_loop",
        "_opened_at",
        "_over",
        "_results",
        "_ring",
        "_sink",
        "_stopping",
        "_task",
        "_timeline",
        "_timeouts",
        "_tls",
        "_trouble",
        "_trouble_since",
        "_upload",
        "_url",
        "_waiting",
    )

    def __init__(
        self,
        engine: Streams,
        url: str,
        tls: ssl.SSLContext | None,
        sink: StreamSink,
        memory: AudioBudget,
    ) -> None:
        self._engine = engine  # who tells people of trouble, and calls `check`
        self._timeouts = engine.timeouts  # as they were when the stream began
        self._url = url  # of this session; holds its token, so it is never shown
        self._tls = tls  # None for an address without TLS
        self._sink = sink  # who opened the stream
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        # What was said: positions in all of these are bytes since the stream began.
        self._ring = ReplayBuffer(memory)  # the audio that may be needed again
        self._timeline = Timeline()  # how far it was sent, and what the service counts
        self._upload = Upload(self._ring, self._timeline)  # what goes up
        self._results = Results(self._ring, self._timeline, sink, now)  # what comes back
        self._connection: Connection | None = None  # None between two connections
        # How far it has come. Each of these goes one way only.
        self._stopping = False  # whether `finish` was called while there was something to finish
        self._over = False  # whether nothing is reported any more
        self._ended = OneShotEvent()  # the same, for `finish` to wait for
        # How it does; moments are on the loop's clock.
        self._waiting = False  # whether the task sleeps before it connects again
        self._opened_at = now  # when it began, which bounds its age
        self._gone_at = now  # when the last connection ended
        self._delayed = False  # what the sink was told last
        # Since when no connection was stable; None while one is. And why the last one ended.
        self._trouble_since: float | None = None
        self._trouble = Reason("no_answer")
        # For the account, see `usage`; the rest of it is counted by the two above.
        self._errors = self._connections = 0
        self._task = asyncio.create_task(self._run())  # lives until the last connection's end
        self._task.add_done_callback(lambda _: engine.forget(self))

    @property
    def usage(self) -> StreamUsage:
        """What was sent and came back so far."""
        return StreamUsage(
            seconds_sent=(self._timeline.sent + self._upload.resent) / BYTES_PER_SECOND,
            frames=self._upload.frames,
            partials=self._results.partials,
            finals=self._results.finals,
            errors=self._errors + self._results.errors,
            reconnects=max(0, self._connections - 1),
        )

    # What is called by who feeds it

    @property
    def end(self) -> int:
        """Stream."""
        return self._ring.end

    def feed(self, pcm: bytes) -> None:
        """Stream: whole samples; kept until they have a final, and sent at once if possible."""
        try:
            self._upload.feed(pcm)
        except StreamLostError as loss:
            self._lose(loss.reason)

    def tail(self, position: int) -> bytes:
        """Stream."""
        return self._ring.tail(position)

    async def finish(self) -> None:
        """Stream: what is still here is sent first; waits at most `drain_seconds` in all."""
        self._upload.close()
        if self._over:
            return
        if not self._ring.end:
            self._leave()  # nothing was said, so no final is due
            return
        self._stopping = True
        self._unless_lost(self._upload.finish)
        try:
            async with asyncio.timeout(self._engine.drain_seconds):
                await self._ended.wait()
        except TimeoutError:
            self._conclude(Verdict(Next.REPLACE, Reason("unfinished")))
        finally:
            self._leave()  # also when the caller is cancelled: the slot must be freed

    def abort(self) -> None:
        """Stream."""
        self._leave()
        if self._connection is not None:  # it was surrendered, and the service takes its time
            self._connection.hang_up()
        self._ring.clear()

    def give_up(self) -> int:
        """Stream."""
        self._unless_lost(self._results.resolve)
        self._unless_lost(self._results.close_open)
        final_until = self._ring.final_until
        self.abort()
        return final_until

    def surrender(self) -> tuple[int, bytes]:
        """Stream: the service is asked to stop, which tells when the slot is free again."""
        position = self._ring.final_until
        audio = self._ring.tail(position)
        self._ring.clear()
        if self._connection is None:
            self._leave()
        elif not self._over:
            self._report_no_more()
            self._upload.stop_early()
        return position, audio

    async def wait_over(self) -> None:
        """Stream: until then a new session would be refused; waits at most `drain_seconds`."""
        await asyncio.wait([self._task], timeout=self._engine.drain_seconds)

    async def wait_closed(self, within: float) -> None:
        """Return when the last connection has ended; it is cut after `within` seconds."""
        await asyncio.wait([self._task], timeout=within)
        if self._connection is not None:
            self._connection.cut()
        self._task.cancel()
        await asyncio.wait([self._task])

    # The connections

    async def _run(self) -> None:
        backoff = Backoff(self._timeouts.backoff_first_s, self._timeouts.backoff_max_s, least=0.0)
        while True:
            verdict = await self._connect_once()
            if self._trouble_since is None:
                backoff.reset()
                self._trouble_since = self._gone_at
            self._trouble = verdict.reason
            # One URL that never works is not worth waiting for: a new session may do.
            hopeless = self._loop.time() - self._trouble_since > self._timeouts.give_up_s
            if verdict.next is not Next.RESUME or hopeless:
                self._conclude(verdict)
            if self._over:
                return
            self._waiting = True
            await asyncio.sleep(backoff.next())
            self._waiting = False

    async def _connect_once(self) -> Verdict:
        """Connect, and return once the connection has ended or failed."""
        connection = await connect(self, self._url, self._tls, self._timeouts.connect_s)
        if isinstance(connection, Verdict):
            return connection
        code = await connection.ended
        # By messages, not by time alone: a dead peer keeps a connection for as long as one likes.
        if connection.heard_at - connection.opened_at >= self._timeouts.stable_s:
            self._trouble_since = None
        return judge_close(code, stopped=connection.stopped)

    def connected(self, connection: Connection, transport: WSTransport) -> None:
        """Go on where the service has not acknowledged; called by the connection."""
        if self._over:  # it was left while the handshake was underway
            connection.hang_up()
            return
        self._connection = connection
        self._connections += 1
        try:
            self._upload.connected(connection, transport)
        except StreamLostError as loss:
            self._lose(loss.reason)

    def disconnected(self, connection: Connection) -> None:
        """Keep everything until the next connection; called by the connection."""
        if connection is self._connection:
            self._connection = None
            self._upload.disconnected()
            self._gone_at = self._loop.time()
            self._results.disconnected()

    def paused(self, connection: Connection) -> None:
        """Keep audio here while the service takes less than we send; called by the connection."""
        if connection is self._connection:
            self._upload.paused()

    def resumed(self, connection: Connection) -> None:
        """Send what was kept meanwhile; called by the connection."""
        if connection is self._connection:
            self._unless_lost(self._upload.resumed)

    # What the service says

    def received(self, connection: Connection, message: ServerMessage) -> None:
        """Take a message; called by the connection."""
        if self._over or connection is not self._connection:
            return
        try:
            if isinstance(message, Transcript | Translated):
                self._results.said(message, self._loop.time())
            elif isinstance(message, AudioAck):
                self._acknowledged(message)
            elif isinstance(message, (SpeechStart, SpeechEnd)):
                self._results.voice(message, self._loop.time())
            elif isinstance(message, StopAck):
                self._results.stop_acknowledged(message)
            elif isinstance(message, EndSession):
                # Unasked for, the close code behind it says more.
                if connection.stopped:
                    self._conclude(Verdict(Next.DONE, Reason("stream_ended")))
            elif isinstance(message, ErrorMessage) or not message.readable:
                self._errors += 1
                log.warning("Gladia reported an error or said something unreadable within a stream")
        except StreamLostError as loss:
            self._lose(loss.reason)

    def _acknowledged(self, message: AudioAck) -> None:
        if not message.acknowledged:
            self._errors += 1
            self._upload.refused()
        elif message.data is not None and message.data.byte_range is not None:
            doubled = self._upload.acknowledged(*message.data.byte_range)
            if self._engine.disturbed:
                self._engine.note_success()
            self._results.acknowledged(doubled)

    # The ends

    def _conclude(self, verdict: Verdict) -> None:
        """End the stream: well if everything said has its final, else it was lost."""
        if verdict.next is Next.DONE:
            self._unless_lost(self._results.resolve)
        if self._over:
            return
        if self._stopping and not self._results.are_missing(verdict.next):
            # However it ended, nothing more would have come.
            self._unless_lost(self._results.close_open)
            self._leave()
            return
        if verdict.next is Next.RESUME:  # tried for too long; any other end is no outage
            self._engine.note_trouble(verdict.reason)
        self._lose(verdict.reason)

    def _unless_lost(self, step: Callable[[], None]) -> None:
        try:
            step()
        except StreamLostError as loss:
            self._lose(loss.reason)

    def _lose(self, reason: Reason) -> None:
        if self._over:
            return
        self._leave()  # first, so that nothing is reported of what is fed anew
        self._sink.lost(reason, self._ring.final_until)

    def _leave(self) -> None:
        """Report nothing more and end the session at the service, which frees its slot."""
        if self._over:
            return
        self._report_no_more()
        if self._connection is not None:
            self._connection.hang_up()  # its end lets the task go on, and find the stream over
        elif self._waiting:
            self._task.cancel()
        # Else a handshake is underway and seen through: only over a connection can the service be
        # told that the session is over. `connected` hangs up.

    def _report_no_more(self) -> None:
        self._over = self._results.is_over = True
        self._upload.close()
        self._ended.set()

    # Now and then

    def check(self, now: float) -> None:
        """Look for what does not happen by itself; called by the engine."""
        if self._over:
            return
        connection = self._connection
        if connection is not None:
            connection.read_acknowledgment()
        if self._upload.is_too_far_behind():
            self._engine.note_trouble(Reason("falls_behind"))
            self._lose(Reason("falls_behind"))
        elif self._due_for_replacement(now - self._opened_at):
            self._lose(Reason("too_old"))
        elif connection is None:
            if now - self._gone_at > self._timeouts.delayed_s:
                self._set_delayed(True, self._trouble)
        else:
            self._check_reactions(connection, now)
            try:
                self._results.check(now, connection.opened_at, self._timeouts.missed_s)
            except StreamLostError as loss:
                self._lose(loss.reason)

    def _due_for_replacement(self, age: float) -> bool:
        in_pause = self._results.in_pause
        limit = self._timeouts.roll_over_s if in_pause else self._timeouts.roll_over_at_last_s
        return age >= limit

    def _check_reactions(self, connection: Connection, now: float) -> None:
        behind = self._upload.behind / BYTES_PER_SECOND
        silent = now - connection.heard_at
        if silent > self._timeouts.gathered_s:
            connection.hasten()  # a short message may wait in the kernel for others
        slow = self._timeouts.slow_s
        # Both: a backlog that is worked off is far behind, and who says nothing hears nothing.
        if behind > slow and silent > slow:
            self._set_delayed(True, Reason("no_reaction"))
        elif behind < slow / 2:  # well below the other bound, at which it would flicker
            self._set_delayed(False)
        if silent > self._timeouts.silent_s and behind > min(1.0, slow):
            connection.cut()

    def _set_delayed(self, delayed: bool, reason: Reason | None = None) -> None:
        if delayed != self._delayed:
            self._delayed = delayed
            if reason is not None:
                self._engine.note_trouble(reason)
            self._sink.delayed(delayed, reason)
