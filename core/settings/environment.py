"""The environment as it is: what is set, missing or wrong, and the settings made of it.

Nothing else in the code reads the environment.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.settings import of_audio
from core.settings.parsing import OFF, InvalidError
from core.settings.production import objections
from core.settings.providers import clashes, lacking, take_providers
from core.settings.values import DEFAULT_PORT, DEVELOPMENT_LIVEKIT_URL, Settings
from core.settings.variable import Variable
from core.settings.variables import VARIABLES
from core.starting import StartError, of_file
from core.words import N_, Words


class Environment(dict[str, str]):
    """An environment that knows which of its variables a file `.env` has filled in."""

    def __init__(self, process: Mapping[str, str], file: Mapping[str, str]) -> None:
        super().__init__({**file, **process})
        self.of_file = frozenset(file.keys() - process.keys())


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from, as far as it isn't the variable's own name in the environment."""

    name: str  # that it was given under: the variable's, another of its names, or one with _FILE
    file: str | None = None  # that NAME_FILE names
    env_file: bool = False  # whether `.env` has it

    def said_of(self, variable: Variable) -> Words | None:
        """Return what is to be said of it, None when it is what everybody expects."""
        if self.file is not None:
            return Words(N_("from %(file)s, by %(name)s"), file=self.file, name=self.name)
        if self.name != variable.name:
            return Words(N_("by the name %(name)s"), name=self.name)
        return None


@dataclass(frozen=True, slots=True)
class Finding:
    """What `check` says of one variable; it never carries a secret's value."""

    variable: Variable
    state: Literal["set", "default", "missing", "invalid"]
    note: str
    warning: Words | None = None
    source: Source | None = None  # None: it isn't set


_Why = Mapping[str, Words]  # by the variable's field

# ONCE's secret, and what production there does without unless it is set.
ONCE = "SECRET_KEY_BASE"
WITHOUT = {"DATABASE_URL", "LIVEKIT_URL"}
LIVEKIT_KEYS = {"LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"}

MAX_SECRET_FILE = 16_384  # bytes; a secret has less than 200


def _given(variable: Variable, environ: Mapping[str, str]) -> tuple[str, Source] | None:
    """Return what is set under the first of its names that has something, and from where.

    A secret may be in a file that NAME_FILE names, as engines of containers hand them in. Set in
    both ways, one of the two would count for no reason that anybody could see: that is refused.
    Raises InvalidError.
    """
    of_file = environ.of_file if isinstance(environ, Environment) else frozenset()
    for name in variable.names:
        value = environ.get(name, "").strip()
        pointer = f"{name}_FILE"
        path = environ.get(pointer, "").strip() if variable.secret else ""
        if value and path:
            raise InvalidError(N_("is set, and so is %(name)s: leave one of them"), name=pointer)
        if path:
            return _content(Path(path)), Source(pointer, path, pointer in of_file)
        if value:
            return value, Source(name, env_file=name in of_file)
    return None


def _content(path: Path) -> str:
    """Return the secret in a file, without the line's end that editors add. Raises InvalidError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_FILE + 1)
        found = content.decode().strip()
    except OSError as problem:
        raise InvalidError(N_("can't be read: %(why)s"), why=of_file(problem, path)) from problem
    except UnicodeDecodeError:
        raise InvalidError(N_("its file %(file)s isn't text"), file=path) from None
    if not found or len(content) > MAX_SECRET_FILE or "\0" in found:
        raise InvalidError(N_("its file %(file)s is empty, or too long for a secret"), file=path)
    return found


def _examine(
    variable: Variable, environ: Mapping[str, str], *, strict: bool
) -> tuple[Finding, Any]:
    """Return the finding and the parsed value (None unless the state is `set`)."""
    source = None
    try:
        given = _given(variable, environ)
        if given is None:
            needed = strict and _is_required(variable, environ)
            if needed:
                return Finding(variable, "missing", Words(N_("needed in production"))), None
            return Finding(variable, "default", Words(variable.unset)), None
        source = given[1]
        value, warning = variable.parse(given[0])
    except InvalidError as problem:
        return Finding(variable, "invalid", problem.words, source=source), None
    shown = Words(N_("(secret)")) if variable.secret else given[0]
    return Finding(variable, "set", shown, warning, source), value


def _is_required(variable: Variable, environ: Mapping[str, str]) -> bool:
    once = _is_once(environ)
    if variable.name == "GLADIA_API_KEY":
        engine = environ.get("SPEECH_ENGINE", "").strip()
        return engine == "gladia" or (engine in {"", "auto"} and not once)
    if variable.name in LIVEKIT_KEYS:
        return _livekit(environ) not in ({"", OFF} if once else {OFF})
    if once and variable.name in WITHOUT:
        return False
    return variable.required


def _is_once(environ: Mapping[str, str]) -> bool:
    """Whether ONCE has started us, which gives each application this secret and a folder.

    It knows of no other services, so what is unset means to do without them.
    """
    return bool(environ.get(ONCE, "").strip())


def _livekit(environ: Mapping[str, str]) -> str:
    names = ("LIVEKIT_URL", "NEXT_PUBLIC_LIVEKIT_URL")
    return next((found for name in names if (found := environ.get(name, "").strip())), "")


def is_production(environ: Mapping[str, str]) -> bool:
    """Whether the environment asks for production."""
    return environ.get("NODE_ENV", "").strip().lower() == "production"


def _survey(environ: Mapping[str, str], *, strict: bool) -> list[tuple[Finding, Any]]:
    """Examine every variable, and what they mean together."""
    found = [_examine(variable, environ, strict=strict) for variable in VARIABLES]
    values = {one.variable.field: value for one, value in found if one.state == "set"}
    refused = dict(clashes(values)) | (dict(objections(values)) if strict else {})
    given = {one.variable.field for one, _ in found if one.state in {"set", "invalid"}}
    needed = dict(lacking(given, production=strict)) | dict(of_audio.lacking(given))
    return [(_together(one, refused, needed), value) for one, value in found]


def _together(finding: Finding, refused: _Why, needed: _Why) -> Finding:
    """Return what is to be said of a variable in view of all others."""
    variable, field = finding.variable, finding.variable.field
    if field in refused:
        return Finding(variable, "invalid", refused[field])
    if field in needed:
        return Finding(variable, "missing", needed[field])
    return finding


def checklist(environ: Mapping[str, str], *, strict: bool | None = None) -> list[Finding]:
    """Examine every variable. `strict` (default: in production) asks for what production needs."""
    wanted = is_production(environ) if strict is None else strict
    return [finding for finding, _ in _survey(environ, strict=wanted)]


def would_start(findings: list[Finding]) -> bool:
    """Whether nothing is missing or invalid."""
    return all(finding.state in {"set", "default"} for finding in findings)


STATES = {
    "set": N_("set"),
    "default": N_("default"),
    "missing": N_("missing"),
    "invalid": N_("invalid"),
}


def render_checklist(findings: list[Finding], say: Callable[[str], str] = str) -> str:
    """Lay the findings out as text for a terminal. `say` translates words."""
    states = {state: say(Words(words)) for state, words in STATES.items()}
    width = max(8, *map(len, states.values()))
    lines = []
    for finding in findings:
        variable = finding.variable
        name = say(Words(N_(" or "))).join(variable.names)
        note = say(finding.note)
        if finding.state == "default":
            note = say(Words(N_("unset: %(instead)s"), instead=note))
        if finding.source and (source := finding.source.said_of(variable)):
            note += f", {say(source)}"
        if finding.warning is not None:
            note += f"; {say(finding.warning)}"
        purpose = say(Words(variable.purpose))
        lines.append(f"{states[finding.state]:{width}} {name}: {note}\n{'':{width}} {purpose}")
    return "\n".join(lines)


class SettingsError(StartError):
    """The environment can't be used."""


