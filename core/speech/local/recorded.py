"""Recordings with the local engine: the same ear as for people who speak, and no hurry.

A recording has no slot and no stream. Each second of it is a turn of its own, which a worker takes
when nobody who speaks has one: see `Worker.hear_patiently`. The next is decoded when the last was
heard, so that some seconds wait in memory however long the recording is.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Protocol

import msgspec

from core.speech.engine import BYTES_PER_SECOND, SAMPLE_RATE, Recognition, StreamOptions
from core.speech.local.ear import Ear, Heard, Line
from core.speech.local.recognizer import Recognizer
from core.speech.local.worker import Work
from core.speech.recorded.decoding import Piece, sound
from core.speech.recorded.model import Begun, Part, Track

# Seconds of a track between two parts at least: what is heard again after a restart, and how often
# something is stored.
PART_S = 20.0


class Hearing(Protocol):
    """Who has the workers: the engine."""

    async def hear_patiently(self, work: Work) -> Heard:
        """Have a worker do this when nobody who speaks needs it. Raises EngineError."""


class LocalRecordings:
    """Transcriber: the local engine. `Part.state` is in which language the track turned out."""

    def __init__(self, engine: Hearing) -> None:
        self._engine = engine

    async def transcribe(
        self, track: Track, options: StreamOptions, begun: Begun
    ) -> AsyncGenerator[Part]:
        """Transcriber."""
        listening = Listening(self._engine, options, begun)
        async with aclosing(sound(track, begun.until)) as pieces:
            async for piece in pieces:
                await listening.take(piece)
                if part := listening.part():
                    yield part
        await listening.finish()
        if part := listening.part(last=True):
            yield part

    async def forget(self, begun: Begun) -> None:
        """Transcriber: nothing left this machine."""


class Listening:
    """A track on its way through the engine's ear, and what of it isn't in a part yet."""

    def __init__(self, engine: Hearing, options: StreamOptions, begun: Begun) -> None:
        self._engine = engine
        self._from = round(begun.until * SAMPLE_RATE) / SAMPLE_RATE  # seconds: the ear's zero
        self._ear = Ear(
            _languages(begun.state) or options.languages, code_switching=options.code_switching
        )
        self._gap = 0  # bytes that nobody hears, since the ear was given something
        self._final_until = 0  # bytes: nothing before it will be said any more
        self._until = self._from  # of the last part
        self._finals: list[Recognition] = []
        self._lost: list[tuple[float, float]] = []  # the last may be behind what is final
        self._spoken = 0  # bytes of speech since the last part

    async def take(self, piece: Piece) -> None:
        """Hear the next piece. Raises EngineError."""
        if piece.is_lost:
            start = piece.start / SAMPLE_RATE
            self._lost.append((start, start + piece.samples / SAMPLE_RATE))
        if piece.pcm.strip(b"\0"):
            await self._listen(piece.pcm)
        else:  # pure silence ends what is said, and costs nothing
            self._gap += 2 * piece.samples

    async def finish(self) -> None:
        """Hear what is left."""
        await self._listen(b"", last=True)
        self._final_until += self._gap

    async def _listen(self, pcm: bytes, *, last: bool = False) -> None:
        gap, self._gap = self._gap, 0
        work = partial(self._hear, gap=gap, pcm=pcm, last=last)
        heard = await self._engine.hear_patiently(work)
        self._final_until = heard.final_until
        for line in heard.lines:
            self._spoken += line.end - line.start
            if line.text:
                self._finals.append(self._recognition(line))

    def _hear(self, recognizer: Recognizer, *, gap: int, pcm: bytes, last: bool) -> Heard:
        return self._ear.listen(recognizer, gap, pcm, update=False, last=last)

    def _recognition(self, line: Line) -> Recognition:
        said = line.recognition().later(self._from)
        # The ear counts anew after a restart; no two begin in the same millisecond.
        return msgspec.structs.replace(said, utterance=f"at {round(said.start * 1000)}")

    def part(self, *, last: bool = False) -> Part | None:
        """Return what came since the last part, if it is worth storing."""
        until = self._from + self._final_until / BYTES_PER_SECOND
        if until - self._until < PART_S and not last:
            return None
        lost = tuple(one for one in self._lost if one[1] <= until + 0.001 or last)
        part = Part(
            finals=tuple(self._finals),
            lost=lost,
            until=until,
            state=msgspec.json.encode(self._ear.languages).decode(),
            seconds_sent=self._spoken / BYTES_PER_SECOND,
        )
        self._until, self._spoken = until, 0
        self._finals.clear()
        del self._lost[: len(lost)]
        return part


def _languages(state: str) -> tuple[str, ...]:
    try:
        return msgspec.json.decode(state, type=tuple[str, ...])
    except msgspec.DecodeError:
        return ()
