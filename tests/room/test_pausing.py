"""A host pauses the transcription: the page's audio stays in the page, and everybody reads so."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from core.speech.engine import BYTES_PER_SECOND, SAMPLE_RATE
from tests.support.app_server import AppServer
from tests.support.browser import Browsers, be
from tests.support.call_page import LIVE, WIDE
from tests.support.speech_samples import beckett, wav_bytes
from tests.support.traffic import Traffic
from tests.support.visitors import Visitor
from tests.support.waiting import until

pytestmark = pytest.mark.browser


async def host_does(visitor: Visitor, slug: str, what: str) -> None:
    assert await asyncio.to_thread(visitor.host, slug, what) == (204, "")


async def test_no_audio_leaves_the_page_while_a_host_pauses(
    server: AppServer, browsers: Browsers, tmp_path: Path
) -> None:
    speech = tmp_path / "speech.wav"
    speech.write_bytes(wav_bytes(beckett()[: 6 * BYTES_PER_SECOND]))
    ada = await asyncio.to_thread(Visitor(server.url).sign_in, "Ada Lovelace")
    slug = await asyncio.to_thread(ada.start_session)
    bob = await asyncio.to_thread(Visitor(server.url).be_guest, slug, "Bob")
    pages: list[Page] = []
    for who in (ada, bob):
        context = await browsers.context(viewport=WIDE, microphone=speech)
        await be(context, who)
        pages.append(await context.new_page())
    host, page = pages
    traffic = Traffic(page)
    await host.goto(f"{server.url}/s/{slug}")
    await host.locator("[data-join=listen]").click()
    await expect(host.locator("[data-connection-text]")).to_have_text(LIVE)
    await page.goto(f"{server.url}/s/{slug}")
    await page.get_by_role("button", name="Join with microphone").click()
    await expect(page.locator("[data-lines] .line").first).to_be_visible()
    await expect(page.locator("[data-pause]")).to_be_hidden()

    # It is paused: everybody reads so, and nothing of what is said leaves.
    await host.locator("[data-pause]").click()
    await until(lambda: traffic.places("pauses"))
    notice = page.locator('.notice[data-topic="paused"]')
    await expect(notice).to_contain_text("Ada Lovelace paused the transcription.")
    await expect(notice).to_contain_text("The call goes on.")
    await expect(page.locator("[data-mic-aside]")).to_have_text("not transcribed")
    await expect(page.locator("[data-lines] .pause")).to_contain_text("nothing is transcribed")
    await expect(host.locator("[data-pause]")).to_have_text("Resume")
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", "true")
    await traffic.two_beats()
    assert traffic.audio_after(traffic.places("pauses")[-1]) == []
    if shots := os.environ.get("SHOTS"):
        await page.screenshot(path=Path(shots) / "paused.png")
        await host.screenshot(path=Path(shots) / "paused-host.png")

    # Nor after a line that broke.
    await page.context.set_offline(True)
    await expect(page.locator("[data-connection-text]")).not_to_have_text(LIVE)
    await page.context.set_offline(False)
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    await traffic.two_beats()
    assert traffic.audio_after(traffic.places("pauses")[-1]) == []

    # It goes on: so does the audio, of a later moment.
    old = max(one for one in traffic.said if isinstance(one, int))
    lines = page.locator("[data-lines] .line:not(.pause)")
    before = await lines.count()
    await host.locator("[data-pause]").click()
    assert min(traffic.audio_after(await traffic.goes_on())) > old + 2 * SAMPLE_RATE
    await expect(page.locator(".toast")).to_contain_text("The transcription goes on")
    await expect(notice).to_have_count(0)
    await expect(page.locator("[data-mic-aside]")).to_be_hidden()
    await expect(page.locator("[data-lines] .pause")).to_contain_text("nothing was transcribed")
    await expect(lines.nth(before)).to_be_visible()

    # Paused while the line is gone: what the page kept of before is sent, and no more.
    await page.context.set_offline(True)
    await expect(page.locator("[data-connection-text]")).not_to_have_text(LIVE)
    await host_does(ada, slug, "pause")
    await asyncio.sleep(2)  # in which something is said
    await page.context.set_offline(False)
    welcomes = len(traffic.places("welcome"))
    await until(lambda: len(traffic.places("welcome")) > welcomes)
    await expect(notice).to_have_count(1)
    await traffic.two_beats()
    place = traffic.places("welcome")[-1]
    welcome, hello = traffic.said[place], traffic.said[traffic.places("hello")[-1]]
    paused_at = welcome["pauses"][-1]["start"]
    begun = hello["clock"] - (welcome["now"] - paused_at) * SAMPLE_RATE
    sent = traffic.audio_after(place)
    assert sent, "what was said before the pause is sent late"
    assert max(sent) <= begun
