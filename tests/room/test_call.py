"""The call in real browsers: seen and heard, hosted, and honest when something is away.

With `LIVEKIT_TEST_URL` set (and `LIVEKIT_TEST_KEY`, `LIVEKIT_TEST_SECRET` where they are not the
development ones) the journeys without faults run against that LiveKit server too.
"""

from __future__ import annotations

import math
import random
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from livekit.protocol import models
from playwright.async_api import Page, expect

from core.speech.engine import BYTES_PER_SECOND
from tests.conftest import MakeServer
from tests.emulators.livekit import LiveKitThread
from tests.support.app_server import AppServer
from tests.support.browser import Browsers, browsers
from tests.support.call import environment, real_environment
from tests.support.speech_samples import beckett, wav_bytes
from tests.support.waiting import until

__all__ = ["browsers"]

pytestmark = pytest.mark.browser

FINALS = "[data-lines] .words:not(.in-the-making)"
LIVE = re.compile(r"^\d+:\d\d$")  # the header counts the session's time while connected
WIDE = {"width": 1280, "height": 720}
# Parts of the page, other than tiles, that moved by themselves.
SHIFTS = """window.shifted = [];
new PerformanceObserver((list) => {
  for (const shift of list.getEntries())
    for (const {node} of shift.hadRecentInput ? [] : shift.sources)
      if (node instanceof Element && !node.closest('.tile')) shifted.push(node.outerHTML);
}).observe({type: 'layout-shift'})"""

# Devices that were opened; microphones are not ready to be heard before `ready()`.
SLOW_MICROPHONE = """window.tracks = [];
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (constraints) => {
  const stream = await open(constraints);
  tracks.push(...stream.getTracks());
  return stream;
};
const waiting = new Promise((resolve) => { window.ready = resolve; });
const load = AudioWorklet.prototype.addModule;
AudioWorklet.prototype.addModule = async function (...module) {
  await waiting;
  return load.apply(this, module);
};"""

# An audio system that takes a second to start, and a browser that may refuse to play.
SLOW_SOUND = """const state = Object.getOwnPropertyDescriptor(BaseAudioContext.prototype, 'state');
const seen = new WeakMap();
Object.defineProperty(BaseAudioContext.prototype, 'state', {
  get() {
    if (!seen.has(this)) seen.set(this, performance.now());
    return performance.now() - seen.get(this) < 1000 ? 'suspended' : state.get.call(this);
  },
});
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () {
  if (!window.refusing || !(this instanceof HTMLAudioElement)) return play.call(this);
  this.autoplay = false;
  this.pause();
  return Promise.reject(new DOMException('not before a click', 'NotAllowedError'));
};"""


@dataclass
class Place:
    """Sessions with its LiveKit server; `livekit` is None for a real one."""

    app: AppServer
    livekit: LiveKitThread | None


@pytest.fixture(
    scope="module", params=["emulator", pytest.param("real", marks=pytest.mark.livekit)]
)
def place(request: pytest.FixtureRequest, make_server_in: MakeServer) -> Iterator[Place]:
    if request.param == "real":
        yield Place(make_server_in(**real_environment()), None)
        return
    with LiveKitThread() as livekit:
        yield Place(make_server_in(**environment(livekit)), livekit)


@pytest.fixture
def breakable(make_server: MakeServer) -> Iterator[Place]:
    """An emulated LiveKit that a test may break; there is no speech engine."""
    with LiveKitThread() as livekit:
        yield Place(make_server(SPEECH_ENGINE="off", **environment(livekit)), livekit)


