"""The room, and what stands before and after it, can be read by everybody and fits its window.

As in tests/pages/test_every_page.py. Once without a call, with everything in the room opened, and
once in a call, with pictures, a shared screen and what hosts do to people.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from playwright.async_api import Page, expect

from tests.conftest import MakeServer
from tests.emulators.livekit import LiveKitThread
from tests.room.test_calm import Line
from tests.room.test_caption_look import said
from tests.support.browser import Browsers
from tests.support.call import environment
from tests.support.call_page import LIVE, shows_picture
from tests.support.tables import Tables
from tests.support.visitors import Visitor
from tests.support.waiting import until
from tests.support.walk import GUESTS, LANGUAGES, LONG_NAME, SAID, Walk, World

pytestmark = pytest.mark.browser

KNOCKS = ("דנה לוי", "Александра Константинопольская")


@pytest.fixture(scope="module")
def livekit() -> Iterator[LiveKitThread]:
    with LiveKitThread() as livekit:
        yield livekit


@pytest.fixture(scope="module")
def world(
    livekit: LiveKitThread, make_server_in: MakeServer, make_database: Callable[[], str]
) -> World:
    database = make_database()
    server = make_server_in(DATABASE_URL=database, **environment(livekit))
    return World(server, Tables(database), Visitor(server.url).sign_in("Ada Lovelace"))


async def no_call(page: Page) -> None:
    """Let this page not find the video server."""
    await page.route("**/rtc/**", lambda route: route.abort())
    await page.route_web_socket("**/rtc**", lambda socket: socket.close())


async def room_pages(walk: Walk, slug: str, knocking: Visitor) -> None:
    """The room, with everything in it opened once."""
    page = walk.page
    await walk.lobby(slug)
    await walk.look("lobby")
    await page.locator("[data-join=listen]").click()
    await expect(page.locator("[data-lines] .line")).to_have_count(len(SAID) + 1)
    await asyncio.to_thread(knocking.knock, slug)  # who is forgotten 8 s later
    await expect(page.locator(".knock")).to_have_count(1)
    await walk.look("room", 1280, 390, 320)
    await page.locator("[data-chat-button]").click()
    await expect(page.locator("[data-chat-lines] li")).to_have_count(len(SAID))
    await walk.look("room-chat")
    await page.keyboard.press("Escape")
    await page.locator(".control.more").click()
    await walk.look("room-more", 390, 320)
    await page.locator("[data-settings]").click()
    await walk.look("room-settings")
    await page.keyboard.press("Escape")
    await walk.widen()
    await page.locator('[data-panel-button="people"]').click()
    await expect(page.locator("[data-people]")).to_be_visible()
    await expect(page.locator("[data-people] > li")).to_have_count(len(GUESTS) + 1)
    await walk.look("room-people")
    await walk.widen()
    await page.locator("[data-shortcuts]").click()
    await walk.look("room-shortcuts")
    await page.keyboard.press("Escape")
    await page.locator("[data-leave]").click()
    await walk.look("room-leave")
    await page.keyboard.press("Escape")
    await page.locator("[data-end]").click()
    await walk.look("room-end")
    await page.keyboard.press("Escape")


async def guests_pages(walk: Walk, world: World, slug: str) -> None:
    """Who waits at the door, and who doesn't come in."""
    page = walk.page
    await walk.be(await asyncio.to_thread(world.guest, slug, LONG_NAME))
    await walk.lobby(slug)
    await walk.look("lobby-of-a-guest")
    await page.locator("[data-join=listen]").click()
    await expect(page.locator("[data-lobby-waiting-words]")).not_to_be_empty()
    await walk.look("lobby-waiting")
    await walk.lobby(slug)
    await asyncio.to_thread(world.settings, slug, locked="on")
    await page.locator("[data-join=listen]").click()
    await expect(page.locator("[data-refused]")).to_be_visible()
    await walk.look("refused-locked")
    await walk.goto(f"/s/{slug}", "lobby-locked")
    await asyncio.to_thread(world.settings, slug, locked="off", admission="MEMBERS")
    await walk.lobby(slug)
    await page.locator("[data-join=listen]").click()
    await expect(page.locator("[data-refused]")).to_be_visible()
    await walk.look("refused-members-only")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_room(world: World, browsers: Browsers, language: str) -> None:
    meeting = await asyncio.to_thread(world.meet, f"Weekly {LONG_NAME}")
    await asyncio.to_thread(world.settings, meeting.slug, admission="KNOCK")
    host = await Walk.begin(browsers, language, world)
    await host.be(world.ada)
    await no_call(host.page)
    guest = await Walk.begin(browsers, language, world)
    async with meeting.together():
        knocking = await asyncio.to_thread(world.guest, meeting.slug, KNOCKS[0])
        await room_pages(host, meeting.slug, knocking)
        await host.page.context.set_offline(True)
        await guests_pages(guest, world, meeting.slug)
        await expect(host.page.locator('.notice[data-topic="connection"]')).to_be_visible()
        await host.look("room-offline")
    assert not host.wrong + guest.wrong, "\n".join(host.wrong + guest.wrong)
    assert not browsers.errors


