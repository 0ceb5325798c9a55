"""Starting beside a PostgreSQL that comes late, never, or doesn't want us."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from core.database import Database, DatabaseStartError, pool
from core.database.pool import START_NEWS_S
from tests.support.app_server import AppServer, free_port
from tests.support.http import outside
from tests.support.own_postgres import OwnPostgres
from tests.support.tables import Tables
from tests.support.waiting import wait_until
from web.starting import refusal

PASSWORD = "only-for-tests-and-nobody-else"
ODD_PASSWORD = "a@b:c/d?e#f%20 +g&h=ü"
SERVE = None  # as a fork, see tests/support/forked.py
UVICORN = ["sh", "-c", f'exec {sys.executable} -m uvicorn app:app --port "$PORT"']
# The same in Python, for what has to be changed first.
SERVE_CODE = "import app; app.serve()"
UVICORN_CODE = "import os, uvicorn; uvicorn.main(['app:app', '--port', os.environ['PORT']])"
# In both languages.
REFUSES = "refuses the user or the password", "не принимает имя пользователя или пароль"


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnPostgres]:
    """A PostgreSQL that asks `guarded` for a password, and lets `guarded` make nothing."""
    with OwnPostgres() as running:
        tables = Tables(running.url)
        tables(f"CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'")
        rules = Path(tables.one("SHOW hba_file"))
        tables(f"CREATE ROLE odd LOGIN PASSWORD '{ODD_PASSWORD}'")
        rules.write_text("local all guarded,odd scram-sha-256\nlocal all all trust\n")
        tables("SELECT pg_reload_conf()")
        yield running


@pytest.fixture
def away(postgres: OwnPostgres) -> Iterator[OwnPostgres]:
    """The same, but it isn't there yet."""
    postgres.stop()
    yield postgres
    postgres.start()