@pytest.fixture
def callless(make_server: MakeServer) -> Iterator[Place]:
    """Speech, and a LiveKit that isn't there yet."""
    with LiveKitThread() as livekit:
        livekit.call(livekit.server.stop())
        yield Place(make_server(**environment(livekit)), livekit)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A microphone in a silent room: a little noise, nothing to transcribe."""
    noise = random.Random(1)
    return _wav(tmp_path_factory, "quiet", (round(noise.gauss(0, 12)) for _ in range(48_000)))


@pytest.fixture(scope="module")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A microphone that hears a loud tone in bursts, as voices come and go."""
    return _wav(
        tmp_path_factory,
        "tone",
        (
            int(20_000 * math.sin(i * 2 * math.pi * 440 / 16_000)) if i % 8_000 < 6_000 else 0
            for i in range(48_000)
        ),
    )


def _wav(factory: pytest.TempPathFactory, name: str, samples: Iterator[int]) -> Path:
    path = factory.mktemp("audio") / f"{name}.wav"
    path.write_bytes(wav_bytes(b"".join(struct.pack("<h", one) for one in samples)))
    return path


async def start(page: Page, app: AppServer) -> str:
    """Sign in as Ada and start a session; its address, at its lobby."""
    await page.goto(app.url)
    await page.get_by_role("textbox", name="Name").fill("Ada Lovelace")
    await page.get_by_role("textbox", name="E-mail").fill("ada@example.com")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("textbox", name="What is it about").fill("Engines")
    await page.get_by_role("button", name="Start a session").click()
    await page.wait_for_url(re.compile(r"/s/"))
    return page.url


async def host(browsers: Browsers, app: AppServer, microphone: Path) -> tuple[Page, str]:
    """A page whose person has started a session and is in it; the session's address."""
    page = await browsers.page(microphone=microphone, viewport=WIDE)
    address = await start(page, app)
    await page.get_by_role("button", name="Join with microphone").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    return page, address


async def knock(page: Page, address: str, name: str) -> None:
    """Open the link, type a name, ask to come in."""
    await page.goto(address)
    await page.get_by_role("textbox", name="Your name").fill(name)
    await page.get_by_role("button", name="Continue as a guest").click()
    await page.get_by_role("button", name="Join with microphone").click()


async def admitted(page: Page, host_page: Page, address: str, name: str) -> None:
    """Knock and be let in."""
    await knock(page, address, name)
    await expect(page.get_by_role("heading", name="Waiting to be let in")).to_be_visible()
    await host_page.get_by_role("button", name=f"Admit {name}").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)


async def press(page: Page, key: str) -> None:
    """Press a key that acts by itself: right after another one it would be text."""
    await page.wait_for_timeout(450)
    await page.keyboard.press(key)


def tile(page: Page, name: str) -> str:
    """The tile of a person, by what is written on it."""
    return f'.tile:not(.screen):has(.tile-name:text-is("{name}"))'


async def in_call(page: Page, name: str) -> None:
    """Wait until the call knows this person, so that their quality is shown."""
    await expect(page.locator(f"{tile(page, name)} .tile-quality")).not_to_have_attribute(
        "hidden", ""
    )


async def shows_picture(page: Page, selector: str) -> None:
    """Wait until a video plays there."""
    video = page.locator(f"{selector} video")
    await expect(video).not_to_have_js_property("videoWidth", 0)
    await expect(video).not_to_have_js_property("currentTime", 0)


async def becomes(page: Page, expression: str) -> None:
    """Wait until this is true in the page, whose own waiting its content policy forbids."""
    await until(lambda: page.evaluate(expression), news=lambda: expression)


async def test_before_joining(place: Place, browsers: Browsers, tone: Path) -> None:
    page = await browsers.page(microphone=tone, viewport={"width": 390, "height": 844})
    await start(page, place.app)
    microphone = page.get_by_role("button", name="Microphone is on")
    await expect(microphone).to_be_visible()
    await becomes(page, "document.querySelector('[data-lobby-meter]').value > 0.1")
    assert len(await page.locator("#lobby-microphone option").all_inner_texts()) > 1
    await page.get_by_role("button", name="Camera is off").click()
    await shows_picture(page, "[data-preview]")
    await expect(page.get_by_role("button", name="Join with microphone and camera")).to_be_enabled()
    await microphone.click()
    await expect(page.get_by_role("button", name="Join with camera, muted")).to_be_visible()

    # Next time it is as it was left.
    await page.reload()
    await shows_picture(page, "[data-preview]")
    await page.get_by_role("button", name="Join with camera, muted").click()
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", "false")
    await expect(page.locator("[data-camera]")).to_have_attribute("aria-pressed", "true")
    await shows_picture(page, ".tile.mine")
    wide = "document.documentElement.scrollWidth <= innerWidth"
    assert await page.evaluate(wide)
    assert not browsers.errors


