"""Who listens to the local engine, and speaks to it."""

from __future__ import annotations

from core.speech.engine import (
    BYTES_PER_SECOND,
    Recognition,
    StreamOptions,
    Translation,
)
from core.speech.local.engine import LocalEngine
from core.speech.local.stream import LocalStream
from core.speech.reasons import Reason
from tests.support.waiting import until


class Listener:
    """A sink that remembers what it was told."""

    def __init__(self) -> None:
        self.heard_all: list[Recognition] = []
        self.delays: list[tuple[bool, Reason | None]] = []
        self.losses: list[tuple[Reason, int]] = []
        self.dropped_seconds = 0.0

    def heard(self, recognition: Recognition) -> None:
        self.heard_all.append(recognition)

    def translated(self, translation: Translation) -> None:
        raise AssertionError("the local engine translates nothing")

    def delayed(self, is_delayed: bool, reason: Reason | None = None) -> None:
        self.delays.append((is_delayed, reason))

    def dropped(self, start: float, end: float) -> None:
        self.dropped_seconds += end - start

    def lost(self, reason: Reason, replay_from: int) -> None:
        self.losses.append((reason, replay_from))

    @property
    def finals(self) -> list[Recognition]:
        return [each for each in self.heard_all if each.final]

    @property
    def text(self) -> str:
        return " ".join(each.text for each in self.finals)


async def open_stream(engine: LocalEngine) -> tuple[LocalStream, Listener]:
    listener = Listener()
    return await engine.open(StreamOptions(), listener), listener


async def feed_as_spoken(stream: LocalStream, pcm: bytes) -> None:
    """Feed half seconds as fast as the engine keeps up, so that it never lags."""
    for at in range(0, len(pcm), BYTES_PER_SECOND // 2):
        stream.feed(pcm[at : at + BYTES_PER_SECOND // 2])
        await until(lambda: stream.pending_seconds < 0.5)


def assert_sound(listener: Listener, seconds: float) -> None:
    """Every utterance: partials before its one final, times in order and within the audio."""
    finished: set[str] = set()
    position = 0.0
    for each in listener.heard_all:
        assert each.utterance not in finished
        assert each.text == each.text.strip()
        assert each.language == "en"
        assert position <= each.start < each.end <= seconds
        if each.final:
            assert each.text
            finished.add(each.utterance)
            position = each.end
