"""Words that are said through Gladia's emulator, and what the database has of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import silence, speak
from tests.support.visitors import RoomPage


@pytest.fixture(scope="module")
def emulator() -> Iterator[GladiaEmulator]:
    """Gladia, for the servers of a file."""
    with GladiaEmulator() as running:
        yield running


def speech_by(emulator: GladiaEmulator) -> dict[str, str]:
    """Return the settings of a server that it transcribes for."""
    return {"GLADIA_API_KEY": emulator.api_key, "GLADIA_API_URL": emulator.url}


async def say(page: RoomPage, words: list[str]) -> None:
    """Say words and wait until they are final."""
    await page.speak(speak(words) + silence(1))
    await page.until(lambda: page.text.split()[-len(words) :] == words)


def words_in(rows: Sequence[Any]) -> list[str]:
    """Return the words of a session's rows with `text` and `seq`, which leave no number out."""
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    return " ".join(row["text"] for row in rows).split()
