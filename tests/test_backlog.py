"""A machine that is too slow for a while: what was said waits, and nothing of it is lost."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape

from core.speech.engine import BYTES_PER_SECOND, StreamOptions
from core.speech.local import LocalEngine
from tests.conftest import MakeServer
from tests.speech_samples import BECKETT, TWO_CITIES, beckett, two_cities, words, words_in_order
from tests.test_local_engine import Listener
from tests.visitors import RoomPage, Visitor

HOGS = 4
STILL = "Some words are still being written down…"
FIRST, SECOND = two_cities()[: 16 * BYTES_PER_SECOND], two_cities()[16 * BYTES_PER_SECOND :]
SAID = {
    "Ada": (FIRST, " ".join(words(TWO_CITIES)[:42])),
    "Bob": (beckett(), BECKETT),
    "Cleo": (SECOND, " ".join(words(TWO_CITIES)[42:])),
}


@contextmanager
def busy_machine() -> Iterator[None]:
    """Let a few processes compute meanwhile."""
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(HOGS)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


async def offline(pcm: bytes) -> str:
    """Return what the engine makes of audio that it has all the time for."""
    engine, listener = LocalEngine(), Listener()
    await engine.start()
    stream = await engine.open(StreamOptions(), listener)
    stream.feed(pcm)
    await stream.finish()
    await engine.close()
    return listener.text


async def test_three_at_once_on_a_busy_machine_lose_nothing_also_after_the_end(
    make_server: MakeServer,
) -> None:
    """The end of the session comes while the engine is still far behind."""
    server = await asyncio.to_thread(make_server)
    ada = Visitor(server.url).sign_in("Ada")
    slug = ada.start_session("A demo")
    people = {"Ada": ada} | {
        name: Visitor(server.url).be_guest(slug, name) for name in ("Bob", "Cleo")
    }
    pages = {name: one.page(slug) for name, one in people.items()}

    async def talk(page: RoomPage, pcm: bytes) -> None:
        await page.connect()
        await page.mic(True)
        await page.speak(pcm)
        await page.mic(False)

    with busy_machine():
        await asyncio.gather(*(talk(pages[name], pcm) for name, (pcm, _) in SAID.items()))
        await pages["Ada"].until(lambda: pages["Ada"].of_type("utterance"), 60)
        await asyncio.to_thread(ada.end, slug)
        for page in pages.values():
            assert await page.until_closed() == 4410
            assert page.of_type("error") == []
        html = await asyncio.to_thread(lambda: ada.http.get(f"/s/{slug}").text)
        assert STILL in html
        assert 'hx-trigger="every 4s"' in html
        for _ in range(1200):
            if STILL not in html:
                break
            await asyncio.sleep(0.1)
            html = await asyncio.to_thread(lambda: ada.http.get(f"/s/{slug}").text)
    assert STILL not in html
    assert "lost" not in server.log
    heard = spoken_by(html)
    for name, (pcm, passage) in SAID.items():
        wanted = words_in_order(passage, await offline(pcm))
        assert words_in_order(passage, heard[name]) >= wanted - 0.02, heard[name]


def spoken_by(html: str) -> dict[str, str]:
    """Return what each said according to a transcript's page."""
    said: dict[str, str] = {}
    for turn in re.findall(r'<section class="turn.*?</section>', html, re.DOTALL):
        name = re.search(r'class="name">\s*([^<]+?)\s*<', turn)
        assert name is not None
        lines = re.findall(r'<p class="words"[^>]*>(.*?)</p>', turn, re.DOTALL)
        said[name[1]] = " ".join([said.get(name[1], ""), *map(unescape, lines)])
    return said
