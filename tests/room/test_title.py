"""A host gives the session another title in its room, and somebody else does so meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.room.test_keys import listening
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.visitors import Visitor

pytestmark = pytest.mark.browser


async def test_who_changes_a_title_sees_that_somebody_else_has(
    server: AppServer, browsers: Browsers
) -> None:
    page = await browsers.page(viewport={"width": 1280, "height": 720})
    await listening(page, server.url, "Titania")
    slug = page.url.rpartition("/")[2]
    other = await asyncio.to_thread(Visitor(server.url).sign_in, "Titania")
    title = page.locator("[data-title]")

    await page.get_by_role("button", name="Settings", exact=True).click()
    field = page.get_by_label("Title of the session")
    await field.fill("Engines")
    assert await asyncio.to_thread(other.host, slug, "settings", title="Wheels") == (204, "")
    await expect(title).to_have_text("Wheels")
    await field.press("Enter")
    await expect(page.locator("[data-title-problem]")).to_contain_text("“Wheels” meanwhile.")
    await expect(field).to_have_value("Engines")
    await expect(title).to_have_text("Wheels")

    await field.press("Enter")
    await expect(field).to_be_hidden()
    await expect(title).to_have_text("Engines")
