"""A server with captions and no calls: LIVEKIT_URL=off."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.call_page import host, quiet
from tests.support.visitors import Visitor

__all__ = ["quiet"]


@pytest.fixture(scope="module")
def app(make_server_in: MakeServer) -> AppServer:
    return make_server_in(LIVEKIT_URL="off")


@pytest.mark.browser
async def test_a_server_without_calls_says_so_and_misses_nothing(
    app: AppServer, browsers: Browsers, quiet: Path
) -> None:
    page, _ = await host(browsers, app, quiet)
    video = page.locator('.notice[data-topic="video"]')
    await expect(video).to_have_text(
        "This server has no calls: people in this session can’t hear or see each other here."
    )
    await expect(video.get_by_role("button")).to_have_count(0)  # nothing to try again
    await expect(page.get_by_role("button", name="Share")).to_be_disabled()
    assert not browsers.errors

    # What a host does in the call as well is done where there is something to do.
    ada = Visitor(app.url).sign_in("Ada Lovelace")
    slug = ada.start_session()
    bob = Visitor(app.url).be_guest(slug, "Bob")
    assert ada.join(slug)["video"] is None
    async with bob.page(slug) as there:
        me = bob.join(slug)["you"]["identity"]
        for act in (f"people/{me}/mute", "mute-all", f"people/{me}/host", f"people/{me}/remove"):
            assert ada.host(slug, act) == (204, ""), act
        assert await there.until_closed() is not None
    assert ada.end(slug).status_code < 400
    policy = ada.http.get(f"/s/{slug}").headers["content-security-policy"]
    assert "connect-src 'self' ws" in policy
    assert policy.count("ws://") == 1, "its own socket alone"
    assert "LiveKit" not in app.log
