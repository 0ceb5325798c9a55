"""Hearing a transcript in a browser: a line, the one after it, and no controls without sound."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.audio.kept import Kept, over, says
from tests.speech.gladia_rooms import WORDS
from tests.support.app_server import AppServer
from tests.support.browser import Browsers, be
from tests.support.visitors import Visitor

pytestmark = pytest.mark.browser

# Notes each line that becomes the current one, what plays then and whose the bar says it is.
NOTE = """() => {
  window.heard = [];
  new MutationObserver((changes) => {
    for (const { target } of changes) {
      if (!target.hasAttribute('aria-current')) continue;
      const file = document.querySelector('audio').src.split('/').pop();
      const name = document.querySelector('[data-player-name]').textContent;
      window.heard.push({ line: target.id, file, name });
    }
  }).observe(document.querySelector('#transcript'), {
    attributes: true, attributeFilter: ['aria-current'], subtree: true,
  });
}"""


# How far from the left of their place the words of lines begin, in pixels.
BEGIN = """(lines) => lines.map((line) => {
  const range = document.createRange();
  range.selectNode([...line.childNodes].find((one) => one.nodeType === Node.TEXT_NODE));
  return Math.round(range.getClientRects()[0].left - line.getBoundingClientRect().left);
})"""


async def shot(page: Page, name: str) -> None:
    if folder := os.environ.get("SHOTS"):
        await page.screenshot(path=Path(folder) / f"{name}.png")


async def test_a_line_plays_and_the_next_one_follows(place: AppServer, browsers: Browsers) -> None:
    kept = await asyncio.to_thread(Kept, place)
    guest = await asyncio.to_thread(kept.guest, "Grace Hopper")
    async with kept.page(guest) as one, kept.page(kept.owner) as two:
        await says(one, *WORDS[:3])
        await says(two, *WORDS[3:6])
        await says(one, *WORDS[6:9])
    await over(kept, recordings=2)
    page = await browsers.page()
    context = page.context
    await be(context, guest)
    await page.goto(f"{place.url}/s/{kept.slug}")
    lines = page.locator("[data-sound]")
    await expect(lines).to_have_count(3)
    player, sound = page.locator("[data-player]"), page.locator("audio")
    await expect(player).to_be_hidden()
    ids = [await line.get_attribute("id") for line in await lines.all()]
    sounds = [(await line.get_attribute("data-sound") or "").split() for line in await lines.all()]
    await page.evaluate(NOTE)
    await lines.nth(0).get_by_role("button", name="Hear this line").focus()
    await page.keyboard.press("Enter")
    await expect(player).to_be_visible()
    await shot(page, "hearing")
    # By itself to the other person's line, and on to the third, which is in the first one's file.
    await page.wait_for_function("(ids) => window.heard.length === ids.length", arg=ids)
    await page.wait_for_function("() => document.querySelector('audio').paused")
    heard = await page.evaluate("window.heard")
    assert [one["line"] for one in heard] == ids
    assert [one["file"] for one in heard] == [recording for recording, _, _ in sounds]
    named = "(lines) => lines.map((one) => one.closest('.turn').querySelector('.name').textContent)"
    names = await lines.evaluate_all(named)
    assert [one["name"] for one in heard] == names
    assert set(names) == {"Grace Hopper", kept.name}
    until_there = float(sounds[2][2])
    assert await sound.evaluate("(sound) => sound.currentTime") > until_there - 0.3
    # Again and paused by a key, which does nothing else then, and nothing in a field.
    await page.locator("h1").click()
    await page.keyboard.press("k")
    await page.wait_for_function("() => document.querySelector('audio').currentTime > 0")
    await player.get_by_label("Speed").select_option("2")
    assert await sound.evaluate("(sound) => sound.playbackRate") == 2
    # One line back and one on, by a key and by a button; so slowly that none ends by itself.
    rate = "(sound, rate) => { sound.playbackRate = sound.defaultPlaybackRate = rate; }"
    await sound.evaluate(rate, 0.1)
    await page.locator("h1").click()
    await page.keyboard.press("j")
    await expect(lines.nth(1)).to_have_attribute("aria-current", "true")
    await player.get_by_role("button", name="Next line").click()
    await expect(lines.nth(2)).to_have_attribute("aria-current", "true")
    await sound.evaluate(rate, 1)
    await lines.nth(0).get_by_role("button", name="Hear this line").click()
    await expect(lines.nth(0)).to_have_attribute("aria-current", "true")
    await page.set_viewport_size({"width": 390, "height": 800})
    await shot(page, "hearing-390")
    wide = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not await page.evaluate(wide)
    await player.get_by_role("button", name="Stop listening").click()
    await expect(player).to_be_hidden()
    await expect(page.locator("[aria-current=true]")).to_have_count(0)
    await correcting(page, kept, place)
    await missing(page, kept, place, guest)
    assert not browsers.errors


async def correcting(page: Page, kept: Kept, place: AppServer) -> None:
    """Whoever corrects a line hears it alone, as often as they want."""
    await be(page.context, kept.owner)
    await page.goto(f"{place.url}/s/{kept.slug}")
    line = page.locator("[data-sound]").first
    # The pen of a line that has a button stands free, and all words begin below each other.
    await line.hover()
    await page.get_by_role("link", name="Correct this line").first.click()
    begin = await page.locator("#transcript .words").evaluate_all(BEGIN)
    assert begin == [0, 0, 0]
    hear = page.get_by_role("button", name="Hear it")
    await expect(hear).to_be_visible()
    await page.evaluate(NOTE)
    await page.keyboard.press("Alt+k")
    for _ in range(2):
        await page.wait_for_function("() => document.querySelector('audio').currentTime > 0.2")
        await page.wait_for_function("() => document.querySelector('audio').paused")
        await hear.click()
    assert {one["line"] for one in await page.evaluate("window.heard")} == {
        await line.get_attribute("id")
    }


async def missing(page: Page, kept: Kept, place: AppServer, guest: Visitor) -> None:
    """What can't be heard is said to be so: in the bar when it is asked for, else once."""
    await be(page.context, guest)
    await page.goto(f"{place.url}/s/{kept.slug}")
    lines, player = page.locator("[data-sound]"), page.locator("[data-player]")
    note = page.locator("[data-sound-note]")
    await expect(lines).to_have_count(3)
    await expect(note).to_be_hidden()
    # However many lines there are, one of their buttons is a stop of the Tab key: of the time that
    # is one, whose line a key plays.
    time = page.locator("#transcript .at").nth(1)
    await time.focus()
    await expect(page.locator(".hear[tabindex='0']")).to_have_count(1)
    await expect(lines.nth(1).locator(".hear")).to_have_attribute("tabindex", "0")
    await page.evaluate(NOTE)
    await page.keyboard.press("k")
    await expect(player).to_be_visible()
    heard = await page.evaluate("window.heard")
    assert heard[0]["line"] == await lines.nth(1).get_attribute("id")
    await player.get_by_role("button", name="Stop listening").click()
    # What there is none of any more is said to be gone, and then has no button.
    await lines.nth(1).evaluate("(line) => { line.dataset.sound = 'gone 0 1'; }")
    await lines.nth(1).get_by_role("button", name="Hear this line").click()
    await expect(player.get_by_role("status")).to_contain_text("can’t be heard")
    gone = "UPDATE recordings SET expires_at = now() WHERE id = $1"
    await page.reload()
    sounds = [await line.get_attribute("data-sound") or "" for line in await lines.all()]
    files = [one.split()[0] for one in sounds]
    of_one = min(files, key=files.count)
    await asyncio.to_thread(kept.tables, gone, of_one)
    await page.reload()
    await expect(page.get_by_role("button", name="Hear this line")).to_have_count(2)
    said = note.locator("p:visible")
    await expect(said).to_contain_text(["Lines without a play button can’t be heard"])
    await asyncio.to_thread(kept.tables, "UPDATE recordings SET expires_at = now()")
    await page.reload()
    await expect(said).to_contain_text(["There is nothing to hear"])
    await expect(said).to_contain_text(["This space keeps sound for 7 days."])
    await expect(page.get_by_role("button", name="Hear this line")).to_have_count(0)
