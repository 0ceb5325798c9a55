"""Runs Sessions as its own process, the way people run it, against a database of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.support import ROOT
from tests.support.forked import ForkedServer
from tests.support.http import outside
from tests.support.waiting import WAIT_TIMEOUT_S, wait_until

SERVE = (sys.executable, "app.py", "serve")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class AppServer:
    """One Sessions process: `start`, `interrupt` as Ctrl-C does, `kill` as a crash does.

    Args:
        data_dir: its DATA_DIR, which holds its log, too.
        environment: its settings; `{url}` in one is where it will be.
        command: what starts it; None for a fork of a process that has imported all of it.
    """

    def __init__(
        self, data_dir: Path, environment: dict[str, str], command: Sequence[str] | None = SERVE
    ) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.data_dir = data_dir
        self.secret = uuid.uuid4().hex * 2
        self.command = command
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "DATA_DIR": str(data_dir),
            "PORT": str(self.port),
            "TRANSCRIPTION_JWT_SECRET": self.secret,
            "RATE_LIMIT_FACTOR": "100",
            "NO_PROXY": "localhost,127.0.0.1",
            **{name: value.replace("{url}", self.url) for name, value in environment.items()},
        }
        self._process: subprocess.Popen[bytes] | ForkedServer | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What it is told."""
        return dict(self._environment)

    @property
    def database_url(self) -> str:
        """Where its database is, when it was given one."""
        return self._environment["DATABASE_URL"]

    @property
    def log(self) -> str:
        """What the process printed so far, in whole lines: the last one may be on its way."""
        path = self.data_dir / "server.log"
        printed = path.read_text() if path.exists() else ""
        return printed[: printed.rfind("\n") + 1]

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> AppServer:
        """Start and wait until it answers."""
        self.launch()
        assert self._process is not None
        process = self._process
        wait_until(
            lambda: process.poll() is not None or self._answers(),
            news=lambda: f"the server did not answer:\n{self.log}",
        )
        assert process.poll() is None, f"the server stopped:\n{self.log}"
        return self

    def _answers(self) -> bool:
        try:
            outside("GET", f"{self.url}/health")
        except httpx2.TransportError:
            return False
        return True

    def launch(self) -> None:
        """Start, and wait for nothing."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        path = self.data_dir / "server.log"
        if self.command is None:
            self._process = ForkedServer(self._environment, path)
            return
        with path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    def wait(self) -> int:
        """Wait until it stops by itself and return its exit code."""
        assert self._process is not None
        return self._process.wait(WAIT_TIMEOUT_S)

    def interrupt(self) -> int:
        """Stop it as Ctrl-C does and return its exit code."""
        return self._end(signal.SIGINT)

    def stop(self) -> int:
        """Stop it as a container is stopped."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self._end(signal.SIGKILL)

    @contextmanager
    def slowed(self, to: float = 0.33) -> Iterator[None]:
        """Give it a share of its time, as on a busy machine, which costs other tests nothing."""
        done = threading.Event()

        def hold() -> None:
            # Often enough that no connection takes it for dead.
            while not done.wait(0.03):
                os.kill(self.pid, signal.SIGSTOP)
                done.wait(0.03 / to - 0.03)
                os.kill(self.pid, signal.SIGCONT)

        holder = threading.Thread(target=hold)
        holder.start()
        try:
            yield
        finally:
            done.set()
            holder.join()

    def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            return self._process.wait(WAIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"the server did not stop:\n{self.log}") from None
