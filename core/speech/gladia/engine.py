"""The Gladia engine: one live session of Gladia's API v2 per stream.

A session begins with a POST that returns a secret WebSocket URL. Audio goes up as it is
fed; what is not acknowledged is kept and sent again on the same URL after a drop. When the
session itself is over, the stream is reported as lost with the position from which a new
one must be fed, and everything from there on is still here.
"""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx2
import msgspec
from picows import (
    WSCloseCode,
    WSFrame,
    WSInvalidStatusError,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)

from core.oneshot import OneShotEvent
from core.speech.engine import (
    BYTES_PER_SECOND,
    EngineError,
    EngineHealth,
    Health,
    NoSlotError,
    Recognition,
    StreamOptions,
    StreamSink,
    StreamUsage,
)
from core.speech.gate import has_speech
from core.speech.gladia.lowwater import ReadLowWatermark
from core.speech.gladia.protocol import (
    ACKNOWLEDGED,
    MAX_PIECE,
    STOP,
    AudioAck,
    Backoff,
    EndSession,
    ErrorMessage,
    Next,
    ServerMessage,
    SpeechEnd,
    SpeechStart,
    StopAck,
    Timeline,
    Transcript,
    Utterances,
    Verdict,
    accepted,
    init_body,
    judge_close,
    judge_handshake,
    judge_status,
    parse_init_reply,
    parse_message,
)
from core.speech.gladia.replay import ReplayBuffer
from core.speech.memory import AudioBudget

log = logging.getLogger(__name__)
_socket_log = log.getChild("socket")
_socket_log.setLevel(logging.WARNING)  # picows tells addresses below that

