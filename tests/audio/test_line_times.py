"""A line's times are within 0.3 s of its sound, with real speech and the engine that is built in.

Tried where a time could slip: a page's first sound, a page that was open long before it spoke, a
microphone that was off meanwhile, and another process.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from core.speech.engine import BYTES_PER_SAMPLE, SAMPLE_RATE
from tests.audio.kept import Kept, over, sound_of
from tests.conftest import MakeServer
from tests.emulators.wordaudio import silence
from tests.support.speech_samples import beckett, two_cities, words
from tests.support.visitors import RoomPage

FAR = 0.3  # seconds
ALIKE = 0.8  # of what was kept and what was said: Opus changes a voice
_LINE = re.compile(r'<p class="words"[^>]* data-sound="(\S+) (\S+) (\S+)">([^<]*)')

# By a word that nothing else has: at which second of its recording each phrase begins and ends.
PHRASES = {
    "best": (1.20, 2.82),
    "wisdom": (5.02, 6.20),
    "foolishness": (6.66, 8.20),
    "tried": (0.32, 1.49),
    "failed": (1.70, 2.80),
}


@dataclass
class Voice:
    """A page that says parts of a recording, and when it said each phrase."""

    page: RoomPage
    speech: bytes
    said_at: dict[str, float] = field(default_factory=dict)  # of the clock on the wall
    until: float = field(default_factory=time.monotonic)  # its samples are of before that

    async def says(self, *phrases: str, after: float = 0.05) -> None:
        """Say these as fast as people do, all of them at once, and turn the microphone off.

        The first begins so many seconds after the microphone was turned on.
        """
        first, last = PHRASES[phrases[0]][0] - after, PHRASES[phrases[-1]][1] + 0.1
        self.page.record(silence(time.monotonic() - self.until))  # while it was off
        await self.page.mic(True)
        for one in phrases:
            self.said_at[one] = time.time() + PHRASES[one][0] - first
        at = [int(second * SAMPLE_RATE) * BYTES_PER_SAMPLE for second in (first, last)]
        await self.page.speak(self.speech[slice(*at)], speed=1)
        self.until = time.monotonic()
        await self.page.mic(False)
        await self.page.until(lambda: phrases[-1] in words(self.page.text))


async def test_times_are_those_of_the_sound(make_server: MakeServer) -> None:
    server = await asyncio.to_thread(make_server, SPEECH_ENGINE="local")
    kept = await asyncio.to_thread(Kept, server)
    guest = await asyncio.to_thread(kept.guest)
    async with kept.page(kept.owner) as page, kept.page(guest) as other:
        host, late = Voice(page, two_cities()), Voice(other, beckett())
        late.until -= 30  # it was open for so long before it spoke
        speaking = asyncio.create_task(late.says("tried", "failed"))
        await host.says("best")
        await host.says("wisdom", after=0.7)
        await speaking
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        await page.until_closed()
        await page.connect()
        await host.says("foolishness")
        started = datetime.fromisoformat(page.welcome["session"]["started_at"]).timestamp()
        said_at = host.said_at | late.said_at
        for final in page.finals:
            first, last = _phrases(final["text"])
            length = PHRASES[last][1] - PHRASES[last][0]
            assert abs(final["start"] - (said_at[first] - started)) < FAR, final
            assert abs(final["end"] - (said_at[last] + length - started)) < FAR, final
    await over(kept, recordings=3)
    shown = (await asyncio.to_thread(kept.owner.http.get, f"/s/{kept.slug}")).text
    lines = _LINE.findall(shown)
    assert len(lines) == len({final["id"] for final in page.finals})
    for recording, begin, end, text in lines:
        answer = await asyncio.to_thread(kept.hear, guest, recording)
        at, until = float(begin), float(end)
        sound = sound_of(answer.content)[_bytes(at) : _bytes(until)]
        first, last = _phrases(text)
        spoken = _place(sound, beckett() if first in late.said_at else two_cities())
        assert abs(spoken - PHRASES[first][0]) < FAR, text
        assert abs(spoken + until - at - PHRASES[last][1]) < FAR, text
    heard = " ".join(text for *_, text in lines)
    assert PHRASES.keys() <= set(words(heard))


def _phrases(text: str) -> tuple[str, str]:
    """Return the first and the last phrase in a line."""
    there = [word for word in words(text) if word in PHRASES]
    return there[0], there[-1]


def _bytes(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE) * BYTES_PER_SAMPLE


def _place(sound: bytes, speech: bytes) -> float:
    """Return the second of the speech at which this sound begins, which must be of it."""
    heard, said = _wave(sound), _wave(speech)
    size = 1 << (len(heard) + len(said)).bit_length()
    spectra = np.fft.rfft(said, size) * np.conj(np.fft.rfft(heard, size))
    match = np.fft.irfft(spectra, size)
    at = int(match.argmax())
    at -= size if at > len(said) else 0
    part = said[max(0, at) : at + len(heard)]
    alike = match.max() / np.sqrt((part**2).sum() * (heard**2).sum())
    assert alike > ALIKE, f"{alike:.2f}"
    return at / SAMPLE_RATE


def _wave(pcm: bytes) -> npt.NDArray[np.float64]:
    return np.frombuffer(pcm, "<i2").astype(np.float64)
