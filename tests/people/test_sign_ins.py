"""My sign-ins: where somebody is signed in, and how they end that from anywhere."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from playwright.async_api import expect

from core.store.keys import digest_of
from core.store.people import MAX_AGENT
from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.http import Browser
from tests.support.metrics import scrape
from tests.support.sign_in import is_signed_in
from tests.support.tables import Tables
from tests.support.visitors import Visitor, kept_by
from web.agents import browser_of

HERE = "/profile/sign-ins"
SIGNED_OUT = 4403  # of a socket
HTML = {"Accept": "text/html"}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
)
CHROME = "Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer) -> AppServer:
    return make_server_in(RATE_LIMIT_FACTOR="10", LIVEKIT_URL="off")


@pytest.fixture(scope="module")
def tables(place: AppServer) -> Tables:
    return Tables(place.database_url)


def signed_in(place: AppServer, name: str, agent: str = FIREFOX) -> Browser:
    browser = Browser(place.url, **{"User-Agent": agent})
    browser.sign_in(name)
    return browser


def id_of(tables: Tables, browser: Visitor) -> str:
    digest = digest_of(kept_by(browser)["login"])
    found: UUID = tables.one("SELECT id FROM logins WHERE key_digest = $1", digest)
    return str(found)


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (FIREFOX, ("Firefox", "Linux")),
        (SAFARI, ("Safari", "iOS")),
        (CHROME % "Windows NT 10.0; Win64; x64", ("Chrome", "Windows")),
        (CHROME % "Linux; Android 10; K", ("Chrome", "Android")),
        (CHROME % "X11; CrOS x86_64 14541.0.0", ("Chrome", "ChromeOS")),
        (CHROME % "Macintosh; Intel Mac OS X 10_15_7" + " Edg/126.0.0.0", ("Edge", "macOS")),
        (CHROME % "Windows NT 10.0" + " OPR/111.0.0.0", ("Opera", "Windows")),
        (CHROME % "Windows NT 10.0" + " YaBrowser/24.6.0.0", ("Yandex Browser", "Windows")),
        (SAFARI.replace("Version/17.5", "CriOS/126.0"), ("Chrome", "iOS")),
        (SAFARI.replace("Version/17.5", "FxiOS/127.0"), ("Firefox", "iOS")),
        ("curl/8.5.0", (None, None)),
        ("Firefox", (None, None)),
        ("", (None, None)),
    ],
)
def test_browsers_are_told_by_their_own_word(
    agent: str, expected: tuple[str | None, str | None]
) -> None:
    assert browser_of(agent) == expected


def test_each_browser_is_listed_with_this_one_first(place: AppServer, tables: Tables) -> None:
    old, new = signed_in(place, "Lise Meitner", SAFARI), signed_in(place, "Lise Meitner")
    other = signed_in(place, "Otto Hahn", "curl/8.5.0")
    idle = datetime.now(UTC) + timedelta(days=11)
    tables("UPDATE logins SET idle_at = $1 WHERE id = $2", idle, UUID(id_of(tables, old)))
    html = new.http.get(HERE).text
    names = re.findall(r'<strong id="sign-in-([^"]+)">([^<]+)</strong>', html)
    assert names == [
        (id_of(tables, new), "Firefox on Linux"),
        (id_of(tables, old), "Safari on iOS"),
    ]
    assert html.count("this browser") == 1
    used = re.findall(r'Last used about <time datetime="([^"]+)"', html)
    shown = datetime.fromisoformat(used[0])
    # Never used before it was there, whatever the setting was when that was noted.
    assert abs(shown - datetime.now(UTC)) < timedelta(minutes=5)
    assert "Another browser" in other.http.get(HERE).text
    assert "Firefox" not in other.http.get(HERE).text


def test_a_browsers_word_is_kept_bounded_and_as_one_line(place: AppServer, tables: Tables) -> None:
    odd = signed_in(place, "Odd Agent", "Firefox/1 \t <script>" + "x" * 2000)
    agent = tables.one("SELECT agent FROM logins WHERE id = $1", UUID(id_of(tables, odd)))
    assert len(agent) == MAX_AGENT
    assert agent.startswith("Firefox/1 <script>")
    assert "<script>" not in odd.http.get(HERE).text


def test_one_browser_is_signed_out_from_another(place: AppServer, tables: Tables) -> None:
    here, there = signed_in(place, "Emmy Noether"), signed_in(place, "Emmy Noether")
    third, eve = signed_in(place, "Emmy Noether"), signed_in(place, "Eve")
    end = f"{HERE}/{id_of(tables, there)}/end"
    assert eve.http.post(end).status_code == 404, "somebody else's"
    assert Browser(place.url).http.post(end).status_code == 401
    for nothing in ("nothing", id_of(tables, there)[:-1] + "%00"):
        assert here.http.post(f"{HERE}/{nothing}/end").status_code == 404
    assert here.http.post(end, headers={"Origin": "https://evil.example"}).status_code == 403
    assert is_signed_in(there)
    answer = here.http.post(end, headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{HERE}?ended")
    assert not is_signed_in(there)
    assert all(map(is_signed_in, (here, third, eve)))
    assert here.http.post(end).status_code == 404, "once"
    # This very browser, too: then its cookie goes.
    answer = here.http.post(f"{HERE}/{id_of(tables, here)}/end", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "login" not in kept_by(here)
    assert is_signed_in(third)


def test_all_others_and_all(place: AppServer) -> None:
    first, second, third = (signed_in(place, "Ada Lovelace") for _ in range(3))
    eve = signed_in(place, "Eve")
    for act in ("end-others", "end-all"):
        assert Browser(place.url).http.post(f"{HERE}/{act}").status_code == 401
    assert first.http.post(f"{HERE}/end-others").status_code == 204
    assert [is_signed_in(one) for one in (first, second, third, eve)] == [True, False, False, True]
    again = signed_in(place, "Ada Lovelace")
    answer = first.http.post(f"{HERE}/end-all", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["clear-site-data"] == '"cache"'
    assert [is_signed_in(one) for one in (first, again, eve)] == [False, False, True]
    counted = scrape(place.url)
    assert counted("events_total", event="signed_out_elsewhere") >= 2


@pytest.mark.browser
async def test_signing_out_everywhere_closes_the_room_in_another_browser(
    place: AppServer, browsers: Browsers
) -> None:
    """Who has lost a computer with a meeting open on it."""
    phone = await asyncio.to_thread(signed_in, place, "Mary Shelley", SAFARI)
    left_open = await asyncio.to_thread(signed_in, place, "Mary Shelley")
    slug = await asyncio.to_thread(phone.start_session, "Monsters")
    room, profile = await browsers.page(), await browsers.page()
    for page, visitor in ((room, left_open), (profile, phone)):
        key = visitor.http.cookies["sessions_login"]
        await page.context.add_cookies([{"name": "sessions_login", "value": key, "url": place.url}])
    await room.goto(f"{place.url}/s/{slug}")
    await room.locator("[data-join=listen]").click()
    await expect(room.locator(".tile")).to_have_count(1)
    async with phone.page(slug) as own:
        await profile.goto(f"{place.url}/profile")
        await profile.get_by_role("link", name="Sign-ins").click()
        await expect(profile.locator(".own-list li")).to_have_count(2)
        await profile.get_by_role("button", name="Sign out everywhere").click()
        await profile.wait_for_url(f"{place.url}/")
        assert await own.until_closed() == SIGNED_OUT
    await expect(room.get_by_text("You were signed out.").first).to_be_visible()
    await room.reload()
    await expect(room.locator("#guest-name")).to_be_visible()
