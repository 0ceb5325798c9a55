"""Listening: the received audio goes to one recognizer per channel, off the socket's path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .recognizers import (
    Event,
    Recognizer,
    RecognizerFactory,
    RecognizerOptions,
)

if TYPE_CHECKING:
    pass

Json = dict[str, Any]


class Listener:
    """Feeds the received audio to one recognizer per channel, off the socket's path."""

    def __init__(
        self,
        config: Json,
        make: RecognizerFactory,
        heard: Callable[[int, Event], Coroutine[Any, Any, None]],
    ) -> None:
        self._config = config
        self._heard = heard
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._rest = b""
        self._done = asyncio.Event()
        self._make = make
        self.waiting = 0

    def put(self, audio: bytes) -> None:
        """Take audio; it is recognised soon."""
        self.waiting += len(audio)
        self._queue.put_nowait(audio)

    async def finish(self) -> None:
        """Return when everything has been recognised and said."""
        self._queue.put_nowait(None)
        await self._done.wait()

    async def run(self, speed: float | None) -> None:
        """Recognise until the end; `speed` is audio seconds per second."""
        recognizers = [self._recognizer(c) for c in range(self._config["channels"])]
        while (audio := await self._queue.get()) is not None:
            self.waiting -= len(audio)
            for channel, pcm in enumerate(self._split(audio)):
                if speed is not None:
                    await asyncio.sleep(len(pcm) / 32_000 / speed)
                await self._run(recognizers[channel], channel, recognizers[channel].feed, pcm)
        for channel, recognizer in enumerate(recognizers):
            await self._run(recognizer, channel, recognizer.finish)
        self._done.set()

    def _recognizer(self, channel: int) -> Recognizer:
        languages: Sequence[str] = self._config["language_config"]["languages"]
        return self._make(
            RecognizerOptions(
                channel=channel,
                language=languages[0] if languages else "en",
                endpointing=self._config["endpointing"],
                maximum_duration=self._config["maximum_duration_without_endpointing"],
            )
        )

    async def _run(
        self, recognizer: Recognizer, channel: int, work: Callable[..., list[Event]], *args: bytes
    ) -> None:
        events = await asyncio.to_thread(work, *args) if recognizer.slow else work(*args)
        for event in events:
            await self._heard(channel, event)

    def _split(self, audio: bytes) -> Iterable[bytes]:
        """Return whole frames by channel; other formats than PCM16 are not understood."""
        channels = self._config["channels"]
        size = channels * self._config["bit_depth"] // 8
        data = self._rest + audio
        whole = len(data) // size * size
        self._rest = data[whole:]
        if self._config["bit_depth"] != 16 or channels == 1:
            return [data[:whole]] * channels
        frames = np.frombuffer(data[:whole], dtype="<i2").reshape(-1, channels)
        return [frames[:, channel].tobytes() for channel in range(channels)]
