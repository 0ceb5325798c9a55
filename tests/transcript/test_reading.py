"""Reading afterwards, in a real browser: links to words, copies, exports, and a narrow screen."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from playwright.async_api import Page, ViewportSize, expect

from tests.room.test_chat import say
from tests.support.app_server import AppServer
from tests.support.browser import Browsers, be
from tests.support.visitors import Visitor

pytestmark = pytest.mark.browser

WIDE_NAME = "Wolfeschlegelsteinhausenbergerdorffwelch"  # 40 letters without a space
NAMES = (WIDE_NAME, "נועה כהן", "Максим Кузнецов", "👩🏽🚀" * 13)
WIDE_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
PHONE: ViewportSize = {"width": 390, "height": 700}
LIVE = re.compile(r"^\d+:\d\d$")  # the header counts the session's time while connected
EXPECTED_TIMES = ["10:01", "11:01", "12:01"]


async def meet(server: AppServer) -> tuple[Visitor, str]:
    """Start a session in which much was said before anybody joins, and who hosts it."""
    host = Visitor(server.url).sign_in("Ada Lovelace")
    slug = host.start_session(f"Weekly {WIDE_NAME}")
    people = [host, *(Visitor(server.url).be_guest(slug, name) for name in NAMES)]
    identities = [one.join(slug)["you"]["identity"] for one in people]
    # Ada speaks for two minutes and a half, every ten seconds; then everybody else. All of it after
    # the ten minutes in which this test writes to the chat.
    said = [(0, f"Words number {n}.", 601.0 + 10 * n) for n in range(15)]
    said += [(n, WIDE_WORD, 750.0 + 10 * n) for n in range(1, len(people))]
    connection = await asyncpg.connect(server.database_url)
    try:
        await connection.executemany(
            "INSERT INTO utterances"
            " (session_id, stream, utterance, seq, identity, text, start_s, end_s)"
            " SELECT id, $2, '1', $3, $4, $5, $6::float8, $6::float8 + 1"
            " FROM sessions WHERE slug = $1",
            [
                (slug, uuid4().hex, seq, identities[who], text, start)
                for seq, (who, text, start) in enumerate(said, 1)
            ],
        )
    finally:
        await connection.close()
    return host, slug


async def assert_nothing_sticks_out(page: Page) -> None:
    """No page is wider than its window."""
    await page.wait_for_load_state()  # before its style is there, it may be
    wide = "[document.documentElement.scrollWidth, innerWidth]"
    scroll, window = await page.evaluate(wide)
    assert scroll <= window, page.url


async def test_what_was_said_is_read_on_a_phone(server: AppServer, browsers: Browsers) -> None:
    host, slug = await meet(server)
    page = await browsers.page(
        viewport=PHONE,
        timezone_id="Asia/Tokyo",
        permissions=("camera", "microphone", "clipboard-read", "clipboard-write"),
    )
    await be(page.context, host)

    # A guest with a long name at the gate.
    assert page.context.browser
    gate = await (await page.context.browser.new_context(viewport=PHONE)).new_page()
    await gate.goto(f"{server.url}/s/{slug}")
    await assert_nothing_sticks_out(gate)
    await gate.get_by_role("textbox", name="Your name").fill(WIDE_NAME)
    await gate.get_by_role("button", name="Continue as a guest").click()
    await expect(gate.locator(".said .name")).to_have_text(WIDE_NAME)
    await assert_nothing_sticks_out(gate)
    await gate.context.close()

    # Live: long talk has a time every minute, and long names fit.
    await page.goto(f"{server.url}/s/{slug}")
    await assert_nothing_sticks_out(page)
    await page.get_by_role("button", name="Join and listen only").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    await expect(page.locator("[data-lines] .line")).to_have_count(15 + len(NAMES))
    times = page.locator("[data-lines] .at:visible")
    assert (await times.all_inner_texts())[:3] == EXPECTED_TIMES
    await expect(page.locator("[data-lines] .name:visible")).to_have_text(["Ada Lovelace", *NAMES])
    await assert_nothing_sticks_out(page)
    async with host.page(slug) as other:
        await say(other, "Notes (https://example.com/a_(b)), all.")
        link = page.locator("[data-chat-lines] a")
        await expect(link).to_have_attribute("href", "https://example.com/a_(b)")
        assert await link.get_attribute("rel") == "noopener noreferrer nofollow"
    host.end(slug)

    # Afterwards: a link to words shows and marks them, with room above.
    await expect(page.locator("#transcript")).to_be_visible()
    await page.goto(f"{server.url}/s/{slug}#u-9")
    await expect(page.locator("#u-9")).to_be_in_viewport()
    assert (await page.locator("#u-9").bounding_box() or {"y": 0})["y"] >= 80
    marked = "one => getComputedStyle(one).backgroundColor"
    assert await page.locator("#u-9").evaluate(marked) != "rgba(0, 0, 0, 0)"
    assert await page.locator("#u-8").evaluate(marked) == "rgba(0, 0, 0, 0)"
    await assert_nothing_sticks_out(page)
    opacity = "all => all.filter((one) => getComputedStyle(one).opacity > 0).map((one) => one.text)"
    shown = await page.locator("#transcript .turn").nth(1).locator(".at").evaluate_all(opacity)
    assert shown == ["10:01", "11:01", "11:21", "12:01"]  # 11:21 is where the link leads

    # One stop of the Tab key among the times; arrows go to the others.
    assert await page.locator('#transcript .at:not([tabindex="-1"])').count() == 1
    await page.locator('#transcript .at[href$="#u-9"]').focus()
    await page.keyboard.press("ArrowDown")
    moved = "addEventListener('hashchange', () => setTimeout(done))"  # after what the page does
    await page.evaluate(f"window.moved = new Promise((done) => {moved}); 0")
    await page.keyboard.press("Enter")
    await page.evaluate("window.moved")
    await expect(page).to_have_url(re.compile("#u-10$"))
    stop = page.locator('#transcript .at:not([tabindex="-1"])')
    assert await stop.get_attribute("href") == "?line=10#u-10"
    assert urlsplit(page.url).query == "line=10"  # for who gets this address
    await page.keyboard.press("Home")
    await expect(page.locator("#transcript .at").first).to_be_focused()

    # What is selected and copied has its spaces.
    turn = page.locator("#transcript .turn").nth(2)
    copied = await turn.evaluate(
        "(turn) => { getSelection().selectAllChildren(turn); return getSelection().toString(); }"
    )
    assert re.fullmatch(rf"{WIDE_NAME} guest 12:40\s+{WIDE_WORD}", copied.strip()), copied
    heading = turn.get_by_role("heading")
    await expect(heading).to_have_accessible_name(f"{WIDE_NAME} guest 12:40")
    in_chat = page.locator("#transcript .in-chat")
    await expect(in_chat.get_by_role("heading")).to_have_accessible_name(
        re.compile(r"^Ada Lovelace in the chat \d+:\d\d$")
    )
    assert await in_chat.locator(".words a").get_attribute("target") == "_blank"

    # Exports know the reader's time zone, the copy is the same text.
    menu = page.locator("#save")
    await menu.get_by_text("Save as…").click()
    await page.keyboard.press("Escape")
    await expect(menu.get_by_role("button", name="Text .txt")).to_be_hidden()
    await page.keyboard.press("Enter")
    async with page.expect_download() as download:
        await menu.get_by_role("button", name="Text .txt").click()
    file = await download.value
    await expect(menu.get_by_role("button", name="Text .txt")).to_be_hidden()
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d Weekly {WIDE_NAME}\.txt", file.suggested_filename)
    text = await asyncio.to_thread((await file.path()).read_text)
    assert "Asia/Tokyo (UTC+09:00)\n" in text
    assert f"[00:12:40] {WIDE_NAME}: {WIDE_WORD}" in text
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == text

    await menu.get_by_text("Save as…").click()
    await menu.get_by_label("With times").uncheck()
    await menu.get_by_label("With the chat").uncheck()
    async with page.expect_download() as download:
        await menu.get_by_role("button", name="Markdown .md").click()
    file = await download.value
    assert file.suggested_filename.endswith(f" Weekly {WIDE_NAME}.md")
    text = await asyncio.to_thread((await file.path()).read_text)
    assert WIDE_WORD in text
    assert "12:40" not in text
    assert "(chat)" not in text

    await page.get_by_role("link", name="All sessions").click()
    await expect(page.locator(f"#session-{slug}")).to_be_visible()
    await assert_nothing_sticks_out(page)
    assert not browsers.errors
