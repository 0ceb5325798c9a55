"""Webhooks: signed events POSTed in order, as LiveKit's URL notifier does."""

from __future__ import annotations

import asyncio
import contextlib
import time

import aiohttp
from google.protobuf.json_format import MessageToJson
from livekit.protocol import models
from livekit.protocol.webhook import WebhookEvent

from .ids import new_id
from .tokens import webhook_token

_ATTEMPTS = 3
_BACKOFF = 0.1  # seconds, doubled per attempt
_TIMEOUT = aiohttp.ClientTimeout(total=5)


class Webhooks:
    """Sends events to `urls`, one after the other, each tried a few times.

    Attributes:
        urls: may be changed at any time.
        sent: every event made so far, delivered or not.
    """

    def __init__(self, urls: list[str], key: str, secret: str) -> None:
        self.urls = urls
        self.sent: list[WebhookEvent] = []
        self._key = key
        self._secret = secret
        self._queue: asyncio.Queue[WebhookEvent] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver."""
        self._queue = asyncio.Queue()
        self._task = asyncio.create_task(self._deliver())

    async def stop(self) -> None:
        """Stop at once: what was not delivered is lost, as with a killed server."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def flush(self) -> None:
        """Wait until everything made so far was delivered or given up."""
        await self._queue.join()

    def emit(
        self,
        event: str,
        room: models.Room,
        participant: models.ParticipantInfo | None = None,
        track: models.TrackInfo | None = None,
    ) -> None:
        """Queue one event, e.g. `participant_joined`."""
        message = WebhookEvent(
            event=event,
            room=room,
            participant=participant,
            track=track,
            id=new_id("EV_"),
            created_at=int(time.time()),
        )
        self.sent.append(message)
        self._queue.put_nowait(message)

    async def _deliver(self) -> None:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
            while True:
                event = await self._queue.get()
                for url in self.urls:
                    await self._post(http, url, event)
                self._queue.task_done()

    async def _post(self, http: aiohttp.ClientSession, url: str, event: WebhookEvent) -> None:
        body = MessageToJson(event, indent=None).encode()
        headers = {
            "Authorization": webhook_token(body, self._key, self._secret),
            "Content-Type": "application/webhook+json",
        }
        for attempt in range(_ATTEMPTS):
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with http.post(url, data=body, headers=headers) as response:
                    if response.status < 500:
                        return
            await asyncio.sleep(_BACKOFF * 2**attempt)
