"""The address that a process listens at, learned before it does: the banner is printed first.

An ASGI application isn't told. `python app.py serve` listens where the settings say, and uvicorn's
command line says it for `uvicorn app:app`. Of any other server nothing is known.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from uvicorn.main import main as uvicorn_command

from core.settings import Settings
from core.starting import StartError, of_system
from core.words import N_, Words

OURS = Path(__file__).parent.parent.parent / "app.py"
EVERYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104 - compared, not bound
ITSELF = EVERYWHERE | {"127.0.0.1", "::1", "localhost"}


REFUSALS = {
    errno.EADDRINUSE: N_("another program listens there; end it, or set PORT"),
    errno.EACCES: N_("ports below 1024 are for root; set PORT"),
    errno.EADDRNOTAVAIL: N_("this machine has no such address; set HOST"),
}


def try_place(host: str, port: int) -> None:
    """Raise StartError when nobody can listen there.

    Tried before anything is started: the server itself finds out at the very end.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as problem:  # a machine where "localhost" means nothing
        raise StartError(
            N_("it can't listen at %(host)s: %(why)s"), host=host, why=problem.strerror
        ) from problem
    for family, kind, protocol, _, where in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                if sys.platform != "win32":  # as the server does; there it means something else
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(where)
        except OSError as problem:
            if problem.errno == errno.EAFNOSUPPORT:  # a machine without IPv6
                continue
            known = REFUSALS.get(problem.errno or 0)
            raise StartError(
                N_("it can't listen at %(host)s, port %(port)s: %(why)s"),
                host=where[0],
                port=port,
                why=of_system(problem) if known is None else Words(known),
            ) from problem


def own_address(settings: Settings, command: Sequence[str]) -> str | None:
    """Return the address that works on this computer; None when nobody can tell.

    `command` is the process's `sys.argv`, also in the child of uvicorn's `--reload`.
    """
    program = Path(command[0]) if command else Path()
    if program.resolve() == OURS:
        return _address("http", settings.host, settings.port)
    if program.stem == "uvicorn" or program.parts[-2:] == ("uvicorn", "__main__.py"):
        return _of_uvicorn(command[1:])
    return None


def _of_uvicorn(arguments: Sequence[str]) -> str | None:
    try:
        told: dict[str, Any] = uvicorn_command.make_context("uvicorn", [*arguments]).params
    except (click.ClickException, click.exceptions.Exit):
        return None
    if told["uds"] or told["fd"] is not None or not told["port"]:
        return None
    return _address("https" if told["ssl_certfile"] else "http", told["host"], told["port"])


def _address(scheme: str, host: str, port: int) -> str:
    name = "localhost" if host in ITSELF else host
    return f"{scheme}://{f'[{name}]' if ':' in name else name}:{port}"