async def test_a_blocked_microphone_is_explained(place: Place, browsers: Browsers) -> None:
    page = await browsers.page(permissions=(), flags=["--use-fake-ui-for-media-stream=deny"])
    await start(page, place.app)
    await page.get_by_role("button", name="Microphone is off").click()
    hint = page.locator("[data-lobby-hint]")
    await expect(hint).to_contain_text("Your browser is blocking the microphone.")
    await expect(page.get_by_role("button", name="Microphone is off")).to_be_visible()
    await page.get_by_role("button", name="Join and listen only").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    await page.keyboard.press("m")
    notice = page.locator('.notice[data-topic="microphone"]')
    await expect(notice).to_contain_text("allow the microphone")
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", "false")


async def test_a_click_for_sound_is_asked_for_only_when_there_is_need(
    place: Place, browsers: Browsers, quiet: Path, tone: Path
) -> None:
    page = await browsers.page(microphone=quiet, viewport=WIDE)
    await page.add_init_script(SLOW_SOUND)
    address = await start(page, place.app)
    await page.get_by_role("button", name="Join with microphone").click()
    await in_call(page, "Ada Lovelace (you)")
    await page.wait_for_timeout(1_500)
    notice = page.locator('.notice[data-topic="sound"]')
    await expect(notice).to_have_count(0)

    await page.evaluate("window.refusing = true")
    guest = await browsers.page(microphone=tone, viewport=WIDE)
    await admitted(guest, page, address, "Grace Hopper")
    await expect(notice).to_contain_text("Your browser holds back the sound.")
    await notice.get_by_role("button", name="Play sound").click()
    await page.wait_for_timeout(500)
    await expect(notice).to_be_visible()
    await page.evaluate("window.refusing = false")
    await notice.get_by_role("button", name="Play sound").click()
    await expect(notice).to_have_count(0)
    assert not browsers.errors


async def test_an_audio_system_that_stops_is_noticed(
    place: Place, browsers: Browsers, tone: Path
) -> None:
    page = await browsers.page(microphone=tone, viewport=WIDE)
    await page.add_init_script(
        "window.contexts = [];"
        "window.AudioContext = class extends AudioContext {"
        " constructor(...how) { super(...how); contexts.push(this); } };"
    )
    await start(page, place.app)
    await page.get_by_role("button", name="Join with microphone").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    heard = re.compile(r"--level: (0\.0[1-9]|0\.[1-9]|1)")
    await expect(page.locator("[data-level]")).to_have_attribute("style", heard)
    # As a phone does when somebody calls.
    await page.evaluate("Promise.all(contexts.map((context) => context.suspend()))")
    notice = page.locator('.notice[data-topic="silent"]')
    await expect(notice).to_contain_text("Your microphone is silent.")
    await expect(page.locator("[data-level]")).to_have_attribute("style", "--level: 0.00;")
    await page.mouse.click(640, 300)
    await expect(notice).to_have_count(0)
    assert not browsers.errors


async def slow_microphone(browsers: Browsers) -> Page:
    page = await browsers.page()
    await page.add_init_script(SLOW_MICROPHONE)
    return page


async def microphone_is(page: Page, *, on: bool) -> None:
    """Wait until the microphone that was opened gives sound, or none, and its button says so."""
    await becomes(page, f"tracks[0].enabled === {str(on).lower()}")
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", str(on).lower())


