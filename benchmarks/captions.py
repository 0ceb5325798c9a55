"""How late captions are while sound is kept, and while it isn't: `python -m benchmarks.captions`.

One server with PostgreSQL, Gladia's emulator in a process of its own, and pages on `/ws`. Half of
the rooms are of spaces that have their sound kept, half of others; each half speaks in turns of so
many seconds, everybody at once, without an end. In each room somebody only reads: when a word is
there, in a caption or in a final, counted from when its last sample was sent. All of it is one run
on the cores that the server uses, too, so compare the two.

What is said is Gladia's emulator's own language, whose words are known by their sound; the encoder
takes as long for it as for speech, and makes files as large.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from benchmarks.rig import prioritise
from benchmarks.soak import beside, emulated_gladia, without_end
from core.speech.engine import BYTES_PER_SAMPLE, SAMPLE_RATE
from tests.audio.kept import Kept
from tests.emulators.wordaudio import silence, speak, vocabulary
from tests.support.app_server import AppServer
from tests.support.own_postgres import OwnPostgres
from tests.support.visitors import Visitor

IN_A_ROOM = 5  # who speak
FRAME = SAMPLE_RATE // 25  # samples
SENTENCE = 12  # words
PAUSE = silence(0.8)
# Of each turn: streams are opened meanwhile, and first words wait for that.
BEGINNING_S = 4.0


@dataclass
class Found:
    """What was measured of all turns with sound, or of all without."""

    captions: list[list[float]] = field(default_factory=list)  # seconds a word took, by turn
    finals: list[list[float]] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # of the server, for a second of a speaker


class Line:
    """One page's connection."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._index = 0  # the next sample

    @classmethod
    async def of(cls, visitor: Visitor, slug: str) -> Line:
        """Join and say hello, as a page whose door said that sound is kept."""
        passes = (await asyncio.to_thread(visitor.join, slug))["transcription"]
        offered = [Subprotocol("sessions.v1"), Subprotocol(passes["token"])]
        socket = await connect(
            passes["url"],
            subprotocols=offered,
            compression=None,
            origin=visitor.url,  # type: ignore[arg-type]
        )
        hello = {"type": "hello", "client": os.urandom(8).hex(), "seq": 0, "audio": 7}
        await socket.send(json.dumps(hello))
        welcome = json.loads(await socket.recv())
        assert welcome["type"] == "welcome", welcome
        return cls(socket)

    async def read(self, room: Room) -> None:
        """Note when words come, or only read."""
        with suppress(ConnectionClosed):
            async for text in self._socket:
                if room.reader is self:
                    message = json.loads(text)
                    if message["type"] == "utterance":
                        room.note(message["text"].split(), final=message["final"])

    async def speak(self, room: Room, until: float) -> None:
        """Say sentences in real time until then."""
        began, first = time.monotonic(), self._index
        await self._socket.send(json.dumps({"type": "mic", "on": True}))
        while time.monotonic() < until:
            words = list(islice(room.words, SENTENCE))
            sounds = [speak(word) for word in words]
            pcm = b"".join(sounds) + PAUSE
            size = FRAME * BYTES_PER_SAMPLE
            pcm += bytes(-len(pcm) % size)
            ends, end = list[tuple[int, str]](), 0
            for word, sound in zip(words, sounds, strict=True):
                ends.append((end + len(speak(word, gap=0)), word))
                end += len(sound)
            for at in range(0, len(pcm), size):
                frame = self._index.to_bytes(8, "little") + pcm[at : at + size]
                self._index += FRAME
                # A page has a frame when it is over.
                ahead = began + (self._index - first) / SAMPLE_RATE - time.monotonic()
                await asyncio.sleep(max(0.0, ahead))
                await self._socket.send(frame)
                while ends and ends[0][0] <= at + size:
                    room.sent[ends.pop(0)[1]] = time.monotonic()
        await self._socket.send(json.dumps({"type": "mic", "on": False}))
        self._index += SAMPLE_RATE  # while it is off

    async def close(self) -> None:
        """Leave."""
        await self._socket.close()


@dataclass
class Room:
    """A session: who speaks in it, and who reads."""

    kept: Kept
    words: Iterator[str]  # no word comes twice anywhere
    speakers: list[Line] = field(default_factory=list)
    reader: Line | None = None
    sent: dict[str, float] = field(default_factory=dict)  # a word's last sample, a monotonic time
    shown: dict[str, float] = field(default_factory=dict)  # when it was there, not yet final or not
    final: dict[str, float] = field(default_factory=dict)
    _reading: list[asyncio.Task[None]] = field(default_factory=list)

    async def fill(self) -> None:
        """Let everybody in."""
        for number in range(IN_A_ROOM + 1):
            guest = await asyncio.to_thread(self.kept.guest, f"Guest {number}")
            line = await Line.of(guest, self.kept.slug)
            if number == IN_A_ROOM:
                self.reader = line
            else:
                self.speakers.append(line)
            self._reading.append(asyncio.create_task(line.read(self)))

    def note(self, words: list[str], *, final: bool) -> None:
        """Note that the reader has been told these."""
        now = time.monotonic()
        for word in words:
            self.shown.setdefault(word, now)
        if final and words:  # it could not come before its last word
            self.final.setdefault(words[-1], now)

    async def close(self) -> None:
        """Let everybody leave."""
        for line in [*self.speakers, *([self.reader] if self.reader else [])]:
            await line.close()
        await asyncio.gather(*self._reading)


