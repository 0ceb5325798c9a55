"""The emulated LiveKit server against the real clients: livekit-api and livekit-client in Chromium.

With `LIVEKIT_TEST_URL` set (and `LIVEKIT_TEST_KEY`, `LIVEKIT_TEST_SECRET` where they are not the
development ones) everything that is not about faults runs against that server too, so that both are
held to the same behaviour; with `LIVEKIT_TEST_HOOK_PORT` its webhooks too, where it is configured
to send them to `http://127.0.0.1:<port>/hook`.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.emulators.livekit import LiveKitServer
from tests.support.browser import IN_ITS_LOOP
from tests.support.call import real_environment
from tests.support.livekit_page import HOOK_PORT, Hooks, Target


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(obj: object) -> None:
    """Run all of these in one loop: the emulator is in that of the browsers."""
    if inspect.iscoroutinefunction(obj):
        IN_ITS_LOOP(obj)


@pytest_asyncio.fixture(loop_scope="session")
async def hooks() -> AsyncIterator[Hooks]:
    served = Hooks()
    await served.start()
    yield served
    await served.stop()


@pytest_asyncio.fixture(
    loop_scope="session", params=["emulator", pytest.param("real", marks=pytest.mark.livekit)]
)
async def target(request: pytest.FixtureRequest, hooks: Hooks) -> AsyncIterator[Target]:
    if request.param == "real":
        url, key, secret = real_environment().values()
        yield Target(url, key, secret, hooks.url, sends_hooks=HOOK_PORT != "0")
        return
    async with LiveKitServer(webhook_urls=[f"{hooks.url}/hook"]) as server:
        yield Target(server.ws_url, server.key, server.secret, hooks.url, server)


@pytest_asyncio.fixture(loop_scope="session")
async def emulator() -> AsyncIterator[LiveKitServer]:
    async with LiveKitServer() as server:
        yield server
