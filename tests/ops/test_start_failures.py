"""A start that can't succeed ends soon, with a sentence for whoever started it and no trace.

Each cause is met twice, at an English terminal and at a Russian one.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.types import Message

from tests.support import forked
from tests.support.app_server import free_port
from tests.support.embedded_data import embedded_data
from tests.support.tables import Tables
from web.serving import UVICORN, WrongServerError
from web.starting import Starting

SECRET = "b85f1d2c6e0a47939d3e5c7a1f60824b"
GIVEN = {"NEXTAUTH_SECRET": SECRET, "TRANSCRIPTION_JWT_SECRET": SECRET}

Break = Callable[[Path], dict[str, str]]
TERMINALS = ({"LANG": "C.UTF-8"}, {"LANG": "ru_RU.UTF-8"})


@dataclass(frozen=True)
class Why:
    """A part of the sentence, in both languages."""

    english: str
    russian: str


def run(command: str, folder: Path, environ: dict[str, str]) -> tuple[int, str]:
    """Start Sessions in a folder, and return how it ended and what it printed."""
    known = {"PATH": os.environ["PATH"], "SPEECH_ENGINE": "off", "PORT": str(free_port())}
    return forked.run(command, folder, known | environ)


def assert_told(folder: Path, environ: dict[str, str], why: Why, command: str = "serve") -> None:
    """Start it at both terminals, and see how it ends."""
    begins = "Sessions can't start: ", "Запустить Sessions нельзя: "
    for terminal, begin, part in zip(TERMINALS, begins, (why.english, why.russian), strict=True):
        code, printed = run(command, folder, environ | terminal)
        assert code > 0, printed
        assert "Traceback" not in printed
        (sentence,) = [line for line in printed.splitlines() if begin in line]
        assert part in sentence
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


NOT_KEPT = Why("it keeps one in DATA_DIR, which fails", "секрет хранится в DATA_DIR, а это не удаё")


# What is found before anything is served, also by who imports the app.
AT_IMPORT: dict[str, tuple[Break, Why]] = {
    ".env in Latin-1": (
        env_file("A=Grüße".encode("latin-1")),
        Why("isn't text in UTF-8 (line 1)", ".env — не текст в UTF-8 (строка 1)"),
    ),
    ".env with a line that isn't one": (
        env_file(b"PORT 8000"),
        Why("line 1 isn't NAME=value", "строка 1 — не ИМЯ=значение"),
    ),
    ".env a folder": (
        env_folder,
        Why(".env can't be read: Is a directory", ".env нельзя прочитать: Это папка, а не файл"),
    ),
    "secret no text": (
        in_data("secret", b"\xff\xfe"),
        Why("secret isn't text: remove it", "secret — не текст: удалите его"),
    ),
    "secret a folder": (
        in_data("secret", None),
        Why("Is a directory: .data/secret", "Это папка, а не файл: .data/secret"),
    ),
    "DATA_DIR not to be made": (setting(DATA_DIR="/sys/sessions"), NOT_KEPT),
    "DATA_DIR a file": (setting(DATA_DIR="/dev/null"), NOT_KEPT),
}


@pytest.mark.parametrize("what", AT_IMPORT)
def test_what_is_wrong_from_the_start(folder: Path, what: str) -> None:
    breaks, why = AT_IMPORT[what]
    environ = breaks(folder)
    assert_told(folder, environ, why)
    if what.startswith(".env"):  # it looks at no data
        assert_told(folder, environ, why, "check")


def test_settings_that_make_no_sense_are_listed(folder: Path) -> None:
    environ = {"DATA_DIR": "~nosuchuser/x", "VOICE_GATE": "loud", "OIDC_2_NAME": "Example"}
    english, russian = (run("serve", folder, environ | terminal)[1] for terminal in TERMINALS)
    assert "Sessions can't start:\n" in english
    assert "~ and a user who isn't known" in english
    assert "Запустить Sessions нельзя:\n" in russian
    assert "начинается с ~ и имени пользователя, которого здесь нет" in russian
    assert "must be" not in russian
    for name in ("OIDC_2_ISSUER", "OIDC_2_CLIENT_ID", "OIDC_2_CLIENT_SECRET"):
        assert f"missing  {name}: needed beside OIDC_2_NAME" in english
        assert f"{name}: обязательно вместе с OIDC_2_NAME" in russian


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
    "PG_VERSION empty": (
        broken("PG_VERSION", b""),
        Why("is damaged (PG_VERSION)", "повреждены (PG_VERSION)"),
    ),
    "PG_VERSION torn": (
        broken("PG_VERSION", b"1\xff"),
        Why("is damaged (PG_VERSION)", "повреждены (PG_VERSION)"),
    ),
    "of another version": (
        broken("PG_VERSION", b"16\n"),
        Why("is of PostgreSQL 16", "от PostgreSQL 16, а встроенный"),
    ),
    "PG_VERSION missing": (
        broken("PG_VERSION", None),
        Why("isn't the data of a PostgreSQL", "не данные PostgreSQL, и она не пуста"),
    ),
    "a file missing": (
        broken("global/pg_control", None),
        Why("doesn't start (could not open file", "не запускается (could not open file"),
    ),
    "settings broken": (
        broken("postgresql.conf", b"no such thing"),
        Why("its log is", "его журнал:"),
    ),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_data_that_is_damaged_is_told(folder: Path, cluster: Path, what: str) -> None:
    damage, why = DAMAGES[what]
    subprocess.run(["cp", "-a", str(cluster), str(folder / ".data")], check=True)
    damage(folder / ".data" / "postgres")
    assert_told(folder, GIVEN, why)


def test_a_folder_that_cannot_be_written_is_told(folder: Path) -> None:
    why = Why("can't be started in DATA_DIR (", "запустить встроенный PostgreSQL в DATA_DIR (")
    assert_told(folder, GIVEN | {"DATA_DIR": "/sys/sessions"}, why)
    in_data("postgres", b"a file")(folder)
    assert_told(folder, GIVEN, why)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a disk that is full")
def test_a_full_disk_is_told(folder: Path) -> None:
    data = folder / ".data"
    data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(data)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this container lets nobody mount")
    try:  # in PostgreSQL's own words
        assert_told(folder, GIVEN, Why("can't be made (", "не удаётся создать встроенный"))
        assert "No space left on device" in run("serve", folder, GIVEN)[1]
    finally:
        subprocess.run(["umount", str(data)], check=True)


@pytest.mark.parametrize(
    ("problem", "english", "russian"),
    [
        (
            IsADirectoryError(21, "Is a directory", "/srv/data/file"),
            "Sessions can't start: Is a directory: /srv/data/file.",
            "Запустить Sessions нельзя: Это папка, а не файл: /srv/data/file.",
        ),
        (
            OSError(39, "Directory not empty", "/srv/data"),  # for which we have no words
            "Sessions can't start: Directory not empty: /srv/data.",
            "Запустить Sessions нельзя: Directory not empty: /srv/data.",
        ),
        (
            asyncio.CancelledError(),
            "Sessions was stopped before it had started.",
            "Запуск Sessions прерван.",
        ),
        (
            WrongServerError(),
            f"Sessions can't start: only uvicorn {UVICORN} can serve it, and not at its log level"
            " trace: start it with python app.py serve.",
            f"Запустить Sessions нельзя: работать можно только с uvicorn {UVICORN} и не с его"
            " уровнем журнала trace: запустите python app.py serve.",
        ),
    ],
    ids=["a file", "an unknown cause", "stopped", "another server"],
)
async def test_what_keeps_the_server_from_beginning_is_told(
    monkeypatch: pytest.MonkeyPatch, problem: BaseException, english: str, russian: str
) -> None:
    async def app(*_: object) -> None:
        raise problem

    told: list[Message] = []

    async def send(message: Message) -> None:
        told.append(message)

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    for language in ("en", "ru"):
        monkeypatch.setenv("LANGUAGE", language)
        await Starting(app)({"type": "lifespan"}, receive, send)
    assert [one["type"] for one in told] == ["lifespan.startup.failed"] * 2
    assert [one["message"] for one in told] == [english, russian]


def test_an_address_of_the_database_that_makes_no_sense_is_told(folder: Path) -> None:
    why = Why("in DATABASE_URL can't be understood", "в DATABASE_URL нельзя разобрать хост")
    assert_told(folder, GIVEN | {"DATABASE_URL": f"postgresql://{'a' * 300}/x"}, why)


def test_the_database_of_another_program_is_told(
    folder: Path, make_database: Callable[[], str]
) -> None:
    url = make_database()
    Tables(url).script("CREATE TABLE users (id int); CREATE TABLE sessions (name text)")
    why = Why("the schema public may be another program's", "схема public, возможно, принадлежит")
    assert_told(folder, GIVEN | {"DATABASE_URL": url, "DATABASE_SCHEMA": "public"}, why)
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
        why = Why("another program listens there; end it, or set PORT", "завершите её или задайте")
        assert_told(folder, GIVEN | port, why)
    # An address for documentation, which no machine has.
    why = Why("no such address; set HOST", "нет такого адреса; задайте HOST")
    assert_told(folder, GIVEN | {"HOST": "192.0.2.1"}, why)
    assert not (folder / ".data").exists()
