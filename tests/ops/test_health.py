"""Whether the process lives, and whether it can serve: at its doors, and by the command."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.settings import VARIABLES
from tests.conftest import MakeServer
from tests.support import ROOT
from tests.support.app_server import AppServer, free_port
from tests.support.database_line import DatabaseLine
from tests.support.http import outside
from tests.support.raw_http import Line
from tests.support.waiting import WAIT_TIMEOUT_S, wait_until
from web.healthcheck import HOSTS, PORTS, TIMEOUT_S, problem_at


@pytest.fixture(scope="module")
def line(make_database: Callable[[], str]) -> Iterator[DatabaseLine]:
    with DatabaseLine(make_database()) as line:
        yield line


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer, line: DatabaseLine) -> AppServer:
    return make_server_in(DATABASE_URL=line.url)


def checked(folder: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a container engine does."""
    return subprocess.run(
        [sys.executable, *options, str(ROOT / "app.py"), "healthcheck"],
        cwd=folder,
        env={"PATH": os.environ["PATH"]} | environ,
        capture_output=True,
        encoding="utf-8",
        timeout=WAIT_TIMEOUT_S,
        check=False,
    )


@contextmanager
def answering(answer: bytes | None) -> Iterator[str]:
    """Be a server that says this to whoever connects, or keeps silent; yields its port."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(WAIT_TIMEOUT_S)

        def serve() -> None:
            with listener.accept()[0] as taken:
                if answer is None:
                    done.wait(WAIT_TIMEOUT_S)
                else:
                    taken.recv(1000)
                    taken.sendall(answer)

        server = threading.Thread(target=serve)
        server.start()
        yield str(listener.getsockname()[1])
        done.set()
        server.join()


def test_a_container_engine_learns_that_it_lives_though_the_database_is_away(
    place: AppServer, line: DatabaseLine, tmp_path: Path
) -> None:
    done = checked(tmp_path, PORT=str(place.port), HOST="0.0.0.0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    line.hold()
    try:
        done = checked(tmp_path, PORT=str(place.port))
        assert (done.returncode, done.stderr) == (0, ""), "it waits for the database, and not long"
        told = outside("GET", f"{place.url}/health/ready")
        assert (told.status_code, told.json()["database"]) == (503, "away")
    finally:
        line.mend()
    wait_until(lambda: outside("GET", f"{place.url}/health/ready").status_code == 200)


def test_the_command_finds_the_server_of_a_file_env_and_imports_next_to_nothing(
    place: AppServer, tmp_path: Path
) -> None:
    done = checked(tmp_path, "-X", "importtime", WS_PORT=str(place.port))
    imported = set(re.findall(r"\| +([\w.]+)$", done.stderr, re.MULTILINE))
    assert done.returncode == 0
    assert "web.healthcheck" in imported
    assert not imported & {"asyncio", "starlette", "uvicorn", "core.settings", "ssl", "gettext"}
    (tmp_path / ".env").write_text(f"export PORT={place.port}\nHOST=127.0.0.1\n")
    assert checked(tmp_path).returncode == 0
    assert checked(tmp_path, PORT=str(free_port())).returncode == 1, "the environment comes first"
    (tmp_path / ".env").write_text("PORT\n")
    assert checked(tmp_path, PORT=str(place.port)).returncode == 0


def test_whoever_does_not_answer_is_told_in_one_line(tmp_path: Path) -> None:
    port = free_port()
    done = checked(tmp_path, PORT=str(port), LANG="ru_RU.UTF-8", PYTHONUTF8="1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"Сервер Sessions не в порядке: 127.0.0.1, порт {port}, не отвечает"
        " (В соединении отказано)."
    ]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "answers 503"),
        (b"HTTP/1.1 200 OK\r\n\r\n", None),
        (b"SSH-2.0-OpenSSH_10.0\r\n", "doesn't answer (what came is no HTTP)"),
        (b"x" * 5000, "doesn't answer (what came is no HTTP)"),
        (b"", "doesn't answer (what came is no HTTP)"),
        (None, "doesn't answer (nothing came within 3 s)"),
    ],
)
def test_what_others_at_that_port_answer(answer: bytes | None, why: str | None) -> None:
    began = time.monotonic()
    with answering(answer) as port:
        problem = problem_at({"PORT": port, "HOST": "::ffff:127.0.0.1"})
    told = None if why is None else f"::ffff:127.0.0.1, port {port} {why}"
    assert problem == told
    assert time.monotonic() - began < TIMEOUT_S + 1


@pytest.mark.parametrize("port", ["none", "0", "65536", "-1"])
def test_what_is_no_port(port: str) -> None:
    why = f"127.0.0.1, port {port} doesn't answer (that is no port)"
    assert problem_at({"PORT": port}) == why


def test_it_reads_the_variables_that_the_server_reads() -> None:
    names = {variable.field: variable.names for variable in VARIABLES}
    assert (names["host"], names["port"]) == (HOSTS, PORTS)


def test_who_stops_is_no_longer_called_alive(
    make_server: MakeServer, make_database: Callable[[], str]
) -> None:
    with DatabaseLine(make_database()) as line:
        server = make_server(DATABASE_URL=line.url)
        line.hold()
        with Line(server) as asking:
            asking.send("GET /up HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert outside("GET", f"{server.url}/sign-in").status_code == 200, "which came later"
            os.kill(server.pid, signal.SIGTERM)  # while it waits for the database
            assert asking.read(12) == b"HTTP/1.1 503"
        server.wait()
