"""Every environment variable of Sessions, defined once.

`VARIABLES` is the single list: `load` turns an environment into `Settings`, `checklist`
turns it into what `python app.py check` prints, and the README's table is tested
against it. Nothing else in the code reads the environment.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

GOOGLE_METADATA_URL = "https://accounts.google.com/.well-known/openid-configuration"
DEVELOPMENT_LIVEKIT_URL = "ws://localhost:7880"
GLADIA_API_URL = "https://api.gladia.io"

DEFAULT_PORT = 8000

SpeechChoice = Literal["auto", "gladia", "local", "off"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the process was told, typed. Secrets are kept out of `repr`."""

    production: bool = False
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    data_dir: Path = Path(".data")
    database_url: str | None = field(default=None, repr=False)
    login_secret: str = field(default="", repr=False)
    public_url: str = "http://localhost:8000"
    google_client_id: str | None = None
    google_client_secret: str | None = field(default=None, repr=False)
    google_metadata_url: str = GOOGLE_METADATA_URL
    livekit_url: str = DEVELOPMENT_LIVEKIT_URL
    livekit_api_key: str = field(default="devkey", repr=False)
    livekit_api_secret: str = field(default="secret", repr=False)
    transcription_secret: str = field(default="", repr=False)
    websocket_host: str | None = None
    websocket_port: int | None = None
    speech_engine: SpeechChoice = "auto"
    gladia_api_key: str | None = field(default=None, repr=False)
    gladia_api_url: str = GLADIA_API_URL
    gladia_region: str | None = None
    gladia_max_streams: int = 30
    voice_gate: bool = True
    stream_idle_seconds: float = 8.0
    cost_per_minute: float = 0.01
    rate_limit_factor: float = 1.0
    warnings: tuple[str, ...] = ()

    @property
    def google_sign_in(self) -> bool:
        """Whether people can sign in with Google."""
        return bool(self.google_client_id and self.google_client_secret)

    @property
    def engine(self) -> Literal["gladia", "local", "off"]:
        """The speech engine in use: the chosen one, else Gladia when it has a key."""
        if self.speech_engine != "auto":
            return self.speech_engine
        return "gladia" if self.gladia_api_key else "local"

    @property
    def https(self) -> bool:
        """Whether people reach Sessions by https, so that cookies must be Secure."""
        return self.public_url.startswith("https://")


class SettingsError(Exception):
    """The environment can't be used; the message is the full checklist for people."""


class _InvalidError(ValueError):
    """One value is unusable; the message says why without repeating it."""


Parsed = tuple[Any, str | None]
"""A parsed value and a warning about what was mended on the way."""


def _text(value: str) -> Parsed:
    return value, None


def _integer(low: int, high: int) -> Callable[[str], Parsed]:
    def parse(value: str) -> Parsed:
        if not value.isdecimal() or not low <= int(value) <= high:
            raise _InvalidError(f"must be a whole number from {low} to {high}")
        return int(value), None

    return parse


def _number(low: float, high: float) -> Callable[[str], Parsed]:
    def parse(value: str) -> Parsed:
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise _InvalidError(f"must be a number from {low:g} to {high:g}")
        return number, None

    return parse


def _choice(*allowed: str) -> Callable[[str], Parsed]:
    def parse(value: str) -> Parsed:
        if value not in allowed:
            raise _InvalidError(f"must be one of {', '.join(allowed)}")
        return value, None

    return parse


def _switch(value: str) -> Parsed:
    if value not in {"on", "off"}:
        raise _InvalidError("must be on or off")
    return value == "on", None


def _production(value: str) -> Parsed:
    """Accept the values that Node.js programs know: a typing error must not open development."""
    if value.lower() not in {"production", "development", "test"}:
        raise _InvalidError("must be production, development or test")
    return value.lower() == "production", None


def _path(value: str) -> Parsed:
    return Path(value).expanduser(), None


