"""The Gladia engine: one live session of Gladia's API v2 per stream.

A session begins with a POST that returns a secret WebSocket URL. Here is what all streams share:
the key and the POST, certificates, what `health` says, and a look at all streams now and then.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from datetime import UTC, datetime

import httpx2
import msgspec

from core.speech.engine import (
    EngineError,
    EngineHealth,
    Health,
    NoSlotError,
    StreamOptions,
    StreamSink,
)
from core.speech.gladia.connection import CLOSE_TIMEOUT_S
from core.speech.gladia.opening import (
    LANGUAGES,
    TARGETS,
    accepted,
    init_body,
    judge_status,
    parse_init_reply,
)
from core.speech.gladia.recorded import GladiaTranscriber
from core.speech.gladia.stream import GladiaStream
from core.speech.gladia.timeouts import Timeouts
from core.speech.reasons import Reason

log = logging.getLogger(__name__)

WATCH_PARTS = 10  # all streams at once would hold up the audio of everybody


class GladiaEngine:
    """Engine: Gladia. Key and WebSocket URLs never appear in logs, errors or reprs."""

    name = "gladia"
    drains_in_slot = True  # Gladia counts a session until it is closed
    languages = LANGUAGES
    translates_to = TARGETS
    takes_words = True

    def __init__(
        self,
        api_key: str,
        *,
        api_url: str = "https://api.gladia.io",
        region: str | None = None,
        max_streams: int = 30,
        drain_seconds: float = 8.0,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.max_streams = max_streams  # what the plan allows at once, by the settings
        # How long a stream may take to finish. Finals come within a second or two: a service that
        # takes much longer has lost track, and the slot is somebody else's who speaks.
        self.drain_seconds = drain_seconds
        self.timeouts = timeouts or Timeouts()  # of streams opened from now on
        self._key = api_key  # secret: in the POST's header and nowhere else
        self._url = api_url.rstrip("/") + "/v2/live"
        # Regions are for live sessions alone.
        self._transcriber = GladiaTranscriber(self._client, api_url.rstrip("/"), api_key)
        self._query = {"region": region} if region else {}  # without one Gladia chooses
        # These three exist from `start` on. One context and one client for all: certificates are
        # loaded once, and a connection that is kept saves the handshakes of the next POST.
        self._http: httpx2.AsyncClient | None = None
        self._tls: ssl.SSLContext | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._streams: set[GladiaStream] = set()  # until their last connection ended
        # Two kinds of trouble: a stream that works must not hide that none can be opened. None
        # while there is none; the first is set by `open`, the second by streams.
        self._opening_trouble: EngineHealth | None = None
        self._stream_trouble: EngineHealth | None = None

    async def start(self) -> None:
        """Engine: make what all streams share: certificates and the HTTP client."""
        self._tls = ssl.create_default_context()
        timeout = httpx2.Timeout(self.timeouts.post_s)
        self._http = httpx2.AsyncClient(verify=self._tls, timeout=timeout)
        self._watcher = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Engine: abort all streams and close their connections."""
        if self._watcher is not None:
            self._watcher.cancel()
        streams = list(self._streams)
        for stream in streams:
            stream.abort()
        await asyncio.gather(*(stream.wait_closed(CLOSE_TIMEOUT_S) for stream in streams))
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
                raise NoSlotError
            raise EngineError(refusal.reason, retry=refusal.retry)
        reply = parse_init_reply(response.content)
        if reply is None:  # a proxy's page, or an address that isn't Gladia's
            raise self._unreachable(Reason("not_the_service"))
        self._opening_trouble = None
        stream = GladiaStream(self, reply.url, self._tls, sink, options.memory)
        self._streams.add(stream)
        return stream

    def recorded(self) -> GladiaTranscriber:
        """Engine."""
        return self._transcriber

    def health(self) -> EngineHealth:
        """Engine: what keeps streams from opening comes before what disturbs open ones."""
        return self._opening_trouble or self._stream_trouble or EngineHealth(Health.OK)

    @property
    def disturbed(self) -> bool:
        """Whether open streams were last seen in trouble."""
        return self._stream_trouble is not None

    def note_trouble(self, reason: Reason) -> None:
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
        client = self._client()
        headers = {"x-gladia-key": self._key, "content-type": "application/json"}
        body = msgspec.json.encode(init_body(options))
        # No chained exception: those of the HTTP client hold the request with its key.
        try:
            return await client.post(self._url, params=self._query, headers=headers, content=body)
        except httpx2.TimeoutException:
            problem = self._unreachable(Reason("no_answer"))
        except (httpx2.HTTPError, OSError):
            problem = self._unreachable(Reason("unreachable"))
        except (httpx2.InvalidURL, ValueError):
            problem = EngineError(Reason("malformed"), retry=False)
        raise problem

    def _client(self) -> httpx2.AsyncClient:
        if self._http is None:
            raise RuntimeError("the engine was not started")
        return self._http

    def _unreachable(self, reason: Reason) -> EngineError:
        self._opening_trouble = self._degraded(self._opening_trouble, reason)
        return EngineError(reason)

    @staticmethod
    def _degraded(before: EngineHealth | None, reason: Reason) -> EngineHealth:
        # The same again is no news, and an outage began with its first reason.
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
                await asyncio.sleep(self.timeouts.watch_s / WATCH_PARTS)
                for stream in streams[part::WATCH_PARTS]:
                    stream.check(loop.time())
