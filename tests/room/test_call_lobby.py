"""Before one is in the call: the lobby, with devices that work, are blocked or come too late."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import Browsers
from tests.support.call_page import (
    LIVE,
    Place,
    becomes,
    place,
    quiet,
    shows_picture,
    slow_microphone,
    start,
    tone,
)

__all__ = ["place", "quiet", "tone"]

pytestmark = pytest.mark.browser


async def test_before_joining(place: Place, browsers: Browsers, tone: Path) -> None:
    page = await browsers.page(microphone=tone, viewport={"width": 390, "height": 844})
    await start(page, place.app)
    microphone = page.get_by_role("button", name="Microphone is on")
    await expect(microphone).to_be_visible()
    await becomes(page, "document.querySelector('[data-lobby-meter]').value > 0.1")
    assert len(await page.locator("#lobby-microphone option").all_inner_texts()) > 1
    await page.get_by_role("button", name="Camera is off").click()
    await shows_picture(page, "[data-preview]")
    await expect(page.get_by_role("button", name="Join with microphone and camera")).to_be_enabled()
    await microphone.click()
    await expect(page.get_by_role("button", name="Join with camera, muted")).to_be_visible()

    # Next time it is as it was left.
    await page.reload()
    await shows_picture(page, "[data-preview]")
    await page.get_by_role("button", name="Join with camera, muted").click()
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", "false")
    await expect(page.locator("[data-camera]")).to_have_attribute("aria-pressed", "true")
    await shows_picture(page, ".tile.mine")
    wide = "document.documentElement.scrollWidth <= innerWidth"
    assert await page.evaluate(wide)
    assert not browsers.errors


async def test_a_blocked_microphone_is_explained(place: Place, browsers: Browsers) -> None:
    page = await browsers.page(permissions=(), flags=["--use-fake-ui-for-media-stream=deny"])
    await start(page, place.app)
    await page.get_by_role("button", name="Microphone is off").click()
    hint = page.locator("[data-lobby-hint]")
    await expect(hint).to_contain_text("Your browser is blocking the microphone.")
    await expect(page.get_by_role("button", name="Microphone is off")).to_be_visible()
    await page.get_by_role("button", name="Join and listen only").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    await page.keyboard.press("m")
    notice = page.locator('.notice[data-topic="microphone"]')
    await expect(notice).to_contain_text("allow the microphone")
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", "false")


async def microphone_is(page: Page, *, on: bool) -> None:
    """Wait until the microphone that was opened gives sound, or none, and its button says so."""
    await becomes(page, f"tracks[0].enabled === {str(on).lower()}")
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", str(on).lower())


async def refused(page: Page, status: int, code: str) -> None:
    """Let nobody join from this page."""
    answer = {"error": {"code": code, "message": "Not now."}}
    await page.route("**/join", lambda route: route.fulfill(status=status, json=answer))


async def test_who_is_refused_while_the_microphone_opens_lets_it_go(
    place: Place, browsers: Browsers
) -> None:
    page = await slow_microphone(browsers)
    await refused(page, 403, "locked")
    await start(page, place.app)
    await becomes(page, "tracks.length")
    await page.get_by_role("button", name="Join with microphone").click()
    await expect(page.get_by_role("heading", name="This session is locked.")).to_be_visible()
    await page.evaluate("ready()")
    await becomes(page, "tracks.every((track) => track.readyState === 'ended')")
    assert not browsers.errors


async def test_a_failed_attempt_to_join_leaves_the_lobby_as_it_says(
    place: Place, browsers: Browsers
) -> None:
    page = await browsers.page()
    await refused(page, 503, "unavailable")
    await start(page, place.app)
    await page.get_by_role("button", name="Camera is off").click()
    await shows_picture(page, "[data-preview]")
    join = page.get_by_role("button", name="Join with microphone and camera")
    await join.click()
    await expect(page.locator("[data-lobby-problem]")).to_have_text("Not now.")
    await expect(page.locator("[data-preview] video")).to_have_count(0)
    await expect(page.get_by_role("button", name="Microphone is off")).to_be_visible()
    await expect(page.get_by_role("button", name="Camera is off")).to_be_visible()
    await page.unroute_all()
    await join.click()
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", "true")
    await shows_picture(page, ".tile.mine")
    assert not browsers.errors
