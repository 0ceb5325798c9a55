"""Other people in the process, and what they notice of an attack: pings, audio and captions.

All three are timed end to end, from outside. Audio is on its way from the page's `send` until
Gladia's emulator has the frame, a caption from the emulator's answer until a page has read it; so
the emulator has to run in this process, whose clocks are used for both.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State
from websockets.typing import Subprotocol

from tests.emulators.gladia import GladiaEmulator, Session
from tests.emulators.wordaudio import silence, speak, vocabulary

PING_EVERY_S = 0.02
TICK_S = 0.1
TICK = 2 * 1600  # bytes of a tick
WAIT_S = 15.0  # for what is still on its way; what never comes counts as so long
SENTENCE = 8  # words
# Words of a caption that is timed. Messages with fewer may be left in the kernel until the next
# acknowledgment (core.speech.gladia.lowwater), that is for a tick.
SHORTEST = 4


@dataclass
class Times:
    """How long things took, in milliseconds."""

    times: list[float] = field(default_factory=list)
    missing: list[float] = field(default_factory=list)  # when that was sent which hasn't come

    def at(self, share: float) -> float:
        """Return the time that this share of them didn't exceed."""
        ordered = sorted(self.times) or [0.0]
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def __str__(self) -> str:
        return f"{self.at(0.5):.1f}, {self.at(0.99):.0f}" if self.times else "none"


class Victim:
    """Somebody else in the process, whose line is measured."""

    def __init__(self, line: ClientConnection) -> None:
        self._line = line

    async def measure(self, seconds: float) -> Times:
        """Ping until so many seconds have passed; all that is on its way then is waited for."""
        pings, until = Times(), time.monotonic() + seconds
        waiting: set[asyncio.Task[None]] = set()
        while time.monotonic() < until:
            waiting.add(asyncio.create_task(self._time_one(pings)))
            await asyncio.sleep(PING_EVERY_S)
        await asyncio.wait(waiting, timeout=WAIT_S)
        return pings

    async def _time_one(self, pings: Times) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(WAIT_S):
                await (await self._line.ping())
        except (TimeoutError, ConnectionClosed):
            pass
        pings.times.append((time.monotonic() - began) * 1000)


@asynccontextmanager
async def victim(url: str, token: str) -> AsyncIterator[Victim]:
    """Come in as somebody who reads all that is said."""
    async with _page(url, token) as line:
        reading = asyncio.create_task(_read_all(line))
        try:
            yield Victim(line)
        finally:
            reading.cancel()
            await asyncio.wait([reading])


@asynccontextmanager
async def _page(url: str, token: str) -> AsyncIterator[ClientConnection]:
    offered = [Subprotocol("sessions.v1"), Subprotocol(token)]
    address = url.replace("http", "ws") + "/ws"
    async with connect(address, subprotocols=offered, compression=None, ping_interval=None) as line:
        await line.send(json.dumps({"type": "hello", "client": os.urandom(8).hex()}))
        await line.recv()
        yield line