class FindingsError(SettingsError):
    """Something is missing or invalid: `findings` has all of it."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("%(list)s", list=render_checklist(findings))
        self.findings = findings


def load(environ: Mapping[str, str]) -> Settings:
    """Turn an environment into Settings.

    Raises FindingsError with what is missing or invalid. Unset secrets
    stay empty here: see `local_secret`.
    """
    strict = is_production(environ)
    values: dict[str, Any] = {}
    problems: list[Finding] = []
    warnings: list[str] = []
    for finding, value in _survey(environ, strict=strict):
        variable = finding.variable
        if finding.state in {"missing", "invalid"}:
            problems.append(finding)
        elif finding.state == "set":
            values[variable.field] = value
            if finding.warning:
                warnings.append(f"{variable.name}: {finding.warning}")
    if problems:
        raise FindingsError(problems)
    return _with_defaults(values, warnings, once=_is_once(environ))


def as_far_as_valid(
    environ: Mapping[str, str], secret: str = ""
) -> tuple[Settings, frozenset[str]]:
    """Return settings of what is valid, and the fields of what isn't; what is missing is default.

    `secret` stands in for one that isn't set. For those who say what is wrong; nothing can be
    served with it.
    """
    surveyed = _survey(environ, strict=is_production(environ))
    values = {one.variable.field: value for one, value in surveyed if one.state == "set"}
    wrong = frozenset(one.variable.field for one, _ in surveyed if one.state == "invalid")
    values.setdefault("login_secret", secret)
    return _with_defaults(values, [], once=_is_once(environ)), wrong


def _with_defaults(values: dict[str, Any], warnings: list[str], *, once: bool) -> Settings:
    """Fill in the defaults that depend on other values."""
    if once:
        values.setdefault("livekit_url", "")
    port = values.get("port", DEFAULT_PORT)
    values.setdefault("public_url", f"http://localhost:{port}")
    values["oidc"] = take_providers(values)
    values.setdefault("livekit_api_url", values.get("livekit_url", DEVELOPMENT_LIVEKIT_URL))
    if values.get("production"):
        values.setdefault("log_format", "json")
        values.setdefault("host", "0.0.0.0")  # noqa: S104 - a container is reached from outside
    if "login_secret" in values:
        values.setdefault("transcription_secret", values["login_secret"])
    return Settings(**values, warnings=tuple(warnings))


def kept_secret(data_dir: Path) -> str:
    """Return the secret that `local_secret` has made, nothing where it hasn't or can't be read."""
    try:
        return (data_dir / "secret").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def local_secret(data_dir: Path) -> str:
    """Return the secret kept in `data_dir`, made at the first call, readable by its owner only.

    Raises SettingsError where it can neither be read nor made.
    """
    path = data_dir / "secret"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists() or not path.read_text("utf-8").strip():
            # Written beside and moved: a crash half way must not leave an empty secret behind.
            fresh = data_dir / f"secret.{os.getpid()}"
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_urlsafe(48))
            fresh.replace(path)
        return path.read_text("utf-8").strip()
    except OSError as problem:
        raise SettingsError(
            N_(
                "without NEXTAUTH_SECRET it keeps one in DATA_DIR, which fails (%(why)s): set"
                " NEXTAUTH_SECRET, or another DATA_DIR"
            ),
            why=of_file(problem, path),
        ) from problem
    except UnicodeDecodeError as problem:
        raise SettingsError(
            N_("%(file)s isn't text: remove it to have a new secret, which signs everybody out"),
            file=path,
        ) from problem
