"""A planned session from its form to the meeting a week later, in browsers of different zones."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from tests.session.test_calendar import read
from tests.session.test_list_in_browsers import signed_in
from tests.session.test_planned import move, stored
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.meetings import sql

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HERE = "America/St_Johns"  # half an hour from the full hours of others
THERE = "Asia/Tokyo"


async def test_a_planned_session_is_joined_a_week_later(
    browsers: Browsers, site: AppServer, database: str
) -> None:
    ada = await signed_in(browsers, site, "Katherine Johnson", timezone_id=HERE, locale="en-GB")
    at = datetime.now(ZoneInfo(HERE)).replace(second=0, microsecond=0) + timedelta(days=7)
    await ada.locator("#session-title").fill("Orbits")
    await ada.get_by_text("Plan it for later").click()
    await expect(ada.locator(".plan-later [data-zone]")).to_have_text(f"your time, {HERE}")
    plan_it = ada.get_by_role("button", name="Plan it")
    await plan_it.click()
    await expect(ada.locator("#start-problem")).to_have_text("Choose a date and a time.")
    await ada.get_by_label("When").fill(f"{at:%Y-%m-%dT%H:%M}")
    await ada.get_by_label("Agenda").fill("1. Ascent\n2. Landing: https://example.com/landing")
    await plan_it.click()
    await expect(ada.get_by_role("heading", level=1)).to_have_text("It is planned.")
    slug = ada.url.split("/")[-2]
    assert (await asyncio.to_thread(stored, database, slug))["planned_at"] == at
    link = await ada.get_by_label("Link to send").input_value()
    await ada.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await ada.get_by_role("button", name="Copy link").click()
    await expect(ada.get_by_role("button", name="Copied")).to_be_visible()
    assert await ada.evaluate("navigator.clipboard.readText()") == link
    async with ada.expect_download() as download:
        await ada.get_by_role("link", name="Add to calendar").click()
    path = await (await download.value).path()
    event = read(await asyncio.to_thread(path.read_bytes))
    assert event["dtstart"].dt == at

    # Changed in the list, it stays in the zone of whoever looks.
    await ada.goto(site.url)
    row = ada.locator(f"#session-{slug}")
    await row.get_by_text("Settings", exact=True).click()
    await row.get_by_text("Time and agenda").click()
    when = row.get_by_label("When")
    await expect(when).to_have_value(f"{at:%Y-%m-%dT%H:%M}")
    later = at + timedelta(minutes=15)
    await when.fill(f"{later:%Y-%m-%dT%H:%M}")
    await row.locator("[id^=planning-save-]").click()
    await expect(row.locator(".planning .saved")).to_have_text("Saved.")
    await expect(when).to_have_value(f"{later:%Y-%m-%dT%H:%M}")
    assert (await asyncio.to_thread(stored, database, slug))["planned_at"] == later

    bob = await browsers.page(timezone_id=THERE, locale="en-GB")
    await bob.goto(link)
    there = later.astimezone(ZoneInfo(THERE))
    await expect(bob.locator(".planned-for time")).to_contain_text(
        f"{there.day} {there:%B}, {there:%H:%M}"
    )

    # A week goes by: nobody has come yet, and the link is what it was.
    await asyncio.to_thread(move, database, [slug], timedelta(days=7))
    await meet(ada, bob, link)
    found = await asyncio.to_thread(stored, database, slug)
    assert found["status"] == "LIVE"


async def meet(host: Page, guest: Page, link: str) -> None:
    """Have a guest come by the link and the host let them in."""
    await guest.goto(link)
    agenda = guest.get_by_role("region", name="Agenda").first
    await expect(agenda).to_contain_text("1. Ascent\n2. Landing", use_inner_text=True)
    await expect(guest.get_by_role("link", name="https://example.com/landing")).to_be_visible()
    await guest.get_by_label("Your name").fill("Bob")
    await guest.get_by_role("button", name="Continue as a guest").click()
    await expect(guest.locator(".planned-for")).to_contain_text("Planned for Today")
    await host.goto(link)
    await host.get_by_role("button", name="Join and listen only").click()
    await guest.get_by_role("button", name="Join and listen only").click()
    await host.get_by_role("button", name="Admit Bob").click()
    await expect(guest.locator("#room")).to_have_attribute("data-state", "joined")


async def test_a_room_is_met_in_again(browsers: Browsers, site: AppServer, database: str) -> None:
    ada = await signed_in(browsers, site, "Mary Jackson", locale="en-GB")
    await ada.get_by_role("link", name="Make a standing room").click()
    await ada.get_by_label("Name of the room").fill("Abstractions")
    await ada.get_by_role("button", name="Make the room").click()
    link = await ada.get_by_label("Link to send").input_value()
    rooms = set()
    for _ in range(2):
        await ada.goto(site.url)
        await ada.get_by_role("link", name="Join “Abstractions”").click()
        rooms.add(ada.url)
        await ada.get_by_role("button", name="Join and listen only").click()
        await ada.get_by_role("button", name="End for everyone").first.click()
        await ada.get_by_role("dialog").get_by_role("button", name="End for everyone").click()
        again = ada.get_by_role("link", name="Meet again in this room")
        await expect(again).to_have_attribute("href", link.removeprefix(site.url))
    assert len(rooms) == 2
    await again.click()
    await expect(ada.locator("#lobby-title")).to_have_text("Abstractions")
    told = "SELECT count(*) FROM space_events WHERE subject = 'Abstractions'"
    assert (await asyncio.to_thread(sql, database, told))[0][0] == 1
