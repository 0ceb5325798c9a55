"""What is typed goes where the eyes are, and switches nothing on: in Chromium and Firefox."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.call_page import press_sign_in
from tests.support.firefox import FirefoxPage, find_firefox, firefox_page, sign_in_and_start

pytestmark = pytest.mark.browser

LIVE = re.compile(r"^\d+:\d\d$")
SENTENCE = "Can someone mail me the slides?"
PLACES = {" ": "Space", ",": "Comma", "?": "Slash"}  # of keys that are no letters
PRESSED = (
    "['mic', 'camera', 'share', 'hand'].filter((one) =>"
    " document.querySelector(`[data-${one}]`).getAttribute('aria-pressed') === 'true').join()"
)
# Whatever asks for a device or a screen, whether or not it gets one.
ASKED = """window.asked = [];
for (const name of ['getUserMedia', 'getDisplayMedia']) {
  const ask = navigator.mediaDevices[name]?.bind(navigator.mediaDevices);
  if (ask) navigator.mediaDevices[name] = (how) => (asked.push(name), ask(how));
}"""
OPEN = "document.querySelector('#room').dataset.panel"
FOCUS = (
    "document.activeElement.dataset.chatText !== undefined ? 'field'"
    " : document.activeElement.closest('.side')?.dataset.panel ?? document.activeElement.tagName"
)
TEXT = "document.querySelector('[data-chat-text]').value"


async def listening(page: Page, url: str, name: str = "Ada Lovelace") -> None:
    """Sign in, start a session and join it with everything off."""
    await page.add_init_script(ASKED)
    await page.goto(url)
    await page.get_by_role("textbox", name="Name").fill(name)
    email = f"{name.split(maxsplit=1)[0].lower()}@example.com"
    await page.get_by_role("textbox", name="E-mail").fill(email)
    await press_sign_in(page)
    await page.get_by_role("button", name="Start a session").click()
    await page.wait_for_url(re.compile(r"/s/"))
    await page.evaluate("localStorage.setItem('sessions.microphone-on', 'off')")
    await page.reload()
    await page.get_by_role("button", name="Join and listen only").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)


async def nothing_happened(page: Page) -> None:
    """After the longest that a key may wait, nothing is on and nothing was asked for."""
    await page.wait_for_timeout(700)
    assert await page.evaluate(PRESSED) == ""
    assert await page.evaluate("asked") == []
    assert await page.evaluate("document.querySelector('dialog[open]')") is None


async def type_quickly(page: Page, text: str) -> None:
    """Type as people do, a tenth of a second a letter or less, also on a busy machine.

    All keys go to the browser at once: one after the other, each would wait for the one before to
    be dealt with, and a letter that nothing follows for half a second is a shortcut.
    """
    keys = await page.context.new_cdp_session(page)
    sent = []
    for letter in text:
        code = f"Key{letter.upper()}" if letter.isalpha() else PLACES[letter]
        for kind in ("keyDown", "keyUp"):
            key = {"type": kind, "key": letter, "code": code}
            down = {"text": letter} if kind == "keyDown" else {}
            sent.append(keys.send("Input.dispatchKeyEvent", key | down))
    await asyncio.gather(*sent)
    await keys.detach()


async def test_a_sentence_goes_where_the_eyes_are(server: AppServer, browsers: Browsers) -> None:
    page = await browsers.page(viewport={"width": 1280, "height": 720})
    await listening(page, server.url)
    assert await page.evaluate("document.activeElement.dataset.title") is not None, "not nowhere"

    # With the key, with the mouse, and on a phone; the key itself isn't typed.
    await page.keyboard.press("t")
    await page.keyboard.type(SENTENCE)
    assert await page.evaluate(TEXT) == SENTENCE
    await page.locator("[data-chat-text]").fill("")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Chat").click()
    await page.keyboard.type(SENTENCE)
    assert await page.evaluate(TEXT) == SENTENCE
    await page.locator("[data-chat-text]").fill("")
    # Beside the field is near enough.
    await page.locator("[data-chat-scroll]").click()
    await page.keyboard.type(SENTENCE)
    assert await page.evaluate(TEXT) == SENTENCE
    await page.get_by_role("button", name="People").click()
    assert await page.evaluate(FOCUS) == "people"
    await type_quickly(page, SENTENCE)
    await nothing_happened(page)
    await page.keyboard.press("Escape")

    # A sentence into nothing is no row of shortcuts; not even its first letter is one.
    await page.evaluate("document.activeElement.blur()")  # on a button, a space is a click
    await type_quickly(page, "Can someone hear me s mail")
    await nothing_happened(page)
    await type_quickly(page, "my slides fit, chris")
    await nothing_happened(page)
    assert await page.evaluate(OPEN) == "none"

    # A key by itself still acts, and the same one again takes it back.
    await page.wait_for_timeout(500)
    await page.keyboard.press("h")
    await expect(page.locator("[data-hand]")).to_have_attribute("aria-pressed", "true")
    await page.keyboard.press("h")
    await expect(page.locator("[data-hand]")).to_have_attribute("aria-pressed", "false")
    await page.keyboard.down(" ")
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", "true")
    await page.keyboard.up(" ")
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", "false")

    # Turned off, and that is kept.
    await page.get_by_role("button", name="Settings").click()
    await page.get_by_label("Single keys act").uncheck()
    await page.get_by_role("button", name="Done").click()
    await page.wait_for_timeout(500)
    await page.evaluate("asked.length = 0")
    await page.keyboard.press("m")
    await nothing_happened(page)
    assert await page.locator("[aria-keyshortcuts]").count() == 0
    await page.reload()
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.get_by_role("button", name="Join and listen only").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    await page.keyboard.press("t")
    assert await page.evaluate(OPEN) == "transcript"
    await page.get_by_role("button", name="Chat").click()
    assert await page.evaluate(FOCUS) == "field"
    await page.get_by_role("button", name="More").click()
    await page.get_by_role("button", name="People").click()
    assert await page.evaluate(FOCUS) == "people"
    assert not browsers.errors


async def test_in_firefox_too(server: AppServer, tmp_path: Path) -> None:
    executable = find_firefox()
    if executable is None:
        pytest.skip("no Firefox")
    async with firefox_page(executable, tmp_path) as page:
        await _sign_in_and_listen(page, server.url)
        await page.type("t")
        await page.type(SENTENCE)
        assert await page.run(TEXT) == SENTENCE
        await page.run("document.querySelector('[data-chat-text]').value = ''")
        await page.click(".side.chat [data-do=close-panel]")
        await page.click("[data-chat-button]")
        await page.type(SENTENCE)
        assert await page.run(TEXT) == SENTENCE
        await page.click('[data-panel-button="people"]')
        assert await page.run(FOCUS) == "people"
        await page.type(SENTENCE)
        await page.run("new Promise((done) => setTimeout(done, 700))")
        assert await page.run(PRESSED) == ""
        assert await page.run("document.querySelector('dialog[open]') === null")


async def _sign_in_and_listen(page: FirefoxPage, url: str) -> None:
    await sign_in_and_start(page, url)
    await page.run("localStorage.setItem('sessions.microphone-on', 'off')")
    await page.goto(await page.run("location.href"))
    await page.click('[data-join="wish"]')  # which listens only, as the microphone is off
    await page.becomes(
        "/^\\d+:\\d\\d$/.test(document.querySelector('[data-connection-text]').textContent)"
    )