async def refused(page: Page, status: int, code: str) -> None:
    """Let nobody join from this page."""
    answer = {"error": {"code": code, "message": "Not now."}}
    await page.route("**/join", lambda route: route.fulfill(status=status, json=answer))


async def test_who_is_refused_while_the_microphone_opens_lets_it_go(
    place: Place, browsers: Browsers
) -> None:
    page = await slow_microphone(browsers)
    await refused(page, 403, "locked")
    await start(page, place.app)
    await becomes(page, "tracks.length")
    await page.get_by_role("button", name="Join with microphone").click()
    await expect(page.get_by_role("heading", name="This session is locked.")).to_be_visible()
    await page.evaluate("ready()")
    await becomes(page, "tracks.every((track) => track.readyState === 'ended')")
    assert not browsers.errors


async def test_a_failed_attempt_to_join_leaves_the_lobby_as_it_says(
    place: Place, browsers: Browsers
) -> None:
    page = await browsers.page()
    await refused(page, 503, "unavailable")
    await start(page, place.app)
    await page.get_by_role("button", name="Camera is off").click()
    await shows_picture(page, "[data-preview]")
    join = page.get_by_role("button", name="Join with microphone and camera")
    await join.click()
    await expect(page.locator("[data-lobby-problem]")).to_have_text("Not now.")
    await expect(page.locator("[data-preview] video")).to_have_count(0)
    await expect(page.get_by_role("button", name="Microphone is off")).to_be_visible()
    await expect(page.get_by_role("button", name="Camera is off")).to_be_visible()
    await page.unroute_all()
    await join.click()
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", "true")
    await shows_picture(page, ".tile.mine")
    assert not browsers.errors


async def test_a_key_let_go_while_the_microphone_opens_leaves_it_off(
    place: Place, browsers: Browsers
) -> None:
    page = await slow_microphone(browsers)
    await start(page, place.app)
    await page.evaluate("localStorage.setItem('sessions.microphone-on', 'off')")
    await page.reload()
    await page.get_by_role("button", name="Join and listen only").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    await page.keyboard.down(" ")
    await becomes(page, "tracks.length")
    await page.keyboard.up(" ")
    await page.evaluate("ready()")
    await microphone_is(page, on=False)

    # It is open now, and talks with the key.
    await page.keyboard.down(" ")
    await microphone_is(page, on=True)
    await page.keyboard.up(" ")
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", "false")
    assert await page.evaluate("tracks.length") == 1
    assert not browsers.errors


async def test_a_hosts_mute_reaches_a_microphone_that_still_opens(
    place: Place, browsers: Browsers, quiet: Path
) -> None:
    ada, address = await host(browsers, place.app, quiet)
    bob = await slow_microphone(browsers)
    await bob.add_init_script("localStorage.setItem('sessions.microphone-on', 'off')")
    await bob.goto(address)
    await bob.get_by_role("textbox", name="Your name").fill("Bob")
    await bob.get_by_role("button", name="Continue as a guest").click()
    join = bob.get_by_role("button", name="Join and listen only")
    await expect(join).to_be_enabled()  # until then it is another button
    await join.click()
    await ada.get_by_role("button", name="Admit Bob").click()
    await expect(bob.locator("[data-connection-text]")).to_have_text(LIVE)
    await ada.get_by_role("button", name="People").click()
    await bob.keyboard.press("m")
    await becomes(bob, "tracks.length")
    # It was shown until a moment ago; a click is on its way then.
    await ada.get_by_label("Mute Bob").dispatch_event("click")
    await expect(bob.locator(".toast")).to_contain_text("A host muted your microphone.")
    await bob.evaluate("ready()")
    await microphone_is(bob, on=False)
    await bob.keyboard.press("m")
    await microphone_is(bob, on=True)
    assert not browsers.errors


