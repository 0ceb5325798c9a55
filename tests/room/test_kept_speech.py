"""The page keeps what was said until it is text: over lost connections, crashes, long outages."""

from __future__ import annotations

import asyncio
import re
import time

import pytest
from playwright.async_api import expect

from core.speech.engine import SAMPLE_RATE
from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import silence, speak, vocabulary
from tests.support.app_server import AppServer
from tests.support.browser import Browsers, be
from tests.support.call_page import LIVE
from tests.support.dictation import emulator, say, speech_by
from tests.support.kept_speech import KeptSpeech, begin_talk, session_began_earlier
from tests.support.visitors import Visitor

__all__ = ["emulator"]

WORDS = vocabulary(60, seed=14)

# What a server may want of a page, and what the page's ring has of it.
RING = """async () => {
  const { AudioRing } = await import('/static/js/room/ring.js');
  const seen = [];
  const ring = new AudioRing(10 * 16000);
  const frame = (at) => new Uint8Array(new Int16Array(640).fill(at / 640).buffer);
  const keep = (from, until) => {
    for (let at = from; at < until; at += 640) ring.keep(at, frame(at));
  };
  const walk = (from) => {
    const got = [];
    for (let next = from, piece; (piece = ring.next(next)); next = piece.end) {
      const samples = new Int16Array(piece.bytes.slice().buffer);
      const at = piece.index;
      const right = samples.every((one, place) => one === Math.floor((at + place) / 640));
      got.push([piece.index, piece.end, samples.length, right]);
    }
    return got;
  };
  keep(0, 32000 + 640);
  keep(64000, 64000 + 640 * 3);
  seen.push(walk(12345), ring.size, ring.after(12345));
  ring.settle(32000);
  seen.push(walk(0), ring.lostFrom(0));
  keep(80000, 80000 + 640 * 375);
  seen.push(ring.size, ring.lostFrom(0), walk(0)[0][0]);
  ring.settle(400000);
  seen.push(ring.size, ring.lostFrom(0), walk(0));
  for (let at = 1e6; at < 1e6 + 60 * 80000; at += 80000) keep(at, at + 16000);
  let stretches = 0;
  for (let at = 0, lost; (lost = ring.lostFrom(at)); at = lost.until) stretches += 1;
  seen.push(ring.size, ring.lostFrom(0), stretches);
  return seen;
}"""


@pytest.mark.browser
async def test_the_ring_keeps_what_is_not_text_and_tells_what_it_let_go(
    server: AppServer, browsers: Browsers
) -> None:
    page = await browsers.page()
    await page.goto(server.url)
    (
        walked,
        size,
        after,
        rest,
        none,
        full,
        lost,
        first,
        empty,
        settled,
        nothing,
        *many,
    ) = await page.evaluate(RING)
    frames = 32_640 + 1_920
    assert (size, after) == (frames, frames - 12_345)
    assert walked[0][0] == 12_345
    assert walked[-1][1] == 64_000 + 1_920
    for index, end, samples, right in walked:
        assert right
        assert samples == end - index
        assert 320 <= samples <= 1_600, "what the server takes in one message"
    assert rest[0][0] == 32_000
    assert none is None, "what is text isn't lost"
    assert full <= 10 * SAMPLE_RATE
    assert lost == {"from": 32_000, "until": first}
    assert (empty, settled, nothing) == (0, None, [])
    assert many[0] == 10 * SAMPLE_RATE
    assert many[1]["from"] == 1_000_000, "however many pieces were let go, all are told"
    assert many[2] <= 50


async def test_silence_is_settled_once_all_before_it_is_stored(
    make_server: MakeServer, emulator: GladiaEmulator
) -> None:
    server = await asyncio.to_thread(make_server, **speech_by(emulator))
    ada = Visitor(server.url).sign_in("Ada")
    async with ada.page(ada.start_session()) as page:
        await page.mic(True)
        # Up to 5 s may be left until it is told again, and half a second before a word.
        await page.speak(silence(20))
        await page.until(lambda: page.settled > 14 * SAMPLE_RATE)
        await say(page, WORDS[:3])
        said = page.index
        await page.until(lambda: page.settled > 20 * SAMPLE_RATE)
        assert page.settled <= said
        await page.speak(silence(20))
        await page.until(lambda: page.settled > page.index - 6 * SAMPLE_RATE)
        assert page.index - page.settled >= SAMPLE_RATE // 2, "a word may just be beginning"
        assert len(page.of_type("settled")) < 12, "and it costs a message every 5 s"
        # A line may break before that arrives: then it is told once more.
        told = page.settled
        await page.drop()
        page.settled = 0
        await page.connect()
        await page.until(lambda: page.settled >= told)


