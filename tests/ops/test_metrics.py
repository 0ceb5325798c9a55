"""`/metrics`: what happens is counted, nobody is named, and only who may know gets to see it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from core.scrape import version
from core.speech.engine import SAMPLE_RATE
from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import seconds, silence, speak, vocabulary
from tests.support import ROOT
from tests.support.app_server import AppServer
from tests.support.dictation import emulator, speech_by
from tests.support.http import outside
from tests.support.metrics import scrape
from tests.support.raw_http import Line
from tests.support.visitors import Visitor
from tests.support.waiting import until, wait_until
from web.access_log import code_of_close

__all__ = ["emulator"]
TOKEN = "Zk3vQ8sPq1xW7mRt5yUe2nLh9cVb4dFa"
WORDS = vocabulary(6, seed=3)


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer, emulator: GladiaEmulator) -> AppServer:
    return make_server_in(METRICS_TOKEN=TOKEN, RATE_LIMIT_FACTOR="1", **speech_by(emulator))


@pytest.fixture(scope="module")
def open_here(make_server_in: MakeServer) -> AppServer:
    """A server without a token."""
    return make_server_in()


async def test_a_meeting_is_seen_and_nobody_in_it(place: AppServer) -> None:
    before = scrape(place.url, TOKEN)
    ada = await asyncio.to_thread(Visitor(place.url).sign_in, "Augusta Lovelace")
    slug = await asyncio.to_thread(ada.start_session, "Budget")
    bob = await asyncio.to_thread(Visitor(place.url).be_guest, slug, "Mallory")
    assert (await asyncio.to_thread(outside, "GET", f"{place.url}/s/nowhere")).status_code == 404
    async with ada.page(slug) as reader, bob.page(slug) as page:
        await page.mic(True)
        sound = b"".join(map(speak, WORDS)) + silence(1.0)
        await page.speak(sound, speed=1)
        await reader.until(lambda: reader.text.split() == WORDS)
        await page.until(lambda: page.settled)
        end = page.index + SAMPLE_RATE  # a second that it let go
        await page.send({"type": "lost", "from": page.index, "until": end})
        await page.mic(False)
        await reader.until(lambda: reader.of_type("speech")[-1]["state"] == "paused")
        now = await asyncio.to_thread(scrape, place.url, TOKEN)
        passes = await asyncio.to_thread(bob.join, slug)
        identities = [one.welcome["you"]["identity"] for one in (reader, page)]
        await page.drop()
        await page.connect()
        back = await asyncio.to_thread(scrape, place.url, TOKEN)

    def grew(name: str, **labels: str) -> float:
        return now(name, **labels) - before(name, **labels)

    assert (now("rooms"), now("pages"), now("participants"), now("sockets")) == (1, 2, 2, 2)
    assert (now("microphones"), now("microphones", state="paused")) == (2, 2)
    assert now("streams_opened_total") == 1
    assert now("stream_slots") == 30
    assert grew("audio_received_seconds_total") == pytest.approx(seconds(sound), abs=0.1)
    assert seconds(sound) * 0.6 < grew("audio_sent_seconds_total") < seconds(sound) + 1
    assert grew("captions_total", kind="final") >= 1
    assert grew("captions_total", kind="partial") >= 1
    assert grew("caption_seconds_count", kind="final") == grew("captions_total", kind="final")
    assert grew("caption_seconds_count", kind="first_partial") >= 1
    for kind in ("final", "first_partial"):  # spoken in real time, and answered at once
        assert 0 < now("caption_seconds_sum", kind=kind) < 3 * now("caption_seconds_count")
    assert grew("lost_seconds_total", why="page") == 1
    assert grew("lost_seconds_total") == 1, "nothing else was"
    assert (now("speech_health", health="ok"), now("speech_health")) == (1, 1)
    assert now("speech_memory_bytes") < now("speech_memory_limit_bytes")
    assert grew("events_total", event="signed_in") == 1
    assert grew("events_total", event="session_started") == 1
    assert grew("events_total", event="refused") >= 1
    assert grew("http_requests_total", method="POST", route="/sessions", status="3xx") == 1
    assert grew("http_requests_total", method="GET", route="/s/{slug}", status="4xx") == 1
    assert grew("http_seconds_count", route="/s/{slug}/join") == 2
    assert grew("livekit_requests_total", outcome="unreachable") >= 1, "there is none here"
    assert grew("database_seconds_count", what="statement") > 10
    assert grew("database_seconds_count", what="connection") > 10
    assert now("database_connections") <= now("database_connections_limit") == 10
    assert now("database_connections", state="idle") >= 1
    assert (now("unstored_on_disk"), now("database_trouble")) == (0, 0)
    assert grew("loop_lag_seconds_count") >= 4
    assert now("connections") >= 2
    assert back("page_returns_total") - now("page_returns_total") == 1
    assert now.values["process_resident_memory_bytes", frozenset()] > 2e7
    assert now.values["process_open_fds", frozenset()] > 5
    assert now("build_info", version=version()) == 1

    told = now.text.lower() + back.text.lower()
    token, key = passes["transcription"]["token"], passes["video"]["token"]
    names = ("augusta", "lovelace", "mallory", "budget", "example.com", "127.0.0.1", "nowhere")
    for secret in (slug, token, key, TOKEN, *WORDS, *identities, *names):
        assert secret.lower() not in told, secret

    async def gone() -> bool:
        after = await asyncio.to_thread(scrape, place.url, TOKEN)
        over = after("sockets_over_total") - before("sockets_over_total")
        return over == 3 and after("sockets") == after("pages") == after("unstored") == 0

    await until(gone)


def test_an_outsider_makes_no_series(place: AppServer) -> None:
    outside("GET", f"{place.url}/no-such-address")
    outside("BREW", f"{place.url}/")
    before = scrape(place.url, TOKEN)
    for number in range(5):
        outside("GET", f"{place.url}/no-such-address-{number}")
        outside(f"BREW{number}", f"{place.url}/")
        outside("GET", f"{place.url}/s/slug-{number}-nobody")
        outside("GET", f"{place.url}/static/no-such-file-{number}.js")
    after = scrape(place.url, TOKEN)
    new = after.values.keys() - before.values.keys()
    routes = {dict(labels).get("route") for _, labels in new}
    assert routes <= {"/s/{slug}", "/static", "/metrics"}, "the last one is our own question"
    assert after("http_requests_total", route="(no such address)", status="4xx") > 5
    with Line(place) as line:
        line.send("GET / HTTP/1.1\r\n\r\n")
        line.rest()
    assert scrape(place.url, TOKEN)("http_refused_total", status="400") >= 1
    assert [code_of_close(code) for code in (1001, 4410, 429, 4999, 3000, 1004)] == [
        "1001",
        "4410",
        "429",
        "other",
        "other",
        "other",
    ]


def status(place: AppServer, method: str = "GET", **headers: str) -> int:
    return outside(method, f"{place.url}/metrics", headers=headers).status_code


def test_without_the_token_there_is_nothing_here(place: AppServer) -> None:
    for given in ("", TOKEN, "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"):
        assert status(place, Authorization=given) == 404, given
    for given in (f"Basic {TOKEN}", f"Bearer {TOKEN.lower()}", f"Bearer x {TOKEN}"):
        assert status(place, Authorization=given) == 404, given
    with Line(place) as line:  # which isn't ASCII
        line.send("GET /metrics HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer é\r\n\r\n")
        assert line.answer()[0] == 404
    assert status(place) == 404, "also on this computer, once there is a token"
    answer = outside("GET", f"{place.url}/metrics")
    assert "There is nothing here." in answer.text
    assert status(place, Authorization=f"bearer {TOKEN}") == 200
    assert status(place, Authorization=f"Bearer {TOKEN}", Forwarded="for=203.0.113.9") == 200
    assert status(place, "POST", Authorization=f"Bearer {TOKEN}") == 403, "no page of ours asks"
    mine = {"Authorization": f"Bearer {TOKEN}", "Origin": place.url}
    assert status(place, "POST", **mine) in (405, 415)


def test_without_one_it_is_for_this_computer_alone(open_here: AppServer) -> None:
    assert status(open_here) == 200
    assert status(open_here, Authorization="Bearer whatever") == 200
    for name in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via"):
        assert status(open_here, **{name: "127.0.0.1"}) == 404, name
    assert status(open_here, Host="meet.example.com") == 404, "a name that resolves to loopback"


def test_who_asks_too_often_waits(place: AppServer) -> None:
    # More than a minute allows, and what is allowed anew while a busy machine answers.
    assert any(status(place) == 429 for _ in range(200))
    assert status(place, Authorization=f"Bearer {TOKEN}") == 429
    audited = "audit limited why=too_many_requests"
    wait_until(lambda: audited in place.log)


def test_the_release_is_that_of_the_project() -> None:
    assert f'version = "{version()}"' in Path(ROOT, "pyproject.toml").read_text()


def test_what_is_told_is_what_is_documented(open_here: AppServer) -> None:
    told = {
        name + ("_total" if kind == "counter" else "")
        for name, kind in scrape(open_here.url).types.items()
        if name.startswith("sessions_")
    }
    documented = set(re.findall(r"`(sessions_\w+)`", Path(ROOT, "docs/metrics.md").read_text()))
    assert told == documented
