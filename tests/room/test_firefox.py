"""The main job in Firefox: who starts a session speaks, another reads along, both afterwards."""

from __future__ import annotations

import asyncio
import base64
from functools import partial
from pathlib import Path

import pytest

from core.speech.engine import BYTES_PER_SECOND
from tests.support.app_server import AppServer
from tests.support.firefox import FirefoxPage, find_firefox, firefox_page, sign_in_and_start
from tests.support.kept_speech import THREAD
from tests.support.speech_samples import BECKETT, beckett, words_in_order
from tests.support.visitors import RoomPage, Visitor
from tests.support.waiting import until

pytestmark = pytest.mark.browser

# Firefox has no audio clock where no speaker is, and its own fake microphone plays a tone. So the
# recording takes the place of what its audio thread would have posted, at the pace of speech.
SPEAK = """
window.speak = (recording) => {
  const bytes = Uint8Array.from(atob(recording), (one) => one.charCodeAt(0));
  const samples = new Int16Array(bytes.buffer);
  const began = performance.now();
  let said = 0;
  const timer = setInterval(() => {
    const until = Math.min(samples.length, Math.floor((performance.now() - began) / 40) * 640);
    window.sayFrames(samples.subarray(said, until));
    said = until;
    if (said === samples.length) clearInterval(timer);
  }, 40);
};"""
RECORDING = beckett()[: len(beckett()) // 1280 * 1280] + bytes(2 * BYTES_PER_SECOND)
ADMIT_ANYONE = (
    "fetch(location.href + '/settings',"
    " {method: 'POST', body: new URLSearchParams({admission: 'ANYONE'})}).then((it) => it.status)"
)
FINALS = "[...document.querySelectorAll('%s')].map((one) => one.textContent).join(' ')"
SHOWN = FINALS % "[data-lines] .words:not(.in-the-making)"
KEPT = FINALS % "#transcript .words"


def is_heard(text: str) -> bool:
    """Whether what was said is there, as well as the local engine hears it."""
    return words_in_order(BECKETT, text) >= 0.6


async def shows(page: FirefoxPage, words: str, reader: RoomPage) -> bool:
    """Whether a page shows what another was told, all of it and nothing else."""
    return bool(await page.run(words) == reader.text)


async def shows_anew(page: FirefoxPage, reader: RoomPage) -> bool:
    """The same of the transcript, once more from the server."""
    await page.goto(await page.run("location.href"))
    return await shows(page, KEPT, reader)


async def test_what_one_says_in_firefox_the_other_reads(server: AppServer, tmp_path: Path) -> None:
    executable = find_firefox()
    if executable is None:
        pytest.skip("no Firefox")
    async with firefox_page(executable, tmp_path) as page:
        await page.before_each_page(THREAD + SPEAK)
        await sign_in_and_start(page, server.url)
        assert await page.run(ADMIT_ANYONE) < 300
        slug = (await page.run("location.pathname")).removeprefix("/s/")
        guest = await asyncio.to_thread(Visitor(server.url).be_guest, slug, "Grace Hopper")
        async with guest.page(slug) as reader:
            await page.click('[data-join="wish"]')
            await page.becomes("document.querySelector('[data-mic][aria-pressed=true]')")
            await page.becomes("document.querySelectorAll('[data-people] > li').length === 2")
            await page.run(f"window.speak('{base64.b64encode(RECORDING).decode()}')")
            await reader.until(lambda: is_heard(reader.text))
            assert {one["name"] for one in reader.finals} == {"Ada Lovelace"}
            await until(partial(shows, page, SHOWN, reader))
            await page.click("[data-mic]")
            await page.click("[data-leave]")
            await page.click("[data-leave-stay]")
            await page.becomes("location.pathname.endsWith('/left')")
            await page.click('#left a[href$="/transcript"]')
            await page.becomes("document.querySelector('#transcript')")
            if not await shows(page, KEPT, reader):  # the last words may just be on their way
                await until(partial(shows_anew, page, reader))
        assert await page.run("document.querySelector('#transcript .name').textContent") == (
            "Ada Lovelace"
        )
