"""A long transcript in a real browser: scrolled, searched, filtered, linked to, and printed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
from playwright.async_api import Page, expect

from routes.lines import LINES, LINES_ABOVE
from tests.conftest import MakeServer
from tests.support.browser import Browsers, be
from tests.support.tables import Tables
from tests.support.visitors import Visitor

pytestmark = pytest.mark.browser

COUNT = 450
# Every fiftieth line speaks of ferries, with the dots that many leave out; from the 200th to the
# 380th one person speaks for long.
WRITE = """
    INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s, end_s)
    SELECT p.session_id, 's', n::text, n, p.identity,
        CASE WHEN n % 50 = 0 THEN 'Паромы, ёлка и ' ELSE 'Words of ' END || 'line ' || n,
        n * 10, n * 10 + 5
    FROM generate_series(1, $2) n JOIN participants p
        ON p.identity = ($1::text[])[
            CASE WHEN n % 3 = 0 AND n NOT BETWEEN 200 AND 380 THEN 2 ELSE 1 END
        ]"""
TOPICS = """
    INSERT INTO analyses (session_id, topics, status)
    SELECT session_id, '[{"label": "Harbours", "start": 3005}]', 'DONE' FROM participants
    WHERE identity = $1"""
SHOWN = "document.querySelectorAll('#transcript .words').length"


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer, make_database: Callable[[], str]) -> tuple[Visitor, Tables]:
    """A host, and the tables of her server."""
    database = make_database()
    server = make_server_in(DATABASE_URL=database)
    return Visitor(server.url).sign_in("Ada Lovelace"), Tables(database)


def talked(place: tuple[Visitor, Tables], count: int) -> tuple[str, list[str]]:
    """Have so many lines been said in a session that goes on; return its slug, and who spoke."""
    ada, tables = place
    slug = ada.start_session("Ferries")
    speakers = [ada.join(slug)["you"]["identity"]]
    speakers.append(Visitor(ada.url).be_guest(slug, "Bo").join(slug)["you"]["identity"])
    tables(WRITE, speakers, count)
    return slug, speakers


@pytest.fixture(scope="module")
def talk(place: tuple[Visitor, Tables]) -> tuple[Visitor, str]:
    """A session of four hundred and fifty lines that is over, and its host."""
    ada, tables = place
    slug, speakers = talked(place, COUNT)
    tables(TOPICS, speakers[0])
    ada.end(slug)
    return ada, f"{ada.url}/s/{slug}"


async def shown(page: Page, count: int) -> None:
    await expect(page.locator("#transcript .words")).to_have_count(count)


async def test_a_long_talk_is_read(talk: tuple[Visitor, str], browsers: Browsers) -> None:
    ada, address = talk
    page = await browsers.page(viewport={"width": 1280, "height": 900})
    await be(page.context, ada)

    # The rest comes as it is scrolled to, until all of it is there, once and in order.
    await page.goto(address)
    assert await page.evaluate(SHOWN) == LINES
    for count in range(2 * LINES, COUNT, LINES):
        await page.mouse.wheel(0, 100_000)
        await shown(page, count)
    await page.mouse.wheel(0, 100_000)
    await shown(page, COUNT)
    numbers = await page.locator("#transcript .words").evaluate_all(
        "all => all.map((one) => one.id)"
    )
    assert numbers == [f"u-{n}" for n in range(1, COUNT + 1)]
    await expect(page.locator(".more-lines")).to_have_count(0)

    # Words are found in what isn't in the page, without the dots; Enter goes on, and Shift back.
    await page.goto(address)
    await page.keyboard.press("/")
    await expect(page.locator(".find-words")).to_be_focused()
    await page.keyboard.type("ЕЛКА И")
    await expect(page.locator(".find-count")).to_have_text("9 lines")
    for key, line, place in (
        ("Enter", "u-50", "1 of 9"),
        ("Enter", "u-100", "2 of 9"),
        ("Enter", "u-150", "3 of 9"),
        ("Enter", "u-200", "4 of 9"),
        ("Enter", "u-250", "5 of 9"),
        ("Enter", "u-300", "6 of 9"),
        ("Shift+Enter", "u-250", "5 of 9"),
    ):
        await page.keyboard.press(key)
        await expect(page.locator(".current-line")).to_have_id(line)
        await expect(page.locator(f"#{line}")).to_be_in_viewport()
        await expect(page.locator(".find-count")).to_have_text(place)
    marked = "[...CSS.highlights.get('found')].map((range) => range.toString())"
    assert set(await page.evaluate(marked)) == {"ёлка и"}
    await page.keyboard.press("Escape")
    await expect(page.locator(".find-count")).to_be_empty()
    assert await page.evaluate("CSS.highlights.has('found')") is False

    # A topic leads to its line, and what was said before it is a button away.
    await page.get_by_role("link", name="50:05").click()
    await expect(page).to_have_url(re.compile(r"\?line=301#u-301$"))
    await expect(page.locator("#u-301")).to_be_in_viewport()
    await page.get_by_role("link", name="Earlier").click()
    await expect(page.locator(f"#u-{301 - LINES_ABOVE - LINES}")).to_be_attached()
    # A link of before, with a line that isn't among the first.
    await page.goto(f"{address}#u-420")
    await expect(page.locator("#u-420")).to_be_in_viewport()

    # What one of them said; a time leads to where it stands among all.
    await page.get_by_role("link", name="Bo spoke for").click()
    await expect(page.locator("#transcript .turn-name .name")).to_have_text(["Bo"])
    assert await page.locator("#transcript .words").first.get_attribute("id") == "u-3"
    await page.locator("#transcript .at").first.click()
    await expect(page.locator("#u-4")).to_be_attached()
    assert not browsers.errors


async def test_all_of_it_is_printed(talk: tuple[Visitor, str], browsers: Browsers) -> None:
    ada, address = talk
    page = await browsers.page()
    await be(page.context, ada)
    await page.add_init_script(
        f"window.print = () => {{ document.body.dataset.printed = {SHOWN}; }}"
    )
    await page.goto(address)
    await page.get_by_role("button", name="Print").click()
    await expect(page.locator("body")).to_have_attribute("data-printed", f"{COUNT}")
    # Who prints by the browser's own menu reads that there is more.
    await page.goto(address)
    await page.emulate_media(media="print")
    await expect(page.locator(".print-note")).to_be_visible()
    assert not browsers.errors


async def test_without_scripts_it_is_read_too(
    talk: tuple[Visitor, str], browsers: Browsers
) -> None:
    ada, address = talk
    page = await browsers.page(java_script_enabled=False)
    await be(page.context, ada)
    await page.goto(address)
    await page.get_by_role("link", name="More").click()
    await expect(page.locator("#transcript .words").first).to_have_attribute("id", "u-101")
    await page.get_by_role("searchbox").fill("паромы")
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator("#transcript mark")).to_have_count(9)
    await page.locator("#transcript .at").nth(8).click()
    await expect(page.locator("#u-450")).to_be_in_viewport()


LATE = """
    INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s, end_s)
    SELECT session_id, 'late', n, 500 + n, identity, 'Late words ' || n, at, at + 1
    FROM participants, CAST($2 AS int) n, CAST($3 AS float8) at WHERE identity = $1"""


async def test_words_that_come_late_stand_where_they_belong(
    place: tuple[Visitor, Tables], browsers: Browsers
) -> None:
    ada, tables = place
    slug, speakers = await asyncio.to_thread(talked, place, 250)
    page = await browsers.page(viewport={"width": 1280, "height": 900})
    await be(page.context, ada)
    await page.clock.install()
    # From a line in the middle: what is before it is there once, and isn't asked for further.
    await page.goto(f"{ada.url}/s/{slug}/transcript?line=150")
    await page.get_by_role("link", name="Earlier").click()
    await expect(page.locator("#u-30")).to_be_attached()

    # Between the lines of each part, those are asked for that somebody sees.
    for number, (second, before) in enumerate([(2001, 200), (1355, 135), (405, 40)], 1):
        await page.locator(f"#u-{before}").scroll_into_view_if_needed()
        await asyncio.to_thread(tables, LATE, speakers[1], number, float(second))
        await page.clock.run_for(11_500)
        await expect(page.get_by_text(f"Late words {number}")).to_be_visible()
    # What had come after the first part was there once the last lines of it were seen.
    await shown(page, 250 - 29 + 3)
    order = await page.locator("#transcript .words").evaluate_all("all => all.map((one) => one.id)")
    numbers = [one.removeprefix("u-") for one in order]
    assert len(set(numbers)) == len(numbers), "each once"
    assert [numbers[numbers.index(f"50{one}") - 1] for one in (1, 2, 3)] == ["200", "135", "40"]
