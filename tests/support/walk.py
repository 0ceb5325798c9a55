"""Goes through pages in one language, looks at each of them, and collects what is wrong.

Its sessions have names and words that are hard to lay out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from playwright.async_api import BrowserContext, Page, expect

from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.look import can_be_looked_at, look
from tests.support.tables import Tables
from tests.support.visitors import RoomPage, Visitor

LANGUAGES = ("en", "ru")
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
SPENT = """
    INSERT INTO space_usage SELECT space_id, day, s.id, 'gladia', 1000 + 300 * n, 0.2 + n / 20.0
    FROM sessions s, generate_series(0, 27) n, CAST(date_trunc('month', now()) AS date) first,
        CAST(first + n AS date) day
    WHERE slug = $1
    ON CONFLICT (space_id, day, session_id, engine)
    DO UPDATE SET sent_s = excluded.sent_s, cost = excluded.cost  -- of what was said just now"""

ANALYSIS = """
    INSERT INTO analyses (session_id, title, topics, summary, tasks, risks)
    SELECT id, 'When the ferry leaves', jsonb_build_array(
            jsonb_build_object('label', 'The timetable', 'start', 20),
            jsonb_build_object('label', $2::text, 'start', 3725),
            jsonb_build_object('label', 'המעבורת יוצאת בתשע')
        ), 'The ferry leaves at nine.' || chr(10) || chr(10) || 'It is run by the ' || $2 || '.',
        jsonb_build_array('Buy the tickets · Ada · Friday', $2::text),
        jsonb_build_array('Паром опоздает')
    FROM sessions WHERE slug = $1"""


@dataclass
class Meeting:
    """A session in which all that is hard to lay out was said, and who is there."""

    slug: str
    guests: list[Visitor] = field(default_factory=list)

    @asynccontextmanager
    async def together(self) -> AsyncIterator[list[RoomPage]]:
        """Let the guests be in the room."""
        pages = [one.page(self.slug) for one in self.guests]
        try:
            for page in pages:
                await page.connect()
            yield pages
        finally:
            for page in pages:
                await page.leave()


@dataclass
class World:
    """A server, and the host of its sessions."""

    server: AppServer
    tables: Tables
    ada: Visitor

    def meet(self, title: str) -> Meeting:
        """Start a session in which much was said before anybody joins."""
        meeting = Meeting(self.ada.start_session(title))
        meeting.guests = [self.guest(meeting.slug, name) for name in GUESTS]
        people = [self.ada, *meeting.guests]
        identities = [one.join(meeting.slug)["you"]["identity"] for one in people]
        for n, (identity, text) in enumerate(zip(identities, SAID, strict=True), 1):
            self.tables(WRITE, meeting.slug, uuid4().hex, n, identity, text, 20.0 * n, None)
            self.tables(CHAT, meeting.slug, n, identity, f"{text} https://example.com/{'a' * 60}")
        self.tables(WRITE, meeting.slug, uuid4().hex, 9, identities[0], "", 200.0, 12.0)
        self.tables(USED, meeting.slug, uuid4().hex, identities[1])
        self.tables(ANALYSIS, meeting.slug, LONG_WORD)
        self.tables(SPENT, meeting.slug)
        return meeting

    def guest(self, slug: str, name: str) -> Visitor:
        """Return somebody who has given a name at the gate."""
        return Visitor(self.server.url).be_guest(slug, name)

    def settings(self, slug: str, **form: str) -> None:
        """Change who may come in."""
        assert self.ada.host(slug, "settings", **form) == (204, "")


class Walk:
    """One browser's way through pages."""

    def __init__(self, page: Page, language: str, url: str) -> None:
        self.page = page
        self.wrong: list[str] = []
        self.language = language
        self._url = url

    @classmethod
    async def begin(cls, browsers: Browsers, language: str, world: World | str) -> Walk:
        """Open a browser that speaks a language, for a world or the address of a server."""
        context: BrowserContext = await browsers.context(
            locale=language, bypass_csp=True, reduced_motion="reduce"
        )
        await can_be_looked_at(context)
        url = world if isinstance(world, str) else world.server.url
        return cls(await context.new_page(), language, url)

    async def be(self, who: Visitor) -> None:
        """Have somebody's cookies from here on, and nobody else's."""
        await self.page.context.clear_cookies()
        key = who.http.cookies["sessions_login"]
        await self.page.context.add_cookies(
            [{"name": "sessions_login", "value": key, "url": self._url}]
        )

    async def goto(self, path: str, name: str = "") -> None:
        """Open an address, and look at it if that has a name."""
        await self.page.goto(f"{self._url}{path}")
        if name:
            await self.look(name)

    async def lobby(self, slug: str) -> None:
        """Open a session, and wait until one can join."""
        await self.goto(f"/s/{slug}")
        await expect(self.page.locator("[data-join=listen]")).to_be_enabled()

    async def look(self, name: str, *at: int) -> None:
        """Look at what is there, in these widths or in both."""
        await expect(self.page.locator("html")).to_have_attribute("lang", self.language)
        self.wrong += await look(
            self.page,
            f"{name}-{self.language}",
            at=at or (1280, 390),
            everything=self.language == LANGUAGES[0],
        )

    async def widen(self) -> None:
        """Have the wide window again, in which every control has its place."""
        await self.page.set_viewport_size({"width": 1280, "height": 800})
