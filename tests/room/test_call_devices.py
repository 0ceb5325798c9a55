"""Microphone and loudspeaker in a call: let go, muted while they open, silent, held back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import Browsers
from tests.support.call_page import (
    LIVE,
    WIDE,
    Place,
    admitted,
    becomes,
    host,
    in_call,
    place,
    quiet,
    slow_microphone,
    start,
    tone,
)

__all__ = ["place", "quiet", "tone"]

pytestmark = pytest.mark.browser

# An audio system that takes a second to start, and a browser that may refuse to play.
SLOW_SOUND = """const state = Object.getOwnPropertyDescriptor(BaseAudioContext.prototype, 'state');
const seen = new WeakMap();
Object.defineProperty(BaseAudioContext.prototype, 'state', {
  get() {
    if (!seen.has(this)) seen.set(this, performance.now());
    return performance.now() - seen.get(this) < 1000 ? 'suspended' : state.get.call(this);
  },
});
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () {
  if (!window.refusing || !(this instanceof HTMLAudioElement)) return play.call(this);
  this.autoplay = false;
  this.pause();
  return Promise.reject(new DOMException('not before a click', 'NotAllowedError'));
};"""


async def test_a_click_for_sound_is_asked_for_only_when_there_is_need(
    place: Place, browsers: Browsers, quiet: Path, tone: Path
) -> None:
    page = await browsers.page(microphone=quiet, viewport=WIDE)
    await page.add_init_script(SLOW_SOUND)
    address = await start(page, place.app)
    await page.get_by_role("button", name="Join with microphone").click()
    await in_call(page, "Ada Lovelace (you)")
    await page.wait_for_timeout(1_500)
    notice = page.locator('.notice[data-topic="sound"]')
    await expect(notice).to_have_count(0)

    await page.evaluate("window.refusing = true")
    guest = await browsers.page(microphone=tone, viewport=WIDE)
    await admitted(guest, page, address, "Grace Hopper")
    await expect(notice).to_contain_text("Your browser holds back the sound.")
    await notice.get_by_role("button", name="Play sound").click()
    await page.wait_for_timeout(500)
    await expect(notice).to_be_visible()
    await page.evaluate("window.refusing = false")
    await notice.get_by_role("button", name="Play sound").click()
    await expect(notice).to_have_count(0)
    assert not browsers.errors


async def test_an_audio_system_that_stops_is_noticed(
    place: Place, browsers: Browsers, tone: Path
) -> None:
    page = await browsers.page(microphone=tone, viewport=WIDE)
    await page.add_init_script(
        "window.contexts = [];"
        "window.AudioContext = class extends AudioContext {"
        " constructor(...how) { super(...how); contexts.push(this); } };"
    )
    await start(page, place.app)
    await page.get_by_role("button", name="Join with microphone").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    heard = re.compile(r"--level: (0\.0[1-9]|0\.[1-9]|1)")
    await expect(page.locator("[data-level]")).to_have_attribute("style", heard)
    # As a phone does when somebody calls.
    await page.evaluate("Promise.allSettled(contexts.map((context) => context.suspend()))")
    notice = page.locator('.notice[data-topic="silent"]')
    await expect(notice).to_contain_text("Your microphone is silent.")
    await expect(page.locator("[data-level]")).to_have_attribute("style", "--level: 0.00;")
    await page.mouse.click(640, 300)
    await expect(notice).to_have_count(0)
    assert not browsers.errors


async def microphone_is(page: Page, *, on: bool) -> None:
    """Wait until the microphone that was opened gives sound, or none, and its button says so."""
    await becomes(page, f"tracks[0].enabled === {str(on).lower()}")
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", str(on).lower())


async def test_a_key_let_go_while_the_microphone_opens_leaves_it_off(
    place: Place, browsers: Browsers
) -> None:
    page = await slow_microphone(browsers)
    await start(page, place.app)
    await page.evaluate("localStorage.setItem('sessions.microphone-on', 'off')")
    await page.reload()
    await page.get_by_role("button", name="Join and listen only").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    await page.keyboard.down(" ")
    await becomes(page, "tracks.length")
    await page.keyboard.up(" ")
    await page.evaluate("ready()")
    await microphone_is(page, on=False)

    # It is open now, and talks with the key.
    await page.keyboard.down(" ")
    await microphone_is(page, on=True)
    await page.keyboard.up(" ")
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", "false")
    assert await page.evaluate("tracks.length") == 1
    assert not browsers.errors


async def test_a_hosts_mute_reaches_a_microphone_that_still_opens(
    place: Place, browsers: Browsers, quiet: Path
) -> None:
    ada, address = await host(browsers, place.app, quiet)
    bob = await slow_microphone(browsers)
    await bob.add_init_script("localStorage.setItem('sessions.microphone-on', 'off')")
    await bob.goto(address)
    await bob.get_by_role("textbox", name="Your name").fill("Bob")
    await bob.get_by_role("button", name="Continue as a guest").click()
    join = bob.get_by_role("button", name="Join and listen only")
    await expect(join).to_be_enabled()  # until then it is another button
    await join.click()
    await ada.get_by_role("button", name="Admit Bob").click()
    await expect(bob.locator("[data-connection-text]")).to_have_text(LIVE)
    await ada.get_by_role("button", name="People").click()
    await bob.keyboard.press("m")
    await becomes(bob, "tracks.length")
    # It was shown until a moment ago; a click is on its way then.
    await ada.get_by_label("Mute Bob").dispatch_event("click")
    await expect(bob.locator(".toast")).to_contain_text("A host muted your microphone.")
    await bob.evaluate("ready()")
    await microphone_is(bob, on=False)
    await bob.keyboard.press("m")
    await microphone_is(bob, on=True)
    assert not browsers.errors
