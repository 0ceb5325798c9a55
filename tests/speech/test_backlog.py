"""A machine that is too slow for a while: what was said waits, and nothing of it is lost."""

from __future__ import annotations

import asyncio
import re
from html import unescape

import pytest
from playwright.async_api import expect

from core.speech.engine import BYTES_PER_SECOND, StreamOptions
from core.speech.local.engine import LocalEngine
from tests.conftest import MakeServer
from tests.speech.local_listener import Listener
from tests.support.browser import Browsers, be
from tests.support.speech_samples import (
    BECKETT,
    OPENING,
    beckett,
    opening,
    words,
    words_in_order,
)
from tests.support.visitors import RoomPage, Visitor
from tests.support.waiting import until

FIRST = int(6.4 * BYTES_PER_SECOND)  # bytes of the opening, up to a pause
STILL = "Some words are still being written down…"
SAID = {
    "Ada": (opening()[:FIRST], " ".join(words(OPENING)[:18])),
    "Bob": (beckett()[: 6 * BYTES_PER_SECOND], BECKETT[: BECKETT.index("Fail again")]),
    "Cleo": (opening()[FIRST:], " ".join(words(OPENING)[18:])),
}


async def offline(*recordings: bytes) -> list[str]:
    """Return what the engine makes of audio that it has all the time for."""
    engine, texts = LocalEngine(), []
    await engine.start()
    for pcm in recordings:
        listener = Listener()
        stream = await engine.open(StreamOptions(), listener)
        stream.feed(pcm)
        await stream.finish()
        texts.append(listener.text)
    await engine.close()
    return texts


async def read_to_the_end(reader: Visitor, slug: str) -> str:
    """Return the transcript's page once nothing is still being transcribed."""

    async def whole() -> str:
        html = await asyncio.to_thread(lambda: reader.http.get(f"/s/{slug}").text)
        return "" if STILL in html else html

    html: str = await until(whole)
    return html


async def test_three_at_once_on_a_busy_machine_lose_nothing_also_after_the_end(
    make_server: MakeServer,
) -> None:
    """The end of the session comes while the engine is still far behind."""
    server = await asyncio.to_thread(make_server, SPEECH_ENGINE="local")
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

    with server.slowed(to=0.15):
        await asyncio.gather(*(talk(pages[name], pcm) for name, (pcm, _) in SAID.items()))
        await pages["Ada"].until(lambda: pages["Ada"].of_type("utterance"))
        await asyncio.to_thread(ada.end, slug)
        for page in pages.values():
            assert await page.until_closed() == 4410
            assert page.of_type("error") == []
        html = await asyncio.to_thread(lambda: ada.http.get(f"/s/{slug}").text)
        assert STILL in html
        assert 'hx-trigger="every 4s"' in html
    html = await read_to_the_end(ada, slug)
    assert "lost" not in server.log
    heard = spoken_by(html)
    at_leisure = await offline(*(pcm for pcm, _ in SAID.values()))
    for (name, (_, passage)), text in zip(SAID.items(), at_leisure, strict=True):
        wanted = words_in_order(passage, text)
        assert words_in_order(passage, heard[name]) >= wanted - 0.02, heard[name]


async def test_a_restart_in_mid_sentence_leaves_no_fragment_of_it(make_server: MakeServer) -> None:
    """The page says the sentence anew, so that what the old process made of it must not stay."""
    server = await asyncio.to_thread(make_server, SPEECH_ENGINE="local")
    ada = Visitor(server.url).sign_in("Ada")
    slug = ada.start_session()
    pcm = opening()[: 12 * BYTES_PER_SECOND]
    middle = 7 * BYTES_PER_SECOND  # "it was the age of | foolishness"
    page = ada.page(slug)
    await page.connect()
    await page.mic(True)
    await page.speak(pcm[:middle])
    await page.until(lambda: page.of_type("settled"))
    await page.until(lambda: not page.of_type("utterance")[-1]["final"])
    await asyncio.to_thread(server.stop)
    await page.until_closed()
    await asyncio.to_thread(server.start)
    await page.connect()
    await page.mic(True)
    await page.resend()
    await page.speak(pcm[middle:])
    await page.mic(False)
    (wanted,) = await offline(pcm)
    await page.until(lambda: len(words(page.text)) >= len(words(wanted)))
    await asyncio.to_thread(ada.end, slug)
    await page.until_closed()
    heard = spoken_by(ada.http.get(f"/s/{slug}").text)["Ada"]
    assert words(heard) == words(wanted)


async def test_of_who_never_comes_back_the_fragment_stays(make_server: MakeServer) -> None:
    server = await asyncio.to_thread(make_server, SPEECH_ENGINE="local")
    ada = Visitor(server.url).sign_in("Ada")
    slug = ada.start_session()
    page = ada.page(slug)
    await page.connect()
    await page.mic(True)
    await page.speak(opening()[: 7 * BYTES_PER_SECOND])
    await page.until(lambda: page.of_type("settled"))
    await page.until(lambda: "wisdom" in page.of_type("utterance")[-1]["text"])
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)
    async with ada.page(slug) as other:
        assert "wisdom" not in other.text
        assert other.welcome["received"] == 0, "it is another page, also of the same person"
    await asyncio.to_thread(ada.end, slug)
    html = await read_to_the_end(ada, slug)
    assert "wisdom" in spoken_by(html)["Ada"]