async def _read_all(line: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        async for _ in line:
            pass


@dataclass
class Heard:
    """How long audio and captions took, of what was sent within some time."""

    audio: Times
    captions: Times


class Talker:
    """Somebody who speaks without end and reads what is written of it."""

    def __init__(self, line: ClientConnection, gladia: GladiaEmulator) -> None:
        self._line = line
        self._gladia = gladia
        self._words = itertools.cycle(vocabulary(4000, seed=15))
        self._sent: list[float] = []  # when each tick was, a monotonic time
        self._read: dict[tuple[str, bool], float] = {}  # text and whether final → monotonic time
        self._written = asyncio.Event()  # a first caption
        self._stream: Session | None = None  # at the emulator, once it has heard a word
        self._skipped = 0  # ticks before that stream's first

    async def speak(self) -> None:
        """Speak in real time."""
        with suppress(ConnectionClosed):
            await self._line.send(json.dumps({"type": "mic", "on": True}))
            began = time.monotonic()
            for number, tick in enumerate(self._sound()):
                await asyncio.sleep(max(0.0, began + number * TICK_S - time.monotonic()))
                self._sent.append(time.monotonic())
                await self._line.send((number * TICK // 2).to_bytes(8, "little") + tick)

    def _sound(self) -> Iterator[bytes]:
        rest = b""
        while True:
            rest += speak(itertools.islice(self._words, SENTENCE)) + silence(0.5)
            while len(rest) >= TICK:
                yield rest[:TICK]
                rest = rest[TICK:]

    async def read(self) -> None:
        """Note when each caption came."""
        with suppress(ConnectionClosed):
            async for text in self._line:
                message: dict[str, Any] = json.loads(text)
                if message["type"] == "utterance":
                    self._read[message["text"], message["final"]] = time.monotonic()
                    self._written.set()

    async def heard(self) -> None:
        """Wait until what is said is written down."""
        earlier = len(self._gladia.sessions)
        async with asyncio.timeout(WAIT_S):
            await self._written.wait()
        (self._stream,) = self._gladia.sessions[earlier:]
        # A stream begins amid what was said. There is never less on its way than nothing.
        on_its_way = []
        for _ in range(50):
            on_its_way.append(len(self._sent) - len(self._stream.received) // TICK)
            await asyncio.sleep(TICK_S / 10)
        self._skipped = min(on_its_way)

    async def heard_between(self, since: float, until: float) -> Heard:
        """Return how long it took what was sent between two monotonic times.

        What never comes counts as WAIT_S; where the line has ended, it doesn't count.
        """
        assert self._stream is not None
        while True:
            audio = self._audio(self._stream, since, until)
            captions = self._captions(self._stream, since, until)
            lost = len(audio.missing) + len(captions.missing)
            if not lost or self._line.state is not State.OPEN or time.monotonic() > until + WAIT_S:
                break
            await asyncio.sleep(TICK_S)
        if self._line.state is State.OPEN:
            for one in (audio, captions):
                one.times += [WAIT_S * 1000] * len(one.missing)
        return Heard(audio, captions)

    def _audio(self, stream: Session, since: float, until: float) -> Times:
        came = [one.at for one in stream.frames if one.kind == "binary"]
        sent = [at for at in self._sent[self._skipped :] if at <= until]
        return _delays(since, itertools.zip_longest(sent, came[: len(sent)]))

    def _captions(self, stream: Session, since: float, until: float) -> Times:
        wall, pairs = time.time() - time.monotonic(), []
        for message in list(stream.messages):
            if message["type"] != "transcript":
                continue
            at = datetime.fromisoformat(message["created_at"]).timestamp() - wall
            text: str = message["data"]["utterance"]["text"]
            if at <= until and len(text.split()) >= SHORTEST:
                pairs.append((at, self._read.get((text.strip(), message["data"]["is_final"]))))
        return _delays(since, pairs)


def _delays(since: float, pairs: Iterable[tuple[float, float | None]]) -> Times:
    """Return the times of what was sent from `since` on; of the pairs, None never came."""
    found = Times()
    for sent, came in pairs:
        if sent >= since and came is None:
            found.missing.append(sent)
        elif sent >= since and came is not None:
            found.times.append((came - sent) * 1000)
    return found


@asynccontextmanager
async def talker(url: str, token: str, gladia: GladiaEmulator) -> AsyncIterator[Talker]:
    """Come in as somebody who speaks, and is written down already."""
    async with _page(url, token) as line:
        one = Talker(line, gladia)
        tasks = [asyncio.create_task(one.speak()), asyncio.create_task(one.read())]
        try:
            await one.heard()
            yield one
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


@dataclass(frozen=True, slots=True)
class Noticed:
    """What others noticed within some time."""

    pings: Times
    audio: Times
    captions: Times

    def __str__(self) -> str:
        return "; ".join(f"{one}" for one in (self.pings, self.audio, self.captions))

    def beyond(self, calm: Noticed) -> dict[str, float]:
        """Return by how many milliseconds each was later than that, at p99."""
        both = {
            "ping": (self.pings, calm.pings),
            "audio": (self.audio, calm.audio),
            "caption": (self.captions, calm.captions),
        }
        return {name: now.at(0.99) - then.at(0.99) for name, (now, then) in both.items()}


@dataclass(frozen=True, slots=True)
class Others:
    """Somebody whose pings are timed, and somebody in another room who speaks."""

    victim: Victim
    talker: Talker

    async def notice(self, seconds: float) -> Noticed:
        """Measure for so long, and wait for what is on its way then."""
        began = time.monotonic()
        pings = await self.victim.measure(seconds)
        heard = await self.talker.heard_between(began, began + seconds)
        return Noticed(pings, heard.audio, heard.captions)


@asynccontextmanager
async def others(
    url: str, tokens: tuple[str, str], gladia: GladiaEmulator
) -> AsyncIterator[Others]:
    """Come in as both, with tokens of two sessions."""
    async with victim(url, tokens[0]) as pings, talker(url, tokens[1], gladia) as speaker:
        yield Others(pings, speaker)
