"""What the environment says: every variable, its aliases and traps, the checklist and the start."""

from __future__ import annotations

import re
import secrets
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import (
    VARIABLES,
    Environment,
    Settings,
    SettingsError,
    checklist,
    load,
    local_secret,
    read_env_file,
    render_checklist,
    would_start,
)
from core.settings.guessing import guessable
from tests.conftest import MakeServer
from tests.support import ROOT, forked
from tests.support.app_server import free_port
from tests.support.waiting import WAIT_TIMEOUT_S

SECRET = "b85f1d2c6e0a47939d3e5c7a1f60824b"  # as of `openssl rand -hex 16`
READY = {
    "NODE_ENV": "production",
    "DATABASE_URL": "postgresql://app:hunter2@db.example.com/sessions",
    "NEXTAUTH_URL": "https://meet.example.com",
    "NEXTAUTH_SECRET": SECRET,
    "GOOGLE_CLIENT_ID": "id.apps.example.com",
    "GOOGLE_CLIENT_SECRET": "google-hunter2",
    "LIVEKIT_URL": "wss://video.example.com",
    "LIVEKIT_API_KEY": "APIkey",
    "LIVEKIT_API_SECRET": "livekit-hunter2",
    "GLADIA_API_KEY": "gladia-hunter2",
}
REQUIRED = set(READY) - {"NODE_ENV", "GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"}


def finding(environ: dict[str, str], name: str) -> tuple[str, str]:
    """Return what the checklist says of one variable."""
    (found,) = [one for one in checklist(environ) if one.variable.name == name]
    return found.state, f"{found.note}; {found.warning}" if found.warning else found.note


# Values


def test_nothing_is_needed_in_development() -> None:
    settings = load({})
    assert not settings.production
    assert settings.host == "127.0.0.1"
    assert settings.port == 8000
    assert settings.public_url == "http://localhost:8000"
    assert settings.database_url is None
    assert settings.engine == "local"
    assert settings.livekit_url == "ws://localhost:7880"
    assert settings.livekit_api_secret == "secret"
    assert not settings.google_sign_in
    assert not settings.https
    assert settings.warnings == ()


