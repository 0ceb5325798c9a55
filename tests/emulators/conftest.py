"""Fixtures of the emulators."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.emulators.gladia import GladiaEmulator


@pytest.fixture
async def emulator() -> AsyncIterator[GladiaEmulator]:
    async with GladiaEmulator() as running:
        yield running


@pytest.fixture
def threaded() -> Iterator[GladiaEmulator]:
    with GladiaEmulator() as running:
        yield running
