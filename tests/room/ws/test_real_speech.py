"""`/ws`, docs/protocol.md: real speech becomes text, once and in order."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from html import unescape
from typing import Any

import pytest

from tests.support.app_server import AppServer
from tests.support.socket_client import guest
from tests.support.speech_samples import (
    BECKETT,
    OPENING,
    beckett,
    opening,
    words,
    words_in_order,
)
from tests.support.visitors import FRAME, RoomPage, Visitor


@dataclass
class Spoken:
    """A session in which Ada said BECKETT."""

    host: Visitor
    slug: str
    finals: list[dict[str, Any]]


async def _speak(host: Visitor, slug: str, pcm: bytes, passage: str) -> list[dict[str, Any]]:
    async with host.page(slug) as page:
        await page.mic(True)
        await page.speak(pcm)
        await page.mic(False)
        await all_is_said(page, passage)
        return page.finals


async def all_is_said(page: RoomPage, passage: str) -> None:
    """Wait until the passage is there and stored, and a moment for what should not come."""
    await page.until(lambda: len(words(page.text)) >= 0.95 * len(words(passage)))
    await asyncio.sleep(0.5)
    await page.until(lambda: len(page.of_type("settled")) == len(page.finals))
    settled = [one["index"] for one in page.of_type("settled")]
    assert settled == sorted(settled)


@pytest.fixture(scope="module")
def spoken(place: AppServer) -> Spoken:
    host = Visitor(place.url).sign_in("Ada Lovelace")
    slug = host.start_session("Beckett")
    return Spoken(host, slug, asyncio.run(_speak(host, slug, beckett(), BECKETT)))


def test_speech_becomes_text(spoken: Spoken) -> None:
    text = " ".join(final["text"] for final in spoken.finals)
    assert words_in_order(BECKETT, text) >= 0.8, text
    assert {final["name"] for final in spoken.finals} == {"Ada Lovelace"}
    assert [final["seq"] for final in spoken.finals] == list(range(1, len(spoken.finals) + 1))


async def test_who_comes_late_gets_everything_once_and_in_order(spoken: Spoken) -> None:
    async with guest(spoken.host, spoken.slug, "Late").page(spoken.slug) as late:
        await late.until(lambda: late.of_type("people"))
        assert late.welcome["seq"] == len(spoken.finals)
        assert late.finals == spoken.finals


async def test_who_comes_back_gets_only_what_is_missing(spoken: Spoken) -> None:
    page = guest(spoken.host, spoken.slug, "Back").page(spoken.slug)
    for seen in (len(spoken.finals) - 1, len(spoken.finals), len(spoken.finals) + 5):
        page.messages.clear()
        page.forget_after(seen)
        await page.connect()
        await page.until(lambda: page.of_type("people"))
        missing = spoken.finals[seen:] if seen <= len(spoken.finals) else spoken.finals
        assert page.finals == missing
        await page.drop()


async def test_a_whole_passage_is_captioned_stored_and_read_again(host: Visitor, slug: str) -> None:
    bob = guest(host, slug, "Bob")
    async with bob.page(slug) as reader:
        finals = await _speak(host, slug, opening(), OPENING)
        await reader.until(lambda: len(reader.finals) == len(finals))
        partials = [one for one in reader.of_type("utterance") if not one["final"]]
        assert {one["name"] for one in partials + reader.finals} == {"Ada Lovelace"}
        assert words_in_order(OPENING, reader.text) >= 0.85, reader.text
        assert len(words(reader.text)) <= 1.1 * len(words(OPENING))
    host.end(slug)
    page = unescape(host.http.get(f"/s/{slug}").text)
    places = [page.index(final["text"]) for final in finals]
    assert places == sorted(places)
    assert "Ada Lovelace" in page
    # What it took is for the space to read: 0:15 of audio, for which the local engine asks nothing.
    row = r"Ada Lovelace</span></th><td>0:(\d\d)</td>.*?<td>([\d.]+)</td></tr>"
    account = re.search(row, page)
    assert account is not None
    assert 13 <= int(account[1]) <= 16
    assert float(account[2]) == 0, "the local engine costs nothing"
    assert "What transcribing took" not in bob.http.get(f"/s/{slug}").text


@pytest.mark.parametrize("share", [0.33, 0.71])
async def test_a_lost_connection_in_mid_speech_loses_and_repeats_nothing(
    spoken: Spoken, share: float
) -> None:
    slug = spoken.host.start_session()
    pcm = beckett()
    middle = int(len(pcm) * share) // (2 * FRAME) * 2 * FRAME
    page = spoken.host.page(slug)
    await page.connect()
    await page.mic(True)
    await page.speak(pcm[:middle])
    await page.drop()
    page.record(pcm[middle : middle + 64_000])
    await page.connect()
    await page.mic(True)
    await page.resend(first=max(0, page.welcome["received"] - 16_000))
    await page.speak(pcm[middle + 64_000 :])
    await page.mic(False)
    await all_is_said(page, BECKETT)
    undisturbed = words(" ".join(final["text"] for final in spoken.finals))
    assert words(page.text) == undisturbed
    await page.leave()
