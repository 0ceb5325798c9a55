"""What one person's browser goes through in mid-call: a second tab, a lost login, a lost line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Dialog, Page, expect

from tests.conftest import MakeServer
from tests.emulators.livekit import LiveKitThread
from tests.support.browser import Browsers
from tests.support.call import environment
from tests.support.call_page import LIVE, WIDE, Place, in_call, start

pytestmark = pytest.mark.browser

PLACE = '.notice[data-topic="place"]'
VIDEO = '.notice[data-topic="video"]'


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer) -> Iterator[Place]:
    with LiveKitThread(quality_every=0.8) as livekit:
        yield Place(make_server_in(**environment(livekit)), livekit)


async def join(page: Page) -> None:
    await page.get_by_role("button", name="Join with microphone").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)


async def has_microphone(page: Page, on: bool) -> None:
    button = page.locator("[data-mic]")
    await expect(button).to_have_attribute("aria-pressed", str(on).lower())


async def test_one_person_in_two_tabs(place: Place, browsers: Browsers) -> None:
    first = await browsers.page(viewport=WIDE)
    address = await start(first, place.app)
    await join(first)
    await in_call(first, "Ada Lovelace (you)")
    await has_microphone(first, True)
    second = await first.context.new_page()
    await second.goto(address)
    await join(second)
    await has_microphone(second, True)

    # The newest has it, and the other says so, once.
    await expect(first.locator(PLACE)).to_contain_text("open in another tab or window of yours")
    await has_microphone(first, False)
    await in_call(second, "Ada Lovelace (you)")
    await expect(second.locator(".notice")).to_have_text([re.compile("Captions are off")])
    await expect(first.locator(VIDEO)).to_have_count(0)
    await expect(first.locator("[data-people-count]").first).to_have_text("1")
    await first.bring_to_front()
    await first.keyboard.press("m")
    await expect(first.locator(".toast")).to_contain_text("Sound and microphone are there")
    await has_microphone(first, False)

    # Captions, chat and hand go on in both; the first takes over, with its microphone off.
    await first.keyboard.press("h")
    await expect(second.locator("[data-hand]")).to_have_attribute("aria-pressed", "true")
    await first.locator(PLACE).get_by_role("button", name="Use this one").click()
    await expect(first.locator(PLACE)).to_have_count(0)
    await expect(first.locator(".toast").last).to_contain_text("Your microphone is off")
    await has_microphone(first, False)
    await expect(second.locator(PLACE)).to_be_visible()
    await has_microphone(second, False)
    await in_call(first, "Ada Lovelace (you)")
    await first.keyboard.press("m")
    await has_microphone(first, True)

    # The one that has it would be left by a slip: asked first. The other has no call to lose.
    asked: list[str] = []

    async def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.dismiss()

    first.on("dialog", stay)
    await first.evaluate("setTimeout(() => history.back())")
    await first.wait_for_event("dialog")
    assert asked == ["beforeunload"]
    await has_microphone(first, True)
    first.remove_listener("dialog", stay)

    # The one that has it is closed: the other gets it back by itself.
    await first.close()
    await expect(second.locator(PLACE)).to_have_count(0)
    await expect(second.locator(".toast").last).to_contain_text("sound is here again")
    await in_call(second, "Ada Lovelace (you)")
    await has_microphone(second, False)
    await second.keyboard.press("m")
    await has_microphone(second, True)
    assert not browsers.errors


LOGIN = '.notice[data-topic="login"]'


async def sign_in(page: Page, name: str) -> None:
    await page.get_by_role("textbox", name="Name").fill(name)
    await page.get_by_role("textbox", name="E-mail").fill(
        f"{name.split(maxsplit=1)[0].lower()}@example.com"
    )
    await page.get_by_role("button", name="Sign in").click()


async def lock(page: Page) -> None:
    """Do what only a host may."""
    await page.locator(".switch:has([data-lock])").click()


async def test_signed_out_in_another_tab(place: Place, browsers: Browsers) -> None:
    ada = await browsers.page(viewport=WIDE)
    await start(ada, place.app)
    await join(ada)
    await in_call(ada, "Ada Lovelace (you)")
    other = await ada.context.new_page()
    await other.goto(place.app.url)
    await other.get_by_role("button", name="Sign out").click()
    await expect(other.get_by_role("button", name="Sign in")).to_be_visible()

    # The page hears and sends nothing from then on, says so, and has a way back.
    await ada.bring_to_front()
    await expect(ada.locator(LOGIN)).to_contain_text("You were signed out. Nobody hears")
    await expect(ada.locator("[data-connection-text]")).not_to_have_text(LIVE)
    await has_microphone(ada, False)
    await ada.keyboard.press("m")
    await expect(ada.locator(".toast").last).to_contain_text("Not connected right now")
    await has_microphone(ada, False)
    await ada.keyboard.press("p")
    await lock(ada)
    await expect(ada.locator(".toast").last).to_contain_text("Sign in again")
    await expect(ada.locator("[data-lock]")).not_to_be_checked()
    await expect(ada.locator(".notice[data-topic='video']")).to_have_count(0)

    # Somebody else signs in: said, and this page isn't theirs.
    async with ada.expect_popup() as opened:
        await ada.locator(LOGIN).get_by_role("button", name="Sign in again").click()
    popup = await opened.value
    await sign_in(popup, "Bob")
    await expect(popup.get_by_role("heading", name="You’re signed in again.")).to_be_visible()
    await ada.evaluate("window.dispatchEvent(new Event('focus'))")
    await expect(ada.locator(LOGIN)).to_contain_text("signed in as somebody else now")
    await popup.get_by_role("button", name="Sign out").click()
    await ada.evaluate("window.dispatchEvent(new Event('focus'))")
    await lock(ada)
    await expect(ada.locator(LOGIN)).to_contain_text("You were signed out.")

    # And then the right one: the notice goes when the tab is looked at, and hosting works.
    await popup.goto(f"{place.app.url}/sign-in?next=/signed-in")
    await sign_in(popup, "Ada Lovelace")
    await expect(popup.get_by_role("heading", name="You’re signed in again.")).to_be_visible()
    await popup.close()
    await ada.evaluate("window.dispatchEvent(new Event('focus'))")
    await expect(ada.locator(LOGIN)).to_have_count(0)
    await expect(ada.locator("[data-connection-text]")).to_have_text(LIVE)
    await in_call(ada, "Ada Lovelace (you)")
    await has_microphone(ada, False)
    await ada.locator("[data-mic]").click()
    await has_microphone(ada, True)
    assert not browsers.errors


async def test_a_guest_is_forgotten_in_another_tab(place: Place, browsers: Browsers) -> None:
    ada = await browsers.page(viewport=WIDE)
    address = await start(ada, place.app)
    await ada.get_by_role("button", name="Join and listen only").click()
    bob = await browsers.page(viewport=WIDE)
    await bob.goto(address)
    await bob.get_by_role("textbox", name="Your name").fill("Bob")
    await bob.get_by_role("button", name="Continue as a guest").click()
    await bob.get_by_role("button", name="Join and listen only").click()
    await ada.get_by_role("button", name="Admit Bob").click()
    await expect(bob.locator("[data-connection-text]")).to_have_text(LIVE)
    other = await bob.context.new_page()
    await other.goto(address)
    await other.get_by_role("button", name="Forget this name here").click()
    await expect(other.get_by_role("button", name="Sign in")).to_be_visible()
    # The tab of the meeting has no one to be any more, and asks who it is.
    await expect(bob.get_by_role("textbox", name="Your name")).to_be_visible()
    assert not browsers.errors


class Line:
    """A way to a server that can fall silent without being cut, as when the Wi-Fi is gone."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        """Carry nothing, and close nothing."""
        self._open.clear()

    def mend(self) -> None:
        """Carry everything again."""
        self._open.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                await self._open.wait()
                target.write(data)
                await target.drain()
        except OSError:
            pass
        finally:
            target.close()


@asynccontextmanager
async def line_to(port: int) -> AsyncIterator[tuple[Line, str]]:
    line = Line(port)
    server = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    try:
        yield line, f"http://localhost:{server.sockets[0].getsockname()[1]}"
    finally:
        line.mend()
        server.close()


async def test_a_line_that_falls_silent(place: Place, browsers: Browsers) -> None:
    ada = await browsers.page(viewport=WIDE)
    address = await start(ada, place.app)
    await ada.get_by_role("button", name="Join and listen only").click()
    async with line_to(place.app.port) as (line, url):
        bob = await browsers.page(viewport=WIDE)
        await bob.goto(address.replace(place.app.url, url))
        await bob.get_by_role("textbox", name="Your name").fill("Bob")
        await bob.get_by_role("button", name="Continue as a guest").click()
        await bob.get_by_role("button", name="Join and listen only").click()
        await ada.get_by_role("button", name="Admit Bob").click()
        connection = bob.locator("[data-connection-text]")
        await expect(connection).to_have_text(LIVE)
        tile = ada.locator('.tile:has(.tile-name:text-is("Bob"))')
        await asyncio.sleep(7)  # nobody says a word, and nobody is taken for lost
        await expect(tile).not_to_have_class(re.compile("away"))
        await expect(connection).to_have_text(LIVE)

        line.hold()
        await expect(connection).not_to_have_text(LIVE)
        await expect(tile).to_have_class(re.compile("away"))
        await expect(tile.locator(".tile-state")).to_have_text("connection lost")
        line.mend()
        await expect(connection).to_have_text(LIVE)
        await expect(tile).not_to_have_class(re.compile("away"))
    assert not browsers.errors
