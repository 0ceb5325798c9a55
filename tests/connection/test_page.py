"""The page of the connection test: what it finds, whose fault it says that is, and its report."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.conftest import MakeServer
from tests.emulators.livekit import LiveKitThread
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.call import environment, real_environment
from tests.support.call_page import Place, start

pytestmark = pytest.mark.browser

NO_UDP = "--force-webrtc-ip-handling-policy=disable_non_proxied_udp"
# How often a device was asked for; and a browser that lets no page write to the clipboard.
WATCHED = """window.asked = 0;
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = (wanted) => { asked += 1; return open(wanted); };
navigator.clipboard.writeText = () => Promise.reject(new DOMException('no', 'NotAllowedError'));"""
NOWHERE = "candidate:1 1 udp 2130706431 172.18.0.5 7882 typ host"


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer) -> Iterator[Place]:
    with LiveKitThread() as livekit:
        yield Place(make_server_in(**environment(livekit)), livekit)


async def verdict_of(page: Page) -> str:
    """Run the test, and return the verdict."""
    await page.locator("[data-start]").click()
    verdict = page.locator("[data-verdict]")
    await expect(verdict).to_have_attribute("data-standing", "running")
    await expect(verdict).not_to_have_attribute("data-standing", "running")
    return await verdict.inner_text()


async def standings(page: Page, *names: str) -> list[str | None]:
    lines = [page.locator(f"[data-line={name}]") for name in names]
    return [await line.get_attribute("data-standing") for line in lines]


async def report(page: Page) -> str:
    return await page.locator("[data-report-text]").input_value()


def forget_codes(socket: WebSocketRoute) -> None:
    server = socket.connect_to_server()
    server.on_close(lambda _code, _reason: socket.close(code=1000))


async def test_all_is_well_and_then_not(place: Place, browsers: Browsers) -> None:
    assert place.livekit
    livekit = place.livekit
    page = await browsers.page()
    await page.add_init_script(WATCHED)
    address = await start(page, place.app)
    slug = address.rsplit("/", 1)[1]
    await page.get_by_role("link", name="Test them", exact=True).click()
    await page.wait_for_url(f"{address}/connection")

    # The connection is good, and no device was asked for.
    assert "Your connection is good." in await verdict_of(page)
    assert await page.evaluate("asked") == 0
    good = await standings(page, "server", "socket", "call", "udp", "tcp", "turn-udp", "turn-tls")
    assert good == ["ok", "ok", "ok", "ok", "skipped", "skipped", "skipped"]
    rooms = livekit.do(lambda: dict(livekit.server.rooms))
    assert slug not in rooms, "nobody was in the session's call"
    assert not any(room.participants for room in rooms.values())

    # Each device by a click of its own.
    await page.get_by_role("button", name="Try the microphone").click()
    await expect(page.locator("[data-line=microphone] [data-words]")).to_contain_text("Works")
    await page.get_by_role("button", name="Stop").click()
    await page.get_by_role("button", name="Try the camera").click()
    await expect(page.locator("[data-line=camera] [data-words]")).to_contain_text("Works")
    await page.get_by_role("button", name="Play the notes").click()
    heard = page.get_by_role("button", name="Yes, I heard them")
    await expect(heard).to_be_focused()
    await page.keyboard.press("Enter")
    verdict = page.locator("[data-verdict]")
    await expect(verdict).to_contain_text("All is well.")

    # The report has nothing that lets anybody in, and can be copied without the clipboard.
    text = await report(page)
    for told in ("udp: ok", "/ws: ok", "closed with 4490", "fine (nobody)", "Microphone: ok"):
        assert told in text
    assert slug not in text
    assert "eyJ" not in text
    await page.get_by_role("button", name="Copy the report").click()
    await expect(page.locator("[data-copied]")).to_contain_text("It is selected")
    assert await page.evaluate("getSelection().toString()") == text

    # LiveKit is away: for the server, too.
    livekit.call(livekit.server.stop())
    said = await verdict_of(page)
    assert "The server’s video server doesn’t answer." in said
    assert "isn’t your network" in said
    livekit.call(livekit.server.start())
    # It takes another key, and a proxy passes on all but how sockets are closed.
    livekit.do(setattr, livekit.server, "reject_credentials", True)
    await page.route_web_socket(re.compile(r"/ws$"), forget_codes)
    said = await verdict_of(page)
    assert "its video server refuses its key" in said
    assert "Something between you and the server changes what is sent." in said
    assert "/ws: mangled" in await report(page)
    livekit.do(setattr, livekit.server, "reject_credentials", False)
    assert not browsers.errors


async def test_what_lies_between(place: Place, browsers: Browsers) -> None:
    """An address that can't be reached, and a proxy that cuts WebSockets; from the start page."""
    assert place.livekit
    livekit = place.livekit
    livekit.do(setattr, livekit.server.mux, "candidates", lambda: [NOWHERE])
    page = await browsers.page(permissions=(), flags=["--use-fake-ui-for-media-stream=deny"])

    def cut(socket: WebSocketRoute) -> None:
        socket.on_message(lambda _: socket.close(code=1011))

    await page.route_web_socket(re.compile(r"/ws$"), cut)
    await start(page, place.app)
    await page.goto(place.app.url)
    await page.get_by_role("link", name="Test sound, picture and connection").click()
    said = await verdict_of(page)
    livekit.do(delattr, livekit.server.mux, "candidates")
    assert "It says 172.18.0.5" in said
    assert "The connection for captions and chat breaks." in said
    assert "media-address (server)" in await report(page)
    assert await standings(page, "socket", "udp") == ["failed", "failed"]
    await page.get_by_role("button", name="Try the microphone").click()
    line = page.locator("[data-line=microphone] [data-words]")
    await expect(line).to_contain_text("Your browser is blocking the microphone.")
    assert "microphone-blocked (browser)" in await report(page)
    assert not browsers.errors


