"""The room's page in a call: coming in as people do, and what one looks for there.

A test module that imports `place` runs each of its tests against the emulated LiveKit and, with
`LIVEKIT_TEST_URL` set (and `LIVEKIT_TEST_KEY`, `LIVEKIT_TEST_SECRET` where they are not the
development ones), against that server too.
"""

from __future__ import annotations

import math
import random
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.livekit import LiveKitThread
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.call import environment, real_environment
from tests.support.dictation import speech_by
from tests.support.speech_samples import wav_bytes
from tests.support.waiting import until

LIVE = re.compile(r"^\d+:\d\d$")  # the header counts the session's time while connected
WIDE = {"width": 1280, "height": 720}

# Devices that were opened; microphones are not ready to be heard before `ready()`.
SLOW_MICROPHONE = """window.tracks = [];
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (constraints) => {
  const stream = await open(constraints);
  tracks.push(...stream.getTracks());
  return stream;
};
const waiting = new Promise((resolve) => { window.ready = resolve; });
const load = AudioWorklet.prototype.addModule;
AudioWorklet.prototype.addModule = async function (...module) {
  await waiting;
  return load.apply(this, module);
};"""


@dataclass
class Place:
    """Sessions with its LiveKit server; `livekit` is None for a real one."""

    app: AppServer
    livekit: LiveKitThread | None


@pytest.fixture(
    scope="module", params=["emulator", pytest.param("real", marks=pytest.mark.livekit)]
)
def place(request: pytest.FixtureRequest, make_server_in: MakeServer) -> Iterator[Place]:
    if request.param == "real":
        yield Place(make_server_in(**real_environment()), None)
        return
    with LiveKitThread(quality_every=0.8) as livekit, GladiaEmulator() as gladia:
        speech = speech_by(gladia)  # for next to nothing: these tests are of other things
        yield Place(make_server_in(**environment(livekit), **speech), livekit)


@pytest.fixture(scope="session")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A microphone in a silent room: a little noise, nothing to transcribe."""
    noise = random.Random(1)
    return _wav(tmp_path_factory, "quiet", (round(noise.gauss(0, 12)) for _ in range(48_000)))


@pytest.fixture(scope="session")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A microphone that hears a loud tone in bursts, as voices come and go."""
    return _wav(
        tmp_path_factory,
        "tone",
        (
            int(20_000 * math.sin(i * 2 * math.pi * 440 / 16_000)) if i % 8_000 < 6_000 else 0
            for i in range(48_000)
        ),
    )


def _wav(factory: pytest.TempPathFactory, name: str, samples: Iterator[int]) -> Path:
    path = factory.mktemp("audio") / f"{name}.wav"
    path.write_bytes(wav_bytes(b"".join(struct.pack("<h", one) for one in samples)))
    return path


async def press_sign_in(page: Page, sign_in: str = "Sign in", skip: str = "Skip all of it") -> None:
    """Press the button of a filled form, and skip the steps that follow the first time."""
    await page.get_by_role("button", name=sign_in, exact=True).click()
    await expect(page.locator(".masthead-person")).to_be_visible()
    if page.url.endswith("/welcome"):
        await page.get_by_role("button", name=skip).click()


async def start(page: Page, app: AppServer) -> str:
    """Sign in as Ada and start a session; its address, at its lobby."""
    await page.goto(app.url)
    await page.get_by_role("textbox", name="Name").fill("Ada Lovelace")
    await page.get_by_role("textbox", name="E-mail").fill("ada@example.com")
    await press_sign_in(page)
    await page.get_by_role("textbox", name="What is it about").fill("Engines")
    await page.get_by_role("button", name="Start a session").click()
    await page.wait_for_url(re.compile(r"/s/"))
    return page.url


async def host(browsers: Browsers, app: AppServer, microphone: Path) -> tuple[Page, str]:
    """A page whose person has started a session and is in it; the session's address."""
    page = await browsers.page(microphone=microphone, viewport=WIDE)
    address = await start(page, app)
    await page.get_by_role("button", name="Join with microphone").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    return page, address


async def knock(page: Page, address: str, name: str) -> None:
    """Open the link, type a name, ask to come in."""
    await page.goto(address)
    await page.get_by_role("textbox", name="Your name").fill(name)
    await page.get_by_role("button", name="Continue as a guest").click()
    await page.get_by_role("button", name="Join with microphone").click()


async def admitted(page: Page, host_page: Page, address: str, name: str) -> None:
    """Knock and be let in."""
    await knock(page, address, name)
    await expect(page.get_by_role("heading", name="Waiting to be let in")).to_be_visible()
    await host_page.get_by_role("button", name=f"Admit {name}").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)


async def slow_microphone(browsers: Browsers) -> Page:
    """A page whose microphone can be heard once the test calls `ready()`."""
    page = await browsers.page()
    await page.add_init_script(SLOW_MICROPHONE)
    return page


async def press(page: Page, key: str) -> None:
    """Press a key that acts by itself: right after another one it would be text."""
    await page.wait_for_timeout(450)
    await page.keyboard.press(key)


def tile(page: Page, name: str) -> str:
    """The tile of a person, by what is written on it."""
    return f'.tile:not(.screen):has(.tile-name:text-is("{name}"))'


async def in_call(page: Page, name: str) -> None:
    """Wait until the call knows this person, so that their quality is shown.

    Of themself: LiveKit tells others only when it changes, if they subscribed a moment too late.
    """
    await expect(page.locator(f"{tile(page, name)} .tile-quality")).not_to_have_attribute(
        "hidden", ""
    )


async def shows_picture(page: Page, selector: str) -> None:
    """Wait until a video plays there."""
    video = page.locator(f"{selector} video")
    await expect(video).not_to_have_js_property("videoWidth", 0)
    await expect(video).not_to_have_js_property("currentTime", 0)


async def becomes(page: Page, expression: str) -> None:
    """Wait until this is true in the page, whose own waiting its content policy forbids."""
    await until(lambda: page.evaluate(expression), news=lambda: expression)
