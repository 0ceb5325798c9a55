"""When people leave: what the link, the list and they are told, and what they may read."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.conftest import MakeServer
from tests.session.test_pages import row_of
from tests.support.app_server import AppServer
from tests.support.browser import Browsers, browsers
from tests.support.http import Browser
from tests.support.tables import Tables
from tests.support.waiting import until

__all__ = ["browsers"]

SHOTS = os.environ.get("SHOTS")
HTMX = {"HX-Request": "true"}


@pytest.fixture(scope="module")
def database(make_database: Callable[[], str]) -> str:
    return make_database()


@pytest.fixture(scope="module")
def tables(database: str) -> Tables:
    return Tables(database)


@pytest.fixture(scope="module")
def site(make_server_in: MakeServer, database: str) -> AppServer:
    return make_server_in(DATABASE_URL=database, LIVEKIT_URL="ws://localhost:9")


@pytest.fixture
def host(site: AppServer) -> Browser:
    browser = Browser(site.url)
    browser.sign_in("Ada Lovelace")
    return browser


def browser(site: AppServer, name: str = "") -> Browser:
    """Return a stranger's browser, or that of somebody who is signed in."""
    found = Browser(site.url)
    if name:
        found.sign_in(name)
    return found


async def talk(host: Browser, guest: Browser, slug: str) -> None:
    """Write a line each, then leave, the host last."""
    async with host.page(slug) as page, guest.page(slug) as other:
        await page.send({"type": "chat", "text": "Good <morning>."})
        await other.until(lambda: other.of_type("chat"))
        await other.send({"type": "chat", "text": "Good evening."})
        await page.until(lambda: len(page.of_type("chat")) == 2)


def say(tables: Tables, slug: str, name: str, text: str) -> None:
    tables(
        "INSERT INTO utterances"
        " (session_id, stream, utterance, seq, identity, text, start_s, end_s)"
        " SELECT s.id, 'stream', '1', 1, p.identity, $3, 1, 2 FROM sessions s"
        " JOIN participants p ON p.session_id = s.id WHERE s.slug = $1 AND p.name = $2",
        slug,
        name,
        text,
    )


async def everybody_gone(tables: Tables, slug: str) -> datetime:
    """Wait until the database knows that all have left, and return since when."""
    question = (
        "SELECT max(p.left_at) FILTER (WHERE NOT EXISTS (SELECT 1 FROM participants o"
        "   WHERE o.session_id = s.id AND o.joined_at IS NOT NULL AND o.left_at IS NULL))"
        " FROM sessions s JOIN participants p ON p.session_id = s.id WHERE s.slug = $1"
    )
    since: datetime = await until(lambda: asyncio.to_thread(tables.one, question, slug))
    return since


async def test_when_all_have_left_they_read_what_was_said(
    site: AppServer, tables: Tables, host: Browser
) -> None:
    """The link and the list say since when; who was there reads on; nobody else learns anything."""
    slug = await asyncio.to_thread(host.start_session, "Engines")
    guest = browser(site)
    await asyncio.to_thread(guest.be_guest, slug, "Bob")
    async with host.page(slug):
        row = row_of(await asyncio.to_thread(lambda: host.http.get("/").text), slug)
        assert "Live now" in row
        assert "1 person here" in row
        assert "Nobody" not in row
    await talk(host, guest, slug)
    since = await everybody_gone(tables, slug)
    await asyncio.to_thread(say, tables, slug, "Bob", "Is anybody here?")

    def look() -> None:
        moment = f'<time datetime="{since.isoformat(timespec="seconds")}" data-short>'
        row = row_of(host.http.get("/sessions").text, slug)
        assert f"Nobody here since {moment}" in row
        assert f'href="/s/{slug}/transcript">Read what was said so far</a>' in row
        assert "2 people" in row
        assert "Live now" not in row
        for one in (host, guest):
            lobby = one.http.get(f"/s/{slug}").text
            assert f"Nobody here since {moment}" in lobby
            assert f'href="/s/{slug}/transcript">Read what was said so far</a>' in lobby
            assert "Live now" not in lobby
            read = one.http.get(f"/s/{slug}/transcript")
            assert read.status_code == 200
            assert "Good &lt;morning&gt;." in read.text
            assert "Is anybody here?" in read.text
            assert "Nobody is there at the moment, but this session hasn’t ended." in read.text
            for ending in ("txt", "vtt"):
                export = one.http.get(f"/s/{slug}/transcript.{ending}")
                assert export.status_code == 200
                assert "Is anybody here?" in export.text
        stranger, named, other = browser(site), browser(site), browser(site, "Eve")
        gate = stranger.http.get(f"/s/{slug}").text
        assert "Nobody is there at the moment." in gate
        assert "data-short" not in gate, "since when is not theirs"
        named.be_guest(slug, "Mallory")  # who has typed a name wasn't there
        for outsider in (stranger, named, other):
            for ending in ("", ".txt", ".vtt"):
                assert outsider.http.get(f"/s/{slug}/transcript{ending}").status_code == 404
            for page in (f"/s/{slug}", f"/s/{slug}/left"):
                html = outsider.http.get(page, follow_redirects=True).text
                for secret in ("Bob", "Good ", "so far"):
                    assert secret not in html
        assert guest.join(slug)["session"]["others_came"] is True, "whoever joins goes on"
        host.end(slug)
        for path in ("transcript", "left"):
            moved = guest.http.get(f"/s/{slug}/{path}")
            assert (moved.status_code, moved.headers["location"]) == (303, f"/s/{slug}")
        assert "Is anybody here?" in guest.http.get(f"/s/{slug}").text

    await asyncio.to_thread(look)


