"""`python app.py healthcheck`: whether the server of this machine is alive, for container engines.

It runs twice a minute beside a server that needs the memory, so it imports next to nothing: app.py
calls it before its own imports, and what is only needed for an answer other than yes is imported
then. The whole application would take a second of a core each time, and 100 MB.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from core.starting import of_system
from core.words import N_, Words

TIMEOUT_S = 3.0  # for all of it; /health waits 2 s for the database
DEFAULT_PORT = "8000"  # as in core.settings.values
HOSTS, PORTS = ("HOST",), ("PORT", "WS_PORT")  # names of the two variables: core.settings.variables
NO_HTTP = N_("what came is no HTTP")
EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared


def healthcheck() -> int:
    """Ask the server; return 0 when it is alive, else 1, with the reason as a line on stderr."""
    why = problem_at(_environment())
    if why is None:
        return 0
    from web.words import gettext, of_environment, said, speaking  # noqa: PLC0415 - see above

    with speaking(of_environment(os.environ)):
        print(gettext("Sessions isn't well: %(why)s.", why=said(why)), file=sys.stderr)
    return 1


def problem_at(environ: Mapping[str, str]) -> Words | None:
    """Return what is wrong with the server of this environment, None when it says that it lives."""
    host = _first(environ, HOSTS).strip("[]")
    host, port = EVERYWHERE.get(host, host), _first(environ, PORTS) or DEFAULT_PORT
    try:
        status = _status(host, port)
    except (OSError, ValueError) as problem:
        return Words(
            N_("%(host)s, port %(port)s doesn't answer (%(why)s)"),
            host=host,
            port=port,
            why=_why(problem),
        )
    if status == "200":
        return None
    return Words(
        N_("%(host)s, port %(port)s answers %(status)s"), host=host, port=port, status=status
    )


def _why(problem: OSError | ValueError) -> Words:
    if isinstance(problem, TimeoutError):
        return Words(N_("nothing came within %(seconds)s s"), seconds=f"{TIMEOUT_S:.0f}")
    if isinstance(problem, OSError):
        return of_system(problem)
    return Words(str(problem))


def _environment() -> Mapping[str, str]:
    """Return the environment with what a file `.env` fills in; containers have none."""
    if not Path(".env").exists():
        return os.environ
    from core.settings import SettingsError, read_env_file  # noqa: PLC0415 - it takes a while

    try:
        return {**read_env_file(Path(".env")), **os.environ}
    except SettingsError:  # the server didn't start with it, and this one asks where it can
        return os.environ


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((found for name in names if (found := environ.get(name, "").strip())), "")


def _status(host: str, port: str) -> str:
    """Return the status that /health answers with. Raises OSError, and ValueError with why not."""
    until = time.monotonic() + TIMEOUT_S
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(N_("that is no port"))
    with socket.create_connection((host, int(port)), TIMEOUT_S) as line:
        line.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while b"\r\n" not in answer:
            line.settimeout(max(0.001, until - time.monotonic()))
            piece = line.recv(1024)
            if not piece or len(answer) > 1024:
                raise ValueError(NO_HTTP)
            answer += piece
    words = answer.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise ValueError(NO_HTTP)
    return words[1].decode()
