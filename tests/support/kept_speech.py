"""A page whose microphone says what a test wants, as fast as it wants, under a clock of its own."""

from __future__ import annotations

import base64
from typing import NamedTuple

import asyncpg
from playwright.async_api import Page, expect

from core.speech.engine import BYTES_PER_SECOND
from tests.support.app_server import AppServer
from tests.support.browser import Browsers, be
from tests.support.call_page import LIVE, WIDE
from tests.support.visitors import RoomPage, Visitor

# In the place of the audio thread: `say` and `hum` are what it would have posted.
THREAD = """
const Node = AudioWorkletNode;
window.AudioWorkletNode = class extends Node {
  constructor(...given) {
    super(...given);
    window.rule = given[2].processorOptions;
    const postMessage = (rule) => (window.rule = rule);
    const port = { close() {}, postMessage, set onmessage(hear) { window.hear = hear; } };
    Object.defineProperty(this, 'port', { value: port });
  }
};
window.spoken = 0;
window.sayFrames = (samples) => {
  for (let at = 0; at < samples.length; at += 640) {
    const frame = new Int16Array(4 + 640);
    frame.set(samples.subarray(at, at + 640), 4);
    new DataView(frame.buffer).setBigUint64(0, BigInt(window.spoken), true);
    const louder = (most, one) => Math.max(most, Math.abs(one));
    const peak = samples.subarray(at, at + 640).reduce(louder, 0);
    const heard = { ...window.rule, index: window.spoken, peak: peak / 32767 };
    window.hear({ data: { ...heard, frame: window.rule.withheld ? null : frame.buffer } });
    window.spoken += 640;
  }
};
window.say = (text) => {
  const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  window.sayFrames(new Int16Array(bytes.buffer));
};
window.hum = (seconds, level) => window.sayFrames(new Int16Array(seconds * 16000).fill(level));
"""
_FRAME = BYTES_PER_SECOND // 25
HUM = 100  # as loud as a quiet room, and no voice


class KeptSpeech:
    """What the microphone of a page says; the page's clock goes with it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    async def of(cls, visitor: Visitor, browsers: Browsers) -> KeptSpeech:
        """Return a new page of a visitor, not opened yet, that hears nothing else."""
        context = await browsers.context(viewport=WIDE)
        await be(context, visitor)
        speech = cls(await context.new_page())
        await speech.page.clock.install()
        await speech.page.add_init_script(THREAD)
        return speech

    async def say(self, pcm: bytes) -> None:
        """Say it in no time: its time passes on the page's clock before."""
        pcm = pcm.ljust(-(-len(pcm) // _FRAME) * _FRAME, b"\0")
        await self.page.clock.run_for(round(1000 * len(pcm) / BYTES_PER_SECOND))
        await self.page.evaluate("window.say", base64.b64encode(pcm).decode())

    async def hasten(self) -> None:
        """Let the page send what it kept ten times as fast as it does."""
        script = "const now = performance.now.bind(performance); performance.now = () => 10 * now()"
        await self.page.evaluate(f"() => {{ {script} }}")

    async def hum(self, seconds: int, level: int = HUM) -> None:
        """Say nothing for so long, over a noise."""
        await self.page.clock.run_for(1000 * seconds)
        await self.page.evaluate(f"window.hum({seconds}, {level})")


class Talk(NamedTuple):
    """A session in which one speaks and another reads it."""

    ada: Visitor
    speech: KeptSpeech  # Ada's page, with the microphone on
    bob: Visitor
    reader: RoomPage  # Bob's
    slug: str


async def begin_talk(server: AppServer, browsers: Browsers) -> Talk:
    """Let Ada join by her browser, and Bob read along."""
    ada, bob = Visitor(server.url).sign_in("Ada"), Visitor(server.url)
    slug = ada.start_session()
    reader = bob.be_guest(slug, "Bob").page(slug)
    await reader.connect()
    speech = await KeptSpeech.of(ada, browsers)
    await speech.page.goto(f"{server.url}/s/{slug}")
    await speech.page.get_by_role("button", name="Join with microphone").click()
    await expect(speech.page.locator("[data-connection-text]")).to_have_text(LIVE)
    return Talk(ada, speech, bob, reader, slug)


async def session_began_earlier(database_url: str, seconds: float) -> None:
    """Let the time that passed on the page's clock have passed for its sessions too."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "UPDATE sessions SET started_at = started_at - make_interval(secs => $1)", seconds
    )
    await connection.close()
