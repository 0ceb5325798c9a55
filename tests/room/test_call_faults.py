"""A call that is away, refuses or breaks is said to be so; captions and the room go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from livekit.protocol import models
from playwright.async_api import expect

from core.speech.engine import BYTES_PER_SECOND
from tests.conftest import MakeServer
from tests.emulators.livekit import LiveKitThread
from tests.support.browser import Browsers
from tests.support.call import environment
from tests.support.call_page import (
    LIVE,
    Place,
    host,
    in_call,
    press,
    quiet,
    shows_picture,
    tone,
)
from tests.support.speech_samples import beckett, wav_bytes
from tests.support.waiting import until

__all__ = ["quiet", "tone"]

pytestmark = pytest.mark.browser

FINALS = "[data-lines] .words:not(.in-the-making)"


@pytest.fixture
def breakable(make_server: MakeServer) -> Iterator[Place]:
    """An emulated LiveKit that a test may break; there is no speech engine."""
    with LiveKitThread(quality_every=0.8) as livekit:
        yield Place(make_server(**environment(livekit)), livekit)


@pytest.fixture
def callless(make_server: MakeServer) -> Iterator[Place]:
    """Speech, and a LiveKit that isn't there yet."""
    with LiveKitThread() as livekit:
        livekit.call(livekit.server.stop())
        yield Place(make_server(SPEECH_ENGINE="local", **environment(livekit)), livekit)


async def test_a_call_without_captions_and_its_faults(
    breakable: Place, browsers: Browsers, tone: Path
) -> None:
    assert breakable.livekit
    livekit = breakable.livekit
    page, _ = await host(browsers, breakable.app, tone)
    await expect(page.locator('.notice[data-topic="captions"]')).to_contain_text("Captions are off")
    await expect(page.locator(".tile.mine.speaking")).to_be_visible()
    await page.keyboard.press("m")
    await expect(page.locator(".tile.mine .tile-mic")).to_be_visible()
    await press(page, "c")
    await shows_picture(page, ".tile.mine")
    (room,) = livekit.server.rooms
    (identity,) = livekit.server.rooms[room].participants
    quality = page.locator(".tile.mine .tile-quality")
    me = livekit.server.participant(room, identity)
    livekit.do(setattr, me, "quality", models.POOR)
    await expect(quality).to_have_attribute("data-quality", "poor")
    await expect(quality).to_be_visible()
    video = page.locator('.notice[data-topic="video"]')
    livekit.do(livekit.server.hang, "rtc")
    livekit.do(livekit.server.drop_signalling, room, identity)
    await expect(video).to_have_text("Sound and video are reconnecting…")
    await expect(page.locator("[data-share]")).to_be_disabled()
    livekit.do(livekit.server.unhang)
    await expect(video).to_have_count(0)
    await expect(page.locator("[data-share]")).to_be_enabled()

    # People whom only the call knows have a tile each; what doesn't fit is on another page.
    for number in range(29):
        livekit.do(lambda n: livekit.server.add_ghost(room, f"ghost-{n}", name=f"G {n}"), number)
    await expect(page.locator(".tile")).to_have_count(30)
    await expect(page.locator("[data-page]")).to_have_text("1 / 2")
    first = await page.locator(".tile:visible").count()
    await page.get_by_role("button", name="Next people").click()
    assert first + await page.locator(".tile:visible").count() == 30
    await page.get_by_role("button", name="Pin G 20").click()
    await expect(page.locator(".tile.large .tile-name")).to_have_text("G 20")

    # Signed out of the call by its own server, with captions still there.
    livekit.call(
        livekit.server.participant(room, identity).close(models.DisconnectReason.SERVER_SHUTDOWN)
    )
    await expect(video).to_contain_text("Sound and video are off")
    await expect(page.locator(".tile")).to_have_count(1)
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    assert not browsers.errors


async def test_a_call_that_refuses_or_never_answers(
    breakable: Place, browsers: Browsers, quiet: Path
) -> None:
    assert breakable.livekit
    livekit = breakable.livekit
    livekit.do(setattr, livekit.server, "reject_credentials", True)
    page, _ = await host(browsers, breakable.app, quiet)
    video = page.locator('.notice[data-topic="video"]')
    await expect(video).to_contain_text(
        "Sound and video are off: the video server refused this server’s key"
    )
    why = video.get_by_role("link", name="Find out why")
    await expect(why).to_have_attribute("href", urlsplit(page.url).path + "/connection")
    livekit.do(setattr, livekit.server, "reject_credentials", False)
    livekit.do(livekit.server.hang)
    await page.clock.install()
    await video.get_by_role("button", name="Try again").click()

    async def is_told() -> bool:
        await page.clock.run_for(1_000)
        return "doesn’t answer" in "".join(await video.all_inner_texts())

    await until(is_told)
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    livekit.do(livekit.server.unhang)
    await video.get_by_role("button", name="Try again").click()
    await in_call(page, "Ada Lovelace (you)")
    assert not browsers.errors


async def test_captions_without_a_call(callless: Place, browsers: Browsers, tmp_path: Path) -> None:
    assert callless.livekit
    livekit = callless.livekit
    speech = tmp_path / "speech.wav"
    speech.write_bytes(wav_bytes(bytes(BYTES_PER_SECOND) + beckett()[: 4 * BYTES_PER_SECOND]))
    page, _ = await host(browsers, callless.app, speech)
    video = page.locator('.notice[data-topic="video"]')
    await expect(video).to_contain_text(
        "Sound and video are off: the video server can’t be reached."
        " People in this session can’t hear or see each other here; captions go on."
    )
    await expect(page.locator("[data-camera]")).to_be_disabled()
    await expect(page.locator(FINALS).first).to_contain_text("tried")

    # The microphone is switched, and words go on: the same recording begins anew with the device.
    count = await page.locator(FINALS).count()
    await page.get_by_role("button", name="Settings").click()
    field = page.get_by_role("dialog").get_by_label("Microphone", exact=True)
    await field.select_option(index=1)
    await page.get_by_role("button", name="Done").click()
    await expect(page.locator(FINALS).nth(count)).to_be_visible()

    livekit.call(livekit.server.start())
    await video.get_by_role("button", name="Try again").click()
    await expect(video).to_have_count(0)
    await in_call(page, "Ada Lovelace (you)")
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", "true")
    assert not browsers.errors
