"""Every page, as a host and as a stranger see it, can be read by everybody and fits its window.

In both languages, wide and narrow, light and dark; with names and words that are hard to lay out.
`SHOTS=/tmp/shots` writes pictures of all of them, see tests/support/look.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.look import SHOTS, Scheme, can_be_looked_at, look
from tests.support.tables import Tables
from tests.support.visitors import RoomPage, Visitor

pytestmark = pytest.mark.browser

LONG_NAME = "Wolfeschlegelsteinhausenbergerdorffwelch"  # 40 letters without a space
LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
GUESTS = (LONG_NAME, "נועה כהן", "محمد الأمين", "Максим Кузнецов", "👩🏽‍🚀" * 7)
SAID = (
    "So the ferry leaves at nine, not at eight?",
    f"It is run by the {LONG_WORD}.",
    "המעבורת יוצאת בתשע, לא בשמונה?",
    "العبّارة تغادر في التاسعة.",
    "Паром отходит в девять, а не в восемь.",
    "🎉🎉🎉 👩🏽‍🚀",
)
WRITE = """
    INSERT INTO utterances
        (session_id, stream, utterance, seq, identity, text, start_s, end_s, lost_s)
    SELECT id, $2, '1', $3, $4, $5, $6::float8, $6::float8 + 1, $7::float8
    FROM sessions WHERE slug = $1"""
CHAT = """
    INSERT INTO chat_messages (session_id, id, identity, text, sent_at)
    SELECT id, $2, $3, $4, now() FROM sessions WHERE slug = $1"""
USED = """
    INSERT INTO streams (session_id, stream, identity, engine, opened_at, closed_at, sent_s, frames,
        partials, finals, errors)
    SELECT id, $2, $3, 'gladia', now(), now(), 61, 1500, 20, 3, 1 FROM sessions WHERE slug = $1"""


@dataclass
class Meeting:
    """A session in which all that is hard to lay out was said, and who is there."""

    slug: str
    guests: list[Visitor] = field(default_factory=list)


@dataclass
class World:
    """A server with sessions of every kind, and their host."""

    server: AppServer
    tables: Tables
    ada: Visitor
    ended: str

    def meet(self, title: str) -> Meeting:
        """Start a session in which much was said before anybody joins."""
        meeting = Meeting(self.ada.start_session(title))
        meeting.guests = [Visitor(self.server.url).be_guest(meeting.slug, name) for name in GUESTS]
        people = [self.ada, *meeting.guests]
        identities = [one.join(meeting.slug)["you"]["identity"] for one in people]
        for n, (identity, text) in enumerate(zip(identities, SAID, strict=True), 1):
            self.tables(WRITE, meeting.slug, uuid4().hex, n, identity, text, 20.0 * n, None)
            self.tables(CHAT, meeting.slug, n, identity, f"{text} https://example.com/{'a' * 60}")
        self.tables(WRITE, meeting.slug, uuid4().hex, 9, identities[0], "", 200.0, 12.0)
        self.tables(USED, meeting.slug, uuid4().hex, identities[1])
        return meeting


@pytest.fixture(scope="module")
def world(make_server_in: MakeServer, make_database: Callable[[], str]) -> World:
    database = make_database()
    server = make_server_in(DATABASE_URL=database, LIVEKIT_URL="ws://localhost:9")
    ada = Visitor(server.url).sign_in("Ada Lovelace")
    world = World(server, Tables(database), ada, "")
    world.ended = world.meet("Фамилии, которые не помещаются").slug
    ada.end(world.ended)
    ada.start_session(LONG_WORD)
    return world


@asynccontextmanager
async def together(meeting: Meeting, host: Visitor) -> AsyncIterator[list[RoomPage]]:
    """Let the guests be in the room."""
    pages = [one.page(meeting.slug) for one in meeting.guests]
    try:
        for page in pages:
            await page.connect()
        yield pages
    finally:
        for page in pages:
            await page.leave()


class Walk:
    """Goes through pages in one language and collects what is wrong with them."""

    def __init__(self, page: Page, language: str) -> None:
        self.page = page
        self.wrong: list[str] = []
        self._language = language
        # Words are all that the other language changes.
        self._schemes: tuple[Scheme, ...] = ("light", "dark") if language == "en" else ("light",)
        self._at = (1280, 390) if language == "en" or SHOTS else (390,)

    async def look(self, name: str, at: int | None = None) -> None:
        """Look at what is there."""
        await expect(self.page.locator("html")).to_have_attribute("lang", self._language)
        widths = (at,) if at else self._at
        name = f"{name}-{self._language}"
        self.wrong += await look(self.page, name, at=widths, schemes=self._schemes)

    async def goto(self, url: str, name: str) -> None:
        """Open an address and look at it."""
        await self.page.goto(url)
        await self.look(name)


async def strangers_pages(walk: Walk, world: World, slug: str) -> None:
    """Who has no account, and who comes where nobody may."""
    url = world.server.url
    await walk.goto(url, "landing")
    await walk.goto(f"{url}/sign-in", "sign-in")
    await walk.goto(f"{url}/nothing", "not-found")
    await walk.goto(f"{url}/s/{world.ended}", "ended-for-strangers")
    locked = world.ada.start_session("Locked")
    await walk.goto(f"{url}/s/{locked}", "gate")
    world.ada.host(locked, "settings", locked="true")
    await walk.goto(f"{url}/s/{locked}", "gate-locked")
    await walk.page.goto(f"{url}/s/{slug}")
    await walk.page.locator("#guest-name").fill(LONG_NAME)
    await walk.page.locator("#guest-name").press("Enter")
    await expect(walk.page.locator("[data-join=listen]")).to_be_enabled()
    await walk.look("lobby-of-a-guest")
    await walk.goto(f"{url}/s/{slug}/left", "left-by-a-guest")


async def room_pages(walk: Walk, world: World, slug: str) -> None:
    """The room, with everything in it opened once."""
    page = walk.page
    await page.goto(f"{world.server.url}/s/{slug}")
    await expect(page.locator("[data-join=listen]")).to_be_enabled()
    await walk.look("lobby")
    await page.locator("[data-join=listen]").click()
    await expect(page.locator("[data-lines] .line")).to_have_count(len(SAID) + 1)
    await walk.look("room")
    await page.locator("[data-chat-button]").click()
    await expect(page.locator("[data-chat-lines] li")).to_have_count(len(SAID))
    await walk.look("room-chat")
    await page.keyboard.press("Escape")
    await page.locator(".control.more").click()
    await walk.look("room-more", at=390)
    await page.locator("[data-settings]").click()
    await walk.look("room-settings")
    await page.keyboard.press("Escape")
    await page.set_viewport_size({"width": 1280, "height": 800})
    await page.locator('[data-panel-button="people"]').click()
    await expect(page.locator("[data-people]")).to_be_visible()
    await expect(page.locator("[data-people] > li")).to_have_count(len(GUESTS) + 1)
    await walk.look("room-people")
    await page.set_viewport_size({"width": 1280, "height": 800})
    await page.locator("[data-shortcuts]").click()
    await walk.look("room-shortcuts")
    await page.keyboard.press("Escape")
    await page.locator("[data-leave]").click()
    await walk.look("room-leave")
    await page.keyboard.press("Escape")
    await page.locator("[data-end]").click()
    await walk.look("room-end")
    await page.keyboard.press("Escape")


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_every_page(world: World, browsers: Browsers, language: str) -> None:
    meeting = await asyncio.to_thread(world.meet, f"Weekly {LONG_NAME}")
    options: dict[str, Any] = {"locale": language, "bypass_csp": True, "reduced_motion": "reduce"}
    context = await browsers.context(**options)
    await can_be_looked_at(context)
    stranger = Walk(await context.new_page(), language)
    context = await browsers.context(**options)
    await can_be_looked_at(context)
    host = Walk(await context.new_page(), language)
    url = world.server.url
    await strangers_pages(stranger, world, meeting.slug)

    key = world.ada.http.cookies["sessions_login"]
    await context.add_cookies([{"name": "sessions_login", "value": key, "url": url}])
    async with together(meeting, world.ada):
        knocks = Visitor(url).be_guest(meeting.slug, "דנה לוי")
        world.ada.host(meeting.slug, "settings", admission="KNOCK")
        knocks.knock(meeting.slug)
        await room_pages(host, world, meeting.slug)
        await host.goto(f"{url}/", "home")
        await host.page.locator(".manage > summary").first.click()
        await host.page.locator(".ending > summary").click()
        await host.look("home-settings")
        await host.goto(f"{url}/s/{meeting.slug}/settings?saved", "settings")
        await host.goto(f"{url}/s/{meeting.slug}/left", "left")
        await host.goto(f"{url}/s/{meeting.slug}/transcript", "transcript-so-far")
    await host.page.goto(f"{url}/s/{world.ended}")
    await host.page.locator(".usage summary").click()
    await host.look("transcript")
    world.ada.http.post(f"/s/{meeting.slug}/end")
    await context.clear_cookies()
    key = Visitor(url).sign_in("Nobody Yet").http.cookies["sessions_login"]
    await context.add_cookies([{"name": "sessions_login", "value": key, "url": url}])
    await host.goto(f"{url}/", "home-empty")
    assert not stranger.wrong + host.wrong, "\n".join(stranger.wrong + host.wrong)
    assert not browsers.errors
