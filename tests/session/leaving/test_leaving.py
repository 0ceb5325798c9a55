"""When people leave: what the link, the list and they are told, and what they may read."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.leaving import HTMX, browser, everybody_gone, say, talk
from tests.support.meetings import row_of
from tests.support.tables import Tables


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
        for shown in ("all", "elsewhere"):
            assert f"/s/{slug}/transcript" not in member.http.get(f"/?show={shown}").text

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
        """Return its row: in the space's list for the host, who isn't of it sees it elsewhere."""
        shown = "all" if of is host else "elsewhere"
        return row_of(of.http.get(f"/sessions?show={shown}", headers=HTMX).text, slug)

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
    named, other, stranger = browser(site), browser(site, "Grace Hopper"), browser(site)
    named.be_guest(slug, "Bob")

    def told(who: Browser) -> str:
        return who.http.get(f"/s/{slug}").text

    assert "Guests knock here" in told(named)
    assert "Guests knock here" not in told(host)
    host.host(slug, "settings", locked="on")
    assert "This session is locked: nobody new comes in right now." in told(named)
    for one in (stranger, other):
        assert "This session is locked: nobody new" in told(one)
    assert "is locked" not in told(host)
    host.host(slug, "settings", locked="off", admission="MEMBERS")
    assert "takes no new guests" in told(named)
    assert f'href="/sign-in?next=/s/{slug}">sign in</a>' in told(named)
    assert "sign in</a>" not in told(other)
    for one in (stranger, other):
        assert "This session takes no new guests" in told(one)
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
