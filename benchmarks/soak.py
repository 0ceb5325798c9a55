"""Whether anything grows: `python -m benchmarks.soak [--people 200] [--minutes 20]`.

Sessions of ten people each, in one process with its database, and Gladia's emulator for speech in
one more. Everybody's microphone is on; two of ten speak at a time, in turns. Meanwhile people lose
their line and come back, leave and are followed by others, write and raise hands, and the oldest
session is ended and followed by a new one: what is kept for each of them must go when they go. A
session remembers what is said in it, so that memory grows until the first have ended; after that it
may not. Memory, descriptors, threads and tasks of the process are read every two seconds, and
delays are told minute by minute. At the end the last speakers end their sentence, SIGTERM follows
at once, and the words in the database, and on disk for the next process, are compared with those
that were said.

All of it is on loopback and on the cores that the server uses, too: delays are for comparison
within the run.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from benchmarks.rig import is_served
from core.process.gc import EVERY as GC_EVERY_S
from tests.emulators.gladia import API_KEY
from tests.emulators.wordaudio import silence, speak, vocabulary
from tests.support import ROOT
from tests.support.app_server import AppServer, free_port
from tests.support.http import outside
from tests.support.own_postgres import OwnPostgres
from tests.support.tables import Tables
from tests.support.visitors import Visitor
from tests.support.waiting import until, wait_until

IN_A_ROOM = 10
SPEAKING = 2  # of those, at a time
TURN_S = 6.0
TICK_S = 0.1
TICK = 2 * 1600  # bytes
SAMPLE_EVERY_S = 2.0
SESSION_S = 120.0  # from its beginning to its end, at the soonest
# Nothing may grow after that: the sessions of the start have all ended, and the process has looked
# for cyclic garbage among all that it has once.
WARM_UP_S = GC_EVERY_S + 10
PING_EVERY_S = 1.0
LINE_LOST_EVERY_S = 3.0  # by somebody
REPLACED_EVERY_S = 10.0  # somebody, by somebody new
WORDS = 6  # of a sentence
NOTHING = silence(TICK_S)
AWAY = (OSError, ConnectionClosed, InvalidHandshake, httpx2.TransportError)


@dataclass
class Book:
    """What was measured, in the order of time."""

    began: float = field(default_factory=time.monotonic)
    resident: list[tuple[float, float]] = field(default_factory=list)  # seconds, MB
    open_files: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)
    pings: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))  # minute: ms
    read: dict[str, float] = field(default_factory=dict)  # a final's text: when it came first
    # Sentences whose last sample was sent, and when: seconds as `read` has them.
    said: dict[str, float] = field(default_factory=dict)
    last: list[str] = field(default_factory=list)  # the last one of each who spoke at the end
    lines_lost: int = 0
    replaced: int = 0
    ended: int = 0  # sessions
    ending: set[str] = field(default_factory=set)  # sessions in which no sentence begins any more

    @property
    def seconds(self) -> float:
        """How long it has gone on."""
        return time.monotonic() - self.began

    def slope(self) -> float:
        """Return by how many MB an hour memory grew after the warm-up.

        The median of Theil and Sen, of pairs that are as far from the last look for cyclic garbage:
        what has come together since is no growth.
        """
        rest = [one for one in self.resident if one[0] >= WARM_UP_S][::5]
        slopes = [
            (later - earlier) / (then - now)
            for (now, earlier), (then, later) in itertools.combinations(rest, 2)
            if then - now > GC_EVERY_S / 2
            and abs((then - now + GC_EVERY_S / 2) % GC_EVERY_S - GC_EVERY_S / 2) < 10
        ]
        return 3600 * statistics.median(slopes) if slopes else float("nan")


class Soaked:
    """One person with a page: speaks in turns, reads all, and comes back when the line is lost."""

    def __init__(self, place: Place, visitor: Visitor, slug: str, number: int) -> None:
        self._place = place
        self._visitor = visitor
        self._slug = slug
        self._number = number  # in the room
        self._client = os.urandom(8).hex()
        self._index = 0  # the next sample
        # What was said and isn't settled, as a page keeps it: the line may be lost on its way.
        self._kept: deque[tuple[int, bytes]] = deque()
        self._settled = 0  # what is stored for good ends before this sample
        self._line: ClientConnection | None = None
        self._seq = 0
        self._gone = False
        self._task = asyncio.create_task(self._live())

    async def _live(self) -> None:
        while not self._gone:
            with suppress(*AWAY, AssertionError):
                await self._connected()
            await asyncio.sleep(0.5)

    async def _connected(self) -> None:
        passes = await asyncio.to_thread(self._visitor.join, self._slug)
        offered = [Subprotocol("sessions.v1"), Subprotocol(passes["transcription"]["token"])]
        address = self._place.server.url.replace("http", "ws") + "/ws"
        async with connect(address, subprotocols=offered, compression=None) as line:
            hello = {"type": "hello", "client": self._client, "seq": self._seq}
            await line.send(json.dumps(hello | {"settled": self._settled, "clock": self._index}))
            welcome = json.loads(await line.recv())
            assert welcome["type"] == "welcome", welcome
            await line.send(json.dumps({"type": "mic", "on": True}))
            for index, tick in [*self._kept]:
                if index >= welcome["received"]:
                    await line.send(index.to_bytes(8, "little") + tick)
            self._line = line
            reading = asyncio.create_task(self._read(line))
            try:
                await self._speak(line)
            finally:
                self._place.mid_sentence.discard(self)
                self._line = None
                reading.cancel()

    async def _read(self, line: ClientConnection) -> None:
        book = self._place.book
        with suppress(ConnectionClosed):
            async for text in line:
                message: dict[str, Any] = json.loads(text)
                if message["type"] == "utterance" and message["final"]:
                    self._seq = max(self._seq, message.get("seq", 0))
                    book.read.setdefault(message["text"].strip(), book.seconds)
                elif message["type"] == "settled":
                    self._settled = message["index"]
                    while self._kept and self._kept[0][0] + TICK // 2 <= self._settled:
                        self._kept.popleft()

    async def _speak(self, line: ClientConnection) -> None:
        began, first = time.monotonic(), self._index
        for tick in self._sound():
            index = self._index
            self._kept.append((index, tick))
            self._index += TICK // 2
            await line.send(index.to_bytes(8, "little") + tick)
            spoken = (self._index - first) / 16_000
            await asyncio.sleep(max(0.0, began + spoken - time.monotonic()))

    def _sound(self) -> Iterator[bytes]:
        """Yield ticks: a sentence while it is one's turn, else silence."""
        book = self._place.book
        while True:
            turn = int(book.seconds / TURN_S) + self._number
            if turn % (IN_A_ROOM // SPEAKING) or self._place.hushed or self.ends:
                yield NOTHING
                continue
            sentence = " ".join(itertools.islice(self._place.words, WORDS))
            sound = speak(sentence) + NOTHING
            sound += bytes(-len(sound) % TICK)
            self._place.mid_sentence.add(self)
            for at in range(0, len(sound), TICK):
                yield sound[at : at + TICK]
            self._place.mid_sentence.discard(self)
            book.said[sentence] = book.seconds
            if self._place.ending:
                book.last.append(sentence)
                while True:
                    yield NOTHING
            for _ in range(8):
                yield NOTHING

    async def ping(self) -> None:
        """Time a trip to the server and back."""
        line, book = self._line, self._place.book
        if line is None:
            return
        began = time.monotonic()
        with suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(15):
                await (await line.ping())
            book.pings[int(book.seconds // 60)].append((time.monotonic() - began) * 1000)

    @property
    def owes(self) -> bool:
        """Whether something that was said may not have reached the server yet."""
        return self in self._place.mid_sentence or self._line is None

    @property
    def ends(self) -> bool:
        """Whether the session is being ended or is over."""
        return self._slug in self._place.book.ending

    async def lose_line(self) -> None:
        """Lose it, without a goodbye; not while the session ends, which would wait for nobody."""
        if self._line is not None and not self.ends:
            self._line.transport.abort()
            self._line = None
            self._place.book.lines_lost += 1

    async def act(self, message: dict[str, Any]) -> None:
        """Say something to the server."""
        if self._line is not None:
            with suppress(ConnectionClosed):
                await self._line.send(json.dumps(message))

    async def leave(self) -> None:
        """Close the page for good."""
        self._gone = True
        self._place.mid_sentence.discard(self)
        self._task.cancel()
        await asyncio.wait([self._task])


def without_end(words: list[str]) -> Iterator[str]:
    """Yield other words for ever: the list, then each of it with a 1, with a 2…"""
    yield from words
    for turn in itertools.count(1):
        yield from (f"{word}{turn}" for word in words)


@dataclass
class Place:
    """The server and who is there."""

    server: AppServer
    host: Visitor
    book: Book
    people: list[list[Soaked]] = field(default_factory=list)  # by room
    slugs: list[str] = field(default_factory=list)
    words: Iterator[str] = field(default_factory=lambda: without_end(vocabulary(60_000, seed=16)))
    ending: bool = False  # whoever speaks now says a last sentence
    hushed: bool = False  # nobody begins a sentence any more
    mid_sentence: set[Soaked] = field(default_factory=set)
    _names: Iterator[int] = field(default_factory=itertools.count)

    async def fill(self, people: int) -> None:
        """Let so many come in."""
        for room in range(people // IN_A_ROOM):
            self.slugs.append("")
            self.people.append([])
            await self.begin(room)

    async def begin(self, room: int) -> None:
        """Begin a session here, with people in it."""
        slug = await asyncio.to_thread(self.host.start_session, "Soak")
        self.people[room] = [await self.newcomer(slug, one) for one in range(IN_A_ROOM)]
        self.slugs[room] = slug

    async def end(self, room: int) -> None:
        """End the session that is here, once those who speak have ended their sentences."""
        self.book.ending.add(self.slugs[room])
        await until(lambda: not any(one.owes for one in self.people[room]))
        ended = await asyncio.to_thread(self.host.end, self.slugs[room])
        assert ended.status_code < 400, ended
        for one in self.people[room]:
            await one.leave()
        self.book.ended += 1

    async def newcomer(self, slug: str, number: int) -> Soaked:
        """Let somebody new come in, who speaks when this number of the room does."""
        name = f"Guest {next(self._names)}"
        visitor = await asyncio.to_thread(Visitor(self.server.url).be_guest, slug, name)
        return Soaked(self, visitor, slug, number)

    @property
    def everybody(self) -> list[Soaked]:
        """All who are there."""
        return [one for room in self.people for one in room]


async def every(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    """Do something again and again, until it is cancelled."""
    while True:
        await asyncio.sleep(seconds)
        await act()


async def soak(place: Place, minutes: float, session_s: float) -> None:
    """Let it go on for so long, with all that happens meanwhile."""
    book, source = place.book, random.Random(17)
    process = psutil.Process(place.server.pid)
    rooms = itertools.cycle(range(len(place.people)))
    changing = asyncio.Lock()  # nobody new comes into a session that is being ended

    async def sample() -> None:
        book.resident.append((book.seconds, process.memory_info().rss / 1e6))
        book.open_files.append(process.num_fds())
        book.threads.append(process.num_threads())
        told = await asyncio.to_thread(outside, "GET", f"{place.server.url}/metrics")
        value = re.search(r"^sessions_tasks (.+)$", told.text, re.M)
        book.tasks.append(round(float(value[1])) if value else 0)

    async def ping() -> None:
        await asyncio.gather(*(one.ping() for one in place.everybody[::7]))

    async def lose() -> None:
        await source.choice(place.everybody).lose_line()

    async def replace() -> None:
        room, number = source.randrange(len(place.people)), source.randrange(IN_A_ROOM)
        async with changing:
            leaving = place.people[room][number]
            await until(lambda: not leaving.owes)
            await leaving.leave()
            place.people[room][number] = await place.newcomer(place.slugs[room], number)
        book.replaced += 1

    async def act() -> None:
        one = source.choice(place.everybody)
        await one.act({"type": "chat", "text": f"At {book.seconds:.0f} s"})
        await one.act({"type": "hand", "up": source.random() < 0.5})

    async def rotate() -> None:
        room = next(rooms)
        async with changing:
            await place.end(room)
            await place.begin(room)

    happening = [
        asyncio.create_task(every(seconds, what))
        for seconds, what in (
            (SAMPLE_EVERY_S, sample),
            (PING_EVERY_S, ping),
            (LINE_LOST_EVERY_S, lose),
            (REPLACED_EVERY_S, replace),
            (1.0, act),
            (session_s / len(place.people), rotate),
        )
    ]
    ended, _ = await asyncio.wait(happening, timeout=60 * minutes, return_when="FIRST_EXCEPTION")
    for task in happening:
        task.cancel()
    for task in ended:
        task.result()


async def last_words(place: Place) -> tuple[float, int]:
    """Stop the server amid what is said; return how long that took, and its exit code."""
    place.ending = True
    await asyncio.sleep(TURN_S)
    place.hushed = True
    # Of a session that was being ended until just now, nobody comes back.
    await until(lambda: not any(one.owes for one in place.everybody if not one.ends))
    began = time.monotonic()
    os.kill(place.server.pid, signal.SIGTERM)
    code = await asyncio.to_thread(place.server.wait)
    return time.monotonic() - began, code


def report(place: Place, tables: Tables, took: float, code: int) -> str:
    """Return what came of it, as Markdown."""
    book = place.book
    stored = {row["text"].strip() for row in tables("SELECT text FROM utterances")}
    # Of pages that were away at the end, and would say it anew to the next process.
    held = place.server.data_dir / "held-unsaved.jsonl"
    handed = held.read_text("utf-8").splitlines() if held.exists() else []
    stored |= {json.loads(line)["text"].strip() for line in handed}
    everything = " ".join(sorted(stored))
    said = [one for one in book.said if one in everything]
    last = [one for one in book.last if one in everything]
    warm = [megabytes for at, megabytes in book.resident if at >= WARM_UP_S] or [float("nan")]
    lines = [
        f"{len(place.everybody)} people in {len(place.people)} sessions for"
        f" {book.resident[-1][0] / 60:.1f} minutes; {book.lines_lost} lines lost,"
        f" {book.replaced} people replaced, {book.ended} sessions ended and followed by others,"
        f" {len(book.said)} sentences.",
        f"Memory after the warm-up: {warm[0]:.0f} MB → {warm[-1]:.0f} MB,"
        f" slope {book.slope():+.1f} MB an hour.",
        f"Descriptors {book.open_files[len(book.open_files) // 5]} → {book.open_files[-1]},"
        f" threads {book.threads[len(book.threads) // 5]} → {book.threads[-1]},"
        f" tasks {book.tasks[len(book.tasks) // 5]} → {book.tasks[-1]}.",
        f"Stored: {len(said)} of {len(book.said)} sentences, of the last ones"
        f" {len(last)} of {len(book.last)}; {len(handed)} utterances of them on disk for the next"
        " process.",
        f"SIGTERM: exit code {code} after {took:.1f} s.",
        "",
        "| Minute | ping p50, p99 ms | captions p50, p99 ms | memory MB |",
        "|---|---|---|---|",
    ]
    captions = _captions(place)
    for minute in sorted(book.pings):
        row = (book.pings[minute], captions.get(minute, []))
        memory = statistics.median(size for at, size in book.resident if int(at // 60) == minute)
        lines.append(f"| {minute + 1} | {_share(row[0])} | {_share(row[1])} | {memory:.0f} |")
    return "\n".join(lines)


def _captions(place: Place) -> dict[int, list[float]]:
    """Return how long finals took from the end of what was said to the first page, in ms by minute.

    Most of it is Gladia's, whose emulator waits as long as Gladia does.
    """
    found: dict[int, list[float]] = defaultdict(list)
    for sentence, ended in place.book.said.items():
        came = place.book.read.get(sentence)
        if came is not None:
            found[int(ended // 60)].append((came - ended) * 1000)
    return found


def _share(times: list[float]) -> str:
    ordered = sorted(times)
    if not ordered:
        return "–"
    return f"{ordered[len(ordered) // 2]:.0f}, {ordered[int(0.99 * (len(ordered) - 1))]:.0f}"


@contextmanager
def emulated_gladia() -> Iterator[str]:
    """Run Gladia's emulator as a process, which holds up nobody else here; yield its address."""
    port = free_port()
    options = ["--recognizer", "words", "--max-sessions", "100000", "--port", str(port)]
    command = [sys.executable, "-m", "tests.emulators.gladia", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: process.poll() is not None or is_served(port))
            assert process.poll() is None, "Gladia's emulator did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def beside(database_url: str, gladia: str) -> dict[str, str]:
    """Return the settings of a server that many people speak to through Gladia's emulator."""
    return {
        "DATABASE_URL": database_url,
        "GLADIA_API_KEY": API_KEY,
        "GLADIA_API_URL": gladia,
        "GLADIA_MAX_STREAMS": "1000",
        "RATE_LIMIT_FACTOR": "1000",
    }


async def run(people: int, minutes: float, session_s: float) -> str:
    """Run all of it, and return the report."""
    with (
        tempfile.TemporaryDirectory() as folder,
        OwnPostgres() as postgres,
        emulated_gladia() as gladia,
    ):
        environment = beside(postgres.url, gladia)
        server = await asyncio.to_thread(AppServer(Path(folder), environment).start)
        place = Place(server, Visitor(server.url).sign_in("Ada Lovelace"), Book())
        try:
            await place.fill(people)
            place.book.began = time.monotonic()
            await soak(place, minutes, session_s)
            took, code = await last_words(place)
        finally:
            server.stop()
            await asyncio.gather(*(one.leave() for one in place.everybody))
        return await asyncio.to_thread(report, place, Tables(postgres.url), took, code)


def main() -> None:
    """Soak, and print what came of it."""
    parser = argparse.ArgumentParser(description="Whether anything grows.")
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--session", type=float, default=SESSION_S, help="seconds that one lasts")
    asked = parser.parse_args()
    print(asyncio.run(run(asked.people, asked.minutes, asked.session)))


if __name__ == "__main__":
    main()
