"""Reads compose.yaml as Compose does: variables filled in, what services share merged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from tests.support import ROOT

FILE = ROOT / "compose.yaml"
# The Compose specification, "Interpolation": ${NAME}, with a default, with what stands there if it
# is set, or with why it is needed.
VARIABLE = re.compile(
    r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<how>:-|:\+|:\?)(?P<rest>[^}]*))?\})"
)


def asked_for() -> set[str]:
    """Return the variables that the file asks for."""
    text = "\n".join(line.partition(" #")[0] for line in FILE.read_text("utf-8").splitlines())
    return {one["name"] for one in VARIABLE.finditer(text) if one["name"]}


def compose(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the file with these variables. Raises KeyError for one that it can't do without."""
    found: dict[str, Any] = _filled(YAML(typ="safe").load(FILE.read_text("utf-8")), environ)
    return found


def environment_of(service: Mapping[str, Any], env_file: Mapping[str, str]) -> dict[str, str]:
    """Return what a service has in its environment; `env_file` is the content of `.env`."""
    of_file = env_file if service.get("env_file") == ".env" else {}
    return {**of_file, **{name: str(value) for name, value in service["environment"].items()}}


def _filled(part: Any, environ: Mapping[str, str]) -> Any:
    if isinstance(part, dict):
        return {name: _filled(value, environ) for name, value in part.items()}
    if isinstance(part, list):
        return [_filled(one, environ) for one in part]
    return VARIABLE.sub(lambda one: _value(one, environ), part) if isinstance(part, str) else part


def _value(one: re.Match[str], environ: Mapping[str, str]) -> str:
    if one["dollar"]:
        return "$"
    value = environ.get(one["name"], "")
    if not value and one["how"] == ":?":
        raise KeyError(one["name"])
    if one["how"] == ":+":
        return one["rest"] if value else ""
    return value or (one["rest"] or "" if one["how"] == ":-" else "")
