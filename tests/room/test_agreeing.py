"""Somebody chooses, at the door and in the room, to be transcribed or not; their page heeds it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from core.speech.engine import BYTES_PER_SECOND, SAMPLE_RATE
from tests.support.app_server import AppServer
from tests.support.browser import Browsers, be
from tests.support.call_page import LIVE, WIDE
from tests.support.speech_samples import beckett, wav_bytes
from tests.support.traffic import Traffic
from tests.support.visitors import RoomPage, Visitor
from tests.support.waiting import until

pytestmark = pytest.mark.browser
OFF = {"type": "mic", "on": False}


async def shot(page: Page, name: str) -> None:
    """Take pictures where somebody looks at them."""
    if not (shots := os.environ.get("SHOTS")):
        return
    await page.screenshot(path=Path(shots) / f"{name}.png")
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.emulate_media(color_scheme="dark")
    await page.screenshot(path=Path(shots) / f"{name}-390-dark.png")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size({"width": 1280, "height": 720})


async def asks(ada: Visitor, space: str, what: str) -> None:
    answer = await asyncio.to_thread(
        ada.http.post, f"/spaces/{space}/consent", data={"consent": what}
    )
    assert answer.status_code in (204, 303)


async def untranscribed(host: RoomPage, count: int) -> None:
    def told() -> bool:
        people = host.of_type("people")
        return bool(people) and len(people[-1]["untranscribed"]) == count

    await host.until(told)


async def test_who_says_no_is_unheard_from_the_click_on(
    server: AppServer, browsers: Browsers, tmp_path: Path
) -> None:
    speech = tmp_path / "speech.wav"
    speech.write_bytes(wav_bytes(beckett()[: 6 * BYTES_PER_SECOND]))
    ada = await asyncio.to_thread(Visitor(server.url).sign_in, "Agnes")
    slug = await asyncio.to_thread(ada.start_session)
    space = (await asyncio.to_thread(ada.http.get, "/spaces")).text.split('href="/spaces/')[1][:36]
    await asks(ada, space, "REQUIRED")
    bob = await asyncio.to_thread(Visitor(server.url).be_guest, slug, "Bob")
    context = await browsers.context(viewport=WIDE, microphone=speech)
    await be(context, bob)
    page = await context.new_page()
    traffic = Traffic(page)
    await page.goto(f"{server.url}/s/{slug}")
    join = page.get_by_role("button", name="Join with microphone")
    no = page.get_by_role("button", name="Don’t transcribe me")
    yes = page.get_by_role("button", name="Transcribe me", exact=True)
    aside = page.locator("[data-mic-aside]")

    # The door asks, and nobody joins without an answer.
    await join.click()
    await expect(page.get_by_label("Transcribe me", exact=True)).to_be_focused()
    await expect(join).to_be_enabled()
    await shot(page, "consent-lobby")
    await page.get_by_label("Don’t transcribe me").check()
    await join.click()
    async with ada.page(slug) as host:
        await untranscribed(host, 2)  # nor does a host who hasn't said
        await expect(page.locator("[data-consent=false]")).to_contain_text("isn’t transcribed")
        await expect(aside).to_have_text("not transcribed")
        await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", "true")
        await traffic.two_beats()
        assert traffic.audio_after(0) == []
        await shot(page, "consent-refused")

        # They change their mind: what they say from now on is written.
        await yes.click()
        await untranscribed(host, 1)
        await expect(page.locator("[data-consent=true]")).to_contain_text("is transcribed")
        await expect(aside).to_be_hidden()
        await expect(page.locator("[data-lines] .line").first).to_be_visible()
        await shot(page, "consent-agreed")

        # And again: it holds from the click on, before the server knows of it.
        held = asyncio.get_running_loop().create_future()

        async def hold(route: Route) -> None:
            held.set_result(route)

        await page.route("**/consent", hold)
        await no.click()
        clicked = len(traffic.said)
        await expect(aside).to_have_text("not transcribed")
        await until(lambda: any(traffic.said[n] == OFF for n in traffic.places("mic")[-1:]))
        await traffic.two_beats()
        told = traffic.places("mic")[-1]
        assert traffic.audio_after(max(told, clicked)) == []
        await untranscribed(host, 1)
        await (await held).continue_()
        await page.unroute("**/consent")
        await untranscribed(host, 2)

        # What was kept while the line was gone goes with a no, which the server hears of later.
        await yes.click()
        await untranscribed(host, 1)
        await traffic.goes_on()
        await page.context.set_offline(True)
        await expect(page.locator('.notice[data-topic="connection"]')).to_contain_text("is kept")
        await no.click()
        await expect(page.locator(".toast").last).to_be_visible()
        await expect(page.locator("[data-consent=false]")).to_be_visible()
        gone = len(traffic.said)
        await page.context.set_offline(False)
        await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
        await untranscribed(host, 2)
        await traffic.two_beats()
        assert traffic.audio_after(gone) == []

        # The space asks no more, and then everybody anew who hasn't said: rooms hear of it.
        await asks(ada, space, "OFF")
        await untranscribed(host, 1)
        await yes.click()
        await untranscribed(host, 0)
        old = max(one for one in traffic.said[:gone] if isinstance(one, int))
        assert min(traffic.audio_after(await traffic.goes_on())) > old + 2 * SAMPLE_RATE
        await expect(page.locator("[data-consent=true]")).to_be_hidden()


async def test_who_is_asked_in_mid_session_is_unheard_until_they_answer(
    server: AppServer, browsers: Browsers
) -> None:
    ada = await asyncio.to_thread(Visitor(server.url).sign_in, "Agatha")
    slug = await asyncio.to_thread(ada.start_session)
    space = (await asyncio.to_thread(ada.http.get, "/spaces")).text.split('href="/spaces/')[1][:36]
    bob = await asyncio.to_thread(Visitor(server.url).be_guest, slug, "Bob")
    page = await browsers.page(viewport=WIDE)
    await be(page.context, bob)
    traffic = Traffic(page)
    await page.goto(f"{server.url}/s/{slug}")
    await page.get_by_role("button", name="Join with microphone").click()
    await traffic.goes_on()
    await asks(ada, space, "REQUIRED")
    notice = page.locator('.notice[data-topic="consent"]')
    await expect(notice).to_contain_text("May what you say be transcribed?")
    await expect(page.locator("[data-mic-aside]")).to_have_text("not transcribed")
    await shot(page, "consent-asked")
    told = traffic.places("consent")[-1]
    await traffic.two_beats()
    assert traffic.audio_after(max(told, traffic.places("mic")[-1])) == []
    # It is the same for who is away meanwhile: what their page kept goes.
    await asks(ada, space, "OFF")
    await traffic.goes_on()
    await page.context.set_offline(True)
    await expect(page.locator('.notice[data-topic="connection"]')).to_contain_text("is kept")
    await asks(ada, space, "REQUIRED")
    welcomes = len(traffic.places("welcome"))
    await page.context.set_offline(False)
    await until(lambda: len(traffic.places("welcome")) > welcomes)
    await expect(notice).to_have_count(1)
    await traffic.two_beats()
    assert traffic.audio_after(traffic.places("welcome")[-1]) == []
    await notice.get_by_role("button", name="Transcribe me", exact=True).click()
    await expect(notice).to_have_count(0)
    await traffic.goes_on()
