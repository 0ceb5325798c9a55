"""Web addresses in the chat: found alike by pages and by the room, and nothing more is made."""

from __future__ import annotations

import json
import re
import time
from html import unescape
from typing import Any

import pytest

from tests.support import ROOT
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from web.links import MAX_ADDRESS, linked, pieces

VECTORS: list[tuple[str, list[str]]] = json.loads((ROOT / "tests/room/links.json").read_text())
LONG = "https://example.com/" + "a" * (MAX_ADDRESS - 20)
VECTORS += [(LONG, [LONG]), (LONG + "a", []), (LONG + "...", [LONG])]
# Lines that would take a square of time if brackets or beginnings were counted anew for each.
HOSTILE = ["http://a" + ")" * 1990, "http://" * 285, "http://a" + "(" * 990 + ")." * 495]


@pytest.mark.parametrize(("text", "addresses"), VECTORS)
def test_addresses_are_found_in_pages(text: str, addresses: list[str]) -> None:
    found = pieces(text)
    assert [piece for piece, is_address in found if is_address] == addresses
    assert "".join(piece for piece, _ in found) == text
    html = linked(text)
    sides = 'target="_blank" rel="noopener noreferrer nofollow" dir="ltr"'
    links = re.findall(rf'<a href="([^"<>]*)" {sides}>(.*?)</a>', html)
    assert [unescape(address) for address, _ in links] == addresses
    assert all(address == shown for address, shown in links)
    assert html.count("<") == 2 * len(addresses)
    assert unescape(re.sub("<[^>]*>", "", html)) == text


@pytest.mark.parametrize("text", HOSTILE, ids=["close", "begin", "nested"])
def test_hostile_lines_take_no_time(text: str) -> None:
    began = time.process_time()
    for _ in range(100):
        linked(text)
    assert time.process_time() - began < 2  # seconds; a square would take minutes


@pytest.mark.browser
async def test_addresses_are_found_in_the_room(server: AppServer, browsers: Browsers) -> None:
    page = await browsers.page()
    await page.goto(server.url)
    texts = [text for text, _ in VECTORS] + HOSTILE
    found: list[list[dict[str, Any]]] = await page.evaluate(
        "async (texts) => { const {pieces} = await import('/static/js/lib/text.js');"
        " return texts.map(pieces); }",
        texts,
    )
    for text, here in zip(texts, found, strict=True):
        assert [(one["text"], one["isAddress"]) for one in here] == pieces(text)
