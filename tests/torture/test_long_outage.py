"""A machine that is gone for ten minutes while somebody goes on talking, word by word."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial

import pytest
from playwright.async_api import Locator, expect

from core.speech.engine import BYTES_PER_SECOND
from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import silence, speak, vocabulary
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.call_page import LIVE
from tests.support.dictation import emulator, speech_by
from tests.support.kept_speech import KeptSpeech, begin_talk, session_began_earlier
from tests.support.tables import Tables
from tests.support.visitors import RoomPage, Visitor
from tests.support.waiting import wait_until

__all__ = ["emulator"]

pytestmark = pytest.mark.torture

WORDS = vocabulary(400, seed=15)
BOBS = vocabulary(440, seed=15)[400:]
A_MINUTE = 25  # words
LINE = '.notice[data-topic="connection"]'


@dataclass
class Outage:
    """Ada, whose page keeps what she says, and Bob, who reads."""

    server: AppServer
    ada: KeptSpeech
    bob: Visitor
    slug: str
    said: int = 0  # words of Ada so far

    @property
    def line(self) -> Locator:
        return self.ada.page.locator(LINE)

    async def minute(self) -> None:
        """Let Ada say some words and then nothing, a minute in all."""
        words = speak(WORDS[self.said : self.said + A_MINUTE])
        self.said += A_MINUTE
        await self.ada.say(words)
        await self.ada.hum(60 - len(words) // BYTES_PER_SECOND)

    async def come_back(self, minutes: int) -> RoomPage:
        """Start the server, see Ada's page return, and return a new page of Bob's."""
        await session_began_earlier(self.server.database_url, 60 * minutes)
        await asyncio.to_thread(self.server.start)
        await self.ada.page.clock.run_for(8_000)
        await expect(self.ada.page.locator("[data-connection-text]")).to_have_text(LIVE)
        reader = self.bob.page(self.slug)
        await reader.connect()
        return reader


def says(reader: RoomPage, word: str) -> bool:
    return word in reader.text.split()


async def killed_in_mid_sentence(
    make_server: MakeServer, browsers: Browsers, emulator: GladiaEmulator
) -> Outage:
    server = await asyncio.to_thread(make_server, **speech_by(emulator))
    _, speech, bob, reader, slug = await begin_talk(server, browsers)
    talk = Outage(server, speech, bob, slug)
    await talk.ada.say(speak(WORDS[:5]) + silence(1))
    await reader.until(lambda: reader.text.split() == WORDS[:5])
    tables = Tables(server.database_url)
    await asyncio.to_thread(wait_until, lambda: tables("SELECT 1 FROM utterances"))
    await talk.ada.say(speak(WORDS[5:15]))
    server.kill()
    await reader.until_closed()
    talk.said = 15
    return talk


async def test_what_is_said_in_nine_minutes_of_outage_comes_once_and_delays_nobody(
    make_server: MakeServer, browsers: Browsers, emulator: GladiaEmulator
) -> None:
    talk = await killed_in_mid_sentence(make_server, browsers, emulator)
    for _ in range(9):
        await talk.minute()
    await expect(talk.line).to_contain_text("Soon the oldest of it is let go")
    reader = await talk.come_back(9)
    await expect(talk.line).to_contain_text("being sent")
    # Bob talks while nine minutes of Ada's come in one.
    await reader.mic(True)
    waits = []
    for word in BOBS:
        await reader.speak(speak([word]), speed=1)
        began = time.monotonic()
        await reader.speak(silence(1), speed=1)
        await reader.until(partial(says, reader, word))
        waits.append(time.monotonic() - began)
    assert max(waits) < 5, sorted(waits)
    await expect(talk.line).to_have_count(0)

    def adas() -> list[str]:
        theirs = [one for one in reader.finals if one["name"] == "Ada"]
        return " ".join(one["text"] for one in theirs).split()

    await reader.until(lambda: len(adas()) >= talk.said)
    assert adas() == WORDS[: talk.said]
    starts = [one["start"] for one in reader.finals if one["name"] == "Ada"]
    assert starts == sorted(starts)
    assert starts[-1] - starts[0] == pytest.approx(8 * 60, abs=60)
    assert not browsers.errors


async def test_of_twelve_minutes_the_last_ten_come_and_the_rest_is_a_gap(
    make_server: MakeServer, browsers: Browsers, emulator: GladiaEmulator
) -> None:
    talk = await killed_in_mid_sentence(make_server, browsers, emulator)
    lost = talk.ada.page.locator(".toast", has_text="some of your words are lost")
    told = []
    for _ in range(12):
        await talk.minute()
        told.append(await lost.count())
    assert told == [0] * 9 + [1, 0, 0], "once, when it begins"
    await expect(talk.line).to_contain_text("Your last 10 minutes are kept")
    reader = await talk.come_back(12)
    await talk.ada.hasten()
    await expect(talk.line).to_have_count(0)
    await reader.until(lambda: WORDS[talk.said - 1] in reader.text)
    first, gap, *rest = sorted(reader.finals, key=lambda one: one["start"])
    assert first["text"].split() == WORDS[:5]
    # What was said right before the kill and in the first two minutes.
    assert gap["lost"] == pytest.approx(125, abs=5)
    said = " ".join(one["text"] for one in rest).split()
    kept = [word for word in said if word in WORDS]  # at the edge one may be cut
    assert kept == WORDS[talk.said - len(kept) : talk.said]
    assert 10 * A_MINUTE - 5 <= len(kept) <= 10 * A_MINUTE
    assert not browsers.errors
