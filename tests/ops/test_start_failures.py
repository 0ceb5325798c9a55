"""A start that can't succeed ends soon, with a sentence for whoever started it and no trace."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.types import Message

from tests.support.app_server import free_port
from tests.support.embedded_data import embedded_data
from tests.support.forked import ForkedServer
from tests.support.tables import Tables
from tests.support.waiting import WAIT_TIMEOUT_S
from web.starting import Starting

SECRET = "b85f1d2c6e0a47939d3e5c7a1f60824b"
GIVEN = {"NEXTAUTH_SECRET": SECRET, "TRANSCRIPTION_JWT_SECRET": SECRET}

Break = Callable[[Path], dict[str, str]]
Ended = tuple[int, str]


def run(command: str, folder: Path, environ: dict[str, str]) -> Ended:
    """Start Sessions in a folder, and return how it ended and what it printed."""
    log = folder / "printed"
    known = {"PATH": os.environ["PATH"], "SPEECH_ENGINE": "off", "PORT": str(free_port())}
    code = ForkedServer(known | environ, log, command, folder).wait(WAIT_TIMEOUT_S)
    printed = log.read_text()
    log.unlink()
    return code, printed


def assert_told(ended: Ended, why: str) -> None:
    code, printed = ended
    assert code > 0, printed
    assert "Traceback" not in printed
    assert why in printed
    assert SECRET not in printed


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one: a working directory with DATA_DIR in it."""
    path = Path(tempfile.mkdtemp())
    yield path
    shutil.rmtree(path)


def env_file(content: bytes) -> Break:
    def make(folder: Path) -> dict[str, str]:
        (folder / ".env").write_bytes(content)
        return {}

    return make


def env_folder(folder: Path) -> dict[str, str]:
    (folder / ".env").mkdir()
    return {}


def in_data(name: str, content: bytes | None) -> Break:
    """Have a file in DATA_DIR, or a folder in place of one."""

    def make(folder: Path) -> dict[str, str]:
        data = folder / ".data"
        data.mkdir()
        if content is None:
            (data / name).mkdir()
        else:
            (data / name).write_bytes(content)
        return {}

    return make


def setting(**environ: str) -> Break:
    return lambda _: environ


# What is found before anything is served, also by who imports the app.
AT_IMPORT: dict[str, tuple[Break, str]] = {
    ".env in Latin-1": (env_file("A=Grüße".encode("latin-1")), "isn't text in UTF-8 (line 1)"),
    ".env with a line that isn't one": (env_file(b"PORT 8000"), "line 1 isn't NAME=value"),
    ".env a folder": (env_folder, ".env can't be read: Is a directory"),
    "secret no text": (in_data("secret", b"\xff\xfe"), "secret isn't text: remove it"),
    "secret a folder": (in_data("secret", None), "Is a directory: .data/secret"),
    "DATA_DIR of nobody": (setting(DATA_DIR="~nosuchuser/x"), "~ and a user who isn't known"),
    "DATA_DIR not to be made": (setting(DATA_DIR="/sys/sessions"), "keeps one in DATA_DIR"),
    "DATA_DIR a file": (setting(DATA_DIR="/dev/null"), "keeps one in DATA_DIR"),
}


@pytest.mark.parametrize("what", AT_IMPORT)
def test_what_is_wrong_from_the_start(folder: Path, what: str) -> None:
    breaks, why = AT_IMPORT[what]
    environ = breaks(folder)
    assert_told(run("serve", folder, environ), why)
    if what.startswith(".env"):  # it looks at no data
        assert_told(run("check", folder, environ), why)


# What is found when the server begins.


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """A DATA_DIR with the data of an embedded PostgreSQL, to be copied and broken."""
    with embedded_data() as path:
        yield path


def broken(name: str, content: bytes | None) -> Callable[[Path], None]:
    def damage(data: Path) -> None:
        if content is None:
            (data / name).unlink()
        else:
            (data / name).write_bytes(content)

    return damage


DAMAGES = {
    "PG_VERSION empty": (broken("PG_VERSION", b""), "is damaged (PG_VERSION)"),
    "PG_VERSION torn": (broken("PG_VERSION", b"1\xff"), "is damaged (PG_VERSION)"),
    "of another version": (broken("PG_VERSION", b"16\n"), "is of PostgreSQL 16"),
    "PG_VERSION missing": (broken("PG_VERSION", None), "isn't the data of a PostgreSQL"),
    "a file missing": (broken("global/pg_control", None), "doesn't start (could not open file"),
    "settings broken": (broken("postgresql.conf", b"no such thing"), "its log is"),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_data_that_is_damaged_is_told(folder: Path, cluster: Path, what: str) -> None:
    damage, why = DAMAGES[what]
    subprocess.run(["cp", "-a", str(cluster), str(folder / ".data")], check=True)
    damage(folder / ".data" / "postgres")
    assert_told(run("serve", folder, GIVEN), why)


def test_a_folder_that_cannot_be_written_is_told(folder: Path) -> None:
    assert_told(run("serve", folder, GIVEN | {"DATA_DIR": "/sys/sessions"}), "in DATA_DIR (")
    in_data("postgres", b"a file")(folder)
    assert_told(run("serve", folder, GIVEN), "can't be started in DATA_DIR (")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a disk that is full")
def test_a_full_disk_is_told(folder: Path) -> None:
    data = folder / ".data"
    data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(data)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this container lets nobody mount")
    try:
        assert_told(run("serve", folder, GIVEN), "No space left on device")
    finally:
        subprocess.run(["umount", str(data)], check=True)


async def test_a_file_that_cannot_be_used_is_named() -> None:
    async def app(*_: object) -> None:
        raise IsADirectoryError(21, "Is a directory", "/srv/data/file")

    told: list[Message] = []

    async def send(message: Message) -> None:
        told.append(message)

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    await Starting(app)({"type": "lifespan"}, receive, send)
    assert told == [
        {
            "type": "lifespan.startup.failed",
            "message": "Sessions can't start: Is a directory: /srv/data/file.",
        }
    ]


def test_an_address_of_the_database_that_makes_no_sense_is_told(folder: Path) -> None:
    ended = run("serve", folder, GIVEN | {"DATABASE_URL": f"postgresql://{'a' * 300}/x"})
    assert_told(ended, "in DATABASE_URL can't be understood")


def test_the_database_of_another_program_is_told(
    folder: Path, make_database: Callable[[], str]
) -> None:
    url = make_database()
    Tables(url).script("CREATE TABLE users (id int); CREATE TABLE sessions (name text)")
    ended = run("serve", folder, GIVEN | {"DATABASE_URL": url})
    assert_told(ended, "DATABASE_URL may name another program's database")
    assert (
        Tables(url).one(
            "SELECT count(*) FROM information_schema.tables WHERE table_name"
            " IN ('utterances', 'users', 'sessions')"
        )
        == 2
    ), "nothing was changed"


def test_a_place_to_listen_at_that_cannot_be_had_is_told_before_anything_starts(
    folder: Path,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = {"PORT": str(taken.getsockname()[1])}
        assert_told(
            run("serve", folder, GIVEN | port), "another program listens there: end it, or set PORT"
        )
    # An address for documentation, which no machine has.
    assert_told(run("serve", folder, GIVEN | {"HOST": "192.0.2.1"}), "no such address: set HOST")
    assert not (folder / ".data").exists()
