"""What the room says by itself stays calm, moves nothing, and can be used in a low window."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.room.test_keys import listening
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.visitors import Visitor

pytestmark = pytest.mark.browser

# Parts of the page that moved by themselves; notices stand over it, in their own order.
SHIFTS = """window.shifted = [];
new PerformanceObserver((list) => {
  for (const shift of list.getEntries())
    for (const {node} of shift.hadRecentInput ? [] : shift.sources)
      if (node instanceof Element && !node.closest('.overlay')) shifted.push(node.outerHTML);
}).observe({type: 'layout-shift'})"""
BUSY = {"code": "too_slow", "detail": ""}
TOLD = "this machine is transcribing slower than people speak"
# Tones as they begin, with their pitch.
TONES = """window.tones = [];
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...at) {
  tones.push(this.frequency.value);
  return start.apply(this, at);
}"""


class Line:
    """The page's line to the server, into which a test speaks too."""

    def __init__(self) -> None:
        self._page: WebSocketRoute | None = None
        self.me = ""

    def lay(self, page: WebSocketRoute) -> None:
        """Join the page's end to the server's."""
        self._page, server = page, page.connect_to_server()
        server.on_message(self._pass)

    def _pass(self, text: str | bytes) -> None:
        message: dict[str, Any] = json.loads(text)
        self.me = message.get("you", {}).get("identity") or self.me
        assert self._page
        self._page.send(text)

    def tell(self, message: dict[str, Any]) -> None:
        """Tell the page something."""
        assert self._page
        self._page.send(json.dumps(message))

    def speech(self, state: str) -> None:
        """Tell the page how its own captions are."""
        reason = BUSY if state == "delayed" else None
        since = "2026-01-01T10:00:00Z"
        self.tell(
            {
                "type": "speech",
                "identity": self.me,
                "state": state,
                "reason": reason,
                "since": since,
            }
        )


async def share_of_height(page: Page, selector: str) -> float:
    """How much of the window an element that is all in view takes."""
    box, size = await page.locator(selector).bounding_box(), page.viewport_size
    assert box and size
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= size["height"] + 1
    return box["height"] / size["height"]


async def stand_still(page: Page) -> None:
    """Stop the page's clock: what happens until it goes on is in the same moment."""
    await page.clock.pause_at(await page.evaluate("Date.now() / 1000 + 1"))


async def test_late_captions_are_told_once_they_last(server: AppServer, browsers: Browsers) -> None:
    page = await browsers.page(viewport={"width": 1280, "height": 720})
    await page.clock.install()
    line = Line()
    await page.route_web_socket("**/ws", line.lay)
    await page.add_init_script(TONES)
    await listening(page, server.url)
    notice = page.locator('.notice[data-topic="captions"]')
    said = page.locator("[data-notice-announcer]")
    await page.wait_for_timeout(500)
    await page.evaluate(SHIFTS)

    # Trouble that passes isn't told; what lasts is, once and in one line, and nothing moves.
    line.speech("delayed")
    await page.clock.run_for(3000)
    line.speech("ready")
    line.speech("delayed")
    await page.clock.run_for(3000)
    assert await notice.count() == 0
    await expect(notice).to_have_text(f"Captions of Ada Lovelace are delayed: {TOLD}.")
    await expect(said).to_have_text(f"Captions of Ada Lovelace are delayed: {TOLD}.")
    await expect(page.locator(".tile.mine .tile-state")).to_have_text("captions delayed")
    assert await page.locator(".notice").filter(has_text=re.compile("^Captions")).count() == 1
    # It stays through a moment without, and isn't said again when it comes back.
    await page.evaluate("document.querySelector('[data-notice-announcer]').textContent = ''")
    line.speech("ready")
    await page.clock.run_for(2000)
    line.speech("delayed")
    await page.clock.run_for(4000)
    await expect(notice).to_have_count(1)
    line.speech("ready")
    await expect(notice).to_have_count(0)
    await expect(page.locator(".tile.mine .tile-state")).to_have_text("")
    await expect(said).to_have_text("")
    assert await page.evaluate("shifted") == []

    # Who comes and goes is told, with a sound, and together; who knocks is heard by hosts.
    slug = page.url.rsplit("/", 1)[1]
    await page.evaluate("tones.length = 0")
    guests = [Visitor(server.url).be_guest(slug, name) for name in ("Bob", "Dora (Firefox)")]
    for guest in guests:
        assert guest.knock(slug)[0] == 202
    await page.get_by_role("button", name="Admit all").click()
    await expect(page.locator(".knock")).to_have_count(0)
    assert await page.evaluate("tones.join()") == "587,587,587,587"
    await stand_still(page)
    async with guests[0].page(slug), guests[1].page(slug):
        await expect(page.locator(".tile-initials").last).to_have_text("DF")
        await page.clock.run_for(3000)
        await page.clock.resume()
        await expect(page.locator(".toast")).to_have_text("Bob and Dora (Firefox) joined.")
        await stand_still(page)
    await expect(page.locator(".tile-initials")).to_have_count(1)
    await page.clock.run_for(3000)
    await page.clock.resume()
    await expect(page.locator(".toast").last).to_have_text("Bob and Dora (Firefox) left.")
    await page.wait_for_timeout(300)
    assert await page.evaluate("tones.slice(4).join()") == "523,784,523,392"
    assert not browsers.errors


async def test_a_low_window_has_room_for_what_is_open(
    server: AppServer, browsers: Browsers
) -> None:
    page = await browsers.page(viewport={"width": 640, "height": 360})
    await page.add_init_script("localStorage.setItem('sessions.microphone-on', 'off')")
    join = page.get_by_role("button", name="Join and listen only")
    await listening(page, server.url)
    for width, height in ((844, 390), (640, 360)):
        await page.set_viewport_size({"width": width, "height": height})
        for panel in ("transcript", "chat", "people"):
            if panel == "chat":
                await page.get_by_role("button", name="Chat").click()
            elif panel == "people":
                await page.get_by_role("button", name="More").click()
                await page.get_by_role("button", name="People").click()
            assert await share_of_height(page, f".side[data-panel={panel}]") > 0.5
        await page.get_by_role("button", name="More").click()
        await page.get_by_role("button", name="Transcript").click()
    await page.reload()
    await expect(join).to_be_enabled()
    for width, height in ((844, 390), (640, 360)):
        await page.set_viewport_size({"width": width, "height": height})
        await expect(join).to_be_in_viewport(ratio=1)
    assert not browsers.errors
