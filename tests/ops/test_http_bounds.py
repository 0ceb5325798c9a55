"""What one connection may send, hold and take. That each start has these bounds: test_serving.py.

The server waits a fraction of what it usually waits; tests/torture has the same with its own times.
"""

from __future__ import annotations

import sys

import psutil
import pytest

from tests.conftest import MakeServer
from tests.support import ROOT
from tests.support.app_server import AppServer
from tests.support.http import outside
from tests.support.raw_http import SECURITY_HEADERS, Line
from tests.support.waiting import wait_until
from web.http import bounds

HASTE = """
from web.http import bounds as b
b.HEAD_TIMEOUT_S, b.BODY_TIMEOUT_S, b.KEEP_ALIVE_S = 0.3, 0.3, 0.3
b.STALL_S, b.LOOK_EVERY_S = 0.5, 0.1
"""
UVICORN = HASTE + "import os, uvicorn; uvicorn.main(['app:app', '--port', os.environ['PORT']])"
FEW = 30  # connections that an address may have there
LARGE_FILE = max((ROOT / "static/vendor").glob("*.js"), key=lambda one: one.stat().st_size)
LARGE = f"/static/vendor/{LARGE_FILE.name}"
HOST = "Host: localhost\r\n"


@pytest.fixture(scope="module")
def hasty(make_server_in: MakeServer) -> AppServer:
    """A server that soon loses patience, and takes us for one person's computer, not a proxy."""
    environment = {"RATE_LIMIT_FACTOR": str(FEW / bounds.PER_ADDRESS), "FORWARDED_ALLOW_IPS": "::9"}
    return make_server_in(command=[sys.executable, "-c", UVICORN], **environment)


def refusal(line: Line) -> int:
    """Return the status that the connection ended with, in an answer that is as safe as any."""
    status, headers = line.answer()
    if status:
        assert headers["connection"] == "close"
        assert [one for one in SECURITY_HEADERS if one not in headers] == []
    return status


# Heads