async def test_a_call(place: Place, browsers: Browsers, quiet: Path, tone: Path) -> None:
    ada, address = await host(browsers, place.app, quiet)
    await ada.evaluate(SHIFTS)
    bob = await browsers.page(microphone=tone, viewport=WIDE)
    await admitted(bob, ada, address, "Bob")
    await in_call(ada, "Bob")
    assert await ada.evaluate("shifted") == []
    await expect(ada.locator(f"{tile(ada, 'Bob')} .tile-guest")).to_be_visible()

    # Heard, muted, and heard again; switching the microphone changes nothing about that.
    speaking = ada.locator(f"{tile(ada, 'Bob')}.speaking")
    muted = ada.locator(f"{tile(ada, 'Bob')} .tile-mic")
    await expect(speaking).to_be_visible()
    await expect(muted).to_be_hidden()
    await bob.keyboard.press("m")
    await expect(bob.locator("[data-mic-text]")).to_have_text("Mic off")
    await expect(muted).to_be_visible()
    await bob.keyboard.down(" ")  # talks while it is held down
    await expect(muted).to_be_hidden()
    await bob.keyboard.up(" ")
    await expect(muted).to_be_visible()
    await press(bob, "m")
    await expect(muted).to_be_hidden()
    await bob.get_by_role("button", name="Settings").click()
    field = bob.get_by_role("dialog").get_by_label("Microphone", exact=True)
    await field.select_option(index=1)
    await bob.get_by_role("button", name="Done").click()
    await bob.keyboard.press("m")
    await expect(speaking).to_have_count(0)
    await bob.keyboard.press("m")
    await expect(speaking).to_be_visible()

    # Seen, not seen.
    await press(bob, "c")
    await shows_picture(ada, tile(ada, "Bob"))
    await bob.keyboard.press("c")
    await expect(ada.locator(f"{tile(ada, 'Bob')} video")).to_have_count(0)
    await expect(ada.locator(f"{tile(ada, 'Bob')} .tile-initials")).to_be_visible()

    # A shared screen is large, and gone when it ends.
    await press(bob, "s")
    await shows_picture(ada, ".tile.screen.large")
    await expect(bob.locator("[data-share-text]")).to_have_text("Sharing")
    await bob.get_by_role("button", name="Stop sharing").click()
    await expect(ada.locator(".tile.screen")).to_have_count(0)
    await expect(bob.locator("[data-share-text]")).to_have_text("Share")

    # A hand, as the server has it.
    await press(bob, "h")
    await expect(bob.locator("[data-hand]")).to_have_attribute("aria-pressed", "true")
    await expect(ada.locator(f"{tile(ada, 'Bob')} .tile-hand")).to_be_visible()
    await ada.keyboard.press("h")
    await bob.keyboard.press("h")
    await expect(ada.locator(f"{tile(ada, 'Bob')} .tile-hand")).to_be_hidden()
    await expect(bob.locator(f"{tile(bob, 'Ada Lovelace')} .tile-hand")).to_be_visible()
    await bob.get_by_role("button", name="React").click()
    await bob.get_by_role("button", name="Applause").click()
    await expect(ada.locator(f"{tile(ada, 'Bob')} .tile-reaction")).to_have_text("👏")

    # Leaving takes the tile away.
    await bob.get_by_role("link", name="Leave").click()
    await expect(ada.locator(tile(ada, "Bob"))).to_have_count(0)
    assert not browsers.errors


