"""Starts `app.py serve`, or another command, as a fork of a process that has imported everything.

A start is a second of imports otherwise, a hundred times in the suite. What runs is the same: the
same file as the main program, in its own process with its own environment. That a new interpreter
starts, too, is tested in tests/ops.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

from tests.support import ROOT
from tests.support.waiting import WAIT_TIMEOUT_S

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.support.imports_of_app"])


def _become(environment: dict[str, str], log: Path, command: str, folder: Path) -> None:
    """Become Sessions in a working directory; runs in the fork."""
    # As in a terminal: what is started in the background ignores Ctrl-C, and its children, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    app = str(ROOT / "app.py")
    sys.argv = [app, *command.split()]
    sys.path.insert(0, str(ROOT))
    runpy.run_path(app, run_name="__main__")


class ForkedServer:
    """One running Sessions, with the part of `subprocess.Popen` that tests use."""

    def __init__(
        self, environment: dict[str, str], log: Path, command: str = "serve", folder: Path = ROOT
    ) -> None:
        told = (environment, log, command, folder)
        self._process = _CONTEXT.Process(target=_become, args=told, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs after so many seconds.
        """
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired("app.py serve", timeout)
        return code

    def send_signal(self, sig: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, sig)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


def run(command: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command of `app.py` in a folder; return its exit code and all that it printed."""
    log = folder / "printed"
    code = ForkedServer(environment, log, command, folder).wait(WAIT_TIMEOUT_S)
    printed = log.read_text()
    log.unlink()
    return code, printed