async def test_who_is_removed_reads_nothing(site: AppServer, host: Browser) -> None:
    slug = await asyncio.to_thread(host.start_session, "Engines")
    guest, member = browser(site), browser(site, "Grace Hopper")
    await asyncio.to_thread(guest.be_guest, slug, "Bob")
    async with host.page(slug), guest.page(slug) as page, member.page(slug) as other:
        for one in (page, other):
            identity = one.welcome["you"]["identity"]
            removed = await asyncio.to_thread(host.host, slug, f"people/{identity}/remove")
            assert removed[0] in (200, 204)
            await one.until_closed()

    def look() -> None:
        for one in (guest, member):
            for ending in ("", ".txt", ".vtt"):
                assert one.http.get(f"/s/{slug}/transcript{ending}").status_code == 404
            moved = one.http.get(f"/s/{slug}/left")
            assert (moved.status_code, moved.headers["location"]) == (303, f"/s/{slug}")
            told = one.http.get(f"/s/{slug}")
            assert told.status_code == 403
            assert "A host took you out. This link no longer works for you." in told.text
        assert f'href="/s/{slug}/transcript"' not in row_of(member.http.get("/").text, slug)

    await asyncio.to_thread(look)


async def test_who_leaves_is_told_what_happens_next(
    site: AppServer, tables: Tables, host: Browser
) -> None:
    slug = await asyncio.to_thread(host.start_session, "Engines & <more>")
    guest, member = browser(site), browser(site, "Grace Hopper")
    await asyncio.to_thread(guest.be_guest, slug, "Bob")

    def left(who: Browser, **headers: str) -> str:
        answer = who.http.get(f"/s/{slug}/left", headers=headers)
        assert answer.status_code == 200
        return answer.text

    async with host.page(slug):
        async with guest.page(slug), member.page(slug):
            pass
        for one in (guest, member):
            text = await asyncio.to_thread(left, one)
            assert "You left “Engines &amp; &lt;more&gt;”." in text
            assert f'<a class="button primary" href="/s/{slug}">Rejoin</a>' in text
            assert f'href="/s/{slug}/transcript">Read what was said so far</a>' in text
            assert "the session goes on" in text
            again = await asyncio.to_thread(lambda who: left(who, **HTMX), one)
            assert "<html" not in again
            assert 'id="left"' in again
        assert "Open it in this browser" in await asyncio.to_thread(left, guest)
    await everybody_gone(tables, slug)
    assert "Nobody is there now." in await asyncio.to_thread(left, guest)
    assert "Nobody is there now." in await asyncio.to_thread(left, host), "oneself isn't counted"

    def others() -> None:
        forged = browser(site)
        forged.http.cookies.set(
            "sessions_login", guest.http.cookies["sessions_login"][:-4] + "AAAA"
        )
        named, stranger = browser(site), browser(site)
        named.be_guest(slug, "Mallory")
        named.join(slug)  # let in, but never there
        for one in (forged, named, stranger):
            moved = one.http.get(f"/s/{slug}/left")
            assert (moved.status_code, moved.headers["location"]) == (303, f"/s/{slug}")
        assert stranger.http.get("/s/zzzz-zzzz-zzzz-zzzz/left").status_code == 404
        host.end(slug)
        polled = guest.http.get(f"/s/{slug}/left", headers=HTMX)
        assert (polled.status_code, polled.headers["hx-redirect"]) == (200, f"/s/{slug}")

    await asyncio.to_thread(others)


