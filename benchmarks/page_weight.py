"""What a room costs to open: `python -m benchmarks.page_weight`, for the first and second visit.

Starts Sessions with its embedded database, opens a lobby in Chromium twice with one profile and
says what went over the line: this computer's own, and one that Chromium makes as slow as a phone's.
Needs the development packages.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import CDPSession, Page, async_playwright

from tests.support.app_server import AppServer
from tests.support.browser import find_chromium
from tests.support.visitors import Visitor

LIBRARY = "livekit-client"
VISITS = 5  # of each kind; the median counts
# What a phone on the move has; 0 and -1 are as they are.
LINES = {
    "here": {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
    "100 ms away at 4 Mbit/s": {
        "latency": 100,
        "downloadThroughput": 500_000,
        "uploadThroughput": 100_000,
    },
}


@dataclass
class Load:
    """One visit; bytes are as they travel, with headers."""

    requests: int = 0
    revalidated: int = 0
    size: int = 0
    before_library: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.requests} requests, {self.revalidated} of them 304; {self.size} bytes,"
            f" {self.before_library} without LiveKit; usable after {1000 * self.seconds:.0f} ms"
        )


async def visit(page: Page, line: CDPSession, url: str) -> Load:
    """Open a lobby until it can be joined."""
    load, addresses, cached = Load(), {}, set()

    def answered(event: dict[str, Any]) -> None:
        addresses[event["requestId"]] = event["response"]["url"]
        cached.add(event["requestId"]) if event["response"].get("fromDiskCache") else None

    def told(event: dict[str, Any]) -> None:
        load.revalidated += event["statusCode"] == 304

    def finished(event: dict[str, Any]) -> None:
        one = event["requestId"]
        if one in cached or not event["encodedDataLength"]:
            return
        load.requests += 1
        load.size += event["encodedDataLength"]
        if LIBRARY not in addresses.get(one, ""):
            load.before_library += event["encodedDataLength"]

    listeners = {
        "Network.responseReceived": answered,
        "Network.responseReceivedExtraInfo": told,
        "Network.loadingFinished": finished,
    }
    for name, listener in listeners.items():
        line.on(name, listener)
    began = time.monotonic()
    await page.goto(url)
    await page.locator("[data-join=listen]:enabled").wait_for()
    load.seconds = time.monotonic() - began
    await page.wait_for_load_state("networkidle")
    for name, listener in listeners.items():
        line.remove_listener(name, listener)
    return load


async def measure(url: str, login: str, address: str) -> None:
    """Print what the first and the second visit cost, the median of some."""
    async with async_playwright() as playwright:
        for where, slowness in LINES.items():
            kinds: tuple[list[Load], list[Load]] = ([], [])
            for _ in range(VISITS):
                flags = ["--no-sandbox", "--use-fake-device-for-media-stream"]
                browser = await playwright.chromium.launch(
                    executable_path=find_chromium(), args=[*flags, "--use-fake-ui-for-media-stream"]
                )
                context = await browser.new_context()
                await context.add_cookies([{"name": "sessions_login", "value": login, "url": url}])
                page = await context.new_page()
                line = await context.new_cdp_session(page)
                await line.send("Network.enable")
                await line.send("Network.emulateNetworkConditions", {"offline": False, **slowness})
                for loads in kinds:
                    loads.append(await visit(page, line, address))
                    await page.goto("about:blank")
                await browser.close()
            for name, loads in zip(("first", "second"), kinds, strict=True):
                middle = sorted(loads, key=lambda one: one.seconds)[VISITS // 2]
                print(f"{where}, {name} visit: {middle}")


def main() -> None:
    """Start a server and measure."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        server = AppServer(data, {"SPEECH_ENGINE": "off", "LIVEKIT_URL": "ws://localhost:9"})
        server.start()
        try:
            ada = Visitor(server.url).sign_in("Ada Lovelace")
            address = f"{server.url}/s/{ada.start_session('Weekly')}"
            login = ada.http.cookies["sessions_login"]
            asyncio.run(measure(server.url, login, address))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
