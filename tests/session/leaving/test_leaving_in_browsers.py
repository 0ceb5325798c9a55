"""When people leave: what browsers show them."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.http import Browser

LOOKS_EVERY_MS = 10_000  # who has left, for who is there
SHOTS = os.environ.get("SHOTS")


async def shoot(page: Page, name: str) -> None:
    """Take pictures for who looks at them, when a folder is named."""
    if not SHOTS:
        return
    for scheme in ("light", "dark"):
        for width, height in ((1280, 800), (390, 844)):
            await page.emulate_media(color_scheme=scheme)
            await page.set_viewport_size({"width": width, "height": height})
            await page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{scheme}.png")


@pytest.mark.browser
async def test_leaving_in_browsers(site: AppServer, host: Browser, browsers: Browsers) -> None:
    """Leave, come back, leave as the last one, end: nobody lands where nothing is said."""
    slug = await asyncio.to_thread(host.start_session, "Engines")
    address, context = f"{site.url}/s/{slug}", await browsers.context()
    key = host.http.cookies["sessions_login"]
    await context.add_cookies([{"name": "sessions_login", "value": key, "url": site.url}])
    ada, bob = await context.new_page(), await browsers.page()
    await bob.clock.install()
    await ada.goto(address)
    await shoot(ada, "lobby-host")
    await ada.locator("[data-lobby]").get_by_role("button", name="Copy link").click()
    await expect(ada.locator("[data-lobby] [data-copy-text]")).to_have_text(
        "Copied, for this computer"
    )
    await bob.goto(address)
    await shoot(bob, "gate")
    await bob.get_by_role("textbox", name="Your name").fill("Bob")
    await bob.get_by_role("button", name="Continue as a guest").click()
    await ada.get_by_role("button", name="Join and listen only").click()
    invite = ada.locator("[data-invite]")
    await expect(invite).to_contain_text("You’re the first one here.")
    await expect(invite).to_contain_text("This link works on this computer only.")
    await expect(ada.locator("[data-notices]")).to_contain_text(
        "People in this session can’t hear or see each other here.",
    )
    await shoot(ada, "first")
    await bob.get_by_role("button", name="Join and listen only").click()
    await expect(invite).to_be_hidden()

    # A guest just leaves; the host who stays isn't the first one there.
    await bob.get_by_role("link", name="Leave").click()
    await bob.wait_for_url(f"{address}/left")
    await expect(bob.locator("#left")).to_contain_text("1 person is still there")
    await shoot(bob, "left-guest")
    await expect(invite).to_contain_text("Everybody else has left.")
    await shoot(ada, "alone-again")

    # The last host is asked. Cancel stays, Leave leaves.
    dialog = ada.get_by_role("dialog", name="Leave, or end for everyone?")
    await ada.get_by_role("link", name="Leave").click()
    await expect(dialog).to_contain_text("Nobody else is here. The session stays open")
    await shoot(ada, "dialog-alone")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(ada.locator("#room")).to_have_attribute("data-state", "joined")
    await ada.get_by_role("link", name="Leave").click()
    await dialog.get_by_role("button", name="Leave").click()
    await ada.wait_for_url(f"{address}/left")
    await expect(ada.locator("#left")).to_contain_text("Nobody is there now.")
    await bob.clock.run_for(LOOKS_EVERY_MS)
    await expect(bob.locator("#left")).to_contain_text("Nobody is there now.")
    await shoot(ada, "left-host")
    await ada.get_by_role("link", name="Read what was said so far").click()
    await expect(ada.get_by_role("article")).to_contain_text(
        "Nothing was said in this session yet."
    )
    await shoot(ada, "transcript-so-far")
    await ada.goto(site.url)
    await expect(ada.locator(f"#session-{slug}")).to_contain_text(
        re.compile(r"Nobody here since \d+:\d\d")
    )
    await shoot(ada, "home-empty")
    await ada.goto(address)
    await expect(ada.locator("[data-lobby]")).to_contain_text(
        re.compile(r"Nobody here since \d+:\d\d")
    )
    await shoot(ada, "lobby-empty")
    await ada.get_by_role("button", name="Join and listen only").click()
    await expect(invite).to_contain_text("Everybody else has left.")

    # A guest comes back and stays; the host ends it, also for who has left.
    await bob.get_by_role("link", name="Rejoin").click()
    await bob.get_by_role("button", name="Join and listen only").click()
    await expect(invite).to_be_hidden()
    await ada.get_by_role("link", name="Leave").click()
    await expect(dialog).to_contain_text("The others can go on talking.")
    await shoot(ada, "dialog-others")
    await bob.get_by_role("link", name="Leave").click()
    await bob.wait_for_url(f"{address}/left")
    await dialog.get_by_role("button", name="End for everyone").click()
    await ada.wait_for_url(address)
    await expect(ada.get_by_role("article")).to_contain_text("Nothing was said in this session.")
    await bob.clock.run_for(LOOKS_EVERY_MS)
    await bob.wait_for_url(address)
    await expect(bob.get_by_role("article")).to_contain_text("Nothing was said in this session.")
    assert not browsers.errors


@pytest.mark.browser
async def test_waiting_for_a_host_in_a_browser(
    site: AppServer, host: Browser, browsers: Browsers
) -> None:
    slug = await asyncio.to_thread(host.start_session, "Engines", "KNOCK")
    bob, address = await browsers.page(), f"{site.url}/s/{slug}"
    await bob.goto(address)
    await bob.get_by_role("textbox", name="Your name").fill("Bob")
    await bob.get_by_role("button", name="Continue as a guest").click()
    await bob.get_by_role("button", name="Join and listen only").click()
    waiting = bob.locator("[data-lobby-waiting]")
    await expect(waiting).to_contain_text("No host is here at the moment.")
    await shoot(bob, "waiting")
    async with host.page(slug) as page:
        await expect(waiting).to_contain_text("A host is here and sees that you knock.")
        await asyncio.to_thread(host.host, slug, "settings", locked="on")
        await page.until(lambda: page.of_type("session"))
    await bob.reload()
    await expect(bob.locator("[data-lobby-refused]")).to_contain_text("This session is locked")
    await shoot(bob, "lobby-locked")
    await asyncio.to_thread(host.end, slug)
    stranger = await browsers.page()
    await stranger.goto(address)
    await expect(stranger.get_by_role("link", name="Sign in")).to_be_visible()
    await shoot(stranger, "ended")
    await stranger.goto(site.url)
    await shoot(stranger, "landing")
    assert not browsers.errors


@pytest.mark.browser
async def test_a_page_without_https_says_what_helps(
    site: AppServer, host: Browser, browsers: Browsers
) -> None:
    """Nothing serves TLS there; and the link can be copied although there is no clipboard."""
    slug = await asyncio.to_thread(host.start_session, "Engines")
    page = await browsers.page(flags=["--host-resolver-rules=MAP meet.lan 127.0.0.1"])
    address = f"http://meet.lan:{site.port}/s/{slug}"
    await page.goto(address)
    await page.get_by_role("textbox", name="Your name").fill("Bob")
    await page.get_by_role("button", name="Continue as a guest").click()
    await page.locator("[data-lobby-mic]").click()
    hint = page.locator("[data-lobby-hint]")
    await expect(hint).to_contain_text("Browsers allow it only over https")
    await expect(hint).to_contain_text("“Other computers” in the README")
    await expect(hint).not_to_contain_text("https://")
    await shoot(page, "lobby-http")
    await page.get_by_role("button", name=re.compile("listen only")).first.click()
    await page.locator(".room-head [data-copy]").click()
    await expect(page.locator(".room-head [data-copy-text]")).to_have_text("Copied")
    await page.get_by_role("button", name="Chat").click()
    field = page.get_by_role("textbox", name="Message to everyone")
    await field.press("Control+v")
    await expect(field).to_have_value(address)
    assert not browsers.errors
