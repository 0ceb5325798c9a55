"""Captions as their reader wants them: size, colours, background, lines; kept in this browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.room.test_calm import Line
from tests.room.test_keys import listening
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.call_page import LIVE

pytestmark = pytest.mark.browser

LONG = " ".join(f"word{number}" for number in range(400))


def said(line: Line, key: str, text: str) -> dict[str, Any]:
    """A partial of our own, as the server tells it."""
    return {
        "type": "utterance",
        "id": key,
        "seq": None,
        "identity": line.me,
        "name": "Ada Lovelace",
        "hue": 4,
        "text": text,
        "start": 0.0,
        "end": 1.0,
        "language": "en",
        "final": False,
    }


async def choose(page: Page, label: str, option: str) -> None:
    """Choose how captions look, in the settings."""
    await page.get_by_role("button", name="Settings", exact=True).click()
    await page.get_by_label(label).select_option(option)
    await page.keyboard.press("Escape")


async def look_of(page: Page) -> dict[str, str]:
    """How the first line over the picture is drawn."""
    found: dict[str, str] = await page.locator(".subtitle").first.evaluate(
        "(line) => { const {fontSize, color, backgroundColor} = getComputedStyle(line);"
        " return {fontSize, color, backgroundColor}; }"
    )
    return found


async def test_captions_look_as_their_reader_wants(server: AppServer, browsers: Browsers) -> None:
    page = await browsers.page(viewport={"width": 1280, "height": 720})
    line = Line()
    await page.route_web_socket("**/ws", line.lay)
    await listening(page, server.url, "Looker One")
    await page.keyboard.press("l")
    line.tell(said(line, "a", "Good morning."))
    await expect(page.locator(".subtitle")).to_contain_text("Good morning.")
    before = await look_of(page)

    await choose(page, "Size of the text", "Very large")
    await choose(page, "Colours", "Black on white")
    await choose(page, "Background", "Solid")
    line.tell(said(line, "a", "Good morning, all."))
    chosen = await look_of(page)
    ratio = float(chosen["fontSize"][:-2]) / float(before["fontSize"][:-2])
    assert ratio == pytest.approx(1.8, abs=0.05)
    assert (chosen["color"], chosen["backgroundColor"]) == ("rgb(0, 0, 0)", "rgb(255, 255, 255)")

    # As many lines as are wanted, with the newest words, whoever says how much.
    rows = "Math.round(line.clientHeight / parseFloat(getComputedStyle(line).lineHeight))"
    for lines in ("2", "1"):
        await choose(page, "Lines at most", lines)
        line.tell(said(line, "b", LONG))
        shown = page.locator(".subtitle").filter(has_text="word399")
        await expect(shown).to_have_count(1)
        await expect(page.locator(".subtitle")).to_have_count(1)
        assert await shown.evaluate(f"(line) => {rows}") <= int(lines)
        await expect(shown).to_contain_text("…")

    # Another day, in the same browser.
    await page.reload()
    await page.get_by_role("button", name="Join and listen only").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    await page.keyboard.press("l")
    line.tell(said(line, "c", "Back again."))
    await expect(page.locator(".subtitle")).to_contain_text("Back again.")
    assert await look_of(page) == chosen
    assert await page.locator("#room").get_attribute("data-caption-lines") == "1"
    assert browsers.errors == []


async def test_what_is_kept_and_no_choice_any_more_counts_as_none(
    server: AppServer, browsers: Browsers
) -> None:
    page = await browsers.page()
    await page.add_init_script("localStorage.setItem('sessions.captions.size', 'gigantic')")
    await listening(page, server.url, "Another Looker")
    assert await page.locator("#room").get_attribute("data-caption-size") == "normal"
