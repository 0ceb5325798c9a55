"""A restart at any moment, also within a word: none is lost, damaged or told twice."""

from __future__ import annotations

import asyncio

from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.support.dictation import emulator, speech_by
from tests.support.restarts import restart_while_people_speak

__all__ = ["emulator"]


async def test_restarts_in_mid_word_lose_and_damage_none(
    emulator: GladiaEmulator, make_server: MakeServer
) -> None:
    server = await asyncio.to_thread(make_server, **speech_by(emulator))
    await restart_while_people_speak(server, 2, ["stop", "stop"], seed=1)
    assert "of its speech were lost" not in server.log
