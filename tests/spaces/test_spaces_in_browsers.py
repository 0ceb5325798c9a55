"""From an invitation to a removal, in the browsers of two people."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Page, expect

from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.browser import Browsers

pytestmark = pytest.mark.browser


async def sign_in(page: Page, name: str) -> None:
    """Fill in the form to sign in that the page shows."""
    await page.get_by_role("textbox", name="Name").fill(name)
    await page.get_by_role("textbox", name="E-mail").fill(f"{name.lower()}@example.com")
    await page.get_by_role("button", name="Sign in").click()


async def make_space(page: Page, site: AppServer, name: str) -> str:
    """Make a space by the menu at the top, and return its address."""
    await page.goto(f"{site.url}/sign-in")
    await sign_in(page, "Ada")
    await page.locator("#space-menu > summary").click()
    await page.get_by_role("link", name="New space").click()
    await page.get_by_role("textbox", name="Name").fill(name)
    await page.get_by_role("button", name="Make the space").click()
    await expect(page.get_by_role("heading", name=name)).to_be_visible()
    return page.url


async def test_invite_accept_see_and_be_removed(
    make_server_in: MakeServer, browsers: Browsers
) -> None:
    site = await asyncio.to_thread(make_server_in)
    ada, bob = await browsers.page(), await browsers.page()
    space = await make_space(ada, site, "Ferries")
    await expect(ada.locator(".space-menu-name")).to_have_text("Ferries")
    await ada.goto(site.url)
    await ada.locator("#session-title").fill("Timetables")
    await ada.get_by_role("button", name="Start a session").click()
    await ada.wait_for_url(re.compile("/s/"))
    session = ada.url

    # Ada makes a link, and Bob accepts it in his browser.
    await ada.goto(space)
    await ada.get_by_text("Invite by a link").click()
    await ada.get_by_role("button", name="Make the link").click()
    link = await ada.get_by_role("textbox", name="Link of the invitation").input_value()
    await bob.goto(link)
    await expect(bob.get_by_role("heading")).to_have_text("You’re invited to “Ferries”.")
    await sign_in(bob, "Bob")
    await bob.get_by_role("button", name="Accept the invitation").click()
    await expect(bob.locator(".space-menu-name")).to_have_text("Ferries")
    await expect(bob.get_by_role("link", name="Timetables")).to_be_visible()

    # He reads the space's page, and is in the room as a member.
    await bob.goto(space)
    await expect(bob.locator(".member-row")).to_have_count(2)
    await expect(bob.get_by_text("Invite by a link")).to_have_count(0)
    room = await bob.context.new_page()
    await room.goto(session)
    await room.get_by_role("button", name="Join and listen only").click()
    await expect(room.locator("#room")).to_have_attribute("data-state", "joined")

    # The menu closes by Escape and by a click beside it.
    menu = bob.locator("#space-menu")
    for close in (bob.keyboard.press("Escape"), bob.get_by_role("heading", name="Ferries").click()):
        await menu.locator("summary").click()
        await expect(menu).to_have_attribute("open", "")
        await close
        await expect(menu).not_to_have_attribute("open", "")

    # Ada removes him: his room closes by itself, and his next click finds nothing.
    await ada.goto(space)
    row = ada.locator(".member-row").filter(has_text="Bob")
    await row.locator("summary").click()
    await row.get_by_role("button", name="Remove from the space").click()
    await expect(ada.locator(".member-row")).to_have_count(1)
    refused = room.locator("[data-refused]")
    await expect(refused).to_contain_text("You are no longer a member of this space.")
    await refused.get_by_role("link", name="Try again").click()
    await expect(room.locator("#room")).to_have_attribute("data-state", "lobby")
    await bob.reload()
    await expect(bob.get_by_text("Error 404")).to_be_visible()
    await bob.goto(site.url)
    await expect(bob.get_by_role("link", name="Timetables")).to_have_count(0)
    await bob.goto(link)
    await expect(bob.get_by_role("heading")).to_have_text("This invitation was revoked.")
    await ada.get_by_role("link", name="What was done").click()
    await expect(ada.locator(".event-what").first).to_have_text("Removed Bob")
    assert not browsers.errors