MAX_MESSAGE = 16 * 1024 * 1024  # a long session's last messages exceed 1 MiB
PIECE = BYTES_PER_SECOND // 10  # of audio that waited: picows keeps a buffer for the longest
LINGER = 1.0  # seconds a closing handshake may take
# Bytes that may be unacknowledged, a minute of speech, on top of the least that ever were: a stream
# begins with what waited for it, perhaps for minutes, which the service takes faster than we speak.
MAX_BEHIND = 2 * 1024 * 1024
MARGIN = int(0.3 * BYTES_PER_SECOND)  # around a final; Gladia's and our edges of words differ
ROUNDING = BYTES_PER_SECOND // 50  # durations are told to a hundredth of a second
MAX_REFUSALS = 3  # of the same audio
WATCH_PARTS = 10  # all streams at once would hold up the audio of everybody
BINARY, TEXT, CLOSE = WSMsgType.BINARY, WSMsgType.TEXT, WSMsgType.CLOSE
MESSAGE = (TEXT, BINARY, WSMsgType.CONTINUATION)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a stream waits for what, in seconds."""

    connect: float = 8.0  # one WebSocket handshake
    post: float = 10.0  # the answer to `POST /v2/live`
    backoff_first: float = 0.25
    backoff_most: float = 8.0
    stable: float = 5.0  # a connection that worked so long ends the trouble before it
    watch: float = 0.5  # between two looks at all streams
    give_up: float = 30.0  # of trouble, then a new stream is asked for
    gathered: float = 0.25  # without a message until short ones no longer wait for others
    delayed: float = 1.0  # without a connection until people are told
    slow: float = 3.0  # without a reaction, and that much audio underway, until people are told
    silent: float = 8.0  # without a reaction until the connection is taken for dead
    missed: float = 5.0  # for results to come after a reconnect, or for silence to be silence
    roll_over: float = 10_200.0  # 2 h 50 min: a session ends after 3 h, so a pause is used before
    roll_over_at_last: float = 10_680.0  # 2 h 58 min: even in the middle of an utterance


class GladiaEngine:
    """Engine: Gladia. Key and WebSocket URLs never appear in logs, errors or reprs."""

    name = "gladia"
    drains_in_slot = True  # Gladia counts a session until it is closed

    def __init__(
        self,
        api_key: str,
        *,
        api_url: str = "https://api.gladia.io",
        region: str | None = None,
        max_streams: int = 30,
        drain_seconds: float = 8.0,
        patience: Patience | None = None,
    ) -> None:
        self.max_streams = max_streams
        self.drain_seconds = drain_seconds
        self.patience = patience or Patience()
        self._key = api_key
        self._url = api_url.rstrip("/") + "/v2/live"
        self._query = {"region": region} if region else {}
        self._http: httpx2.AsyncClient | None = None
        self._tls: ssl.SSLContext | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._streams: set[GladiaStream] = set()
        # Two kinds of trouble: a stream that works must not hide that none can be opened.
        self._opening_trouble: EngineHealth | None = None
        self._stream_trouble: EngineHealth | None = None

    async def start(self) -> None:
        """Engine: make what all streams share: certificates and the HTTP client."""
        self._tls = ssl.create_default_context()
        timeout = httpx2.Timeout(self.patience.post)
        self._http = httpx2.AsyncClient(verify=self._tls, timeout=timeout)
        self._watcher = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Engine: abort all streams and close their connections."""
        if self._watcher is not None:
            self._watcher.cancel()
        streams = list(self._streams)
        for stream in streams:
            stream.abort()
        await asyncio.gather(*(stream.wait_closed(LINGER) for stream in streams))
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def open(self, options: StreamOptions, sink: StreamSink) -> GladiaStream:
        """Engine: begin a session. Audio may be fed at once; the socket opens meanwhile."""
        options, left_out = accepted(options)
        if left_out:
            log.warning("%d settings of a session are not for Gladia and left out", left_out)
        response = await self._post(options)
        if not response.is_success:
            refusal = judge_status(response.status_code, response.content)
            self._opening_trouble = self._degraded(self._opening_trouble, refusal.reason)
            if refusal.busy:
                raise NoSlotError(refusal.reason)
            raise EngineError(refusal.reason, retry=refusal.retry)
        reply = parse_init_reply(response.content)
        if reply is None:
            raise self._unreachable("Gladia answered something that is not its live API")
        self._opening_trouble = None
        stream = GladiaStream(self, reply.url, self._tls, sink, options.memory)
        self._streams.add(stream)
        return stream

    def health(self) -> EngineHealth:
        """Engine: what keeps streams from opening comes before what disturbs open ones."""
        return self._opening_trouble or self._stream_trouble or EngineHealth(Health.OK)

    @property
    def disturbed(self) -> bool:
        """Whether open streams were last seen in trouble."""
        return self._stream_trouble is not None

    def note_trouble(self, reason: str) -> None:
        """Take note that an open stream does not work; called by streams."""
        self._stream_trouble = self._degraded(self._stream_trouble, reason)

    def note_success(self) -> None:
        """Take note that a stream works; called by streams."""
        log.info("Gladia works again")
        self._stream_trouble = None

    def forget(self, stream: GladiaStream) -> None:
        """Look after a stream no more; called by streams once their last connection ended."""
        self._streams.discard(stream)

    async def _post(self, options: StreamOptions) -> httpx2.Response:
        if self._http is None:
            raise RuntimeError("the engine was not started")
        headers = {"x-gladia-key": self._key, "content-type": "application/json"}
        body = msgspec.json.encode(init_body(options))
        # No chained exception: those of the HTTP client hold the request with its key.
        try:
            return await self._http.post(
                self._url, params=self._query, headers=headers, content=body
            )
        except httpx2.TimeoutException:
            problem = self._unreachable("Gladia does not answer")
        except (httpx2.HTTPError, OSError):
            problem = self._unreachable("Gladia can't be reached")
        except (httpx2.InvalidURL, ValueError):
            problem = EngineError("GLADIA_API_URL or GLADIA_API_KEY is malformed", retry=False)
        raise problem

    def _unreachable(self, reason: str) -> EngineError:
        self._opening_trouble = self._degraded(self._opening_trouble, reason)
        return EngineError(reason)

    @staticmethod
    def _degraded(before: EngineHealth | None, reason: str) -> EngineHealth:
        if before is not None and before.reason == reason:
            return before
        log.warning("Gladia: %s", reason)
        since = before.since if before is not None else datetime.now(UTC)
        return EngineHealth(Health.DEGRADED, reason, since)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            streams = list(self._streams)
            for part in range(WATCH_PARTS):
                await asyncio.sleep(self.patience.watch / WATCH_PARTS)
                for stream in streams[part::WATCH_PARTS]:
                    stream.check(loop.time())


