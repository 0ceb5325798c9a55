"""The embedded PostgreSQL is for us alone, and changes nothing that isn't its own."""

from __future__ import annotations

import fcntl
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from core.database import DatabaseStartError, EmbeddedPostgres
from core.database.programs import PACKAGE, Account, Programs, account_for
from tests.support.embedded_data import embedded_data
from tests.support.waiting import wait_until

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can try it as somebody else")
TRUST = "local all all trust\nhost all all 127.0.0.1/32 trust\n"
LONG = "a-folder-with-a-name-that-is-longer-than-the-name-of-a-socket-may-be-on-any-system-there-is"


@pytest.fixture
def private() -> Iterator[Path]:
    """A folder that only its owner gets into, such as /root."""
    path = Path(tempfile.mkdtemp())
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def kept() -> Iterator[Path]:
    """A DATA_DIR that has its data already, for all tests that leave it as it was."""
    with embedded_data() as path:
        yield path


@pytest.fixture
def data_dir(kept: Path) -> Iterator[Path]:
    """The same, closed again after each."""
    yield kept
    kept.chmod(0o700)
    (kept / "postgres").chmod(0o700)


def modes(path: Path) -> dict[Path, int]:
    """What the modes of a folder and of all above it are."""
    return {one: stat.S_IMODE(one.stat().st_mode) for one in (path, *path.parents)}


async def ask(url: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("SELECT current_user")
    finally:
        await connection.close()


def try_as(user: str, folder: Path, *, may: bool = False) -> str:
    """Return what PostgreSQL's own client says when this user connects to a folder's socket.

    Fails where they get in, unless they may.
    """
    entry = pwd.getpwnam(user)
    programs = Programs(Account(entry.pw_uid, entry.pw_gid))
    code, told = programs.run("psql", ["-h", str(folder), "-U", "postgres", "-c", "SELECT 'in'"])
    assert may or code != 0, told
    return told


def server_of(data: Path) -> psutil.Process:
    return psutil.Process(int((data / "postmaster.pid").read_text().split("\n")[0]))


@pytest.mark.parametrize("name", ["data", f"{LONG} with a 'space', and more"], ids=["", "long"])
async def test_modes_stay_and_it_answers_us_wherever_it_is(private: Path, name: str) -> None:
    inner = private / "inner"
    inner.mkdir(mode=0o750)
    before = modes(inner)
    embedded = EmbeddedPostgres(inner / name)
    try:
        assert await ask(embedded.start()) == "postgres"
        data = inner / name / "postgres"
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        assert not server_of(data).net_connections("inet"), "no port of the machine leads to it"
        assert modes(inner) == before
    finally:
        embedded.stop()
    assert modes(inner) == before
    assert not (data / "postmaster.pid").exists()


@AS_ROOT
async def test_no_other_user_gets_in(data_dir: Path) -> None:
    embedded, data = EmbeddedPostgres(data_dir), data_dir / "postgres"
    url = embedded.start()
    try:
        assert "Permission denied" in try_as("nobody", data)
        for one in (data_dir, data):
            one.chmod(0o755)  # by an administrator who meant well
        for user in ("nobody", "pgserver"):
            assert "Peer authentication failed" in try_as(user, data)
        assert await ask(url) == "postgres"
    finally:
        data.chmod(0o700)
        embedded.stop()


@AS_ROOT
def test_the_data_of_an_earlier_release_is_closed_too(data_dir: Path) -> None:
    """Also while a server of that release runs, which lets everybody in."""
    embedded, data = EmbeddedPostgres(data_dir), data_dir / "postgres"
    (data / "pg_hba.conf").write_text(TRUST)
    data_dir.chmod(0o755)
    how = ["-l", str(data / "log"), "-o", f"-h '' -k {data}"]
    code, told = Programs(account_for(data)).run("pg_ctl", ["start", "-w", "-D", str(data), *how])
    assert code == 0, told
    before = server_of(data).pid
    embedded.start()
    assert server_of(data).pid == before, "it is shared, not doubled"
    data.chmod(0o755)
    wait_until(lambda: "Peer authentication failed" in try_as("nobody", data, may=True))
    embedded.stop()
    assert not (data / "postmaster.pid").exists()


async def test_what_a_crash_left_of_a_server_does_not_matter(data_dir: Path) -> None:
    """The number in its file may be another program's by now."""
    data = data_dir / "postgres"
    for left in ("", f"{os.getpid()}\n{data}\n"):
        (data / "postmaster.pid").write_text(left)
        embedded = EmbeddedPostgres(data_dir)
        assert await ask(embedded.start()) == "postgres"
        embedded.stop()


def test_a_torn_file_of_a_server_that_runs_is_no_leave_to_start_another(data_dir: Path) -> None:
    embedded, number = EmbeddedPostgres(data_dir), data_dir / "postgres" / "postmaster.pid"
    embedded.start()
    whole = number.read_text()
    number.write_text("")
    with pytest.raises(DatabaseStartError, match=f"while process {whole.split()[0]} uses the data"):
        EmbeddedPostgres(data_dir).start()
    number.write_text(whole)
    embedded.stop()
    assert not number.exists()


def test_data_that_was_removed_meanwhile_is_no_trouble_at_the_stop(
    private: Path, kept: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data_dir = private / "data"
    subprocess.run(["cp", "-a", str(kept), str(data_dir)], check=True)
    embedded = EmbeddedPostgres(data_dir)
    embedded.start()
    server = server_of(data_dir / "postgres")
    shutil.rmtree(data_dir)
    embedded.stop()
    assert "is left to itself" in caplog.text
    server.kill()


def test_a_stop_waits_only_so_long_for_another_process(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    embedded, other = EmbeddedPostgres(data_dir), EmbeddedPostgres(data_dir)
    embedded.start()
    turn = os.open(data_dir / "postgres.starting", os.O_RDWR)
    fcntl.flock(turn, fcntl.LOCK_EX)
    embedded.stop(0.1)
    assert "another process is at it" in caplog.text
    os.close(turn)
    other.start()
    other.stop()
    assert not (data_dir / "postgres" / "postmaster.pid").exists(), "the next one stops it"


@AS_ROOT
def test_programs_that_another_user_cannot_reach_are_copied(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Programs(None).folder.parents[2]
    parts = (f"{PACKAGE}/__init__.py", f"{PACKAGE}/pginstall18", f"{PACKAGE}.libs")
    (private / PACKAGE).mkdir(mode=0o700)
    for part in parts:
        if (ours / part).is_dir():
            shutil.copytree(ours / part, private / part, symlinks=True, copy_function=os.link)
        elif (ours / part).exists():
            os.link(ours / part, private / part)
    monkeypatch.syspath_prepend(str(private))
    monkeypatch.delitem(__import__("sys").modules, PACKAGE, raising=False)
    before = modes(private / PACKAGE / "pginstall18" / "bin")
    programs = Programs(account_for(private / "data"))
    assert programs.folder.is_relative_to("/var/cache/sessions")
    assert re.match(r"postgres \(PostgreSQL\) 18", programs.run("postgres", ["--version"])[1])
    assert programs.run("initdb", ["--version"])[0] == 0
    assert modes(private / PACKAGE / "pginstall18" / "bin") == before
    for one in programs.folder.parents[2].rglob("*"):
        if not one.is_symlink():
            assert not one.stat().st_mode & 0o022, "nobody else may change what we run"