async def test_what_is_lost_is_a_gap_for_all_live_later_and_in_files(
    make_server: MakeServer,
) -> None:
    server = await asyncio.to_thread(make_server, SPEECH_ENGINE="local")
    ada = Visitor(server.url).sign_in("Ada")
    bob = Visitor(server.url).be_guest(slug := ada.start_session("Gaps"), "Bob")
    async with ada.page(slug) as page, bob.page(slug) as reader:
        for bad in ({}, {"from": -1, "until": 5}, {"from": 0, "until": 2**54}, {"from": "1"}):
            await page.send({"type": "lost", **bad})
        await page.send({"type": "lost", "from": 0, "until": 16_000 * 86_400})
        await page.until(lambda: len(page.of_type("error")) == 5)
        assert {one["code"] for one in page.of_type("error")} == {"bad_message"}
        await page.mic(True)
        await page.speak(beckett())
        first = page.index
        page.record(bytes(21 * BYTES_PER_SECOND))
        await page.send({"type": "lost", "from": first, "until": page.index})
        await page.speak(beckett())
        await page.mic(False)
        await reader.until(lambda: [one for one in reader.finals if one.get("lost")])
        [gap] = [one for one in reader.finals if one.get("lost")]
        assert (gap["text"], gap["lost"], gap["name"], gap["final"]) == ("", 21.0, "Ada", True)
        assert gap["seq"] > 0
        await reader.until(lambda: reader.text.lower().count("ever tried") == 2)
        await page.until(lambda: page.settled > first)
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)
    async with bob.page(slug) as late:
        await late.until(lambda: late.text.lower().count("ever tried") == 2)
        by_time = sorted(late.finals, key=lambda one: one["start"])
        place = by_time.index(gap)
        assert 0 < place < len(by_time) - 1, "it stands between what was said before and after"
        assert all("lost" not in one for one in by_time if one != gap)
    await asyncio.to_thread(ada.end, slug)
    html = bob.http.get(f"/s/{slug}").text
    assert re.search(r'<p class="words gap"[^>]*>(<[^>]*>)*21 s could not be transcribed', html)
    text = bob.http.get(f"/s/{slug}/transcript.txt").text
    assert re.search(r"\] Ada: \(21 s could not be transcribed\)\n", text)
    vtt = bob.http.get(f"/s/{slug}/transcript.vtt").text
    assert re.search(r"\nNOTE [\d:.]+ Ada: \(21 s could not be transcribed\)\n", vtt)
    # What nobody said is in the language of whoever reads it, the words are as they were said.
    russian = bob.http.get(f"/s/{slug}/transcript.txt", headers={"Accept-Language": "ru"}).text
    assert "] Ada: (не распознано 21 с речи)\n" in russian
    assert russian.replace("не распознано 21 с речи", "21 s could not be transcribed") == text


# Ten minutes and ten seconds of something that isn't quite silent with the connection lost, as the
# page's own script keeps and sends them.
OFFLINE = """async () => {
  const { TranscriptionSocket } = await import('/static/js/room/socket.js');
  const join = async () => (await fetch(location.href + '/join', { method: 'POST' })).json();
  const told = [];
  const no = () => {};
  const lost = () => told.push('lost');
  const socket = new TranscriptionSocket(join, { state: no, message: no, over: no, lost });
  socket.setMicrophone(true);
  for (let index = 0; index < 610 * 16000; index += 640) {
    const frame = new Int16Array(4 + 640).fill(100).buffer;
    new DataView(frame).setBigUint64(0, BigInt(index), true);
    socket.push({ index, frame, peak: 0.003 });
  }
  const ticket = await join();
  socket.open(ticket);
  return told;
}"""


@pytest.mark.browser
async def test_the_page_shows_gaps_and_says_what_it_let_go_and_late_words_come_in(
    make_server: MakeServer, browsers: Browsers
) -> None:
    server = await asyncio.to_thread(make_server, SPEECH_ENGINE="local")
    ada = Visitor(server.url).sign_in("Ada")
    slug = ada.start_session("Gaps")
    bob = Visitor(server.url).be_guest(slug, "Bob")
    context = await browsers.context()
    await be(context, ada)
    page, speaker = await context.new_page(), await context.new_page()
    await page.goto(f"{server.url}/s/{slug}")
    await page.get_by_role("button", name="Listen only").click()
    async with bob.page(slug) as reader:
        await speaker.goto(f"{server.url}/s/{slug}")
        assert await speaker.evaluate(OFFLINE) == ["lost"], "told once, not for every frame"
        await reader.until(lambda: [one for one in reader.finals if one.get("lost")])
        [gap] = [one for one in reader.finals if one.get("lost")]
        assert gap["lost"] == pytest.approx(10, abs=0.1)
        line = page.locator("[data-lines] .words.gap")
        await expect(line).to_have_text("10 s could not be transcribed")
        await speaker.close()
        with server.slowed(to=0.15):  # until it is seen to be behind
            await reader.mic(True)
            await reader.speak(opening())
            await reader.mic(False)
            await reader.until(lambda: len(reader.of_type("utterance")) > 1)
            await asyncio.to_thread(ada.end, slug)
            await page.goto(f"{server.url}/s/{slug}")
            await expect(page.get_by_text(STILL)).to_be_visible()
        await expect(page.get_by_text(STILL)).to_have_count(0)
    said = await page.locator(".transcript .words:not(.gap)").all_inner_texts()
    assert words_in_order(OPENING, " ".join(said)) >= 0.85
    await expect(page.locator(".transcript .words.gap")).to_have_text(
        "10 s could not be transcribed"
    )
    assert browsers.errors == []


def spoken_by(html: str) -> dict[str, str]:
    """Return what each said according to a transcript's page."""
    said: dict[str, str] = {}
    for turn in re.findall(r'<section class="turn.*?</section>', html, re.DOTALL):
        name = re.search(r'class="name">\s*([^<]+?)\s*<', turn)
        assert name is not None
        lines = re.findall(r'<p class="words"[^>]*>(.*?)</p>', turn, re.DOTALL)
        said[name[1]] = " ".join([said.get(name[1], ""), *map(unescape, lines)])
    return said
