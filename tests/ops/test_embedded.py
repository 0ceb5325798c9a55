"""A fresh machine: no DATABASE_URL, a PostgreSQL of our own in the data folder."""

from __future__ import annotations

import os
import re
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.visitors import Visitor
from tests.support.waiting import WAIT_TIMEOUT_S, wait_until

# So that the signal of a Ctrl-C can go to everything the terminal would send it to.
OWN_GROUP = "import os, sys; os.setsid(); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"


class FreshMachine(AppServer):
    """Sessions without any setting, started as from a terminal."""

    def __init__(self, data_dir: Path, *command: str) -> None:
        super().__init__(data_dir, {"SPEECH_ENGINE": "off"})
        port = ["--port", str(self.port)] if "uvicorn" in command else []
        self.command = [sys.executable, "-c", OWN_GROUP, *command, *port]

    def ctrl_c(self) -> int:
        """Press it once and return the exit code."""
        assert self._process is not None
        os.killpg(self.pid, signal.SIGINT)
        return self._process.wait(WAIT_TIMEOUT_S)

    @property
    def starts(self) -> int:
        """How often the table was printed."""
        return len(re.findall(r"^ +Open http://localhost:\d+$", self.log, re.M))

    @property
    def databases(self) -> list[int]:
        """The PostgreSQL servers that run on this data folder."""
        data = (self.data_dir / "postgres").stat()
        mark = f"cluster_name=sessions-{data.st_dev:x}-{data.st_ino:x}"
        # Only the server shows how it was called: its helpers name themselves differently, if a
        # moment after they are born.
        found = {}
        for process in psutil.process_iter(["pid", "ppid", "cmdline"]):
            if mark in (process.info["cmdline"] or []):
                found[process.info["pid"]] = process.info["ppid"]
        return [pid for pid, parent in found.items() if parent not in found]


Start = Callable[..., FreshMachine]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that doesn't exist yet."""
    return tmp_path_factory.mktemp("fresh") / "data"


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Start Sessions on the folder; in the end, everything is stopped."""
    machines: list[FreshMachine] = []

    def run(*command: str) -> FreshMachine:
        machines.append(FreshMachine(folder, *(command or ("app.py", "serve"))))
        machines[-1].start()
        return machines[-1]

    yield run
    for machine in machines:
        machine.stop()
    for pid in machines[-1].databases:
        os.kill(pid, signal.SIGINT)


def moved(browser: Visitor, machine: FreshMachine) -> Browser:
    """Return the same browser at another port."""
    other = Browser(machine.url)
    other.http.cookies = browser.http.cookies
    return other


def test_a_fresh_machine_keeps_everything_over_a_restart(start: Start, folder: Path) -> None:
    first = start()
    table = {row[0]: row[1] for row in re.findall(r"^  ([a-z]+) +(\w+) +\S", first.log, re.M)}
    assert table == {
        "database": "embedded",
        "login": "embedded",
        "video": "default",
        "speech": "off",
    }
    assert f"  Open {first.url}\n" in first.log
    assert len(first.databases) == 1
    secret = folder / "secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.read_text() not in first.log

    ada = Browser(first.url).sign_in("Ada Lovelace")
    slug = ada.start_session("Engines")
    assert first.ctrl_c() in {0, -signal.SIGINT}
    assert first.databases == []
    assert "Traceback" not in first.log

    second = start()
    ada = moved(ada, second)
    assert "Ada Lovelace" in ada.http.get("/").text
    assert "Engines" in ada.http.get(f"/s/{slug}").text

    third = start()  # beside the second one, on the same database
    assert len(second.databases) == 1
    second.ctrl_c()
    assert "Engines" in moved(ada, third).http.get(f"/s/{slug}").text
    third.ctrl_c()
    assert third.databases == []


def test_a_reload_neither_breaks_nor_doubles_the_database(start: Start, tmp_path: Path) -> None:
    watched = tmp_path / "watched.py"
    watched.write_text("")
    machine = start("-m", "uvicorn", "app:app", "--reload", "--reload-dir", str(tmp_path))
    ada = Browser(machine.url).sign_in("Ada Lovelace")
    slug = ada.start_session("Reloads")
    before = machine.starts
    for reloads in (1, 2):
        watched.write_text(f"# {reloads}")
        wait_until(lambda count=before + reloads: machine.starts == count)  # type: ignore[misc]
        assert "Reloads" in ada.http.get(f"/s/{slug}").text
        assert len(machine.databases) == 1
    machine.ctrl_c()
    wait_until(lambda: machine.databases == [])
    assert "Traceback" not in machine.log


def test_a_crash_loses_nothing_and_leaves_nothing_running(start: Start) -> None:
    first = start()
    ada = Browser(first.url).sign_in("Ada Lovelace")
    slug = ada.start_session("Difference")
    first.kill()
    assert len(first.databases) == 1  # nobody was there to stop it

    second = start()
    assert len(second.databases) == 1
    assert "Difference" in moved(ada, second).http.get(f"/s/{slug}").text
    second.ctrl_c()
    assert second.databases == []
