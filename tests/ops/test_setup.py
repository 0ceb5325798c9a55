"""`python app.py setup HOST`: the environment of a new server, and what an older one lacks."""

from __future__ import annotations

import gettext
import io
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.settings import VARIABLES, load, read_env_file
from core.settings.guessing import guessable
from core.signed_links import read
from tests.support import ROOT
from tests.support.waiting import WAIT_TIMEOUT_S
from web.command_line import asked
from web.setting_up import run
from web.words import speaking

HOST = "meet.example.org"
SECRETS = (
    "NEXTAUTH_SECRET",
    "TRANSCRIPTION_JWT_SECRET",
    "LIVEKIT_API_SECRET",
    "POSTGRES_PASSWORD",
)
OF_COMPOSE = {"SESSIONS_IMAGE", "POSTGRES_PASSWORD", "COMPOSE_PROFILES"}


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have this process speak to nobody's terminal afterwards."""
    monkeypatch.setenv("LANGUAGE", "en")
    yield
    gettext.textdomain("messages")


def setup(*arguments: str) -> int:
    """Run it in this process, which has imported all of it."""
    told = asked(["setup", *arguments])
    return run(told.host, told.email, into=told.into, check=told.check)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new environment in a file `.env` of the working directory."""
    monkeypatch.chdir(tmp_path)
    assert setup(HOST, "--into", ".env") == 0
    return tmp_path / ".env"


def test_it_needs_nothing_and_production_starts_with_what_it_writes(tmp_path: Path) -> None:
    # No variable, no folder to write to, no file that names the user.
    done = subprocess.run(
        [sys.executable, str(ROOT / "app.py"), "setup", HOST],
        cwd="/",
        env={},
        capture_output=True,
        encoding="utf-8",
        timeout=WAIT_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"https://{HOST}" in done.stderr
    *_, link = done.stderr.splitlines()
    assert link not in done.stdout
    (tmp_path / "env").write_text(done.stdout)
    settings = load(read_env_file(tmp_path / "env"))
    assert settings.production
    assert settings.public_url == f"https://{HOST}"
    assert settings.livekit_url == f"wss://{HOST}/livekit"
    address, _, token = link.partition("?token=")
    assert address == f"https://{HOST}/sign-in/link"
    assert read(settings.login_secret, token, time.time()).user_id is None
    assert settings.livekit_api_url == "http://livekit:7880"
    assert settings.engine == "local"
    assert settings.warnings == ()


def test_it_adds_no_second_set_to_a_file(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = made.read_bytes()
    with made.open("a") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert setup(HOST) == 1
    assert made.read_bytes() == before
    assert "has something in it already" in capsys.readouterr().err


def test_check_of_what_it_writes_is_content(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(made.read_bytes())))
    with speaking("ru"):
        assert setup("--check", "-") == 0
    assert capsys.readouterr().out == "Рабочий сервер запустится.\n"


def test_whoever_reads_the_file_reads_the_same(made: Path) -> None:
    ours = read_env_file(made)
    lines = [line for line in made.read_text().splitlines() if line and line[0] != "#"]
    # As it stands: nothing is quoted, and nothing in it means something to Compose or to a shell.
    assert dict(line.split("=", 1) for line in lines) == ours
    assert all(re.fullmatch(r"[A-Z_]+=[\w.~:/@,+=-]+", line, re.ASCII) for line in lines)
    shell = 'set -a; . "$1"; env -0'
    told = subprocess.run(
        ["/bin/sh", "-c", shell, "sh", str(made)], env={}, capture_output=True, check=True
    ).stdout.decode()
    assert ours.items() <= dict(one.split("=", 1) for one in told.rstrip("\0").split("\0")).items()
    assert made.stat().st_mode & 0o077 == 0, "only its owner reads it"


def test_every_variable_is_one_that_is_read(made: Path) -> None:
    known = {one.name for one in VARIABLES} | OF_COMPOSE
    assert set(read_env_file(made)) <= known
    commented = re.findall(r"^# ([A-Z_]+)=", made.read_text(), re.M)
    assert {"GOOGLE_CLIENT_ID", "GLADIA_API_KEY", "ALLOWED_EMAILS"} <= set(commented) <= known


def test_secrets_are_strong_and_each_server_has_its_own(made: Path) -> None:
    first = read_env_file(made)
    assert setup(HOST, "--into", "other.env") == 0
    second = read_env_file(made.with_name("other.env"))
    for name in (*SECRETS, "LIVEKIT_API_KEY"):
        assert first[name] != second[name]
    values = [each[name] for name in SECRETS for each in (first, second)]
    assert len(set(values)) == len(values), "none serves for two things"
    assert not any(map(guessable, values))
    for each in (first, second):
        assert f":{each['POSTGRES_PASSWORD']}@db/" in each["DATABASE_URL"]


def test_a_file_that_is_there_stays_as_it_is(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = made.read_bytes()
    assert setup(HOST, "--into", ".env") == 1
    assert "is there already" in capsys.readouterr().err
    assert made.read_bytes() == before
    assert setup(HOST, "--into", "nowhere/.env") == 1
    assert "can't be written: No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("Meet.Example.org.", "meet.example.org"),
        ("встречи.рф", "xn--b1agj4aeg1b.xn--p1ai"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("a-b.c9.co", "a-b.c9.co"),
    ],
)
def test_a_name_is_written_as_dns_has_it(
    capsys: pytest.CaptureFixture[str], host: str, name: str
) -> None:
    assert setup(host) == 0
    assert f"\nNEXTAUTH_URL=https://{name}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("https://meet.example.org/", "without https:// or a port: meet.example.org."),
        ("meet.example.org:8443", "without https:// or a port: meet.example.org."),
        ("meet.example.org/team", "without https:// or a port: meet.example.org."),
        ("ada@meet.example.org", "the name alone"),
        ("192.0.2.7", "is a number"),
        ("2001:db8::7", "is a number"),
        ("[2001:db8::7]", "is a number"),
        ("localhost", "must be a full name"),
        ("meet.7", "must be a full name"),
        ("", "isn't a name"),
        ("-", "isn't a name"),
        ("meet..example.org", "isn't a name"),
        ("meet_us.example.org", "isn't a name"),
        ("*.example.org", "isn't a name"),
        ("$(id).example.org", "isn't a name"),
        ("a b.example.org", "isn't a name"),
        (f"{'a' * 64}.example.org", "isn't a name"),
        (".".join(["a" * 60] * 5), "isn't a name"),
    ],
)
def test_what_no_certificate_can_be_had_for_is_refused(
    capsys: pytest.CaptureFixture[str], host: str, why: str
) -> None:
    assert run(host, [], into=None, check=None) == 1
    told = capsys.readouterr()
    assert why in told.err
    assert told.out == ""
    with speaking("ru"):
        assert run(host, [], into=None, check=None) == 1
    assert re.search("[а-я]", capsys.readouterr().err)


def test_owners_are_the_only_ones_who_sign_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert setup(HOST, "--email", "ada@example.org", "--email", "bob@example.org") == 0
    out = capsys.readouterr().out
    assert "\nALLOWED_EMAILS=ada@example.org,bob@example.org\n" in out
    assert "\nADMIN_EMAILS=ada@example.org,bob@example.org\n" in out
    for wrong in ("ada", "ada@example.org eve@example.org", "$HOME@example.org", "a'b@example.org"):
        assert setup(HOST, "--email", wrong) == 1
        assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (r"NEXTAUTH_SECRET=.*", "", "NEXTAUTH_SECRET: "),
        (r"NEXTAUTH_SECRET=.*", "NEXTAUTH_SECRET=secret", "could be guessed"),
        (r"NODE_ENV=.*", "", "NODE_ENV must be production"),
        (r"POSTGRES_PASSWORD=.*", "POSTGRES_PASSWORD=other", "isn't the password in DATABASE_URL"),
        (r"TRANSCRIPTION_JWT_SECRET=", "TRANSCRIPTION_JWT_SECRET=a$b", "which Compose may read"),
        (r"SPEECH_ENGINE=local", "SPEECH_ENGINE=none", "SPEECH_ENGINE: must be one of"),
        (r"LIVEKIT_URL=.*", "LIVEKIT_URL", "isn't NAME=value"),
    ],
)
def test_check_says_what_is_wrong(
    made: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, told: str
) -> None:
    assert setup("--check") == 0
    capsys.readouterr()
    made.write_text(re.sub(f"(?m)^{old}", lambda _: new, made.read_text(), count=1))
    secret = read_env_file(made).get("LIVEKIT_API_SECRET") if "=" in new or not new else None
    assert setup("--check", ".env") == 1
    said = "".join(capsys.readouterr())
    assert told in said
    assert secret is None or secret not in said


def test_check_of_no_file_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert setup("--check") == 1
    assert "There is no file .env here." in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert setup("--check", "-") == 1
    assert "Production would not start." in capsys.readouterr().out
