"""A recording from the start page to its transcript, in a browser whose line breaks meanwhile."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from tests.support.app_server import AppServer
from tests.support.browser import Browsers, be
from tests.support.speech_samples import beckett, two_cities
from tests.uploads.uploader import Uploader, wav

pytestmark = pytest.mark.browser


async def break_line_once(page: Page) -> list[str]:
    """Have the line break behind the first piece of a file; return what is asked for after that."""
    asked: list[str] = []

    async def pass_on(route: Route) -> None:
        first = not asked
        asked.append(route.request.url)
        if first:
            await page.context.set_offline(True)
        await route.continue_()

    await page.route(re.compile(r"/files/\d+\?offset=[1-9]"), pass_on)
    return asked


async def test_two_who_were_recorded_apart_are_read_together(
    place: AppServer, browsers: Browsers, tmp_path: Path
) -> None:
    cities = two_cities()
    (tmp_path / "Charles_Dickens.wav").write_bytes(wav(cities, cities))  # 2.8 MB
    (tmp_path / "call.wav").write_bytes(wav(beckett(), bytes(len(beckett()))))
    ada = await asyncio.to_thread(Uploader, place)
    context = await browsers.context()
    await be(context, ada.visitor)
    page = await context.new_page()
    await page.goto(place.url)
    await page.get_by_role("link", name="Upload a recording").click()
    await page.get_by_label("What is it about?").fill("Two voices")
    await page.get_by_role("button", name="Go on: choose files").click()
    await page.wait_for_url(re.compile("/uploads/[0-9a-f-]{36}$"))

    asked = await break_line_once(page)
    chooser = page.get_by_label("Choose a file for each speaker")
    await chooser.set_input_files([tmp_path / "Charles_Dickens.wav", tmp_path / "call.wav"])
    await expect(page.get_by_text("The line is broken")).to_be_visible()
    await context.set_offline(False)
    await expect(page.get_by_label("Who speaks")).to_have_count(2)
    assert len(asked) > 1
    assert asked[0] in asked[1:]  # it went on from what was there
    await expect(page.locator("#coming li")).to_have_count(0)
    dickens, _ = await page.get_by_label("Who speaks").all()
    await expect(dickens).to_have_value("Charles Dickens")  # as the file is called

    # The second file has somebody else in each channel; what was typed above stays.
    await dickens.fill("Charles")
    await page.get_by_label("Somebody else speaks in each channel").last.check()
    await page.get_by_label("Who speaks on the left").fill("Samuel")
    await page.get_by_label("Who speaks on the right").fill("Nobody")
    await page.get_by_label("Who speaks on the right").press("Enter")  # keeps it, starts nothing
    await expect(page.get_by_label("Who speaks on the left")).to_have_value("Samuel")
    await expect(page.get_by_label("Who speaks", exact=True)).to_have_value("Charles")
    await page.get_by_role("button", name="Transcribe it").click()

    await expect(page.get_by_text("You can close this page")).to_be_visible()
    await expect(page.get_by_role("progressbar")).to_have_attribute(
        "max", re.compile("6[0-9]|5[0-9]")
    )
    # Somebody who closes it and comes back sees how far it is, and at last the transcript.
    address = page.url
    await page.goto(place.url)
    await page.goto(address)
    await (
        page.get_by_role("link", name="Read the transcript")
        .or_(page.get_by_role("heading", name="Two voices"))
        .first.wait_for()
    )
    if page.url == address:
        await page.get_by_role("link", name="Read the transcript").click()
    await expect(page.get_by_text("best of times")).to_be_visible()
    for words, name in (("best of times", "Charles"), ("Ever tried", "Samuel")):
        turn = page.locator(".turn", has_text=re.compile(words, re.IGNORECASE)).first
        await expect(turn.locator(".name")).to_have_text(name)
    assert browsers.errors == []


async def test_without_scripts_it_works_as_well(
    place: AppServer, browsers: Browsers, tmp_path: Path
) -> None:
    (tmp_path / "Samuel.wav").write_bytes(wav(beckett()))
    ada = await asyncio.to_thread(Uploader, place)
    context = await browsers.context(java_script_enabled=False)
    await be(context, ada.visitor)
    page = await context.new_page()
    await page.goto(f"{place.url}/spaces/{await asyncio.to_thread(lambda: ada.space)}/uploads")
    await page.get_by_role("button", name="Go on: choose files").click()
    await page.get_by_label("Choose a file").set_input_files(tmp_path / "Samuel.wav")
    await page.get_by_role("button", name="Upload").click()
    await expect(page.get_by_label("Who speaks")).to_have_value("Samuel")
    await page.get_by_role("button", name="Transcribe it").click()
    await expect(page.get_by_text("You can close this page")).to_be_visible()
    await page.get_by_role("link", name="Read what is there so far").click()
    await expect(page.get_by_role("heading", name="Recording")).to_be_visible()