async def test_who_waits_knows_whether_a_host_is_there(site: AppServer, host: Browser) -> None:
    """And a host who is on the start page sees that somebody knocks; others don't."""
    slug = await asyncio.to_thread(host.start_session, "Engines", "KNOCK")
    guest, member = browser(site), browser(site, "Grace Hopper")
    await asyncio.to_thread(guest.be_guest, slug, "Bob")
    status, answer = await asyncio.to_thread(guest.knock, slug)
    assert (status, answer["hosts"]) == (202, 0)

    def row(of: Browser) -> str:
        return row_of(of.http.get("/sessions", headers=HTMX).text, slug)

    assert "1 person waits to be let in" in await asyncio.to_thread(row, host)
    await asyncio.to_thread(member.knock, slug)
    async with host.page(slug) as page:
        assert (await asyncio.to_thread(guest.knock, slug))[1]["hosts"] == 1
        await page.until(lambda: page.of_type("people"))
        waiting = {one["name"]: one["identity"] for one in page.of_type("people")[-1]["waiting"]}
        await asyncio.to_thread(host.host, slug, f"people/{waiting['Grace Hopper']}/admit")
        async with member.page(slug):
            await asyncio.to_thread(guest.knock, slug)
            assert "waits" not in await asyncio.to_thread(row, member), "who isn't a host"
            assert "1 person waits" in await asyncio.to_thread(row, host)
            assert (await asyncio.to_thread(guest.knock, slug))[1]["hosts"] == 1, (
                "guests don't count"
            )
    async with member.page(slug):
        assert (await asyncio.to_thread(guest.knock, slug))[1]["hosts"] == 0


def test_the_lobby_says_what_would_be_refused(site: AppServer, host: Browser) -> None:
    slug = host.start_session("Engines", "KNOCK")
    named, member, stranger = browser(site), browser(site, "Grace Hopper"), browser(site)
    named.be_guest(slug, "Bob")

    def told(who: Browser) -> str:
        return who.http.get(f"/s/{slug}").text

    assert "Guests knock here" in told(named)
    assert "Guests knock here" not in told(host)
    host.host(slug, "settings", locked="on")
    for one in (named, member):
        assert "This session is locked: nobody new comes in right now." in told(one)
    assert "It is locked at the moment" in told(stranger)
    assert "is locked" not in told(host)
    host.host(slug, "settings", locked="off", admission="MEMBERS")
    assert "takes no new guests" in told(named)
    assert f'href="/sign-in?next=/s/{slug}">sign in</a>' in told(named)
    assert "sign in</a>" not in told(member)
    assert "takes no new guests" in told(member)
    assert "It takes no new guests" in told(stranger)
    assert "takes no new guests" not in told(host)


def test_strangers_can_sign_in_where_a_session_has_ended(site: AppServer, host: Browser) -> None:
    slug = host.start_session()
    host.end(slug)
    stranger, other = browser(site), browser(site, "Eve")
    sign_in = re.search(
        r'<a class="button primary" href="([^"]+)">Sign in</a>',
        stranger.http.get(f"/s/{slug}").text,
    )
    assert sign_in is not None
    form = stranger.http.get(sign_in[1]).text
    assert f'name="next" value="/s/{slug}"' in form
    assert ">Sign in</a>" not in other.http.get(f"/s/{slug}").text


@pytest.mark.parametrize(
    ("at", "local"), [("localhost", True), ("127.0.0.1", True), ("meet.lan", False)]
)
def test_a_link_that_works_on_this_computer_only_says_so(
    site: AppServer, host: Browser, at: str, local: bool
) -> None:
    slug = host.start_session()
    where = f"{at}:{site.port}"
    html = host.http.get(f"/s/{slug}", headers={"Host": where}).text
    assert f'data-link="http://{where}/s/{slug}"' in html
    assert ("This link works on this computer only." in html) is local
    assert ("data-link-local" in html) is local
    assert ("They need no account." in html) is not local


