"""A call over https as compose.yaml has it: one name, Caddy in front, LiveKit under a path."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.conftest import MakeServer
from tests.emulators.openid import CLIENT_ID, CLIENT_SECRET, Provider
from tests.support.browser import Browsers
from tests.support.call_page import (
    LIVE,
    WIDE,
    admitted,
    in_call,
    press,
    quiet,
    shows_picture,
    tile,
)
from tests.support.composed import Composed, composed
from tests.support.speech_samples import beckett, wav_bytes
from tests.support.waiting import until

__all__ = ["quiet"]

pytestmark = [pytest.mark.browser, pytest.mark.livekit]

FINALS = "[data-lines] .words:not(.in-the-making)"


@pytest.fixture(scope="module")
def place(
    make_server_in: MakeServer,
    make_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Composed]:
    with Provider() as provider:
        provider.claims = {
            "sub": "ada",
            "email": "ada@example.org",
            "email_verified": True,
            "name": "Ada Lovelace",
        }
        more = {
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OIDC_NAME": "Lab",
        }
        folder = tmp_path_factory.mktemp("composed")
        with composed(make_server_in, folder, make_database(), more) as made:
            yield made


async def test_a_call_with_captions_over_https(
    place: Composed, browsers: Browsers, quiet: Path, tmp_path: Path
) -> None:
    speech = tmp_path / "speech.wav"
    speech.write_bytes(wav_bytes(bytes(32_000) + beckett()[: 4 * 32_000]))
    options = {"flags": place.flags, "viewport": WIDE, "ignore_https_errors": True}
    # Who writes an address of their own choice is counted under their own all the same.
    lie = {"X-Forwarded-For": "203.0.113.9"}
    ada = await browsers.page(microphone=speech, extra_http_headers=lie, **options)
    await ada.goto(place.url)
    await ada.get_by_text("Continue with Lab").first.click()
    await ada.get_by_role("button", name="Skip all of it").click()
    await ada.get_by_role("textbox", name="What is it about").fill("Engines")
    await ada.get_by_role("button", name="Start a session").click()
    await ada.wait_for_url(re.compile(rf"^{place.url}/s/"))
    address = ada.url
    await ada.get_by_role("button", name="Join with microphone").click()
    await expect(ada.locator("[data-connection-text]")).to_have_text(LIVE)

    bob = await browsers.page(microphone=quiet, **options)
    await admitted(bob, ada, address, "Bob")
    await in_call(bob, "Bob (you)")
    await press(bob, "c")
    await shows_picture(ada, tile(ada, "Bob"))
    await expect(bob.locator(f"{tile(bob, 'Ada Lovelace')}.speaking")).to_be_visible()
    await expect(bob.locator(FINALS).first).to_contain_text("tried")

    # Muted by the host, in the call too: the server reaches LiveKit by its inner address.
    await ada.get_by_role("button", name="People 2").click()
    await ada.get_by_role("button", name="Mute Bob").click()
    await expect(bob.locator("[data-mic-text]")).to_have_text("Mic off")
    await bob.get_by_role("link", name="Leave").click()
    await expect(ada.locator(tile(ada, "Bob"))).to_have_count(0)
    assert not browsers.errors
    # LiveKit has told what happened, signed with the key that both have.
    await until(lambda: "/hooks/livekit" in place.app.log, news=lambda: place.app.log)
    hooks = [line for line in place.app.log.splitlines() if "/hooks/livekit" in line]
    assert all("204" in line for line in hooks), hooks
    assert "address=127.0.0.1" in place.app.log
    assert lie["X-Forwarded-For"] not in place.app.log
