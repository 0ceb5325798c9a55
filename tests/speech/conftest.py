"""Fixtures of the ear: fast pages, the local engine, and Sessions beside Gladia's emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace

import pytest

from core.speech import microphone as microphone_module
from core.speech import missing, pace
from core.speech.engine import BYTES_PER_SECOND, Health
from core.speech.local.engine import LocalEngine
from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.speech import scripted
from tests.speech.gladia_rooms import beside
from tests.support.app_server import AppServer


@pytest.fixture
def spoken_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let scripted pages speak as fast as tests run: time goes by what they say alone.

    A busy machine's pauses would be in the words' times.
    """
    still = SimpleNamespace(monotonic=lambda: 1_000.0)
    for module in (microphone_module, missing, pace, scripted):
        monkeypatch.setattr(module, "time", still)
    monkeypatch.setattr(pace, "PACE_ALLOWANCE", 10_000.0)


@pytest.fixture
def hasty_pages(spoken_time: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pages speak as fast as tests run, and let a minute be all that may wait of one."""
    monkeypatch.setattr(microphone_module, "MAX_SPEECH_OF_PAGE", 60 * BYTES_PER_SECOND)


@pytest.fixture
async def engine() -> AsyncIterator[LocalEngine]:
    engine = LocalEngine(max_streams=4)
    await engine.start()
    assert engine.health().health is Health.OK
    yield engine
    await engine.close()
    assert engine.health().health is Health.OFF


@pytest.fixture(scope="module")
def gladia() -> Iterator[GladiaEmulator]:
    with GladiaEmulator() as running:
        yield running


@pytest.fixture(scope="module")
def place(gladia: GladiaEmulator, make_server_in: MakeServer) -> Iterator[AppServer]:
    yield from beside(gladia, make_server_in)


@pytest.fixture(scope="module")
def limited_place(gladia: GladiaEmulator, make_server_in: MakeServer) -> Iterator[AppServer]:
    """Sessions with its real rate limits."""
    yield from beside(gladia, make_server_in, RATE_LIMIT_FACTOR="1")