def test_a_link_is_the_address_with_tls_where_there_is_one(make_server: MakeServer) -> None:
    """Also for who is at the computer itself, whose page has its socket without the proxy."""
    site = make_server(NEXTAUTH_URL="https://meet.example.com")
    host = Browser(site.url)
    host.http.headers["Host"] = f"localhost:{site.port}"
    host.sign_in("Ada Lovelace")
    host.http.headers["Cookie"] = "; ".join(f"{c.name}={c.value}" for c in host.http.cookies.jar)
    slug = host.start_session()
    html = host.http.get(f"/s/{slug}").text
    assert f'data-link="https://meet.example.com/s/{slug}"' in html
    assert "This link works on this computer only." not in html
    assert host.join(slug)["transcription"]["url"] == f"ws://localhost:{site.port}/ws"
    outside = {"Host": "meet.example.com", "Origin": "https://meet.example.com"}
    answer = host.http.post(f"/s/{slug}/join", headers=outside | {"Accept": "application/json"})
    assert answer.json()["transcription"]["url"] == "wss://meet.example.com/ws"


async def shoot(page: Page, name: str) -> None:
    """Take pictures for who looks at them, when a folder is named."""
    if not SHOTS:
        return
    for scheme in ("light", "dark"):
        for width, height in ((1280, 800), (390, 844)):
            await page.emulate_media(color_scheme=scheme)
            await page.set_viewport_size({"width": width, "height": height})
            await page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{scheme}.png")


@pytest.mark.browser
async def test_leaving_in_browsers(site: AppServer, host: Browser, browsers: Browsers) -> None:
    """Leave, come back, leave as the last one, end: nobody lands where nothing is said."""
    slug = await asyncio.to_thread(host.start_session, "Engines")
    address, context = f"{site.url}/s/{slug}", await browsers.context()
    key = host.http.cookies["sessions_login"]
    await context.add_cookies([{"name": "sessions_login", "value": key, "url": site.url}])
    ada, bob = await context.new_page(), await browsers.page()
    await ada.goto(address)
    await shoot(ada, "lobby-host")
    await ada.locator("[data-lobby]").get_by_role("button", name="Copy link").click()
    await expect(ada.locator("[data-lobby] [data-copy-text]")).to_have_text(
        "Copied, for this computer"
    )
    await bob.goto(address)
    await shoot(bob, "gate")
    await bob.get_by_role("textbox", name="Your name").fill("Bob")
    await bob.get_by_role("button", name="Continue as a guest").click()
    await ada.get_by_role("button", name="Join and listen only").click()
    invite = ada.locator("[data-invite]")
    await expect(invite).to_contain_text("You’re the first one here.")
    await expect(invite).to_contain_text("This link works on this computer only.")
    await expect(ada.locator("[data-notices]")).to_contain_text(
        "People in this session can’t hear or see each other here.",
    )
    await shoot(ada, "first")
    await bob.get_by_role("button", name="Join and listen only").click()
    await expect(invite).to_be_hidden()

    # A guest just leaves; the host who stays isn't the first one there.
    await bob.get_by_role("link", name="Leave").click()
    await bob.wait_for_url(f"{address}/left")
    await expect(bob.locator("#left")).to_contain_text("1 person is still there")
    await shoot(bob, "left-guest")
    await expect(invite).to_contain_text("Everybody else has left.")
    await shoot(ada, "alone-again")

    # The last host is asked. Cancel stays, Leave leaves.
    dialog = ada.get_by_role("dialog", name="Leave, or end for everyone?")
    await ada.get_by_role("link", name="Leave").click()
    await expect(dialog).to_contain_text("Nobody else is here. The session stays open")
    await shoot(ada, "dialog-alone")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(ada.locator("#room")).to_have_attribute("data-state", "joined")
    await ada.get_by_role("link", name="Leave").click()
    await dialog.get_by_role("button", name="Leave").click()
    await ada.wait_for_url(f"{address}/left")
    await expect(ada.locator("#left")).to_contain_text("Nobody is there now.")
    await expect(bob.locator("#left")).to_contain_text("Nobody is there now.")
    await shoot(ada, "left-host")
    await ada.get_by_role("link", name="Read what was said so far").click()
    await expect(ada.get_by_role("article")).to_contain_text(
        "Nothing was said in this session yet."
    )
    await shoot(ada, "transcript-so-far")
    await ada.goto(site.url)
    await expect(ada.locator(f"#session-{slug}")).to_contain_text(
        re.compile(r"Nobody here since \d+:\d\d")
    )
    await shoot(ada, "home-empty")
    await ada.goto(address)
    await expect(ada.locator("[data-lobby]")).to_contain_text(
        re.compile(r"Nobody here since \d+:\d\d")
    )
    await shoot(ada, "lobby-empty")
    await ada.get_by_role("button", name="Join and listen only").click()
    await expect(invite).to_contain_text("Everybody else has left.")

    # A guest comes back and stays; the host ends it, also for who has left.
    await bob.get_by_role("link", name="Rejoin").click()
    await bob.get_by_role("button", name="Join and listen only").click()
    await expect(invite).to_be_hidden()
    await ada.get_by_role("link", name="Leave").click()
    await expect(dialog).to_contain_text("The others can go on talking.")
    await shoot(ada, "dialog-others")
    await bob.get_by_role("link", name="Leave").click()
    await bob.wait_for_url(f"{address}/left")
    await dialog.get_by_role("button", name="End for everyone").click()
    await ada.wait_for_url(address)
    await expect(ada.get_by_role("article")).to_contain_text("Nothing was said in this session.")
    await bob.wait_for_url(address)
    await expect(bob.get_by_role("article")).to_contain_text("Nothing was said in this session.")
    assert not browsers.errors