async def test_what_was_said_before_and_after_a_crash_is_written_once_in_order(
    make_server: MakeServer, browsers: Browsers, emulator: GladiaEmulator
) -> None:
    """Killed in mid-sentence, away for three minutes: the page says it all anew."""
    server = await asyncio.to_thread(make_server, **speech_by(emulator))
    began = time.monotonic()
    _, speech, bob, reader, slug = await begin_talk(server, browsers)
    page = speech.page
    await speech.say(speak(WORDS[:4]) + silence(1))
    await reader.until(lambda: reader.text.split() == WORDS[:4])
    await speech.say(speak(WORDS[4:10]))
    server.kill()
    await reader.until_closed()
    # As a proxy answers that knows of no server any more: that isn't the session's refusal.
    nowhere = re.compile("/join$")
    await page.route(nowhere, lambda route: route.fulfill(status=404, body="no such service"))

    line = page.locator('.notice[data-topic="connection"]')
    for minute in range(3):
        await speech.say(speak(WORDS[10 + 3 * minute : 13 + 3 * minute]))
        await speech.hum(20)
        await speech.hum(40, level=0)
        if minute == 0:
            await expect(line).to_contain_text("What you say is kept for up to 10 minutes")
    # Of three minutes one: silence takes no place.
    await expect(line).to_contain_text("1 of 10 minutes")
    # Who leaves now loses it, and is asked.
    await page.locator("[data-leave]").click()
    question = page.locator("[data-confirm-dialog]")
    await expect(question).to_contain_text("could not be sent yet")
    await question.get_by_role("button", name="Cancel").click()
    # And who closes or reloads the page, also with the microphone off.
    await page.keyboard.press("m")
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", "false")
    page.once("dialog", lambda dialog: dialog.dismiss())
    async with page.expect_event("dialog") as asked:
        await page.evaluate("setTimeout(() => location.reload())")
    assert (await asked.value).type == "beforeunload"

    await session_began_earlier(server.database_url, 3 * 61 + 10)
    await asyncio.to_thread(server.start)
    await page.unroute(nowhere)
    await page.clock.run_for(8_000)
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    back_after = time.monotonic() - began
    # A new page: what is shown and not stored yet at a crash is told once more.
    reader = bob.page(slug)
    await reader.connect()
    await expect(line).to_contain_text("being sent")
    await speech.hasten()
    await expect(line).to_have_count(0)
    await reader.until(lambda: len(reader.text.split()) >= 19)
    assert reader.text.split() == WORDS[:19]
    times = [
        next(one["start"] for one in reader.finals if word in one["text"])
        for word in (WORDS[10], WORDS[13], WORDS[16])
    ]
    assert times == pytest.approx([times[0], times[0] + 61, times[0] + 122], abs=2)
    assert 0 <= times[0] <= back_after + 10
    assert not browsers.errors


async def test_a_computer_that_slept_is_told_from_a_tab_that_was_hidden(
    server: AppServer, browsers: Browsers
) -> None:
    """Timers of a hidden tab stand still for a minute, and its microphone goes on."""
    ada = Visitor(server.url).sign_in("Ada")
    slug = ada.start_session()
    speech = await KeptSpeech.of(ada, browsers)
    await speech.page.goto(f"{server.url}/s/{slug}")
    await speech.page.get_by_role("button", name="Join with microphone").click()
    await expect(speech.page.locator("[data-mic]")).to_have_attribute("aria-pressed", "true")
    said = speech.page.locator(".toast", has_text="Your microphone is on.")
    now = await speech.page.evaluate("Date.now() / 1000")
    await speech.page.clock.pause_at(now + 5)
    for later in range(10, 70, 10):
        await speech.page.clock.set_system_time(now + later)
        await speech.page.evaluate("window.hum(0.04, 100)")
    await speech.page.clock.resume()
    await asyncio.sleep(1.2)  # as long as its timers take to notice
    assert await said.count() == 0, "now: a toast goes by itself"
    await speech.page.clock.set_system_time(now + 120)
    await expect(said).to_be_visible()
    assert not browsers.errors


async def test_who_is_signed_out_meanwhile_is_told_that_alone_and_sends_it_later(
    make_server: MakeServer, browsers: Browsers, emulator: GladiaEmulator
) -> None:
    server = await asyncio.to_thread(make_server, **speech_by(emulator))
    ada, speech, _, reader, _ = await begin_talk(server, browsers)
    page = speech.page
    await page.context.set_offline(True)
    await speech.say(speak(WORDS[:20]) + silence(1))
    line = page.locator('.notice[data-topic="connection"]')
    await expect(line).to_be_visible()
    ada.http.post("/sign-out")
    await page.context.set_offline(False)
    await expect(page.locator('.notice[data-topic="login"]')).to_be_visible()
    await expect(line).to_have_count(0)
    await page.clock.run_for(2_000)
    assert await line.count() == 0, "nothing is sent"
    assert reader.finals == []
    await be(page.context, ada.sign_in("Ada"))
    await page.evaluate("window.dispatchEvent(new Event('focus'))")
    await reader.until(lambda: reader.text.split() == WORDS[:20])
    assert not browsers.errors
