"""What hosts do in their list without leaving it, in a browser, and the same without scripts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.call_page import press_sign_in
from tests.support.http import Browser

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def signed_in(browsers: Browsers, site: AppServer, name: str, **options: Any) -> Page:
    """Sign in with the form of the start page."""
    page = await browsers.page(**options)
    await page.goto(f"{site.url}/sign-in")
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("E-mail").fill(f"{name.lower().replace(' ', '.')}@example.com")
    await press_sign_in(page)
    await expect(page.get_by_role("heading", level=1)).to_contain_text("talking")
    return page


async def started(site: AppServer, name: str, *titles: str) -> list[str]:
    """Start sessions in another browser of the same person."""

    def start() -> list[str]:
        other = Browser(site.url).sign_in(name)
        return [other.start_session(title, admission="KNOCK") for title in titles]

    return await asyncio.to_thread(start)


async def refresh(page: Page) -> None:
    """Have the list ask again, as it does by itself, and wait until the answer is in the page."""
    async with page.expect_response("**/sessions?**"):
        await page.evaluate(
            """() => new Promise((done) => {
              document.addEventListener('htmx:after:settle', done, { once: true });
              document.getElementById('sessions').dispatchEvent(new Event('every'));
            })"""
        )


async def test_a_host_sees_to_a_session_without_leaving_the_list(
    browsers: Browsers, site: AppServer
) -> None:
    name = "Radia Perlman"
    page = await signed_in(browsers, site, name)
    slug, other = await started(site, name, "Spanning", "Trees")
    await page.reload()
    await page.evaluate("window.here = true")
    row = page.locator(f"#session-{slug}")
    await row.get_by_text("Settings", exact=True).click()
    title = row.get_by_label("Title of the session")
    await expect(title).to_have_value("Spanning")

    # What is being typed outlives the refresh, which brings what is new around it.
    await title.press("End")
    await title.press_sequentially(" tree")
    await asyncio.to_thread(
        Browser(site.url).sign_in(name).host, other, "settings", title="Bridges"
    )
    await refresh(page)
    await expect(page.locator(f"#session-{other} .title")).to_have_text("Bridges")
    await expect(title).to_have_value("Spanning tree")
    await expect(title).to_be_focused()
    await title.press("Enter")
    await expect(row.get_by_role("status")).to_have_text("Saved.")
    await expect(row.locator(".title")).to_have_text("Spanning tree")
    await expect(title).to_be_focused()

    await title.fill(" ")
    await title.press("Enter")
    await expect(row.get_by_role("alert")).to_have_text("Type a title.")
    await expect(row.locator(".title")).to_have_text("Spanning tree")

    await row.get_by_label("No new guests").check()
    await row.get_by_label("Lock:").check()
    await row.get_by_role("button", name="Save").click()
    await expect(row.get_by_role("status")).to_have_text("Saved.")
    await expect(row.get_by_role("alert")).to_have_text("")
    await expect(row.get_by_role("button", name="Save")).to_be_focused()

    await row.get_by_text("End for everyone", exact=True).click()
    await row.get_by_role("button", name="Yes, end it").click()
    said = page.locator("#sessions-said")
    await expect(said).to_contain_text("The session has ended.")
    await expect(said.get_by_role("link")).to_be_focused()
    await expect(row.get_by_text("Settings", exact=True)).to_have_count(0)
    assert await page.evaluate("window.here"), "nothing of it left the page"


async def test_what_was_refused_is_said_beside_what_was_typed(
    browsers: Browsers, site: AppServer
) -> None:
    name = "Karen Jones"
    page = await signed_in(browsers, site, name)
    (slug,) = await started(site, name, "Terms")
    await page.reload()
    row = page.locator(f"#session-{slug}")
    await row.get_by_text("Settings", exact=True).click()
    title = row.get_by_label("Title of the session")
    await title.fill("Weights")
    ours = Browser(site.url).sign_in(name)
    await asyncio.to_thread(ours.host, slug, "settings", title="Bridges")
    await title.press("Enter")
    await expect(row.get_by_role("alert")).to_contain_text("“Bridges” meanwhile.")
    await expect(title).to_have_value("Weights")
    await title.press("Enter")
    await expect(row.get_by_role("status")).to_have_text("Saved.")
    await title.fill("Weights and lifts")
    address = f"**/s/{slug}/settings"
    await page.route(address, lambda route: route.abort())
    await title.press("Enter")
    await expect(row.get_by_role("alert")).to_contain_text("The server doesn’t answer.")
    await page.unroute(address)
    await asyncio.to_thread(ours.end, slug)
    await title.press("Enter")
    await expect(row.get_by_role("alert")).to_contain_text("This session has ended.")
    await expect(title).to_have_value("Weights and lifts")


async def test_a_start_that_is_refused_keeps_its_title(browsers: Browsers, site: AppServer) -> None:
    page = await signed_in(browsers, site, "Grace Hopper")
    title = page.get_by_label("What is it about?")
    problem = page.locator("#start-problem")
    await title.fill("Compilers")
    await page.route("**/sessions", lambda route: route.abort())
    await title.press("Enter")
    await expect(problem).to_contain_text("The server doesn’t answer.")
    await page.unroute("**/sessions")

    form = page.locator(".start-form")
    fields = "(form) => Object.assign(form.querySelector('button'), { name: 'a', value: '%s' })"
    await form.evaluate(fields % ("x" * 70_000))  # a body too large, which our server refuses
    await page.get_by_role("button", name="Start a session").click()
    await expect(problem).to_contain_text("What you sent is too large.")
    await expect(title).to_have_value("Compilers")

    # Twice in a moment is once, and leads into the room.
    await form.evaluate(fields % "")
    await page.evaluate(
        "() => { const button = document.querySelector('.start-form button');"
        " button.click(); button.click(); }"
    )
    await expect(page.locator("[data-join=wish]")).to_be_visible()
    await page.goto(site.url)
    await expect(page.get_by_role("link", name="Compilers", exact=True)).to_have_count(1)


async def test_nothing_is_asked_for_while_nobody_looks(browsers: Browsers, site: AppServer) -> None:
    page = await signed_in(browsers, site, "Barbara Simons")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    hide = """(value) =>
        Object.defineProperty(document, 'hidden', { value, configurable: true })"""
    await page.evaluate(hide, True)
    await page.evaluate("document.getElementById('sessions').dispatchEvent(new Event('every'))")
    await page.evaluate("new Promise((done) => setTimeout(done))")
    await page.evaluate(hide, False)
    async with page.expect_response("**/sessions?**"):
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert len([url for url in asked if "/sessions?" in url]) == 1


async def test_all_of_it_works_without_scripts(browsers: Browsers, site: AppServer) -> None:
    name = "Mary Kenneth"
    page = await signed_in(browsers, site, name, java_script_enabled=False)
    (slug,) = await started(site, name, "Plain")
    await page.reload()
    row = page.locator(f"#session-{slug}")
    await row.get_by_text("Settings", exact=True).click()
    await row.get_by_role("link", name="Rename it").click()
    await expect(page).to_have_url(f"{site.url}/s/{slug}/settings")
    await page.get_by_label("Title of the session").fill(" ")
    await page.get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("alert")).to_have_text("Type a title.")
    await page.get_by_label("Title of the session").fill("Simple")
    await page.get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("status")).to_have_text("Saved.")
    await page.get_by_label("Anyone with the link").check()
    await page.get_by_label("Lock:").check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_label("Anyone with the link")).to_be_checked()
    await expect(page.get_by_label("Lock:")).to_be_checked()
    await page.get_by_label("Lock:").uncheck()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_label("Lock:")).not_to_be_checked()
    await page.get_by_role("link", name="Your sessions").click()
    await expect(row.locator(".title")).to_have_text("Simple")
    await page.goto(f"{site.url}/s/{slug}/settings")
    await page.get_by_text("End for everyone", exact=True).click()
    await page.get_by_role("button", name="Yes, end it").click()
    await expect(page).to_have_url(f"{site.url}/s/{slug}")
