"""A space that has its sound kept: what is said in its sessions, and what of that can be heard."""

from __future__ import annotations

import asyncio
import io
import secrets
from dataclasses import dataclass
from pathlib import Path

import av
import httpx2
import numpy as np

from core.speech.engine import SAMPLE_RATE
from core.store.recordings import Heard
from tests.emulators.wordaudio import DAMAGED, WordDecoder, silence, speak
from tests.support.app_server import AppServer
from tests.support.tables import Tables
from tests.support.visitors import RoomPage, Visitor
from tests.support.waiting import until

JSON = {"Accept": "application/json"}
# Where an utterance can be heard, as core/store/recordings.py asks it.
HEARD = """
    SELECT u.seq, u.text, u.start_s, u.end_s, r.id, r.samples,
        u.end_s - CAST(u.until - r.first_sample AS float8) / 16000 AS zero
    FROM utterances u JOIN sessions s ON s.id = u.session_id
    JOIN recordings r ON r.session_id = s.id AND r.identity = u.identity AND r.client = u.client
        AND r.first_sample < u.until AND r.first_sample + r.samples > u.until - 1600
    WHERE s.slug = $1 AND r.bytes > 0 ORDER BY u.seq
"""


@dataclass(frozen=True)
class Line:
    """A line, and its place in the file that has its sound."""

    text: str
    recording: str
    first: float
    last: float


class Kept:
    """A space with a session of its owner's."""

    def __init__(self, place: AppServer, days: int | None = 7) -> None:
        self.place = place
        self.tables = Tables(place.database_url)
        self.name = f"Owner {secrets.token_hex(4)}"
        self.owner = Visitor(place.url).sign_in(self.name)
        self.slug = self.owner.start_session()
        self.space = str(
            self.tables.one("SELECT space_id FROM sessions WHERE slug = $1", self.slug)
        )
        if days is not None:
            assert self.keep(days) == 204

    def keep(self, days: int | None) -> int:
        form = {} if days is None else {"keep": "yes", "days": str(days)}
        address = f"/spaces/{self.space}/audio"
        return self.owner.http.post(address, data=form, headers=JSON).status_code

    def guest(self, name: str = "Guest") -> Visitor:
        return Visitor(self.place.url).be_guest(self.slug, name)

    def page(self, who: Visitor, told: int = 7) -> RoomPage:
        page = who.page(self.slug)
        page.told_audio = told
        return page

    def files(self, slug: str = "") -> list[Path]:
        """Return the files that there are of a session's sound."""
        session = self.tables.one("SELECT id FROM sessions WHERE slug = $1", slug or self.slug)
        return sorted((self.place.data_dir / "audio" / str(session)).glob("*"))

    def rows(self) -> list[tuple[str, int, float]]:
        """Return the recordings that the database knows: id, bytes and seconds."""
        found = self.tables(
            "SELECT r.id, r.bytes, r.samples FROM recordings r JOIN sessions s"
            " ON s.id = r.session_id WHERE slug = $1 ORDER BY r.created_at",
            self.slug,
        )
        return [(str(one[0]), one[1], one[2] / SAMPLE_RATE) for one in found]

    def lines(self) -> list[Line]:
        lines = []
        for row in self.tables(HEARD, self.slug):
            where = Heard(str(row["id"]), row["zero"], row["samples"] / SAMPLE_RATE)
            span = where.span(row["start_s"], row["end_s"])
            assert span is not None
            lines.append(Line(row["text"], where.recording, *span))
        return lines

    def address(self, recording: str) -> str:
        return f"/s/{self.slug}/audio/{recording}"

    def hear(self, who: Visitor, recording: str, **headers: str) -> httpx2.Response:
        return who.http.get(self.address(recording), headers=JSON | headers)


async def says(page: RoomPage, *words: str) -> None:
    """Say it as fast as people do, and wait until it is written."""
    await page.mic(True)
    before = len(page.text.split())
    # What would be from before the session began has no times of its own.
    await page.speak(speak([*words]) + silence(1), speed=1)
    await page.until(lambda: len(page.text.split()) >= before + len(words))


async def over(kept: Kept, recordings: int = 1) -> None:
    """End the session, and wait until the database knows what was kept of it."""
    await asyncio.to_thread(kept.owner.end, kept.slug)
    await until(lambda: asyncio.to_thread(lambda: len(kept.rows()) == recordings))


def sound_of(ogg: bytes) -> bytes:
    """Decode Ogg Opus to 16 kHz mono PCM16."""
    pieces = []
    with av.open(io.BytesIO(ogg), "r") as file:
        assert file.format.name == "ogg"
        assert file.streams.audio[0].codec.name == "opus"
        resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE)
        for frame in file.decode(audio=0):
            pieces += [one.to_ndarray()[0] for one in resampler.resample(frame)]
        pieces += [one.to_ndarray()[0] for one in resampler.resample(None)]
    return np.concatenate(pieces).astype("<i2").tobytes()


def words_in(pcm: bytes) -> dict[str, float]:
    """Return the words that are heard in it, and at which second each begins."""
    decoder = WordDecoder(exact=False)
    heard = decoder.feed(pcm) + decoder.finish()
    return {one.text: one.start / SAMPLE_RATE for one in heard if one.text != DAMAGED}
