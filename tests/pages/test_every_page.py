"""Every page, as a host and as a stranger see it, can be read by everybody and fits its window.

In both languages, wide and narrow, light and dark; with names and words that are hard to lay out.
The room has a file of its own, and what search finds is in tests/search/test_in_browser.py.
`SHOTS=/tmp/shots` writes pictures, see tests/support/look.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import FilePayload, expect

from core.speech.engine import BYTES_PER_SECOND
from tests.conftest import MakeServer
from tests.support.browser import Browsers
from tests.support.recorded import sounded
from tests.support.tables import Tables
from tests.support.visitors import Visitor
from tests.support.walk import LANGUAGES, LONG_NAME, LONG_WORD, Meeting, Walk, World
from tests.uploads.uploader import hum, wav

pytestmark = pytest.mark.browser

# One that knows many languages and words; nobody speaks here, so it needs nobody who answers.
ENGINE = {"GLADIA_API_KEY": "key", "GLADIA_API_URL": "http://127.0.0.1:9"}


@dataclass
class Site(World):
    """A server with a session of every kind, and their host."""

    ended: str = ""
    locked: str = ""


@pytest.fixture(scope="module")
def site(make_server_in: MakeServer, make_database: Callable[[], str]) -> Site:
    database = make_database()
    server = make_server_in(ADMIN_EMAILS="root@example.com", DATABASE_URL=database, **ENGINE)
    ada = Visitor(server.url).sign_in("Ada Lovelace")
    site = Site(server, Tables(database), ada)
    site.ended = site.meet("Фамилии, которые не помещаются").slug
    ada.end(site.ended)
    site.tables("UPDATE spaces SET text_days = 3650, audio_days = 7")
    site.tables("UPDATE sessions SET audio_days = 7")
    sounded(site.tables, server.data_dir, site.ended, bytes(BYTES_PER_SECOND))
    ada.start_session(LONG_WORD)
    site.locked = ada.start_session("Locked")
    site.settings(site.locked, locked="on")
    return site


async def strangers_pages(walk: Walk, site: Site, meeting: Meeting) -> None:
    """Who has no account, and who comes where nobody may."""
    await walk.goto("/", "landing")
    await walk.goto("/sign-in", "sign-in")
    await walk.goto("/nothing", "not-found")
    await walk.goto(f"/s/{site.ended}", "ended-for-strangers")
    await walk.goto(f"/s/{site.locked}", "gate-locked")
    await walk.goto(f"/s/{meeting.slug}", "gate")
    name = walk.page.locator("#guest-name")
    await name.fill(" ")
    await name.press("Enter")
    await expect(walk.page.locator("#guest-problem")).to_be_visible()
    await walk.look("gate-without-a-name")


async def hosts_pages(walk: Walk, site: Site, meeting: Meeting) -> None:
    """The list, and everything about one session but its room."""
    page, address = walk.page, f"/s/{meeting.slug}"
    await walk.be(site.ada)
    await walk.goto("/", "home")
    await page.locator(f"#manage-{meeting.slug} > summary").click()
    await page.locator(".ending > summary").click()
    await walk.look("home-settings")
    await page.locator("[id^=settings-title-]").fill(" ")
    await page.locator("[id^=settings-rename-]").click()
    await expect(page.locator(".settings .problem")).not_to_be_empty()
    await walk.look("home-settings-refused")
    await walk.goto(f"{address}/settings?saved", "settings")
    await walk.goto(f"{address}/left", "left")
    await walk.goto(f"{address}/transcript", "transcript-so-far")
    await spoken_pages(walk, site, address)
    await connections_page(walk, address)
    await walk.goto("/signed-in", "signed-in")
    await page.goto(f"{site.server.url}{address}/transcript")
    await page.locator(".usage summary").click()
    await page.locator(".usage a").click()
    await page.locator("main details summary").click()
    await page.locator("#minutes-input").fill("much")
    await page.locator(".minutes-form button").click()
    await expect(page.locator("#minutes-problem")).not_to_be_empty()
    await walk.look("usage-refused")
    await page.locator("#minutes-input").fill("200")
    await page.locator(".minutes-form button").click()
    await expect(page.locator("#minutes .saved")).not_to_be_empty()
    await page.locator("#minutes .meter").scroll_into_view_if_needed()
    await walk.look("usage")
    await planned_pages(walk, site)
    await upload_pages(walk, site)
    await walk.goto("/setup", "setup")
    await walk.goto(f"/s/{site.ended}")
    await page.locator(".usage summary").click()
    cost = "0,010" if walk.language == "ru" else "0.010"
    await expect(page.locator(".usage tfoot td").last).to_have_text(cost)
    await walk.look("transcript")
    await heard_and_corrected(walk)
    await sharing_pages(walk, site)


async def heard_and_corrected(walk: Walk) -> None:
    """A line while it can be heard and is corrected, and what it was before."""
    page = walk.page
    await walk.widen()
    await page.locator(".hear").nth(1).click()
    await expect(page.locator("[data-player]")).to_be_visible()
    line = await page.locator(".words[data-sound]").nth(1).get_attribute("id") or ""
    await page.locator(f"[id='{line}']").hover()
    await page.locator(f".correct[data-line='{line.removeprefix('u-')}']").click()
    await page.locator(".correcting select").select_option("new")
    await page.locator(".correcting-name > summary").click()
    await walk.look("transcript-heard-and-corrected")
    text = page.locator(".correcting textarea")
    await text.fill(f"{LONG_WORD} {walk.language}")
    await page.locator(".correcting select").select_option("")
    await page.locator(".correcting [data-save]").click()
    await expect(page.locator(f"[id='{line}']")).to_contain_text(f"{LONG_WORD} {walk.language}")
    await page.locator(f"[id='{line}'] .mark-corrected").click()
    await expect(page.locator(".history")).to_be_visible()
    await walk.look("transcript-history")


async def spoken_pages(walk: Walk, site: Site, address: str) -> None:
    """Languages and words, of a space and of one of its sessions."""
    space = await asyncio.to_thread(site.tables.one, "SELECT space_id FROM sessions LIMIT 1")
    await walk.goto(f"/spaces/{space}/languages", "space-languages")
    await walk.goto(f"{address}/languages")
    await walk.page.locator("[name=vocabulary]").fill(f"{LONG_WORD}\n" + "one " * 6)
    await walk.page.locator("[name=spelling]").fill(LONG_WORD)
    await walk.page.locator("[id^=spoken-save-]").click()
    await expect(walk.page.locator("[id^=spelling-problem-]")).not_to_be_empty()
    await walk.look("session-languages-refused")


async def sharing_pages(walk: Walk, site: Site) -> None:
    """Links to a transcript as a host sees them, and what one opens."""
    await walk.goto(f"/s/{site.ended}/share")
    await walk.page.locator("#sharing form .primary").click()
    await expect(walk.page.locator("[data-just-made]")).to_be_visible()
    await walk.look("sharing")
    link = await walk.page.locator(".shared-link").first.input_value()
    await walk.goto(link.removeprefix(site.server.url), "shared")


async def upload_pages(walk: Walk, site: Site) -> None:
    """A recording from its form to where it can be started, and one that can't be."""
    page = walk.page
    space = await asyncio.to_thread(site.tables.one, "SELECT space_id FROM sessions LIMIT 1")
    await walk.goto(f"/spaces/{space}/uploads")
    await page.locator("[name=title]").fill(LONG_WORD)
    await walk.look("upload-new")
    await page.locator("form.settings .primary").click()
    files = {f"{LONG_WORD}.wav": wav(hum(1), hum(1)), "picture.wav": b"no sound"}
    await page.locator("#adding-files").set_input_files(
        [FilePayload(name=name, mimeType="audio/wav", buffer=it) for name, it in files.items()]
    )
    await page.locator("[data-separate]").check()
    await expect(page.locator(".names .input")).to_have_count(2)
    await expect(page.locator(".file .problem")).to_be_visible()
    await page.locator("#speakers .primary").click()
    await expect(page.locator("ul.problem")).to_be_visible()
    await page.locator(".asks > summary").click()
    await walk.look("upload-refused")
    await page.locator(".asks form .primary").click()
    await page.wait_for_url("**/uploads")