def _split(value: str) -> SplitResult:
    """Split an address; an impossible port or host is found here, not by who uses it."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise _InvalidError("isn't an address that can be understood") from None
    return parts


def _url(*schemes: str) -> Callable[[str], Parsed]:
    """Accept an address of one of `schemes`; a trailing slash is removed with a warning.

    A slash at the end of NEXTAUTH_URL once made every Google redirect mismatch.
    """

    def parse(value: str) -> Parsed:
        trimmed = value.rstrip("/")
        parts = _split(trimmed)
        if parts.scheme not in schemes or not parts.hostname:
            raise _InvalidError(f"must be an address that starts with {' or '.join(schemes)}://")
        if parts.username is not None:
            raise _InvalidError("must not carry a user name or password: addresses are shown")
        return trimmed, "the slash at its end was removed" if trimmed != value else None

    return parse


def _origin(value: str) -> Parsed:
    """Accept an origin and write it as browsers do: small letters, no port that goes without."""
    url, warning = _url("https", "http")(value)
    parts = _split(url)
    if parts.path or parts.query or parts.fragment:
        raise _InvalidError("must be an origin such as https://meet.example.com, without a path")
    netloc = parts.netloc.lower()
    usual = {"https": ":443", "http": ":80"}[parts.scheme]
    return f"{parts.scheme}://{netloc.removesuffix(usual)}", warning


def _livekit_url(value: str) -> Parsed:
    """Accept LiveKit's address as people copy it: browsers need ws:// or wss://."""
    url, warning = _url("wss", "ws", "https", "http")(value)
    scheme, _, rest = url.partition("://")
    if scheme.startswith("http"):
        return f"{scheme.replace('http', 'ws')}://{rest}", "its scheme was changed to ws(s)://"
    return url, warning


def _postgres_url(value: str) -> Parsed:
    if _split(value).scheme not in {"postgres", "postgresql"}:
        raise _InvalidError("must start with postgresql://")
    return value, None


def _host(value: str) -> Parsed:
    """Accept a host name; a scheme in front of it is removed with a warning."""
    scheme, found, rest = value.partition("://")
    host = (rest if found else scheme).rstrip("/")
    if not host or any(c in host for c in "/ ?#@:"):
        raise _InvalidError("must be a host name only; a port goes into NEXT_PUBLIC_WS_PORT")
    return (
        host,
        "it must be a host only: the scheme or slash was removed" if host != value else None,
    )


def _address(value: str) -> Parsed:
    if value != "localhost":
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise _InvalidError("must be an IP address or localhost") from None
    return value, None


def _long_secret(value: str) -> Parsed:
    if len(value) < 32:
        return value, "shorter than 32 characters: make one with `openssl rand -base64 32`"
    return value, None


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: how it is read, and what people need to know of it."""

    name: str
    field: str
    purpose: str
    unset: str
    parse: Callable[[str], Parsed] = _text
    aliases: tuple[str, ...] = ()
    required: bool = False
    secret: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All names it is read under, the first one set wins."""
        return (self.name, *self.aliases)


