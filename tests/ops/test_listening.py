"""The address that the banner names is the one that works."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.process.listening import OURS, own_address
from core.settings import load
from tests.conftest import MakeServer
from tests.support.app_server import AppServer

UVICORN = ["/usr/bin/uvicorn", "app:app"]


def opened(server: AppServer) -> list[str]:
    """Return the addresses that the banner tells to open."""
    return re.findall(r"Open (\S+)", server.log)


@pytest.mark.parametrize(
    "how",
    [
        ["-m", "uvicorn", "app:app", "--port", "{port}"],
        ["-m", "uvicorn", "app:app", "--reload", "--host", "0.0.0.0", "--port={port}"],
        ["app.py"],
    ],
    ids=" ".join,
)
def test_the_banner_names_the_address_that_answers(
    make_database: Callable[[], str], tmp_path: Path, how: list[str]
) -> None:
    environment = {"DATABASE_URL": make_database(), "SPEECH_ENGINE": "off"}
    if "uvicorn" in how:
        environment["PORT"] = "8000"  # which uvicorn doesn't know
    server = AppServer(tmp_path / "data", environment)
    server.command = [sys.executable, *(part.format(port=server.port) for part in how)]
    try:
        server.start()  # once it answers at its port
        assert opened(server) == [server.url]
        assert "On this computer only" in server.log
        assert "AI" not in server.log
    finally:
        server.stop()


def test_with_an_address_for_others_both_are_named(make_server: MakeServer) -> None:
    server = make_server(NEXTAUTH_URL="https://meet.example.com")
    assert opened(server) == [server.url, "https://meet.example.com"]
    assert "On this computer only" not in server.log


def test_the_banner_speaks_the_terminals_language(make_server: MakeServer) -> None:
    server = make_server(SPEECH_ENGINE="off", LANG="ru_RU.UTF-8")
    assert f"Откройте {server.url}" in server.log
    assert re.search(r"речь +выключено +субтитры отключены настройкой SPEECH_ENGINE", server.log)
    assert opened(server) == []


@pytest.mark.parametrize(
    ("command", "address"),
    [
        ([*UVICORN], "http://localhost:8000"),
        ([*UVICORN, "--port", "8420"], "http://localhost:8420"),
        (["/x/uvicorn/__main__.py", "--port=1", "app:app"], "http://localhost:1"),
        ([*UVICORN, "--host", "192.0.2.1"], "http://192.0.2.1:8000"),
        ([*UVICORN, "--host", "2001:db8::1"], "http://[2001:db8::1]:8000"),
        ([*UVICORN, "--ssl-certfile", __file__], "https://localhost:8000"),
        ([*UVICORN, "--port", "0"], None),
        ([*UVICORN, "--uds", "/tmp/socket"], None),
        ([*UVICORN, "--fd", "3"], None),
        ([*UVICORN, "--no-such-option"], None),
        ([str(OURS), "serve"], "http://localhost:9000"),
        (["/usr/bin/gunicorn", "app:app", "-b", ":80"], None),
        (["/elsewhere/app.py"], None),
        ([], None),
    ],
)
def test_what_is_known_of_the_address(command: list[str], address: str | None) -> None:
    assert own_address(load({"PORT": "9000"}), command) == address


def test_uvicorns_own_variables_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UVICORN_PORT", "8421")
    assert own_address(load({}), UVICORN) == "http://localhost:8421"