async def planned_pages(walk: Walk, site: Site) -> None:
    """What is planned, and what else is said of it before anybody comes."""
    page = walk.page
    await walk.goto("/sessions/new")
    await page.locator("#agenda-new").fill(f"1. {LONG_WORD}\n2. https://example.com/{'a' * 90}")
    await page.locator("#recurs-new").fill("каждый понедельник в 9")
    await page.locator("form.settings .primary").click()
    await expect(page.locator("#planned-problem-new")).not_to_be_empty()
    await walk.look("planned-refused")
    await page.locator("#planned-new").fill(f"{datetime.now(UTC) + timedelta(7):%Y-%m-%dT%H:%M}")
    await page.locator("form.settings .primary").click()
    await expect(page.locator(".to-send")).to_be_visible()
    await page.locator(".change summary").click()
    await walk.look("planned")
    await walk.lobby(page.url.split("/")[-2])
    await walk.look("planned-lobby")
    space = await asyncio.to_thread(site.tables.one, "SELECT space_id FROM sessions LIMIT 1")
    await walk.goto(f"/spaces/{space}/rooms/new", "room-new")
    await page.locator("#room-title").fill(f"Weekly {LONG_NAME}")
    await page.locator("form.settings .primary").click()
    await expect(page.locator(".to-send")).to_be_visible()
    await page.locator(".ending > summary").click()
    await walk.look("room-settings")
    await walk.goto("/")
    await page.locator(".plan-later > summary").click()
    await walk.look("home-planning")
    await page.locator(".room-acts > a").last.click()
    await page.locator(".ending > summary").click()
    await page.locator(".ending form .button").click()
    await expect(page.locator(".room-row")).to_have_count(0)