class GladiaStream:
    """Stream: one Gladia live session over any number of connections to its URL."""

    __slots__ = (
        "_connection",
        "_connections",
        "_delayed",
        "_doubt",
        "_ended",
        "_engine",
        "_errors",
        "_event_at",
        "_feedable",
        "_finals",
        "_frames",
        "_gone_at",
        "_held",
        "_held_since",
        "_last_size",
        "_least_behind",
        "_live",
        "_loop",
        "_mark",
        "_mark_at",
        "_opened_at",
        "_over",
        "_partials",
        "_patience",
        "_refusals",
        "_resent",
        "_ring",
        "_sink",
        "_speaking",
        "_stopping",
        "_task",
        "_timeline",
        "_tls",
        "_transport",
        "_trouble",
        "_trouble_since",
        "_url",
        "_utterances",
        "_waiting",
    )

    def __init__(
        self,
        engine: GladiaEngine,
        url: str,
        tls: ssl.SSLContext | None,
        sink: StreamSink,
        memory: AudioBudget,
    ) -> None:
        self._engine = engine
        self._patience = engine.patience
        self._url = url
        self._tls = tls
        self._sink = sink
        self._ring = ReplayBuffer(memory)
        self._least_behind = math.inf  # bytes; the fewest that `check` saw unacknowledged
        self._timeline = Timeline()
        self._utterances = Utterances()
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._connection: _Connection | None = None
        self._transport: WSTransport | None = None
        self._live: WSTransport | None = None  # set while fed audio may go straight to it
        self._feedable = True
        self._over = False  # whether nothing is reported any more
        self._ended = OneShotEvent()
        self._waiting = False  # whether the task sleeps before it connects again
        self._stopping = False  # whether `finish` was called
        self._opened_at = self._gone_at = self._event_at = self._mark_at = now
        self._mark = 0  # our acknowledged position at `_mark_at`
        self._speaking = False
        self._delayed = False
        self._trouble_since: float | None = None
        self._trouble = "the speech service has not answered yet"
        self._doubt = 0  # results of audio before this position may have been missed
        self._held: list[Transcript] = []
        self._held_since = now
        self._refusals = 0
        self._last_size = 0
        self._resent = self._frames = self._partials = self._finals = 0
        self._errors = self._connections = 0
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(lambda _: engine.forget(self))

    @property
    def usage(self) -> StreamUsage:
        """What was sent and came back so far."""
        return StreamUsage(
            seconds_sent=(self._timeline.sent + self._resent) / BYTES_PER_SECOND,
            frames=self._frames,
            partials=self._partials,
            finals=self._finals,
            errors=self._errors,
            reconnects=max(0, self._connections - 1),
        )

    # What the relay calls

    @property
    def end(self) -> int:
        """Stream."""
        return self._ring.end

    def feed(self, pcm: bytes) -> None:
        """Stream: whole samples; kept until they have a final, and sent at once if possible."""
        size = len(pcm)
        if not self._feedable or not size:
            return
        self._ring.append(pcm)
        if self._live is None:
            return
        if size > MAX_PIECE:
            self._flush()
        else:
            self._send(self._live, pcm)

    def tail(self, position: int) -> bytes:
        """Stream."""
        return self._ring.tail(position)

    async def finish(self) -> None:
        """Stream: what is still here is sent first; waits at most `drain_seconds` in all."""
        self._feedable, self._live = False, None
        if self._over:
            return
        if not self._ring.end:
            self._leave()
            return
        self._stopping = True
        self._flush()
        try:
            async with asyncio.timeout(self._engine.drain_seconds):
                await self._ended.wait()
        except TimeoutError:
            self._conclude(Verdict(Next.REPLACE, "the speech service did not finish in time"))
        finally:
            self._leave()

    def abort(self) -> None:
        """Stream."""
        self._leave()
        self._ring.clear()

    def give_up(self) -> int:
        """Stream."""
        self._resolve()
        self._close_open()
        settled = self._ring.settled
        self.abort()
        return settled

    async def wait_closed(self, within: float) -> None:
        """Return when the last connection has ended; it is cut after `within` seconds."""
        await asyncio.wait([self._task], timeout=within)
        if self._connection is not None:
            self._connection.cut()
        self._task.cancel()
        await asyncio.wait([self._task])

    # The connections

    async def _run(self) -> None:
        backoff = Backoff(self._patience.backoff_first, self._patience.backoff_most)
        while True:
            verdict = await self._connect_once()
            if self._trouble_since is None:
                backoff.reset()
                self._trouble_since = self._gone_at
            self._trouble = verdict.reason
            hopeless = self._loop.time() - self._trouble_since > self._patience.give_up
            if verdict.next is not Next.RESUME or hopeless:
                self._conclude(verdict)
            if self._over:
                return
            self._waiting = True
            await asyncio.sleep(backoff.next())
            self._waiting = False

    async def _connect_once(self) -> Verdict:
        """Connect, and return once the connection has ended or failed."""
        connection = _Connection(self, self._loop)
        try:
            async with asyncio.timeout(self._patience.connect + LINGER):
                await ws_connect(
                    lambda _request, _response: connection,
                    self._url,
                    ssl_context=self._tls,
                    disconnect_on_exception=False,
                    websocket_handshake_timeout=self._patience.connect,
                    logger_name=_socket_log,
                    enable_auto_ping=False,  # audio is acknowledged: see `Patience.silent`
                    max_frame_size=MAX_MESSAGE,
                    max_redirects=0,
                    read_buffer_init_size=2048,
                    use_aiofastnet=False,  # 5 kB more for each stream, and no faster on uvloop
                )
        except WSInvalidStatusError as refused:
            status = refused.response.status if refused.response is not None else 502
            return judge_handshake(int(status))
        except (OSError, TimeoutError):
            return Verdict(Next.RESUME, "the speech service can't be reached")
        except Exception as problem:
            # Only its type is told: its text may hold the URL.
            log.warning("connecting failed: %s", type(problem).__name__)
            return Verdict(Next.RESUME, "the speech service answered something unexpected")
        if connection.transport is None:
            return judge_close(1006, stopped=False)
        code = await connection.ended
        if connection.heard_at - connection.opened_at >= self._patience.stable:
            self._trouble_since = None
        return judge_close(code, stopped=connection.stopped)

    def connected(self, connection: _Connection, transport: WSTransport) -> None:
        """Go on where the service has not acknowledged; called by the connection."""
        if self._over:
            connection.hang_up()
            return
        self._connection = connection
        self._transport = transport
        self._connections += 1
        # A final proves that its audio arrived, even if its acknowledgment did not.
        settled = min(self._ring.settled, self._timeline.sent)
        position = max(self._ring.acknowledged, settled)
        self._resent += self._timeline.sent - position
        self._timeline.connected(position)
        self._flush()

    def disconnected(self, connection: _Connection) -> None:
        """Keep everything until the next connection; called by the connection."""
        if connection is self._connection:
            self._connection = self._transport = None
            self._live = None
            self._gone_at = self._loop.time()
            self._doubt = max(self._doubt, self._timeline.sent)
            self._held.clear()

    def paused(self, connection: _Connection) -> None:
        """Keep audio here while the service takes less than we send; called by the connection."""
        if connection is self._connection:
            self._live = None

    def resumed(self, connection: _Connection) -> None:
        """Send what was kept meanwhile; called by the connection."""
        if connection is self._connection:
            self._flush()

    def _flush(self) -> None:
        """Send what is due: audio in pieces, then the stop if that was asked for."""
        connection, transport = self._connection, self._transport
        if connection is None or transport is None:
            return
        ring, timeline = self._ring, self._timeline
        if timeline.sent < ring.start:
            self._lose("there was no memory to keep speech for the speech service")
            return
        while timeline.sent < ring.end and not connection.paused:
            self._send(transport, ring.read(timeline.sent, PIECE))
        all_sent = timeline.sent == ring.end
        ready = all_sent and not connection.paused and not self._stopping
        self._live = transport if ready else None
        if self._stopping and all_sent and not connection.stopped:
            connection.stop()
            transport.send(TEXT, STOP)

    def _send(self, transport: WSTransport, piece: bytes) -> None:
        self._last_size = size = len(piece)
        self._timeline.sent += size
        self._frames += 1
        transport.send(BINARY, piece)

    # What the service says

    def take(self, connection: _Connection, message: ServerMessage) -> None:
        """Take a message; called by the connection."""
        if self._over or connection is not self._connection:
            return
        if isinstance(message, Transcript):
            self._transcribed(message)
        elif isinstance(message, AudioAck):
            self._acknowledged(message)
        elif isinstance(message, (SpeechStart, SpeechEnd)):
            self._event_at = self._loop.time()
            self._speaking = isinstance(message, SpeechStart)
        elif isinstance(message, StopAck):
            self._stop_acknowledged(message)
        elif isinstance(message, EndSession):
            if connection.stopped:
                self._conclude(Verdict(Next.DONE, "the stream has ended"))
        elif isinstance(message, ErrorMessage) or not message.readable:
            self._errors += 1
            log.warning("Gladia reported an error or said something unreadable within a stream")

    def _acknowledged(self, message: AudioAck) -> None:
        if not message.acknowledged:
            self._refused()
        elif message.data is not None and message.data.byte_range is not None:
            shift = self._timeline.shift
            position = self._timeline.acknowledged(*message.data.byte_range)
            self._ring.acknowledge(position)
            self._refusals = 0
            if self._engine.disturbed:
                self._engine.note_success()
            if self._timeline.shift > shift:
                self._check_doubled(self._timeline.shift - shift)
            if self._held:
                self._take_held()

    def _stop_acknowledged(self, message: StopAck) -> None:
        """Compare totals: the last acknowledgments may have been lost in a drop."""
        if message.data is not None and message.data.recording_duration is not None:
            self._timeline.uncertain = 0
            counted = _position(message.data.recording_duration)
            extra = counted - self._timeline.sent - self._timeline.shift
            if extra > ROUNDING:
                self._check_doubled(extra)
        self._resolve()

    def _check_doubled(self, size: int) -> None:
        """Have words said anew that were sent again although they had arrived."""
        first = max(0, self._timeline.resumed_from - MARGIN)
        last = self._timeline.resumed_from + size + MARGIN
        if has_speech(self._ring.read(first, last - first), steps=1):
            self._lose("the speech service got words twice")

    def _refused(self) -> None:
        """Send refused audio again if nothing went after it, else its place is lost."""
        self._errors += 1
        self._refusals += 1
        underway = self._timeline.sent - self._ring.acknowledged
        kept = underway == self._last_size and self._ring.start <= self._ring.acknowledged
        if self._transport is None or self._refusals > MAX_REFUSALS or not kept:
            self._lose("the speech service refused audio")
            return
        self._resent += underway
        self._frames += 1
        self._transport.send(BINARY, self._ring.read(self._ring.acknowledged, underway))

    def _transcribed(self, message: Transcript) -> None:
        """Take a transcript now, or once it is clear what the service got twice."""
        self._event_at = self._loop.time()
        if self._held:
            self._held.append(message)
            if not self._timeline.uncertain:
                self._take_held()
        elif self._timeline.uncertain or not self._transcript(message):
            self._held_since = self._event_at
            self._held.append(message)

    def _take_held(self) -> None:
        """Take transcripts; a final waits for that of an utterance which began before it."""
        held, self._held = self._held, []
        for message in held:
            if not self._over and not self._transcript(message):
                self._held.append(message)

    def _transcript(self, message: Transcript) -> bool:
        """Report a transcript; False if it comes too early and must be taken again later."""
        if message.data is None or message.data.utterance is None:
            self._errors += 1
            return True
        said, final, id_ = message.data.utterance, message.data.is_final, str(message.data.id)
        start, end = said.start, said.end
        if self._timeline.shift:
            start, end = self._timeline.seconds(start), self._timeline.seconds(end)
        if self._doubt > self._ring.settled and self._missed_before(_position(start)):
            self._lose("results were missed while the connection was broken")
            return True
        if final and self._utterances.open_before(id_, start):
            return False
        recognition = self._utterances.take(
            id_, said.text or "", start, end, final=final, language=said.language
        )
        if final:
            self._ring.settle(min(_position(end), self._timeline.sent))
        if recognition is not None:
            self._report(recognition)
        return True

    def _report(self, recognition: Recognition) -> None:
        if recognition.final:
            self._finals += 1
        else:
            self._partials += 1
        self._sink.heard(recognition)

    def _resolve(self) -> None:
        """Wait no longer to learn what was counted twice, or for a final that does not come."""
        if self._timeline.uncertain:
            self._check_doubled(self._timeline.uncertain)
            self._timeline.uncertain = 0
        if self._held and not self._over:
            self._take_held()

    def _close_open(self) -> None:
        """Let partials stand for finals that never came."""
        if self._over:
            return
        for recognition in self._utterances.close_open():
            self._ring.settle(min(_position(recognition.end), self._timeline.sent))
            self._report(recognition)
        self._take_held()

    def _missed_before(self, position: int) -> bool:
        """Whether there was speech before `position` whose final got lost in a drop."""
        first = self._ring.settled + MARGIN
        last = min(position - MARGIN, self._doubt)
        if last <= first:
            return False
        # What was let go for want of memory may have been speech.
        return self._ring.start > first or has_speech(self._ring.read(first, last - first))

    # The ends

    def _conclude(self, verdict: Verdict) -> None:
        """End the stream: well if everything said has its final, else it was lost."""
        if verdict.next is Next.DONE:
            self._resolve()
        if self._over:
            return
        if self._stopping and not self._lacks_results(verdict):
            self._close_open()
            self._leave()
            return
        if verdict.next is Next.RESUME:
            self._engine.note_trouble(verdict.reason)
        self._lose(verdict.reason)

    def _lacks_results(self, verdict: Verdict) -> bool:
        if verdict.next is Next.DONE:
            return self._missed_before(self._doubt + MARGIN)
        first = self._ring.settled + MARGIN
        return self._ring.start > first or has_speech(self._ring.tail(first))

    def _lose(self, reason: str) -> None:
        if self._over:
            return
        self._leave()
        self._sink.lost(reason, self._ring.settled)

    def _leave(self) -> None:
        """Report nothing more and end the session at the service, which frees its slot."""
        if self._over:
            return
        self._over = True
        self._feedable, self._live = False, None
        self._ended.set()
        if self._connection is not None:
            self._connection.hang_up()
        elif self._waiting:
            self._task.cancel()

    # Now and then

    def check(self, now: float) -> None:
        """Look for what does not happen by itself; called by the engine."""
        if self._over:
            return
        connection = self._connection
        if connection is not None:
            connection.read_acknowledgment()
        behind = self._ring.unacknowledged
        self._least_behind = min(self._least_behind, behind)
        if behind > self._least_behind + MAX_BEHIND:
            self._engine.note_trouble("the speech service does not keep up")
            self._lose("the speech service does not keep up")
        elif self._due_for_replacement(now - self._opened_at):
            self._lose("the stream is as old as Gladia allows")
        elif connection is None:
            if now - self._gone_at > self._patience.delayed:
                self._set_delayed(True, f"{self._trouble}; trying again")
        else:
            self._check_reactions(connection, now)
            self._check_results(connection, now)

    def _due_for_replacement(self, age: float) -> bool:
        pause = not self._speaking and not self._utterances.any_open
        limit = self._patience.roll_over if pause else self._patience.roll_over_at_last
        return age >= limit

    def _check_reactions(self, connection: _Connection, now: float) -> None:
        behind = self._ring.unacknowledged / BYTES_PER_SECOND
        silent = now - connection.heard_at
        if silent > self._patience.gathered:
            connection.hasten()
        slow = self._patience.slow
        if behind > slow and silent > slow:
            self._set_delayed(True, "the speech service does not react")
        elif behind < slow / 2:
            self._set_delayed(False)
        if silent > self._patience.silent and behind > min(1.0, slow):
            connection.cut()

    def _set_delayed(self, delayed: bool, reason: str | None = None) -> None:
        if delayed != self._delayed:
            self._delayed = delayed
            if reason is not None:
                self._engine.note_trouble(reason)
            self._sink.delayed(delayed, reason)

    def _check_results(self, connection: _Connection, now: float) -> None:
        """Notice results that got lost in a drop, and silence that needs no replay."""
        wait = self._patience.missed
        if self._held:
            if now - self._held_since > wait:
                self._resolve()
                self._close_open()
        elif self._doubt > self._ring.settled:
            if now - max(connection.opened_at, self._event_at) > wait:
                if self._missed_before(self._doubt + MARGIN):
                    self._lose("results were missed while the connection was broken")
                self._doubt = 0
        elif self._speaking or self._utterances.any_open or self._event_at > self._mark_at:
            self._mark_at, self._mark = now, self._ring.acknowledged
        elif now - self._mark_at > wait:
            self._ring.settle(self._mark)
            self._mark_at, self._mark = now, self._ring.acknowledged