def test_an_existing_deployment_works_unchanged() -> None:
    settings = load(
        {name: value for name, value in READY.items() if name != "LIVEKIT_URL"}
        | {
            "NEXT_PUBLIC_LIVEKIT_URL": "wss://video.example.com",
            "TRANSCRIPTION_JWT_SECRET": SECRET[::-1],
            "WS_PORT": "3001",
            "NEXT_PUBLIC_WS_HOST": "ws.example.com",
            "NEXT_PUBLIC_WS_PORT": "443",
            "OPENAI_API_KEY": "sk",
            "LIVEKIT_HTTP_URL": "https://video.example.com",
        }
    )
    assert settings.production
    assert settings.host == "0.0.0.0"
    assert settings.log_format == "json"
    assert load(READY | {"LOG_FORMAT": "text"}).log_format == "text"
    assert settings.port == 3001
    assert settings.https
    assert settings.google_sign_in
    assert settings.livekit_url == "wss://video.example.com"
    assert settings.transcription_secret == SECRET[::-1]
    assert (settings.websocket_host, settings.websocket_port) == ("ws.example.com", 443)
    assert settings.engine == "gladia"
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("environ", "field", "value"),
    [
        ({"PORT": "9000"}, "public_url", "http://localhost:9000"),
        ({"PORT": "9000", "WS_PORT": "9001"}, "port", 9000),
        ({"PORT": " ", "WS_PORT": "9001"}, "port", 9001),
        ({"PORT": " 9000 "}, "port", 9000),
        ({}, "livekit_api_url", "ws://localhost:7880"),
        ({"LIVEKIT_URL": "wss://a/livekit"}, "livekit_url", "wss://a/livekit"),
        ({"LIVEKIT_URL": "wss://a/livekit"}, "livekit_api_url", "wss://a/livekit"),
        ({"LIVEKIT_HTTP_URL": "https://a.example"}, "livekit_api_url", "https://a.example"),
        ({"LIVEKIT_API_URL": "http://livekit:7880"}, "livekit_url", "ws://localhost:7880"),
        ({"ADMIN_EMAILS": "Ada@a.example"}, "admin_emails", frozenset({"ada@a.example"})),
        ({"LIVEKIT_URL": "ws://a", "NEXT_PUBLIC_LIVEKIT_URL": "ws://b"}, "livekit_url", "ws://a"),
        ({"NEXTAUTH_SECRET": SECRET}, "transcription_secret", SECRET),
        ({"NODE_ENV": "development"}, "production", False),
        ({"NODE_ENV": "test"}, "production", False),
        ({"NODE_ENV": ""}, "production", False),
        ({"GLADIA_API_KEY": "key"}, "engine", "gladia"),
        ({"GLADIA_API_KEY": "key", "SPEECH_ENGINE": "local"}, "engine", "local"),
        ({"GLADIA_API_KEY": "key", "SPEECH_ENGINE": "off"}, "engine", "off"),
        ({"GOOGLE_CLIENT_ID": "id"}, "google_sign_in", False),
        ({"VOICE_GATE": "off"}, "voice_gate", False),
        ({"STREAM_IDLE_SECONDS": "2.5"}, "stream_idle_seconds", 2.5),
        ({"RATE_LIMIT_FACTOR": "0.1"}, "rate_limit_factor", 0.1),
        ({"GLADIA_REGION": "eu-west"}, "gladia_region", "eu-west"),
        ({"HOST": "::1"}, "host", "::1"),
        ({"HOST": "localhost"}, "host", "localhost"),
        ({"DATA_DIR": "/srv/sessions"}, "data_dir", Path("/srv/sessions")),
        ({"DATA_DIR": "~/sessions"}, "data_dir", Path.home() / "sessions"),
        ({"NEXTAUTH_URL": "https://Meet.Example.com"}, "public_url", "https://meet.example.com"),
        ({"NEXTAUTH_URL": "https://a.example:443"}, "public_url", "https://a.example"),
        ({"NEXTAUTH_URL": "http://a.example:80"}, "public_url", "http://a.example"),
        ({"NEXTAUTH_URL": "http://a.example:443"}, "public_url", "http://a.example:443"),
    ],
)
def test_a_value_is_read(environ: dict[str, str], field: str, value: object) -> None:
    assert getattr(load(environ), field) == value