@pytest.mark.browser
async def test_waiting_for_a_host_in_a_browser(
    site: AppServer, host: Browser, browsers: Browsers
) -> None:
    slug = await asyncio.to_thread(host.start_session, "Engines", "KNOCK")
    bob, address = await browsers.page(), f"{site.url}/s/{slug}"
    await bob.goto(address)
    await bob.get_by_role("textbox", name="Your name").fill("Bob")
    await bob.get_by_role("button", name="Continue as a guest").click()
    await bob.get_by_role("button", name="Join and listen only").click()
    waiting = bob.locator("[data-lobby-waiting]")
    await expect(waiting).to_contain_text("No host is here at the moment.")
    await shoot(bob, "waiting")
    async with host.page(slug) as page:
        await expect(waiting).to_contain_text("A host is here and sees that you knock.")
        await asyncio.to_thread(host.host, slug, "settings", locked="on")
        await page.until(lambda: page.of_type("session"))
    await bob.reload()
    await expect(bob.locator("[data-lobby-refused]")).to_contain_text("This session is locked")
    await shoot(bob, "lobby-locked")
    await asyncio.to_thread(host.end, slug)
    stranger = await browsers.page()
    await stranger.goto(address)
    await expect(stranger.get_by_role("link", name="Sign in")).to_be_visible()
    await shoot(stranger, "ended")
    await stranger.goto(site.url)
    await shoot(stranger, "landing")
    assert not browsers.errors


@pytest.mark.browser
async def test_a_page_without_https_says_what_helps(
    site: AppServer, host: Browser, browsers: Browsers
) -> None:
    """Nothing serves TLS there; and the link can be copied although there is no clipboard."""
    slug = await asyncio.to_thread(host.start_session, "Engines")
    page = await browsers.page(flags=["--host-resolver-rules=MAP meet.lan 127.0.0.1"])
    address = f"http://meet.lan:{site.port}/s/{slug}"
    await page.goto(address)
    await page.get_by_role("textbox", name="Your name").fill("Bob")
    await page.get_by_role("button", name="Continue as a guest").click()
    await page.locator("[data-lobby-mic]").click()
    hint = page.locator("[data-lobby-hint]")
    await expect(hint).to_contain_text("Browsers allow it only over https")
    await expect(hint).to_contain_text("“Other computers” in the README")
    await expect(hint).not_to_contain_text("https://")
    await shoot(page, "lobby-http")
    await page.get_by_role("button", name=re.compile("listen only")).first.click()
    await page.locator(".room-head [data-copy]").click()
    await expect(page.locator(".room-head [data-copy-text]")).to_have_text("Copied")
    await page.get_by_role("button", name="Chat").click()
    field = page.get_by_role("textbox", name="Message to everyone")
    await field.press("Control+v")
    await expect(field).to_have_value(address)
    assert not browsers.errors
