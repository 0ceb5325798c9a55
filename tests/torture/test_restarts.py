"""Twenty restarts while four people speak: each word is there once, whole and in its order."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator

import pytest

from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator, Timings
from tests.support.dictation import speech_by
from tests.support.restarts import restart_while_people_speak

pytestmark = pytest.mark.torture


@pytest.fixture
def gladia() -> Iterator[GladiaEmulator]:
    with GladiaEmulator(timings=Timings.lifelike().scaled(0.3)) as running:
        yield running


async def test_twenty_restarts_lose_and_damage_no_word(
    gladia: GladiaEmulator, make_server: MakeServer
) -> None:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1, 10_000))
    print(f"SEED={seed} repeats these restarts")
    server = await asyncio.to_thread(make_server, **speech_by(gladia))
    ends = ["stop", "stop", "stop", "kill"] * 5
    await restart_while_people_speak(server, 4, ends, seed)