@pytest.mark.parametrize(
    ("environ", "field", "value"),
    [
        ({"NEXTAUTH_URL": "https://a.example/"}, "public_url", "https://a.example"),
        ({"LIVEKIT_URL": "https://a.example"}, "livekit_url", "wss://a.example"),
        ({"LIVEKIT_URL": "http://localhost:7880/"}, "livekit_url", "ws://localhost:7880"),
        ({"LIVEKIT_URL": "wss://a.example/"}, "livekit_url", "wss://a.example"),
        ({"NEXT_PUBLIC_WS_HOST": "https://a.example"}, "websocket_host", "a.example"),
        ({"NEXT_PUBLIC_WS_HOST": "wss://a.example/"}, "websocket_host", "a.example"),
        ({"GLADIA_API_URL": "http://a.example/v1/"}, "gladia_api_url", "http://a.example/v1"),
        ({"NEXTAUTH_SECRET": "short"}, "login_secret", "short"),
    ],
)
def test_a_trap_is_mended_with_a_warning(
    environ: dict[str, str], field: str, value: object
) -> None:
    settings = load(environ)
    assert getattr(settings, field) == value
    (name,) = environ
    (warning,) = settings.warnings
    assert warning.startswith(f"{name}: ")
    state, note = finding(environ, name)
    assert state == "set"
    assert warning.removeprefix(f"{name}: ") in note


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_SCHEMA", "Sessions"),
        ("DATABASE_SCHEMA", "a-b"),
        ("DATABASE_SCHEMA", '"x"'),
        ("DATABASE_SCHEMA", "pg_mine"),
        ("DATABASE_SCHEMA", "information_schema"),
        ("DATABASE_SCHEMA", "1st"),
        ("DATABASE_SCHEMA", "a" * 64),
        ("NODE_ENV", "prod"),
        ("DATABASE_URL", "mysql://db.example.com/sessions"),
        ("DATABASE_URL", "db.example.com"),
        ("DATABASE_URL", "postgresql://[hunter2"),
        ("DATABASE_URL", "postgresql://a:hunter2@db.example.com:port/sessions"),
        ("NEXTAUTH_URL", "meet.example.com"),
        ("NEXTAUTH_URL", "https://"),
        ("NEXTAUTH_URL", "https://meet.example.com/app"),
        ("NEXTAUTH_URL", "https://meet.example.com?a=b"),
        ("NEXTAUTH_URL", "https://meet.example.com:port"),
        ("NEXTAUTH_URL", "https://["),
        ("LIVEKIT_URL", "video.example.com"),
        ("LIVEKIT_URL", "wss://video.example.com:99999"),
        ("GLADIA_API_URL", "https://me:hunter2@ai.example.com/v1"),
        ("GOOGLE_METADATA_URL", "file:///etc/passwd"),
        ("GOOGLE_METADATA_URL", "https://login.example.com/metadata.json"),
        ("SPEECH_ENGINE", "whisper"),
        ("GLADIA_REGION", "mars"),
        ("GLADIA_MAX_STREAMS", "0"),
        ("GLADIA_MAX_STREAMS", "many"),
        ("STREAM_IDLE_SECONDS", "nan"),
        ("STREAM_IDLE_SECONDS", "60"),
        ("RATE_LIMIT_FACTOR", "-1"),
        ("RATE_LIMIT_FACTOR", "inf"),
        ("VOICE_GATE", "maybe"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "80 80"),
        ("PORT", "-1"),
        ("WS_PORT", "http"),
        ("HOST", "example.com"),
        ("NEXT_PUBLIC_WS_HOST", "a.example/path"),
        ("NEXT_PUBLIC_WS_HOST", "a.example:443"),
        ("NEXT_PUBLIC_WS_PORT", "wss"),
    ],
)
def test_a_useless_value_is_refused_without_repeating_it(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as problem:
        load({name: value})
    (line,) = [line for line in str(problem.value).splitlines() if line.startswith("invalid")]
    assert name in line
    assert not re.search(rf"(?<!\w){re.escape(value)}(?!\w)", line)
    assert "hunter2" not in str(problem.value)
    assert not would_start(checklist({name: value}))


def test_production_written_in_any_way_is_production() -> None:
    for value in ("production", "Production", " PRODUCTION "):
        assert load(READY | {"NODE_ENV": value}).production
        assert not would_start(checklist({"NODE_ENV": value}))


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_production_needs_it(name: str) -> None:
    environ = {key: value for key, value in READY.items() if key != name}
    with pytest.raises(SettingsError) as problem:
        load(environ)
    lines = str(problem.value).splitlines()
    assert [line for line in lines if line.startswith("missing")] == [
        line for line in lines if name in line and "needed in production" in line
    ]
    load(environ | {"NODE_ENV": "development"})


@pytest.mark.parametrize("engine", ["local", "off", " local "])
def test_production_needs_no_gladia_with_another_engine(engine: str) -> None:
    environ = {key: value for key, value in READY.items() if key != "GLADIA_API_KEY"}
    assert load(environ | {"SPEECH_ENGINE": engine}).engine == engine.strip()


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as problem:
        load({"NODE_ENV": "production", "PORT": "x", "VOICE_GATE": "x"})
    for name in (*REQUIRED, "PORT", "VOICE_GATE"):
        assert name in str(problem.value)


def test_no_secret_is_shown() -> None:
    environ = READY | {"TRANSCRIPTION_JWT_SECRET": f"jwt-hunter2-{SECRET}"}
    shown = repr(load(environ)) + render_checklist(checklist(environ))
    assert "hunter2" not in shown
    assert SECRET not in shown


def test_no_variable_is_defined_twice() -> None:
    names = [name for variable in VARIABLES for name in variable.names]
    fields = [variable.field for variable in VARIABLES]
    assert len(names) == len(set(names))
    own = {one for one in fields if not one.startswith("oidc_")}  # they make `oidc` together
    assert own | {"warnings", "oidc"} == set(Settings.__dataclass_fields__)
    assert len(fields) == len(set(fields))


def test_the_local_secret_is_made_once_for_its_owner(tmp_path: Path) -> None:
    directory = tmp_path / "new"
    secret = local_secret(directory)
    assert len(secret) >= 32
    assert local_secret(directory) == secret
    (file,) = directory.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


# Secrets in files, and where values come from


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    for variable in VARIABLES:
        if variable.field.startswith("oidc_"):
            continue  # alone it is half of something: see test_provider_settings
        file = tmp_path / variable.name
        value = READY.get(variable.name, SECRET)
        file.write_text(f"{value}\n")
        environ = {f"{name}_FILE": str(file) for name in variable.names[:1]}
        given, state = getattr(load(environ), variable.field), finding(environ, variable.name)
        if variable.secret:
            assert (given, state) == (value, ("set", "(secret)"))
        else:  # a name that nobody reads
            assert state[0] == "default"


def test_a_database_may_be_named_in_a_file_in_production(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(READY["DATABASE_URL"])
    environ = READY | {"DATABASE_URL": "", "DATABASE_URL_FILE": str(tmp_path / "url")}
    assert load(environ).database_url == READY["DATABASE_URL"]
    told = render_checklist(checklist(environ))
    assert f"DATABASE_URL: (secret), from {tmp_path / 'url'}, by DATABASE_URL_FILE" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "can't be read: No such file or directory"),
        (b"", "is empty, or too long for a secret"),
        (b" \n", "is empty, or too long for a secret"),
        (b"s3cr3t" * 4000, "is empty, or too long for a secret"),
        (b"s3cr3t\0more", "is empty, or too long for a secret"),
        (b"\xff\xfes3cr3t", "isn't text"),
    ],
)
def test_a_file_without_a_secret_is_refused(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "given"
    if content is not None:
        path.write_bytes(content)
    state, note = finding({"NEXTAUTH_SECRET_FILE": str(path)}, "NEXTAUTH_SECRET")
    assert state == "invalid"
    assert why in note
    assert str(path) in note
    assert "s3cr3t" not in note


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "given").write_text(SECRET)
    both = {"GLADIA_API_KEY": "key", "GLADIA_API_KEY_FILE": str(tmp_path / "given")}
    state, note = finding(both, "GLADIA_API_KEY")
    assert (state, note) == ("invalid", "is set, and so is GLADIA_API_KEY_FILE: leave one of them")


