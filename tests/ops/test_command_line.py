"""What `python app.py` says of itself and of what it was asked, in the language of the terminal."""

from __future__ import annotations

import gettext
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.database import DatabaseAwayError, DatabaseStartError
from tests.support import ROOT, forked
from tests.support.app_server import free_port
from tests.support.waiting import WAIT_TIMEOUT_S
from web.command_line import asked, disabled, enabled, unchanged
from web.words import speaking

# What is no word of a language: commands, names and values.
NAMES = {"python", "app.py", "-h", "--help", "--lang", "EMAIL", "Sessions", "HOST", "PORT", ".env"}
NAMES |= {
    "--json",
    "--offline",
    "-h/--help",
    "en",
    "ru",
    "serve",
    "check",
    "healthcheck",
    "import-previous",
    "disable",
    "enable",
    "link",
    "docs/configuration.ru.md",
    "setup",
    "backup",
    "DATA_DIR",
    "restore",
    "speech-model",
    "MODEL",
    "/setup",
    "--check",
    "--into",
    "--email",
    "meet.example.org",
}


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have this process speak to nobody's terminal afterwards."""
    monkeypatch.setenv("LANGUAGE", "en")
    yield
    gettext.textdomain("messages")


def app(folder: Path, *arguments: str, **environ: str) -> tuple[int, str]:
    """Run it in a folder, and return how it ended and what it printed."""
    environ = {"PATH": os.environ["PATH"], "PORT": str(free_port())} | environ
    return forked.run(" ".join(arguments), folder, environ)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what it says instead of doing something."""
    with pytest.raises(SystemExit):
        asked(arguments)
    said = capsys.readouterr()
    return said.out + said.err


def english_words(text: str) -> set[str]:
    found = re.findall(r"[\w./-]*[A-Za-z][\w./-]*", text)
    return {one.rstrip(".") for one in found} - NAMES


def test_help_is_in_the_language_of_the_terminal(tmp_path: Path) -> None:
    code, told = app(tmp_path, "--help", LANG="en_GB.UTF-8")
    assert code == 0
    for part in ("usage: python app.py", "commands:", "serve at HOST and PORT", "options:"):
        assert part in told
    code, told = app(tmp_path, "--help", LANG="ru_RU.UTF-8")
    assert code == 0
    for part in ("использование: python app.py", "команды:", "параметры:", "ИМЯ=значение"):
        assert part in told
    assert english_words(told) == set()
    assert not list(tmp_path.iterdir()), "it looks at no settings, and makes nothing"


@pytest.mark.parametrize(
    "command",
    ["serve", "check", "setup", "link", "backup", "restore", "disable", "enable", "speech-model"],
)
def test_help_of_a_command_is_in_the_language_that_is_asked_for(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    for arguments in ([command, "--lang", "ru", "--help"], ["--lang=ru", command, "-h"]):
        told = answer(capsys, *arguments)
        assert told.startswith(f"использование: python app.py {command} ")
        assert english_words(told) == set()
    assert answer(capsys, command, "--help", "--lang", "en").startswith("usage: ")


@pytest.mark.parametrize(
    ("arguments", "english", "russian"),
    [
        (["sevre"], "COMMAND: invalid choice: 'sevre'", "КОМАНДА: нет такого значения: 'sevre'"),
        (["disable"], "arguments are required: EMAIL", "не хватает аргументов: EMAIL"),
        (["check", "all"], "unrecognized arguments: all", "неизвестные аргументы: all"),
        (["--lang", "de"], "--lang: invalid choice: 'de'", "--lang: нет такого значения: 'de'"),
        (["--lang"], "--lang: expected one argument", "--lang: нужно одно значение"),
        (["check", "--help=all"], "ignored explicit argument", "значение 'all' здесь не нужно"),
    ],
)
def test_a_mistake_is_told_in_the_language_of_the_terminal(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    english: str,
    russian: str,
) -> None:
    told = answer(capsys, *arguments)
    assert "error: " in told
    assert english in told
    monkeypatch.setenv("LANGUAGE", "ru")
    told = answer(capsys, *arguments)
    assert "ошибка: " in told
    assert russian in told
    assert english_words(told) <= {"sevre", "de", "all"}


@pytest.mark.parametrize("arguments", [["--lang", "ru"], ["serve", "--lang=ru"]], ids=str)
def test_a_start_speaks_the_language_that_is_asked_for(
    tmp_path: Path, arguments: list[str]
) -> None:
    code, told = app(tmp_path, *arguments, HOST="192.0.2.1", NEXTAUTH_SECRET="x", LANG="C.UTF-8")
    assert code == 1
    assert told.startswith("Запустить Sessions нельзя: порт ")
    # What the lifespan finds out is told by uvicorn.
    url = "postgresql://u@h/x?sslmode=no"
    code, told = app(tmp_path, *arguments, DATABASE_URL=url, SPEECH_ENGINE="off", LANG="C.UTF-8")
    assert code == 3
    assert "Запустить Sessions нельзя: в DATABASE_URL нельзя разобрать" in told


def test_an_account_that_cannot_be_disabled_is_told(tmp_path: Path) -> None:
    environ = {"DATABASE_URL": "postgresql://u@h/x?sslmode=no"}
    code, told = app(tmp_path, "disable", "ada@example.com", **environ)
    assert code == 1
    assert told.startswith("Nothing was changed: the host, port or sslmode in DATABASE_URL")
    code, told = app(tmp_path, "enable", "ada@example.com", "--lang", "ru", **environ)
    assert code == 1
    assert told.startswith("Ничего не изменилось: в DATABASE_URL нельзя разобрать")


def test_a_command_that_is_stopped_shows_no_trace(tmp_path: Path) -> None:
    url = f"postgresql://u@127.0.0.1:{free_port()}/x"  # which it waits for
    # Who runs these tests in the background ignores the signal, and so would the command.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [sys.executable, str(ROOT / "app.py"), "disable", "ada@example.com"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": url, "LANG": "ru_RU.UTF-8"},
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        signal.signal(signal.SIGINT, before)
        assert process.stderr is not None
        assert "waiting for PostgreSQL" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "Прервано, не закончено.\n"
        assert process.wait(WAIT_TIMEOUT_S) == 1


def test_what_came_of_an_account_is_told_in_both_languages() -> None:
    assert disabled("a@b", 2).startswith("Disabled 2 accounts of a@b")
    assert enabled("a@b", 0) == "Nobody has signed in here as a@b."
    assert (
        unchanged(DatabaseStartError("it is %(how)s", how="so")) == "Nothing was changed: it is so."
    )
    with speaking("ru"):
        for told in (disabled("a@b", 1), enabled("a@b", 5), disabled("a@b", 0)):
            assert english_words(told) == {"a", "b"}
        assert english_words(unchanged(DatabaseAwayError("away"))) == set()
