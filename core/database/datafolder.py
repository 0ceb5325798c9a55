"""The data folder of the embedded PostgreSQL: made, checked, and closed to other local users.

It belongs to whom PostgreSQL runs as, with mode 0700, and has the server's socket in it: nobody
else gets as far as the socket. And nobody else is let in: the kernel tells the server who is at the
other end ("peer"), so there is no password to keep or to steal.

On Linux the folder may be one that PostgreSQL's user can't get to by name, as in /root, or whose
name is too long for a socket (107 bytes). Then the server gets the folder as an open file, and
knows it as /proc/self/fd/N: that leads into it whatever the folders above are, and their modes
stay as they are. Copying the data elsewhere was the other way: DATA_DIR would no longer have it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

from core.database.errors import DatabaseStartError
from core.database.programs import MAJOR, Programs
from core.words import N_, Words

SOCKET = ".s.PGSQL.5432"
MAX_SOCKET = 100  # bytes of a socket's path; systems differ from 103 on
# What needs no quoting by the shell of pg_ctl or in the server's list of socket folders.
PLAIN = re.compile(r"[\w/.+-]+", re.ASCII)
STOP_S = 4.0  # that a server has to stop: a container is killed 10 s after it was told to
START_S = "60"  # that a server has to start: after a crash it reads what it didn't write yet
OPEN_FILES = Path("/proc/self/fd")
WHO = """\
# Written by Sessions at each start: its own user is let in, as the kernel tells who that is.
# TYPE  DATABASE  USER      METHOD
local   all       postgres  peer map=sessions
"""


class DataFolder:
    """One data folder, which is made where there is none. `close` it in the end."""

    def __init__(self, path: Path, programs: Programs) -> None:
        self.path = path
        self._programs = programs
        if (path / "PG_VERSION").exists():
            self._check_version()
        elif path.exists() and any(path.iterdir()):
            raise DatabaseStartError(
                N_("%(folder)s isn't the data of a PostgreSQL, and isn't empty: move it away"),
                folder=path,
            )
        else:
            self._make()
        self._fd = os.open(path, os.O_RDONLY)
        by_name = PLAIN.fullmatch(str(path)) and len(str(path)) + len(SOCKET) < MAX_SOCKET
        self._by_name = (programs.account is None and bool(by_name)) or not OPEN_FILES.is_dir()
        place = os.fstat(self._fd)
        # How its server is known among processes, whatever name the folder has there.
        self._mark = f"cluster_name=sessions-{place.st_dev:x}-{place.st_ino:x}"

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)

    @property
    def files(self) -> tuple[int, ...]:
        """What a program must have open that is told of this folder by `host`."""
        return (self._fd,)

    @property
    def log(self) -> Path:
        """What the server writes."""
        return self.path / "log"

    def _check_version(self) -> None:
        version = (self.path / "PG_VERSION").read_bytes().strip().decode("ascii", "replace")
        if not version.isdecimal():
            raise DatabaseStartError(
                N_(
                    "the data in %(folder)s is damaged (PG_VERSION): restore it from a backup, or"
                    " move it away to begin anew"
                ),
                folder=self.path,
            )
        if int(version) != MAJOR:
            raise DatabaseStartError(
                N_(
                    "the data in %(folder)s is of PostgreSQL %(version)s, and the embedded one is"
                    " %(own)s: move it with pg_dump, or set DATABASE_URL"
                ),
                folder=self.path,
                version=version,
                own=MAJOR,
            )

    def _make(self) -> None:
        """Make a cluster beside, and move it here once it is whole: a crash leaves no half one."""
        fresh = self.path.with_name(f"{self.path.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if self._programs.account is not None:
            os.chown(fresh, self._programs.account.uid, self._programs.account.gid)
        fd = os.open(fresh, os.O_RDONLY)
        try:
            root = self._programs.account is not None and OPEN_FILES.is_dir()
            place = str(OPEN_FILES / str(fd)) if root else str(fresh)
            # Whatever the language of the machine is: names sort the same everywhere.
            how = "--encoding=UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8"
            code, told = self._programs.run(
                "initdb", ["-D", place, "-U", "postgres", "--auth=peer", *how.split()], [fd]
            )
        finally:
            os.close(fd)
        if code:
            shutil.rmtree(fresh, ignore_errors=True)
            raise DatabaseStartError(
                N_("the embedded PostgreSQL can't be made (%(why)s)"), why=reason(told)
            )
        if self.path.exists():
            self.path.rmdir()  # empty
        fresh.rename(self.path)

    def let_in(self, user: str) -> bool:
        """Let this user of the machine in and nobody else; return whether that is news."""
        names = f'sessions "{user}" postgres\n'
        changed = [self._write("pg_hba.conf", WHO), self._write("pg_ident.conf", names)]
        return any(changed)

    def _write(self, name: str, text: str) -> bool:
        path = self.path / name
        if path.is_file() and not path.is_symlink() and path.read_text(errors="replace") == text:
            return False
        # Beside and moved, so that nothing is ever written through a link.
        number, fresh = tempfile.mkstemp(dir=self.path)
        with os.fdopen(number, "w") as file:
            file.write(text)
            if self._programs.account is not None:
                os.fchown(number, self._programs.account.uid, self._programs.account.gid)
        Path(fresh).replace(path)
        return True

    def server(self) -> int | None:
        """Return the process that serves this folder, if one does.

        What a crash or a full disk has left of postmaster.pid is removed when none does: the
        number may be another program's by now.
        """
        path = self.path / "postmaster.pid"
        try:
            first = path.read_text(errors="replace").split("\n", 1)[0].strip()
        except FileNotFoundError:
            return None
        if first.isdecimal():
            if self._serves(int(first)):
                return int(first)
        else:
            import psutil  # noqa: PLC0415 - as below

            for pid in filter(self._serves, psutil.pids()):
                raise DatabaseStartError(
                    N_(
                        "%(file)s is damaged, while process %(number)s uses the data: end that"
                        " first"
                    ),
                    file=path,
                    number=pid,
                )
        path.unlink(missing_ok=True)
        return None

    def _serves(self, pid: int) -> bool:
        import psutil  # noqa: PLC0415 - only the embedded PostgreSQL needs it

        try:
            command = psutil.Process(pid).cmdline()
        except psutil.Error:
            return False
        # Its helpers name themselves otherwise. The second is how an earlier release called it.
        by_name = str(self.path) in command and Path(command[0]).name == "postgres"
        return self._mark in command or by_name

    def start(self) -> None:
        """Start a server, and wait until it answers. Raises DatabaseStartError."""
        place = socket = self._place
        if not PLAIN.fullmatch(socket) or len(socket) + len(SOCKET) >= MAX_SOCKET:
            socket = tempfile.mkdtemp(prefix="sessions-")  # 0700, and not on Linux
        options = f"-h '' -p 5432 -k {socket} -c {self._mark} -c log_error_verbosity=terse"
        before = self.log.stat().st_size if self.log.exists() else 0
        code, told = self._programs.run(
            "pg_ctl",
            ["start", "-w", "-t", START_S, "-D", place, "-l", f"{place}/log", "-o", options],
            [self._fd],
        )
        if code:
            raise DatabaseStartError(
                N_("the embedded PostgreSQL doesn't start (%(why)s); its log is %(file)s"),
                why=self._logged(before) or reason(told),
                file=self.log,
            )

    def _logged(self, since: int) -> str:
        """Return the last thing that the server could not do, from here on in its log."""
        try:
            lines = self.log.read_bytes()[since:].decode(errors="replace").splitlines()
        except OSError:
            return ""
        found = [line for line in lines if re.search(r"\b(FATAL|PANIC):", line)]
        return re.sub(r"^.*(?:FATAL|PANIC): +", "", found[-1]) if found else ""

    @staticmethod
    def reload(pid: int) -> None:
        """Have a running server read who is let in."""
        os.kill(pid, signal.SIGHUP)

    def stop(self, seconds: float) -> None:
        """Stop the server, as an administrator does; it has so many seconds."""
        arguments = ["stop", "-w", "-t", str(max(1, int(seconds))), "-m", "fast", "-D", self._place]
        self._programs.run("pg_ctl", arguments, [self._fd])

    @property
    def host(self) -> str:
        """The folder of the server's socket, as this process gets to it."""
        told = (self.path / "postmaster.pid").read_text().splitlines()
        elsewhere = Path(told[4].strip()) if len(told) > 4 else self.path
        if elsewhere != self.path and OPEN_FILES not in elsewhere.parents:
            return str(elsewhere)
        return self._place

    @property
    def _place(self) -> str:
        """The folder, as whoever has it open gets to it."""
        return str(self.path) if self._by_name else str(OPEN_FILES / str(self._fd))


def reason(told: str) -> str:
    """Return what a program gave as its reason, in its words."""
    lines = [line for line in told.splitlines() if "error:" in line or "FATAL" in line]
    last = lines[-1] if lines else next(reversed(told.splitlines()), "")
    reason = re.sub(r"^.*?(?:error|FATAL): +", "", last).strip()
    return reason or Words(N_("it doesn't say why"))
