"""How quickly `/health` answers while three people speak: `python -m benchmarks.health`.

One session of the real app, with its embedded database and the local speech engine; three
guests speak in real time for 30 s, one request every 25 ms meanwhile and before. To reach:
p99 under 50 ms. The generator runs on the same processors, so this is the worse case.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import httpx2

from core.speech.engine import BYTES_PER_SECOND
from tests.support.app_server import AppServer
from tests.support.speech_samples import two_cities
from tests.support.visitors import Visitor

PEOPLE = 3
SECONDS = 30
EVERY = 0.025
BEFORE = 5.0


async def _ask(url: str, seconds: float) -> list[float]:
    """Return the milliseconds that each of the requests took."""
    taken: list[float] = []
    async with httpx2.AsyncClient(base_url=url, timeout=10) as http:
        end = time.perf_counter() + seconds
        while (began := time.perf_counter()) < end:
            await http.get("/health")
            spent = time.perf_counter() - began
            taken.append(spent * 1000)
            await asyncio.sleep(max(0.0, EVERY - spent))
    return taken


async def _speak(url: str, slug: str, number: int) -> str:
    """Speak like a page and return what was understood."""
    guest = Visitor(url).be_guest(slug, f"Guest {number}")
    async with guest.page(slug) as page:
        await page.mic(True)
        await page.speak(two_cities()[: SECONDS * BYTES_PER_SECOND], speed=1.0)
        await page.mic(False)
        await asyncio.sleep(1)
        return page.text


def _show(what: str, taken: list[float]) -> None:
    ordered = sorted(taken)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    print(f"{what:22} p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   most {ordered[-1]:6.1f} ms")


async def _measure(url: str) -> None:
    host = Visitor(url).sign_in("Host")
    slug = host.start_session("Benchmark")
    host.http.post(f"/s/{slug}/settings", data={"admission": "ANYONE"})
    _show("/health, nobody speaks", await _ask(url, BEFORE))
    speaking = [asyncio.create_task(_speak(url, slug, n)) for n in range(PEOPLE)]
    _show(f"/health, {PEOPLE} speak", await _ask(url, SECONDS))
    texts = await asyncio.gather(*speaking)
    print(f"finals received by each listener: {[len(text.split()) for text in texts]} words")


def main() -> None:
    """Run and print; takes under a minute."""
    with tempfile.TemporaryDirectory() as directory:
        server = AppServer(Path(directory), {}).start()
        try:
            asyncio.run(_measure(server.url))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
