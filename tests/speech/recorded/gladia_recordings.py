"""Recordings that go through the Gladia emulator, and a caller that stores what comes of them."""

from __future__ import annotations

import wave
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx2
import numpy as np

from core.speech.engine import Recognition, StreamOptions, Translation
from core.speech.gladia.cuts import Bounds
from core.speech.gladia.recorded import GladiaTranscriber
from core.speech.gladia.timeouts import RecordedTimeouts
from core.speech.recorded.decoding import Piece
from core.speech.recorded.model import MAX_STATE, Begun, Part, Track
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import silence, speak

QUICK = RecordedTimeouts(
    answer_s=5.0,
    upload_s=10.0,
    again_first_s=0.01,
    again_max_s=0.05,
    look_first_s=0.01,
    look_max_s=0.05,
    trouble_s=0.5,
    forget_s=0.5,
)
ENGLISH = StreamOptions(languages=("en",))


@dataclass
class Stored:
    """What a caller has of a track in its database."""

    finals: list[Recognition] = field(default_factory=list)
    translations: list[Translation] = field(default_factory=list)
    lost: list[tuple[float, float]] = field(default_factory=list)
    begun: Begun = field(default_factory=Begun)
    paid: float = 0.0

    def take(self, part: Part) -> None:
        """Store a part, and see that it is one."""
        assert part.until >= self.begun.until
        assert len(part.state) <= MAX_STATE
        known = {final.utterance for final in self.finals}
        for final in part.finals:
            assert self.begun.until <= final.start <= final.end <= part.until
            assert final.utterance not in known
            known.add(final.utterance)
        starts = [final.start for final in part.finals]
        assert starts == sorted(starts)
        assert {one.utterance for one in part.translations} <= {
            final.utterance for final in part.finals
        }
        self.finals += part.finals
        self.translations += part.translations
        self.lost += part.lost
        self.begun = Begun(part.until, part.state)
        self.paid += part.seconds_sent

    @property
    def text(self) -> str:
        """All that was said."""
        return " ".join(final.text for final in self.finals)


@dataclass
class World:
    """A transcriber and the service that it speaks to."""

    gladia: GladiaEmulator
    client: httpx2.AsyncClient
    timeouts: RecordedTimeouts = QUICK
    bounds: Bounds = field(default_factory=Bounds)

    def transcriber(self, key: str | None = None) -> GladiaTranscriber:
        """Return one as a new process has it."""
        return GladiaTranscriber(
            lambda: self.client,
            self.gladia.url,
            key or self.gladia.api_key,
            self.timeouts,
            self.bounds,
        )

    async def run(
        self,
        track: Track,
        stored: Stored,
        options: StreamOptions = ENGLISH,
        *,
        until: int | None = None,
        loses_last: bool = False,
        key: str | None = None,
    ) -> bool:
        """Transcribe on from what is stored, for so many parts; return whether that is all.

        With `loses_last` the process dies before it has stored the last of these.
        """
        parts = self.transcriber(key).transcribe(track, options, stored.begun)
        count = 0
        async with aclosing(parts):
            async for part in parts:
                count += 1
                if count == until and loses_last:
                    return False
                stored.take(part)
                if count == until:
                    return False
        return True

    async def all_of(self, track: Track, options: StreamOptions = ENGLISH) -> Stored:
        """Transcribe a track from its beginning to its end."""
        stored = Stored()
        assert await self.run(track, stored, options)
        return stored

    def count(self, method: str, path: str = "") -> int:
        """Return how many requests there were."""
        asked = (one for one in self.gladia.requests if one.path.startswith(f"/v2/{path}"))
        return sum(one.method == method for one in asked)


@asynccontextmanager
async def a_world() -> AsyncIterator[World]:
    """Run the emulator, and a client of it."""
    limits = httpx2.Limits(max_keepalive_connections=0)
    async with (
        GladiaEmulator() as gladia,
        httpx2.AsyncClient(verify=False, trust_env=False, limits=limits) as client,
    ):
        yield World(gladia, client)


def quick(**changes: float) -> RecordedTimeouts:
    """Return QUICK with other times."""
    return replace(QUICK, **changes)


def recording(folder: Path, *channels: bytes, name: str = "recording.wav") -> Path:
    """Write a file of these channels."""
    most = max(map(len, channels))
    samples = [np.frombuffer(one.ljust(most, b"\0"), "<i2") for one in channels]
    path = folder / name
    with wave.open(str(path), "wb") as file:
        file.setparams((len(channels), 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.stack(samples, axis=1).tobytes())
    return path


async def read_here(track: Track, start: float = 0.0) -> AsyncGenerator[Piece]:
    """Yield the sound of a file that `recording` wrote, without a process to decode it."""
    with wave.open(str(track.path), "rb") as file:
        position = round(start * 16_000)
        file.setpos(position)
        while pcm := file.readframes(16_000):
            yield Piece(position, len(pcm) // 2, pcm)
            position += len(pcm) // 2


def said_at(*sentences: tuple[float, str], end: float = 0.0) -> bytes:
    """Return sound in which each sentence begins at its second."""
    sound = b""
    for second, sentence in sentences:
        sound += silence(second - len(sound) / 32_000) + speak(sentence)
    return sound + silence(max(0.0, end - len(sound) / 32_000))
