"""Correcting a transcript in its page: one journey, beside somebody else who corrects it, too."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import asyncpg
import pytest
from playwright.async_api import Page, expect

from tests.support.app_server import AppServer
from tests.support.browser import Browsers, be
from tests.support.visitors import Visitor

pytestmark = pytest.mark.browser

SAID = (
    ("Ada", "good morning everybody I am glad that all of you are here"),
    ("Ada", "shall we go through the agenda together"),
    ("Ada", "the first thing is the prize of the new offer"),
    ("Bo", "yes and the second is the hiring plan"),
    ("Bo", "my phone number is five five five"),
    ("Ada", "let us begin"),
)


async def meet(server: AppServer) -> tuple[Visitor, Visitor, str]:
    """Return who hosted a session that is over, a guest who was there, and its link."""
    host = Visitor(server.url).sign_in("Ada")
    slug = host.start_session("Offer")
    guest = Visitor(server.url).be_guest(slug, "Bo")
    who = {name: one.join(slug)["you"]["identity"] for name, one in (("Ada", host), ("Bo", guest))}
    connection = await asyncpg.connect(server.database_url)
    try:
        await connection.executemany(
            "INSERT INTO utterances"
            " (session_id, stream, utterance, seq, identity, text, start_s, end_s)"
            " SELECT id, 's', $2, $3, $4, $5, $6::float8, $6::float8 + 4"
            " FROM sessions WHERE slug = $1",
            [
                (slug, str(seq), seq, who[name], text, 5.0 * seq)
                for seq, (name, text) in enumerate(SAID, 1)
            ],
        )
        await connection.execute(
            "UPDATE participants SET joined_at = now(), left_at = now() WHERE identity = ANY($1)",
            list(who.values()),
        )
    finally:
        await connection.close()
    host.end(slug)
    return host, guest, slug


async def shoot(page: Page, name: str) -> None:
    """Keep a picture for whoever wants to look: SHOTS names the folder."""
    if folder := os.environ.get("SHOTS"):
        await page.screenshot(path=Path(folder) / f"{name}.png")


async def test_a_transcript_is_corrected(server: AppServer, browsers: Browsers) -> None:
    host, guest, slug = await meet(server)
    page = await browsers.page(viewport={"width": 1280, "height": 800})
    await be(page.context, host)
    await page.goto(f"{server.url}/s/{slug}")
    form = page.locator(".correcting")
    text = form.get_by_label("What was said")

    def line(name: str) -> str:
        return f"[id='u-{name}']"

    async def correct(name: str) -> None:
        await page.locator(line(name)).hover()
        await page.locator(f".correct[data-line='{name}']").click()
        await expect(text).to_be_focused()

    # By the keyboard alone: from a time, and back to it.
    await page.locator("#transcript .at[tabindex='0']").focus()
    await page.keyboard.press("e")
    await expect(text).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(form).to_have_count(0)
    await page.keyboard.press("e")
    await text.fill("Good morning everybody!")
    await shoot(page, "form")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(line("1"))).to_contain_text("Good morning everybody!")
    await expect(form).to_have_count(0)
    await expect(page.locator(f"{line('1')} .mark-corrected")).to_have_text("corrected")
    await expect(page.locator(".turn .at").first).to_be_focused()

    # Somebody else was faster: both are shown, and what was typed isn't lost.
    await correct("2")
    address, headers = f"/s/{slug}/transcript/lines/2", {"Accept": "application/json"}
    changed = await asyncio.to_thread(
        host.http.post, address, data={"revision": "0", "text": "Theirs."}, headers=headers
    )
    assert changed.status_code == 200
    await text.fill("Mine.")
    await page.keyboard.press("Control+Enter")
    await expect(form.get_by_role("alert").first).to_contain_text("Theirs.")
    await expect(text).to_have_value("Mine.")
    await shoot(page, "both")
    await form.get_by_role("button", name="Save").click()
    await expect(page.locator(line("2"))).to_contain_text("Mine.")

    # Split where the cursor is, and joined again.
    await correct("3")
    await text.fill("the first thing is the price of the new offer")
    await text.evaluate("one => one.setSelectionRange(19, 19)")
    await form.get_by_role("button", name="Split at the cursor").click()
    await expect(page.locator(line("3.1"))).to_contain_text("the price of the new offer")
    await expect(page.locator(line("3"))).to_contain_text("the first thing is")
    await correct("3")
    await form.get_by_role("button", name="Join with the next line").click()
    await expect(page.locator(line("3.1"))).to_have_count(0)
    await expect(page.locator(line("3"))).to_contain_text("the first thing is the price")

    # A run is somebody else's, who had no microphone; and the other has another name.
    await correct("4")
    await form.get_by_label("Who said it").select_option("Somebody else…")
    await form.get_by_label("Name of somebody else").fill("Zoë")
    await form.get_by_label("until somebody else speaks").check()
    await shoot(page, "speaker")
    await form.get_by_role("button", name="Save").click()
    await expect(page.locator(".turn", has=page.locator(line("5"))).locator(".name")).to_have_text(
        "Zoë"
    )
    await correct("6")
    await form.get_by_text("Call Ada something else").click()
    await form.get_by_label("Name in this session").fill("Ada Lovelace")
    await form.get_by_role("button", name="Rename").click()
    await expect(page.locator(".turn .name").first).to_have_text("Ada Lovelace")

    # Hidden: who may correct still sees it, nobody else.
    await correct("5")
    await form.get_by_role("button", name="Hide this line").click()
    await expect(page.locator(f"{line('5')} .mark-hidden")).to_have_text("hidden")
    await shoot(page, "hidden")
    read = (await asyncio.to_thread(guest.http.get, f"/s/{slug}")).text
    assert "hiring plan" in read
    assert "five five five" not in read
    assert "/lines/1" not in read, "no pen, no history"

    # What it was, and the original back.
    await page.locator(f"{line('1')} .mark-corrected").click()
    await expect(form).to_contain_text(SAID[0][1])
    await shoot(page, "history")
    await form.get_by_role("button", name="Restore the original").click()
    await expect(page.locator(line("1"))).to_have_text(SAID[0][1])
    # What can't be is said in its place, and what was typed stays.
    await correct("1")
    await text.fill(" \u0301 ")
    await page.keyboard.press("Control+Enter")
    await expect(form.locator("[data-problem]")).to_contain_text("nothing to read")
    await form.get_by_role("link", name="Cancel").click()
    await expect(page.locator(".correct[data-line='1']")).to_be_focused()


async def test_without_scripts(server: AppServer) -> None:
    host, _, slug = await meet(server)

    def corrects() -> None:
        headers = {"Accept": "text/html"}
        here = f"/s/{slug}/transcript/lines/2"
        shown = host.http.get(here, headers=headers)
        assert shown.status_code == 200
        assert 'name="revision" value="0"' in shown.text
        done = host.http.post(here, data={"revision": "0", "text": "One"}, headers=headers)
        assert (done.status_code, done.headers["location"]) == (303, f"/s/{slug}?line=2#u-2")
        late = host.http.post(here, data={"revision": "0", "text": "<b>Two"}, headers=headers)
        assert late.status_code == 409
        assert "One</dd>" in late.text
        assert "&lt;b&gt;Two</textarea>" in late.text
        hidden = host.http.post(f"{here}/hide", data={"revision": "0"}, headers=headers)
        assert hidden.status_code == 409
        assert "This is what it is now." in hidden.text
        told = host.http.get(f"{here}/history", headers=headers)
        assert SAID[1][1] in told.text
        assert "changed the words" in told.text

    await asyncio.to_thread(corrects)