async def spaces_pages(walk: Walk, site: Site, stranger: Walk) -> None:
    """A space as its owner, a member, and who is invited to it see it."""
    page = walk.page
    await walk.be(site.ada)
    await walk.goto("/spaces")
    await page.locator("#space-menu > summary").click()
    await walk.look("spaces")
    await walk.goto("/spaces")
    await page.locator("#space-name").fill(LONG_WORD)
    await page.locator(".space-form .primary").click()
    await page.locator(".asks > summary").first.click()
    await page.locator("#invitation-uses").fill("none")
    await page.locator(".asks[open] .primary").click()
    await expect(page.locator("#link-problem")).to_be_visible()
    await page.locator("#invitation-uses").fill("3")
    await page.locator(".asks[open] .primary").click()
    link = await page.locator(".invitation-link").first.input_value()
    address = page.url.split("#")[0].removeprefix(site.server.url)
    path = link.removeprefix(site.server.url)
    await stranger.goto(path, "invitation")
    bob = await asyncio.to_thread(Visitor(site.server.url).sign_in, f"Bob {walk.language}")
    await stranger.be(bob)
    await stranger.goto(path, "invitation-to-accept")
    await asyncio.to_thread(bob.http.post, path)
    await stranger.goto(address, "space-of-a-member")
    await walk.goto(address)
    await page.locator(".member-acts > summary").last.click()
    await walk.look("space")
    await walk.goto(f"{address}/events", "space-events")
    await walk.goto(f"{address}/keeping")
    await page.locator("#keeping-days").fill("some")
    await page.locator(".settings .primary").click()
    await expect(page.locator("#keeping-problem")).to_be_visible()
    await walk.look("space-keeping")
    await walk.goto(f"{address}/delete")
    await page.locator("#delete-name").fill("another name")
    await page.locator("form .danger").click()
    await expect(page.locator("#delete-problem")).to_be_visible()
    await walk.look("space-deletion")
    await walk.goto("/spaces")
    await page.locator(".space-row .button").first.click()
    await expect(page.locator("#sessions")).to_be_visible()  # of the space that was there before


async def deletion_pages(walk: Walk, slugs: tuple[str, str]) -> None:
    """What is asked before sessions are deleted, one or several."""
    page = walk.page
    await walk.goto(f"/s/{slugs[0]}/delete", "session-deletion")
    await walk.goto("/?show=ended")
    for slug in slugs:
        await page.locator(f"#choose-{slug} input").check()
    await walk.look("home-chosen")
    await page.locator("#sessions-choose button").click()
    await page.locator("#delete-number").fill("3")
    await page.locator("form .danger").click()
    await expect(page.locator("#delete-problem")).to_be_visible()
    await walk.look("sessions-deletion")


async def connections_page(walk: Walk, address: str) -> None:
    """The test of devices and connection, before it and, in the longer language, after it."""
    page = walk.page
    await walk.goto("/connection", "connection")
    if walk.language == "en":
        return
    await walk.goto(f"{address}/connection")
    await page.locator("[data-start]").click()
    for device in ("microphone", "camera", "speaker"):
        await page.locator(f"[data-line={device}] [data-try]").click()
    await expect(page.locator("[data-line=camera]")).to_have_attribute("data-standing", "ok")
    await expect(page.locator("[data-question]")).to_be_visible()
    await page.locator("[data-heard=no]").click()
    await expect(page.locator("[data-verdict]")).to_have_attribute("data-standing", "wrong")
    await walk.look("connection-tested")


