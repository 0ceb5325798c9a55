"""Limits of what somebody may ask for, and what is told while the database is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx2
import pytest

from core.rate_limit import MAX_CLIENTS, RateLimiter, TooManyRequestsError
from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.database_line import DatabaseLine
from tests.support.http import Browser
from tests.support.meetings import JSON, sql
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def slow(make_server_in: MakeServer) -> AppServer:
    """Sessions that allows a tenth of what it usually allows."""
    return make_server_in(RATE_LIMIT_FACTOR="0.1")


# Rate limits


def assert_busy(answer: httpx2.Response) -> None:
    """The answer says when to try again."""
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_a_person_can_not_start_session_after_session(slow: AppServer) -> None:
    ada, grace = (Browser(slow.url).sign_in(name) for name in ("Ada", "Grace"))
    slug, _ = (ada.start_session() for _ in range(2))
    busy = ada.http.post("/sessions")
    assert_busy(busy)
    wait = int(busy.headers["retry-after"])
    assert (
        f'That was a lot at once.</h1>\n  <p class="said">Try again in {wait} s.</p>' in busy.text
    )
    grace.start_session()  # others go on

    for _ in range(3):
        ada.join(slug)
    busy = ada.http.post(f"/s/{slug}/join", headers=JSON)
    assert_busy(busy)
    assert busy.json()["error"]["code"] == "too_many_requests"
    grace.join(slug)

    lists = [ada.http.get("/sessions") for _ in range(21)]
    assert lists[0].status_code == 200
    assert_busy(lists[-1])
    assert_busy(ada.http.get("/"))
    assert grace.http.get("/").status_code == 200

    for _ in range(6):
        Browser(slow.url).be_guest(slug, "Guest")
    assert_busy(Browser(slow.url).http.post(f"/s/{slug}/guest", data={"name": "Guest"}))

    form = {"name": "Ada", "email": "ada@example.com"}
    statuses = [
        Browser(slow.url).http.post("/sign-in/dev", data=form).status_code for _ in range(5)
    ]
    assert statuses == [303] + [429] * 4  # two signed in above
    assert_busy(Browser(slow.url).http.get("/sign-in/link?token=guessed"))
    assert_busy(Browser(slow.url).http.post("/sign-in/link?token=guessed"))


@pytest.mark.parametrize("per_minute", [0.1, 2, 7, 100])
def test_who_waits_as_long_as_told_is_let_in(per_minute: float) -> None:
    limiter, now = RateLimiter(per_minute), 1000.0
    while True:
        try:
            limiter.check("client", now)
        except TooManyRequestsError as refusal:
            limiter.check("client", now + refusal.retry_after)
            break
        now += 0.07


def test_who_is_silent_is_forgotten_once_that_changes_nothing() -> None:
    limiter = RateLimiter(2)
    for second in range(600):
        limiter.check(f"client {second}", float(second))
    kept = len(limiter._buckets)
    assert kept <= 31, "half a minute gives back what each of them took"
    for _ in range(2):
        limiter.check("busy", 600.0)
    limiter.check("other", 600.5)
    with pytest.raises(TooManyRequestsError):
        limiter.check("busy", 601.0)


def test_however_many_come_only_so_many_are_known() -> None:
    limiter = RateLimiter(2)
    for number in range(MAX_CLIENTS + 500):
        limiter.check(f"client {number}", 1000.0)
    assert len(limiter._buckets) == MAX_CLIENTS


@pytest.mark.parametrize("trusted", ["127.0.0.1", ""])
def test_whose_word_is_taken_for_an_address(make_server: MakeServer, trusted: str) -> None:
    server = make_server(RATE_LIMIT_FACTOR="0.1", FORWARDED_ALLOW_IPS=trusted)
    slug = Browser(server.url).sign_in("Ada").start_session()
    crowd = [Browser(server.url, **{"X-Forwarded-For": f"192.0.2.{n}"}) for n in range(7)]
    statuses = [one.http.post(f"/s/{slug}/guest", data={"name": "G"}).status_code for one in crowd]
    assert statuses == [303] * 6 + [303 if trusted else 429]


# Trouble


@pytest.fixture(scope="module")
def line(make_database: Callable[[], str]) -> Iterator[DatabaseLine]:
    """The line to the database of `fragile`."""
    with DatabaseLine(make_database()) as line:
        yield line


@pytest.fixture(scope="module")
def fragile(make_server_in: MakeServer, line: DatabaseLine) -> AppServer:
    """Sessions with a database that may break."""
    return make_server_in(DATABASE_URL=line.url)


def test_a_mistake_of_ours_shows_no_trace(fragile: AppServer, line: DatabaseLine) -> None:
    ada = Browser(fragile.url).sign_in("Ada Lovelace")
    sql(line.url, "ALTER TABLE sessions RENAME TO lost")
    page = ada.http.get("/")
    data = ada.http.get("/sessions", headers=JSON)
    russian = ada.http.get("/", headers={"Accept-Language": "ru"})
    sql(line.url, "ALTER TABLE lost RENAME TO sessions")
    assert page.status_code == 500
    assert "<h1>That didn’t work.</h1>" in page.text
    assert data.status_code == 500
    assert data.json()["error"]["code"] == "failed"
    for secret in ("Traceback", "asyncpg", "lost", "SELECT", "routes"):
        assert secret not in page.text + data.text
    assert "UndefinedTableError" in fragile.log
    number = page.headers["x-request-id"]
    assert f"has been noted as number {number}." in page.text
    told = f"Exception in ASGI application request={number}\nTraceback"
    wait_until(lambda: told in fragile.log, news=lambda: fragile.log)
    assert data.headers["x-request-id"] in data.json()["error"]["message"]
    assert f"записана под номером {russian.headers['x-request-id']}." in russian.text


def test_while_the_database_is_away_everybody_is_told(
    fragile: AppServer, line: DatabaseLine
) -> None:
    told_before = fragile.log.count("Exception in ASGI")
    ada = Browser(fragile.url).sign_in("Ada Lovelace")
    healthy = ada.http.get("/health/ready")
    assert healthy.status_code == 200
    assert healthy.json()["status"] == "ok"
    assert healthy.json()["database"] == "ok"
    assert healthy.json()["speech"]["engine"] == "off"
    assert healthy.headers["cache-control"] == "no-store"

    line.cut()
    away = ada.http.get("/health/ready")
    assert away.status_code == 503
    for alive in map(ada.http.get, ("/health", "/up")):  # nobody is to restart us for that
        assert (alive.status_code, alive.json()["status"]) == (200, "error")
        assert alive.headers["cache-control"] == "no-store"
    assert (away.json()["status"], away.json()["database"]) == ("error", "away")
    assert set(away.json()) == set(healthy.json())
    page = ada.http.get("/")
    assert page.status_code == 503
    assert int(page.headers["retry-after"]) > 0
    assert "We can’t reach our memory." in page.text
    data = ada.http.post("/sessions", headers=JSON)
    assert (data.status_code, data.json()["error"]["code"]) == (503, "database_away")
    assert Browser(fragile.url).http.get("/").status_code == 200  # needs no memory

    line.mend()
    assert ada.http.get("/health/ready").status_code == 200
    assert "Sign out" in ada.http.get("/").text  # still signed in

    line.hold()
    assert ada.http.get("/health/ready").status_code == 503, (
        "it never answers, which isn't waited for"
    )
    line.mend()
    assert ada.http.get("/health/ready").status_code == 200
    assert fragile.log.count("Exception in ASGI") == told_before
