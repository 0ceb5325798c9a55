"""The call in real browsers: seen, heard and hosted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.support.browser import Browsers
from tests.support.call_page import (
    LIVE,
    WIDE,
    Place,
    admitted,
    becomes,
    host,
    in_call,
    knock,
    place,
    press,
    quiet,
    shows_picture,
    tile,
    tone,
)

__all__ = ["place", "quiet", "tone"]

pytestmark = pytest.mark.browser

# Parts of the page, other than tiles, that moved by themselves.
SHIFTS = """window.shifted = [];
new PerformanceObserver((list) => {
  for (const shift of list.getEntries())
    for (const {node} of shift.hadRecentInput ? [] : shift.sources)
      if (node instanceof Element && !node.closest('.tile')) shifted.push(node.outerHTML);
}).observe({type: 'layout-shift'})"""

REACTIONS = """window.reactions = [];
new MutationObserver((changes) => {
  for (const { target, addedNodes } of changes)
    for (const node of addedNodes)
      if (node instanceof Element && node.matches('.tile-reaction'))
        reactions.push(`${target.querySelector('.tile-name').textContent} ${node.textContent}`);
}).observe(document.body, { childList: true, subtree: true })"""


async def test_a_call(place: Place, browsers: Browsers, quiet: Path, tone: Path) -> None:
    ada, address = await host(browsers, place.app, quiet)
    await ada.evaluate(SHIFTS)
    bob = await browsers.page(microphone=tone, viewport=WIDE)
    await admitted(bob, ada, address, "Bob")
    await in_call(bob, "Bob (you)")
    assert await ada.evaluate("shifted") == []
    await expect(ada.locator(f"{tile(ada, 'Bob')} .tile-guest")).to_be_visible()

    # Heard, muted, and heard again; switching the microphone changes nothing about that.
    speaking = ada.locator(f"{tile(ada, 'Bob')}.speaking")
    muted = ada.locator(f"{tile(ada, 'Bob')} .tile-mic")
    await expect(speaking).to_be_visible()
    await expect(muted).to_be_hidden()
    await bob.keyboard.press("m")
    await expect(bob.locator("[data-mic-text]")).to_have_text("Mic off")
    await expect(muted).to_be_visible()
    await bob.keyboard.down(" ")  # talks while it is held down
    await expect(muted).to_be_hidden()
    await bob.keyboard.up(" ")
    await expect(muted).to_be_visible()
    await press(bob, "m")
    await expect(muted).to_be_hidden()
    await bob.get_by_role("button", name="Settings").click()
    field = bob.get_by_role("dialog").get_by_label("Microphone", exact=True)
    await field.select_option(index=1)
    await bob.get_by_role("button", name="Done").click()
    await bob.keyboard.press("m")
    await expect(speaking).to_have_count(0)
    await bob.keyboard.press("m")
    await expect(speaking).to_be_visible()

    # Seen, not seen.
    await press(bob, "c")
    await shows_picture(ada, tile(ada, "Bob"))
    await bob.keyboard.press("c")
    await expect(ada.locator(f"{tile(ada, 'Bob')} video")).to_have_count(0)
    await expect(ada.locator(f"{tile(ada, 'Bob')} .tile-initials")).to_be_visible()

    # A shared screen is large, and gone when it ends.
    await press(bob, "s")
    await shows_picture(ada, ".tile.screen.large")
    await expect(bob.locator("[data-share-text]")).to_have_text("Sharing")
    await bob.get_by_role("button", name="Stop sharing").click()
    await expect(ada.locator(".tile.screen")).to_have_count(0)
    await expect(bob.locator("[data-share-text]")).to_have_text("Share")

    # A hand, as the server has it.
    await press(bob, "h")
    await expect(bob.locator("[data-hand]")).to_have_attribute("aria-pressed", "true")
    await expect(ada.locator(f"{tile(ada, 'Bob')} .tile-hand")).to_be_visible()
    await ada.keyboard.press("h")
    await bob.keyboard.press("h")
    await expect(ada.locator(f"{tile(ada, 'Bob')} .tile-hand")).to_be_hidden()
    await expect(bob.locator(f"{tile(bob, 'Ada Lovelace')} .tile-hand")).to_be_visible()
    await bob.get_by_role("button", name="React").click()
    await ada.evaluate(REACTIONS)  # which are there for seconds only
    await bob.get_by_role("button", name="Applause").click()
    await becomes(ada, "reactions.join() === 'Bob 👏'")

    # Leaving takes the tile away.
    await bob.get_by_role("link", name="Leave").click()
    await expect(ada.locator(tile(ada, "Bob"))).to_have_count(0)
    assert not browsers.errors


async def test_chat_and_the_end(place: Place, browsers: Browsers, quiet: Path) -> None:
    ada, address = await host(browsers, place.app, quiet)
    await ada.keyboard.press("t")
    text = ada.get_by_role("textbox", name="Message to everyone")
    await text.fill("The plan: https://example.com/plan.")
    await text.press("Enter")
    mine = ada.locator("[data-chat]")
    await expect(mine).to_have_count(1)
    await expect(ada.locator(".chat-line.pending")).to_have_count(0)

    bob = await browsers.page(microphone=quiet, viewport={"width": 390, "height": 844})
    await admitted(bob, ada, address, "Bob")
    await bob.get_by_role("button", name="Chat 1 unread").click()
    await expect(bob.locator("[data-chat] .chat-text")).to_have_text(
        "The plan: https://example.com/plan."
    )
    link = bob.get_by_role("link", name="https://example.com/plan", exact=True)
    await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    await ada.keyboard.press("Escape")
    await bob.get_by_role("textbox", name="Message to everyone").fill("Read it.\n<b>Good!</b>")
    await bob.get_by_role("button", name="Send").click()
    await expect(ada.locator("[data-unread]")).to_have_text("1")
    await expect(ada).to_have_title(re.compile(r"^\(1\)"))
    await ada.keyboard.press("t")
    await expect(ada.locator("[data-unread]")).to_be_hidden()
    await expect(ada.locator("[data-chat] .chat-text").last).to_have_text("Read it.\n<b>Good!</b>")
    await expect(ada.locator("[data-chat] .guest").last).to_be_visible()

    await ada.get_by_role("button", name="End for everyone").click()
    await ada.get_by_role("dialog").get_by_role("button", name="End for everyone").click()
    for page in (ada, bob):
        await expect(page.locator(".in-chat").last).to_contain_text("<b>Good!</b>")
        await expect(page.locator(".in-chat .words").first).to_contain_text("The plan")
    assert not browsers.errors


async def test_hosts_decide(place: Place, browsers: Browsers, quiet: Path) -> None:
    ada, address = await host(browsers, place.app, quiet)
    page = await browsers.page(microphone=quiet, viewport=WIDE)
    await knock(page, address, "Mallory")
    await ada.get_by_role("button", name="Deny Mallory").click()
    await expect(page.get_by_role("heading", name="You weren’t let in.")).to_be_visible()

    await page.context.clear_cookies()
    await admitted(page, ada, address, "Bob")
    await in_call(page, "Bob (you)")
    await expect(page.get_by_role("button", name="End")).to_have_count(0)
    await ada.get_by_role("button", name="People").click()
    await ada.get_by_role("button", name="Mute Bob").click()
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", "false")
    await expect(page.locator(".toast")).to_contain_text("A host muted your microphone.")
    await expect(ada.locator(f"{tile(ada, 'Bob')} .tile-mic")).to_be_visible()
    await page.wait_for_timeout(500)  # LiveKit's own mute comes moments after the page's
    await page.keyboard.press("m")
    await expect(ada.locator(f"{tile(ada, 'Bob')} .tile-mic")).to_be_hidden()

    # Removed: at once, out of the call, and for good.
    await ada.get_by_role("button", name="Remove Bob").click()
    await ada.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(page.get_by_role("heading", name="You were removed")).to_be_visible()
    await expect(ada.locator(tile(ada, "Bob"))).to_have_count(0)
    await page.goto(address)
    await expect(page.locator("main")).to_contain_text("removed")

    async with ada.expect_response("**/settings"):
        await ada.get_by_label("Lock").check()
    await page.context.clear_cookies()
    await page.goto(address)
    await expect(page.get_by_text("This session is locked: nobody new")).to_be_visible()
    async with ada.expect_response("**/settings"):
        await ada.get_by_label("Lock").uncheck()
    async with ada.expect_response("**/settings"):
        await ada.get_by_label("Admission").select_option("ANYONE")
    await page.get_by_role("link", name="Try again").click()
    await page.get_by_role("textbox", name="Your name").fill("Carol")
    await page.get_by_role("button", name="Continue as a guest").click()
    await page.get_by_role("button", name="Join with microphone").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)

    # A guest who was made a host has a host's buttons. Then Carol's row moves no more.
    await expect(ada.get_by_role("button", name="Mute Carol")).to_be_visible()
    await ada.get_by_role("button", name="Make host: Carol").click()
    await ada.get_by_role("dialog").get_by_role("button", name="Make host").click()
    await expect(page.get_by_role("button", name="End for everyone")).to_be_visible()
    assert not browsers.errors