async def test_chat_and_the_end(place: Place, browsers: Browsers, quiet: Path) -> None:
    ada, address = await host(browsers, place.app, quiet)
    await ada.keyboard.press("t")
    text = ada.get_by_role("textbox", name="Message to everyone")
    await text.fill("The plan: https://example.com/plan.")
    await text.press("Enter")
    mine = ada.locator("[data-chat]")
    await expect(mine).to_have_count(1)
    await expect(ada.locator(".chat-line.pending")).to_have_count(0)

    bob = await browsers.page(microphone=quiet, viewport={"width": 390, "height": 844})
    await admitted(bob, ada, address, "Bob")
    await bob.get_by_role("button", name="Chat 1 unread").click()
    await expect(bob.locator("[data-chat] .chat-text")).to_have_text(
        "The plan: https://example.com/plan."
    )
    link = bob.get_by_role("link", name="https://example.com/plan", exact=True)
    await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    await ada.keyboard.press("Escape")
    await bob.get_by_role("textbox", name="Message to everyone").fill("Read it.\n<b>Good!</b>")
    await bob.get_by_role("button", name="Send").click()
    await expect(ada.locator("[data-unread]")).to_have_text("1")
    await expect(ada).to_have_title(re.compile(r"^\(1\)"))
    await ada.keyboard.press("t")
    await expect(ada.locator("[data-unread]")).to_be_hidden()
    await expect(ada.locator("[data-chat] .chat-text").last).to_have_text("Read it.\n<b>Good!</b>")
    await expect(ada.locator("[data-chat] .guest").last).to_be_visible()

    await ada.get_by_role("button", name="End for everyone").click()
    await ada.get_by_role("dialog").get_by_role("button", name="End for everyone").click()
    for page in (ada, bob):
        await expect(page.locator(".in-chat").last).to_contain_text("<b>Good!</b>")
        await expect(page.locator(".in-chat .words").first).to_contain_text("The plan")
    assert not browsers.errors


async def test_hosts_decide(place: Place, browsers: Browsers, quiet: Path) -> None:
    ada, address = await host(browsers, place.app, quiet)
    page = await browsers.page(microphone=quiet, viewport=WIDE)
    await knock(page, address, "Mallory")
    await ada.get_by_role("button", name="Deny Mallory").click()
    await expect(page.get_by_role("heading", name="You weren’t let in.")).to_be_visible()

    await page.context.clear_cookies()
    await admitted(page, ada, address, "Bob")
    await in_call(ada, "Bob")
    await expect(page.get_by_role("button", name="End")).to_have_count(0)
    await ada.get_by_role("button", name="People").click()
    await ada.get_by_role("button", name="Mute Bob").click()
    await expect(page.locator("[data-mic]")).to_have_attribute("aria-pressed", "false")
    await expect(page.locator(".toast")).to_contain_text("A host muted your microphone.")
    await expect(ada.locator(f"{tile(ada, 'Bob')} .tile-mic")).to_be_visible()
    await page.wait_for_timeout(500)  # LiveKit's own mute comes moments after the page's
    await page.keyboard.press("m")
    await expect(ada.locator(f"{tile(ada, 'Bob')} .tile-mic")).to_be_hidden()

    # Removed: at once, out of the call, and for good.
    await ada.get_by_role("button", name="Remove Bob").click()
    await ada.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(page.get_by_role("heading", name="You were removed")).to_be_visible()
    await expect(ada.locator(tile(ada, "Bob"))).to_have_count(0)
    await page.goto(address)
    await expect(page.locator("main")).to_contain_text("removed")

    await ada.get_by_label("Lock").check()
    await page.context.clear_cookies()
    await knock(page, address, "Carol")
    await expect(page.get_by_role("heading", name="This session is locked.")).to_be_visible()
    await ada.get_by_label("Lock").uncheck()
    await ada.get_by_label("Admission").select_option("ANYONE")
    await page.get_by_role("link", name="Try again").click()
    await page.get_by_role("button", name="Join with microphone").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)

    # A guest who was made a host has a host's buttons.
    await ada.get_by_role("button", name="Make host: Carol").click()
    await ada.get_by_role("dialog").get_by_role("button", name="Make host").click()
    await expect(page.get_by_role("button", name="End for everyone")).to_be_visible()
    assert not browsers.errors


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
    livekit.do(setattr, livekit.server, "reject_credentials", False)
    livekit.do(livekit.server.hang)
    await video.get_by_role("button", name="Try again").click()
    await expect(video).to_contain_text("doesn’t answer")
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    livekit.do(livekit.server.unhang)
    await video.get_by_role("button", name="Try again").click()
    await in_call(page, "Ada Lovelace (you)")
    assert not browsers.errors


@pytest.mark.realtime
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
