"""The services of compose.yaml as processes on this machine, each with exactly its environment.

What differs is where they are: a name of a service becomes an address of this computer, and every
port a free one. Caddy's certificate is of an authority of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from core.settings.fresh import fresh
from tests.conftest import MakeServer
from tests.support.app_server import AppServer, free_port
from tests.support.compose import compose, environment_of
from tests.support.waiting import WAIT_TIMEOUT_S, wait_until

HOST = "meet.example.org"
# One address, no internet that could tell another, and nobody to ask for a certificate.
HERE = {"NODE_IP": "127.0.0.1", "USE_EXTERNAL_IP": "false"}
CADDY = """\
{{
	local_certs
	skip_install_trust
	admin off
	https_port {https}
	http_port {http}
}}
"""


@dataclass(frozen=True)
class Composed:
    """All of it, running."""

    app: AppServer
    https: int  # Caddy's port
    livekit_log: Path

    @property
    def url(self) -> str:
        """What people open."""
        return f"https://{HOST}"

    @property
    def flags(self) -> list[str]:
        """Chromium's, which finds the name here."""
        return [f"--host-resolver-rules=MAP {HOST}:443 127.0.0.1:{self.https}"]


def program(name: str, variable: str) -> str:
    """Return where a program is: `variable`, else the PATH; without it the test is skipped."""
    found = os.environ.get(variable) or shutil.which(name)
    if not found:
        pytest.skip(f"no {name}: set {variable}")
    return found


@contextmanager
def composed(
    make_server: MakeServer, folder: Path, database_url: str, more: Mapping[str, str]
) -> Iterator[Composed]:
    """Start Sessions, LiveKit and Caddy as compose.yaml has them; `more` is added to `.env`."""
    caddy, livekit = program("caddy", "CADDY"), program("livekit-server", "LIVEKIT_SERVER")
    env_file = {**fresh(HOST), **more}
    services = compose({**env_file, **HERE})["services"]
    ports = {name: free_port() for name in ("livekit", "tcp", "udp", "https", "http")}

    of_app = environment_of(services["app"], env_file)
    inner = of_app.pop("LIVEKIT_API_URL").replace("livekit:7880", f"127.0.0.1:{ports['livekit']}")
    for own in ("PORT", "HOST"):  # this test's server has a port of its own
        of_app.pop(own)
    app = make_server(**of_app | {"DATABASE_URL": database_url, "LIVEKIT_API_URL": inner})

    of_livekit = environment_of(services["livekit"], env_file)
    config = of_livekit["LIVEKIT_CONFIG"].replace("app:8000", f"127.0.0.1:{app.port}")
    for old, kind in (("7880", "livekit"), ("7881", "tcp"), ("7882", "udp")):
        config = config.replace(f": {old}", f": {ports[kind]}")
    of_livekit["LIVEKIT_CONFIG"] = config

    caddyfile = folder / "Caddyfile"
    sites = services["caddy"]["environment"]["CADDYFILE"]
    sites = sites.replace("app:8000", f"127.0.0.1:{app.port}")
    sites = sites.replace("livekit:7880", f"127.0.0.1:{ports['livekit']}")
    caddyfile.write_text(CADDY.format(**ports) + sites)

    with ExitStack() as running:
        log = folder / "livekit.log"
        command = [
            one.replace("/livekit-server", livekit) for one in services["livekit"]["entrypoint"]
        ]
        of_livekit["PATH"] = os.environ["PATH"]
        running.enter_context(_process(command, of_livekit, log))
        running.enter_context(
            _process(
                [caddy, "run", "--config", str(caddyfile)],
                {"HOME": str(folder), "PATH": os.environ["PATH"]},
                folder / "caddy.log",
            )
        )
        for port, what in ((ports["livekit"], log), (ports["http"], folder / "caddy.log")):
            wait_until(lambda port=port: _answers(port), news=what.read_text)  # type: ignore[misc]
        yield Composed(app, ports["https"], log)


@contextmanager
def _process(command: list[str], environment: Mapping[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=dict(environment), stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(WAIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    try:
        httpx2.get(f"http://127.0.0.1:{port}/", trust_env=False)
    except httpx2.TransportError:
        return False
    return True
