"""What a room shows of its space's minutes: a warning for hosts, a pause for all, and its end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from playwright.async_api import expect

from core.minutes import today
from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.tables import Tables
from tests.support.visitors import Visitor

pytestmark = pytest.mark.browser

USED = "INSERT INTO space_usage VALUES ($1, $2, gen_random_uuid(), 'gladia', 540, 0)"


@pytest.fixture(scope="module")
def place(
    gladia: GladiaEmulator, make_server_in: MakeServer, make_database: Callable[[], str]
) -> Iterator[AppServer]:
    server = make_server_in(
        GLADIA_API_KEY=gladia.api_key,
        GLADIA_API_URL=gladia.url,
        DATABASE_URL=make_database(),
        SPACE_MINUTES_PER_MONTH="10",
    )
    yield server
    server.stop()


async def test_a_month_runs_out_in_a_room(place: AppServer, browsers: Browsers) -> None:
    ada = await asyncio.to_thread(Visitor(place.url).sign_in, "Ada Lovelace")
    slug = await asyncio.to_thread(ada.start_session)
    tables = Tables(place.database_url)
    space: UUID = await asyncio.to_thread(
        tables.one, "SELECT space_id FROM sessions WHERE slug = $1", slug
    )
    await asyncio.to_thread(tables, USED, space, today().replace(day=1))
    context = await browsers.context()
    key = ada.http.cookies["sessions_login"]
    await context.add_cookies([{"name": "sessions_login", "value": key, "url": place.url}])
    page = await context.new_page()
    await page.goto(f"{place.url}/s/{slug}")
    await page.locator("[data-join=listen]").click()
    notice = page.locator("[data-topic=minutes]")
    await expect(notice).to_contain_text("used four fifths of its minutes of captions for this")

    async def choose(minutes: str) -> None:
        form = {"minutes": minutes}
        answer = await asyncio.to_thread(ada.http.post, f"/spaces/{space}/minutes", data=form)
        assert answer.status_code == 204

    bob = await asyncio.to_thread(Visitor(place.url).be_guest, slug, "Bob")
    async with bob.page(slug) as talking:
        await talking.mic(True)
        await choose("5")
        captions = page.locator("[data-topic=captions]")
        await expect(captions).to_contain_text("Captions pause: this space has used up the minutes")
        await expect(captions).to_contain_text("00:00 UTC, or when an owner allows more")
        await expect(notice).to_have_count(0)
        if shots := os.environ.get("SHOTS"):
            await page.screenshot(path=Path(shots) / "minutes-used-up.png")
        await choose("")
        await expect(captions).to_have_count(0)
        await expect(notice).to_be_visible()
    await context.close()