async def administrators_pages(walk: Walk, root: Visitor, somebody: str) -> None:
    """The server as who runs it sees it, where somebody is disabled and a space gets minutes."""
    page = walk.page
    await walk.be(root)
    await walk.goto("/admin", "admin")
    await walk.goto("/admin/spaces")
    await page.locator("[id^=minutes-]").first.fill("much")
    await page.locator(".acts .button").first.click()
    await expect(page.locator(".problem").first).not_to_be_empty()
    await walk.look("admin-spaces")
    await walk.goto("/admin/people")
    await page.locator("#find").fill(somebody)
    await page.locator("#find").press("Enter")
    await expect(page.locator(".list tbody tr")).to_have_count(1)
    await page.locator(".acts summary").click()
    await walk.look("admin-people")
    await page.locator(".acts details .primary").click()
    await expect(page.locator(".acts .saved")).not_to_be_empty()
    await walk.look("admin-people-disabled")


async def newcomers_pages(walk: Walk) -> None:
    """The steps after the first sign-in, and one's profile."""
    page = walk.page
    await walk.goto("/welcome", "welcome")
    await walk.goto("/welcome/space", "welcome-space")
    await page.locator("#space-name").fill(LONG_WORD)
    await page.locator(".panel .button.primary").click()
    await expect(page.locator("#own-picture")).to_be_visible()
    await walk.look("welcome-picture")
    await walk.goto("/profile")
    await page.locator("#own-picture").set_input_files(
        files={"name": "me.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"}
    )
    await page.locator(".picture-row .button").click()
    await expect(page.locator("#picture-problem")).to_be_visible()
    await walk.look("profile")
    await walk.goto("/profile/sign-ins", "sign-ins")
    await walk.goto("/profile/tokens", "token-new")
    await page.locator("#token-name").fill(LONG_WORD[:60])
    await page.locator("form .primary").click()
    await expect(page.locator("#token-made")).to_be_visible()
    await walk.look("tokens")
    await walk.goto("/profile/account", "account")
    await walk.goto("/profile/account/delete")
    await page.locator("#delete-confirm").fill("somebody else")
    await page.locator("button.danger").click()
    await expect(page.locator("#delete-problem")).to_be_visible()
    await walk.look("account-deletion")


async def ended_in_the_list(walk: Walk, slug: str) -> None:
    """End a session from the list, which says where its words are."""
    await walk.goto("/")
    await walk.page.locator(f"#manage-{slug} > summary").click()
    await walk.page.locator(".ending > summary").click()
    await walk.page.locator(".ending form .button").click()
    await expect(walk.page.locator("#sessions-said a")).to_be_visible()
    await walk.look("home-ended")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page(site: Site, browsers: Browsers, language: str) -> None:
    meeting = await asyncio.to_thread(site.meet, f"Weekly {LONG_NAME}")
    stranger = await Walk.begin(browsers, language, site)
    await strangers_pages(stranger, site, meeting)
    host = await Walk.begin(browsers, language, site)
    async with meeting.together():
        await asyncio.to_thread(site.settings, meeting.slug, admission="KNOCK")
        for name in ("דנה לוי", LONG_NAME):
            knocking = await asyncio.to_thread(site.guest, meeting.slug, name)
            await asyncio.to_thread(knocking.knock, meeting.slug)
        await hosts_pages(host, site, meeting)
        await stranger.be(meeting.guests[0])
        await stranger.goto(f"/s/{meeting.slug}/left", "left-by-a-guest")
    await spaces_pages(host, site, stranger)
    await host.be(site.ada)
    await ended_in_the_list(host, meeting.slug)
    await deletion_pages(host, (meeting.slug, site.ended))
    await host.be(await asyncio.to_thread(Visitor(site.server.url).sign_in, f"New {language}"))
    await host.goto("/", "home-empty")
    await newcomers_pages(host)
    root = await asyncio.to_thread(Visitor(site.server.url).sign_in, "Root")
    await administrators_pages(host, root, f"New {language}")
    assert not stranger.wrong + host.wrong, "\n".join(stranger.wrong + host.wrong)
    assert not browsers.errors
