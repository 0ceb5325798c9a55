"""A PostgreSQL that a test may stop, kill and start again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.support.postgres import Cluster


class OwnPostgres:
    """`with OwnPostgres() as postgres`: runs until stopped; `url` stays the same."""

    def __init__(self) -> None:
        # A short path: a socket's name may have a hundred characters only.
        self._cluster = Cluster(Path(tempfile.mkdtemp(prefix="pg", dir="/tmp")))
        self.url = self._cluster.url()

    def stop(self) -> None:
        """Stop it as an administrator does."""
        self._cluster.stop()

    def crash(self) -> None:
        """Let it stop at once, without finishing anything."""
        self._cluster.crash()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it hang: it takes connections and statements, and answers nothing."""
        assert self._cluster.pid is not None
        server = psutil.Process(self._cluster.pid)
        processes = [server, *server.children()]
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()

    def start(self) -> None:
        """Start it again, with all its data."""
        self._cluster.start()

    def __enter__(self) -> Self:
        self._cluster.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cluster.delete()