class _Connection(WSListener):
    """One WebSocket to a session's URL."""

    __slots__ = (
        "_acknowledged",
        "_coalescing",
        "_code",
        "_loop",
        "_parts",
        "_stream",
        "_unread",
        "ended",
        "heard_at",
        "opened_at",
        "paused",
        "stopped",
        "transport",
    )

    def __init__(self, stream: GladiaStream, loop: asyncio.AbstractEventLoop) -> None:
        self.transport: WSTransport | None = None
        self.ended: asyncio.Future[int] = loop.create_future()
        self.paused = False
        self.stopped = False  # whether `stop_recording` was sent here
        self.opened_at = self.heard_at = 0.0
        self._coalescing: ReadLowWatermark | None = None
        self._acknowledged = False  # whether the last one handed on was positive
        self._unread: bytes | None = None  # a positive acknowledgment
        self._stream = stream
        self._loop = loop
        self._code = 1006
        self._parts: list[bytes] = []

    def on_ws_connected(self, transport: WSTransport) -> None:
        """WSListener."""
        self.transport = transport
        self.opened_at = self.heard_at = self._loop.time()
        sock = transport.underlying_transport.get_extra_info("socket")
        self._coalescing = ReadLowWatermark(sock, secure=transport.is_secure)
        self._stream.connected(self, transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """WSListener."""
        kind = frame.msg_type
        if kind in MESSAGE:
            self.heard_at = self._loop.time()
            if not frame.fin or self._parts:
                self._gather(frame)
                return
            payload = frame.get_payload_as_bytes()
            if self._acknowledged and ACKNOWLEDGED in payload:
                self._unread = payload
            else:
                self._take(payload)
        elif kind == CLOSE:
            payload = frame.get_payload_as_bytes()
            self._code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
            self.hang_up()
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """WSListener."""
        self.read_acknowledgment()
        self._stream.disconnected(self)
        if not self.ended.done():
            self.ended.set_result(self._code)

    def pause_writing(self) -> None:
        """WSListener."""
        self.paused = True
        self._stream.paused(self)

    def resume_writing(self) -> None:
        """WSListener."""
        self.paused = False
        self._stream.resumed(self)

    def stop(self) -> None:
        """Note that `stop_recording` goes out here: what comes now comes last, and is awaited."""
        self.stopped = True
        self.hasten()

    def hasten(self) -> None:
        """Take what was gathered, and each message by itself until acknowledgments flow again."""
        if self._coalescing is not None:
            self._coalescing.stop()

    def hang_up(self) -> None:
        """Close with 1000, which ends the session; TCP is cut if that takes too long."""
        if self.transport is not None and not self.transport.is_disconnected:
            if not self.transport.is_close_frame_sent:
                self.transport.send_close(WSCloseCode.OK)
            self._loop.call_later(LINGER, self.cut)

    def cut(self) -> None:
        """Drop the TCP connection."""
        if self.transport is not None and not self.transport.is_disconnected:
            self.transport.disconnect(graceful=False)

    def _gather(self, frame: WSFrame) -> None:
        """Put a message together that came in several frames."""
        self._parts.append(frame.get_payload_as_bytes())
        if sum(len(part) for part in self._parts) > MAX_MESSAGE:
            self.cut()
        elif frame.fin:
            whole, self._parts = b"".join(self._parts), []
            self._take(whole)

    def _take(self, payload: bytes) -> None:
        message = parse_message(payload)
        if not isinstance(message, Transcript):
            self.read_acknowledgment()
            if isinstance(message, AudioAck):
                self._note(message, len(payload))
        self._stream.take(self, message)

    def _note(self, message: AudioAck, size: int) -> None:
        self._acknowledged = message.acknowledged and message.data is not None
        if self._coalescing is not None and not self.stopped:
            self._coalescing.gather(size)

    def read_acknowledgment(self) -> None:
        """Hand on the newest acknowledgment, which stands for those before it.

        Transcripts don't wait for that. The first of a connection is handed on at once, since
        it tells what the service counts.
        """
        payload, self._unread = self._unread, None
        if payload is not None:
            self._take(payload)


def _position(seconds: float) -> int:
    """Return the byte position of a time, at a whole sample."""
    return int(seconds * BYTES_PER_SECOND) & ~1
