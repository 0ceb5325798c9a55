"""Search in a browser, as one types: what comes, where it leads, and how it looks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.search.conftest import Archive
from tests.support.browser import Browsers
from tests.support.visitors import Visitor
from tests.support.walk import LONG_NAME, LONG_WORD, Walk

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def ada(archive: Archive) -> Iterator[Visitor]:
    """Who has sessions with much in them that is hard to lay out, in two spaces."""
    ada = archive.visitor("Ada Browser")
    said = [("Ada Browser", f"The harbour budget, item {n} of many", "en") for n in range(30)]
    archive.session(ada, f"Budgets of {LONG_WORD}", *said, (LONG_NAME, f"budget {LONG_WORD}", "en"))
    slug = archive.session(
        ada,
        "Бюджет порта на следующий год",
        ("Максим", "Обсудим бюджет на следующий год: паром отходит в девять, а не в восемь.", "ru"),
        ("נועה", "המעבורת יוצאת בתשע, budget לא בשמונה?", "he"),
        ago=40,
    )
    archive.write(slug, "Максим", f"budget: https://example.com/{'a' * 60}")
    space = {"name": "The other space of a person with many spaces"}
    ada.http.post("/spaces", data=space, headers={"Accept": "text/html"})
    yield ada


async def test_search_as_one_types(browsers: Browsers, archive: Archive, ada: Visitor) -> None:
    walk = await Walk.begin(browsers, "en", archive.server.url)
    page = walk.page
    await walk.be(ada)
    await walk.goto("/")
    await page.locator(".masthead-search").click()
    await expect(page.locator("#search-q")).to_be_focused()
    await walk.look("search")
    await page.evaluate("window.here = true")
    said, hits = page.locator("#search-said"), page.locator(".hit")
    await page.locator("#search-q").press_sequentially("budg", delay=20)
    await expect(said).to_have_text("34 hits")
    await expect(hits).to_have_count(19)  # and a title
    await expect(page).to_have_url(f"{archive.server.url}/search?q=budg")
    await page.locator("#search-more a").scroll_into_view_if_needed()
    await page.locator("#search-more a").click()
    await expect(hits).to_have_count(33)
    await expect(page.locator("#search-more")).to_have_text("That was all.")
    await page.locator("#search-speaker").fill("wolfe")
    await expect(said).to_have_text("1 hit")
    await expect(hits.locator("mark")).to_have_text("budget")
    await walk.look("search-hits", 1280, 390, 320)
    await page.locator("#search-speaker").fill("")
    await page.locator("#search-q").fill("бюджета OR budget -item")
    await expect(said).to_have_text("6 hits")
    await walk.look("search-languages")
    await page.locator("#search-q").fill("-budget")
    await expect(said).to_contain_text("Type at least one word")
    await page.locator("#search-q").fill("quixotic ")
    await expect(said).to_have_text("Nothing is found.")
    await walk.look("search-nothing")
    assert await page.evaluate("window.here"), "the page was loaded anew"
    await page.locator("#search-q").fill("item 17")
    await expect(hits).to_have_count(1)
    await hits.locator("a").click()
    await expect(page.locator("#u-18")).to_be_in_viewport()
    await page.go_back()
    await expect(page.locator("#search-q")).to_have_value("item 17")
    await expect(hits).to_have_count(1)
    assert walk.wrong == []


async def test_it_looks_good_in_russian_and_works_without_scripts(
    browsers: Browsers, archive: Archive, ada: Visitor
) -> None:
    walk = await Walk.begin(browsers, "ru", archive.server.url)
    await walk.be(ada)
    await walk.goto("/search?q=бюджет OR budget&order=newest", "search-hits")
    assert walk.wrong == []
    context = await browsers.context(java_script_enabled=False)
    page = await context.new_page()
    key = ada.http.cookies["sessions_login"]
    cookie = {"name": "sessions_login", "value": key, "url": archive.server.url}
    await context.add_cookies([cookie])  # type: ignore[list-item]
    await page.goto(f"{archive.server.url}/search")
    await page.locator("#search-q").fill("budget")
    await page.locator("#search-order").select_option("newest")
    await page.locator("#search-q").press("Enter")
    await expect(page.locator("#search-said")).to_have_text("34 hits")
    await page.locator("#search-more a").click()
    await expect(page.locator(".hit")).to_have_count(13)
    assert await asyncio.to_thread(lambda: ada.http.get("/search?q=budget").status_code) == 200


async def test_more_names_come_as_somebody_types(browsers: Browsers, archive: Archive) -> None:
    bea = await asyncio.to_thread(archive.visitor, "Bea Crowd")
    said = [(f"Member {n:03}", "An item", "en") for n in range(101)]
    crowd = (*said, ("Zoltán", "An item of his", "hu"))
    await asyncio.to_thread(archive.session, bea, "Crowd", *crowd)
    walk = await Walk.begin(browsers, "en", archive.server.url)
    page = walk.page
    await walk.be(bea)
    await walk.goto("/search?q=item")
    names, speaker = page.locator("#search-speakers option"), page.locator("#search-speaker")
    await expect(names).to_have_count(100)
    await speaker.press_sequentially("ZOLTÁ", delay=20)
    await expect(names).to_have_count(1)
    await expect(names).to_have_attribute("value", "Zoltán")
    await expect(page.locator("#search-said")).to_have_text("1 hit")
    await speaker.fill("")
    await expect(names).to_have_count(100)