def test_the_checklist_says_where_a_value_comes_from() -> None:
    environ = Environment({"WS_PORT": "3001"}, {"GLADIA_API_KEY": "key", "WS_PORT": "3002"})
    assert load(environ).port == 3001  # what the environment says counts more
    found = {one.variable.name: one.source for one in checklist(environ)}
    assert found["PORT"] is not None
    assert found["GLADIA_API_KEY"] is not None
    assert (found["PORT"].name, found["PORT"].env_file) == ("WS_PORT", False)
    assert (found["GLADIA_API_KEY"].name, found["GLADIA_API_KEY"].env_file) == (
        "GLADIA_API_KEY",
        True,
    )
    assert found["HOST"] is None
    assert re.search(r"^set +PORT or WS_PORT: 3001, by the name WS_PORT$", told(environ), re.M)


def told(environ: dict[str, str]) -> str:
    """Return the checklist as text."""
    return render_checklist(checklist(environ))


def test_an_empty_secret_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")  # what a crash or a full disk leaves
    assert len(local_secret(tmp_path)) >= 32


# The command line


def run(*command: str, cwd: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command with this environment and nothing else."""
    port = {"PORT": str(free_port())}
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env=port | environ,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=WAIT_TIMEOUT_S,
        check=False,
    )


APP = str(ROOT / "app.py")


def check(folder: Path, command: str = "check --offline", **environ: str) -> tuple[int, str]:
    """Run `app.py check` in a folder, as a fork; return its exit code and what it printed."""
    return forked.run(command, folder, environ)


def test_check_lists_everything_and_says_whether_production_would_start(tmp_path: Path) -> None:
    ready = run(APP, "check", "--offline", cwd=tmp_path, **READY)
    assert ready.returncode == 0
    assert "Production would start." in ready.stdout
    assert "hunter2" not in ready.stdout + ready.stderr
    for variable in VARIABLES:
        assert re.search(rf"^(set|default) +{variable.name}\b", ready.stdout, re.M), variable.name
        assert variable.purpose in ready.stdout
    for name in ("DATABASE_URL", "NEXTAUTH_SECRET", "GLADIA_API_KEY"):
        assert re.search(rf"^set +{name}( or \w+)?: \(secret\)$", ready.stdout, re.M)


@pytest.mark.parametrize(
    "asked", [{"LANGUAGE": "de:ru:en", "LANG": "en_GB.UTF-8"}, {"LC_ALL": "ru_RU.UTF-8"}]
)
def test_check_speaks_the_language_of_the_terminal(tmp_path: Path, asked: dict[str, str]) -> None:
    code, said = check(tmp_path, "check", PORT="x", **asked)
    assert code == 1
    assert "должно быть целым числом от 1 до 65535" in said
    assert "Рабочий сервер не запустится." in said
    assert not re.search(r"^(set|default|missing|invalid|Note|.*unset:)", said, re.M)
    _, refused = check(tmp_path, "serve", PORT="x", **asked)
    assert "Запустить Sessions нельзя:" in refused


def test_check_speaks_the_language_it_is_asked_for(tmp_path: Path) -> None:
    latin = {"PYTHONIOENCODING": "latin-1", "LANG": "en_GB"}
    assert run(APP, "check", "--lang", "ru", cwd=tmp_path, **latin).stderr == ""
    _, said = check(tmp_path, "check --lang en", LANG="ru_RU.UTF-8")
    assert "Production would not start." in said


def test_check_judges_production_also_in_development(tmp_path: Path) -> None:
    code, told = check(tmp_path)
    assert code == 1
    assert "Production would not start." in told
    missing = set(re.findall(r"^missing +(\w+)", told, re.M))
    assert missing == REQUIRED
    last = told.splitlines()[-1]
    assert set(re.findall(r"[A-Z_]{5,}", last)) == REQUIRED


@pytest.mark.parametrize(
    "command", [[APP, "serve"], ["-m", "uvicorn", "app:app", "--app-dir", str(ROOT)]], ids=str
)
def test_an_incomplete_production_does_not_start(tmp_path: Path, command: list[str]) -> None:
    environ = READY | {"GOOGLE_CLIENT_SECRET": "", "HOST": "everywhere"}
    del environ["DATABASE_URL"]
    ended = run(*command, cwd=tmp_path, **environ)
    assert ended.returncode not in {0, None}
    code, listed = check(tmp_path, **environ)
    assert code == 1
    problems = re.findall(r"^(?:missing|invalid) .*\n.*$", listed, re.M)
    assert len(problems) == 3
    for problem in problems:
        assert problem in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hunter2" not in ended.stdout + ended.stderr


def test_a_file_fills_in_what_the_environment_lacks(tmp_path: Path) -> None:
    lines = [f'{name}="{value}"' for name, value in READY.items()]
    (tmp_path / ".env").write_text("\n".join(["# A comment", "", *lines, "PORT=1234"]))
    code, told = check(tmp_path, PORT="4321")
    assert code == 0, told
    assert re.search(r"^set +PORT or WS_PORT: 4321$", told, re.M)
    assert re.search(r"^set +NEXTAUTH_URL: https://meet.example.com$", told, re.M)


def test_what_was_mended_is_told_once(make_server: MakeServer) -> None:
    server = make_server(LIVEKIT_URL="http://127.0.0.1:1")
    assert server.log.count("LIVEKIT_URL: its scheme was changed") == 1, server.log


# What production refuses

SAFE_SECRETS = [
    "5cKQy0sbP4rQ3xWc2m3k8T6G3vJqkzv3l0m2n5p7r9s=",  # openssl rand -base64 32
    SECRET,
    SECRET * 2,  # openssl rand -hex 32 looks alike
    "Zq8LrT2vXw5NbY7cKd3MhG6fJp9sUa4e",  # generate-secret.vercel.app/32
    "a secret for the good ship Nautilus, 20,000 leagues",
]
WEAK_SECRETS = [
    "a",
    "hunter2",
    SECRET[:31],
    "a" * 32,
    "0" * 64,
    "changeme" * 8,
    "secret" * 8,
    "your-super-secret-nextauth-key-at-least-32-characters-long",
    "please_change_me_please_change_me_please",
    "REPLACE-THIS-WITH-A-LONG-RANDOM-STRING-HERE",
    "0123456789abcdef0123456789abcdef",
    "abcdefghijklmnopqrstuvwxyz0123456789",
]


@pytest.mark.parametrize("name", ["NEXTAUTH_SECRET", "TRANSCRIPTION_JWT_SECRET"])
@pytest.mark.parametrize("secret", WEAK_SECRETS)
def test_production_refuses_a_secret_that_can_be_guessed(name: str, secret: str) -> None:
    environ = READY | {name: secret}
    with pytest.raises(SettingsError) as problem:
        load(environ)
    (line,) = [line for line in str(problem.value).splitlines() if line.startswith("invalid")]
    assert name in line
    assert "openssl rand -base64 32" in line
    assert secret not in line.split() or secret == "a"
    assert finding(environ, name)[0] == "invalid"
    load(environ | {"NODE_ENV": "development"})


@pytest.mark.parametrize("secret", WEAK_SECRETS)
def test_development_warns_of_a_secret_that_can_be_guessed(secret: str) -> None:
    (warning,) = load({"NEXTAUTH_SECRET": secret}).warnings
    assert warning.startswith("NEXTAUTH_SECRET: ")
    assert "openssl rand -base64 32" in warning


@pytest.mark.parametrize("secret", SAFE_SECRETS)
def test_production_takes_a_secret_that_the_usual_commands_make(secret: str) -> None:
    environ = READY | {"NEXTAUTH_SECRET": secret, "TRANSCRIPTION_JWT_SECRET": secret}
    assert load(environ).warnings == ()


def test_production_takes_any_secret_made_at_random() -> None:
    for _ in range(2_000):
        assert guessable(secrets.token_hex(16)) is None
        assert guessable(secrets.token_urlsafe(24)) is None


@pytest.mark.parametrize(
    ("change", "name", "why"),
    [
        ({"NEXTAUTH_URL": "http://meet.example.com"}, "NEXTAUTH_URL", "https://"),
        ({"NEXTAUTH_URL": "http://192.168.1.20:8000"}, "NEXTAUTH_URL", "https://"),
        ({"LIVEKIT_URL": "ws://video.example.com"}, "LIVEKIT_URL", "wss://"),
        ({"LIVEKIT_URL": "http://video.example.com"}, "LIVEKIT_URL", "wss://"),
        ({"LIVEKIT_API_KEY": "devkey"}, "LIVEKIT_API_KEY", "livekit-server generate-keys"),
        ({"LIVEKIT_API_SECRET": "secret"}, "LIVEKIT_API_SECRET", "livekit-server generate-keys"),
    ],
)
def test_production_refuses_what_is_not_safe_in_public(
    tmp_path: Path, change: dict[str, str], name: str, why: str
) -> None:
    environ = READY | change
    with pytest.raises(SettingsError) as problem:
        load(environ)
    (line,) = [line for line in str(problem.value).splitlines() if line.startswith("invalid")]
    assert f"{name} " in line.replace(":", " ")
    assert why in line
    load(environ | {"NODE_ENV": "development"})
    code, told = check(tmp_path, **environ | {"NODE_ENV": ""})
    assert code == 1
    assert line in told


@pytest.mark.parametrize(
    "change",
    [
        {"NEXTAUTH_URL": "http://localhost:8000"},
        {"NEXTAUTH_URL": "http://127.0.0.1"},
        {"LIVEKIT_URL": "ws://localhost:7880"},
        {
            "LIVEKIT_URL": "ws://localhost:7880",
            "LIVEKIT_API_KEY": "devkey",
            "LIVEKIT_API_SECRET": "secret",
        },
    ],
)
def test_production_on_this_computer_alone_may_do_without(change: dict[str, str]) -> None:
    assert load(READY | change).production


# .env

LINES = [f"{name}={value}" for name, value in READY.items()]


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(f"export {line}" for line in LINES),
        "\ufeff" + "\n".join(LINES),
        "\ufeff" + "\r\n".join(f"export {line.replace('=', '= ')}" for line in LINES) + "\r\n",
        "\n".join(f'{name} = "{value}"  # said so' for name, value in READY.items()),
        "\n".join(f"export\t{name}='{value}'" for name, value in READY.items()),
    ],
    ids=["export", "BOM", "BOM, export and Windows lines", "quotes and comments", "apostrophes"],
)
def test_a_file_is_read_as_it_is_meant(tmp_path: Path, content: str) -> None:
    (tmp_path / ".env").write_text(content, encoding="utf-8", newline="")
    assert read_env_file(tmp_path / ".env") == READY


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"# ours\n\nexport NODE_ENV production\n", "line 3 isn't NAME=value"),
        (b'PORT=8000\nNEXTAUTH_SECRET="hunter2\n', "line 2 isn't NAME=value"),
        (b"NODE_ENV\n", "line 1 isn't NAME=value"),
        (b"PORT=8000\n\nNODE_ENV=pro\0duction\n", "line 3 isn't NAME=value"),
        ("NAME=Grüße\nNODE_ENV=production".encode("latin-1"), "isn't text in UTF-8 (line 1)"),
        ("NODE_ENV=production".encode("utf-16"), "isn't text in UTF-8 (line 1)"),
    ],
    ids=["no =", "open quote", "a name alone", "NUL", "Latin-1", "UTF-16"],
)
def test_a_line_that_cannot_be_read_is_never_silently_development(
    tmp_path: Path, content: bytes, why: str
) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(SettingsError) as problem:
        read_env_file(tmp_path / ".env")
    assert why in str(problem.value)
    assert "hunter2" not in str(problem.value)


# Without a server of its own for everything

SMALL = {name: READY[name] for name in ("NODE_ENV", "NEXTAUTH_URL", "NEXTAUTH_SECRET")}
ONLY_CAPTIONS = {"DATABASE_URL": "embedded", "LIVEKIT_URL": "off", "SPEECH_ENGINE": "local"}


def test_production_does_without_when_that_is_said() -> None:
    for name in ONLY_CAPTIONS:
        less = {key: value for key, value in ONLY_CAPTIONS.items() if key != name}
        with pytest.raises(SettingsError):
            load(SMALL | less)
    settings = load(SMALL | ONLY_CAPTIONS)
    assert settings.database_url is None
    assert not settings.calls
    assert settings.engine == "local"
    assert load({"NEXT_PUBLIC_LIVEKIT_URL": "off"}).calls is False


def test_where_once_has_started_it_what_is_unset_is_done_without() -> None:
    once = {"SECRET_KEY_BASE": SECRET, **SMALL}
    del once["NEXTAUTH_SECRET"]
    settings = load(once)
    assert settings.login_secret == settings.transcription_secret == SECRET
    assert settings.database_url is None
    assert not settings.calls
    assert settings.engine == "local"
    # And what is set counts as everywhere.
    settings = load(once | {"DATABASE_URL": READY["DATABASE_URL"], "GLADIA_API_KEY": "key"})
    assert settings.database_url == READY["DATABASE_URL"]
    assert settings.engine == "gladia"
    for incomplete in ({"LIVEKIT_URL": "wss://video.example.com"}, {"SPEECH_ENGINE": "gladia"}):
        with pytest.raises(SettingsError):
            load(once | incomplete)
    with pytest.raises(SettingsError):
        load({name: value for name, value in once.items() if name != "NEXTAUTH_URL"})
    with pytest.raises(SettingsError):
        load(once | {"SECRET_KEY_BASE": "short"})


# .env.example

EXAMPLE = ROOT / ".env.example"


def test_the_example_names_every_variable_as_a_comment() -> None:
    text = EXAMPLE.read_text("utf-8")
    shown = re.findall(r"^# ?([A-Z_0-9]+)=", text, re.M)
    assert sorted(shown) == sorted(name for variable in VARIABLES for name in variable.names)
    assert not re.findall(r"^[^#\n]", text, re.M), "a copied example must change nothing"


def test_every_line_of_the_example_can_be_used(tmp_path: Path) -> None:
    lines = EXAMPLE.read_text("utf-8").splitlines()
    used = [re.sub("^# ?", "", line) for line in lines if re.match(r"# ?[A-Z_0-9]+=.", line)]
    (tmp_path / ".env").write_text("\n".join(used))
    values = read_env_file(tmp_path / ".env")
    assert len(values) == len(used)
    defaults, set_by_example = load({}), load(values)
    for variable in VARIABLES:
        if variable.name in values and not variable.required:
            example = getattr(set_by_example, variable.field)
            assert example == getattr(defaults, variable.field), variable.name


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("ALLOWED_EMAILS", "ada", "e-mail addresses"),
        ("ALLOWED_EMAILS", "ada@example.com eve@example.com", "e-mail addresses"),
        ("ALLOWED_EMAILS", " , ", "at least one"),
        ("ALLOWED_EMAIL_DOMAINS", "*.example.com", "domains"),
        ("ALLOWED_EMAIL_DOMAINS", "ada@example.com", "domains"),
        ("ALLOWED_EMAIL_DOMAINS", "https://example.com", "domains"),
        ("ALLOWED_EMAIL_DOMAINS", "com", "domains"),
    ],
)
def test_a_list_of_accounts_that_would_let_in_nobody_is_refused(
    name: str, value: str, why: str
) -> None:
    state, note = finding({name: value}, name)
    assert state == "invalid"
    assert why in note


def test_check_says_what_is_left_open(tmp_path: Path) -> None:
    def notes(**environ: str) -> list[str]:
        _, told = check(tmp_path, **READY | environ)
        return re.findall(r"^Note: (.*)$", told, re.M)

    anybody, loopback = notes()
    assert "ALLOWED_EMAIL_DOMAINS" in anybody
    assert "passes it on unread" in loopback
    everybody, first = notes(FORWARDED_ALLOW_IPS="*")
    assert everybody == anybody
    assert "anybody can write" in first
    assert notes(FORWARDED_ALLOW_IPS="", ALLOWED_EMAILS="ada@example.com") == []
    assert notes(FORWARDED_ALLOW_IPS="10.0.0.7", ALLOWED_EMAIL_DOMAINS="example.com") == []
    assert "without TLS" in notes(DISABLE_SSL="true")[1]
    development, *rest = notes(NODE_ENV="test")
    assert "set NODE_ENV=production" in development
    assert rest == [anybody, loopback]
