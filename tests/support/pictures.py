"""The pictures of docs/transcript.md: `python -m tests.support.pictures [FOLDER]`.

Has the meeting of tests/support/scene.py on a server of its own, looks at it in Chromium and writes
what is seen as PNGs of 256 colours, which nobody tells from all of them. Their letters are of the
fonts that this machine has: fonts-liberation makes them look as in most browsers on Linux.
"""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import BrowserContext, Page, ViewportSize, async_playwright, expect

from tests.support import ROOT, scene
from tests.support.app_server import AppServer
from tests.support.browser import be, require_chromium
from tests.support.own_postgres import OwnPostgres
from tests.support.visitors import Visitor

FOLDER = ROOT / "docs" / "pictures"
COLOURS = 256
WIDE: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
TO_SHOW = "https://meetings.example.com"  # in the place of this machine's address


class Camera:
    """A browser's page, and the folder its pictures go to."""

    def __init__(self, page: Page, folder: Path, url: str) -> None:
        self.page = page
        self._folder = folder
        self._url = url

    async def goto(self, path: str) -> None:
        """Open an address, from its top."""
        await self.page.goto(f"{self._url}{path}")

    async def shoot(self, name: str) -> None:
        """Keep what is seen."""
        picture = Image.open(io.BytesIO(await self.page.screenshot(animations="disabled")))
        few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(self._folder / f"{name}.png", optimize=True)


async def _transcript(camera: Camera, slug: str, name: str) -> None:
    await camera.goto(f"/s/{slug}")
    await expect(camera.page.locator(".hear").first).to_be_visible()
    await camera.shoot(name)


async def _playing(camera: Camera, slug: str, name: str) -> None:
    page = camera.page
    await camera.goto(f"/s/{slug}")
    await page.locator(".find").evaluate("(find) => scrollTo(0, find.offsetTop - 16)")
    await page.locator(".hear").nth(4).click()
    await expect(page.locator(".hearing > .hear[aria-pressed=true]")).to_be_visible()
    await page.mouse.move(0, 0)
    await camera.shoot(name)


async def _correction(camera: Camera, slug: str) -> None:
    page = camera.page
    await camera.goto(f"/s/{slug}")
    await page.locator(".find").evaluate("(find) => scrollTo(0, find.offsetTop - 16)")
    await page.locator("#u-5").hover()
    await page.locator(".correct[data-line='5']").click()
    await expect(page.locator(".correcting textarea")).to_be_focused()
    await page.locator(".correcting select").select_option(label=scene.ALAN)
    await page.mouse.move(0, 0)
    await camera.shoot("correction")


async def _search(camera: Camera) -> None:
    await camera.goto("/search")
    await camera.page.locator("#search-q").fill("letter")
    await expect(camera.page.locator(".found")).to_have_count(3)
    await camera.shoot("search")


async def _share(camera: Camera, slug: str) -> None:
    page = camera.page
    await camera.goto(f"/s/{slug}/share")
    await page.locator("#sharing form .primary").click()
    link = page.locator("[data-just-made] .shared-link")
    await expect(link).to_be_focused()
    shown = "(link, shown) => { link.value = shown + new URL(link.value).pathname; link.select(); }"
    await link.evaluate(shown, TO_SHOW)
    await camera.shoot("share")


async def shoot(server: AppServer, ada: Visitor, slug: str, folder: Path) -> None:
    """Write all pictures of a meeting."""

    async def camera(context: BrowserContext) -> Camera:
        await be(context, ada)
        return Camera(await context.new_page(), folder, server.url)

    look: dict[str, Any] = {"locale": "en", "color_scheme": "light", "reduced_motion": "reduce"}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=require_chromium(),
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        wide = await camera(await browser.new_context(viewport=WIDE, **look))
        phone = await camera(await browser.new_context(viewport=PHONE, has_touch=True, **look))
        await _transcript(wide, slug, "transcript")
        await _playing(wide, slug, "playing")
        await _correction(wide, slug)
        await _search(wide)
        await _share(wide, slug)
        await _playing(phone, slug, "playing-phone")
        await browser.close()


def main(folder: Path) -> None:
    """Have the meeting, and write its pictures."""
    folder.mkdir(exist_ok=True)
    with OwnPostgres() as postgres, tempfile.TemporaryDirectory() as data:
        settings = {"DATABASE_URL": postgres.url, "SPEECH_ENGINE": "off"}
        server = AppServer(Path(data), settings).start()
        try:
            ada = Visitor(server.url).sign_in(scene.ADA)
            slug = scene.play(server, ada)
            asyncio.run(shoot(server, ada, slug, folder))
        finally:
            server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
