"""Gladia's emulator and a short recording for it, for whichever test asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.speech.gladia import reading
from core.speech.recorded.model import Track
from tests.emulators.gladia.recorded_faults import RecordedFaults
from tests.speech.recorded.gladia_recordings import World, a_world, read_here, recording, said_at


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(reading, "sound", read_here)
    async with a_world() as made:
        yield made


@pytest.fixture
def track(tmp_path: Path) -> Track:
    return Track(recording(tmp_path, said_at((1.0, "good morning"), end=3)))


@pytest.fixture
def faults(world: World) -> RecordedFaults:
    return world.gladia.faults.recorded
