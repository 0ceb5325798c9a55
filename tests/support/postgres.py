"""PostgreSQL clusters for tests: made once, copied after that, and without a care for power cuts.

One cluster is enough for a whole run: tests make databases of their own in it. Under pytest-xdist
all workers share it. Whoever needs it first starts it, so that a run of tests without a database
has none. (A template database with the schema in it was tried: a copy takes 54 ms, an empty
database and the schema 80, beside a second for a server's start. Not worth a second truth.)
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import asyncpg
import psutil

from core.database.programs import Programs, account_for
from tests.support import ROOT
from tests.support.waiting import WAIT_TIMEOUT_S, wait_until

# A kill of a process loses nothing with these; only a power cut would. Vacuuming is for databases
# that live longer than a minute, and for a hundred at once it would keep a core busy.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "400",
    "shared_buffers": "32MB",
    "listen_addresses": "",
    # For who looks into a database without Sessions; it looks in its own schema by itself, which
    # tests/ops/test_schema_of_our_own.py sees without this.
    "search_path": "sessions,public",
}

# A folder for each version of PostgreSQL: clusters nobody has worked in.
_KEPT = ROOT / ".pytest_cache" / "postgres"


class Cluster:
    """One PostgreSQL: its data and its socket are in `folder`, whose path must be short."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._data = folder / "data"

    @property
    def pid(self) -> int | None:
        """The server's process, if it runs."""
        try:
            pid = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
        except FileNotFoundError:
            return None
        return pid if _runs(pid) else None

    def start(self) -> None:
        """Start it, unless it runs, with all the data it had, and wait until it answers."""
        if self.pid is not None:
            return
        if not self._data.exists():
            self._make()
        options = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items())
        self._run(
            "pg_ctl",
            *("start", "-w", "-t", str(int(WAIT_TIMEOUT_S)), "-l", str(self._data / "log")),
            *("-o", f"{options} -k {self._data}"),
        )

    def stop(self) -> None:
        """Stop it as an administrator does."""
        if self.pid is not None:
            self._run("pg_ctl", "stop", "-w", "-t", str(int(WAIT_TIMEOUT_S)), "-m", "fast")

    def crash(self) -> None:
        """Let it stop at once, without finishing anything."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGQUIT)
            wait_until(lambda: not _runs(pid))

    def delete(self) -> None:
        """End it and remove its data."""
        self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases."""
        return f"postgresql://postgres:@/{database}?host={self._data}"

    def create(self, database: str) -> str:
        """Make an empty database and return its address."""
        asyncio.run(self._create(database))
        return self.url(database)

    async def _create(self, database: str) -> None:
        connection = await asyncpg.connect(
            host=str(self._data), user="postgres", database="postgres", timeout=WAIT_TIMEOUT_S
        )
        try:
            await connection.execute(f"CREATE DATABASE {database}")
        finally:
            await connection.close()

    def _make(self) -> None:
        self.folder.chmod(0o755)
        kept = _KEPT / _programs().folder.parent.name
        if not os.access(kept, os.R_OK | os.X_OK):  # also where another user keeps it
            self._data.mkdir(mode=0o700)
            if (account := _programs().account) is not None:
                os.chown(self._data, account.uid, account.gid)
            self._run("initdb", "--no-sync", "--auth=trust", "--encoding=utf8", "-U", "postgres")
            _keep(self._data, kept)
        else:
            _copy(kept, self._data)

    def _run(self, program: str, *arguments: str) -> None:
        code, told = _programs().run(program, [*arguments, "-D", str(self._data)])
        assert code == 0, f"{program}: {told}"


def shared_cluster(folder: Path) -> Cluster:
    """Return the cluster in this folder, which whoever comes first has started."""
    cluster = Cluster(folder)
    with _locked(folder / "lock"):
        cluster.start()
    return cluster


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _keep(data: Path, kept: Path) -> None:
    """Keep a new cluster for later runs: its making takes a core for a second, a copy a tenth."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    # Another run may do the same: whoever is first has made it, whole from its first moment on.
    with tempfile.TemporaryDirectory(dir=kept.parent) as aside:
        _copy(data, Path(aside) / "data")
        with suppress(OSError):
            (Path(aside) / "data").rename(kept)


def _copy(data: Path, to: Path) -> None:
    subprocess.run(["cp", "-a", str(data), str(to)], check=True)  # with its owner and rights


def _runs(pid: int) -> bool:
    """Whether a process runs; one that has ended may be there until init looks after it."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@cache
def _programs() -> Programs:
    """The programs, for whom PostgreSQL runs as: it refuses to run as root."""
    return Programs(account_for(Path("/nowhere")))