@pytest.fixture(scope="module")
def real(make_server_in: MakeServer) -> AppServer:
    """Sessions with the real LiveKit that the environment names."""
    return make_server_in(**real_environment())


@pytest.fixture(scope="module")
def mistaken(make_server_in: MakeServer) -> AppServer:
    """The same with another key."""
    return make_server_in(**real_environment() | {"LIVEKIT_API_SECRET": "x" * 40})


async def verdict_at(app: AppServer, browsers: Browsers, *flags: str) -> tuple[str, str]:
    """Run the test in a browser with these flags; the verdict and the report."""
    page = await browsers.page(flags=flags)
    await start(page, app)
    await page.goto(f"{app.url}/connection")
    return await verdict_of(page), await report(page)


@pytest.mark.livekit
async def test_a_real_livekit_by_each_of_its_ways(real: AppServer, browsers: Browsers) -> None:
    said, text = await verdict_at(real, browsers)
    assert "Your connection is good." in said
    assert re.search(r"^udp: ok, .* by udp", text, re.MULTILINE)
    assert re.search(r"^tcp: ok, .* by tcp", text, re.MULTILINE)
    relay = re.search(r"^turn-udp: (\w+)(.*)", text, re.MULTILINE)
    assert relay
    assert relay[1] == "none" or (relay[1] == "ok" and "relay to" in relay[2])


@pytest.mark.livekit
async def test_a_browser_without_udp(real: AppServer, browsers: Browsers) -> None:
    said, text = await verdict_at(real, browsers, NO_UDP)
    assert "Your network blocks UDP." in said
    assert re.search(r"^tcp: ok, .* by tcp", text, re.MULTILINE)
    assert "media-udp (network)" in text


@pytest.mark.livekit
async def test_a_real_livekit_with_another_key(mistaken: AppServer, browsers: Browsers) -> None:
    said, text = await verdict_at(mistaken, browsers)
    assert "its video server refuses its key" in said
    assert "LiveKit as this server sees it: refused" in text