async def seen(walk: Walk, slug: str) -> None:
    """Stand in the lobby with the camera on."""
    await walk.lobby(slug)
    await walk.page.locator("[data-lobby-camera]").click()
    await shows_picture(walk.page, "[data-preview]")


async def call_pages(ada: Walk, bob: Walk, line: Line) -> None:
    """A call with pictures, a hand, a shared screen and words over it."""
    page = ada.page
    await bob.page.locator("[data-hand]").click()
    await expect(page.locator(".tile:not(.mine) .tile-hand")).to_be_visible()
    for tile in (".tile.mine", ".tile:not(.mine)"):
        await shows_picture(page, tile)
    await ada.look("call")
    await bob.page.locator("[data-share]").click()
    await shows_picture(page, ".tile.screen.large")
    await ada.widen()
    await page.locator("[data-panel-button=transcript]").click()

    async def both() -> bool:
        line.tell(said(line, "a", SAID[0]))  # once more, if the line was lost with the first ones
        line.tell(said(line, "b", SAID[1]))
        await expect(page.locator(".subtitle")).to_have_count(2, timeout=2_000)
        return True

    await until(both)
    await ada.look("call-screen")


async def parted(ada: Walk, bob: Walk, slug: str) -> None:
    """What hosts are asked before they do something to somebody, and what that one sees."""
    page, dialog = ada.page, ada.page.locator("[data-confirm-dialog]")
    await ada.widen()
    await page.locator("[data-panel-button=people]").click()
    await page.locator("[data-act=host]:visible").click()
    await expect(dialog).to_be_visible()
    await ada.look("room-make-host")
    await page.keyboard.press("Escape")
    await page.locator("[data-act=remove]:visible").click()
    await expect(dialog).to_be_visible()
    await ada.look("room-remove")
    await page.locator("[data-confirm-yes]").click()
    await expect(bob.page.locator("[data-refused]")).to_be_visible()
    await bob.look("refused-removed")
    await bob.goto(f"/s/{slug}", "removed")
    # That somebody has left is told for some seconds only, and not to who was just reconnected.
    await page.route("**/mute-all", lambda route: route.abort())
    await page.locator("[data-do=mute-all]").click()
    await expect(page.locator(".toast").last).to_be_visible()
    await ada.look("room-toast")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_call(world: World, browsers: Browsers, language: str) -> None:
    slug = await asyncio.to_thread(world.ada.start_session, "Паром до острова")
    ada, bob = [await Walk.begin(browsers, language, world) for _ in range(2)]
    line = Line()
    await ada.page.route_web_socket("**/ws", line.lay)
    await ada.be(world.ada)
    await bob.be(await asyncio.to_thread(world.guest, slug, "Максим Кузнецов"))
    for walk in (ada, bob):
        await seen(walk, slug)
    await ada.look("lobby-camera")
    for walk in (ada, bob):
        await walk.page.locator("[data-join=wish]").click()
        await expect(walk.page.locator("[data-connection-text]")).to_have_text(LIVE)
    await call_pages(ada, bob, line)
    await parted(ada, bob, slug)
    assert not ada.wrong + bob.wrong, "\n".join(ada.wrong + bob.wrong)
    assert not browsers.errors