VARIABLES: tuple[Variable, ...] = (
    Variable(
        "NODE_ENV",
        "production",
        "`production` demands real services and forbids the development sign-in.",
        "development",
        _production,
    ),
    Variable(
        "DATABASE_URL",
        "database_url",
        "PostgreSQL 13 or newer, as postgresql://user:password@host/name.",
        "an embedded PostgreSQL in DATA_DIR",
        _postgres_url,
        required=True,
        secret=True,
    ),
    Variable(
        "NEXTAUTH_URL",
        "public_url",
        "The address people open, without a slash at the end. Google's redirect address is this"
        " plus /api/auth/callback/google.",
        "http://localhost and PORT",
        _origin,
        required=True,
    ),
    Variable(
        "NEXTAUTH_SECRET",
        "login_secret",
        "Signs the login cookie: `openssl rand -base64 32`.",
        "made once and kept in DATA_DIR",
        _long_secret,
        required=True,
        secret=True,
    ),
    Variable(
        "GOOGLE_CLIENT_ID",
        "google_client_id",
        "Google sign-in: console.cloud.google.com, Credentials, OAuth client of type web.",
        "development sign-in, on this computer only",
        required=True,
    ),
    Variable(
        "GOOGLE_CLIENT_SECRET",
        "google_client_secret",
        "The secret of that OAuth client.",
        "development sign-in, on this computer only",
        required=True,
        secret=True,
    ),
    Variable(
        "GOOGLE_METADATA_URL",
        "google_metadata_url",
        "OpenID Connect metadata of the provider behind “Sign in with Google”. Only tests and"
        " other providers need it.",
        "Google's",
        _url("https", "http"),
    ),
    Variable(
        "LIVEKIT_URL",
        "livekit_url",
        "The LiveKit server for video, as wss://host.",
        f"{DEVELOPMENT_LIVEKIT_URL}, what `livekit-server --dev` answers to",
        _livekit_url,
        aliases=("NEXT_PUBLIC_LIVEKIT_URL",),
        required=True,
    ),
    Variable(
        "LIVEKIT_API_KEY",
        "livekit_api_key",
        "LiveKit's API key.",
        "devkey",
        required=True,
    ),
    Variable(
        "LIVEKIT_API_SECRET",
        "livekit_api_secret",
        "LiveKit's API secret.",
        "secret",
        required=True,
        secret=True,
    ),
    Variable(
        "TRANSCRIPTION_JWT_SECRET",
        "transcription_secret",
        "Signs the tokens of /ws. May equal NEXTAUTH_SECRET.",
        "NEXTAUTH_SECRET",
        _long_secret,
        secret=True,
    ),
    Variable(
        "GLADIA_API_KEY",
        "gladia_api_key",
        "Gladia's key for speech recognition: app.gladia.io, API keys.",
        "the local English engine",
        required=True,
        secret=True,
    ),
    Variable(
        "SPEECH_ENGINE",
        "speech_engine",
        "Which engine transcribes: auto, gladia, local or off.",
        "auto: gladia with a key, else local",
        _choice("auto", "gladia", "local", "off"),
    ),
    Variable(
        "GLADIA_API_URL",
        "gladia_api_url",
        "Gladia's address; for tests against an emulator.",
        GLADIA_API_URL,
        _url("https", "http"),
    ),
    Variable(
        "GLADIA_REGION",
        "gladia_region",
        "Where Gladia processes speech: eu-west or us-west.",
        "Gladia's choice",
        _choice("eu-west", "us-west"),
    ),
    Variable(
        "GLADIA_MAX_STREAMS",
        "gladia_max_streams",
        "Live streams that the Gladia plan allows at once: 1 on the free plan.",
        "30",
        _integer(1, 10_000),
    ),
    Variable(
        "STREAM_IDLE_SECONDS",
        "stream_idle_seconds",
        "Seconds of silence after which a stream is finished: billed audio follows speech.",
        "8",
        _number(2, 25),
    ),
    Variable(
        "VOICE_GATE",
        "voice_gate",
        "`off` sends every frame to the engine, also silence. For measurements.",
        "on",
        _switch,
    ),
    Variable(
        "COST_PER_MINUTE",
        "cost_per_minute",
        "Price of a minute of transcribed audio, for the usage that hosts see.",
        "0.01",
        _number(0, 1000),
    ),
    Variable(
        "RATE_LIMIT_FACTOR",
        "rate_limit_factor",
        "Multiplies all rate limits: raise it when many people share one address.",
        "1",
        _number(0.1, 1000),
    ),
    Variable(
        "PORT",
        "port",
        "Port to listen on.",
        "8000",
        _integer(1, 65_535),
        aliases=("WS_PORT",),
    ),
    Variable(
        "HOST",
        "host",
        "Address to listen on.",
        "127.0.0.1; 0.0.0.0 in production",
        _address,
    ),
    Variable(
        "NEXT_PUBLIC_WS_HOST",
        "websocket_host",
        "Host of /ws when it isn't the page's own; a host only.",
        "the page's own",
        _host,
    ),
    Variable(
        "NEXT_PUBLIC_WS_PORT",
        "websocket_port",
        "Port of /ws when it isn't the page's own.",
        "the page's own",
        _integer(1, 65_535),
    ),
    Variable(
        "DATA_DIR",
        "data_dir",
        "Folder of what the process keeps: embedded database, generated secret, what waits for the"
        " database and, encrypted, speech until its final.",
        ".data",
        _path,
    ),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What `check` says of one variable; it never carries a secret's value."""

    variable: Variable
    state: Literal["set", "default", "missing", "invalid"]
    note: str


def _given(variable: Variable, environ: Mapping[str, str]) -> str | None:
    values = (environ.get(name, "").strip() for name in variable.names)
    return next((value for value in values if value), None)


def _examine(
    variable: Variable, environ: Mapping[str, str], *, strict: bool
) -> tuple[Finding, Any]:
    """Return the finding and the parsed value (None unless the state is `set`)."""
    given = _given(variable, environ)
    if given is None:
        needed = strict and _is_required(variable, environ)
        return Finding(variable, "missing" if needed else "default", variable.unset), None
    try:
        value, warning = variable.parse(given)
    except _InvalidError as problem:
        return Finding(variable, "invalid", str(problem)), None
    shown = "(secret)" if variable.secret else given
    return Finding(variable, "set", f"{shown}; {warning}" if warning else shown), value


def _is_required(variable: Variable, environ: Mapping[str, str]) -> bool:
    if variable.name == "GLADIA_API_KEY":
        return environ.get("SPEECH_ENGINE", "").strip() in {"", "auto", "gladia"}
    return variable.required


def is_production(environ: Mapping[str, str]) -> bool:
    """Whether the environment asks for production."""
    return environ.get("NODE_ENV", "").strip().lower() == "production"


def checklist(environ: Mapping[str, str], *, strict: bool | None = None) -> list[Finding]:
    """Examine every variable. `strict` (default: in production) makes required ones missing."""
    wanted = is_production(environ) if strict is None else strict
    return [_examine(variable, environ, strict=wanted)[0] for variable in VARIABLES]


def would_start(findings: list[Finding]) -> bool:
    """Whether nothing is missing or invalid."""
    return all(finding.state in {"set", "default"} for finding in findings)


def render_checklist(findings: list[Finding]) -> str:
    """Lay the findings out as text for a terminal."""
    lines = []
    for finding in findings:
        variable = finding.variable
        name = " or ".join(variable.names)
        note = f"unset: {finding.note}" if finding.state == "default" else finding.note
        if finding.state == "missing":
            note = "needed in production"
        lines.append(f"{finding.state:8} {name}: {note}\n         {variable.purpose}")
    return "\n".join(lines)


def load(environ: Mapping[str, str]) -> Settings:
    """Turn an environment into Settings.

    Raises SettingsError with the checklist of what is missing or invalid. Unset secrets
    stay empty here; `with_local_secret` fills them in for development.
    """
    strict = is_production(environ)
    values: dict[str, Any] = {}
    problems: list[Finding] = []
    warnings: list[str] = []
    for variable in VARIABLES:
        finding, value = _examine(variable, environ, strict=strict)
        if finding.state in {"missing", "invalid"}:
            problems.append(finding)
        elif finding.state == "set":
            values[variable.field] = value
            mended = variable.parse(_given(variable, environ) or "")[1]
            if mended:
                warnings.append(f"{variable.name}: {mended}")
    if problems:
        raise SettingsError("Sessions can't start:\n" + render_checklist(problems))
    return _with_defaults(values, warnings)


def _with_defaults(values: dict[str, Any], warnings: list[str]) -> Settings:
    """Fill in the defaults that depend on other values."""
    port = values.get("port", DEFAULT_PORT)
    values.setdefault("public_url", f"http://localhost:{port}")
    if values.get("production"):
        values.setdefault("host", "0.0.0.0")  # noqa: S104 - a container is reached from outside
    if "login_secret" in values:
        values.setdefault("transcription_secret", values["login_secret"])
    return Settings(**values, warnings=tuple(warnings))


def local_secret(data_dir: Path) -> str:
    """Return the secret kept in `data_dir`, made at the first call, readable by its owner only."""
    path = data_dir / "secret"
    data_dir.mkdir(parents=True, exist_ok=True)
    if not path.exists() or not path.read_text().strip():
        # Written beside and moved: a crash half way must not leave an empty secret behind.
        fresh = data_dir / f"secret.{os.getpid()}"
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(48))
        fresh.replace(path)
    return path.read_text().strip()


def is_loopback(host: str) -> bool:
    """Whether a host name or address, without port, means this computer."""
    bare = host.strip("[]").lower()
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False
