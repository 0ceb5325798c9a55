"""Chromium for tests: the `browsers` fixture opens pages that have a fake camera and microphone.

Each has an empty profile of its own. What the microphone plays is an option of the process, which
goes on for the tests after it: a start costs as much as a short test. So they all run in one loop,
see conftest.py. Without Chromium they are skipped with the reason; in CI (`CI=true`) they fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    async_playwright,
    expect,
)

from tests.support.visitors import Visitor
from tests.support.waiting import WAIT_TIMEOUT_MS

expect.set_options(timeout=WAIT_TIMEOUT_MS)
# The first is Chromium without a window: the same engine, for half the work.
_NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
)
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    # Five pictures a second: encoding and drawing more would keep the machine busy for nothing.
    "--use-fake-device-for-media-stream=fps=5",
    "--use-fake-ui-for-media-stream",
    "--auto-accept-this-tab-capture",
    # Media stays on the loopback interface, also where there is no other.
    "--allow-loopback-in-peer-connection",
    # And nothing of Chromium's own window is drawn, which nobody would see.
    "--disable-features=WebRtcHideLocalIpsWithMdns,PreloadTopChromeWebUI,InitialWebUI,MediaRouter",
)
# A test that meets a Chromium, or a server beside it, runs in the loop that they are in.
IN_ITS_LOOP = pytest.mark.asyncio(loop_scope="session")
KEPT = 2  # processes between two tests; each takes 100 MB
_PERMISSIONS = ("camera", "microphone")


def find_chromium() -> str | None:
    """The Chromium to use: `CHROMIUM`, then the PATH; None where there is none."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, _NAMES)), None)


def require_chromium() -> str:
    """The path of Chromium, or the end of the test: skipped, failed in CI."""
    path = find_chromium()
    if path is None:
        reason = "no Chromium: install one of {} or set CHROMIUM".format(", ".join(_NAMES))
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


async def be(context: BrowserContext, visitor: Visitor) -> None:
    """Give a browser the cookies of somebody, their login or their key as a guest."""
    cookies = [(one.name, one.value or "") for one in visitor.http.cookies.jar]
    await context.add_cookies([{"name": n, "value": v, "url": visitor.url} for n, v in cookies])


class Processes:
    """Running Chromiums, by their flags."""

    def __init__(self, playwright: Playwright, executable: str) -> None:
        self._playwright = playwright
        self._executable = executable
        self._running: dict[tuple[str, ...], Browser] = {}  # the one used last is last

    async def with_flags(self, *flags: str) -> Browser:
        """Return one that runs, or start it."""
        browser = self._running.pop(flags, None)
        if browser is None or not browser.is_connected():
            browser = await self._playwright.chromium.launch(
                executable_path=self._executable, args=[*_FLAGS, *flags], timeout=WAIT_TIMEOUT_MS
            )
        self._running[flags] = browser
        return browser

    async def end_all_but(self, count: int) -> None:
        """Let only those go on that were used last."""
        for flags in [*self._running][: len(self._running) - count]:
            await self._running.pop(flags).close()


class Browsers:
    """Opens pages; the fixture closes them.

    Attributes:
        errors: exceptions nobody caught in any of the pages, and headers the browser didn't
            understand.
    """

    def __init__(self, processes: Processes) -> None:
        self.errors: list[str] = []
        self._processes = processes
        self._open: list[BrowserContext] = []

    async def context(
        self,
        *,
        microphone: Path | None = None,
        loop: bool = True,
        permissions: Sequence[str] = _PERMISSIONS,
        flags: Sequence[str] = (),
        **options: Any,
    ) -> BrowserContext:
        """A new empty profile.

        Args:
            microphone: WAV file the fake microphone plays (default: a beep every second).
            loop: play it again and again.
            permissions: what pages may do without asking; `()` lets them meet a refusal.
            flags: more command line options.
            options: of Playwright's `new_context`, such as `viewport` or `storage_state`.
        """
        more = [*flags]
        if microphone:
            ending = "" if loop else "%noloop"
            more.append(f"--use-file-for-fake-audio-capture={microphone}{ending}")
        if not permissions:
            more.append("--deny-permission-prompts")
        browser = await self._processes.with_flags(*more)
        context = await browser.new_context(permissions=[*permissions], **options)
        self._open.append(context)
        context.set_default_timeout(WAIT_TIMEOUT_MS)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.on("console", self._note)
        return context

    def _note(self, message: ConsoleMessage) -> None:
        # A browser goes on with the default of what it can't read, so nothing else would show it.
        if "Error with Permissions-Policy header" in message.text:
            self.errors.append(message.text)

    async def page(self, **options: Any) -> Page:
        """The one page of a new `context(**options)`."""
        return await (await self.context(**options)).new_page()

    async def close(self) -> None:
        """Close every page."""
        while self._open:
            await self._open.pop().close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Processes]:
    """The Chromiums of a run."""
    executable = require_chromium()
    async with async_playwright() as playwright:
        processes = Processes(playwright, executable)
        yield processes
        await processes.end_all_but(0)


@pytest_asyncio.fixture(loop_scope="session")
async def browsers(chromium: Processes) -> AsyncIterator[Browsers]:
    """Chromium with fake devices: `page = await browsers.page()`."""
    opened = Browsers(chromium)
    try:
        yield opened
    finally:
        await opened.close()
        await chromium.end_all_but(KEPT)
