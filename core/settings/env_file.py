"""The file `.env`: read as other programs read it, with `export`, quotes and comments.

A line that can't be read is an error and not left out: `NODE_ENV=production` is among them, and a
server that is in development without anybody's knowing lets people in by any name.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from core.settings.environment import Environment, SettingsError
from core.starting import of_system
from core.words import N_


def read_env_file(path: Path) -> dict[str, str]:
    """Return what the file sets, nothing where there is none. Raises SettingsError.

    A byte order mark, as editors on Windows write it, belongs to no name.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as problem:
        raise SettingsError(
            N_("%(file)s can't be read: %(why)s"), file=path, why=of_system(problem)
        ) from problem
    return parse_env(path, content)


def parse_env(path: Path, content: bytes) -> dict[str, str]:
    """Return what the content of such a file sets. Raises SettingsError, which names `path`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise SettingsError(
            N_("%(file)s isn't text in UTF-8 (line %(line)s): save it as UTF-8"),
            file=path,
            line=line,
        ) from problem
    return dict(_pair(path, one) for one in parse_stream(io.StringIO(text)) if not _blank(one))


def read_environment() -> Environment:
    """Return the environment; a file .env in the working directory fills in what it lacks.

    Raises SettingsError.
    """
    return Environment(os.environ, read_env_file(Path(".env")))


def _blank(binding: Binding) -> bool:
    return binding.key is None and not binding.error


def _pair(path: Path, binding: Binding) -> tuple[str, str]:
    """Return a name and its value. What is wrong isn't shown: it may be a secret."""
    if binding.error or binding.key is None or binding.value is None or "\0" in binding.value:
        # Empty lines before it are part of what it was read from.
        begun = binding.original.string
        line = binding.original.line + begun[: len(begun) - len(begun.lstrip())].count("\n")
        raise SettingsError(
            N_("%(file)s can't be understood: line %(line)s isn't NAME=value"), file=path, line=line
        )
    return binding.key, binding.value
