"""From a link that a host makes to the end of it, in the browsers of two people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from playwright.async_api import expect

from tests.conftest import MakeServer
from tests.support.browser import Browsers, be
from tests.support.tables import Tables
from tests.support.visitors import Visitor

pytestmark = pytest.mark.browser

SAY = """
    INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s, end_s)
    SELECT session_id, 's', n::text, n, identity, 'Line ' || n || ' of Bo.', n * 10, n * 10 + 4
    FROM participants, generate_series(1, 150) n WHERE identity = $1"""


async def test_make_send_read_find_and_revoke(
    make_server_in: MakeServer, make_database: Callable[[], str], browsers: Browsers
) -> None:
    def prepare() -> tuple[str, Visitor, str]:
        database = make_database()
        server = make_server_in(DATABASE_URL=database, LIVEKIT_URL="off")
        host = Visitor(server.url).sign_in("Ada Lovelace")
        slug = host.start_session("Ferries")
        guest = Visitor(server.url).be_guest(slug, "Bo").join(slug)
        Tables(database)(SAY, guest["you"]["identity"])
        host.end(slug)
        return server.url, host, slug

    url, ada, slug = await asyncio.to_thread(prepare)
    mine, hers = await browsers.page(), await browsers.page()
    await be(mine.context, ada)
    await mine.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
    await mine.goto(f"{url}/s/{slug}")
    await mine.get_by_role("link", name="Share…").click()
    await mine.get_by_label("1 day").check()
    await mine.get_by_role("button", name="Make the link").click()
    field = mine.get_by_role("textbox", name="Link to the transcript")
    await expect(field).to_be_focused()
    await mine.get_by_role("button", name="Copy link").click()
    await expect(mine.get_by_role("button", name="Copied")).to_be_visible()
    link = await mine.evaluate("navigator.clipboard.readText()")
    assert link == await field.input_value()

    # Whom nobody knows reads it, finds what isn't in the page yet, and who spoke.
    told: list[str] = []
    hers.on("request", lambda request: told.append(request.headers.get("referer", "")))
    await hers.goto(link)
    await expect(hers.get_by_role("heading", name="Ferries")).to_be_visible()
    await expect(hers.locator("#u-150")).to_have_count(0)
    await hers.get_by_role("searchbox").fill("line 150")
    await expect(hers.locator("[data-find-count]")).to_have_text("1 line")
    await hers.get_by_role("searchbox").press("Enter")
    await expect(hers.locator("#u-150.current-line")).to_have_count(1)
    await hers.get_by_role("link", name="Earlier").click()
    await expect(hers.locator("#u-120")).to_have_count(1)
    await hers.locator(".voice a").click()
    await expect(hers.get_by_role("link", name="Show what everybody said")).to_be_visible()
    assert not [one for one in told if "/shared/" in one], "told to nobody, not even to us"
    assert slug not in await hers.content()

    # Ada sees that it was opened, and ends it.
    await mine.reload()
    await expect(mine.locator("#sharing")).to_contain_text("opened once")
    await mine.get_by_role("button", name="Revoke").click()
    await expect(mine.locator("#sharing .saved")).to_have_text(
        "Revoked. It opens nothing any more."
    )
    await hers.reload()
    await expect(hers.get_by_role("heading")).to_have_text("This link was revoked.")