async def turn(rooms: list[Room], seconds: float, server: psutil.Process, found: Found) -> None:
    """Let these rooms speak, and note how late their words came and what it cost."""
    begin = time.monotonic()
    speaking = [
        asyncio.create_task(line.speak(room, begin + seconds))
        for room in rooms
        for line in room.speakers
    ]
    await asyncio.sleep(BEGINNING_S)
    since, before = time.monotonic(), sum(server.cpu_times()[:2])
    await asyncio.sleep(begin + seconds - time.monotonic())
    spent, took = sum(server.cpu_times()[:2]) - before, time.monotonic() - since
    await asyncio.gather(*speaking)
    await asyncio.sleep(4.0)  # for their last words
    found.cpu.append(spent / took / len(speaking))
    captions, finals, lost = list[float](), list[float](), 0
    for room in rooms:
        said = {word: at for word, at in room.sent.items() if since < at < since + took}
        lost += len(said.keys() - room.shown.keys())
        captions += [room.shown[word] - at for word, at in said.items() if word in room.shown]
        finals += [room.final[word] - at for word, at in said.items() if word in room.final]
    assert lost == 0, f"{lost} words never came"
    found.captions.append(captions)
    found.finals.append(finals)


async def run(speakers: int, turns: int, seconds: float) -> str:
    """Run all of it, and return the report."""
    with (
        tempfile.TemporaryDirectory() as folder,
        OwnPostgres() as postgres,
        emulated_gladia() as gladia,
    ):
        environment = beside(postgres.url, gladia)
        server = await asyncio.to_thread(AppServer(Path(folder), environment).start)
        words = without_end(vocabulary(60_000, seed=18))
        halves: dict[bool, list[Room]] = {False: [], True: []}
        found = {False: Found(), True: Found()}
        try:
            for with_sound, rooms in halves.items():
                for _ in range(speakers // IN_A_ROOM):
                    kept = await asyncio.to_thread(Kept, server, 7 if with_sound else None)
                    rooms.append(Room(kept, words))
                    await rooms[-1].fill()
            process, load = psutil.Process(server.pid), list[float]()
            for with_sound in (False, True):  # the first file loads the encoder
                await turn(halves[with_sound], seconds, process, Found())
            for number in range(turns):
                for with_sound in (bool(number % 2), not number % 2):
                    await turn(halves[with_sound], seconds, process, found[with_sound])
                    load.append(os.getloadavg()[0])
            for room in [*halves[False], *halves[True]]:
                await room.close()
                await asyncio.to_thread(room.kept.owner.end, room.kept.slug)
            await asyncio.sleep(3.0)  # the database learns of the files
            rows = await asyncio.to_thread(rows_of, halves[True])
            assert not await asyncio.to_thread(rows_of, halves[False])
        finally:
            server.stop()
    return report(found, speakers, rows, load)


def rows_of(rooms: list[Room]) -> list[tuple[str, int, float]]:
    """Return the recordings of rooms."""
    return [row for room in rooms for row in room.kept.rows()]


def report(
    found: dict[bool, Found], speakers: int, rows: list[tuple[str, int, float]], load: list[float]
) -> str:
    """Return what came of it."""
    lines = [f"{speakers} speak at once, at a load of {min(load):.1f} to {max(load):.1f}"]
    for what in ("captions", "finals"):
        turns = {kept: getattr(one, what) for kept, one in found.items()}
        for with_sound, name in ((False, "without"), (True, "with")):
            late = [each for one in turns[with_sound] for each in one]
            told = ", ".join(f"{share:.0%} {at(late, share):.0f} ms" for share in (0.5, 0.95, 0.99))
            lines.append(f"{what} {name} sound, {len(late)} of them: {told}")
        # A shared machine holds up now one turn, now another: the middle one says more than all.
        for share in (0.5, 0.99):
            each = {kept: [at(one, share) for one in every] for kept, every in turns.items()}
            told = "; ".join(
                " ".join(f"{late:.0f}" for late in each[kept]) for kept in (False, True)
            )
            one, other = statistics.median(each[True]), statistics.median(each[False])
            lines.append(
                f"  {share:.0%} of the middle turn: {other:.0f} ms without, {one:.0f} with, that is"
                f" {one / other:.2f} (by turns: {told})"
            )
    cpu = {kept: statistics.median(one.cpu) for kept, one in found.items()}
    lines.append(
        f"CPU for a second of a speaker: {1000 * cpu[False]:.1f} ms without, {1000 * cpu[True]:.1f}"
        f" with: {1000 * (cpu[True] - cpu[False]):.1f} more"
    )
    size, length = sum(row[1] for row in rows), sum(row[2] for row in rows)
    lines.append(f"kept: {len(rows)} files, {length:.0f} s, {size / length * 3600 / 1e6:.1f} MB/h")
    return "\n".join(lines)


def at(times: list[float], share: float) -> float:
    """Return the quantile of seconds, in ms."""
    ordered = sorted(times)
    return 1000 * ordered[int(share * (len(ordered) - 1))]


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description="How late captions are beside kept sound.")
    parser.add_argument("--speakers", type=int, default=30)
    parser.add_argument("--turns", type=int, default=6, help="with sound, and as many without")
    parser.add_argument("--seconds", type=float, default=20.0, help="of a turn")
    parser.add_argument("--nice", type=int, default=0, help="priority, on a busy machine")
    asked = parser.parse_args()
    if asked.nice:
        prioritise(asked.nice)
    print(asyncio.run(run(asked.speakers, asked.turns, asked.seconds)))


if __name__ == "__main__":
    main()