@pytest.mark.parametrize(
    ("begin", "again", "status"),
    [
        ("GET / HTTP/1.1\r\n" + HOST, "X-Header: value\r\n", 431),
        ("GET / HTTP/1.1\r\n" + HOST, "a:\r\n", 431),
        ("GET / HTTP/1.1\r\n" + HOST + "X-Header: ", "v" * 1000, 431),
        ("GET / HTTP/1.1\r\n" + HOST, "N" * 1000, 431),
        ("GET /", "a" * 1000, 414),
        (
            "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nCookie: ",
            "c" * 99,
            431,
        ),
    ],
    ids=["headers", "short headers", "a value", "a name", "an address", "an upgrade"],
)
def test_a_head_without_end_is_refused(
    hasty: AppServer, begin: str, again: str, status: int
) -> None:
    with Line(hasty) as line:
        line.send(begin)
        for _ in range(100):
            if not line.send(again * (10_000 // len(again))):
                break
        assert refusal(line) in {status, 0}, "0: it was closed while more was sent"
    with Line(hasty) as line:
        line.send(begin + again * (bounds.MAX_HEAD // len(again) + 1))
        assert refusal(line) == status


def test_a_head_may_be_as_long_as_it_says(hasty: AppServer) -> None:
    begin, end = f"GET /health HTTP/1.1\r\n{HOST}Connection: close\r\nX: ", "\r\n\r\n"
    most = bounds.MAX_HEAD - len(begin) - len(end)
    for size, status in ((most, 200), (most + 1, 431)):
        with Line(hasty) as line:
            line.send(begin + "x" * size + end)
            assert line.answer()[0] == status
    for size, status in ((bounds.MAX_TARGET - 8, 200), (bounds.MAX_TARGET, 414)):
        with Line(hasty) as line:
            address = "/health?" + "x" * size
            line.send(f"GET {address} HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n")
            assert line.answer()[0] == status


@pytest.mark.parametrize(
    "begun",
    [
        "GET /hea",
        f"GET /health HTTP/1.1\r\n{HOST}",
        f"GET /ws HTTP/1.1\r\n{HOST}Upgrade: websocket\r\nConnection: Upgrade\r\n",
    ],
    ids=["half a line", "half a head", "half a handshake"],
)
@pytest.mark.parametrize("goes_on", [False, True], ids=["silent", "a byte at a time"])
def test_a_head_must_come_soon(hasty: AppServer, begun: str, goes_on: bool) -> None:
    with Line(hasty) as line:
        line.send(begun)
        if goes_on:
            line.trickle("X-Header: value\r\n" if "\r\n" in begun else "lth", 0.05)
        assert refusal(line) == 408


def test_who_says_nothing_is_not_waited_for(hasty: AppServer) -> None:
    with Line(hasty) as line:
        assert line.rest() == b""
    with Line(hasty) as line:  # an empty line before a request is ignored, but it is no request
        line.trickle("\r\n", 0.05)
        assert refusal(line) in {0, 408}
    with Line(hasty) as line:
        line.send(f"GET /health HTTP/1.1\r\n{HOST}\r\n")
        line.trickle("\r\n", 0.05)
        line.rest()


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n",
        "NONSENSE\r\n",
        "GET / HTTP/9.9\r\nHost: a\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "GET http:// HTTP/1.1\r\nHost: a\r\n",
    ],
)
def test_what_is_no_request_is_refused_with_our_headers(hasty: AppServer, head: str) -> None:
    with Line(hasty) as line:
        line.send(head + "\r\n")
        assert refusal(line) == 400
    assert "Invalid HTTP request" not in hasty.log, "anybody could fill the log"


# Bodies

POST = f"POST /sessions HTTP/1.1\r\n{HOST}Content-Type: application/x-www-form-urlencoded\r\n"


@pytest.mark.parametrize("goes_on", [False, True], ids=["silent", "a byte at a time"])
def test_a_body_must_come_soon(hasty: AppServer, goes_on: bool) -> None:
    origin = f"Origin: {hasty.url}\r\nHost: localhost:{hasty.port}\r\n"
    form = POST.replace(HOST, origin)
    with Line(hasty) as line:
        line.send(form.replace("/sessions", "/sign-in/dev") + "Content-Length: 5000\r\n\r\nname=A")
        if goes_on:
            line.trickle("a", 0.05)
        assert refusal(line) == 408
    assert "Traceback" not in hasty.log


def test_a_body_that_nobody_waits_for_is_bounded_too(hasty: AppServer) -> None:
    with Line(hasty) as line:  # of a foreign origin: it is refused before the body comes
        line.send(POST + "Content-Length: 5000\r\n\r\n")
        line.trickle("a", 0.05)
        assert line.answer()[0] == 403


@pytest.mark.parametrize(
    ("head", "again"),
    [
        ("Content-Length: 99999999\r\n\r\n", "x" * 1000),
        ("Transfer-Encoding: chunked\r\n\r\n", "3e8\r\n" + "x" * 1000 + "\r\n"),
        ("Transfer-Encoding: chunked\r\n\r\n", "1;" + "extension" * 100 + "\r\nx\r\n"),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\n", "Trailer: value\r\n"),
    ],
    ids=["one", "in chunks", "of extensions", "of trailers"],
)
def test_a_body_without_end_is_refused(hasty: AppServer, head: str, again: str) -> None:
    with Line(hasty) as line:
        line.send(POST + head)
        for _ in range(100):
            if not line.send(again * (10_000 // len(again))):
                break
        assert line.answer()[0] in {0, 403, 413, 431}
        assert line.age < 10


# Answers


def connected(server: AppServer, line: Line) -> bool:
    """Whether the server's process still has the other end."""
    ours = psutil.Process(server.pid).net_connections("tcp")
    return any(one.raddr and one.raddr.port == line.port for one in ours)


def test_an_answer_that_nobody_reads_is_given_up(hasty: AppServer) -> None:
    with Line(hasty, receive_buffer=4096) as line:
        line.send(f"GET {LARGE} HTTP/1.1\r\n{HOST}\r\n" * 3)
        wait_until(lambda: connected(hasty, line))
        wait_until(lambda: not connected(hasty, line))


def test_who_reads_slowly_gets_all_of_it(hasty: AppServer) -> None:
    with Line(hasty, receive_buffer=4096) as line:
        line.send(f"GET {LARGE} HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n")
        came = b""
        while line.age < 1.2:  # more than twice as long as somebody who reads nothing has
            came += line.read(4096)
            wait_until(lambda until=line.age + 0.02: line.age > until)  # type: ignore[misc]
        came += line.rest()
    head, _, body = came.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head.lower()


def test_requests_may_wait_for_each_other_a_few_at_a_time(hasty: AppServer) -> None:
    one = f"GET /health HTTP/1.1\r\n{HOST}\r\n"
    with Line(hasty) as line:
        line.send(one * bounds.MAX_PIPELINED)
        assert line.rest().count(b"HTTP/1.1 200") == bounds.MAX_PIPELINED
    with Line(hasty) as line:
        line.send(one * 500)
        assert line.rest().count(b"HTTP/1.1 200") <= bounds.MAX_PIPELINED


# How many


def test_one_address_has_a_bounded_number_of_connections(hasty: AppServer) -> None:
    wait_until(lambda: not psutil.Process(hasty.pid).net_connections("tcp")[1:])
    lines = [Line(hasty) for _ in range(FEW)]
    with Line(hasty) as one_more:
        assert refusal(one_more) == 429
    for line in lines:
        line.close()
    wait_until(lambda: outside("GET", f"{hasty.url}/health").status_code == 200)


def test_the_process_has_a_bounded_number_of_connections(make_server: MakeServer) -> None:
    files = 200
    command = ["sh", "-c", f"ulimit -n {files}; exec {sys.executable} app.py serve"]
    server = make_server(command=command)
    lines = [Line(server) for _ in range(files // 2)]
    with Line(server) as one_more:
        assert refusal(one_more) == 503
    for line in lines:
        line.close()
    wait_until(lambda: outside("GET", f"{server.url}/health").status_code == 200)
