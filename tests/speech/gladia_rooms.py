"""A room whose people speak through Gladia's emulator, and what each of them said when.

The emulator hears the audio that really reached it, so anything lost, doubled or swapped on the
way shows up as wrong words.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx2
import pytest

from core.speech.engine import SAMPLE_RATE
from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.gladia.fault_kinds import Fault
from tests.emulators.wordaudio import seconds, silence, speak, vocabulary
from tests.support.app_server import AppServer
from tests.support.visitors import RoomPage, Visitor

WORDS = vocabulary(2000, seed=5)
PAUSE = 1.0  # seconds; ends an utterance
TOLERANCE = 0.3  # seconds


@dataclass
class Speaker:
    """Somebody in the room, and what they said when."""

    name: str
    page: RoomPage
    words: list[str] = field(default_factory=list)
    spoken_at: dict[str, float] = field(default_factory=dict)
    began: float | None = None

    async def say(self, *words: str, pause: float = PAUSE, speed: float = 0.0) -> None:
        """Say words and be silent for a moment."""
        await self.page.speak(self._sound(words) + silence(pause), speed=speed)

    async def come_back(self, *words: str) -> None:
        """Reconnect while the words are spoken, and send them then."""
        lost_at = time.monotonic()
        sound = self._sound(words)
        await self.page.connect()
        away = max(time.monotonic() - lost_at, seconds(sound))
        self.page.record(sound + silence(away - seconds(sound)))
        await asyncio.sleep(away - (time.monotonic() - lost_at))
        await self.page.mic(True)
        await self.page.resend()

    def _sound(self, words: tuple[str, ...]) -> bytes:
        if self.began is None:
            self.began = time.time() - self.page.index / SAMPLE_RATE
        sound = b""
        for word in words:
            self.words.append(word)
            self.spoken_at[word] = self.began + self.page.index / SAMPLE_RATE + seconds(sound)
            sound += speak(word)
        return sound


class Room:
    """A session with a reader in it, who compares what is written with what was said."""

    def __init__(self, place: AppServer, host: str = "Host") -> None:
        self.place = place
        self.host = Visitor(place.url).sign_in(host)
        self.slug = self.host.start_session()
        self.reader = self.host.page(self.slug)
        self.speakers: list[Speaker] = []

    async def __aenter__(self) -> Room:
        await self.reader.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        for speaker in self.speakers:
            await speaker.page.leave()
        await self.reader.leave()

    async def speaker(self, name: str, visitor: Visitor | None = None) -> Speaker:
        """Let somebody in and turn their microphone on."""
        if visitor is None:
            made = await asyncio.to_thread(Visitor, self.host.url)
            visitor = await asyncio.to_thread(made.be_guest, self.slug, name)
        page = visitor.page(self.slug)
        await page.connect()
        await page.mic(True)
        self.speakers.append(Speaker(name, page))
        return self.speakers[-1]

    def heard(self, name: str) -> list[dict[str, Any]]:
        """Return what was written under a name, in the order of its times."""
        mine = [final for final in self.reader.finals if final["name"] == name]
        return sorted(mine, key=lambda final: final["start"])

    def words_of(self, name: str) -> list[str]:
        return " ".join(final["text"] for final in self.heard(name)).split()

    def said_by(self, name: str) -> list[str]:
        return [word for one in self.speakers if one.name == name for word in one.words]

    async def all_arrived(self, within: float = 20, *, in_order: bool = True) -> None:
        """Wait for as many words as were said, and check that they are those, once, in order.

        Streams that are open at the same time have an order only in real time.
        """
        said = sum(len(speaker.words) for speaker in self.speakers)
        try:
            await self.reader.until(lambda: len(self.reader.text.split()) >= said, within)
        except AssertionError:
            self.compare(in_order=in_order)
            raise
        await asyncio.sleep(0.3)
        self.compare(in_order=in_order)

    def compare(self, *, in_order: bool) -> None:
        for name in {speaker.name for speaker in self.speakers}:
            if in_order:
                assert self.words_of(name) == self.said_by(name)
            else:
                assert sorted(self.words_of(name)) == sorted(self.said_by(name))
        ids = [final["id"] for final in self.reader.finals]
        assert len(ids) == len(set(ids))
        seqs = [final["seq"] for final in self.reader.finals]
        assert seqs == list(range(1, len(seqs) + 1))

    def times_are_right(self) -> None:
        """Check that every utterance begins and ends when its words were spoken."""
        started = datetime.fromisoformat(self.reader.welcome["session"]["started_at"]).timestamp()
        for speaker in self.speakers:
            for final in self.heard(speaker.name):
                first, last = final["text"].split()[0], final["text"].split()[-1]
                begin = speaker.spoken_at[first] - started
                end = speaker.spoken_at[last] + seconds(speak(last, gap=0)) - started
                assert final["start"] == pytest.approx(begin, abs=TOLERANCE), final
                assert final["end"] == pytest.approx(end, abs=TOLERANCE), final

    def states(self, speaker: Speaker) -> list[tuple[str, dict[str, str] | None]]:
        me = speaker.page.welcome["you"]["identity"]
        told = [one for one in self.reader.of_type("speech") if one["identity"] == me]
        return [(one["state"], one["reason"]) for one in told]


@contextmanager
def trouble(*faults: Fault) -> Iterator[None]:
    """Let faults happen inside the block only."""
    try:
        yield
    finally:
        for fault in faults:
            fault.cancel()


def beside(gladia: GladiaEmulator, make: MakeServer, **settings: str) -> Iterator[AppServer]:
    """Run Sessions with this Gladia, for a fixture."""
    server = make(GLADIA_API_KEY=gladia.api_key, GLADIA_API_URL=gladia.url, **settings)
    yield server
    server.stop()  # before its Gladia, for whose last words it would wait


def vocabularies(count: int, size: int) -> list[list[str]]:
    """Return that many lists of words, no word in two of them."""
    return [WORDS[start : start + size] for start in range(0, count * size, size)]


async def health(place: AppServer) -> dict[str, Any]:
    async with httpx2.AsyncClient(verify=False) as http:
        answer: dict[str, Any] = (await http.get(f"{place.url}/health")).json()
        return answer
