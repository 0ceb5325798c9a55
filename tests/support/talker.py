"""A page that somebody speaks at in real time, and that comes back as room/socket.js does."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx2
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from core.speech.engine import BYTES_PER_SAMPLE, SAMPLE_RATE
from tests.emulators.wordaudio import silence, speak
from tests.support.visitors import FRAME, RoomPage
from tests.support.waiting import until

FIRST_DELAY_S, LONGEST_DELAY_S = 0.25, 8.0  # of socket.js, as its jitter
WELCOME_WITHIN_S = 10.0
# What comes of trying to join a server that isn't there yet, isn't there any more, or refuses.
UNREACHABLE = (
    OSError,
    TimeoutError,
    AssertionError,
    httpx2.TransportError,
    InvalidHandshake,
    ConnectionClosed,
)


class Talker:
    """Says its words, in sentences, until it is told to stop. `words` are those that it began."""

    def __init__(self, page: RoomPage, vocabulary: list[str], source: random.Random) -> None:
        self.page = page
        self.words: list[str] = []
        self._vocabulary = iter(vocabulary)
        self._random = source
        self._quiet = asyncio.Event()  # no further word is begun
        self._cursor = 0  # the sample to be sent next
        self._line: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect, and stay so."""
        await self.page.connect()
        self._line = asyncio.create_task(self._stay_connected())

    async def talk(self) -> None:
        """Speak in real time until `hush`, and be silent long enough to be understood."""
        began, said = time.monotonic(), self.page.index
        while not self._quiet.is_set():
            for sound in self._sentence():
                for at in range(0, len(sound), FRAME * BYTES_PER_SAMPLE):
                    self.page.record(sound[at : at + FRAME * BYTES_PER_SAMPLE])
                    spoken = (self.page.index - said) / SAMPLE_RATE
                    await asyncio.sleep(max(0.0, began + spoken - time.monotonic()))
                if self._quiet.is_set():
                    break
        self.page.record(silence(1.5))
        await until(lambda: self._cursor == self.page.index, news=lambda: self.page.messages[-3:])

    def hush(self) -> None:
        """Let it begin no further word."""
        self._quiet.set()

    async def leave(self) -> None:
        """Close the page."""
        if self._line is not None:
            self._line.cancel()
            await asyncio.wait([self._line])
        await self.page.leave()

    def _sentence(self) -> Iterator[bytes]:
        for _ in range(self._random.randint(2, 7)):
            self.words.append(next(self._vocabulary))
            yield speak(self.words[-1])
        yield silence(self._random.uniform(0.1, 1.2))

    async def _stay_connected(self) -> None:
        delay = FIRST_DELAY_S
        while True:
            since = time.monotonic()
            with suppress(ConnectionClosed):
                await self._pump()
            delay = FIRST_DELAY_S if time.monotonic() - since > 1 else delay
            while True:
                await asyncio.sleep(delay * self._random.uniform(0.5, 1))
                delay = min(2 * delay, LONGEST_DELAY_S)
                try:
                    async with asyncio.timeout(WELCOME_WITHIN_S):
                        await self.page.connect()
                    break
                except UNREACHABLE:
                    continue

    async def _pump(self) -> None:
        """Send what the server wants, and go on as it is spoken, until the line breaks."""
        self._cursor = self.page.welcome["received"] // FRAME * FRAME
        await self.page.mic(True)
        while self.page.closed is None:
            while self._cursor < self.page.index:
                await self.page.send_spoken(self._cursor)
                self._cursor += FRAME
            await asyncio.sleep(0.02)
