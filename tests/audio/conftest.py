"""Fixtures of kept sound: Sessions beside Gladia's emulator, and spaces that have it kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.speech.gladia_rooms import beside
from tests.support.app_server import AppServer


@pytest.fixture(scope="module")
def gladia() -> Iterator[GladiaEmulator]:
    with GladiaEmulator() as running:
        yield running


@pytest.fixture(scope="module")
def place(gladia: GladiaEmulator, make_server_in: MakeServer) -> Iterator[AppServer]:
    yield from beside(gladia, make_server_in)