Launch = Callable[..., AppServer]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Start Sessions without waiting for it."""
    servers: list[AppServer] = []

    def run(command: list[str] | None, url: str) -> AppServer:
        environment = {"DATABASE_URL": url, "SPEECH_ENGINE": "off"}
        servers.append(AppServer(tmp_path / str(len(servers)), environment, command))
        servers[-1].launch()
        return servers[-1]

    yield run
    for server in servers:
        server.kill()


def at(postgres: OwnPostgres, who: str, name: str = "postgres") -> str:
    """The address of a database there, for somebody."""
    address = postgres.url.replace("//postgres:@/postgres?", f"//{who}@/{name}?")
    head, _, query = address.partition("?")
    return f"{head}?{query.replace('?', '&')}"


def until_logged(server: AppServer, text: str) -> None:
    wait_until(lambda: text in server.log, news=lambda: server.log)


def assert_clean(server: AppServer) -> None:
    """What is logged tells people what to do, and nobody how to get in."""
    assert "Traceback" not in server.log
    assert PASSWORD not in server.log
    assert "postgresql://" not in server.log
    assert "host=" not in server.log


def answers(server: AppServer) -> bool:
    try:
        return outside("GET", f"{server.url}/health").status_code == 200
    except httpx2.TransportError:
        return False


def test_a_database_that_comes_late_is_waited_for(away: OwnPostgres, launch: Launch) -> None:
    url = at(away, f"postgres:{PASSWORD}")
    began = time.monotonic()
    servers = [launch(how, url) for how in (SERVE, UVICORN)]
    for server in servers:
        until_logged(server, "waiting for PostgreSQL")
    time.sleep(8)  # several more attempts, none of which is told
    away.start()
    wait_until(lambda: all(answers(server) for server in servers), news=lambda: servers[0].log)
    most = 1 + (time.monotonic() - began) // START_NEWS_S
    for server in servers:
        assert 1 <= server.log.count("waiting for PostgreSQL") <= most
        assert_clean(server)


@pytest.mark.parametrize("code", [SERVE_CODE, UVICORN_CODE], ids=["serve", "uvicorn"])
def test_a_database_that_never_comes_is_not_waited_for_for_ever(
    away: OwnPostgres, launch: Launch, code: str
) -> None:
    shorter = "from core.database import pool as d; d.START_TIMEOUT_S = 2.0; d.START_NEWS_S = 1.0;"
    command = [sys.executable, "-c", f"{shorter} {code}"]
    server = launch(command, at(away, f"postgres:{PASSWORD}"))
    assert server.wait() != 0
    assert "Sessions can't start: PostgreSQL could not be reached within 2 s" in server.log
    assert server.log.count("waiting for PostgreSQL") == 2
    assert_clean(server)


@pytest.mark.parametrize("how", [SERVE, UVICORN], ids=["serve", "uvicorn"])
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_the_wait_can_be_ended(
    away: OwnPostgres, launch: Launch, how: list[str] | None, sign: signal.Signals
) -> None:
    server = launch(how, at(away, "postgres"))
    until_logged(server, "waiting for PostgreSQL")
    began = time.monotonic()
    end = server.interrupt if sign == signal.SIGINT else server.stop
    assert end() != 0
    assert time.monotonic() - began < 30, "it waits for a minute otherwise"
    assert "Sessions was stopped before it had started." in server.log
    assert_clean(server)


@pytest.mark.parametrize(
    ("who", "name", "why"),
    [
        ("guarded:wrong", "postgres", REFUSES),
        ("guarded", "postgres", REFUSES),
        ("nobody", "postgres", REFUSES),
        ("postgres", "nowhere", ("has no database of the name", "нет базы данных с именем")),
        (
            f"guarded:{PASSWORD}",
            "postgres",
            (
                "doesn't let the user in DATABASE_URL make",
                "не даёт пользователю из DATABASE_URL созда",
            ),
        ),
        (
            "postgres",
            "postgres?sslmode=whatever",
            ("sslmode in DATABASE_URL can't be understood", "нельзя разобрать хост, порт или ssl"),
        ),
    ],
    ids=["wrong password", "no password", "no user", "no database", "no rights", "no sslmode"],
)
async def test_a_database_that_refuses_is_told_at_once(
    postgres: OwnPostgres, launch: Launch, who: str, name: str, why: tuple[str, str]
) -> None:
    english, russian = why
    server = launch(SERVE, at(postgres, who, name))
    began = time.monotonic()
    assert server.wait() != 0
    assert time.monotonic() - began < 50, "it waits for a minute otherwise"
    (told,) = [line for line in server.log.splitlines() if "Sessions can't start" in line]
    assert english in told
    assert "waiting for PostgreSQL" not in server.log
    assert "wrong" not in server.log
    assert_clean(server)
    assert russian in await told_in_russian(Database(at(postgres, who, name)))


async def told_in_russian(db: Database) -> str:
    """Return why a database can't be used, as a Russian terminal is told."""
    with pytest.raises(DatabaseStartError) as problem:
        await db.connect()
    await db.disconnect()
    with pytest.MonkeyPatch.context() as terminal:
        terminal.setenv("LANGUAGE", "ru")
        return refusal(problem.value)


async def test_how_long_a_database_was_waited_for_is_told_in_russian(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "START_TIMEOUT_S", 0.0)
    nowhere = Database(f"postgresql://postgres@127.0.0.1:{free_port()}/postgres")
    told = await told_in_russian(nowhere)
    assert "PostgreSQL не отвечает уже 0 с (ConnectionRefusedError): запустите его" in told


async def test_a_password_may_have_any_character(postgres: OwnPostgres) -> None:
    await asyncio.to_thread(Tables(postgres.url), "CREATE DATABASE odd OWNER odd")
    db = Database(at(postgres, f"odd:{quote(ODD_PASSWORD, safe='')}", "odd?sslmode=prefer"))
    await db.connect()
    try:
        assert (await db.returning("SELECT current_user AS me"))["me"] == "odd"
    finally:
        await db.disconnect()
