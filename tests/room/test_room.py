"""The main job in real browsers: one speaks, the other reads along, both read it afterwards."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from core.speech.engine import BYTES_PER_SECOND
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.call_page import press_sign_in
from tests.support.speech_samples import OPENING, opening, wav_bytes, words, words_in_order
from tests.support.waiting import WAIT_TIMEOUT_S

pytestmark = pytest.mark.browser

FINALS = "[data-lines] .words:not(.in-the-making)"
PARTIALS = "[data-lines] .words.in-the-making"
LIVE = re.compile(r"^\d+:\d\d$")  # the header counts the session's time while connected
LEAD = 8  # seconds of silence before it
CALM = 2.0  # seconds without another final, after which none comes


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of a man who reads the beginning of a novel, for a fake microphone."""
    path = tmp_path_factory.mktemp("audio") / "reading.wav"
    # The recording runs from when the page opens the microphone, which is before the join.
    path.write_bytes(wav_bytes(bytes(LEAD * BYTES_PER_SECOND) + opening()))
    return path


async def sign_in_and_start(page: Page, url: str, name: str, title: str) -> str:
    """Do what a first-time visitor does, and return the session's address."""
    await page.goto(url)
    await page.get_by_role("textbox", name="Name").fill(name)
    await page.get_by_role("textbox", name="E-mail").fill(
        f"{name.split(maxsplit=1)[0].lower()}@example.com"
    )
    await press_sign_in(page)
    await page.get_by_role("textbox", name="What is it about").fill(title)
    await page.get_by_role("button", name="Start a session").click()
    await page.wait_for_url(re.compile(r"/s/"))
    await page.evaluate(
        "fetch(location.href + '/settings',"
        " {method: 'POST', body: new URLSearchParams({admission: 'ANYONE'})})"
    )
    return page.url


async def join_as_guest(page: Page, address: str, name: str) -> None:
    """Open a link, type a name, listen."""
    await page.goto(address)
    await page.get_by_role("textbox", name="Your name").fill(name)
    await page.get_by_role("button", name="Continue as a guest").click()
    await page.get_by_role("button", name="Join and listen only").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)


async def finals(page: Page) -> list[str]:
    """Return the final texts that a page shows."""
    return await page.locator(FINALS).all_inner_texts()


async def all_finals(*pages: Page) -> list[str]:
    """Return the finals once the pages show the same ones, and no more come.

    The last one may come without a partial before it, and to one page before the other.
    """
    said, since = await finals(pages[0]), time.monotonic()
    async with asyncio.timeout(WAIT_TIMEOUT_S):
        while time.monotonic() - since < CALM:
            await asyncio.sleep(0.1)
            for page in pages:
                if (now := await finals(page)) != said:
                    said, since = now, time.monotonic()
    return said


async def heard_last_words(page: Page) -> None:
    """Wait until the passage's last sentence is there for good, of light or the light as heard."""
    last = page.locator(FINALS).filter(has_text=re.compile("light", re.IGNORECASE))
    await expect(last).to_be_visible()


def assert_told_once(said: list[str]) -> None:
    """Check that the passage is there in order and no sentence twice."""
    text = " ".join(said)
    assert words_in_order(OPENING, text) >= 0.85, text
    assert len(words(text)) <= len(words(OPENING)) * 1.1, text


async def test_what_one_says_the_other_reads(
    server: AppServer, browsers: Browsers, reading: Path
) -> None:
    speaker = await browsers.page(microphone=reading, loop=False)
    address = await sign_in_and_start(speaker, server.url, "Charles Dickens", "A tale")
    await speaker.goto("about:blank")  # the recording begins anew once the page is back
    reader = await browsers.page()
    await join_as_guest(reader, address, "Grace Hopper")
    await speaker.goto(address)
    await speaker.get_by_role("button", name="Join with microphone").click()

    await expect(reader.locator(PARTIALS).first).to_be_visible()
    await expect(reader.locator(FINALS).first).to_be_visible()
    # The connection is lost in mid-speech: the page says so, comes back by itself, and resends.
    await speaker.context.set_offline(True)
    await expect(speaker.locator("[data-connection-text]")).not_to_have_text(LIVE)
    await asyncio.sleep(4)
    await speaker.context.set_offline(False)
    await expect(speaker.locator("[data-connection-text]")).to_have_text(LIVE)

    await heard_last_words(reader)
    await heard_last_words(speaker)
    await speaker.keyboard.press("m")
    await expect(speaker.locator("[data-mic]")).to_have_attribute("aria-pressed", "false")
    await expect(reader.locator(PARTIALS)).to_have_count(0)
    said = await all_finals(reader, speaker)
    assert_told_once(said)
    assert await finals(speaker) == said
    names = await reader.locator("[data-lines] .name").all_inner_texts()
    assert set(names) - {""} == {"Charles Dickens"}

    await reader.reload()
    await reader.get_by_role("button", name="Join and listen only").click()
    await heard_last_words(reader)
    assert await finals(reader) == said

    await speaker.get_by_role("button", name=re.compile("^End")).first.click()
    await speaker.get_by_role("dialog").get_by_role("button", name="End for everyone").click()
    for page in (speaker, reader):
        await expect(page.locator("#transcript .name")).to_have_text("Charles Dickens")
        assert await page.locator("#transcript .words").all_inner_texts() == said
        await expect(page.get_by_role("heading", name="A tale")).to_be_visible()

    await speaker.goto(server.url)
    row = speaker.locator(".session-row").filter(has_text="A tale")
    await expect(row).to_contain_text("2 people")
    await expect(row).to_contain_text(re.compile(r"\d (s|min)"))
    assert not browsers.errors
