"""HTTP attacked from one computer, with the bounds as they are: memory, time, and others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx2
import psutil
import pytest

from tests.conftest import MakeServer
from tests.support import ROOT
from tests.support.app_server import AppServer
from tests.support.raw_http import Line
from tests.support.waiting import WAIT_TIMEOUT_S, wait_until
from web.http import bounds

pytestmark = pytest.mark.torture

MB = 1024 * 1024
HOST = "Host: localhost\r\n"
LARGE_FILE = max((ROOT / "static/vendor").glob("*.js"), key=lambda one: one.stat().st_size)
HALVES = 1_500  # connections; the soft limit of many machines is 4,096 files
SLACK_S = 5.0  # for a busy machine, and the time between two looks


@pytest.fixture(scope="module")
def site(make_server_in: MakeServer) -> AppServer:
    return make_server_in()


@contextmanager
def memory_grows_by_less_than(size: int, server: AppServer) -> Iterator[None]:
    """Look at the process's memory all the while."""
    process = psutil.Process(server.pid)
    before, over = process.memory_info().rss, threading.Event()
    most = [before]

    def look() -> None:
        while not over.wait(0.02):
            most[0] = max(most[0], process.memory_info().rss)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join()
    assert most[0] - before < size, f"{(most[0] - before) / MB:.0f} MB"


def slowest_health(server: AppServer, seconds: float) -> float:
    """Ask how it is for so long; return the longest that an answer took."""
    end, longest = time.monotonic() + seconds, 0.0
    with httpx2.Client(timeout=WAIT_TIMEOUT_S, verify=False) as http:
        while time.monotonic() < end:
            began = time.monotonic()
            assert http.get(f"{server.url}/health").status_code == 200
            longest = max(longest, time.monotonic() - began)
    return longest


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        ("GET / HTTP/1.1\r\n" + HOST, "X-Header: value\r\n"),
        ("GET / HTTP/1.1\r\nX: ", "v" * 100),
        ("GET /", "a" * 100),
        ("POST / HTTP/1.1\r\n" + HOST + "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"),
    ],
    ids=["headers", "a header", "an address", "a body"],
)
def test_streams_without_end_cost_no_memory_and_nobodys_time(
    site: AppServer, begin: str, again: str
) -> None:
    """100 MB of each, from eight connections at a time, each opened anew once it was closed."""
    sent, lock = [0], threading.Lock()
    piece = again * (64 * 1024 // len(again))

    def attack() -> None:
        while sent[0] < 100 * MB:
            with Line(site) as line:
                line.send(begin)
                while line.send(piece) and sent[0] < 100 * MB:
                    with lock:
                        sent[0] += len(piece)

    with memory_grows_by_less_than(20 * MB, site):
        attackers = [threading.Thread(target=attack) for _ in range(8)]
        for one in attackers:
            one.start()
        assert slowest_health(site, 2) < 2, "it was 0.9 to 1.7 s with one connection"
        for one in attackers:
            one.join()


def test_who_does_not_go_on_is_let_go_in_time(site: AppServer) -> None:
    form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\nname="
    halves = {
        "": bounds.HEAD_TIMEOUT_S,
        "GET /hea": bounds.HEAD_TIMEOUT_S,
        f"GET /ws HTTP/1.1\r\n{HOST}Upgrade: websocket\r\n": bounds.HEAD_TIMEOUT_S,
        f"POST /sign-in/dev HTTP/1.1\r\n{HOST}{form}": bounds.BODY_TIMEOUT_S,
        f"GET /health HTTP/1.1\r\n{HOST}\r\n": bounds.KEEP_ALIVE_S,
    }
    with ExitStack() as stack:
        lines = {half: stack.enter_context(Line(site)) for half in halves}
        for half, line in lines.items():
            line.send(half)
        for half in sorted(halves, key=lambda one: halves[one]):
            lines[half].rest()
            assert lines[half].age < halves[half] + SLACK_S, half


def test_an_answer_that_nobody_reads_is_given_up_in_time(site: AppServer) -> None:
    def connected(line: Line) -> bool:
        ours = psutil.Process(site.pid).net_connections("tcp")
        return any(one.raddr and one.raddr.port == line.port for one in ours)

    with ExitStack() as stack:
        lines = [stack.enter_context(Line(site, receive_buffer=4096)) for _ in range(20)]
        with memory_grows_by_less_than(40 * MB, site):
            for line in lines:
                line.send(f"GET /static/vendor/{LARGE_FILE.name} HTTP/1.1\r\n{HOST}\r\n")
            wait_until(lambda: not any(map(connected, lines)))
        assert lines[0].age < bounds.STALL_S + 2 * bounds.LOOK_EVERY_S + SLACK_S


def test_many_half_requests_are_held_cheaply_and_not_for_long(site: AppServer) -> None:
    with ExitStack() as stack, memory_grows_by_less_than(20 * MB, site):
        lines = [stack.enter_context(Line(site)) for _ in range(HALVES)]
        for line in lines:
            line.send(f"GET / HTTP/1.1\r\n{HOST}X: ")
        assert slowest_health(site, 2) < 1
        wait_until(lambda: len(psutil.Process(site.pid).net_connections("tcp")) < HALVES // 10)
        assert lines[-1].age < bounds.HEAD_TIMEOUT_S + bounds.LINGER_S + SLACK_S
