"""A day's transcript: whole, in order, and nothing with which one reader holds up others."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import unescape

import pytest

from core.store.transcripts import PAGE
from core.waiting_line import IN_LINE, PER_PERSON, CrowdedError, WaitingLine
from routes.lines import LINES
from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.raw_http import Line
from tests.support.tables import Tables
from tests.support.visitors import Visitor
from tests.support.waiting import wait_until

UTTERANCES = 2 * PAGE + 500
WRITE = """
    INSERT INTO utterances (session_id, stream, utterance, seq, identity, text,
        start_s, end_s, language, client, until)
    SELECT p.session_id, 's1', n::text, n, p.identity, 'words ' || n, n, n + 1, 'en', 'abcdefgh', n
    FROM participants p, generate_series(1, $1) n"""


@dataclass
class Day:
    """A session in which somebody spoke for long."""

    server: AppServer
    ada: Visitor
    path: str


@pytest.fixture(scope="module")
def day(make_server_in: MakeServer, make_database: Callable[[], str]) -> Day:
    database = make_database()
    server = make_server_in(DATABASE_URL=database)
    ada = Browser(server.url).sign_in("Ada Lovelace")
    slug = ada.start_session()
    ada.join(slug)
    Tables(database)(WRITE, UTTERANCES)
    ada.end(slug)
    return Day(server, ada, f"/s/{slug}")


def numbers(html: str) -> list[int]:
    return [int(one) for one in re.findall(r"\bwords (\d+)", html)]


def test_it_is_whole_and_in_order(day: Day) -> None:
    for path in (f"{day.path}?all", f"{day.path}/transcript.txt", f"{day.path}/transcript.vtt"):
        assert numbers(day.ada.http.get(path).text) == list(range(1, UTTERANCES + 1))


def test_its_page_is_a_part_which_leads_to_all(day: Day) -> None:
    def follow(html: str, rel: str) -> str | None:
        found = re.search(rf'rel="{rel}" href="(\?[^"]*)"', html)
        return day.ada.http.get(day.path + unescape(found[1])).text if found else None

    page: str | None = day.ada.http.get(day.path).text
    read = list[int]()
    while page is not None:
        some = numbers(page)
        assert 0 < len(some) <= LINES
        read += some
        last, page = page, follow(page, "next")
    assert read == list(range(1, UTTERANCES + 1))
    above = follow(last, "prev")
    assert above is not None
    assert numbers(above)[-1] == numbers(last)[0] - 1
    assert numbers(follow(above, "next") or "") == numbers(last)


def test_nobody_has_many_at_once(day: Day) -> None:
    def ask(_: int) -> tuple[int, bool]:
        answer = day.ada.http.get(f"{day.path}?all")
        return answer.status_code, "retry-after" in answer.headers

    with ThreadPoolExecutor(8) as people:
        answers = Counter(people.map(ask, range(8)))
    assert set(answers) == {(200, False), (503, True)}
    assert day.ada.http.get(f"{day.path}?all").status_code == 200


def test_who_reads_nothing_gets_no_more(day: Day) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in day.ada.http.cookies.items())
    request = f"GET {day.path}?all HTTP/1.1\r\nHost: localhost\r\nCookie: {cookies}\r\n\r\n"
    lines = [Line(day.server, receive_buffer=4096) for _ in range(PER_PERSON)]
    for line in lines:
        line.send(request)
        assert line.read(12) == b"HTTP/1.1 200"
    refusal = day.ada.http.get(f"{day.path}?all", headers={"Accept": "application/json"})
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (503, "crowded")
    for line in lines:
        line.close()
    wait_until(lambda: day.ada.http.get(f"{day.path}?all").status_code == 200)


async def test_a_line_has_an_end() -> None:
    line = WaitingLine()

    async def wait(over: asyncio.Event) -> None:
        async with line.turn():
            await over.wait()

    over = asyncio.Event()
    waiting = [asyncio.create_task(wait(over)) for _ in range(IN_LINE)]
    await asyncio.sleep(0)
    with pytest.raises(CrowdedError):
        async with line.turn():
            pass
    over.set()
    await asyncio.gather(*waiting)
    async with line.turn():
        pass
